"""What each experiment does, and how it is put back: context managers that give the fault and undo it at their end.

All but the last group go through the AWS API; the last goes through the twin's control path (control.py).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from lab.errors import BadInput
from lab.experiments.catalogue import Experiment
from lab.experiments.control import TwinControl
from lab.experiments.records import Fault, TaskRecord
from lab.experiments.service import EcsService
from lab.experiments.undo import putting_back

__all__ = ["ACTIONS", "Bench"]

_ADDED = 2  # tasks, by scale-out
# As fast as ECS lets a health check fail: the least interval and number of retries that it takes.
_NEVER_HEALTHY = {
    "healthCheck": {"command": ["CMD-SHELL", "exit 1"], "interval": 5, "timeout": 2, "retries": 1, "startPeriod": 0}
}
_MARK = "LAB_ROLLOUT"  # a variable of the new revision's environment, which the service does not read


@dataclass(frozen=True)
class Bench:
    """What an experiment acts on; `twin` is None on AWS. `note` tells the user what was done."""

    service: EcsService
    twin: TwinControl | None
    note: Callable[[str], None]


Action = Callable[[Bench, Experiment], AbstractContextManager[Fault]]


@contextlib.contextmanager
def stop_task(bench: Bench, experiment: Experiment) -> Iterator[Fault]:
    """The longest-running task; ECS replaces it, so there is nothing to put back."""
    yield _stop_one(bench, experiment.name)


@contextlib.contextmanager
def rollout(bench: Bench, experiment: Experiment) -> Iterator[Fault]:
    """A revision that differs in a variable that nobody reads."""
    with _revision(bench, experiment, environment={_MARK: f"{time.time():.0f}"}) as fault:
        yield fault


@contextlib.contextmanager
def bad_rollout(bench: Bench, experiment: Experiment) -> Iterator[Fault]:
    """A revision whose tasks serve, but whose health check never passes."""
    with _revision(bench, experiment, container=_NEVER_HEALTHY) as fault:
        yield fault


@contextlib.contextmanager
def scale_out(bench: Bench, experiment: Experiment) -> Iterator[Fault]:
    """Two tasks more."""
    with _scaled(bench, experiment, _ADDED) as fault:
        yield fault


@contextlib.contextmanager
def scale_in(bench: Bench, experiment: Experiment) -> Iterator[Fault]:
    """One task fewer."""
    with _scaled(bench, experiment, -1) as fault:
        yield fault


@contextlib.contextmanager
def _on_a_task(bench: Bench, experiment: Experiment) -> Iterator[Fault]:
    twin, task = _twin(bench, experiment), _longest_running(bench.service.tasks())
    at = time.time()
    with twin.fault(experiment.name, task.id, experiment.fault_lasts):
        bench.note(f"{experiment.name} of task {task.id} ({task.hostname})")
        yield _fault(experiment, at, [task])


@contextlib.contextmanager
def _az_loss(bench: Bench, experiment: Experiment) -> Iterator[Fault]:
    """The zone of the longest-running task: with it at least one task goes."""
    twin, tasks = _twin(bench, experiment), [task for task in bench.service.tasks() if task.is_running]
    zone = _longest_running(tasks).availability_zone
    at = time.time()
    with twin.fault("az-down", zone, experiment.fault_lasts):
        lost = [task for task in tasks if task.availability_zone == zone]
        bench.note(f"{zone} is down, with {len(lost)} of {len(tasks)} tasks")
        yield _fault(experiment, at, lost, zone)


@contextlib.contextmanager
def _discovery_down(bench: Bench, experiment: Experiment) -> Iterator[Fault]:
    at = time.time()
    with _twin(bench, experiment).fault(experiment.name, None, experiment.fault_lasts):
        bench.note(f"Cloud Map does not answer for {experiment.fault_lasts:g} s")
        stopped = _stop_one(bench, experiment.name)
        yield Fault(experiment.name, at, at + (experiment.fault_lasts or 0), stopped.tasks, stopped.hostnames)


ACTIONS: Mapping[str, Action] = {
    "stop-task": stop_task,
    "rollout": rollout,
    "bad-rollout": bad_rollout,
    "scale-out": scale_out,
    "scale-in": scale_in,
    "crash": _on_a_task,
    "proxy-crash": _on_a_task,
    "hang": _on_a_task,
    "unready": _on_a_task,
    "az-loss": _az_loss,
    "discovery-down": _discovery_down,
}


def _stop_one(bench: Bench, name: str) -> Fault:
    task = _longest_running(bench.service.tasks())
    at = time.time()
    bench.service.stop_task(task, f"Stopped by the experiment {name}")
    bench.note(f"stopped task {task.id} ({task.hostname})")
    return Fault(name, at, tasks=(task.arn,), hostnames=(task.hostname,))


@contextlib.contextmanager
def _revision(
    bench: Bench,
    experiment: Experiment,
    *,
    environment: Mapping[str, str] | None = None,
    container: Mapping[str, object] | None = None,
) -> Iterator[Fault]:
    """Deploy a changed revision; in the end go back to the one before, unless a circuit breaker did, and discard it."""
    service = bench.service
    before = service.state().task_definition
    tasks = [task for task in service.tasks() if task.is_running]
    revision = service.new_revision(before, environment=environment, container=container)
    try:
        at = time.time()
        service.update(task_definition=revision)
        name = revision.rsplit("/", 1)[-1]
        bench.note(f"deploying {name}")
        yield _fault(experiment, at, tasks, name)
    finally:
        with putting_back(service.left_at(revision, before)):
            if service.state().task_definition != before:
                service.update(task_definition=before)
                bench.note(f"going back to {before.rsplit('/', 1)[-1]}")
        with putting_back(service.left_registered(revision)):
            service.discard(revision)


@contextlib.contextmanager
def _scaled(bench: Bench, experiment: Experiment, more: int) -> Iterator[Fault]:
    desired = bench.service.state().desired
    try:
        at = time.time()
        bench.service.update(desired_count=desired + more)
        bench.note(f"scaling from {desired} to {desired + more} tasks")
        yield Fault(experiment.name, at, detail=f"{desired} to {desired + more} tasks")
    finally:
        back = bench.service.command("update-service", desired_count=desired)
        with putting_back(f"the service may still be scaled to {desired + more} tasks: put it back with `{back}`"):
            bench.service.update(desired_count=desired)


def _twin(bench: Bench, experiment: Experiment) -> TwinControl:
    if bench.twin is None:
        raise BadInput(f"{experiment.name} cannot be done on AWS: {experiment.not_on_aws}.")
    return bench.twin


def _fault(experiment: Experiment, at: float, tasks: list[TaskRecord], detail: str = "") -> Fault:
    until = None if experiment.fault_lasts is None else at + experiment.fault_lasts
    arns, hostnames = tuple(task.arn for task in tasks), tuple(task.hostname for task in tasks)
    return Fault(experiment.name, at, until, arns, hostnames, detail)


def _longest_running(tasks: list[TaskRecord]) -> TaskRecord:
    running = [task for task in tasks if task.is_running]
    if not running:
        raise BadInput("no task of the service runs any more: there is none to pick; the results so far are kept.")
    return min(running, key=lambda task: (task.started_at or 0.0, task.arn))
