"""What clients saw, from the files of a run alone: every number can be found again from them. Pure, without English."""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from lab.distribution.goodness import p_values_even
from lab.distribution.judgement import Judgement, judge
from lab.distribution.recovery import EvenAgain, even_again
from lab.errors import BadInput
from lab.experiments.catalogue import EXPERIMENTS, LOAD_BALANCER, SLOW_START, Course, Experiment
from lab.records.observations import Flags, Integers, observe
from lab.records.run import Accident, Discovered, Fault, LostWorker, RunRecord, TaskRecord, record_of
from load.rate import is_missed
from load.results import SECOND_BITS, HostRow, Run, TimelineRow, is_failure, percentiles

_LAST = 3  # whole seconds at the end of a run, at least, whose hosts are the ones it came to
_EACH_ANSWERS = 30  # requests for each host, of which one gets none by chance once in 10^13
_BY_CHANCE = 0.001  # a split of all that is left that is less probable than this is no even one


class Flaw(StrEnum):
    """Why a run says nothing of its experiment: it is in no matrix, comparison or calibration."""

    NO_EVENT = "no-event"  # the load ended before the event
    ENDED_EARLY = "ended-early"  # the load ended before its time
    OLD_TASKS_STAYED = "old-tasks-stayed"  # a task that had to stop had not been stopped when the load ended
    NEW_TASKS_MISSING = "new-tasks-missing"  # no task had been added
    NOT_ROLLED_BACK = "not-rolled-back"  # tasks of the revision that never gets healthy still ran
    NOT_SLOW = "not-slow"  # a new task answered sooner than START_SECONDS says: the service does not read it
    FAULT_GOES_ON = "fault-goes-on"  # the load ended before the fault
    DISTURBED = "disturbed"  # a task stopped or came before the event: what followed has two causes
    ACCIDENT = "accident"  # the twin itself lost a part, which says nothing about AWS
    NO_END = "no-end"  # the load was killed, or its files were never completed


@dataclass(frozen=True, order=True)
class Cause:
    """Why requests failed: the status (0: no answer), and whether a host named itself in the answer."""

    status: int
    from_host: bool


@dataclass(frozen=True)
class Times:
    """Seconds from the fault; None: it did not come to that within the run, or there is no such thing in it."""

    detect: float | None = None  # until ECS acted: it began to stop a task, or made a new one
    # Until the last task that went was out of Cloud Map, as fine as Cloud Map was asked (0.1 s on a twin, 1 s on AWS);
    # on the way through a load balancer out of its target group, where the service's events say.
    deregister: float | None = None
    register: float | None = None  # until the last of the tasks that came, and stayed, was in Cloud Map
    replace: float | None = None  # until the last of them answered its first request


@dataclass(frozen=True)
class Stop:
    """How long the tasks that ECS stopped after the fault served on.

    Attributes:
        began: seconds from the fault until ECS began to stop the first of them.
        served_on: seconds from when ECS began to stop a task until its last answer, the most of all; of a task that is
            not known to have answered, until its containers had ended.
    """

    began: float
    served_on: float


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


