"""Commands, servers and twins that figures start, and what they use of the processors and of memory."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]

from twin.machine.addresses import Address, free_port

__all__ = [
    "PYTHON_ITSELF",
    "Failed",
    "RunningTwin",
    "answers",
    "application",
    "command_cpu",
    "command_seconds",
    "commands_under",
    "cpu",
    "memory",
    "own",
    "running",
    "seconds_until_it_answers",
    "served",
    "twin",
    "wait_until",
]

ROOT = Path(__file__).parents[1]
PYTHON_ITSELF = [sys.executable, "-c", "pass"]
_WITHIN = 300.0  # seconds


class Failed(Exception):
    """What a figure needs did not start, or did not answer."""


def own(command: str) -> str:
    """The path of a command of this virtual environment."""
    return str(Path(sys.executable).with_name(command))


def _run(command: Sequence[str], environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    if done.returncode:
        raise Failed(f"{command[0]} ended with {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")


def command_seconds(command: Sequence[str], environment: Mapping[str, str] | None = None) -> float:
    """Seconds of the clock from the start of *command* to its end."""
    began = time.perf_counter()
    _run(command, environment or {})
    return time.perf_counter() - began


def command_cpu(command: Sequence[str], environment: Mapping[str, str] | None = None) -> float:
    """Seconds of the processors that *command* and its children had; neighbours lengthen them less than the clock's."""
    before = _of_children()
    _run(command, environment or {})
    return _of_children() - before


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _tree(pid: int) -> Iterator[psutil.Process]:
    """A process and all under it. One may be gone when it is asked, as health checks soon are."""
    process = psutil.Process(pid)
    yield process
    yield from process.children(recursive=True)


def cpu(pid: int) -> float:
    """Seconds of the processors that a running process and those under it have had."""
    used = 0.0
    for process in _tree(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            used += float(times.user + times.system)
    return used


def commands_under(pid: int) -> dict[int, list[str]]:
    """The command lines of a process and of those under it, by their ids."""
    found = {}
    for process in _tree(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            found[process.pid] = process.cmdline()
    return found


def memory(pid: int) -> float:
    """Megabytes of a process and those under it, what several share counted once; Linux alone tells it."""
    used = 0
    for process in _tree(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            used += process.memory_full_info().pss
    return used / 1e6


def wait_until(condition: Callable[[], Any], what: str, pause: float = 0.01) -> Any:
    """The first true value of *condition*.

    Raises:
        Failed: none in time.
    """
    end = time.monotonic() + _WITHIN
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(pause)
    raise Failed(f"{what}: not within {_WITHIN:g} s.")


@contextlib.contextmanager
def running(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Generator[subprocess.Popen[bytes]]:
    """*command*, until the end of the block."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(url: str, status: int = 200) -> bool:
    """Whether *url* answers with that status; not, where nobody listens."""
    try:
        return httpx.get(url, trust_env=False).status_code == status
    except httpx.TransportError:
        return False


@contextlib.contextmanager
def served(
    command: Sequence[str], url: str, environment: Mapping[str, str] | None = None, *, status: int = 200
) -> Generator[int]:
    """The process id of a server that has answered *url* with that status."""
    with running(command, environment) as process:

        def ready() -> bool:
            if process.poll() is not None:
                raise Failed(f"{process.args!r} ended with {process.returncode}.")
            return answers(url, status)

        wait_until(ready, " ".join(command))
        yield process.pid


def seconds_until_it_answers(
    command: Sequence[str], url: str, environment: Mapping[str, str] | None = None, *, status: int = 200
) -> float:
    """Seconds from the start of a server to its first answer."""
    began = time.perf_counter()
    with served(command, url, environment, status=status):
        return time.perf_counter() - began


def application(address: Address) -> tuple[list[str], str, dict[str, str]]:
    """The stack's service on *address*: command, a URL of it, environment."""
    environment = {"HOST": address.host, "PORT": str(address.port), "DRAIN_SECONDS": "0"}
    return [sys.executable, "-m", "app"], f"http://{address}/hostname", environment


@dataclass(frozen=True)
class RunningTwin:
    """A twin that serves.

    Attributes:
        state: its state folder.
        outputs: what its outputs file names.
        pid: the supervisor's.
        ready_after: seconds from the command until it had written its outputs, which it does when all tasks serve.
    """

    state: Path
    outputs: Mapping[str, str]
    pid: int
    ready_after: float

    @property
    def gateway_url(self) -> str:
        return self.outputs["gateway_url"]

    def command(self, *arguments: str) -> str:
        """What `twin` prints with these arguments."""
        return subprocess.run(
            [own("twin"), *arguments, "--state", str(self.state)], check=True, capture_output=True, text=True
        ).stdout


@contextlib.contextmanager
def twin(*arguments: str) -> Generator[RunningTwin]:
    """A twin of what `make synth` wrote, or of what *arguments* say, on ports of its own.

    Raises:
        Failed: it does not serve.
    """
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder, "state")
        ports = ["--port", str(free_port()), "--aws-port", str(free_port())]
        file = state / "outputs.json"
        began = time.perf_counter()
        with running([own("twin"), "up", "--with-parent", "--state", str(state), *ports, *arguments]) as process:

            def started() -> bool:
                if process.poll() is not None:
                    raise Failed("The twin did not start: `make synth`, then `twin up`, says why.")
                return file.exists()

            wait_until(started, "twin up")
            ready_after = time.perf_counter() - began
            outputs = next(iter(json.loads(file.read_text()).values()))
            yield RunningTwin(state, outputs, process.pid, ready_after)
