"""Faults on purpose: what breaks, and how it is undone.

    crash           the application is killed                          ECS replaces the task
    hang            the application stands still (SIGSTOP)             it goes on (SIGCONT)
    slow            the proxy holds each request for some time         it no longer does
    unready         health checks fail, health paths answer 503        they are the application's own again
    proxy-crash     the proxy is killed                                its agent starts it anew
    az-down         all tasks of a zone stand still, none start there  they go on
    discovery-down  DiscoverInstances answers 500                      it answers again

The first and the fifth take no time; the others end by themselves. Nothing needs to be undone when a twin goes down.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from twin.endpoint import Endpoint
from twin.errors import BadInput
from twin.process import Process
from twin.task import TaskLauncher

__all__ = ["KINDS", "Faults"]

KINDS = ("crash", "hang", "slow", "unready", "proxy-crash", "az-down", "discovery-down")
_AT_ONCE = ("crash", "proxy-crash")
_DEFAULT = 30.0  # seconds
_LONGEST = 3600.0  # seconds

Undo = Callable[[], Awaitable[None]]


class Zones(Protocol):
    """The Availability Zones, some of which may be closed: no task starts there."""

    closed: set[str]

    def names(self) -> set[str]:
        """Those that have a subnet."""


@dataclass(eq=False)
class _Active:
    kind: str
    target: str
    undo: Undo
    timer: asyncio.TimerHandle | None = None


class Faults:
    """The faults of one twin. All of it runs on the event loop."""

    def __init__(self, launcher: TaskLauncher, zones: Zones, endpoint: Endpoint, log: Callable[..., None]) -> None:
        self._launcher = launcher
        self._zones = zones
        self._endpoint = endpoint
        self._log = log
        self._active: list[_Active] = []
        self._ending: set[asyncio.Task[None]] = set()

    async def begin(self, kind: str, target: str | None, seconds: float | None, delay: float) -> dict[str, Any]:
        """Begin a fault; the answer says on what, and for how long.

        Args:
            kind: one of KINDS.
            target: a task (its id, the beginning of it, its ARN or host name), or a zone; None for discovery.
            seconds: until it is undone; None: 30. `crash` and `proxy-crash` take none.
            delay: seconds for which `slow` holds each request.

        Raises:
            BadInput: no such kind or target, or a number out of its range.
        """
        if kind not in KINDS:
            raise BadInput(f"{kind} is no fault: give one of {', '.join(KINDS)}.")
        if kind in _AT_ONCE and seconds is not None:
            raise BadInput(f"{kind} takes no time: leave --for out.")
        for option, value in (("--for", seconds), ("--delay", delay)):
            if value is not None and not 0 < value <= _LONGEST:
                raise BadInput(f"{option} {value:g} is out of range: give seconds, above 0 and up to {_LONGEST:g}.")
        if seconds is None and kind not in _AT_ONCE:
            seconds = _DEFAULT
        name, undo = await self._start(kind, target, delay)
        self._log("fault", step="begins", fault=kind, target=name, seconds=seconds)
        if seconds is not None:
            active = _Active(kind, name, undo)
            active.timer = asyncio.get_running_loop().call_later(seconds, self._expire, active)
            self._active.append(active)
        return {"fault": kind, "target": name, "seconds": seconds}

    async def undo(self, kind: str, target: str | None) -> dict[str, Any]:
        """End faults before their time: those of *kind*, on *target* if it is given.

        Raises:
            BadInput: there are none.
        """
        found = [a for a in self._active if a.kind == kind and (target is None or a.target.startswith(target))]
        if not found:
            raise BadInput(f"There is no fault {kind}{f' on {target}' if target else ''} to undo.")
        for active in found:
            await self._end(active, "undone")
        return {"fault": kind, "target": ", ".join(active.target for active in found), "seconds": 0}

    def _expire(self, active: _Active) -> None:
        ending = asyncio.get_running_loop().create_task(self._end(active, "over"))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def _end(self, active: _Active, how: str) -> None:
        if active not in self._active:
            return
        self._active.remove(active)
        if active.timer is not None:
            active.timer.cancel()
        await active.undo()
        self._log("fault", step="ends", fault=active.kind, target=active.target, how=how)

    async def _start(self, kind: str, target: str | None, delay: float) -> tuple[str, Undo]:
        """The target's full name, and what undoes the fault."""
        if kind == "discovery-down":
            if target is not None:
                raise BadInput(f"discovery-down is everywhere: leave {target} out.")
            self._endpoint.discovery_is_down = True
            return "discovery", self._discovery_up
        if target is None:
            raise BadInput(f"{kind} needs {'a zone' if kind == 'az-down' else 'a task'}: `twin ps` lists them.")
        if kind == "az-down":
            return self._stop_zone(target)
        life = self._launcher.find(target)
        match kind:
            case "crash":
                _signal(life.application, signal.SIGKILL)
            case "proxy-crash":
                _signal(life.proxy, signal.SIGKILL)
            case "hang":
                _signal(life.application, signal.SIGSTOP)
                return life.task.id, _continue([life.application])
            case "slow":
                await life.disturb(delay=delay)
                return life.task.id, lambda: life.disturb(delay=0)
            case "unready":
                await life.disturb(unready=True)
                return life.task.id, lambda: life.disturb(unready=False)
        return life.task.id, _nothing

    def _stop_zone(self, zone: str) -> tuple[str, Undo]:
        if zone not in (names := self._zones.names()):
            raise BadInput(f"{zone} is no zone of the stack: give one of {', '.join(sorted(names))}.")
        lives = [life for life in self._launcher.lives.values() if life.task.zone == zone]
        processes = [process for life in lives for process in (life.application, life.proxy)]
        self._zones.closed.add(zone)
        for process in processes:
            _signal(process, signal.SIGSTOP)
        go_on = _continue(processes)

        async def undo() -> None:
            self._zones.closed.discard(zone)
            await go_on()

        return zone, undo

    async def _discovery_up(self) -> None:
        self._endpoint.discovery_is_down = False


def _continue(processes: list[Process | None]) -> Undo:
    async def undo() -> None:
        for process in processes:
            _signal(process, signal.SIGCONT)

    return undo


async def _nothing() -> None:
    return


def _signal(process: Process | None, number: int) -> None:
    """To the whole group, unless it has ended: its number may be another's by now."""
    if process is not None and process.returncode is None:
        process.signal_group(number)
