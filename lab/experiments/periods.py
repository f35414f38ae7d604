"""The seconds of a run: before, during and after its event, and since when the split is even again. Pure."""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from lab.distribution.goodness import p_values_even
from lab.distribution.judgement import Judgement, judge
from lab.distribution.recovery import EvenAgain, even_again
from lab.errors import BadInput
from lab.experiments.turnover import Turnover
from lab.records.observations import Flags, Integers, observe
from lab.records.run import RunRecord
from load.results import SECOND_BITS, HostRow, Run, is_failure, percentiles

_LAST = 3  # whole seconds at the end of a run, at least, whose hosts are the ones it came to
_EACH_ANSWERS = 30  # requests for each host, of which one gets none by chance once in 10^13
_BY_CHANCE = 0.001  # a split of all that is left that is less probable than this is no even one


@dataclass(frozen=True)
class Period:
    """A stretch of the run, from its first to its last whole second, and how its requests were spread over hosts."""

    name: str
    first_second: int
    last_second: int
    counts: Mapping[str, int]
    failures: int
    p99_ms: float | None  # None where the run kept no latencies
    judgement: Judgement | None  # None where fewer than two hosts answered, or hosts came and went


def of_period(run: Run, period: Period) -> Run:
    """The run as if it had been no longer than *period*: its hosts' requests and failures, without their latency."""
    return _between(run, period.first_second, period.last_second)


def _between(run: Run, first_second: int, last_second: int) -> Run:
    timeline = tuple(row for row in run.timeline if first_second <= row.second <= last_second)
    requests: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    for row in timeline:
        requests[row.hostname] += row.requests
        failures[row.hostname] += row.requests if is_failure(row.status) else 0
    total = requests.total()
    known = {host.hostname: host for host in run.hosts}
    hosts = tuple(
        known.get(name, HostRow(name, "", 0, 0, 0.0, 0.0, 0.0, 0.0, first_second, last_second))._replace(
            requests=requests[name],
            failures=failures[name],
            share=requests[name] / total,
        )
        for name in (*known, *sorted(requests.keys() - known.keys()))
        if requests[name]
    )
    return replace(run, hosts=hosts, timeline=timeline)


def last_second(run: Run, record: RunRecord) -> int:
    """The second in which the load ended, which is no whole one; answers that came later are no traffic."""
    last = run.timeline[-1].second
    return last if record.end is None else max(run.timeline[0].second, min(last, math.floor(record.end)))


@dataclass(frozen=True)
class Seconds:
    """The seconds of the load after one another: answers (seconds, hosts) that did not fail, failures (seconds,).

    `first` is the first second, `event` the time of the fault from there. `final` (hosts,): those of the end.
    """

    first: int
    event: float
    hosts: tuple[str, ...]
    named: Flags
    answers: Integers
    failures: Integers
    final: Flags


def by_second(run: Run, record: RunRecord, tasks: Turnover) -> Seconds:
    first, last = run.timeline[0].second, last_second(run, record)
    hosts = sorted({row.hostname for row in run.timeline})
    number = {host: column for column, host in enumerate(hosts)}
    answers = np.zeros((last - first + 1, len(hosts)), dtype=np.int64)
    failures = np.zeros(len(answers), dtype=np.int64)
    for row in run.timeline:
        if row.second <= last and is_failure(row.status):
            failures[row.second - first] += row.requests
        elif row.second <= last:
            answers[row.second - first, number[row.hostname]] += row.requests
    event = tasks.fault.at - first
    stays = np.array([host not in tasks.went for host in hosts])
    final = _final(answers, math.floor(event)) & stays
    named = np.array([bool(host) for host in hosts])
    return Seconds(first, event, tuple(hosts), named, answers, failures, final)


def _final(answers: Integers, event: int) -> Flags:
    """The hosts that answered at the end: in three whole seconds, or in as many since the fault as give thirty answers
    to each, for of few requests a host may get none by chance. The last second is taken for no whole one, but one that
    answered nothing before it has come."""
    final: Flags = (answers[-1] > 0) & np.all(answers[:-1] == 0, axis=0)
    requests = 0
    for row in range(len(answers) - 2, max(event, -1), -1):
        if len(answers) - 1 - row > _LAST and requests >= _EACH_ANSWERS * final.sum():
            break
        final |= answers[row] > 0
        requests += int(answers[row].sum())
    return final


