"""What the lives of all tasks share: where they run and register, and what is said of them on the terminal."""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Protocol

from twin.aws.client import Aws
from twin.aws.ecs.model import Task, TaskStatus
from twin.aws.ecs.ports import Instances
from twin.errors import BadInput
from twin.events import Events, ParametersChanged, news
from twin.machine.addresses import Address
from twin.machine.machine import Machine
from twin.parameters import Parameters
from twin.tasks.client import Clients
from twin.tasks.health import LISTEN, way_out
from twin.tasks.programs import Programs
from twin.tasks.traffic import Traffic

__all__ = ["Balancers", "Surroundings"]

_AGAIN_AND_AGAIN = 2  # tasks of a deployment that become UNHEALTHY, and none HEALTHY, before the terminal says so

_POLL = 2.0  # seconds between two looks whether the programs' file can be used

_logger = logging.getLogger("twin")


class Balancers(Protocol):
    """The load balancers that a service may have."""

    def require_groups(self, groups: Sequence[str]) -> None:
        """Raise StartFailed if one of the target groups, by ARN, is not there."""

    async def register(self, task: str, groups: Sequence[str], address: Address) -> None:
        """Register the task with that id with each of the target groups."""

    async def deregister(self, task: str) -> float:
        """Let it drain; the seconds for which it does."""


class Surroundings:
    """Those of every task of one twin."""

    def __init__(
        self,
        machine: Machine,
        registry: Instances,
        balancers: Balancers,
        parameters: Parameters,
        events: Events,
        aws: Aws,
        programs: Programs,
        *,
        name_tasks: bool,
    ) -> None:
        """
        Args:
            balancers: where a task is registered besides Cloud Map.
            parameters: those at first; ParametersChanged brings others.
            aws: the endpoint, for secrets, and for SDKs and the metadata of tasks.
            programs: what runs as which container.
            name_tasks: whether a proxy adds `x-hostname` to what its application answers without it.
        """
        self.processes = machine.processes
        self.registry = registry
        self.balancers = balancers
        self.addresses = machine.addresses
        self.parameters = parameters
        self.aws = aws
        self.aws_environment = aws.environment({})
        del self.aws_environment["TWIN_TOKEN"]  # which commands the twin itself
        self.programs = programs
        self.name_tasks = name_tasks
        self.envoy_binary = machine.envoy
        self.folder = machine.folder / "tasks"  # where each task has a folder for its configuration and logs
        self.events = events
        self.clients = Clients(machine, registry, parameters, events)
        self.traffic = Traffic(registry, events)
        events.subscribe(ParametersChanged, self._change)
        # More tasks starting at once would only slow each other down, until the registration wait is over for all.
        self.starting = asyncio.Semaphore(2 * (os.cpu_count() or 1))
        self.unnamed: set[str] = set()  # families of which nothing names the program
        # Last outputs of the checks of tasks that became UNHEALTHY since one was HEALTHY, by their deployment's id.
        self._unhealthy: dict[str, tuple[str, int, str]] = {}
        self._deaf: list[Task] = []  # of which was said that they accept no connection

    def _change(self, event: ParametersChanged) -> None:
        self.parameters = event.parameters

    def health_changed(self, task: Task, output: str | None) -> None:
        """*task* has become UNHEALTHY, with the last *output* of its health check, or healthy (None).

        The output is without the task's address, so that those of two tasks can be the same.
        """
        if output is None:
            _, count, _ = self._unhealthy.pop(task.deployment.id, ("", 0, ""))
            if count >= _AGAIN_AND_AGAIN:
                news(f"A task of {_whose(task)} passes its health check again", each_time=False)
        else:
            _, count, _ = self._unhealthy.get(task.deployment.id, ("", 0, ""))
            self._unhealthy[task.deployment.id] = of, count, output = _deployed(task), count + 1, output
            if count >= _AGAIN_AND_AGAIN:
                _logger.warning("%s", _unhealthy(of, output))

    def complaints(self, deployments: Collection[str]) -> list[str]:
        """What is amiss with running tasks of *deployments*, by id, a sentence each."""
        unhealthy = [_unhealthy(of, said) for id, (of, _, said) in self._unhealthy.items() if id in deployments]
        deaf = {_deployed(task) for task in self._still_deaf() if task.deployment.id in deployments}
        return unhealthy + [_deaf(of) for of in sorted(deaf)]

    @property
    def work(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """What goes on by itself, by name."""
        return {"the programs' file": self._watch_programs}

    async def _watch_programs(self) -> None:
        """Say what a change of the twin.toml means, and warn for as long as it cannot be used: no task starts then."""
        before = None
        while True:
            try:
                now = self.programs.watched()
            except BadInput as error:
                _logger.warning("No task can start: %s", error)
            else:
                before = now if before is None else before
                for key in sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key)):
                    words = shlex.join(now[key].command.words) if key in now else ""
                    runs = f"run `{words}`" if words else "have a new table" if key in now else "have no table any more"
                    _logger.warning("%s has changed: the next tasks of %s %s", self.programs.file, key, runs)
                before = now
            await asyncio.sleep(_POLL)

    def without_program(self, task: Task, how: str) -> None:
        """Nothing names the program of *task*'s main container: *how* to do that is said once for a family."""
        family = task.deployment.task_definition.family
        if family not in self.unnamed:
            self.unnamed.add(family)
            _logger.warning("The %s cannot run: %s has no program on this machine: %s", _whose(task), family, how)

    def deaf(self, task: Task, seconds: float) -> None:
        """The application of *task* accepts no connection so many *seconds* after its start."""
        self._deaf = [*self._still_deaf(), task]
        _logger.warning("%s", _deaf(_deployed(task), f", {seconds:g} s after their start"))

    def hears(self, task: Task) -> None:
        """The application of *task*, of which that was said, accepts connections now."""
        self._deaf = [other for other in self._still_deaf() if other is not task]
        if not any(other.deployment is task.deployment for other in self._deaf):
            # Where the warning is not said again within a minute, this is not either.
            news(f"All tasks of {_whose(task)} accept connections now", each_time=False)

    def _still_deaf(self) -> list[Task]:
        return [task for task in self._deaf if task.desired_status is TaskStatus.RUNNING]


def _whose(task: Task) -> str:
    """`service shop`; of a task that is no service's its family."""
    return task.group.replace(":", " ")


def _deployed(task: Task) -> str:
    """`service shop (shop:2, deployed at 14:03:22)`: `--reload` deploys a revision again and again."""
    if not task.service_name:
        return _whose(task)
    definition = task.deployment.task_definition
    at = time.strftime("%H:%M:%S", time.localtime(task.deployment.created_at))
    return f"{_whose(task)} ({definition.family}:{definition.revision}, deployed at {at})"


def _unhealthy(of: str, output: str) -> str:
    said = f"its last output is {output!r}" if output else "it writes nothing"
    return f"Tasks of {of} become UNHEALTHY again and again by their health check: {said}; {way_out(output)}"


def _deaf(of: str, since: str = "") -> str:
    return (
        f"Tasks of {of} run and accept no connection yet{since}: the program starts slowly "
        f"(--register-when-healthy is for that), or it does not {LISTEN}"
    )
