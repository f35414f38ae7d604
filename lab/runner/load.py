"""Locust as a process of its own, followed through the files that it writes while it runs."""

from __future__ import annotations

import contextlib
import csv
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lab.errors import Missing
from lab.experiments.catalogue import CLIENT_PROXY, DIRECT, LOAD_BALANCER
from lab.runner.target import Target, call_path
from load.results import is_failure

_LOCUSTFILE = Path(__file__).resolve().parents[2] / "locustfile.py"
_ENDS_WITHIN = 60.0  # seconds beyond the run's own time: the last answers, and the files


@dataclass(frozen=True)
class Plan:
    """How much load on which path: Locust users, seconds and, in an open loop, requests/s (None: as many as go).

    With `upstream` a part of it asks another service, which calls the path.
    """

    users: int
    duration: float
    rate: float | None = None
    path: str = "/hostname"
    upstream: bool = False

    def split(self, ways: int) -> Plan:
        """An equal part of it for each of so many ways."""
        return replace(self, users=max(1, self.users // ways), rate=self.rate and self.rate / ways)


@dataclass
class Seen:
    """What the timeline has so far."""

    requests: int = 0
    failures: int = 0
    refused: int = 0  # with a status from 400 to 499: what was asked for is wrong
    hosts: set[str] = field(default_factory=set)
    first_second: int | None = None
    last_status: int = 0
    per_second: Counter[int] = field(default_factory=Counter)

    def add(self, second: int, hostname: str, status: int, requests: int) -> None:
        self.requests += requests
        self.failures += requests if is_failure(status) else 0
        self.refused += requests if 400 <= status < 500 else 0
        self.per_second[second] += requests
        self.last_status = status
        if hostname and status:  # 0: no answer came to its end
            self.hosts.add(hostname)
        if self.first_second is None:
            self.first_second = second

    @property
    def rate(self) -> float:
        """Requests per second over the last five whole seconds: the first and the newest are cut off by the load."""
        if not self.per_second:
            return 0.0
        first, newest = min(self.per_second), max(self.per_second)
        whole = range(max(first + 1, newest - 5), newest) or range(first, newest + 1)
        return sum(self.per_second[second] for second in whole) / len(whole)


def stop(loads: Sequence[Load]) -> None:
    """End all runs in order, at the same time; what is in their files stays.

    One that does not end within a minute is killed.
    """
    processes = [load.process for load in loads]
    for process in processes:
        process.send_signal(signal.SIGTERM)  # nothing happens to one that has ended
    deadline = time.monotonic() + _ENDS_WITHIN
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
        process.kill()
        process.wait()


class Load:
    """A headless run of Locust with our locustfile, on one of the ways to *target*; its folder is *results*."""

    def __init__(self, target: Target, plan: Plan, results: Path, arm: str = DIRECT) -> None:
        self.results = results
        self.arm = arm
        self.started = time.time()
        self.seen = Seen()
        self._offset = 0
        self._log = results / "locust.log"
        prefix = (target.comparison_url or "").removeprefix(target.gateway_url) if arm == LOAD_BALANCER else ""
        self.url = f"{target.gateway_url}{prefix}"
        self.path, self.header = plan.path, "x-hostname"
        counted: list[str] = []
        if arm == CLIENT_PROXY:
            self.path = call_path(target, plan.path)
            self.header, counted = "x-upstream-hostname", ["--group-by", "load.traffic.answers:upstream"]
        arguments = [
            "--headless", "--locustfile", str(_LOCUSTFILE), "--host", target.gateway_url,
            "--path-mix", f"{prefix}{self.path}=1", "--users", str(plan.users), "--spawn-rate", str(plan.users),
            "--run-time", f"{plan.duration:.0f}s", *(["--rate", f"{plan.rate:g}"] if plan.rate else []),
            "--results-dir", str(results), "--exit-code-on-error", "0", "--loglevel", "WARNING", "--only-summary",
            *(["--region", target.region] if target.region else []),
            *(["--authorization", target.authorization] if target.authorization else []), *counted,
        ]  # fmt: skip
        # In our own process group: whoever kills that ends Locust too. SIGINT and SIGHUP, of which nobody can tell
        # whether a terminal sent them to both, are for us alone, and Locust gets one SIGTERM.
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                ["sh", "-c", "trap '' INT HUP; exec \"$@\"", "sh", sys.executable, "-m", "locust", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._deadline = time.monotonic() + plan.duration + _ENDS_WITHIN

    def follow(self) -> bool:
        """Take in what has been written since; whether Locust still runs.

        Raises Missing: Locust does not come to its end, or ended with an error.
        """
        running = self.process.poll() is None
        self._read()
        if running and time.monotonic() > self._deadline:
            stop([self])
            raise Missing(f"Locust did not end within {_ENDS_WITHIN:g} s of its time: see {self._log}.")
        if not running and self.process.returncode != 0:
            code = self.process.returncode
            how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
            raise Missing(f"Locust {how}{self._last_words()}; what it measured until then is in {self.results}.")
        return running

    @property
    def runs(self) -> bool:
        """Whether Locust has not come to its end."""
        return self.process.poll() is None

    @property
    def elapsed(self) -> float:
        """Seconds since the second of the first answer; 0 before it."""
        return time.time() - self.seen.first_second if self.seen.first_second else 0.0

    def _read(self) -> None:
        """Whole lines of timeline.csv only."""
        try:
            with (self.results / "timeline.csv").open("rb") as file:
                file.seek(self._offset)
                text = file.read()
        except OSError:
            return
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        for cells in csv.reader(whole.decode().splitlines()):
            if len(cells) == 4 and cells[0].isdecimal():
                self.seen.add(int(cells[0]), cells[1], int(cells[2]), int(cells[3]))

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return f" ({lines[-1]})" if lines else ""
