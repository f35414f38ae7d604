"""The start of a twin: whether its services have come up, or why they cannot, and what is printed then."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from twin.aws.ecs.model import Ecs, HealthStatus, RolloutState, Service, Task, TaskStatus
from twin.errors import StartFailed
from twin.failing import FAILURES, last_output, logs_command, saying, why_ended
from twin.foreground import Foreground
from twin.machine.files import last_line, write_json
from twin.machine.state import StateFolder
from twin.options import Options
from twin.tasks.health import INTERVAL, way_out

__all__ = ["announce", "require_steady", "until_steady", "until_up", "why_not_up"]

_POLL, _STEADY_POLL = 0.02, 0.5  # seconds
_PATIENCE = 60.0  # seconds without another task that runs
_KILLED = (128 + signal.SIGKILL, 128 + signal.SIGTERM)  # exit codes
_LONGEST_HOLD = 300.0  # seconds more for tasks that are held until they are HEALTHY: the longest start period


class Tasks(Protocol):
    """Who runs the tasks."""

    folder: Path  # with a folder for each task
    unnamed: set[str]  # families without a program on this machine


class Disturbing(Protocol):
    """The faults on purpose."""

    @property
    def begun(self) -> bool:
        """Whether there ever was one."""


async def until_up(
    ecs: Ecs, logs: Path, unnamed: Collection[str] = (), *, poll: float = _POLL, patience: float = _PATIENCE
) -> None:
    """Wait until each service has as many tasks as it wants, running and registered.

    Args:
        logs: the folder with a folder for each task.
        unnamed: families without a program on this machine: of several services theirs are not waited for.

    Raises:
        StartFailed: they cannot, or for *patience* seconds no further one does; for longer where tasks are held until
            they are HEALTHY.
    """
    clock: Callable[[], float] = asyncio.get_running_loop().time
    most, since = -1, 0.0
    while missing := [s for s in _able(ecs, unnamed) if len(_up(ecs, s)) < s.desired_count]:
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


async def until_steady(
    ecs: Ecs, logs: Path, faults: Disturbing, unnamed: Collection[str] = (), *, poll: float = _STEADY_POLL
) -> None:
    """Wait until the first deployment of each service that there is has completed: its tasks pass their health checks.

    Args:
        faults: once one has begun, nothing follows from what fails.
        unnamed: as for `until_up`.

    Raises:
        StartFailed: a first deployment has failed, or its tasks end by themselves or fail their health checks again
            and again, and none has passed.
    """
    services = _able(ecs, unnamed)
    while waiting := [s for s in services if s.last_completed is None and s.status == "ACTIVE"]:
        if faults.begun:
            return
        for service in waiting:
            if why := _why_not_steady(ecs, service, logs):
                raise StartFailed(why)
        await asyncio.sleep(poll)


async def require_steady(ecs: Ecs, tasks: Tasks, faults: Disturbing, foreground: Foreground) -> None:
    """End the twin if its tasks do not become healthy at first; say so once they have."""
    try:
        await until_steady(ecs, tasks.folder, faults, tasks.unnamed)
    except StartFailed as error:
        await foreground.give_up(error)
    if foreground.then is None and any(task.is_checked for task in ecs.tasks.values()):
        print("twin: all tasks have passed their health checks", flush=True)


def announce(
    options: Options,
    state: StateFolder,
    stack: str,
    ecs: Ecs,
    endpoint_url: str,
    outputs: Mapping[str, Any],
    *,
    listening: int,
    gaps: int,
    seconds: float,
) -> None:
    """Say that the twin serves, in the state folder and on the terminal.

    Args:
        stack: its name, under which its *outputs* are written.
        listening: of how many running tasks the application accepts connections.
        gaps: how many parts of the stack do nothing here.
        seconds: how long the start took.
    """
    url = outputs["gateway_url"]
    state.describe(
        pid=os.getpid(),
        aws_endpoint_url=endpoint_url,
        gateway_url=url,
        region=ecs.region,
        cluster_name=outputs.get("cluster_name"),
        service_name=outputs.get("service_name"),
    )
    if options.empty:  # whoever deploys writes outputs of their own
        print(f"twin: nothing is deployed; what will be is served at {url}", flush=True)
    else:
        write_json(state.outputs, {stack: {**outputs, "aws_endpoint_url": endpoint_url}})
        tasks = sum(task.last_status is TaskStatus.RUNNING for task in ecs.tasks.values())
        run = "1 task runs" if tasks == 1 else f"{tasks} tasks run"  # that they serve, nobody has seen yet
        if listening < tasks:  # a program that does not listen may be slow, or no server at all
            run += f", of which {listening} accept connections,"
        print(f"twin: {run} at {url} after {seconds:.1f} s{_checks_to_come(ecs)}", flush=True)
    if options.then is not None:  # which says what matters
        return
    print(f"twin: the AWS endpoint is {endpoint_url}", flush=True)
    if gaps:
        print(f"twin: `twin ps --left-out` lists {gaps} parts of the stack that do nothing on this machine", flush=True)


def _checks_to_come(ecs: Ecs) -> str:
    """That no task has passed its health check yet, where there is one."""
    tasks = [task for task in ecs.tasks.values() if task.is_checked]
    if not tasks or any(task.health is HealthStatus.HEALTHY for task in tasks):
        return ""
    interval = min(task.check_interval or INTERVAL for task in tasks)
    return f"; health checks begin after {interval} s"


def _able(ecs: Ecs, unnamed: Collection[str]) -> list[Service]:
    """The services that have a program; all of them, if none has: what is wrong is reported then."""
    services = list(ecs.services.values())
    return [s for s in services if s.primary.task_definition.family not in unnamed] or services


def why_not_up(ecs: Ecs, service: Service, logs: Path) -> str | None:
    """Why *service* cannot come up, with the way to find out more; None: it may still."""
    primary = service.primary
    ended = [task for task in ecs.tasks_of(service) if task.stop_code is not None]
    failed = primary.rollout_state is RolloutState.FAILED
    if not failed and max(primary.ended_in_a_row, primary.failed_in_a_row) < FAILURES:
        return None
    unplaced = _unplaced(service)
    if unplaced:
        way_out = "Give its subnets more addresses, or want fewer tasks."
        return f"Service {service.name} does not come up: it {unplaced} {way_out}"
    reason = f"Service {service.name} does not come up: {primary.rollout_state_reason} " if failed else ""
    return reason + (_of_task(ended[-1], logs) if ended else "")


def _why_not_steady(ecs: Ecs, service: Service, logs: Path) -> str | None:
    primary = service.primary
    if primary is not service.history[0]:  # the tasks of the first one may serve meanwhile
        return None
    tasks = [task for task in ecs.tasks_of(service) if task.deployment is primary]
    failed = primary.rollout_state is RolloutState.FAILED
    if not failed and any("health HEALTHY" in task.steps for task in tasks):
        return None
    because = {task.id: why for task in tasks if (why := task.unhealthy_because or _was_unhealthy(task))}
    if len(because) < (1 if failed else FAILURES):
        return why_not_up(ecs, service, logs) if failed or not _is_outlived(tasks) else None
    identifier, why = list(because.items())[-1]
    log = logs / identifier / "health.log"
    last = last_line(log)
    said = f"; the last output of the check is {last!r}" if last else ""
    return (
        f"Service {service.name} does not come up: its tasks run, {len(because)} of them have failed their health "
        f"checks, and none has passed ({why}){said}. See {log}; {way_out(last)}."
    )


def _is_outlived(tasks: Iterable[Task]) -> bool:
    """Whether one runs that is as old as the last that have ended: they did not end by their program."""
    ended = [task.created_at for task in tasks if task.stop_code is not None][-FAILURES:]
    run = [task.created_at for task in tasks if task.last_status is TaskStatus.RUNNING and task.is_wanted]
    return bool(run and ended) and min(run) <= min(ended)


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
    if last := last_output(task, logs):
        return f"Tasks do not stay up ({why_ended(task)}): {saying(last, logs_command(task, logs))}{_killed(task)}"
    where = f", and write nothing: see the logs in {folder}" if folder.exists() else ""
    return f"Tasks do not stay up ({why_ended(task)}){where}.{_killed(task)}"


def _killed(task: Task) -> str:
    """The way out where a signal ended it, which its program does not send itself; else empty."""
    if task.exited is None or task.exited.exit_code not in _KILLED:
        return ""
    return (
        " Something else sends that signal, as the system does where memory is short: find it, and start the twin "
        "anew. To try a crash use `twin fault crash TASK`."
    )


def _lacking(ecs: Ecs, service: Service) -> str:
    tasks = ecs.tasks_of(service)
    statuses = ", ".join(sorted(f"{task.id[:12]} {task.last_status.value}" for task in tasks if task.is_wanted))
    newest = f"; its newest event: {service.events[0].message.rstrip('.')}" if service.events else ""
    up = f"{len(_up(ecs, service))} of {service.desired_count} tasks run"
    return f"Of service {service.name} {up} (there are: {statuses or 'none'}){newest}."
