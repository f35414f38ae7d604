"""Churn: stops, crashes, deployments and scalings in any order, under load; what failed, and what is left."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.twin.ecs.load import Load
from tests.twin.running import RunningTwin, TwinFactory, descendants, wait_until
from twin.control import ask as order
from twin.network import Address, is_free

NAMES = {"cluster": "serviceconnect", "service": "serviceconnect"}
SECONDS = 30.0
DISCOVERY_TTL = 0.5
# After an event, its effect on clients: the gateway's cache, a connect that is tried for a second, and a little.
AFTERMATH = DISCOVERY_TTL + 1.5
SEED = 5


@pytest.fixture(scope="module")
def twin(start_twin: TwinFactory) -> RunningTwin:
    # Nothing hides a loss: no connect is tried again.
    return start_twin(
        *("--discovery-ttl", str(DISCOVERY_TTL), "--connect-retries", "0", "--running-grace", "0"),
        *("--proxy-drain", "0.5", "--proxy-restarts", "1000"),
    )


def service(twin: RunningTwin) -> dict[str, Any]:
    described = twin.client("ecs").describe_services(cluster=NAMES["cluster"], services=[NAMES["service"]])
    return dict(described["services"][0])


def settle(twin: RunningTwin, desired: int) -> None:
    """Wait until all that was started has come to its end."""

    def settled() -> bool:
        found = service(twin)
        steady = len(found["deployments"]) == 1 and found["runningCount"] == found["desiredCount"] == desired
        ending = [task for task in twin.tasks("STOPPED") if task["lastStatus"] != "STOPPED"]
        return steady and not ending and len(twin.tasks()) == desired

    wait_until(settled, "the service is settled", timeout=90)


def processes(twin: RunningTwin) -> list[str]:
    """The command of each process of the twin, but for a health check's that happens to run."""
    pids = ",".join(map(str, descendants(twin.process.pid)))
    told = subprocess.run(["ps", "-o", "args=", "-p", pids], capture_output=True, text=True).stdout.splitlines()
    return [line for line in told if "wget" not in line and "ps -A" not in line]


def open_files(twin: RunningTwin) -> int:
    return len(list(Path(f"/proc/{twin.process.pid}/fd").iterdir()))


def churn(twin: RunningTwin, dice: random.Random) -> int:
    """Do something every second or so; how many things."""
    ecs = twin.client("ecs")
    running = {"aws_endpoint_url": twin.aws_endpoint_url}

    def a_task() -> str:
        tasks = [task["taskArn"] for task in twin.tasks() if task["lastStatus"] == "RUNNING"]
        return str(dice.choice(tasks or [""]))

    def stop() -> None:
        if task := a_task():
            ecs.stop_task(cluster=NAMES["cluster"], task=task)

    def break_(kind: str) -> None:
        if task := a_task():
            order(running, "fault", kind=kind, target=task, seconds=None, delay=1)

    deeds: list[Callable[[], object]] = [
        stop,
        lambda: break_("crash"),
        lambda: break_("proxy-crash"),
        lambda: ecs.update_service(**NAMES, desiredCount=dice.randint(2, 5)),
        lambda: ecs.update_service(**NAMES, forceNewDeployment=True),
    ]
    done, end = 0, time.monotonic() + SECONDS
    while time.monotonic() < end:
        dice.choice(deeds)()
        done += 1
        time.sleep(dice.uniform(0.2, 2.5))  # the pace of the churn itself
    return done


def windows(twin: RunningTwin) -> list[tuple[float, float]]:
    """When the event log explains a failure: from a task's or proxy's end, or a fault, until its effect is over."""
    spans = []
    for event in twin.events():
        explains = event["kind"] == "fault" or event.get("step") in (
            "deregistered",
            "SIGTERM",
            "application stopped",
            "proxy exited",
            "proxy restarted",
        )
        if explains:
            spans.append((event["time"] - 0.1, event["time"] + AFTERMATH))
    return spans


def test_after_churn_everything_is_as_it_should_be(twin: RunningTwin) -> None:
    settle(twin, 3)
    files = open_files(twin)
    with Load(twin.gateway_url, connections=4, pause=0.03) as load:
        done = churn(twin, random.Random(SEED))
        twin.client("ecs").update_service(**NAMES, desiredCount=3)
        settle(twin, 3)

    assert done >= 10
    # What failed is explained, and not because everything is.
    explained = windows(twin)

    def is_explained(begun: float, ended: float) -> bool:
        return any(begun <= end and ended >= start for start, end in explained)

    failed = [(begun, ended) for begun, ended, good in load.spans if not good]
    assert [span for span in failed if not is_explained(*span)] == []
    quiet = sum(not is_explained(begun, ended) for begun, ended, _ in load.spans)
    assert quiet > 100

    # Nothing is too many.
    tasks = {task["taskArn"].rsplit("/", 1)[-1] for task in twin.tasks()}
    assert len(tasks) == 3
    outputs = twin.outputs()
    found = twin.client("servicediscovery").discover_instances(
        NamespaceName=outputs["namespace_name"], ServiceName=outputs["discovery_name"]
    )["Instances"]
    assert {instance["InstanceId"] for instance in found} == tasks
    wait_until(lambda: len(processes(twin)) == 8, "there are 3 applications, 3 proxies, the gateway, the watchdog")
    registered = {e["address"]: e["task"] for e in twin.events() if e.get("step") == "registered"}
    assert len(registered) > 10
    for address, task in registered.items():
        host, port = address.rsplit(":", 1)
        assert is_free(Address(host, int(port))) is (task not in tasks)
    assert open_files(twin) <= files + 5  # however many tasks there were: a client may be asking just now