@dataclass(frozen=True)
class Findings:
    """What clients saw in a run on one way to the tasks."""

    experiment: Experiment
    arm: str  # the way
    flaw: Flaw | None
    requests: int
    failures: int  # no answer, or a status of 400 or above
    unfinished: int | None  # under way when the load ended, of whose end nobody knows; None: a run of format 1
    failures_by_status: Mapping[int, int]  # 0: no answer
    failures_by_cause: Mapping[Cause, int]
    # From when to when after the fault (or after the first second) requests failed, in seconds, as fine as the
    # timeline's whole seconds; None if none did after it.
    failure_window: tuple[float, float] | None
    fault: Fault | None
    times: Times
    stopped: tuple[str, ...]  # hosts of the tasks that ECS stopped since the fault
    replacements: tuple[str, ...]  # of those that came since and stayed, in the order of their first answers
    unserved: tuple[str, ...]  # of these, the ones that answered nothing
    stop: Stop | None  # None where ECS stopped no task after the fault, or nothing tells how long one served on
    unended: tuple[str, ...]  # of the stopped, those whose containers ran when the load ended, where that is known
    went_on: float | None  # seconds from when a stopped task had left Cloud Map until its containers ended, the least
    even_again: EvenAgain | None  # None without an event
    unhealthy_answers: int  # requests that were answered by tasks that never got healthy
    # 503s of no host while new tasks were in Cloud Map and had answered nothing, and no stopped one was in a list.
    too_soon: int
    periods: tuple[Period, ...]
    hosts: tuple[HostRow, ...]
    answered: Mapping[str, tuple[float, float]]  # of each host that did, when it first and last answered
    duration: float  # seconds for which requests were counted
    after: float | None  # seconds of load after the event; None without one
    planned: float | None  # seconds of load that were asked for
    asked_rate: float | None  # requests per second
    users: int
    lost_workers: tuple[LostWorker, ...]
    resets: tuple[float, ...]
    accidents: tuple[Accident, ...]  # what the twin itself lost meanwhile

    @property
    def rate(self) -> float:
        """Requests per second that were sent."""
        return (self.requests + (self.unfinished or 0)) / self.duration if self.duration else 0.0

    @property
    def failed_share(self) -> float:
        """Of all requests that ended, from 0 to 1."""
        return self.failures / self.requests if self.requests else 0.0

    @property
    def failed_seconds(self) -> float:
        """Failures by the rate, seconds of traffic: neither the rate nor the length of the load moves it."""
        return self.failures / self.rate if self.rate else 0.0

    @property
    def missed_rate(self) -> bool:
        """Whether less of the rate that was asked for was sent: the load was not what was planned."""
        if not self.asked_rate or not self.duration:
            return False
        return is_missed(self.requests + (self.unfinished or 0), self.asked_rate, self.duration, self.users)

    def period(self, name: str) -> Period | None:
        """The period of this name, if there is one."""
        return next((period for period in self.periods if period.name == name), None)


def find(run: Run) -> Findings:
    """The findings of a run.

    Raises BadInput: it is of an experiment that is not known, or run.json has a value of the wrong type or size.
    """
    record = record_of(run)
    fault = record.fault
    experiment = _experiment(run, record)
    failed = [row for row in run.timeline if is_failure(row.status)]
    by_cause: Counter[Cause] = Counter()
    for row in failed:
        by_cause[Cause(row.status, bool(row.hostname))] += row.requests
    by_status: Counter[int] = Counter()
    for cause, requests in by_cause.items():
        by_status[cause.status] += requests
    gone, came, went = _gone_and_come(fault, record.tasks) if fault else ([], [], set())
    answered = _answered(run)
    first_answer = {host: first for host, (first, _) in answered.items()}
    served = sorted({task.hostname for task in came} & set(first_answer), key=first_answer.__getitem__)
    unserved = tuple(sorted({task.hostname for task in came} - set(first_answer)))
    # Where ECS said nothing of its tasks, those that were stopped through the API.
    by_api = fault is not None and not record.tasks and EXPERIMENTS[fault.kind].course is Course.TASKS_STOP
    # A run that was killed does not say how long it was.
    spanned = float(run.timeline[-1].second - run.timeline[0].second + 1) if run.timeline else 0.0
    seconds = _by_second(run, record, fault, went) if fault and run.timeline else None
    end = record.end if record.end is not None else run.timeline[-1].second + 1.0 if run.timeline else 0.0
    return Findings(
        experiment=experiment,
        arm=record.experiment.arm,
        flaw=flaw_of(record, experiment) or _not_slow(experiment, came, first_answer),
        requests=sum(row.requests for row in run.timeline),
        failures=by_cause.total(),
        unfinished=record.unfinished,
        failures_by_status=dict(sorted(by_status.items())),
        failures_by_cause=dict(sorted(by_cause.items())),
        failure_window=_window(failed, fault.at if fault else run.timeline[0].second) if failed else None,
        fault=fault,
        times=_times(record, fault, gone, came, first_answer) if fault else Times(),
        stopped=fault.hostnames if fault and by_api else tuple(dict.fromkeys(task.hostname for task in gone)),
        replacements=(*served, *unserved),
        unserved=unserved,
        stop=_stop(answered, fault, gone, went) if fault else None,
        unended=tuple(
            dict.fromkeys(
                task.hostname
                for task in gone
                if "execution_stopped_at" in task.model_fields_set and (task.execution_stopped_at or math.inf) > end
            )
        ),
        went_on=_went_on(record, gone),
        even_again=_even_again(seconds, first_answer) if seconds else None,
        unhealthy_answers=_from_unhealthy(run, record),
        too_soon=_too_soon(failed, record, fault, gone, came, first_answer) if fault and experiment.planned else 0,
        periods=_periods(run, record, fault, seconds),
        hosts=_with_zones(run.hosts, record.tasks),
        answered=answered,
        duration=spanned if record.counted_s is None else record.counted_s,
        after=max(end - fault.at, 0.0) if fault else None,
        planned=record.settings.run_time_s or None,
        asked_rate=record.asked_rate,
        users=record.users or 0,
        lost_workers=record.workers_lost,
        resets=record.resets,
        accidents=record.accidents,
    )


