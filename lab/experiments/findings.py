"""What clients saw, from the files of a run alone: every number can be found again from them. Pure."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from scipy import stats

from lab.distribution.goodness import ALPHA
from lab.distribution.judgement import Judgement, judge
from lab.errors import BadInput
from lab.experiments.catalogue import EXPERIMENTS, Experiment
from lab.experiments.times import Times, times_of
from lab.records.run import Fault, RunRecord, TaskRecord, record_of
from load.latency import SECOND_BITS, percentiles
from load.results import HostRow, Run, TimelineRow

__all__ = ["Cause", "Findings", "Period", "find", "is_failure", "of_period"]

_LAST = 3  # whole seconds at the end of a run, at least, whose hosts are the ones it came to; the fewest that are even
_BY_CHANCE = 0.001  # a split less probable than this is no chance: it is tested at every second of a period
_EACH_ANSWERS = 30  # requests for each host, of which one gets none by chance once in 10^13


@dataclass(frozen=True, order=True)
class Cause:
    """Why requests failed: the status (0: no answer), and whether a host named itself in the answer."""

    status: int
    from_host: bool

    def __str__(self) -> str:
        if not self.status:
            return "no answer"
        return f"{self.status} from {'a task' if self.from_host else 'the path to the tasks'}"


@dataclass(frozen=True)
class Period:
    """A stretch of the run, from its first to its last whole second, and how its requests were spread over hosts.

    `judgement` is None where fewer than two hosts answered in it, and of a period in which hosts came and went;
    `p99_ms` where the run kept no latencies.
    """

    name: str
    first_second: int
    last_second: int
    counts: Mapping[str, int]
    failures: int
    p99_ms: float | None
    judgement: Judgement | None


@dataclass(frozen=True)
class Findings:
    """What clients saw in a run.

    `failures_by_status`: status 0 is no answer. `failure_window`: from when to when after the fault (or after the first
    second) requests failed, in seconds, as fine as the timeline's whole seconds; None if none did after it.
    `unhealthy_answers`: requests that were answered by tasks that never got healthy. `planned`: seconds of load that
    were asked for, if that is known; `is_whole`: whether the load came to its end; `too_short`: whether what was left
    of it after the event is too little to tell if the split was even again.
    """

    experiment: Experiment
    arm: str
    requests: int
    failures: int
    failures_by_status: Mapping[int, int]
    failures_by_cause: Mapping[Cause, int]
    failure_window: tuple[float, float] | None
    fault: Fault | None
    times: Times
    unhealthy_answers: int
    periods: tuple[Period, ...]
    hosts: tuple[HostRow, ...]
    duration: float
    planned: float | None
    is_whole: bool
    too_short: bool

    @property
    def flaw(self) -> str:
        """Why the run says nothing of the experiment, such as `the load ended before the stop`; "" where it does."""
        if self.experiment.has_event and self.fault is None:
            return f"the load ended before {self.experiment.event}"
        if self.is_whole:
            return ""
        if self.planned is None or self.duration >= self.planned:
            return "the load did not come to its end"
        return f"the load ended after {self.duration:.0f} of {self.planned:.0f} s"

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.duration if self.duration else 0.0

    @property
    def failed_share(self) -> float:
        """Of all requests, from 0 to 1."""
        return self.failures / self.requests if self.requests else 0.0

    def period(self, name: str) -> Period | None:
        """The period of this name, if there is one."""
        return next((period for period in self.periods if period.name == name), None)


def find(run: Run) -> Findings:
    """The findings of a run.

    Raises:
        BadInput: it is of an experiment that is not known.
    """
    record = record_of(run)
    fault = record.faults[0] if record.faults else None
    tasks = record.tasks
    failed = [row for row in run.timeline if is_failure(row)]
    by_cause: Counter[Cause] = Counter()
    for row in failed:
        by_cause[Cause(row.status, bool(row.hostname))] += row.requests
    by_status: Counter[int] = Counter()
    for cause, requests in by_cause.items():
        by_status[cause.status] += requests
    went = _went(fault, tasks)
    periods = _periods(run, fault, went)
    return Findings(
        experiment=_experiment(run, record.experiment.name, fault),
        arm=record.experiment.arm,
        requests=sum(row.requests for row in run.timeline),
        failures=by_cause.total(),
        failures_by_status=dict(sorted(by_status.items())),
        failures_by_cause=dict(sorted(by_cause.items())),
        failure_window=_window(failed, fault.at if fault else run.timeline[0].second) if failed else None,
        fault=fault,
        times=times_of(run, record, fault, _even_from(run.timeline, periods, went)) if fault else Times(),
        unhealthy_answers=_from_unhealthy(run, record),
        periods=periods,
        hosts=run.hosts,
        duration=_duration(run, record),
        planned=record.settings.run_time_s or None,
        is_whole=record.is_whole,
        too_short=fault is not None and _is_too_short(run.timeline, periods, went),
    )


def _experiment(run: Run, name: str | None, fault: Fault | None) -> Experiment:
    """A run of Locust alone names none, and nothing happens in it."""
    named = [each for each in (name, fault.kind if fault else None) if each is not None]
    for each in named:
        if each not in EXPERIMENTS:
            raise BadInput(
                f"{run.path / 'run.json'} is of an experiment {each!r}, and this version knows "
                f"{', '.join(EXPERIMENTS)}: read it with the version that wrote it."
            )
    return EXPERIMENTS[named[0] if named else "baseline"]


def _duration(run: Run, record: RunRecord) -> float:
    """In seconds; of a run that was killed, which does not say it, what its timeline spans."""
    if record.duration_s is not None:
        return record.duration_s
    return float(run.timeline[-1].second - run.timeline[0].second + 1) if run.timeline else 0.0


def is_failure(row: TimelineRow) -> bool:
    """No answer, or a status of 400 or above."""
    return row.status == 0 or row.status >= 400


def _is_enough(counts: Mapping[str, int], first_second: int, last_second: int) -> bool:
    """Whether requests by host say anything of an even split: of fewer than three whole seconds, or thirty requests
    for each host, nearly anything could be said. The last second is taken for no whole one."""
    return last_second - first_second >= _LAST and sum(counts.values()) >= _EACH_ANSWERS * len(counts)


def of_period(run: Run, period: Period) -> Run:
    """The run as if it had been no longer than *period*: its hosts' requests and failures, without their latency."""
    timeline = tuple(row for row in run.timeline if period.first_second <= row.second <= period.last_second)
    requests: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    for row in timeline:
        requests[row.hostname] += row.requests
        failures[row.hostname] += row.requests if is_failure(row) else 0
    total = requests.total()
    hosts = tuple(
        replace(
            host,
            requests=requests[host.hostname],
            failures=failures[host.hostname],
            share=requests[host.hostname] / total,
        )
        for host in run.hosts
        if requests[host.hostname]
    )
    return replace(run, hosts=hosts, timeline=timeline)


