"""Starts, stops and finds the tasks of a twin: the launcher of the ECS controller."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping

from twin.aws.ecs.model import Task
from twin.errors import BadInput
from twin.events import PeriodEnded
from twin.gaps import Gap
from twin.tasks.life import Life
from twin.tasks.surroundings import Surroundings
from twin.tasks.traffic import INTERVAL
from twin.tasks.usage import Usage

__all__ = ["TaskLauncher"]


class TaskLauncher:
    """Starts and stops tasks as processes on this machine (the `Launcher` of the controller)."""

    def __init__(self, surroundings: Surroundings) -> None:
        self.surroundings = surroundings
        self.lives: dict[str, Life] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._usage = Usage(surroundings.events)
        surroundings.events.subscribe(PeriodEnded, self._end_period)

    @property
    def gaps(self) -> list[Gap]:
        """How tasks differ from ECS's here."""
        return self.surroundings.clients.gaps

    @property
    def complaints(self) -> list[str]:
        """What is amiss with the proxies of tasks, a sentence each."""
        return [life.complaint for life in self.lives.values() if life.complaint]

    @property
    def work(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """What goes on by itself, by name."""
        endpoints = self.surroundings.clients.upstreams.run
        own = {"the client proxies' endpoints": endpoints, "the proxies' metrics": self._count_traffic}
        return {**own, **self.surroundings.work}

    async def _count_traffic(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            await self._read_proxies()

    async def _read_proxies(self) -> None:
        for life in list(self.lives.values()):
            await life.count_traffic()

    async def _end_period(self, event: PeriodEnded) -> None:
        self._usage.measure([(life.task, life.process_groups) for life in self.lives.values()], event.seconds)
        await self._read_proxies()

    def start(self, task: Task) -> None:
        """Begin the life of *task*."""
        life = Life(task, self.surroundings)
        self.lives[task.id] = life
        self._usage.expect(task)
        running = asyncio.get_running_loop().create_task(self._run(life), name=f"task {task.id}")
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    async def _run(self, life: Life) -> None:
        await life.live()
        del self.lives[life.task.id]
        life.stopped()

    def stop(self, task: Task) -> None:
        """Begin its end; a second call changes nothing."""
        if life := self.lives.get(task.id):
            life.stopping.set()

    def find(self, name: str) -> Life:
        """The life of the task that is *name*: its id, the beginning of it, its ARN or host name.

        Raises:
            BadInput: none of those whose application has started, or more than one.
        """
        name = name.rsplit("/", 1)[-1].split(".")[0]
        lives = [life for life in self.lives.values() if life.application is not None]
        found = [life for life in lives if life.task.id.startswith(name) or life.task.host_name.split(".")[0] == name]
        if len(found) != 1:
            what = f"begins {len(found)} tasks" if found else "is no task"
            running = ", ".join(life.task.id[:12] for life in lives)
            raise BadInput(f"{name} {what}: give one of {running or 'those that run, but none does'}.")
        return found[0]

    def forget(self, task: Task) -> None:
        """Remove what is left of a task that has stopped: its configuration and logs."""
        shutil.rmtree(self.surroundings.folder / task.id, ignore_errors=True)

    async def close(self) -> None:
        """Abandon all lives where they are: the twin goes down, and with it every process."""
        for running in self._running:
            running.cancel()
        if self._running:
            await asyncio.wait(self._running)