def flaw_of(record: RunRecord, experiment: Experiment) -> Flaw | None:
    """Why the run says nothing of *experiment*: its load or what had to happen did not come to its end."""
    fault = record.fault
    if experiment.has_event and fault is None:
        return Flaw.NO_EVENT
    if record.ended_early:
        return Flaw.ENDED_EARLY
    if fault is not None:
        if flaw := _course(record, fault, experiment):
            return flaw
        # A task stopped or was made under load, before the event.
        since = math.inf if record.start is None else record.start
        moments = [moment for task in record.tasks for moment in (task.created_at, task.stopping_at)]
        if any(moment is not None and since <= moment < fault.at for moment in moments):
            return Flaw.DISTURBED
    if record.accidents:
        return Flaw.ACCIDENT
    return None if record.is_whole else Flaw.NO_END


def _course(record: RunRecord, fault: Fault, experiment: Experiment) -> Flaw | None:
    """Whether what belongs to the experiment had happened when the load ended; where ECS told nothing, nobody knows."""
    end = math.inf if record.end is None else record.end
    if fault.until is not None and fault.until > end:
        return Flaw.FAULT_GOES_ON
    if not record.tasks:
        return None

    def is_past(moment: float | None) -> bool:
        return moment is not None and moment <= end

    match experiment.course:
        case Course.TASKS_STOP:
            stay = [task for task in record.tasks if task.arn in fault.tasks and not is_past(task.stopping_at)]
            return Flaw.OLD_TASKS_STAYED if stay else None
        case Course.ONE_STOPS:
            stops = any(fault.at <= (task.stopping_at or 0) <= end for task in record.tasks)
            return None if stops else Flaw.OLD_TASKS_STAYED
        case Course.TASKS_COME:
            come = any(task.created_at >= fault.at and is_past(task.started_at) for task in record.tasks)
            return None if come else Flaw.NEW_TASKS_MISSING
        case Course.ROLLED_BACK:
            new = [task for task in record.tasks if task.task_definition.endswith(f"/{fault.detail}")]
            back = new and all(is_past(task.stopping_at) for task in new)
            return None if back else Flaw.NOT_ROLLED_BACK
    return None


def _not_slow(experiment: Experiment, came: Sequence[TaskRecord], first_answer: Mapping[str, float]) -> Flaw | None:
    """Whether the new tasks of a slow start answered before they could have: what was measured is a rollout."""
    if experiment.name != "slow-start":
        return None
    soon = [task for task in came if first_answer.get(task.hostname, math.inf) < task.created_at + SLOW_START]
    return Flaw.NOT_SLOW if soon else None


def _experiment(run: Run, record: RunRecord) -> Experiment:
    """A run of Locust alone names none, and nothing happens in it."""
    kind = record.fault.kind if record.fault else None
    named = [name for name in (record.experiment.name, kind) if name is not None]
    for name in named:
        if name not in EXPERIMENTS:
            raise BadInput(
                f"{run.path / 'run.json'} is of an experiment {name!r}, and this version knows "
                f"{', '.join(EXPERIMENTS)}: read it with the version that wrote it."
            )
    return EXPERIMENTS[named[0] if named else "baseline"]


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
    since = record.fault.at if record.fault else math.inf
    never = {
        task.hostname
        for task in record.tasks
        if task.created_at >= since and (task.id in given_up or task.health == "UNHEALTHY")
    }
    return sum(row.requests for row in run.timeline if row.status and row.hostname in never)


def _answered(run: Run) -> dict[str, tuple[float, float]]:
    """When each host first and last answered, in seconds since the Unix epoch, as fine as the files have it.

    hostnames.csv has when its first and its last request ended. Where that one came to no answer (status 0: the host
    had named itself, and broke off), it is the timeline that has the seconds of its answers.
    """
    seconds: dict[str, tuple[int, int]] = {}
    for row in run.timeline:
        if row.status:
            first, last = seconds.get(row.hostname, (row.second, row.second))
            seconds[row.hostname] = min(first, row.second), max(last, row.second)
    return {
        host.hostname: (max(host.first_seen, first), min(host.last_seen, last + 1))
        for host in run.hosts
        if host.hostname in seconds
        for first, last in [seconds[host.hostname]]
    }


