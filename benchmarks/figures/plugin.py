"""`load.groups`: what counting costs a Locust process, and how that grows with groups and with time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from benchmarks.figure import Figure, Goal, measure
from benchmarks.processes import ROOT, Failed, own
from load.groups.counts import WINDOW, Counts

SECONDS = 30
USERS = 8
START = 1_800_000_000


def plugin() -> Iterator[Figure]:
    """One Locust process with FastHttpUser asks a service on loopback, which takes the other core."""
    service = subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "load" / "service.py")], stdout=subprocess.PIPE, text=True
    )
    assert service.stdout is not None
    try:
        slices = _alternated(service.stdout.readline().strip())
    finally:
        service.terminate()
        service.wait(10)
    pairs = [pair for pair in zip(slices["with"], slices["without"], strict=False) if all(turn[0] for turn in pair)]
    with_it, without = ([pair[side] for pair in pairs] for side in (0, 1))
    yield Figure(
        "plugin-requests",
        "requests of a Locust process that counts by host",
        "without the plugin",
        "requests/s",
        "more",
        tuple(requests / wall for requests, wall, _ in with_it),
        tuple(requests / wall for requests, wall, _ in without),
        Goal("ratio", 0.99),
    )
    files = slices["written"] / SECONDS  # of a processor, all the time
    counting = slices["counted"] / sum(turn[0] for turn in slices["with"])  # of a processor, for each request
    yield Figure(
        "plugin-cpu",
        "its time of the processor for a request, files included",
        "without the plugin",
        "us",
        "less",
        tuple(((cpu + files * wall) / requests + counting) * 1e6 for requests, wall, cpu in with_it),
        tuple(cpu / requests * 1e6 for requests, _, cpu in without),
        Goal("ratio", 1.01),
    )


def _alternated(url: str) -> dict[str, Any]:
    """What benchmarks/alternating.py wrote down of a load on *url*."""
    with tempfile.TemporaryDirectory() as folder:
        load = ["--headless", "--only-summary", "-u", str(USERS), "-r", str(USERS), "-t", f"{SECONDS}s", "-H", url]
        done = subprocess.run(
            [own("locust"), "-f", str(ROOT / "benchmarks" / "alternating.py"), *load],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise Failed(f"Locust ended with {done.returncode}: {done.stderr[-500:]}")
        slices: dict[str, Any] = json.loads(Path(folder, "slices.json").read_text())
        return slices


def groups() -> Iterator[Figure]:
    """A synthetic feed: each group gets a request a second, as the master of a distributed run is given them."""
    times = measure({str(number): partial(_milliseconds, number) for number in (1000, 100)}, turns=3)
    yield Figure(
        "groups",
        "what the master of a run does once a second, 1,000 groups",
        "100 groups: linear is 10",
        "ms",
        "less",
        tuple(times["1000"]),
        tuple(times["100"]),
        Goal("value", 3.0),
    )
    minutes, hours = _megabytes()
    yield Figure(
        "groups-memory",
        "memory of its process after 8 hours, 100 groups",
        "after four minutes: flat is 1",
        "MB",
        "less",
        (hours,),
        (minutes,),
        Goal("ratio", 1.02),
    )


class _Feed:
    """Groups that each get a request a second.

    Attributes:
        taking: seconds that it took to give out what was counted.
    """

    def __init__(self, groups: int) -> None:
        self._names = [f"ip-10-0-{number // 250}-{number % 250}.internal" for number in range(groups)]
        self._counts = Counts()
        for name in self._names:
            self._counts.admit(name, "", START)
        self.taking = 0.0

    def feed(self, first: int, last: int) -> None:
        for second in range(first, last):
            step = 1 / len(self._names)
            noted: list[Any] = []
            for number, name in enumerate(self._names):
                noted += START + second + number * step, name, 200, False, 5 + (second * 31 + number * 17) % 97
            self._counts.record(noted)
            began = time.process_time()
            self._counts.take(START + second)
            self.taking += time.process_time() - began


def _milliseconds(groups: int) -> float:
    feed = _Feed(groups)
    warm, last = 2 * WINDOW, 3 * WINDOW
    feed.feed(0, warm)
    feed.taking = 0.0
    feed.feed(warm, last)
    return feed.taking / (last - warm) * 1e3


def _megabytes() -> tuple[float, float]:
    """Of this process, after the first minutes of a run and after eight hours of it."""
    feed, process = _Feed(100), psutil.Process()
    feed.feed(0, 2 * WINDOW)
    before = process.memory_info().rss / 1e6
    feed.feed(2 * WINDOW, 8 * 3600)
    return before, process.memory_info().rss / 1e6