def even_again_of(seconds: Seconds, tasks: Turnover) -> EvenAgain:
    """Over the hosts of the end, and not before the first answer of the last of them."""
    columns = np.flatnonzero(seconds.final & seconds.named)
    counts, failures = seconds.answers, seconds.failures
    if len(columns) == 0:  # nobody that stays answers in the end
        failed, answered = failures[-_LAST:].any(), counts[-_LAST:, seconds.named].any()
        return EvenAgain(None, "failures" if failed else "other-hosts" if answered else "too-few", None)
    found = even_again(np.where(seconds.named, counts, 0), seconds.event, columns.tolist(), failures)
    if found.reason in ("failures", "other-hosts"):
        return found
    arrived = int((counts[:, columns] > 0).argmax(axis=0).max())  # the first answer of the last of them
    if len(counts) - arrived < _LAST:
        return EvenAgain(None, "too-few", None)
    if found.seconds is None:
        return found
    # A host that stays off its share to the end is in no window enough to be seen, but in all of them together.
    rest = counts[math.ceil(seconds.event + found.seconds) :, columns].sum(axis=0, keepdims=True)
    if len(columns) > 1 and rest.sum() > 0 and p_values_even(rest)[0] < _BY_CHANCE:
        return EvenAgain(None, "uneven", found.resolution_s)
    # Nor is it even before the last of them has answered, which a window may be too wide to see.
    came = max(tasks.answered.get(seconds.hosts[column], (0.0, 0.0))[0] for column in columns) - seconds.first
    return replace(found, seconds=max(found.seconds, arrived - seconds.event, came - seconds.event))


def periods(run: Run, record: RunRecord, seconds: Seconds | None) -> tuple[Period, ...]:
    """The whole run; or with the *seconds* of an event three.

    Before the fault; from it until hosts and failures are what they are in the end; from then on.
    """
    if not run.timeline:
        return ()
    first, last = run.timeline[0].second, last_second(run, record)
    if seconds is None:
        return (_period("whole run", run, record, first, last, judged=True),)
    begin, settled = first + math.floor(seconds.event), first + _settled(seconds)
    spans = (("before", first, begin - 1), ("during", begin, settled - 1), ("after", settled, last))
    return tuple(
        _period(name, run, record, start, end, judged=name != "during") for name, start, end in spans if start <= end
    )


def _settled(seconds: Seconds) -> int:
    """The first row after the fault from which on the hosts are those of the end and no request fails.

    After the last row where there is none, as while a task that went still answers.
    """
    there, final = seconds.answers > 0, seconds.final
    complete = (there == final).all(axis=1) | (seconds.answers.sum(axis=1) < _EACH_ANSWERS * final.sum())
    unsettled = (seconds.failures > 0) | there[:, ~final].any(axis=1) | ~complete
    begin = max(math.floor(seconds.event) + 1, 0)
    settled = begin + int(np.flatnonzero(unsettled[begin:]).max(initial=-1)) + 1
    arrived = int(there[:, final].argmax(axis=0).max(initial=-1)) + 1
    return min(max(settled, arrived), len(there))


def _period(name: str, run: Run, record: RunRecord, first: int, last: int, *, judged: bool) -> Period:
    part = _between(run, first, last)
    latencies: Counter[int] = Counter()
    for row in run.latency:
        if first <= row.second <= last:
            latencies[row.latency_us] += row.requests
    p99 = percentiles(latencies, (99,), SECOND_BITS)[0] if latencies else None
    judgement = None
    if judged:
        with contextlib.suppress(BadInput):  # fewer than two hosts
            judgement = judge(observe(part))
    counts = {host.hostname: host.requests for host in part.hosts if host.hostname}
    failures = sum(row.requests for row in part.timeline if is_failure(row.status))
    return Period(name, first, last, dict(sorted(counts.items())), failures, p99, judgement)
