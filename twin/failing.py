"""Deployments whose tasks end by themselves, one after the other: said on the terminal, and by `twin ps`."""

from __future__ import annotations

import asyncio
import logging
import shlex
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from twin import DEFAULT_STATE
from twin.aws.ecs.model import Deployment, Ecs, Service, StopCode, Task, TaskDefinition, TaskStatus
from twin.machine.causes import cause, hint
from twin.machine.printable import printable

__all__ = ["FAILURES", "Failing", "failing", "last_output", "logs_command", "saying", "told", "warning", "why_ended"]

FAILURES = 3
"""So many tasks of a service that end by themselves, or find no place, and it does not come up."""

_POLL = 0.5  # seconds
_AGAIN = 60.0  # seconds
_BY_THEMSELVES = (StopCode.ESSENTIAL_CONTAINER_EXITED, StopCode.TASK_FAILED_TO_START)

_logger = logging.getLogger("twin")


@dataclass(frozen=True)
class Failing:
    """A service whose newest deployment has tasks that have ended by themselves, and none that is healthy since.

    Attributes:
        revision: which its tasks run, such as `orders:2`.
        deployed: when its deployment began, as `14:03:22`; empty where the revision alone tells it from the one before.
        ended: how many have ended in a row.
        task: the id of the last of them.
        reason: why that one has ended, in ECS's words.
        exit_code: of the container that ended it; None: none did.
        last_output: the line of its main container's last output that looks like the cause; empty: it wrote nothing.
        logs: the command that prints all that it wrote.
        serving: the revisions of tasks of other deployments that run meanwhile.
    """

    service: str
    revision: str
    deployed: str
    ended: int
    task: str
    reason: str
    exit_code: int | None
    last_output: str
    logs: str
    serving: tuple[str, ...]

    def __str__(self) -> str:
        rest = f"; {saying(self.last_output, self.logs)}" if self.last_output else "."
        of = f"the deployment of {self.deployed} ({self.revision}, as before)" if self.deployed else self.revision
        ended = (
            f"{self.ended} tasks of {of} in a row have ended by themselves"
            if self.ended > 1
            else f"a task of {of} has ended by itself"
        )
        text = f"{self.service}: {ended}: {_with_code(self.reason, self.exit_code)}{rest}"
        others = "" if self.serving == (self.revision,) else f" ({', '.join(self.serving)})"
        return text + (f" Tasks of before{others} serve meanwhile." if self.serving else "")


def failing(ecs: Ecs, logs: Path, *, least: int = FAILURES) -> dict[str, Failing]:
    """Those of all services, by the id of the deployment; one that was rolled back is among them until the next.

    Args:
        logs: the folder with a folder for each task.
        least: so many tasks in a row have ended.
    """
    return {
        deployment.id: found
        for service in ecs.services.values()
        if service.status == "ACTIVE"
        and (deployment := _newest(service)) is not None
        and deployment.ended_in_a_row >= least
        and (found := _failing(ecs, service, deployment, logs)) is not None
    }


async def warning(ecs: Ecs, logs: Path, *, poll: float = _POLL) -> None:
    """Warn of each such deployment, without end: again once a minute for as long as further tasks of it end."""
    clock = asyncio.get_running_loop().time
    warned: dict[str, tuple[float, str]] = {}  # when, and of which task
    while True:
        for identifier, found in failing(ecs, logs).items():
            if identifier not in warned:  # at the next look: a twin that gives up because of it says so by then
                warned[identifier] = (clock() - _AGAIN, "")
                continue
            at, task = warned[identifier]
            if found.task != task and clock() >= at + _AGAIN:
                warned[identifier] = (clock(), found.task)
                _logger.warning("%s", found)
        await asyncio.sleep(poll)


def told(code: int, ecs: Ecs, logs: Path) -> int:
    """Print, after a command that has ended with *code* and failed, why tasks did, which it may have waited for."""
    for found in failing(ecs, logs, least=1).values() if code else ():
        print(f"twin: {printable(str(found))}", file=sys.stderr, flush=True)
    return code


def why_ended(task: Task) -> str:
    """In ECS's words, and with the exit code of the container that ended it."""
    return _with_code(task.stopped_reason or "", _exit_code(task))


def _exit_code(task: Task) -> int | None:
    return task.exited.exit_code if task.exited is not None else None


def _with_code(reason: str, code: int | None) -> str:
    reason = reason.rstrip(".")
    if code is None:
        return reason
    name = next((f", as of {number.name}" for number in signal.Signals if number == code - 128), "")
    return f"{reason} with code {code}{name}"


def last_output(task: Task, logs: Path) -> str:
    """The line of its main container's last output that looks like the cause; empty: it wrote nothing."""
    return cause(logs / task.id / "application.log")


def saying(line: str, command: str) -> str:
    """That the last task wrote *line*, that *command* prints the rest, and the way out where there is a known one."""
    way_out = hint(line)
    return f"the last one's output says {line!r}, and `{command}` has the rest." + (f" {way_out}" if way_out else "")


def logs_command(task: Task, logs: Path) -> str:
    """The command that prints what *task* wrote into its folder in *logs*, which is in the state folder."""
    state = logs.parent
    of_state = "" if state == Path(DEFAULT_STATE).resolve() else f" --state {shlex.quote(str(state))}"
    return f"twin logs {task.id[:12]}{of_state}"


def _newest(service: Service) -> Deployment | None:
    """The one that a client set off last: no rollback."""
    return next((each for each in reversed(service.history) if each.returns_to is None), None)


def _failing(ecs: Ecs, service: Service, deployment: Deployment, logs: Path) -> Failing | None:
    tasks = ecs.tasks_of(service)
    ended = [task for task in tasks if task.deployment is deployment and task.stop_code in _BY_THEMSELVES]
    if not ended:  # ECS has forgotten them
        return None
    last = ended[-1]
    others = (t for t in tasks if t.deployment is not deployment and t.last_status is TaskStatus.RUNNING)
    revision = _revision(deployment.task_definition)
    serving = tuple(sorted({_revision(task.deployment.task_definition) for task in others}))
    return Failing(
        service.name,
        revision,
        # What the service runs already, as --reload deploys it.
        time.strftime("%H:%M:%S", time.localtime(deployment.created_at)) if revision in serving else "",
        deployment.ended_in_a_row,
        last.id,
        last.stopped_reason or "",
        _exit_code(last),
        last_output(last, logs),
        logs_command(last, logs),
        serving,
    )


def _revision(definition: TaskDefinition) -> str:
    return f"{definition.family}:{definition.revision}"
