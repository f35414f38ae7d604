"""A container of a task as a process: its program, address, environment, dependencies and end.

All containers of a task share the task's one address, as in ECS's awsvpc mode. One for which nothing names a program is
not run; what depends on it does not wait.
"""

from __future__ import annotations

import asyncio
import errno
import re
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from twin.aws.ecs.model import Container, HealthStatus
from twin.errors import StartFailed
from twin.machine.addresses import Address
from twin.machine.process import Process, Processes
from twin.tasks.programs import Program

__all__ = ["TaskContainer", "port_of", "stop_order", "waiting"]

Json = Mapping[str, Any]
_WORD_OF_OURS = re.compile(r"\{(host|port)\}")
_LOCALHOST = re.compile(r"\b(?:localhost|127\.0\.0\.1):(\d+)\b")
_PORT = 8080  # of the address of a container that maps no port: nobody connects to it


class TaskContainer:
    """One container of a task; `started`, `healthy` and `ended` are what others wait for by `dependsOn`."""

    def __init__(self, definition: Json, record: Container, program: Program | None, log: Path) -> None:
        """
        Args:
            program: what runs as it; None: nothing does.
            log: where its output goes.
        """
        self.definition = definition
        self.record = record
        self.program = program
        self.log = log
        self.address = Address("127.0.0.1", _PORT)  # until the task has one
        self.process: Process | None = None
        self.given: Mapping[str, str] = {}  # its environment, once it has started
        self.started, self.healthy, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
        record.is_run = program is not None

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def is_essential(self) -> bool:
        return bool(self.definition.get("essential", True))

    @property
    def port(self) -> int | None:
        """The first port that it maps."""
        return port_of(self.definition)

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.returncode is None

    def words(self) -> list[str]:
        """The command line: the program's, else the definition's `entryPoint` and `command`; empty if there is none."""
        if self.program is None:
            return []
        given = self.program.command.words or [
            *(self.definition.get("entryPoint") or []),
            *(self.definition.get("command") or []),
        ]
        return [_filled(word, self.address) for word in given]

    def environment(
        self, surroundings: Mapping[str, str], secrets: Mapping[str, str], ports: Mapping[int, Address]
    ) -> dict[str, str]:
        """The container's environment; what the program's own `environment` says comes before all else.

        Args:
            surroundings: what ECS and the twin add.
            secrets: the values of its `secrets`, by the names of the variables.
            ports: where those that the task's containers map are here: `localhost:PORT` in a value means one of them.
        """
        assert self.program is not None

        def aim(match: re.Match[str]) -> str:
            return str(ports.get(int(match[1]), match[0]))

        given = {entry["name"]: _LOCALHOST.sub(aim, entry["value"]) for entry in self.definition.get("environment", [])}
        return {
            "PATH": self.program.command.path,
            **given,
            **secrets,
            **surroundings,
            "HOST": self.address.host,
            **({"PORT": str(self.address.port)} if self.port is not None else {}),
            **{name: _filled(value, self.address) for name, value in self.program.environment.items()},
        }

    async def start(
        self, name: str, words: Sequence[str], processes: Processes, environment: Mapping[str, str]
    ) -> Process:
        """Start its program, as *words*; *name* is for messages.

        Raises:
            OSError: it cannot be started.
            StartFailed: words and environment are more than this machine lets a process have.
        """
        assert self.program is not None
        command, self.given = self.program.command, environment
        try:
            self.process = await processes.spawn(
                name, words, env=environment, cwd=command.folder, log=self.log, umask=command.umask
            )
        except OSError as error:
            if error.errno != errno.E2BIG:
                raise
            size = sum(len(each.encode()) for each in (*words, *environment, *environment.values()))
            raise StartFailed(
                f"Container {self.name}: its command and environment have {size} bytes, more than this machine lets a "
                "process have: Linux takes 128 KiB in one word or variable"
            ) from None
        self.record.last_status = "RUNNING"
        self.started.set()
        return self.process

    async def stop(self, patience: float, step: Callable[[str], None]) -> None:
        """End it as ECS does: SIGTERM, and SIGKILL after *patience* seconds; its steps are reported."""
        if self.process is None:
            return
        if self.process.returncode is None:
            step("SIGTERM")
            self.process.signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(patience):
                    await self.process.wait()
            except TimeoutError:
                step("SIGKILL")
                self.process.kill_group()
        self.stopped(await self.process.wait())

    def stopped(self, code: int) -> None:
        """Its process has ended with *code*, as asyncio has it."""
        self.record.last_status = "STOPPED"
        self.record.exit_code = code if code >= 0 else 128 - code  # as a shell has it: 137 for SIGKILL
        self.record.health = HealthStatus.UNKNOWN
        self.ended.set()

    async def until(self, condition: str) -> str | None:
        """Wait until it is what `dependsOn` asks for; None, or why it never will be."""
        if self.program is None:
            await self.started.wait()
            return None
        await {"START": self.started, "HEALTHY": self.healthy}.get(condition, self.ended).wait()
        code = self.record.exit_code
        return f"it exited with code {code}" if condition == "SUCCESS" and code != 0 else None


def port_of(definition: Json) -> int | None:
    """The first port that a container's *definition* maps."""
    ports = (port.get("containerPort") for port in definition.get("portMappings", []))
    return next((int(port) for port in ports if port is not None), None)


def waiting(containers: Iterable[TaskContainer]) -> list[str]:
    """The names of those that start only when another is HEALTHY or has ended, and of those that start after them."""
    named = {container.name: container for container in containers}
    found: list[str] = []
    while more := [
        name
        for name, container in named.items()
        if name not in found
        and any(
            dependency["containerName"] in found
            or (dependency["condition"] != "START" and named[dependency["containerName"]].program is not None)
            for dependency in container.definition.get("dependsOn", [])
        )
    ]:
        found += more
    return found


def stop_order(containers: Sequence[TaskContainer]) -> list[list[TaskContainer]]:
    """Groups that stop one after the other: each container after those that depend on it [ecs: dependsOn]."""
    left, order = list(containers), []
    while left:
        needed = {dependency["containerName"] for c in left for dependency in c.definition.get("dependsOn", [])}
        group = [container for container in left if container.name not in needed]
        group = group or list(left)  # none: the definition would have been refused
        order.append(group)
        left = [container for container in left if container not in group]
    return order


def _filled(text: str, address: Address) -> str:
    return _WORD_OF_OURS.sub(lambda match: address.host if match[1] == "host" else str(address.port), text)