def _window(failed: Iterable[TimelineRow], since: float) -> tuple[float, float] | None:
    """What failed in the very second of the fault counts as after it: the timeline is no finer."""
    seconds = [row.second for row in failed if row.second >= math.floor(since)]
    if not seconds:
        return None
    first = min(seconds)
    return (0.0 if first == math.floor(since) else first - since), max(seconds) + 1 - since


def _from_unhealthy(run: Run, record: RunRecord) -> int:
    """Of the tasks made after the fault, those that are unhealthy or, as the events say, were given up for it."""
    messages = [event.message for event in record.events]
    given_up = " ".join(message for message in messages if "failed container health checks" in message)
    since = record.faults[0].at if record.faults else math.inf
    never = {
        task.hostname
        for task in record.tasks
        if task.created_at >= since and (task.id in given_up or task.health == "UNHEALTHY")
    }
    return sum(host.requests for host in run.hosts if host.hostname in never)


def _went(fault: Fault | None, tasks: Iterable[TaskRecord]) -> set[str]:
    """The hosts of the tasks that ECS began to stop since the fault, but for a name that a running task has now.

    A task that comes may get the address, and so the name, of one that went.
    """
    if fault is None:
        return set()
    tasks = list(tasks)
    went = {task.hostname for task in tasks if fault.at <= (task.stopping_at or 0)}
    return went - {task.hostname for task in tasks if task.stopping_at is None}


