"""What `make` adds: to a synthesis with nothing changed, to the load of `make run`; and what `make test` uses."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.figure import Figure, Goal, measure
from benchmarks.processes import PYTHON_ITSELF, command_cpu, command_seconds
from twin.machine.addresses import free_port

LOAD = 11  # seconds: the shortest load in which the stop runs its course; `make run` has two
MAKE = ["make", "--no-print-directory"]


def synth() -> Iterator[Figure]:
    """`make synth` where all is there."""
    ours = [*MAKE, "synth"]
    variants = {"ours": partial(command_seconds, ours), "python": partial(command_seconds, PYTHON_ITSELF)}
    found = measure(variants, turns=20)
    yield Figure(
        "synth",
        "`make synth`, nothing changed",
        "the start of Python",
        "s",
        "less",
        tuple(found["ours"]),
        tuple(found["python"]),
        Goal("value", 0.3),
    )


def run() -> Iterator[Figure]:
    """`make run` where all is there, against the load that it sends."""
    load = float(2 * LOAD + 20)  # an application that serves on is watched until it ends

    def ours() -> float:
        ports = [f"{name}={free_port()}" for name in ("GATEWAY_PORT", "AWS_PORT")]
        return command_seconds([*MAKE, "run", f"DURATION={LOAD}", *ports])

    found = measure({"ours": ours}, turns=2)["ours"]
    yield Figure(
        "run",
        "`make run`, the second time",
        "its load",
        "s",
        "less",
        tuple(found),
        (load,) * len(found),
        Goal("difference", 5.0),
    )


def tests() -> Iterator[Figure]:
    """Once, since it takes minutes. Not counted are processes that outlive whoever started them."""
    ours = command_cpu([*MAKE, "test"])
    yield Figure(
        "tests",
        "`make test`",
        "the start of Python",
        "s of the processors",
        "less",
        (ours,),
        (command_cpu(PYTHON_ITSELF),),
        Goal("value", 300.0),
    )
