"""What clients saw, from the files of a run alone: every number can be found again from them. Pure, without English."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from lab.distribution.recovery import EvenAgain
from lab.errors import BadInput
from lab.experiments.catalogue import EXPERIMENTS, SLOW_START, Course, Experiment
from lab.experiments.periods import Period, by_second, even_again_of, periods
from lab.experiments.turnover import Killed, Rebalancing, Stop, Times, Turnover
from lab.records.run import Accident, Fault, LostWorker, RunRecord, TaskRecord, TaskSettings, record_of
from load.rate import is_missed
from load.results import HostRow, Run, TimelineRow, is_failure


class Flaw(StrEnum):
    """Why a run says nothing of its experiment: it is in no matrix, comparison or calibration."""

    INTERRUPTED = "interrupted"  # the load, by whoever ran it
    NO_EVENT = "no-event"  # the load ended before the event
    ENDED_EARLY = "ended-early"  # the load ended before its time
    OLD_TASKS_STAYED = "old-tasks-stayed"  # a task that had to stop had not been stopped when the load ended
    NEW_TASKS_MISSING = "new-tasks-missing"  # no task had been added
    NOT_ROLLED_BACK = "not-rolled-back"  # tasks of the revision that never gets healthy still ran
    NOT_SLOW = "not-slow"  # a new task answered sooner than START_SECONDS says: the service does not read it
    FAULT_GOES_ON = "fault-goes-on"  # the load ended before the fault
    UNHEALTHY = "unhealthy"  # tasks failed health checks, which the event had not caused: ECS replaces them
    DISTURBED = "disturbed"  # a task stopped or came before the event: what followed has two causes
    ACCIDENT = "accident"  # the twin itself lost a part, which says nothing about AWS
    NO_END = "no-end"  # the load was killed, or its files were never completed
    NO_REQUESTS = "no-requests"  # none was answered or failed


@dataclass(frozen=True, order=True)
class Cause:
    """Why requests failed: the status (0: no answer), and whether a host named itself in the answer."""

    status: int
    from_host: bool


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
    rebalancing: Rebalancing | None  # None where ECS evened out no zones after the fault
    failed_since_move: int  # requests that failed since it stopped a task for that
    killed: tuple[Killed, ...]  # by SIGKILL, for they had not ended on SIGTERM
    failed_at_kill: int  # requests that failed within a second of that
    killed_by: float | None  # seconds from the event until ECS has killed those of `unended`
    task: TaskSettings
    went_on: float | None  # seconds from when a stopped task had left Cloud Map until its containers ended, the least
    ran_on: float | None  # seconds from when ECS began to stop a task until its containers ended, the least
    even_again: EvenAgain | None  # None without an event
    unhealthy: tuple[str, ...]  # hosts of tasks that failed health checks, which the event had not caused
    unhealthy_answers: int  # requests that were answered by tasks that never got healthy
    # 503s of no host while new tasks were in Cloud Map and had answered nothing, and no stopped one was in a list.
    too_soon: int
    periods: tuple[Period, ...]
    hosts: tuple[HostRow, ...]
    answered: Mapping[str, tuple[float, float]]  # of each host that did, when it first and last answered
    duration: float  # seconds for which requests were counted
    after: float | None  # seconds of load after the event; None without one
    planned: float | None  # seconds of load that were asked for
    asked_rate: float | None  # requests per second; `rate`: those that were sent
    due: int | None  # requests, at that rate; None in a closed loop
    users: int
    lost_workers: tuple[LostWorker, ...]
    resets: tuple[float, ...]
    accidents: tuple[Accident, ...]  # what the twin itself lost meanwhile

    @property
    def sent(self) -> int:
        """Requests that were sent, as far as it is known."""
        return self.requests + (self.unfinished or 0)

    @property
    def rate(self) -> float:
        """Requests per second that were sent."""
        return self.sent / self.duration if self.duration else 0.0

    @property
    def failed_share(self) -> float:
        """Of all requests that ended, from 0 to 1."""
        return self.failures / self.requests if self.requests else 0.0

    @property
    def failed_seconds(self) -> float:
        """Failures by the rate that was sent, seconds of traffic: neither it nor the length of the load moves them."""
        return self.failures / self.rate if self.rate else 0.0

    @property
    def missed_rate(self) -> bool:
        """Whether less of the rate that was asked for was sent: the load was not what was planned."""
        if not self.asked_rate or not self.duration:
            return False
        return is_missed(self.sent, self.asked_rate, self.duration, self.users)

    @property
    def fails_to_the_end(self) -> bool:
        """Whether requests failed in the last seconds of the load after an event: more would have failed later."""
        return self.even_again is not None and self.even_again.reason == "failures"

    @property
    def refused_from_stop(self) -> bool:
        """Whether 503s began with a planned stop, after which no stopped task answered for as long as a second.

        But for those that failed because new tasks were in Cloud Map too soon.
        """
        stop, failed = self.stop, self.failures - self.too_soon
        answered_503 = self.failures_by_cause.get(Cause(503, from_host=False), 0) - self.too_soon
        if stop is None or stop.served_on >= 1 or self.failure_window is None or not self.experiment.planned:
            return False
        # The failures' first second is a whole one, which may have begun before the stop.
        first, last = self.failure_window
        begin_with_it = last >= stop.began if self.too_soon else abs(first - stop.began) <= 1
        return begin_with_it and 2 * answered_503 > failed

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
    answered = _answered(run)
    tasks = Turnover(record, fault, answered) if fault else None
    requests = sum(row.requests for row in run.timeline)
    # A run that was killed does not say how long it was.
    spanned = float(run.timeline[-1].second - run.timeline[0].second + 1) if run.timeline else 0.0
    seconds = by_second(run, record, tasks) if tasks and run.timeline else None
    end = record.end if record.end is not None else run.timeline[-1].second + 1.0 if run.timeline else 0.0
    return Findings(
        experiment=experiment,
        arm=record.experiment.arm,
        flaw=flaw_of(record, experiment) or _not_slow(experiment, tasks) or (None if requests else Flaw.NO_REQUESTS),
        requests=requests,
        failures=by_cause.total(),
        unfinished=record.unfinished,
        failures_by_status=dict(sorted(by_status.items())),
        failures_by_cause=dict(sorted(by_cause.items())),
        failure_window=_window(failed, fault.at if fault else run.timeline[0].second) if failed else None,
        fault=fault,
        times=tasks.times if tasks else Times(),
        stopped=_stopped(tasks) if tasks else (),
        replacements=(*tasks.served, *tasks.unserved) if tasks else (),
        unserved=tuple(tasks.unserved) if tasks else (),
        stop=tasks.stop if tasks else None,
        unended=tuple(tasks.unended(end)) if tasks else (),
        rebalancing=(moves := tasks.rebalancing(end) if tasks else None),
        failed_since_move=sum(
            row.requests for row in failed if fault and moves and row.second >= math.floor(fault.at + moves.stopped_s)
        ),
        killed=(killed := tuple(tasks.killed) if tasks else ()),
        failed_at_kill=sum(
            row.requests for row in failed if any(abs(row.second - math.floor(each.at)) <= 1 for each in killed)
        ),
        killed_by=tasks.killed_by(end) if tasks else None,
        task=record.experiment.task,
        went_on=tasks.went_on if tasks else None,
        ran_on=tasks.ran_on if tasks else None,
        even_again=even_again_of(seconds, tasks) if seconds and tasks else None,
        unhealthy=_unhealthy(record, experiment),
        unhealthy_answers=_from_unhealthy(run, record),
        too_soon=tasks.too_soon(failed) if tasks and experiment.planned else 0,
        periods=periods(run, record, seconds),
        hosts=_with_zones(run.hosts, record.tasks),
        answered=answered,
        duration=spanned if record.counted_s is None else record.counted_s,
        after=max(end - fault.at, 0.0) if fault else None,
        planned=record.settings.run_time_s or None,
        asked_rate=record.asked_rate,
        due=record.due if record.due is not None else _due(record),
        users=record.users or 0,
        lost_workers=record.workers_lost,
        resets=record.resets,
        accidents=record.accidents,
    )


def _due(record: RunRecord) -> int | None:
    """Of a run whose run.json does not say it: one of an older version, or one that was killed."""
    return round(record.asked_rate * record.counted_s) if record.asked_rate and record.counted_s else None


def flaw_of(record: RunRecord, experiment: Experiment) -> Flaw | None:
    """Why the run says nothing of *experiment*: its load or what had to happen did not come to its end."""
    fault = record.fault
    if record.interrupted:
        return Flaw.INTERRUPTED
    if experiment.has_event and fault is None:
        return Flaw.NO_EVENT
    if record.ended_early:
        return Flaw.ENDED_EARLY
    if fault is not None and (flaw := _course(record, fault, experiment)):
        return flaw
    if _unhealthy(record, experiment):
        return Flaw.UNHEALTHY
    if fault is not None:
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


def _unhealthy(record: RunRecord, experiment: Experiment) -> tuple[str, ...]:
    """Hosts of tasks that failed health checks under load: neither those of the event, nor those that it cannot spare.

    A task that stops for another reason may fail them on its way, and one whose start is slow until it listens.
    """
    fault, since = record.fault, -math.inf if record.start is None else record.start
    end = math.inf if record.end is None else record.end
    spared = set(fault.tasks) if fault else set()
    if fault and (experiment.course is Course.ROLLED_BACK or experiment.name == "slow-start"):
        spared |= {task.arn for task in record.tasks if task.created_at >= fault.at}

    def failed(task: TaskRecord) -> bool:
        if task.stopping_at is None:
            return task.health == "UNHEALTHY"
        return since <= task.stopping_at <= end and "health checks" in (task.stopped_reason or "")

    return tuple(dict.fromkeys(t.hostname for t in record.tasks if t.arn not in spared and failed(t)))


def _not_slow(experiment: Experiment, tasks: Turnover | None) -> Flaw | None:
    """Whether the new tasks of a slow start answered before they could have: what was measured is a rollout."""
    if experiment.name != "slow-start" or tasks is None:
        return None
    soon = [task for task in tasks.came if tasks.first_answer(task.hostname) < task.created_at + SLOW_START]
    return Flaw.NOT_SLOW if soon else None


def _stopped(tasks: Turnover) -> tuple[str, ...]:
    """Where ECS said nothing of its tasks, those that were stopped through the API."""
    fault = tasks.fault
    if not tasks.record.tasks and EXPERIMENTS[fault.kind].course is Course.TASKS_STOP:
        return fault.hostnames
    return tuple(dict.fromkeys(task.hostname for task in tasks.gone))


def _experiment(run: Run, record: RunRecord) -> Experiment:
    """A run of Locust alone names none: it is a baseline, of which nobody knows whether anything happened."""
    kind = record.fault.kind if record.fault else None
    named = [name for name in (record.experiment.name, kind) if name is not None]
    for name in named:
        if name not in EXPERIMENTS:
            raise BadInput(
                f"{run.path / 'run.json'} is of an experiment {name!r}, and this version knows "
                f"{', '.join(EXPERIMENTS)}: read it with the version that wrote it."
            )
    return EXPERIMENTS[named[0]] if named else replace(EXPERIMENTS["baseline"], when="in this load")


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


def _with_zones(hosts: Sequence[HostRow], tasks: Sequence[TaskRecord]) -> tuple[HostRow, ...]:
    """The *hosts*, with ECS's word on the zones of those whose answers do not name one."""
    zones = {task.hostname: task.availability_zone for task in tasks}
    return tuple(
        host._replace(availability_zone=host.availability_zone or zones.get(host.hostname, "")) for host in hosts
    )
