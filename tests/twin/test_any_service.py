"""Services that are not ours take the place of `app/`, through the same stack."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx
import pytest

from tests.twin.running import RunningTwin, TwinFactory, wait_until

FILES = f"{sys.executable} -m http.server --bind {{host}} {{port}} --directory docs"
# hypercorn's own command, which supervises a worker, with an application of werkzeug's.
WSGI = f"{Path(sys.executable).parent}/hypercorn --bind {{host}}:{{port}} wsgi:werkzeug.testapp:test_app"


@pytest.fixture(params=[FILES, WSGI], ids=["http.server", "hypercorn"])
def foreign(request: pytest.FixtureRequest, start_twin: TwinFactory, any_service: Path) -> RunningTwin:
    return start_twin("--command", request.param, "--proxy-drain", "0", synth=any_service)


def test_a_service_of_the_users_own_serves_is_checked_and_is_replaced(foreign: RunningTwin) -> None:
    expected = {"http.server": "settings.md", "hypercorn": "WSGI"}
    with httpx.Client(base_url=foreign.gateway_url, timeout=10) as client:
        answers = [client.get("/"), client.get("/?any=query")]
        assert all(answer.status_code == 200 for answer in answers)
        assert any(word in answers[0].text for word in expected.values())
        assert client.get("/alb").status_code == 200

        tasks = foreign.tasks()
        assert {task["lastStatus"] for task in tasks} == {"RUNNING"}
        victim = tasks[0]["taskArn"]
        foreign.client("ecs").stop_task(cluster=foreign.outputs()["cluster_name"], task=victim)
        wait_until(lambda: len([t for t in foreign.tasks() if t["lastStatus"] == "RUNNING"]) == 2, "two tasks run")
        assert client.get("/").status_code == 200
        # The health check is the user's: its first result comes an interval after the start.
        wait_until(lambda: "HEALTHY" in {t["healthStatus"] for t in foreign.tasks()}, "a task is healthy", timeout=60)