# Tasks that go and come


def _with_zones(hosts: Sequence[HostRow], tasks: Sequence[TaskRecord]) -> tuple[HostRow, ...]:
    """The *hosts*, with ECS's word on the zones of those whose answers do not name one."""
    zones = {task.hostname: task.availability_zone for task in tasks}
    return tuple(
        host._replace(availability_zone=host.availability_zone or zones.get(host.hostname, "")) for host in hosts
    )


def _gone_and_come(fault: Fault, tasks: Sequence[TaskRecord]) -> tuple[list[TaskRecord], list[TaskRecord], set[str]]:
    """The tasks that ECS began to stop since the fault, those that it made since and did not stop, and who went.

    Those are the hosts of tasks that ECS began to stop since the fault, but for a name that a running task has now: a
    task that comes may get the address, and so the name, of one that went.
    """
    stopped = [task for task in tasks if fault.at <= (task.stopping_at or 0)]
    stay = [task for task in tasks if task.stopping_at is None]
    gone = [task for task in stopped if task.created_at < fault.at]
    came = [task for task in stay if task.created_at >= fault.at]
    return gone, came, {task.hostname for task in stopped} - {task.hostname for task in stay}


def _stop(
    answered: Mapping[str, tuple[float, float]], fault: Fault, gone: Sequence[TaskRecord], went: Collection[str]
) -> Stop | None:
    """Of the *gone* tasks; *went*: the hosts whose name no task that runs has."""
    last_answer = {host: last for host, (_, last) in answered.items() if host in went}
    began, ended = [], []
    for task in gone:
        end = last_answer.get(task.hostname, task.execution_stopped_at)
        if task.stopping_at is None or end is None:
            return None
        began.append(task.stopping_at - fault.at)
        ended.append(max(end - task.stopping_at, 0.0))
    return Stop(min(began), max(ended)) if gone else None


def _times(
    record: RunRecord,
    fault: Fault,
    gone: Sequence[TaskRecord],
    came: Sequence[TaskRecord],
    first_answer: Mapping[str, float],
) -> Times:
    new = [task.created_at for task in record.tasks if task.created_at >= fault.at]
    acts = [task.stopping_at for task in gone if task.stopping_at is not None] + new
    # A name that another task had before says nothing of when this one first answered.
    had = Counter(task.hostname for task in record.tasks)
    answers = [first_answer.get(task.hostname) if had[task.hostname] == 1 else None for task in came]
    known = [moment for moment in answers if moment is not None]
    if (
        record.experiment.arm == LOAD_BALANCER
    ):  # events such as `(service x) deregistered 1 targets in (target-group y)`
        said = [e.at - fault.at for e in record.events if e.at >= fault.at and ") deregistered " in e.message]
        out = max(said, default=None)
    else:
        out = _deregistered(record.discovery, {task.id for task in gone}, fault.at)
    return Times(
        detect=max(0.0, min(acts) - fault.at) if acts else None,
        deregister=out,
        register=_registered(record.discovery, {task.id for task in came}, fault.at),
        replace=max(known) - fault.at if known and len(known) == len(answers) else None,
    )


def _too_soon(
    failed: Iterable[TimelineRow],
    record: RunRecord,
    fault: Fault,
    gone: Iterable[TaskRecord],
    came: Sequence[TaskRecord],
    first_answer: Mapping[str, float],
) -> int:
    """In whole seconds, those of the answers and the registrations among them.

    On AWS nobody knows for how long a list is used, so what comes after the first stop is not counted.
    """
    registered = _first_seen(record.discovery, {task.id for task in came})
    waits = [
        (math.floor(max(registered[task.id], fault.at)), first_answer.get(task.hostname, math.inf))
        for task in came
        if task.id in registered
    ]
    stops = [task.stopping_at for task in gone if task.stopping_at is not None]
    left, out = _left(record.discovery, {task.id for task in gone}), math.inf
    used_for = (record.experiment.assumed or {}).get("discovery_ttl")
    if isinstance(used_for, float | int) and left.keys() == {task.id for task in gone}:
        out = max(left.values(), default=-math.inf) + used_for + _SETTLES

    def is_of_a_stop(second: int) -> bool:
        return second + 1 > min(stops, default=math.inf) and second < out

    return sum(
        row.requests
        for row in failed
        if row.status == 503
        and not row.hostname
        and not is_of_a_stop(row.second)
        and any(since <= row.second <= until for since, until in waits)
    )