def _periods(run: Run, fault: Fault | None, went: set[str]) -> tuple[Period, ...]:
    """Before the fault; from it until hosts and failures are what they are in the end; from then on."""
    timeline = run.timeline
    if not timeline:
        return ()
    first, last = timeline[0].second, timeline[-1].second
    if fault is None:
        return (_period("whole run", run, first, last, judged=True),)
    begin, settled = math.floor(fault.at), _settled(timeline, fault, went)
    spans = (("before", first, begin - 1), ("during", begin, settled - 1), ("after", settled, last))
    return tuple(_period(name, run, start, end, judged=name != "during") for name, start, end in spans if start <= end)


def _final(answers: Mapping[int, Mapping[str, int]], fault: Fault, last: int) -> set[str]:
    """The hosts that answered at the end: in three whole seconds, or in as many since the fault as give thirty answers
    to each, for of few requests a host may get none by chance. The last second is taken for no whole one."""
    hosts: set[str] = set()
    requests = 0
    for second in range(last - 1, math.floor(fault.at), -1):
        if last - second > _LAST and requests >= _EACH_ANSWERS * len(hosts):
            break
        hosts |= set(answers.get(second, {}))
        requests += sum(answers.get(second, {}).values())
    return hosts


def _settled(timeline: Sequence[TimelineRow], fault: Fault, went: set[str]) -> int:
    """The first second after the fault from which on the hosts are those of the end and no request fails.

    After the last second where there is none, as while a task that *went* still answers.
    """
    last = timeline[-1].second
    answers: dict[int, Counter[str]] = defaultdict(Counter)
    failed = set()
    for row in timeline:
        if is_failure(row):
            failed.add(row.second)
        else:
            answers[row.second][row.hostname] += row.requests
    final = _final(answers, fault, last) - went

    def is_settled(second: int) -> bool:
        hosts = set(answers[second])
        complete = hosts == final or answers[second].total() < _EACH_ANSWERS * len(final)
        return second not in failed and hosts <= final and complete

    seconds = range(last, math.floor(fault.at), -1)
    settled = min(itertools.takewhile(is_settled, seconds), default=last + 1)
    arrived = [min(second for second, hosts in answers.items() if host in hosts) for host in final]
    return min(max([settled, *(second + 1 for second in arrived)]), last + 1)


def _even_from(timeline: Sequence[TimelineRow], periods: Sequence[Period], went: set[str]) -> int | None:
    """The first second of the last period from which on to its end the split is as chance could have it.

    None where that period is judged uneven, while a task that *went* still answers, and where too little is left.
    """
    after = next((period for period in periods if period.name == "after"), None)
    if after is None or (after.judgement is not None and after.judgement.p_value <= _BY_CHANCE):
        return None
    for second in range(after.first_second, after.last_second):
        counts, _ = _count(timeline, second, after.last_second)
        if went & set(counts) or not _is_enough(counts, second, after.last_second):
            continue
        if len(counts) < 2 or stats.chisquare(list(counts.values())).pvalue >= _BY_CHANCE:
            return second
    return None


def _is_too_short(timeline: Sequence[TimelineRow], periods: Sequence[Period], went: set[str]) -> bool:
    """Not where requests fail, or a task that *went* answers, to the end: that is no even split, however short."""
    after = next((period for period in periods if period.name == "after"), None)
    if after is not None:
        return not _is_enough(after.counts, after.first_second, after.last_second)
    trouble = [row.second for row in timeline if is_failure(row) or row.hostname in went]
    return bool(timeline) and max(trouble, default=0) < timeline[-1].second - _LAST


def _period(name: str, run: Run, first: int, last: int, *, judged: bool) -> Period:
    counts, failures = _count(run.timeline, first, last)
    latencies: Counter[int] = Counter()
    for row in run.latency:
        if first <= row.second <= last:
            latencies[row.latency_us] += row.requests
    p99 = percentiles(latencies, (99,), SECOND_BITS)[0] if latencies else None
    judgement = None
    if judged:
        with contextlib.suppress(BadInput):  # fewer than two hosts
            judgement = judge(counts, level=ALPHA / 2)  # before and after
    return Period(name, first, last, counts, failures, p99, judgement)


def _count(timeline: Iterable[TimelineRow], first: int, last: int) -> tuple[dict[str, int], int]:
    """Requests by known host, and all failures, from second to second."""
    counts: Counter[str] = Counter()
    failures = 0
    for row in timeline:
        if first <= row.second <= last:
            failures += row.requests if is_failure(row) else 0
            if row.hostname:
                counts[row.hostname] += row.requests
    return dict(sorted(counts.items())), failures
