"""Children, their process groups, and the watchdog: real processes."""

from __future__ import annotations

import asyncio
import resource
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.twin.running import is_alive, wait_until
from twin.errors import Missing
from twin.machine import watchdog
from twin.machine.process import Processes, envoy_program


def with_processes(work: Callable[[Processes], Awaitable[None]]) -> None:
    """Run *work* with a watchdog, and end everything afterwards."""

    async def run() -> None:
        processes = Processes()
        await processes.start()
        try:
            await work(processes)
        finally:
            await processes.close(patience=0.5)
        assert len(processes) == 0

    asyncio.run(run())


def test_output_goes_to_the_log_and_the_exit_code_comes_back(tmp_path: Path) -> None:
    log = tmp_path / "log"

    async def work(processes: Processes) -> None:
        child = await processes.spawn("a child", ["sh", "-c", "echo out; echo err >&2; exit 3"], log=log)
        assert await child.wait() == 3

    with_processes(work)
    assert log.read_text() == "out\nerr\n"


def test_a_program_that_does_not_exist_is_exit_code_127(tmp_path: Path) -> None:
    async def work(processes: Processes) -> None:
        child = await processes.spawn("nothing", ["/no/such/program"], log=tmp_path / "log")
        assert await child.wait() == 127

    with_processes(work)
    assert "/no/such/program" in (tmp_path / "log").read_text()


def test_children_have_the_limit_of_open_files_that_the_twin_began_with(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = min(before[0], 256)

    async def work(processes: Processes) -> None:
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(before[1], 65_536)
        child = await processes.spawn("a child", ["sh", "-c", "ulimit -S -n"], log=tmp_path / "log")
        assert await child.wait() == 0

    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))
    try:
        with_processes(work)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert (tmp_path / "log").read_text() == f"{soft}\n"


def test_standard_input_is_empty() -> None:
    async def work(processes: Processes) -> None:
        child = await processes.spawn("a reader", ["sh", "-c", "! read -r line"])
        assert await child.wait() == 0

    with_processes(work)


def test_what_the_leader_leaves_behind_goes_with_it(tmp_path: Path) -> None:
    log = tmp_path / "log"

    async def work(processes: Processes) -> None:
        child = await processes.spawn("a leader", ["sh", "-c", "sleep 60 & echo $!"], log=log)
        await child.wait()

    with_processes(work)
    left_behind = int(log.read_text())
    wait_until(lambda: not is_alive(left_behind), "the leader's child is gone", timeout=5)


def test_a_signal_to_one_that_ends_takes_nothing_from_its_return_code(tmp_path: Path) -> None:
    async def work(processes: Processes) -> None:
        for _ in range(40):
            child = await processes.spawn("it", ["sh", "-c", "exit 3"], log=tmp_path / "log")
            while child.returncode is None:
                child.signal(0)
                await asyncio.sleep(0)
            assert await child.wait() == 3

    with_processes(work)


def test_a_signal_reaches_the_leader_alone(tmp_path: Path) -> None:
    log = tmp_path / "log"
    member = "trap 'echo member; exit' TERM; while :; do sleep 0.01; done"
    script = f'sh -c "{member}" & trap "kill -KILL $!; echo leader; exit 0" TERM; echo ready; wait'

    async def work(processes: Processes) -> None:
        child = await processes.spawn("a leader", ["sh", "-c", script], log=log)
        await asyncio.to_thread(wait_until, lambda: log.read_text() == "ready\n", "the trap is set")
        child.signal(signal.SIGTERM)
        assert await child.wait() == 0

    with_processes(work)
    assert log.read_text().splitlines()[:1] == ["ready"]
    assert "leader" in log.read_text()
    assert "member" not in log.read_text()


def test_close_kills_what_ignores_sigterm(tmp_path: Path) -> None:
    log = tmp_path / "log"
    pids = []

    async def work(processes: Processes) -> None:
        child = await processes.spawn("stubborn", ["sh", "-c", 'trap "" TERM; echo ready; sleep 60; sleep 60'], log=log)
        await asyncio.to_thread(wait_until, lambda: log.read_text() == "ready\n", "the trap is set")
        pids.append(child.pid)

    with_processes(work)
    assert not is_alive(pids[0])


SUPERVISOR = """
import asyncio, sys
from twin.machine.process import Processes
async def main():
    processes = Processes()
    await processes.start()
    for script in sys.argv[1:]:
        child = await processes.spawn("a child", ["sh", "-c", script])
        print(child.pid, flush=True)
    print("ready", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def test_the_watchdog_ends_everything_when_the_supervisor_is_killed() -> None:
    scripts = ["sleep 60", 'trap "" TERM; sleep 60; sleep 60', "sleep 60 & sleep 60"]
    supervisor = subprocess.Popen([sys.executable, "-c", SUPERVISOR, *scripts], stdout=subprocess.PIPE, text=True)
    assert supervisor.stdout is not None
    pids = [int(line) for line in iter(supervisor.stdout.readline, "ready\n")]
    assert len(pids) == 3

    supervisor.kill()
    supervisor.wait()
    supervisor.stdout.close()

    # SIGTERM at once, SIGKILL for the second child after the watchdog's patience.
    wait_until(lambda: not any(map(is_alive, pids)), "all children are gone", timeout=watchdog.PATIENCE + 3)


def test_a_child_that_was_not_told_to_go_never_starts(tmp_path: Path) -> None:
    """The moment between the fork and the watchdog's knowing: the supervisor dies before it says go."""
    from twin.machine.process import _LAUNCH

    witness = tmp_path / "started"
    launcher = subprocess.Popen(["sh", "-c", _LAUNCH, "touch", str(witness)], stdin=subprocess.PIPE)
    assert launcher.stdin is not None
    launcher.stdin.close()

    assert launcher.wait(5) != 0
    assert not witness.exists()


def test_envoy_is_started_without_a_python_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(envoy_program(), "rb") as file:
        assert file.read(2) != b"#!"

    monkeypatch.setitem(sys.modules, "envoy", None)
    with pytest.raises(Missing, match="`envoy` is not installed: run `make clean install`"):
        envoy_program()