_SETTLES = 1.0  # seconds that a gateway's new list takes at most until all requests go by it, on a busy machine


def _first_seen(discovered: Iterable[Discovered], came: set[str]) -> dict[str, float]:
    """When each was first seen in Cloud Map, by task id, of those that were."""
    first: dict[str, float] = {}
    for change in discovered:
        for name in came.intersection(change.instances or ()):
            first.setdefault(name, change.at)
    return first


def _registered(discovered: Iterable[Discovered], came: set[str], at: float) -> float | None:
    """None also where not all of them were seen there."""
    first = _first_seen(discovered, came)
    return max(0.0, max(first.values()) - at) if came and first.keys() == came else None


def _deregistered(discovered: Iterable[Discovered], gone: set[str], at: float) -> float | None:
    """None also where not all of them were seen there before, or one is still there in the end."""
    left = _left(discovered, gone)
    return max(0.0, max(left.values()) - at) if gone and len(left) == len(gone) else None


def _left(discovered: Iterable[Discovered], gone: set[str]) -> dict[str, float]:
    """Since when each is not in Cloud Map, by task id, of those that were seen there before."""
    last: dict[str, float | None] = {}  # None while it is there
    for change in discovered:
        if change.instances is not None:
            last |= dict.fromkeys(gone.intersection(change.instances))
            last |= {name: change.at for name in last if last[name] is None and name not in change.instances}
    return {name: moment for name, moment in last.items() if moment is not None}


def _went_on(record: RunRecord, gone: Iterable[TaskRecord]) -> float | None:
    """None where of none of them is known when it left Cloud Map and when its containers ended."""
    left = _left(record.discovery, {task.id for task in gone})
    ends = [(task.execution_stopped_at, left[task.id]) for task in gone if task.id in left]
    return min((max(0.0, end - since) for end, since in ends if end is not None), default=None)


# Before, during, after


def last_second(run: Run, record: RunRecord) -> int:
    """The second in which the load ended, which is no whole one; answers that came later are no traffic."""
    last = run.timeline[-1].second
    return last if record.end is None else max(run.timeline[0].second, min(last, math.floor(record.end)))


@dataclass(frozen=True)
class _Seconds:
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


def _by_second(run: Run, record: RunRecord, fault: Fault, went: Collection[str]) -> _Seconds:
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
    stays = np.array([host not in went for host in hosts])
    final = _final(answers, math.floor(fault.at) - first) & stays
    named = np.array([bool(host) for host in hosts])
    return _Seconds(first, fault.at - first, tuple(hosts), named, answers, failures, final)


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


def _even_again(seconds: _Seconds, first_answer: Mapping[str, float]) -> EvenAgain:
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
    came = max(first_answer.get(seconds.hosts[column], 0.0) for column in columns) - seconds.first
    return replace(found, seconds=max(found.seconds, arrived - seconds.event, came - seconds.event))


def _periods(run: Run, record: RunRecord, fault: Fault | None, seconds: _Seconds | None) -> tuple[Period, ...]:
    """Before the fault; from it until hosts and failures are what they are in the end; from then on."""
    if not run.timeline:
        return ()
    first, last = run.timeline[0].second, last_second(run, record)
    if fault is None or seconds is None:
        return (_period("whole run", run, record, first, last, judged=True),)
    begin, settled = math.floor(fault.at), first + _settled(seconds)
    spans = (("before", first, begin - 1), ("during", begin, settled - 1), ("after", settled, last))
    return tuple(
        _period(name, run, record, start, end, judged=name != "during") for name, start, end in spans if start <= end
    )


def _settled(seconds: _Seconds) -> int:
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
        seen = observe(part)
        with contextlib.suppress(BadInput):  # fewer than two hosts
            judgement = judge(
                seen.counts,
                windows=seen.windows,
                presence=seen.presence,
                settle=seen.settle,
            )
    counts = {host.hostname: host.requests for host in part.hosts if host.hostname}
    failures = sum(row.requests for row in part.timeline if is_failure(row.status))
    return Period(name, first, last, dict(sorted(counts.items())), failures, p99, judgement)
