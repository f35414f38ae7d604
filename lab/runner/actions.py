"""What each experiment and each cell of a sweep does to the service, and how it is put back."""

from __future__ import annotations

import contextlib
import itertools
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

from lab.errors import BadInput, LabError, Missing
from lab.experiments.catalogue import DIRECT, SLOW_START, Experiment
from lab.records.run import Fault, TaskRecord
from lab.runner.drain import WAIT, Draining
from lab.runner.service import EcsService, short
from lab.runner.target import TwinControl, in_words


@dataclass(frozen=True)
class Bench:
    """What an experiment acts on; `twin` is None on AWS. `note` tells the user what was done.

    way: by which the gateway leads to the tasks, DIRECT or LOAD_BALANCER.
    """

    service: EcsService
    twin: TwinControl | None
    note: Callable[[str], None]
    way: str = DIRECT


Action = Callable[[Bench, Experiment], AbstractContextManager[Fault]]


@contextlib.contextmanager
def _stop_task(bench: Bench, experiment: Experiment) -> Iterator[Fault]:
    """The longest-running task; ECS replaces it, so there is nothing to put back."""
    task = _longest_running(bench.service.tasks())
    at = time.time()
    bench.service.stop_task(task, f"Stopped by the experiment {experiment.name}")
    bench.note(f"stopped {task.host} (task {task.id})")
    yield _fault(experiment, at, [task])


@contextlib.contextmanager
def _drain_task(bench: Bench, experiment: Experiment) -> Iterator[Fault]:
    """The longest-running task, out of Cloud Map some time before its stop; ECS replaces it."""
    service, task = bench.service, _longest_running(bench.service.tasks())
    at = time.time()
    reason = f"Stopped by the experiment {experiment.name}"
    draining = Draining(service, task, WAIT[service.target.is_twin], reason, bench.note)
    try:
        yield _fault(experiment, at, [task])
    finally:
        stop = service.command("stop-task", cluster=service.where["cluster"], task=task.id)
        with putting_back(f"{task.host} may run on out of Cloud Map: stop it with `{stop}`"):
            draining.end()


@contextlib.contextmanager
def _rollout(bench: Bench, experiment: Experiment, **changes: Mapping[str, Any]) -> Iterator[Fault]:
    tasks = [task for task in bench.service.tasks() if task.is_running]
    with _deployed(bench, **changes) as (at, name):
        bench.note(f"deploying {name}")
        yield _fault(experiment, at, tasks, name)


@contextlib.contextmanager
def _scaled(bench: Bench, experiment: Experiment, more: int) -> Iterator[Fault]:
    desired = bench.service.state().desired
    try:
        at = time.time()
        bench.service.update(desired_count=desired + more)
        bench.note(f"scaling from {desired} to {desired + more} tasks")
        yield _fault(experiment, at, [], f"{desired} to {desired + more} tasks")
    finally:
        back = bench.service.command("update-service", **bench.service.where, desired_count=desired)
        with putting_back(f"the service may still be scaled to {desired + more} tasks: put it back with `{back}`"):
            bench.service.update(desired_count=desired)


@contextlib.contextmanager
def _on_a_task(bench: Bench, experiment: Experiment) -> Iterator[Fault]:
    task = _longest_running(bench.service.tasks())
    with _twin_fault(bench, experiment, experiment.name, task.id) as at:
        bench.note(f"{experiment.name} of {task.host} (task {task.id})")
        yield _fault(experiment, at, [task])


@contextlib.contextmanager
def _az_loss(bench: Bench, experiment: Experiment) -> Iterator[Fault]:
    """The zone of the longest-running task: with it at least one task goes."""
    tasks = [task for task in bench.service.tasks() if task.is_running]
    zone = _longest_running(tasks).availability_zone
    with _twin_fault(bench, experiment, "az-down", zone) as at:
        lost = [task for task in tasks if task.availability_zone == zone]
        bench.note(f"{zone} is down, with {len(lost)} of {len(tasks)} tasks")
        yield _fault(experiment, at, lost, zone)


@contextlib.contextmanager
def _discovery_down(bench: Bench, experiment: Experiment) -> Iterator[Fault]:
    with _twin_fault(bench, experiment, experiment.name, None) as at:
        bench.note(f"Cloud Map does not answer for {experiment.fault_lasts:g} s")
        with _stop_task(bench, experiment) as stopped:
            yield stopped.model_copy(update={"at": at, "until": at + (experiment.fault_lasts or 0)})


