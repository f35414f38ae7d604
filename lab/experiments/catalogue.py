"""The experiments: experiments.json has what happens in each, in words and numbers; lab.runner.actions does it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib.resources import files

from lab.errors import BadInput

ALL = "all"

DIRECT, LOAD_BALANCER, CLIENT_PROXY = "direct", "alb", "client-proxy"
"""The ways to the tasks, by the names that results give them: API Gateway's own discovery; a load balancer; another
service, whose task calls them by its Service Connect proxy."""
GATEWAY, UPSTREAM = "gateway", "upstream"
"""Whose tasks an experiment is about, by the names that `lab run --hop` gives them: those that the gateway reaches;
those that another service calls as well. Any other name is that of a service that calls another."""


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
    # Seconds from the event, or from its end, within which a twin with the default settings shows all of it: the
    # gateway's cache of 5 s, and what it takes to see that nothing fails any more.
    shows_after: float = 8.0
    times_out: bool = False  # whether requests may wait for the gateway's timeout, which is 30 s at most
    fault_lasts: float | None = None  # seconds until it ends by itself; None: over at once, or until it is put back
    deploys: bool = False  # a deployment, before which the one before must be completed, or ECS could not go back to it
    not_on_aws: str = ""  # why `lab run` does not do it there
    unwarned: bool = False  # no application hears a SIGTERM before its requests fail: what it does on one cannot matter
    least_tasks: int = 1  # that must run, that it can be done
    least_zones: int = 1  # Availability Zones in which they must run

    @property
    def has_event(self) -> bool:
        """Whether anything happens at all."""
        return bool(self.event)

    @property
    def keeps_tasks(self) -> bool:
        """Whether ECS may stop tasks that serve: a service with a target group keeps them for its delay.

        So what passes by its load balancer is no measurement of going without.
        """
        return self.has_event and not self.unwarned

    def happens_after(self, duration: float) -> float:
        """Seconds of a load of *duration* seconds that pass before: half of it, or a third where the event lasts.

        Less where what comes after it would be too short to show all of it, but not less than 3.
        """
        longest = duration / 3 if self.deploys or self.fault_lasts is not None else duration / 2
        most = 20.0 if self.deploys or self.fault_lasts is not None else 60.0
        return min(longest, most, max(duration - self._shown_in, _BEFORE))

    @property
    def least_duration(self) -> float:
        """Whole seconds of load that a twin takes at least: until the event, and from it until it is all over."""
        return math.ceil(_BEFORE + self._shown_in) if self.has_event else 4.0

    @property
    def _shown_in(self) -> float:
        return self.shows_after + (self.fault_lasts or 0.0) + (_TIMEOUT if self.times_out else 0.0)

    @property
    def outlasts(self) -> bool:
        """Whether its load goes on until tasks have ended that serve on after their stop."""
        return self.planned and self.course in (Course.TASKS_STOP, Course.ONE_STOPS)

    def outlasting(self, tasks: float, discovery_ttl: float) -> Experiment:
        """The same with a load that lasts until all of the event is seen.

        tasks: seconds that tasks take to end from a planned stop on. discovery_ttl: seconds for which the gateway uses
        its list.
        """
        more = max(tasks if self.outlasts else 0.0, discovery_ttl - _LIST if self.has_event else 0.0, 0.0)
        return replace(self, seconds=self.seconds + more, shows_after=self.shows_after + more) if more else self

    def lacks(self, zones: Sequence[str]) -> str:
        """Why a service is too small for it, whose running tasks are in these *zones*; "" where it is not."""
        if len(zones) < self.least_tasks:
            return f"it takes {self.least_tasks} tasks or more, and the service has {len(zones)}"
        if len(set(zones)) < self.least_zones:
            return f"it takes tasks in {self.least_zones} Availability Zones or more, and all are in {zones[0]}"
        return ""


SLOW_START = 15.0
"""Seconds from the start of an application until it listens in `slow-start`: longer than a twin's registration wait."""
_BEFORE = 3.0  # seconds of load before an event, at least
_LIST = 5.0  # seconds for which the gateway uses its list of tasks, with which the times of experiments reckon
_TIMEOUT = 31.0  # seconds: what waits for the gateway's timeout of 30 s is seen in the second after it


def _read() -> Iterator[Experiment]:
    table = json.loads(files(__package__).joinpath("experiments.json").read_text(encoding="utf-8"))
    for name, values in table.items():
        values.pop("fault_lasts_because", None)
        sentence = values.pop("sentence").format(slow_start=SLOW_START)
        yield Experiment(name, sentence, course=Course(values.pop("course", Course.NOTHING)), **values)


EXPERIMENTS: Mapping[str, Experiment] = {experiment.name: experiment for experiment in _read()}


def chosen(names: list[str], *, on_aws: bool) -> tuple[list[Experiment], list[Experiment]]:
    """The experiments that *names* name and can be done, and those of `all` that cannot, in the order of the table.

    Raises BadInput: there is no such experiment, or it was asked for by its name and is not done on AWS.
    """
    for name in names:
        if name != ALL and name not in EXPERIMENTS:
            raise BadInput(f"There is no experiment {name!r}: choose from {', '.join(EXPERIMENTS)} or {ALL}.")
    wanted = [e for e in EXPERIMENTS.values() if ALL in names or e.name in names]
    impossible = [e for e in wanted if on_aws and e.not_on_aws]
    for experiment in impossible:
        if experiment.name in names:
            raise BadInput(
                f"`lab run` does not do {experiment.name} on AWS: {experiment.not_on_aws}; "
                "run it on the twin, whose outputs file is .twin/outputs.json."
            )
    return [e for e in wanted if e not in impossible], impossible


def require_duration(experiments: Sequence[Experiment], duration: float) -> None:
    """Refuse a load on a twin that ends before one of the experiments has run its course.

    Raises BadInput: it does; with the number of seconds that is enough for all of them.
    """
    longest = max(experiments, key=lambda experiment: experiment.least_duration)
    if duration < longest.least_duration:
        drain = " and those that its old tasks take to end" if longest.outlasts else ""
        raise BadInput(
            f"--duration {duration:g} ends before {longest.name} has run its course: give {longest.least_duration:g} "
            f"or more, or leave it out for the {longest.seconds:g} s that are its own{drain}."
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
