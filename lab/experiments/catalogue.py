"""The experiments: what happens in each, in words and numbers. What is done is in lab.runner.actions."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lab.errors import BadInput

ALL = "all"

DIRECT, LOAD_BALANCER = "direct", "alb"
"""The two ways to the tasks, by the names that results give them."""


class Course(StrEnum):
    """What must have happened to tasks by the end of a run that shows the whole of an experiment."""

    NOTHING = "nothing"
    TASKS_STOP = "tasks-stop"  # those that the event is about
    ONE_STOPS = "one-stops"
    TASKS_COME = "tasks-come"
    ROLLED_BACK = "rolled-back"  # all tasks of the new revision were stopped


@dataclass(frozen=True)
class Experiment:
    """What may happen to a service under load."""

    name: str
    sentence: str  # what is done, for a list of experiments
    when: str  # ends the sentence `... of ... requests failed <when>`
    event: str  # what times are counted from, as in `3.1 s after <event>`
    planned: bool  # whether whoever runs the service does it on purpose; such an event should lose nothing
    seconds: float  # of load, enough to see its end on the twin
    seconds_on_aws: float  # and on AWS, where minutes are usual
    course: Course = Course.NOTHING  # what must have happened to tasks when the load ends; else the run says nothing
    shows_after: float = 5.0  # seconds from the event within which a twin with the default settings shows all of it
    times_out: bool = False  # whether requests may wait for the gateway's timeout, which is 30 s at most
    fault_lasts: float | None = None  # seconds until it ends by itself; None: over at once, or until it is put back
    deploys: bool = False  # a deployment, before which the one before must be completed, or ECS could not go back to it
    not_on_aws: str = ""  # why AWS's API cannot do it
    least_tasks: int = 1  # that must run, that it can be done
    least_zones: int = 1  # Availability Zones in which they must run

    @property
    def has_event(self) -> bool:
        """Whether anything happens at all."""
        return bool(self.event)

    def happens_after(self, duration: float) -> float:
        """Seconds of a load of *duration* seconds that pass before: half of it, or a third where the event lasts."""
        if self.deploys or self.fault_lasts is not None:
            return min(duration / 3, 20.0)
        return min(duration / 2, 60.0)

    @property
    def least_duration(self) -> float:
        """Whole seconds of load that a twin takes at least: until the event, and from it until it is all over."""
        if not self.has_event:
            return 4.0
        after = max(self.shows_after, self.fault_lasts or 0.0) + (_TIMEOUT if self.times_out else 0.0)
        return next(float(n) for n in itertools.count(4) if n - self.happens_after(n) >= after)

    def lacks(self, zones: Sequence[str]) -> str:
        """Why a service is too small for it, whose running tasks are in these *zones*; "" where it is not."""
        if len(zones) < self.least_tasks:
            return f"it takes {self.least_tasks} tasks or more, and the service has {len(zones)}"
        if len(set(zones)) < self.least_zones:
            return f"it takes tasks in {self.least_zones} Availability Zones or more, and all are in {zones[0]}"
        return ""


SLOW_START = 15.0
"""Seconds from the start of an application until it listens in `slow-start`: longer than a twin's registration wait."""
_TIMEOUT = 31.0  # seconds: what waits for the gateway's timeout of 30 s is seen in the second after it
_INSIDE = "no call of the AWS API reaches into a task of Fargate"

