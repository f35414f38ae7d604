"""Services that are not ours take the place of `app/`, through the same stack."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx
import pytest

from tests.twin.running import STARTS_WITHIN, RunningTwin, TwinFactory, wait_until

SERVICES = {
    "http.server": f"{sys.executable} -m http.server --bind {{host}} {{port}} --directory docs",
    # hypercorn's own command, which supervises a worker, with an application of werkzeug's.
    "hypercorn": f"{Path(sys.executable).parent}/hypercorn --bind {{host}}:{{port}} wsgi:werkzeug.testapp:test_app",
}
SAYS = {"http.server": "settings.md", "hypercorn": "WSGI Information"}


@pytest.fixture(scope="module")
def twins(start_twin: TwinFactory, any_service: Path) -> dict[str, RunningTwin]:
    """A twin for each service, started side by side."""
    started = {
        name: start_twin("--command", command, "--proxy-drain", "0", synth=any_service, wait=False)
        for name, command in SERVICES.items()
    }
    for twin in started.values():
        wait_until((twin.state / "outputs.json").exists, "the twin serves", STARTS_WITHIN)
    return started


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_of_the_users_own_serves_is_checked_and_is_replaced(twins: dict[str, RunningTwin], name: str) -> None:
    twin = twins[name]
    with httpx.Client(base_url=twin.gateway_url, timeout=10) as client:
        answers = [client.get("/"), client.get("/?any=query"), client.get("/alb")]
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        assert all(SAYS[name] in answer.text for answer in answers)

        tasks = twin.tasks()
        assert {task["lastStatus"] for task in tasks} == {"RUNNING"}
        # The health check is the user's: its first result comes an interval after the start.
        wait_until(lambda: "HEALTHY" in {t["healthStatus"] for t in twin.tasks()}, "a task is healthy", timeout=60)
        twin.client("ecs").stop_task(cluster=twin.outputs()["cluster_name"], task=tasks[0]["taskArn"])
        wait_until(lambda: tasks[0]["taskArn"] not in {t["taskArn"] for t in twin.tasks()}, "it goes")
        wait_until(lambda: len([t for t in twin.tasks() if t["lastStatus"] == "RUNNING"]) == 2, "two tasks run")
        assert client.get("/").status_code == 200
