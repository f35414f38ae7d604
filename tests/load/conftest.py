"""A service of several hosts, and Locust in processes of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from load.results import Run, read_run

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """The URL of a service whose hosts alpha, beta and gamma answer in turn; service.py says what more."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("service.py"))], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        # The line comes once the socket listens.
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


@pytest.fixture(scope="session")
def service() -> Iterator[str]:
    """The URL of a service, for all tests."""
    with serving() as url:
        yield url


@pytest.fixture
def own_service() -> Iterator[str]:
    """The URL of a service that no other test asks, so that what it has seen is this test's."""
    with serving() as url:
        yield url


@pytest.fixture
def free_port() -> int:
    """A port of loopback on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@dataclass
class LocustRunner:
    """Starts `locust` with our locustfile in a folder of its own, and reads what it leaves."""

    folder: Path
    locustfile: Path = ROOT / "locustfile.py"
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *arguments: str, env: dict[str, str] | None = None, limits: str = "") -> subprocess.Popen[str]:
        """A process of Locust, the leader of a group; `limits` are shell commands before it."""
        # Another version of Locust than ours: `make locust-versions`.
        program = os.environ.get("LOCUST_UNDER_TEST") or str(Path(sys.executable).with_name("locust"))
        command = [program, "-f", str(self.locustfile), "--only-summary"]
        process = subprocess.Popen(
            ["sh", "-c", f'{limits}\nexec "$@"', "sh", *command, *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def run(self, *arguments: str, env: dict[str, str] | None = None, limits: str = "") -> tuple[int, str, str]:
        """Exit status, stdout and stderr of a process that ends by itself."""
        process = self.start(*arguments, env=env, limits=limits)
        stdout, stderr = process.communicate(timeout=60)
        return process.returncode, stdout, stderr

    def wait_for_requests(self, process: subprocess.Popen[str], file: str = "hostnames.csv") -> None:
        """Return once a file of a run has rows."""
        self.wait_until(
            process, lambda: any(f.read_text().count("\n") > 1 for f in self.folder.glob(f"results/*/{file}"))
        )

    def wait_until(self, process: subprocess.Popen[str], condition: Callable[[], object]) -> None:
        """Return once `condition` holds, while `process` runs."""
        deadline = time.monotonic() + 30
        while not condition():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "it never came to that"
            time.sleep(0.05)

    def is_complete(self) -> bool:
        """Whether the one run is: until then its files may be of different moments, and their sums differ."""
        (path,) = (self.folder / "results").iterdir()
        return bool(json.loads((path / "run.json").read_text())["complete"])

    def only_run(self) -> Run:
        """The one run in the folder of results, whose sums must agree."""
        (path,) = (self.folder / "results").iterdir()
        run = read_run(path)
        requests = sum(row.requests for row in run.hosts)
        assert requests == sum(row.requests for row in run.timeline)
        assert requests == run.meta.get("requests", requests)
        return run

    @staticmethod
    def seen(service: str) -> dict[str, Any]:
        """What the service has received so far."""
        with urllib.request.urlopen(f"{service}/seen", timeout=10) as answer:
            said: dict[str, Any] = json.load(answer)
        return said

    @staticmethod
    def total(stderr: str) -> int:
        """The total of Locust's own last table."""
        return int(re.findall(r"Aggregated +(\d+) ", stderr)[0])


@pytest.fixture
def locust(tmp_path: Path) -> Iterator[LocustRunner]:
    """Locust in an empty folder; what still runs at the end of the test is killed, workers included."""
    runner = LocustRunner(tmp_path)
    yield runner
    for process in runner.processes:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