_TABLE = (
    Experiment(
        "baseline", "nothing happens", "while nothing happened", "", True, 20, 60,
    ),
    Experiment(
        "stop-task", "one task is stopped through the ECS API", "when a task was stopped", "the stop", True, 30, 240,
        Course.TASKS_STOP,
    ),
    Experiment(
        "drain-task",
        "one task is taken out of Cloud Map, and stopped through the ECS API 10 s later (60 s on AWS)",
        "when a task was deregistered first and stopped later", "the deregistration", True, 36, 300,
        Course.TASKS_STOP, 16, least_tasks=2,
    ),
    Experiment(
        "rollout", "a new revision takes the place of all tasks", "during a rollout", "the start of the rollout",
        True, 45, 600, Course.TASKS_STOP, 25, deploys=True,
    ),
    Experiment(
        "slow-start",
        f"a new revision takes the place of all tasks, and listens {SLOW_START:g} s after its start (START_SECONDS)",
        "during a rollout of a slow starter", "the start of the slow rollout", True, 60, 600,
        Course.TASKS_STOP, 35, deploys=True,
    ),
    Experiment(
        "bad-rollout", "a revision whose health check never passes is deployed, and the circuit breaker takes it back",
        "during a rollout that failed", "the start of the bad rollout", True, 70, 900,
        Course.ROLLED_BACK, 40, deploys=True,
    ),
    Experiment(
        "scale-out", "two tasks are added", "when two tasks were added", "the scale-out", True, 30, 300,
        Course.TASKS_COME,
    ),
    Experiment(
        "scale-in", "one task is taken away", "when a task was taken away", "the scale-in", True, 30, 180,
        Course.ONE_STOPS, least_tasks=2,
    ),
    Experiment(
        "crash", "the application of one task is killed (SIGKILL)", "when an application crashed", "the crash",
        False, 30, 0, Course.TASKS_STOP, not_on_aws=_INSIDE,
    ),
    Experiment(
        "proxy-crash", "the proxy of one task is killed (SIGKILL)", "when a proxy crashed", "the proxy's crash",
        False, 30, 0, not_on_aws=_INSIDE,
    ),
    Experiment(
        "hang", "the application of one task stands still: it takes connections and answers nothing",
        "when an application hung", "the hang", False, 140, 0, times_out=True, fault_lasts=80, not_on_aws=_INSIDE,
    ),
    Experiment(
        "unready", "one task says for 60 s that it is not ready, and serves on", "when a task was not ready",
        "the loss of readiness", False, 90, 0, fault_lasts=60, not_on_aws=_INSIDE,
    ),
    Experiment(
        # On a twin with the default health check its failures end by themselves after 86 s: ECS acts after 35 s, the
        # last task is out of Cloud Map after 55 s, and what was sent to it waits 30 s for the gateway's timeout.
        "az-loss", "all tasks of one Availability Zone stand still, and none starts there, for 105 s",
        "when an Availability Zone was lost", "the loss of the zone", False, 165, 0, times_out=True, fault_lasts=105,
        not_on_aws="the AWS API cannot take an Availability Zone away (AWS Fault Injection Service can disrupt one)",
        least_zones=2,
    ),
    Experiment(
        "discovery-down", "Cloud Map answers nothing for 15 s, and one task is stopped meanwhile",
        "when Cloud Map did not answer and a task was stopped", "the loss of discovery", False, 40, 0,
        Course.TASKS_STOP, fault_lasts=15,
        not_on_aws="no call of the AWS API makes Cloud Map fail",
    ),
)  # fmt: skip

EXPERIMENTS: Mapping[str, Experiment] = {experiment.name: experiment for experiment in _TABLE}


def chosen(names: list[str], *, on_aws: bool) -> tuple[list[Experiment], list[Experiment]]:
    """The experiments that *names* name and can be done, and those of `all` that cannot, in the order of the table.

    Raises BadInput: there is no such experiment, or it was asked for by its name and cannot be done on AWS.
    """
    for name in names:
        if name != ALL and name not in EXPERIMENTS:
            raise BadInput(f"There is no experiment {name!r}: choose from {', '.join(EXPERIMENTS)} or {ALL}.")
    wanted = [e for e in EXPERIMENTS.values() if ALL in names or e.name in names]
    impossible = [e for e in wanted if on_aws and e.not_on_aws]
    for experiment in impossible:
        if experiment.name in names:
            raise BadInput(
                f"{experiment.name} cannot be done on AWS: {experiment.not_on_aws}; "
                "run it on the twin, whose outputs file is .twin/outputs.json."
            )
    return [e for e in wanted if e not in impossible], impossible


def require_duration(experiments: Sequence[Experiment], duration: float) -> None:
    """Refuse a load on a twin that ends before one of the experiments has run its course.

    Raises BadInput: it does; with the number of seconds that is enough for all of them.
    """
    longest = max(experiments, key=lambda experiment: experiment.least_duration)
    if duration < longest.least_duration:
        raise BadInput(
            f"--duration {duration:g} ends before {longest.name} has run its course: give {longest.least_duration:g} "
            f"or more, or leave it out for the {longest.seconds:g} s that are its own."
        )


def fitting(
    experiments: Sequence[Experiment], names: list[str], zones: Sequence[str]
) -> tuple[list[Experiment], dict[str, str]]:
    """Of *experiments* those that a service with running tasks in *zones* is large enough for, and why others are not.

    Raises BadInput: it is too small for one that was asked for by its name.
    """
    lacking = {experiment.name: reason for experiment in experiments if (reason := experiment.lacks(zones))}
    for name, reason in lacking.items():
        if name in names:
            raise BadInput(f"{name} cannot be done on this service: {reason}; scale it out first.")
    return [experiment for experiment in experiments if experiment.name not in lacking], lacking
