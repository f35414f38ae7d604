"""How long `twin up` takes and what a task costs; and how soon a task that failed is replaced."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from benchmarks.figure import Figure, Goal, measure
from benchmarks.figures.gateway import addresses, bare_envoy
from benchmarks.processes import (
    application,
    command_seconds,
    commands_under,
    cpu,
    memory,
    seconds_until_it_answers,
    served,
    twin,
    wait_until,
)
from benchmarks.stacks import with_tasks
from twin.machine.addresses import Address, free_port

# As twin.up does it: without collections of garbage, and with one reader of botocore's models.
IMPORTS = "import gc; gc.disable(); from twin.aws.models import share_models; share_models(); import twin.supervisor"
FEW, MORE, MOST = 3, 15, 60  # tasks


def start() -> Iterator[Figure]:
    """Three tasks, beside the start of each kind of process that the twin consists of."""
    with tempfile.TemporaryDirectory() as folder:
        variants: dict[str, Callable[[], float]] = {
            "twin": _until_it_serves,
            "what `twin up` imports": partial(command_seconds, [sys.executable, "-c", IMPORTS]),
            "one task's application": _application_seconds,
            "one Envoy": partial(_envoy_seconds, Path(folder)),
        }
        found = measure(variants, turns=7)
    twins = found.pop("twin")
    slowest = max(found, key=lambda name: statistics.median(found[name]))
    yield Figure(
        "twin-start",
        "`twin up` to three tasks serving",
        f"the slowest part's own start: {slowest}",
        "s",
        "less",
        tuple(twins),
        tuple(found[slowest]),
        Goal("value", 2.0),
    )


def _until_it_serves(*arguments: str) -> float:
    with twin(*arguments) as running:
        return running.ready_after


def _application_seconds() -> float:
    return seconds_until_it_answers(*application(Address("127.0.0.1", free_port())))


def _envoy_seconds(folder: Path) -> float:
    """Until it answers at all: nothing is behind it, so the answer is 503 from its own."""
    command, url = bare_envoy(folder, [Address("127.0.0.1", 9)])
    return seconds_until_it_answers(command, f"{url}/hostname", status=503)


def tasks() -> Iterator[Figure]:
    """Twins of 3, 15 and 60 tasks by turns: what each task more takes of processors and memory until all serve."""
    with tempfile.TemporaryDirectory() as folder:
        stacks = {count: with_tasks(count, Path(folder, f"{count}.tf.json")) for count in (FEW, MORE, MOST)}
        found = measure({str(count): partial(_seconds_and_memory, file) for count, file in stacks.items()}, turns=2)
        alone = measure({"alone": partial(_memory_alone, Path(folder))}, turns=2)["alone"]
    few, more, most = ([*zip(*found[str(count)], strict=True)] for count in (FEW, MORE, MOST))
    yield Figure(
        "task-seconds",
        f"`twin up`, for each task more from {MORE} to {MOST}",
        f"from {FEW} to {MORE}: linear is 1",
        "s of the processors",
        "less",
        _slope(more[0], most[0], MOST - MORE),
        _slope(few[0], more[0], MORE - FEW),
        Goal("ratio", 1.1),
    )
    yield Figure(
        "task-memory",
        f"memory for each task more from {MORE} to {MOST}, the supervisor's part included",
        "an application and an Envoy by themselves",
        "MB",
        "less",
        _slope(more[1], most[1], MOST - MORE),
        tuple(alone),
        Goal("ratio", 1.1),
    )


def _slope(less: tuple[float, ...], more: tuple[float, ...], tasks: int) -> tuple[float, ...]:
    return tuple((b - a) / tasks for a, b in zip(less, more, strict=True))


def _seconds_and_memory(file: Path) -> tuple[float, float]:
    with twin("--synth", str(file)) as running:
        return cpu(running.pid), memory(running.pid)


def _memory_alone(folder: Path) -> float:
    command, url, environment = application(here := Address("127.0.0.1", free_port()))
    with served(command, url, environment) as own:
        proxy, through = bare_envoy(folder, [here])
        with served(proxy, f"{through}/hostname") as envoy:
            return memory(own) + memory(envoy)


def replacement() -> Iterator[Figure]:
    """From the kill of an application until the task in its place answers through the gateway.

    Against the start of the application by itself and one poll of discovery, a DiscoverInstances. The gateway of this
    twin asks at once when an instance comes or goes (`--discovery-ttl 0`): for how long it need not is a parameter.
    """
    with contextlib.ExitStack() as stack:
        running = stack.enter_context(twin("--balancing", "round-robin", "--discovery-ttl", "0"))
        client = stack.enter_context(httpx.Client(trust_env=False))

        def listed() -> list[dict[str, Any]]:
            return list(json.loads(running.command("ps", "--json"))["tasks"])

        # A twin none of whose first tasks was healthy gives up at the third that ends by itself.
        wait_until(lambda: any(task["health"] == "HEALTHY" for task in listed()), "a task is HEALTHY")

        def replaced() -> float:
            hosts = {task["host"] for task in listed()}
            commands = commands_under(running.pid)
            one = next(pid for pid, command in commands.items() if command[-2:] == ["-m", "app"])
            began = time.perf_counter()
            os.kill(one, signal.SIGKILL)

            def answered() -> bool:
                answer = client.get(f"{running.gateway_url}/hostname")
                return answer.status_code == 200 and answer.text.split(".")[0] not in hosts

            wait_until(answered, "a replacement")
            return time.perf_counter() - began

        def alone() -> float:
            began = time.perf_counter()
            addresses(running)
            return time.perf_counter() - began + _application_seconds()

        found = measure({"replaced": replaced, "alone": alone}, turns=7)
    yield Figure(
        "replacement",
        "a failed task to its replacement serving",
        "the application's own start and one poll of discovery",
        "s",
        "less",
        tuple(found["replaced"]),
        tuple(found["alone"]),
        Goal("ratio", 1.5),
    )
