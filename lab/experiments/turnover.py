"""The tasks that an event takes away and brings, and when, as ECS, Cloud Map and the answers tell it. Pure."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from lab.experiments.catalogue import LOAD_BALANCER
from lab.records.run import Fault, RunRecord, TaskRecord
from load.results import TimelineRow

_ON_PURPOSE = ("UserInitiated", "ServiceSchedulerInitiated")  # codes of stops
_SIGKILL = 137  # as exit code
_PROXY = "ecs-service-connect"  # how the name of Service Connect's own container begins
_REBALANCED = "Availability-zone rebalancing"  # how the reason of a stop that evens out the zones begins
_TO_REBALANCE = " to AZ Rebalance: "  # what an event has that names the tasks which were started for it
_EARLY = 1.0  # seconds by which the times of a stop may be off

_SETTLES = 1.0  # seconds that a gateway's new list takes at most until all requests go by it, on a busy machine


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
class Rebalancing:
    """Hosts of tasks that ECS started, and of those that it stopped for them, to even out the Availability Zones.

    It does so by itself once the service is in its steady state; `stopped_s`: seconds from the fault to the first stop.
    """

    came: tuple[str, ...]
    gone: tuple[str, ...]
    stopped_s: float


@dataclass(frozen=True)
class Killed:
    """A task of which ECS killed a container: when, and so many seconds after it had begun to stop the task."""

    hostname: str
    container: str
    at: float
    after: float


@dataclass(frozen=True)
class Turnover:
    """The tasks of a run that went and came after its *fault*; *answered*: when each host first and last did."""

    record: RunRecord
    fault: Fault
    answered: Mapping[str, tuple[float, float]]

    @cached_property
    def gone(self) -> Sequence[TaskRecord]:
        """Those that ECS began to stop, but for such as it had made since, or stopped to even out the zones."""
        return [task for task in self._stopped if task.created_at < self.fault.at and task not in self._moved]

    @cached_property
    def came(self) -> Sequence[TaskRecord]:
        """Those that ECS made, and did not stop, but for what evened out the zones."""
        stayed = [task for task in self.record.tasks if task.stopping_at is None or task in self._moved]
        return [task for task in stayed if task.created_at >= self.fault.at and task.id not in self._moving]

    @cached_property
    def went(self) -> set[str]:
        """The hosts of tasks that ECS began to stop, but for a name that a running task has now.

        A task that comes may get the address, and so the name, of one that went.
        """
        return {task.hostname for task in self._stopped} - {task.hostname for task in self._staying}

    def rebalancing(self, end: float) -> Rebalancing | None:
        """None where ECS had stopped no task for that by *end*."""
        moved = [task for task in self._moved if (task.stopping_at or 0) <= end]
        if not moved:
            return None
        came = tuple(task.hostname for task in self.record.tasks if task.id in self._moving)
        first = min(task.stopping_at or 0 for task in moved)
        return Rebalancing(came, tuple(task.hostname for task in moved), first - self.fault.at)

    @property
    def served(self) -> list[str]:
        """Hosts of tasks that came and answered, in the order of their first answers."""
        return sorted({t.hostname for t in self.came} & self.answered.keys(), key=lambda host: self.answered[host][0])

    @property
    def unserved(self) -> list[str]:
        """Hosts of tasks that came and answered nothing."""
        return sorted({task.hostname for task in self.came} - self.answered.keys())

    def unended(self, end: float) -> list[str]:
        """Hosts of tasks that went, and whose containers are known to have run at *end*."""
        known = [task for task in self.gone if "execution_stopped_at" in task.model_fields_set]
        return list(dict.fromkeys(t.hostname for t in known if (t.execution_stopped_at or math.inf) > end))

    @property
    def killed(self) -> Sequence[Killed]:
        """Tasks that went on purpose with a container that had not ended until ECS sent it SIGKILL."""
        timeout = self.record.experiment.task.stop_timeout
        return [
            Killed(task.hostname, name, task.execution_stopped_at, task.execution_stopped_at - task.stopping_at)
            for task in (*self.gone, *self._moved)
            if task.stopping_at is not None and task.execution_stopped_at is not None
            if task.stop_code in _ON_PURPOSE and task.execution_stopped_at - task.stopping_at >= timeout - _EARLY
            for name, code in task.exit_codes.items()
            if code == _SIGKILL and not name.startswith(_PROXY)
        ]

    def killed_by(self, end: float) -> float | None:
        """Seconds from the event until ECS has sent SIGKILL to the tasks that had not ended at *end*.

        None: not known, as where a load balancer's target group keeps them from SIGTERM for a while.
        """
        task, hosts = self.record.experiment.task, self.unended(end)
        stops = [t.stopping_at for t in self.gone if t.hostname in hosts and t.stopping_at is not None]
        kept = any("(target-group " in event.message for event in self.record.events if event.at >= self.fault.at)
        if kept or not stops or "stop_timeout" not in task.model_fields_set:
            return None
        return max(stops) - self.fault.at + task.stop_timeout

    def first_answer(self, host: str) -> float:
        """When it was, in seconds since the Unix epoch; infinity where there was none."""
        return self.answered[host][0] if host in self.answered else math.inf

    @property
    def stop(self) -> Stop | None:
        """None where ECS stopped none, or nothing tells how long one of them served on."""
        began, ended = [], []
        for task in self.gone:
            last_answer = self.answered.get(task.hostname) if task.hostname in self.went else None
            end = last_answer[1] if last_answer else task.execution_stopped_at
            if task.stopping_at is None or end is None:
                return None
            began.append(task.stopping_at - self.fault.at)
            ended.append(max(end - task.stopping_at, 0.0))
        return Stop(min(began), max(ended)) if began else None

    @property
    def times(self) -> Times:
        """What happened when."""
        at, record = self.fault.at, self.record
        new = [task.created_at for task in record.tasks if task.created_at >= at and task.id not in self._moving]
        acts = [task.stopping_at for task in self.gone if task.stopping_at is not None] + new
        # A name that another task had before says nothing of when this one first answered.
        had = Counter(task.hostname for task in record.tasks)
        answers = [self.first_answer(t.hostname) if had[t.hostname] == 1 else math.inf for t in self.came]
        if record.experiment.arm == LOAD_BALANCER:
            # Events such as `(service x) deregistered 1 targets in (target-group y)`.
            until = min((task.stopping_at or 0 for task in self._moved), default=math.inf)
            left = [e.at for e in record.events if at <= e.at < until and ") deregistered " in e.message]
            out = max(left, default=None)
        else:
            out = _last_of_all(self._left_cloud_map, self.gone)
        registered, replaced = _last_of_all(self._in_cloud_map, self.came), max(answers, default=math.inf)
        return Times(
            detect=max(0.0, min(acts) - at) if acts else None,
            deregister=None if out is None else max(0.0, out - at),
            register=None if registered is None else max(0.0, registered - at),
            replace=replaced - at if replaced < math.inf else None,
        )

    @property
    def went_on(self) -> float | None:
        """Seconds from when a task that went had left Cloud Map until its containers ended, the least.

        None where of none of them both is known.
        """
        left = self._left_cloud_map
        ends = [(task.execution_stopped_at, left[task.id]) for task in self.gone if task.id in left]
        return min((max(0.0, end - since) for end, since in ends if end is not None), default=None)

    @property
    def ran_on(self) -> float | None:
        """Seconds from when ECS began to stop a task until its containers ended, the least; None where of one it is
        not known, or none was stopped."""
        ends = [(task.stopping_at, task.execution_stopped_at) for task in self.gone]
        spans = [end - begin for begin, end in ends if begin is not None and end is not None]
        return min(spans) if spans and len(spans) == len(ends) else None

    def too_soon(self, failed: Iterable[TimelineRow]) -> int:
        """503s of no host while new tasks were in Cloud Map and had answered nothing, and no stopped one was in a list.

        In whole seconds, those of the answers and the registrations among them. On AWS nobody knows for how long a list
        is used, so what comes after the first stop is not counted.
        """
        registered = self._in_cloud_map
        waits = [
            (math.floor(max(registered[task.id], self.fault.at)), self.first_answer(task.hostname))
            for task in self.came
            if task.id in registered
        ]
        stops = [task.stopping_at for task in self.gone if task.stopping_at is not None]
        out, left = math.inf, self._left_cloud_map
        used_for = (self.record.experiment.assumed or {}).get("discovery_ttl")
        if isinstance(used_for, float | int) and left.keys() == {task.id for task in self.gone}:
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

    @cached_property
    def _stopped(self) -> list[TaskRecord]:
        return [task for task in self.record.tasks if self.fault.at <= (task.stopping_at or 0)]

    @cached_property
    def _staying(self) -> list[TaskRecord]:
        return [task for task in self.record.tasks if task.stopping_at is None]

    @cached_property
    def _moved(self) -> list[TaskRecord]:
        """Those that ECS stopped to even out the zones."""
        return [task for task in self._stopped if (task.stopped_reason or "").startswith(_REBALANCED)]

    @cached_property
    def _moving(self) -> set[str]:
        """The ids of those that it started for that, since the fault."""
        ends = (event.message.partition(_TO_REBALANCE)[2] for event in self.record.events)
        named = set(re.findall(r"\w+", " ".join(ends)))
        return {t.id for t in self.record.tasks if t.created_at >= self.fault.at and t.id in named}

    @cached_property
    def _in_cloud_map(self) -> Mapping[str, float]:
        """When each task that came was first seen there, by task id, of those that were."""
        came, first = {task.id for task in self.came}, dict[str, float]()
        for change in self.record.discovery:
            for name in came.intersection(change.instances or ()):
                first.setdefault(name, change.at)
        return first

    @cached_property
    def _left_cloud_map(self) -> Mapping[str, float]:
        """Since when each task that went is not there, by task id, of those that were seen there before."""
        gone = {task.id for task in self.gone}
        last: dict[str, float | None] = {}  # None while it is there
        for change in self.record.discovery:
            if change.instances is not None:
                last |= dict.fromkeys(gone.intersection(change.instances))
                last |= {name: change.at for name in last if last[name] is None and name not in change.instances}
        return {name: moment for name, moment in last.items() if moment is not None}


def _last_of_all(moments: Mapping[str, float], tasks: Sequence[TaskRecord]) -> float | None:
    """None where there is no task, or the moment of one of them is not known."""
    return max(moments.values()) if moments and len(moments) == len({task.id for task in tasks}) else None
