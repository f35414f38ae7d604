"""Deployments and scaling of real tasks behind the real gateway, while requests come in."""

from __future__ import annotations

from functools import partial
from typing import Any

import httpx
import pytest

from tests.twin.aws.ecs.load import Load
from tests.twin.running import RunningTwin, TwinFactory, wait_until

NAMES = {"cluster": "serviceconnect", "service": "serviceconnect"}
REQUESTS = 2_000


@pytest.fixture(scope="module")
def twin(start_twin: TwinFactory) -> RunningTwin:
    """Nothing that hides a loss: endpoints are replaced before a drain begins, and nothing is tried again.

    The order is graceful: tasks stop some time after the gateway has left them. Without that time, requests that are on
    their way when the application gets SIGTERM meet connections that it closes.
    """
    twin = start_twin(
        *("--discovery-ttl", "0", "--connect-retries", "0", "--deregistration-delay", "1"),
        *("--running-grace", "0", "--proxy-drain", "1"),
    )
    deploy_without_health_check(twin)
    return twin


def deploy_without_health_check(twin: RunningTwin) -> None:
    """The first result of a health check comes ten seconds late: too long to wait for again and again."""
    ecs = twin.client("ecs")
    definition = ecs.describe_task_definition(taskDefinition="serviceconnect")["taskDefinition"]
    (container,) = definition["containerDefinitions"]
    del container["healthCheck"]
    kept = ("family", "networkMode", "cpu", "memory", "requiresCompatibilities", "containerDefinitions")
    ecs.register_task_definition(**{name: definition[name] for name in kept})
    ecs.update_service(**NAMES, taskDefinition="serviceconnect")
    wait_until_stable(twin)


def describe(twin: RunningTwin) -> dict[str, Any]:
    answer = twin.client("ecs").describe_services(cluster=NAMES["cluster"], services=[NAMES["service"]])
    return dict(answer["services"][0])


def wait_until_stable(twin: RunningTwin) -> None:
    """As the waiter services-stable has it, but asked more often."""

    def is_stable() -> bool:
        service = describe(twin)
        return len(service["deployments"]) == 1 and service["runningCount"] == service["desiredCount"]

    wait_until(is_stable, "the service is stable", timeout=60)


def host_names(twin: RunningTwin) -> set[str]:
    """Of all tasks that run and shall go on."""
    names = set()
    for task in twin.tasks():
        details = {detail["name"]: detail["value"] for detail in task["attachments"][0]["details"]}
        names.add(details["privateDnsName"])
    return names


def nothing_of(names: set[str], client: httpx.Client) -> bool:
    """Whether none of these hosts answers thirty requests."""
    return not names & {client.get("/hostname").text for _ in range(30)}


def test_ten_deployments_in_a_row_and_a_scale_in_lose_no_request(twin: RunningTwin) -> None:
    ecs = twin.client("ecs")
    # At 100 requests a second, a third of them each task's, a fault that fails a task's requests for 6 ms of its stop
    # is expected to fail 6 of them in 30 stops, and fails none in one run of 400 (e^-6).
    with Load(twin.gateway_url, connections=16, pause=0.1) as load, httpx.Client(base_url=twin.gateway_url) as client:
        for _ in range(10):
            before = host_names(twin)
            ecs.update_service(**NAMES, forceNewDeployment=True)
            wait_until_stable(twin)
            now = host_names(twin)
            assert len(now) == 3
            assert not now & before
            wait_until(partial(nothing_of, before, client), "the new tasks alone serve")
        for count in (6, 1):
            ecs.update_service(**NAMES, desiredCount=count)
            wait_until_stable(twin)
        wait_until(lambda: load.requests >= REQUESTS, f"{REQUESTS} requests", timeout=60)

    assert load.failures == []
    assert {status for status, _ in load.answers} == {200}
