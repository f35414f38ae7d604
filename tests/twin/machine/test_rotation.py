"""What a twin keeps does not grow without bound."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path

import httpx
import pytest

from tests.twin.aws.ecs.world import World
from tests.twin.running import TwinFactory, events_in, wait_until
from twin.aws.ecs import controller
from twin.machine.process import Processes
from twin.machine.rotation import LARGEST, empty, move, rotating
from twin.machine.state import StateFolder


def test_a_log_that_a_process_writes_to_is_emptied_and_written_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twin.machine.rotation.LARGEST", 50_000)
    log = tmp_path / "tasks" / "application.log"
    log.parent.mkdir()
    writer = "import sys\nwhile True: print('x' * 99, flush=True); sys.stdin.read(1)\n"

    async def scenario() -> None:
        processes = Processes()
        await processes.start()
        process = await processes.spawn("a writer", [sys.executable, "-c", writer], log=log)
        looking = asyncio.create_task(rotating(tmp_path, [], poll=0.001))
        old = log.with_name("application.log.1")
        try:
            async with asyncio.timeout(20):
                while not old.exists() or not log.stat().st_size:
                    await asyncio.sleep(0.01)
            assert process.returncode is None
            assert set(log.read_text().split()) == {"x" * 99}
            assert set(old.read_text().split()) == {"x" * 99}
        finally:
            looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await looking
            await processes.close(patience=0.1)

    asyncio.run(scenario())


@pytest.mark.parametrize("linked", ["application.log", "application.log.1", ".application.log.1.new"])
def test_no_link_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linked: str) -> None:
    monkeypatch.setattr("twin.machine.rotation.LARGEST", 1_000)
    folder, elsewhere = tmp_path / "tasks", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.write_text("the user's" * 1_000)
    log = folder / "application.log"
    log.write_text("x" * 2_000)
    (folder / linked).unlink(missing_ok=True)
    (folder / linked).symlink_to(elsewhere)

    empty(log)
    assert move(log) is False
    assert elsewhere.read_text() == "the user's" * 1_000
    if linked != log.name:
        assert (log.read_text(), (folder / "application.log.1").read_text()) == ("", "x" * 2_000)


def test_the_event_log_begins_anew_and_the_last_one_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twin.machine.rotation.LARGEST", 1_000)
    state = StateFolder(tmp_path)
    with state.hold():
        for number in range(100):
            state.log("task", number=number)

    assert all(event["number"] > 80 for event in events_in(tmp_path))
    assert {path.name for path in tmp_path.glob("events*")} == {"events.jsonl", "events.jsonl.1"}
    assert sum(path.stat().st_size for path in tmp_path.glob("events*")) < 2_500


def test_the_history_of_a_service_is_bounded_and_holds_no_older_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controller, "HISTORY_STAYS", 3)
    world = World()
    world.start()
    for _ in range(6):
        world.advance(40)
        world.update(forceNewDeployment=True)
    world.advance(60)

    history = world.service.history
    assert len(history) == 3
    oldest = history[0].replaces
    assert oldest is not None
    assert oldest.replaces is None


def test_of_an_access_log_that_is_rotated_no_line_is_lost(start_twin: TwinFactory) -> None:
    twin = start_twin("--discovery-ttl", "0")
    folder = twin.state / "gateway"
    with httpx.Client(base_url=twin.gateway_url) as client:
        statuses = {client.get("/hostname").status_code for _ in range(50)}
        with (folder / "access.log").open("a") as log:
            log.write("x" * LARGEST)  # no line: what the twin has written for days
        wait_until(lambda: (folder / "access.log.1").exists(), "it is rotated")
        statuses |= {client.get("/hostname").status_code for _ in range(20)}

    def lines() -> int:
        return sum(path.read_text().count("\n") for path in folder.glob("access.log*"))

    assert statuses == {200}
    wait_until(lambda: lines() == 70, "all requests are there")
