"""What clients saw, from the files of a run alone: every number can be found again from them. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.distribution import Judgement, judge
from lab.errors import BadInput
from load.results import HostRow, Run, TimelineRow

__all__ = ["Fault", "Findings", "Period", "find", "is_failure"]


@dataclass(frozen=True)
class Fault:
    """What was done, when (seconds since the Unix epoch), and to which task."""

    kind: str
    at: float
    task: str
    hostname: str

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Fault:
        """The fault of an entry in run.json's `faults`."""
        return cls(entry["kind"], float(entry["at"]), entry["task"], entry["hostname"])


@dataclass(frozen=True)
class Period:
    """A stretch of the run with the same hosts all along, and how its requests were spread over them.

    `judgement` is None where fewer than two hosts answered in it.
    """

    name: str
    first_second: int
    last_second: int
    counts: Mapping[str, int]
    judgement: Judgement | None


@dataclass(frozen=True)
class Findings:
    """What clients saw in a run with one fault, or none.

    `failures_by_status`: status 0 is no answer. `failure_window`: from when to when after the fault, in seconds,
    requests failed, as fine as the timeline's whole seconds; None if none did. `replaced_by`: the host that came
    after the fault; `replaced_after`: seconds from the fault to its first answer; both None if none came.
    """

    requests: int
    failures: int
    failures_by_status: Mapping[int, int]
    failure_window: tuple[float, float] | None
    fault: Fault | None
    replaced_by: str | None
    replaced_after: float | None
    periods: tuple[Period, ...]
    hosts: tuple[HostRow, ...]
    duration: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.duration if self.duration else 0.0


def find(run: Run) -> Findings:
    """The findings of a run."""
    faults = [Fault.of(entry) for entry in run.meta.get("faults", [])]
    fault = faults[0] if faults else None
    failed = [row for row in run.timeline if is_failure(row)]
    by_status: Counter[int] = Counter()
    for row in failed:
        by_status[row.status] += row.requests
    replacement = _replacement(run.hosts, fault)
    return Findings(
        requests=sum(row.requests for row in run.timeline),
        failures=sum(by_status.values()),
        failures_by_status=dict(sorted(by_status.items())),
        failure_window=_window(failed, fault.at if fault else run.timeline[0].second) if failed else None,
        fault=fault,
        replaced_by=replacement.hostname if replacement else None,
        replaced_after=replacement.first_seen - fault.at if replacement and fault else None,
        periods=_periods(run, fault, replacement),
        hosts=run.hosts,
        duration=float(run.meta.get("duration_s") or 0.0),
    )


def is_failure(row: TimelineRow) -> bool:
    """No answer, or a status of 400 or above."""
    return row.status == 0 or row.status >= 400


def _window(failed: Iterable[TimelineRow], since: float) -> tuple[float, float]:
    seconds = [row.second for row in failed]
    first = min(seconds)
    return (0.0 if first == math.floor(since) else first - since), max(seconds) + 1 - since


def _replacement(hosts: Iterable[HostRow], fault: Fault | None) -> HostRow | None:
    """The first host that was seen only after the fault."""
    if fault is None:
        return None
    new = [host for host in hosts if host.hostname and host.first_seen > fault.at]
    return min(new, key=lambda host: host.first_seen, default=None)


def _periods(run: Run, fault: Fault | None, replacement: HostRow | None) -> tuple[Period, ...]:
    """Whole seconds only, and none in which the hosts changed."""
    if not run.timeline:
        return ()
    first, last = run.timeline[0].second, run.timeline[-1].second
    if fault is None:
        return (_period("whole run", run.timeline, first, last),)
    periods = [_period("before", run.timeline, first, math.floor(fault.at) - 1)]
    if replacement is not None:
        gone = [host.last_seen for host in run.hosts if host.hostname == fault.hostname]
        settled = math.ceil(max([replacement.first_seen, *gone])) + 1
        periods.append(_period("after", run.timeline, settled, last))
    return tuple(period for period in periods if period.first_second <= period.last_second)


def _period(name: str, timeline: Iterable[TimelineRow], first: int, last: int) -> Period:
    counts: Counter[str] = Counter()
    for row in timeline:
        if first <= row.second <= last and row.hostname:
            counts[row.hostname] += row.requests
    try:
        judgement = judge(counts)
    except BadInput:
        judgement = None
    return Period(name, first, last, dict(sorted(counts.items())), judgement)