ACTIONS: Mapping[str, Action] = {
    "stop-task": _stop_task,
    "drain-task": _drain_task,
    # A revision that differs in a variable that the service does not read.
    "rollout": partial(_rollout, environment={"LAB_ROLLOUT": f"{time.time():.0f}"}),
    # One whose application takes a while to listen, as large ones do: `app/` reads the variable.
    "slow-start": partial(_rollout, environment={"START_SECONDS": f"{SLOW_START:g}"}),
    # One whose tasks serve, but whose health check fails, as fast as ECS lets one: the least interval and retries.
    "bad-rollout": partial(
        _rollout,
        container={
            "healthCheck": {
                "command": ["CMD-SHELL", "exit 1"], "interval": 5, "timeout": 2, "retries": 1, "startPeriod": 0,
            },
            "startTimeout": 10,  # for a task that is held until it is HEALTHY
        },
    ),
    "scale-out": partial(_scaled, more=2),
    "scale-in": partial(_scaled, more=-1),
    "crash": _on_a_task,
    "proxy-crash": _on_a_task,
    "hang": _on_a_task,
    "unready": _on_a_task,
    "az-loss": _az_loss,
    "discovery-down": _discovery_down,
}  # fmt: skip


@contextlib.contextmanager
def _deployed(
    bench: Bench,
    deploy: Callable[..., None] | None = None,
    /,
    *,
    environment: Mapping[str, str] | None = None,
    container: Mapping[str, object] | None = None,
) -> Iterator[tuple[float, str]]:
    """Deploy a changed revision, from when on and by which name; in the end go back to the one before, and discard it.

    A circuit breaker may have gone back already.
    """
    service = bench.service
    before = service.state().task_definition
    revision = service.new_revision(before, environment=environment, container=container)
    try:
        at = time.time()
        (deploy or service.update)(task_definition=revision)
        yield at, short(revision)
    finally:
        back = service.command("update-service", **service.where, task_definition=short(before))
        with putting_back(f"the service may still be at {short(revision)}: put it back with `{back}`"):
            if service.state().task_definition != before:
                service.update(task_definition=before)
                bench.note(f"going back to {short(before)}")
        discard = service.command("deregister-task-definition", task_definition=short(revision))
        with putting_back(f"{short(revision)} is still registered: `{discard}` makes it inactive"):
            service.discard(revision)


@contextlib.contextmanager
def _twin_fault(bench: Bench, experiment: Experiment, kind: str, where: str | None) -> Iterator[float]:
    """A fault that no AWS API makes, from when on."""
    if bench.twin is None:
        raise BadInput(f"`lab run` does not do {experiment.name} on AWS: {experiment.not_on_aws}.")
    at = time.time()
    with bench.twin.fault(kind, where, experiment.fault_lasts):
        yield at


def _fault(experiment: Experiment, at: float, tasks: list[TaskRecord], detail: str = "") -> Fault:
    return Fault(
        kind=experiment.name,
        at=at,
        until=None if experiment.fault_lasts is None else at + experiment.fault_lasts,
        tasks=tuple(task.arn for task in tasks),
        hostnames=tuple(task.hostname for task in tasks),
        detail=detail,
    )


def _longest_running(tasks: list[TaskRecord]) -> TaskRecord:
    running = [task for task in tasks if task.is_running]
    if not running:
        raise BadInput("no task of the service runs any more: there is none to pick; the results so far are kept.")
    return min(running, key=lambda task: (task.started_at or 0.0, task.arn))


class NotPutBack(Missing):
    """Something is left as the experiment made it; the message says what, and how to put it back."""


@contextlib.contextmanager
def putting_back(left: str) -> Iterator[None]:
    """Around what puts something back, with all that it reads for it; to be used where a `finally` begins.

    Raises NotPutBack: it could not be: why, and what is *left*, after what an earlier one says of what it left.
    """
    meanwhile = sys.exception()  # it would be hidden by ours
    try:
        yield
    except LabError as error:
        told = [str(each).rstrip(".") for each in (meanwhile, error) if isinstance(each, LabError)]
        if told[-1] in told[0]:
            del told[1:]
        raise NotPutBack(f"{'; '.join([*told, left])}.") from None


Setting = Mapping[str, float]

_MOST = 2  # names: a grid has rows and columns
_OF_THE_TASK = {  # the least and the most, in seconds
    "drain_seconds": (0, 119),
    # What Fargate takes: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
    "stop_timeout": (2, 120),
}
_DEFAULT_STOP_TIMEOUT = 30.0


def cells(texts: Sequence[str], *, on_aws: bool) -> list[Setting]:
    """All combinations of the values, the last name's changing fastest; one empty cell without any.

    Raises BadInput: what cannot be read, has more than two names, or cannot be set on AWS.
    """
    values: dict[str, list[float]] = {}
    for text in texts:
        name, _, listed = text.partition("=")
        try:
            numbers = [float(number) for number in listed.split(",")]
        except ValueError:
            raise BadInput(f"--sweep {text!r} is not a name and numbers: give it as discovery_ttl=0,1,5.") from None
        if name in values or len(set(numbers)) < len(numbers):
            raise BadInput(f"--sweep {text!r} names something twice: give each name and each of its numbers once.")
        if on_aws and name not in _OF_THE_TASK:
            raise BadInput(
                f"--sweep {name} cannot be done on AWS, where nobody but AWS sets it: sweep "
                f"{' or '.join(_OF_THE_TASK)}, or run it on the twin."
            )
        low, high = _OF_THE_TASK.get(name, (0, 3600))
        whole = name == "stop_timeout"
        if wrong := [number for number in numbers if not low <= number <= high or (whole and number % 1)]:
            kind = "a whole number" if whole else "a number"
            raise BadInput(f"--sweep {name}={wrong[0]:g} is out of range: give {kind} from {low} to {high}.")
        values[name] = numbers
    if len(values) > _MOST:
        raise BadInput(f"--sweep was given for {len(values)} names: a grid has {_MOST} at most.")
    return [dict(zip(values, combination, strict=True)) for combination in itertools.product(*values.values())]


