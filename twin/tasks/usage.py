"""How much processor time and memory tasks use: ECS's metrics CPUUtilization and MemoryUtilization.

Of a task's containers and its proxy, each a process group: the processor time of what is in it, that of children that
have ended included, over the task definition's `cpu`, of which 1024 are a processor; and the resident memory over its
`memory`. A task of Fargate gets no more than that, and one here does, so what is beyond is 100 percent.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service_utilization.html
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]

from twin.aws.ecs.limits import units
from twin.aws.ecs.model import Task, TaskStatus
from twin.events import Events, Measured

__all__ = ["Usage", "Used", "used_by"]

_MINUTE = 60.0  # seconds
_MIB = 1024 * 1024


@dataclass(frozen=True)
class Used:
    """Processor seconds so far, and bytes now."""

    cpu: float = 0.0
    memory: int = 0

    def __add__(self, other: Used) -> Used:
        return Used(self.cpu + other.cpu, self.memory + other.memory)


def used_by(groups: Collection[int]) -> dict[int, Used]:
    """What the processes in each of these groups use, by group."""
    found = dict.fromkeys(groups, Used())
    for pid in psutil.pids():
        try:
            if (group := os.getpgid(pid)) in found:
                process = psutil.Process(pid)
                with process.oneshot():
                    times, memory = process.cpu_times(), process.memory_info().rss
                cpu = times.user + times.system + times.children_user + times.children_system
                found[group] += Used(cpu, memory)
        except (psutil.Error, OSError):  # it has ended in between, or is another user's
            continue
    return found


class Usage:
    """Publishes what tasks have used since they were looked at last."""

    def __init__(
        self,
        events: Events,
        look: Callable[[Collection[int]], Mapping[int, Used]] = used_by,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._events = events
        self._look = look
        self._clock = clock
        self._before: dict[str, tuple[float, float]] = {}  # by task id: when, and processor seconds until then

    def expect(self, task: Task) -> None:
        """There will be metrics of its service."""
        self._publish(task, 0.0, 0.0, minutes=0.0)

    def measure(self, tasks: Iterable[tuple[Task, Collection[int]]], seconds: float) -> None:
        """Publish a sample for *seconds* of each task that is RUNNING; the first one is since it has begun.

        Args:
            tasks: those that there are, with the process groups of each.
        """
        running = [(task, groups) for task, groups in tasks if task.last_status is TaskStatus.RUNNING]
        used = self._look({group for _, groups in running for group in groups})
        now, before = self._clock(), self._before
        self._before = {}
        for task, groups in running:
            total = sum((used[group] for group in groups), Used())
            self._before[task.id] = now, total.cpu
            then, cpu = before.get(task.id, (task.steps["PENDING"], 0.0))
            request = task.deployment.task_definition.request
            processors, memory = (units(str(request.get(name) or "")) or 0 for name in ("cpu", "memory"))
            self._publish(
                task,
                _percent(total.cpu - cpu, (now - then) * processors / 1024),
                _percent(total.memory, memory * _MIB),
                minutes=seconds / _MINUTE,
            )

    def _publish(self, task: Task, cpu: float, memory: float, *, minutes: float) -> None:
        if task.service_name:  # else it is RunTask's, which has no metrics
            dimensions = {"ClusterName": task.cluster.name, "ServiceName": task.service_name}
            self._events.publish(Measured("CPUUtilization", cpu, minutes, dimensions))
            self._events.publish(Measured("MemoryUtilization", memory, minutes, dimensions))


def _percent(used: float, limit: float) -> float:
    return min(100.0, max(0.0, 100 * used / limit)) if limit > 0 else 0.0
