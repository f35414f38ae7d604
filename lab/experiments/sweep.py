"""`--sweep NAME=V1,V2,...`: the cells of a grid of settings, and how a service is brought to one and back."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from lab.errors import BadInput
from lab.experiments.actions import Bench
from lab.experiments.control import in_words
from lab.experiments.service import EcsService
from lab.experiments.undo import putting_back

__all__ = ["Setting", "by_task", "cells", "parameters", "require_drains_end", "revision", "task_settings"]

Setting = Mapping[str, float]

_MOST = 2  # names: a grid has rows and columns
_DRAIN = "DRAIN_SECONDS"
_OF_THE_TASK = ("drain_seconds", "stop_timeout")
_STOP_TIMEOUT = (
    2,
    120,
)  # seconds that Fargate takes, https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
_DEFAULT_STOP_TIMEOUT = 30.0


def cells(texts: Sequence[str], *, on_aws: bool) -> list[Setting]:
    """All combinations of the values, the last name's changing fastest; one empty cell without any.

    Raises:
        BadInput: what cannot be read, has more than two names, or cannot be set on AWS.
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
        _check(name, numbers)
        values[name] = numbers
    if len(values) > _MOST:
        raise BadInput(f"--sweep was given for {len(values)} names: a grid has {_MOST} at most.")
    return [dict(zip(values, combination, strict=True)) for combination in itertools.product(*values.values())]


def _check(name: str, numbers: Sequence[float]) -> None:
    low, high = _STOP_TIMEOUT if name == "stop_timeout" else (0, 119 if name == "drain_seconds" else 3600)
    for number in numbers:
        if not low <= number <= high or (name == "stop_timeout" and number != int(number)):
            whole = "a whole number" if name == "stop_timeout" else "a number"
            raise BadInput(f"--sweep {name}={number:g} is out of range: give {whole} from {low} to {high}.")


def task_settings(service: EcsService) -> dict[str, float]:
    """`drain_seconds` and `stop_timeout` of the service's task definition."""
    container = service.container(service.state().task_definition)
    variables = {entry["name"]: entry["value"] for entry in container.get("environment", [])}
    return {
        "drain_seconds": float(variables.get(_DRAIN) or 0),
        "stop_timeout": float(container.get("stopTimeout", _DEFAULT_STOP_TIMEOUT)),
    }


def require_drains_end(settings: Sequence[Setting], now: Setting) -> None:
    """Refuse a drain that is cut off; *now* has the settings of the task that a cell does not change.

    Raises:
        BadInput: a cell has `drain_seconds` that do not end before the stop timeout, at which ECS sends SIGKILL.
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

    Raises:
        BadInput: one is neither a parameter of the twin nor of the task.
    """
    values = {name: value for name, value in cell.items() if name not in _OF_THE_TASK}
    if not values or bench.twin is None:
        yield
        return
    before = bench.twin.parameters()
    if unknown := [name for name in values if name not in before]:
        raise BadInput(
            f"--sweep {unknown[0]} is no parameter of the twin nor of the task: choose from "
            f"{', '.join([*_OF_THE_TASK, *before])}."
        )
    bench.twin.set(values)
    try:
        yield
    finally:
        old = {name: before[name] for name in values}
        with putting_back(f"the twin may still have its new parameters: put them back with `twin set {in_words(old)}`"):
            bench.twin.set(old)


@contextlib.contextmanager
def revision(bench: Bench, values: Setting, stable: Callable[[], Any]) -> Iterator[None]:
    """Deploy a revision of the task with *values* and, in the end, go back; *stable* waits until that is done."""
    now = task_settings(bench.service)
    if now == {**now, **values}:
        yield
        return
    service = bench.service
    before = service.state().task_definition
    environment = {_DRAIN: f"{values['drain_seconds']:g}"} if "drain_seconds" in values else None
    container = {"stopTimeout": int(values["stop_timeout"])} if "stop_timeout" in values else None
    changed = service.new_revision(before, environment=environment, container=container)
    try:
        service.update(task_definition=changed)
        stable()
        yield
    finally:
        with putting_back(service.left_at(changed, before)):
            service.update(task_definition=before)
        with putting_back(service.left_registered(changed)):
            service.discard(changed)