def task_settings(service: EcsService) -> dict[str, float]:
    """`stop_timeout` of the service's task definition, and `drain_seconds` where it has the variable."""
    container = service.container()
    variables = {entry["name"]: entry["value"] for entry in container.get("environment", [])}
    return {
        **({"drain_seconds": float(variables["DRAIN_SECONDS"] or 0)} if "DRAIN_SECONDS" in variables else {}),
        "stop_timeout": float(container.get("stopTimeout", _DEFAULT_STOP_TIMEOUT)),
    }


def require_drains_end(settings: Sequence[Setting], now: Setting) -> None:
    """Refuse a drain that is cut off; *now* has the settings of the task that a cell does not change.

    Raises BadInput: a cell has `drain_seconds` that do not end before the stop timeout, at which ECS sends SIGKILL.
    """
    for cell in settings:
        drain, timeout = cell.get("drain_seconds", 0), {**now, **cell}["stop_timeout"]
        if drain and drain >= timeout:
            raise BadInput(
                f"--sweep drain_seconds={drain:g} is cut off by the stop timeout of {timeout:g} s, at which ECS sends "
                "SIGKILL: give less, or a longer stop timeout with --sweep stop_timeout."
            )


def by_task(settings: Sequence[Setting]) -> list[tuple[Setting, list[Setting]]]:
    """The cells grouped by what they set of the task, which takes a deployment to change: (that, its cells)."""

    def own(cell: Setting) -> list[tuple[str, float]]:
        return sorted((name, value) for name, value in cell.items() if name in _OF_THE_TASK)

    return [(dict(key), list(group)) for key, group in itertools.groupby(sorted(settings, key=own), key=own)]


@contextlib.contextmanager
def parameters(bench: Bench, cell: Setting) -> Iterator[None]:
    """Set the twin's parameters that a cell names and, in the end, put them back.

    Raises BadInput: one is neither a parameter of the twin nor of the task.
    """
    values = {name: value for name, value in cell.items() if name not in _OF_THE_TASK}
    if not values or bench.twin is None:
        yield
        return
    before = bench.twin.parameters()
    if unknown := [name for name in values if name not in before]:
        raise BadInput(
            f"--sweep {unknown[0]} is no parameter of the twin nor of the task: choose from "
            f"{', '.join(dict.fromkeys([*_OF_THE_TASK, *before]))}."
        )
    bench.twin.set(values)
    try:
        yield
    finally:
        old = {name: before[name] for name in values}
        with putting_back(f"the twin may still have its new parameters: put them back with `twin set {in_words(old)}`"):
            bench.twin.set(old)


@contextlib.contextmanager
def task_revision(bench: Bench, values: Setting, stable: Callable[[], Any]) -> Iterator[None]:
    """Deploy a revision of the task with *values* and, in the end, go back; *stable* waits until that is done.

    On a twin, where nobody else is served, all tasks end before the new ones start, which takes less than a rollout.
    """
    now = task_settings(bench.service)
    if now == {**now, **values}:
        yield
        return
    environment = {"DRAIN_SECONDS": f"{values['drain_seconds']:g}"} if "drain_seconds" in values else None
    container = {"stopTimeout": int(values["stop_timeout"])} if "stop_timeout" in values else None
    deploy = partial(_restart, bench, stable) if bench.twin else bench.service.update
    with _deployed(bench, deploy, environment=environment, container=container):
        stable()
        yield


# With these nothing of the tasks before is left, and the gateway knows the new ones at once.
_RESTART = {"discovery_ttl": 0.0, "proxy_drain": 0.0}


def _restart(bench: Bench, stable: Callable[[], Any], *, task_definition: str) -> None:
    """End all tasks, and start those of *task_definition*."""
    service = bench.service
    desired = service.state().desired
    bench.note(f"ending all tasks, then starting {desired} of {short(task_definition)}")
    with parameters(bench, _RESTART):
        try:
            service.update(desired_count=0, task_definition=task_definition)
            stable()
        finally:
            start = service.command("update-service", **service.where, desired_count=desired)
            with putting_back(f"the service may still be scaled to 0 tasks: put it back with `{start}`"):
                service.update(desired_count=desired)
        stable()
