"""What must hold whatever happens: nothing is left, nothing is taken, the spread is as the balancing says."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.twin.running import RunningTwin, TwinFactory, command_of, descendants, is_alive, wait_until
from twin.machine.addresses import Address, is_free
from twin.remote import ask as order

NAMES = {"cluster": "serviceconnect", "service": "serviceconnect"}


def kill(pids: list[int]) -> None:
    subprocess.run(["kill", "-KILL", *map(str, pids)], check=True)


def running(twin: RunningTwin) -> list[str]:
    return sorted(task["taskArn"] for task in twin.tasks() if task["lastStatus"] == "RUNNING")


def envoys(twin: RunningTwin) -> list[int]:
    return [pid for pid in descendants(twin.process.pid) if "--config-path" in command_of(pid)]


@pytest.fixture(scope="module")
def twin(start_twin: TwinFactory) -> RunningTwin:
    return start_twin("--discovery-ttl", "0", "--proxy-drain", "0", "--running-grace", "0")


def test_all_envoys_killed_come_back_and_no_task_is_lost(twin: RunningTwin, ask: httpx.Client) -> None:
    tasks, killed = running(twin), envoys(twin)
    assert len(killed) == 4  # three proxies and the gateway's

    kill(killed)

    def answers() -> bool:
        try:
            return all(ask.get("/hostname").status_code == 200 for _ in range(12))
        except httpx.TransportError:
            return False

    wait_until(lambda: len(set(envoys(twin)) - set(killed)) == 4, "four Envoys run again")
    wait_until(answers, "requests are answered")
    assert running(twin) == tasks
    steps = [event["step"] for event in twin.events() if event["kind"] == "gateway"]
    assert "Envoy restarted" in steps


@pytest.mark.parametrize("part", ["an application", "the watchdog"])
def test_a_killed_child_is_replaced_and_the_twin_goes_on(twin: RunningTwin, ask: httpx.Client, part: str) -> None:
    wait_until(lambda: len(running(twin)) == 3, "three tasks run")
    word = {"an application": "-m app", "the watchdog": "watchdog.py"}[part]
    pid = next(pid for pid in descendants(twin.process.pid) if word in command_of(pid))
    kill([pid])

    wait_until(lambda: not is_alive(pid), "it is gone")
    wait_until(lambda: len(running(twin)) == 3 and ask.get("/hostname").status_code == 200, "all is well", timeout=60)
    assert twin.process.poll() is None


def resident(pid: int) -> int:
    """Bytes of memory that the process alone has."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private")) * 1024


def test_thirty_tasks_are_spread_evenly_and_take_the_same_memory_each(twin: RunningTwin, ask: httpx.Client) -> None:
    def per_task() -> float:
        return sum(resident(pid) for pid in descendants(twin.process.pid) if is_of_task(pid)) / len(running(twin))

    wait_until(lambda: len(running(twin)) == 3, "three tasks run")
    few = per_task()
    order(twin.running, "set", assignments=["balancing=round-robin"])
    twin.client("ecs").update_service(**NAMES, desiredCount=30)
    wait_until(lambda: len(running(twin)) == 30, "30 tasks run", timeout=60)

    def spread() -> Counter[str]:
        return Counter(ask.get("/hostname").text for _ in range(90))

    wait_until(lambda: len(spread()) == 30, "all serve")
    assert set(spread().values()) == {3}  # round robin of one front end: exactly even
    assert per_task() == pytest.approx(few, rel=0.25)


def is_of_task(pid: int) -> bool:
    command = command_of(pid)
    return "-m app" in command or "proxy.json" in command


def test_killed_with_thirty_tasks_it_leaves_nothing_and_the_next_starts_clean(
    twin: RunningTwin, start_twin: TwinFactory
) -> None:
    """On the same state folder and ports. It is the last test of this twin."""
    started = descendants(twin.process.pid)
    assert len(started) >= 62
    addresses = [event["address"] for event in twin.events() if event.get("step") == "registered"]

    twin.process.kill()
    twin.process.wait()
    killed = time.monotonic()

    wait_until(lambda: not [pid for pid in started if is_alive(pid)], "all processes are gone", timeout=5)
    assert time.monotonic() - killed < 5
    ports = [Address("127.0.0.1", int(url.rsplit(":", 1)[1])) for url in (twin.gateway_url, twin.aws_endpoint_url)]
    proxies = [Address(*_split(address)) for address in addresses]
    assert all(is_free(address) for address in [*ports, *proxies])
    again = start_twin(state=twin.state, ports=(ports[0].port, ports[1].port))
    assert httpx.get(f"{again.gateway_url}/hostname").status_code == 200
    assert len(running(again)) == 3


def _split(address: str) -> tuple[str, int]:
    host, port = address.rsplit(":", 1)
    return host, int(port)
