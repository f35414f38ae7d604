"""A service of several hosts, and Locust in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCUSTFILE = ROOT / "locustfile.py"
LOCUST = Path(sys.executable).with_name("locust")


@pytest.fixture(scope="session")
def service() -> Iterator[str]:
    """The URL of a service whose hosts alpha, beta and gamma answer in turn; tests/load/service.py says what more."""
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


Locust = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def locust(tmp_path: Path) -> Iterator[Locust]:
    """Start `locust` with our locustfile in an empty folder; what still runs at the end of the test is killed."""
    processes: list[subprocess.Popen[str]] = []

    def start(*arguments: str, env: dict[str, str] | None = None, limits: str = "") -> subprocess.Popen[str]:
        command = [str(LOCUST), "-f", str(LOCUSTFILE), "--only-summary", *arguments]
        process = subprocess.Popen(
            ["sh", "-c", f'{limits}\nexec "$@"', "sh", *command],
            cwd=tmp_path,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()
