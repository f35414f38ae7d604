"""The comparison arm of the stack: API Gateway's VPC link to a load balancer before the same tasks."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from tests.twin.running import RunningTwin, TwinFactory, wait_until
from twin.control import ask as order

ECHO = Path(__file__).parents[1] / "gateway" / "echo.py"
NAMES = {"cluster": "serviceconnect", "service": "serviceconnect"}


@pytest.fixture(scope="module")
def twin(start_twin: TwinFactory, any_service: Path) -> RunningTwin:
    command = f"{sys.executable} {ECHO} {{host}} {{port}}"
    return start_twin("--command", command, "--proxy-drain", "0", "--discovery-ttl", "0", synth=any_service)


@pytest.fixture(scope="module")
def group(twin: RunningTwin) -> str:
    return str(twin.client("elbv2").describe_target_groups()["TargetGroups"][0]["TargetGroupArn"])


def states(twin: RunningTwin, group: str) -> dict[str, str]:
    """The state of each target, by its address."""
    told = twin.client("elbv2").describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    return {target["Target"]["Id"]: target["TargetHealth"]["State"] for target in told}


def both_healthy(twin: RunningTwin, group: str) -> Any:
    def healthy() -> dict[str, str] | None:
        found = states(twin, group)
        return found if sorted(found.values()) == ["healthy", "healthy"] else None

    return wait_until(healthy, "both targets are healthy")


def hosts(ask: httpx.Client, requests: int) -> Counter[str]:
    return Counter(ask.get("/alb/hostname").headers["x-hostname"] for _ in range(requests))


def test_the_path_of_a_request(twin: RunningTwin, group: str, ask: httpx.Client) -> None:
    both_healthy(twin, group)
    # Envoy's worker learns of a target a moment after its admin interface, which tells us.
    wait_until(lambda: ask.get("/alb/hostname").status_code == 200, "the load balancer serves")

    seen = ask.get("/alb/a/b?c=1").json()
    assert seen["path"] == "/a/b?c=1"
    assert seen["headers"]["via"] == "HTTP/1.1 AmazonAPIGateway"
    assert seen["headers"]["x-forwarded-for"] == "127.0.0.1"


def test_round_robin_is_even(twin: RunningTwin, group: str, ask: httpx.Client) -> None:
    both_healthy(twin, group)
    wait_until(lambda: len(hosts(ask, 2)) == 2, "both targets answer")

    assert sorted(hosts(ask, 40).values()) == [20, 20]


def test_least_outstanding_requests_avoids_a_slow_target(twin: RunningTwin, group: str) -> None:
    both_healthy(twin, group)
    set_attributes(twin, group, algorithm="least_outstanding_requests")
    wait_until(lambda: "least_request" in active_clusters(twin), "the load balancer has taken the algorithm over")
    running = {"aws_endpoint_url": twin.aws_endpoint_url}
    victim = twin.tasks()[0]
    order(running, "fault", kind="slow", target=victim["taskArn"], seconds=60, delay=3)
    host = {d["name"]: d["value"] for d in victim["attachments"][0]["details"]}["privateDnsName"]

    with httpx.Client(base_url=twin.gateway_url, timeout=10) as patient, httpx.Client(base_url=twin.gateway_url) as ask:

        def held() -> Thread | None:
            """A request that the slow target holds: the other one answers at once."""
            asking = Thread(target=patient.get, args=("/alb/hostname",))
            asking.start()
            asking.join(0.5)
            return asking if asking.is_alive() else None

        asking = wait_until(held, "the slow target holds a request")
        counted = hosts(ask, 10)
        was_held = asking.is_alive()
        asking.join()
    order(running, "undo", kind="slow", target=None)
    set_attributes(twin, group, algorithm="round_robin")
    assert was_held
    assert counted[host] == 0


def active_clusters(twin: RunningTwin) -> str:
    """The clusters that the load balancer's Envoy serves with now."""
    address = (twin.state / "load-balancer" / "admin").read_text()
    return httpx.get(f"http://{address}/config_dump?resource=dynamic_active_clusters").text


def set_attributes(twin: RunningTwin, group: str, algorithm: str, delay: int = 1) -> None:
    twin.client("elbv2").modify_target_group_attributes(
        TargetGroupArn=group,
        Attributes=[
            {"Key": "load_balancing.algorithm.type", "Value": algorithm},
            {"Key": "deregistration_delay.timeout_seconds", "Value": str(delay)},
        ],
    )


def test_a_target_drains_before_its_task_is_stopped(twin: RunningTwin, group: str, ask: httpx.Client) -> None:
    before = set(both_healthy(twin, group))
    set_attributes(twin, group, "round_robin", delay=3)
    victim = twin.tasks()[0]["taskArn"]
    twin.client("ecs").stop_task(cluster="serviceconnect", task=victim)

    wait_until(lambda: "draining" in states(twin, group).values(), "its target drains")
    (draining,) = [address for address, state in states(twin, group).items() if state == "draining"]
    assert draining in before
    assert all(ask.get("/alb/hostname").status_code == 200 for _ in range(20))
    wait_until(lambda: draining not in states(twin, group), "it is gone")

    def steps_of_victim() -> dict[str, float]:
        return {e["step"]: e["time"] for e in twin.events() if e.get("task") == victim.rsplit("/", 1)[-1]}

    wait_until(lambda: "SIGTERM" in steps_of_victim(), "its task is stopped")
    both_healthy(twin, group)
    steps = steps_of_victim()
    assert steps["SIGTERM"] - steps["draining"] >= 3
    set_attributes(twin, group, "round_robin")


def test_a_target_that_fails_its_health_checks_is_told_and_replaced(twin: RunningTwin, group: str) -> None:
    both_healthy(twin, group)
    elbv2 = twin.client("elbv2")
    elbv2.modify_target_group(
        TargetGroupArn=group, HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2, UnhealthyThresholdCount=2
    )
    victim = twin.tasks()[0]["taskArn"]
    running = {"aws_endpoint_url": twin.aws_endpoint_url}
    order(running, "fault", kind="unready", target=victim, seconds=60, delay=1)

    def replaced() -> bool:
        return victim in {task["taskArn"] for task in twin.tasks("STOPPED")}

    wait_until(lambda: replaced() or "unhealthy" in states(twin, group).values(), "it is found unhealthy")
    wait_until(replaced, "its task is stopped")
    stopped = next(task for task in twin.tasks("STOPPED") if task["taskArn"] == victim)
    assert stopped["stoppedReason"] == f"Task failed ELB health checks in (target-group {group})"
    both_healthy(twin, group)


def test_without_a_target_the_load_balancer_answers_itself(twin: RunningTwin, group: str, ask: httpx.Client) -> None:
    twin.client("ecs").update_service(**NAMES, desiredCount=0)

    wait_until(lambda: not states(twin, group), "no target is left")
    answer = ask.get("/alb/hostname")
    assert (answer.status_code, answer.headers["server"]) == (503, "awselb/2.0")
    assert "<h1>503 Service Temporarily Unavailable</h1>" in answer.text
