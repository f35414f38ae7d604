"""Envoy's admin interface, asked while an Envoy serves and while it stands still."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from twin.envoy import configuration as envoy
from twin.envoy.admin import Admin
from twin.errors import StartFailed
from twin.machine.addresses import Address, free_port
from twin.machine.files import write_json
from twin.machine.process import Process, Processes, envoy_program
from twin.machine.reporting import reporting
from twin.tasks.proxy import sidecar


@contextlib.asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[Process, Path]]:
    """An Envoy that serves, and the file with the address of its admin interface."""
    processes = Processes()
    await processes.start()
    ingress = Address("127.0.0.1", free_port())
    bootstrap = sidecar(ingress, ingress, request_timeout=1, idle_timeout=1, upstream_idle_timeout=1)
    write_json(folder / "proxy.json", bootstrap)
    command = envoy.command(envoy_program(), folder / "proxy.json", folder / "admin")
    process = await processes.spawn("an Envoy", command, log=folder / "log")
    try:
        await Admin(process, folder / "admin").ready()
        yield process, folder / "admin"
    finally:
        process.signal(signal.SIGCONT)
        await processes.close(patience=0.1)


def test_answers_are_read_whole_whatever_their_length(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path) as (process, address):
            admin = Admin(process, address)
            stats = await admin.text("/stats")
            assert "server.live: 1" in stats
            assert len(stats) > 10_000
            assert (await admin.json("/server_info"))["state"] == "LIVE"
            assert await admin.post("/healthcheck/fail")
            assert not await admin.post("/no-such-order")

    asyncio.run(scenario())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has abstract sockets")
def test_no_port_leads_to_it(tmp_path: Path) -> None:
    """What a page in a browser could ask."""

    async def scenario() -> None:
        async with serving(tmp_path) as (process, address):
            assert address.read_text().startswith("@twin-")
            sockets = psutil.Process(process.pid).net_connections("inet")
            assert len([each for each in sockets if each.status == psutil.CONN_LISTEN]) == 1  # the service's own

    asyncio.run(scenario())


def test_proxies_that_stand_still_hold_up_nothing_else(tmp_path: Path) -> None:
    """Forty requests without an answer, more than asyncio's pool of threads has: polls in that pool go on."""

    async def scenario() -> None:
        async with serving(tmp_path) as (process, address):
            process.signal(signal.SIGSTOP)
            waiting = [asyncio.create_task(Admin(process, address).post("/reset_counters")) for _ in range(40)]
            polls = [await asyncio.to_thread(int, number) for number in range(20)]
            assert polls == list(range(20))
            assert not any(task.done() for task in waiting)
            process.signal(signal.SIGCONT)
            assert all(await asyncio.gather(*waiting))

    asyncio.run(scenario())


def test_an_envoy_that_has_exited_does_not_answer_and_is_not_ready(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path) as (process, address):
            admin = Admin(process, address)
            process.signal(signal.SIGKILL)
            await process.wait()
            assert await admin.json("/server_info") == {}
            with pytest.raises(StartFailed, match=r"an Envoy exited with -9: see .*log"):
                await admin.ready()

    asyncio.run(scenario())


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_EVERY", "_AGAIN"):
        monkeypatch.setattr(f"twin.envoy.admin.{name}", 0.0)
    monkeypatch.setattr("twin.envoy.admin._TIMEOUT", 0.2)


def test_an_envoy_that_hangs_is_told_and_killed(tmp_path: Path, impatient: None) -> None:
    async def scenario() -> list[str]:
        async with serving(tmp_path) as (process, address):
            admin = Admin(process, address)
            exited = asyncio.create_task(admin.exited(kill=True))
            process.signal(signal.SIGSTOP)
            while admin.trouble is None:
                await asyncio.sleep(0)
            said = admin.trouble
            assert await exited == -signal.SIGKILL
            assert admin.trouble is None
            return [said]

    with reporting(lambda *kind, **details: None) as accidents:
        (said,) = asyncio.run(scenario())
    assert re.fullmatch(r"an Envoy \(pid \d+\) runs and does not answer: it is killed and started anew if .*", said)
    assert [accident["what"] for accident in accidents] == [said]


def test_a_proxy_that_hangs_is_told_and_goes_on_where_it_is_let(
    tmp_path: Path, impatient: None, capsys: pytest.CaptureFixture[str]
) -> None:
    async def scenario() -> None:
        async with serving(tmp_path) as (process, address):
            admin = Admin(process, address)
            exited = asyncio.create_task(admin.exited(kill=False))
            process.signal(signal.SIGSTOP)
            while admin.trouble is None:
                await asyncio.sleep(0)
            process.signal(signal.SIGCONT)
            while admin.trouble is not None:
                await asyncio.sleep(0)
            assert not exited.done()
            process.signal(signal.SIGKILL)
            await exited

    with reporting(lambda *kind, **details: None):
        asyncio.run(scenario())
    hangs, answers = capsys.readouterr().err.splitlines()
    assert hangs.endswith("runs and does not answer: its requests wait")
    assert answers == "twin: an Envoy answers again"


def test_one_that_stands_still_on_purpose_is_no_accident(tmp_path: Path, impatient: None) -> None:
    async def scenario() -> int:
        looks: list[bool] = []

        def on_purpose() -> bool:
            looks.append(True)
            return True

        async with serving(tmp_path) as (process, address):
            exited = asyncio.create_task(Admin(process, address).exited(kill=True, excused=on_purpose))
            process.signal(signal.SIGSTOP)
            while len(looks) < 8:
                await asyncio.sleep(0)
            assert not exited.done()
            process.signal(signal.SIGKILL)
            return await exited

    with reporting(lambda *kind, **details: None) as accidents:
        assert asyncio.run(scenario()) == -signal.SIGKILL
    assert list(accidents) == []
