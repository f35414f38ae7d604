"""Whether the services of a twin that starts have come up, or why they cannot: from ECS's records."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path

from twin.aws.ecs.model import Ecs, RolloutState, Service, Task, TaskStatus
from twin.errors import StartFailed
from twin.machine.files import last_line

__all__ = ["until_steady", "until_up", "why_not_up"]

_POLL, _STEADY_POLL = 0.02, 0.5  # seconds
_FAILURES = 3  # so many tasks of a service that end by themselves, or find no place, and it does not come up
_PATIENCE = 60.0  # seconds without another task that runs
_LONGEST_HOLD = 300.0  # seconds more for tasks that are held until they are HEALTHY: the longest start period


async def until_up(ecs: Ecs, logs: Path, *, poll: float = _POLL, patience: float = _PATIENCE) -> None:
    """Wait until each service has as many tasks as it wants, running and registered.

    Args:
        logs: the folder with a folder for each task.

    Raises:
        StartFailed: they cannot, or for *patience* seconds no further one does; for longer where tasks are held until
            they are HEALTHY.
    """
    clock: Callable[[], float] = asyncio.get_running_loop().time
    most, since = -1, 0.0
    while missing := [service for service in ecs.services.values() if len(_up(ecs, service)) < service.desired_count]:
        for service in missing:
            if why := why_not_up(ecs, service, logs):
                raise StartFailed(why)
        up = sum(len(_up(ecs, service)) for service in missing)
        if up > most:
            most, since = up, clock()
        held = max((task.held_for for service in missing for task in ecs.tasks_of(service)), default=0.0)
        waits = patience + min(held, _LONGEST_HOLD)
        if clock() > since + waits:
            lacking = " ".join(_lacking(ecs, service) for service in missing)
            raise StartFailed(f"For {waits:g} s no further task has come up. {lacking} The event log is beside {logs}.")
        await asyncio.sleep(poll)


async def until_steady(ecs: Ecs, logs: Path, disturbed: Callable[[], bool], *, poll: float = _STEADY_POLL) -> None:
    """Wait until the first deployment of each service that there is has completed: its tasks pass their health checks.

    Args:
        disturbed: whether somebody breaks something on purpose, so that nothing follows from what fails.

    Raises:
        StartFailed: a first deployment has failed, or tasks fail their health checks again and again, and none passes.
    """
    services = list(ecs.services.values())
    while waiting := [s for s in services if s.last_completed is None and s.status == "ACTIVE"]:
        if disturbed():
            return
        for service in waiting:
            if why := _why_not_steady(ecs, service, logs):
                raise StartFailed(why)
        await asyncio.sleep(poll)


def why_not_up(ecs: Ecs, service: Service, logs: Path) -> str | None:
    """Why *service* cannot come up, with the way to find out more; None: it may still."""
    primary = service.primary
    ended = [task for task in ecs.tasks_of(service) if task.stop_code is not None]
    failed = primary.rollout_state is RolloutState.FAILED
    if not failed and max(len(ended), primary.failed_in_a_row) < _FAILURES:
        return None
    unplaced = _unplaced(service)
    if unplaced:
        way_out = "Give its subnets more addresses, or want fewer tasks."
        return f"Service {service.name} does not come up: it {unplaced} {way_out}"
    reason = f"Service {service.name} does not come up: {primary.rollout_state_reason} " if failed else ""
    return reason + (_of_task(ended[-1], logs) if ended else "")


def _why_not_steady(ecs: Ecs, service: Service, logs: Path) -> str | None:
    primary = service.primary
    tasks = [task for task in ecs.tasks_of(service) if task.deployment is primary]
    failed = primary.rollout_state is RolloutState.FAILED
    if not failed and any("health HEALTHY" in task.steps for task in tasks):
        return None
    because = {task.id: why for task in tasks if (why := task.unhealthy_because or _was_unhealthy(task))}
    if len(because) < (1 if failed else _FAILURES):
        return why_not_up(ecs, service, logs) if failed else None
    identifier, why = list(because.items())[-1]
    log = logs / identifier / "health.log"
    said = f"; the last output of the check is {last!r}" if (last := last_line(log)) else ""
    return (
        f"Service {service.name} does not come up: its tasks run, {len(because)} of them have failed their health "
        f"checks, and none has passed ({why}){said}. See {log}; docs/own-service.md says what a health check must be."
    )


def _was_unhealthy(task: Task) -> str | None:
    """Why a task was stopped, if that was its health."""
    reason = task.stopped_reason or ""
    return reason if reason.startswith("Task failed ") else None


def _up(ecs: Ecs, service: Service) -> list[Task]:
    return [t for t in ecs.tasks_of(service) if t.last_status is TaskStatus.RUNNING and t.is_registered]


def _unplaced(service: Service) -> str:
    """What its newest events say of a task without a place; empty if they are about something else."""
    said = (event.message.partition(") ")[2] for event in itertools.islice(service.events, 3))
    return next((text for text in said if text.startswith("was unable to place")), "")


def _of_task(task: Task, logs: Path) -> str:
    folder = logs / task.id
    last = last_line(folder / "application.log")
    said = f", its last words are {last!r}" if last else ""
    where = f": see the logs in {folder}" if folder.exists() else ""
    return f"Tasks do not stay up ({task.stopped_reason}){said}{where}."


def _lacking(ecs: Ecs, service: Service) -> str:
    tasks = ecs.tasks_of(service)
    statuses = ", ".join(sorted(f"{task.id[:12]} {task.last_status.value}" for task in tasks if task.is_wanted))
    newest = f"; its newest event: {service.events[0].message}" if service.events else ""
    up = f"{len(_up(ecs, service))} of {service.desired_count} tasks run"
    return f"Of service {service.name} {up} (there are: {statuses or 'none'}){newest}."
