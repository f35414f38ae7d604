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
from collections import Counter
from dataclasses import dataclass
from typing import Any, Protocol

from twin.errors import BadInput
from twin.events import DiscoveryDown, Events, ZonesChanged
from twin.tasks.launcher import TaskLauncher
from twin.tasks.life import Life
from twin.tasks.proxy import Disturbance

__all__ = ["KINDS", "Faults"]

KINDS = ("crash", "hang", "slow", "unready", "proxy-crash", "az-down", "discovery-down")
_AT_ONCE = ("crash", "proxy-crash")
_DEFAULT = 30.0  # seconds
_LONGEST = 3600.0  # seconds


class Zones(Protocol):
    """The Availability Zones, some of which may be closed: no task starts there."""

    closed: set[str]

    def names(self) -> set[str]:
        """Those that have a subnet."""


@dataclass(eq=False)
class _Active:
    kind: str
    target: str
    delay: float
    host_name: str | None = None  # a task's
    timer: asyncio.TimerHandle | None = None

    def is_on(self, name: str) -> bool:
        """Whether *name* means its target: a task's id, the beginning of it, its ARN or host name; a zone."""
        name = name.rsplit("/", 1)[-1]
        return bool(name) and (self.target.startswith(name) or self.host_name == name.split(".")[0])


class Faults:
    """The faults of one twin. All of it runs on the event loop."""

    def __init__(self, launcher: TaskLauncher, zones: Zones, events: Events) -> None:
        self._launcher = launcher
        self._zones = zones
        self._events = events
        self._log = events.log
        self.begun = False  # whether there ever was one
        self._active: list[_Active] = []
        self._busy = asyncio.Lock()
        self._ending: set[asyncio.Task[None]] = set()

    async def begin(self, kind: str, target: str | None, seconds: float | None, delay: float) -> dict[str, Any]:
        """Begin a fault; the answer says on what, for how long, and what is to be noted (`note`, "" for nothing).

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
        active, life = self._aim(kind, target, delay)
        self.begun = True
        # Before its first effect: on what is applied to an Envoy that stands still one may wait for seconds.
        self._log("fault", step="begins", fault=kind, target=active.target, seconds=seconds)
        if seconds is not None:
            self._active.append(active)
            try:
                await self._apply()
            finally:  # its time counts from when it is in effect
                active.timer = asyncio.get_running_loop().call_later(seconds, self._expire, active)
        elif life is not None and kind == "crash":
            life.crash_application()
        elif life is not None:
            life.crash_proxy()
        note = self._spared(active.target) if kind == "az-down" else ""
        return {"fault": kind, "target": active.target, "seconds": seconds, "note": note}

    def _spared(self, zone: str) -> str:
        """Where the tasks are, if none is in *zone*: the fault holds for those that would start there."""
        zones = Counter(life.task.zone for life in self._launcher.lives.values())
        elsewhere = ", ".join(f"{tasks} in {name}" for name, tasks in sorted(zones.items()))
        return "" if zones[zone] else f"no task is in {zone} now ({elsewhere or 'nor in another zone'})"

    async def undo(self, kind: str, target: str | None) -> dict[str, Any]:
        """End faults before their time: those of *kind*, on *target* if it is given, named as for `begin`.

        Raises:
            BadInput: there are none.
        """
        found = [a for a in self._active if a.kind == kind and (target is None or a.is_on(target))]
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
        await self._apply()
        self._log("fault", step="ends", fault=active.kind, target=active.target, how=how)

    def _aim(self, kind: str, target: str | None, delay: float) -> tuple[_Active, Life | None]:
        """The fault, and the life that it breaks if it is on a task."""
        if kind == "discovery-down":
            if target is not None:
                raise BadInput(f"discovery-down is everywhere: leave {target} out.")
            return _Active(kind, "discovery", delay), None
        if target is None:
            raise BadInput(f"{kind} needs {'a zone' if kind == 'az-down' else 'a task'}: `twin ps` lists them.")
        if kind == "az-down":
            if target not in (names := self._zones.names()):
                raise BadInput(f"{target} is no zone of the stack: give one of {', '.join(sorted(names))}.")
            return _Active(kind, target, delay), None
        life = self._launcher.find(target)
        return _Active(kind, life.task.id, delay, life.task.host_name.split(".")[0]), life

    async def _apply(self) -> None:
        """Make everything as the faults that are active want it: those that overlap do not undo each other."""
        async with self._busy:  # one after the other: no older state comes after a newer one
            down = {active.target for active in self._active if active.kind == "az-down"}
            changed, self._zones.closed = down != self._zones.closed, down
            if changed:
                self._events.publish(ZonesChanged())
            self._events.publish(DiscoveryDown(any(active.kind == "discovery-down" for active in self._active)))
            lives = list(self._launcher.lives.values())
            await asyncio.gather(*(life.disturb(self._on(life, down)) for life in lives))

    def _on(self, life: Life, down: set[str]) -> Disturbance:
        here = [active for active in self._active if active.target == life.task.id]
        kinds = {active.kind for active in here}
        delay = max((active.delay for active in here if active.kind == "slow"), default=0.0)
        return Disturbance(delay, "unready" in kinds, hang="hang" in kinds, frozen=life.task.zone in down)
