"""The comparison arm of the stack: API Gateway's VPC link to a load balancer before the same tasks."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from tests.twin.running import RunningTwin, TwinFactory, admin_text, wait_until
from twin.remote import ask as order

ECHO = Path(__file__).parents[1] / "http_api" / "echo.py"
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
    return {target["Target"]["Id"]: target["TargetHealth"]["State"] for target in described(twin, group)}


def described(twin: RunningTwin, group: str) -> Any:
    return twin.client("elbv2").describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]


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


def test_twin_ps_counts_what_the_load_balancer_sends_to_a_task(
    twin: RunningTwin, group: str, ask: httpx.Client
) -> None:
    both_healthy(twin, group)
    wait_until(lambda: ask.get("/alb/hostname").status_code == 200, "the load balancer serves")

    def counted() -> Counter[str]:
        return Counter({task["host"]: task["requests"] for task in twin.run("ps", "--json").json["tasks"]})

    before = counted()
    seen = hosts(ask, 20) + Counter(ask.get("/hostname").headers["x-hostname"] for _ in range(10))
    assert counted() - before == Counter({name.partition(".")[0]: number for name, number in seen.items()})


def test_the_headers_that_it_adds(twin: RunningTwin, group: str, ask: httpx.Client) -> None:
    both_healthy(twin, group)

    def headers(**sent: str) -> dict[str, str]:
        named = {name.replace("_", "-"): value for name, value in sent.items()}
        return dict(ask.get("/alb/headers", headers=named).json()["headers"])

    seen = headers(x_forwarded_for="1.2.3.4", x_forwarded_proto="https", x_forwarded_port="443")
    # The load balancer's peer, the gateway, and not what that one says.
    assert seen["x-forwarded-for"].split(",")[-1] == "127.0.0.1"
    assert (seen["x-forwarded-proto"], seen["x-forwarded-port"]) == ("http", "80")
    trace = seen["x-amzn-trace-id"]
    assert re.fullmatch("Root=1-[0-9a-f]{8}-[0-9a-f]{24}", trace)
    came = headers(x_amzn_trace_id=f"Self=1-1-1;{trace};CalledFrom=app")["x-amzn-trace-id"]
    assert re.fullmatch(f"Self=1-[0-9a-f]{{8}}-[0-9a-f]{{24}};{trace};CalledFrom=app", came)


def test_round_robin_takes_turns(twin: RunningTwin, group: str, ask: httpx.Client) -> None:
    both_healthy(twin, group)
    wait_until(lambda: len(hosts(ask, 2)) == 2, "both targets answer")

    answers = [ask.get("/alb/hostname").headers["x-hostname"] for _ in range(40)]
    twice = sum(before == after for before, after in pairwise(answers))
    assert twice <= 2  # the turns begin anew where a target's health is told again; by chance it would be about 20


def test_requests_for_each_target_are_a_metric(twin: RunningTwin, group: str, ask: httpx.Client) -> None:
    both_healthy(twin, group)
    balancer = twin.client("elbv2").describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
    label = {"TargetGroup": group.rpartition(":")[2], "LoadBalancer": balancer.partition(":loadbalancer/")[2]}

    def counted() -> float:
        now = datetime.now(UTC)
        points = twin.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/ApplicationELB",
            MetricName="RequestCountPerTarget",
            Dimensions=[{"Name": name, "Value": value} for name, value in label.items()],
            StartTime=now - timedelta(hours=2),
            EndTime=now + timedelta(hours=2),
            Period=4 * 3600,
            Statistics=["Sum"],
        )["Datapoints"]
        return float(sum(point["Sum"] for point in points))

    def served() -> int:
        stats = admin_text(twin.state / "load-balancer", "/stats?filter=^cluster.*upstream_rq_total$")
        return sum(int(line.rpartition(": ")[2]) for line in stats.splitlines())

    hosts(ask, 40)
    assert served() >= 40
    wait_until(lambda: counted() == served() / 2, "the requests of both targets are counted", 20)


def test_least_outstanding_requests_avoids_a_slow_target(twin: RunningTwin, group: str) -> None:
    both_healthy(twin, group)
    set_attributes(twin, group, algorithm="least_outstanding_requests")
    wait_until(lambda: "least_request" in active_clusters(twin), "the load balancer has taken the algorithm over")
    running = twin.running
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
    return admin_text(twin.state / "load-balancer", "/config_dump?resource=dynamic_active_clusters")


def requests_under_way(twin: RunningTwin) -> int:
    listed = admin_text(twin.state / "load-balancer", "/stats?filter=cluster.*upstream_rq_active$")
    return sum(int(line.rsplit(" ", 1)[-1]) for line in listed.splitlines())


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
    wait_until(lambda: len(hosts(ask, 2)) == 2, "both targets answer in turn")
    with ThreadPoolExecutor() as pool:
        under_way = [pool.submit(ask.get, "/alb/hostname?delay=2") for _ in range(2)]  # one at each target
        wait_until(lambda: requests_under_way(twin) == 2, "both targets are answering")
        twin.client("ecs").stop_task(cluster="serviceconnect", task=victim)

        wait_until(lambda: "draining" in states(twin, group).values(), "its target drains")
        assert not any(answer.done() for answer in under_way)
    answers = [answer.result() for answer in under_way]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len({answer.headers["x-hostname"] for answer in answers}) == 2
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


def test_the_service_tells_what_comes_to_its_target_group_and_what_leaves(twin: RunningTwin, group: str) -> None:
    both_healthy(twin, group)
    ecs = twin.client("ecs")
    (service,) = ecs.describe_services(cluster=NAMES["cluster"], services=[NAMES["service"]])["services"]
    known = {event["id"] for event in service["events"]}
    ecs.stop_task(cluster=NAMES["cluster"], task=twin.tasks()[0]["taskArn"])

    def told() -> Any:
        (described,) = ecs.describe_services(cluster=NAMES["cluster"], services=[NAMES["service"]])["services"]
        new = [event["message"] for event in reversed(described["events"]) if event["id"] not in known]
        return new if any(") registered " in message for message in new) else None

    events = wait_until(told, "the replacement is registered")
    deployment = service["deployments"][0]["id"]
    left = f"(service serviceconnect, taskSet {deployment}) has begun draining connections on 1 tasks."
    at = events.index(left)
    assert events[at + 1] == f"(service serviceconnect) deregistered 1 targets in (target-group {group})"
    assert f"(service serviceconnect) registered 1 targets in (target-group {group})" in events[at + 2 :]
    both_healthy(twin, group)


def check_often(twin: RunningTwin, group: str) -> None:
    twin.client("elbv2").modify_target_group(
        TargetGroupArn=group, HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2, UnhealthyThresholdCount=2
    )
    wait_until(lambda: '"interval": "5s"' in active_clusters(twin), "the load balancer has taken it over")


def test_one_failed_health_check_is_not_enough(twin: RunningTwin, group: str, ask: httpx.Client) -> None:
    both_healthy(twin, group)
    check_often(twin, group)
    running = twin.running
    log = twin.state / "load-balancer" / "health-checks.jsonl"
    before = log.read_text()
    order(running, "fault", kind="unready", target=twin.tasks()[0]["taskArn"], seconds=60, delay=1)

    wait_until(lambda: '"http_status_code":503' in log.read_text()[len(before) :], "a health check fails")
    counted = hosts(ask, 4)
    order(running, "undo", kind="unready", target=None)
    assert len(counted) == 2
    assert sorted(states(twin, group).values()) == ["healthy", "healthy"]


def test_a_target_that_fails_its_health_checks_is_told_and_replaced(twin: RunningTwin, group: str) -> None:
    both_healthy(twin, group)
    check_often(twin, group)
    victim = twin.tasks()[0]["taskArn"]
    running = twin.running
    # Too slow for the load balancer alone: the container's health check waits for longer.
    order(running, "fault", kind="slow", target=victim, seconds=60, delay=3)

    def replaced() -> bool:
        return victim in {task["taskArn"] for task in twin.tasks("STOPPED")}

    def found() -> Any:
        return [t["TargetHealth"] for t in described(twin, group) if t["TargetHealth"]["State"] == "unhealthy"]

    (health,) = wait_until(found, "it is found unhealthy")
    assert (health["Reason"], health["Description"]) == ("Target.Timeout", "Request timed out")
    wait_until(replaced, "its task is stopped")
    stopped = next(task for task in twin.tasks("STOPPED") if task["taskArn"] == victim)
    assert stopped["stoppedReason"] == f"Task failed ELB health checks in (target-group {group})"
    both_healthy(twin, group)


def test_a_target_group_that_is_gone_leaves_nothing_behind(twin: RunningTwin, ask: httpx.Client) -> None:
    """And an Envoy that is killed afterwards is started again."""
    files = twin.state / "load-balancer" / "xds"
    before = {file.name for file in files.iterdir()}
    elb = twin.client("elbv2")
    vpc = twin.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    made = elb.create_target_group(Name="other", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip")
    wait_until(lambda: {file.name for file in files.iterdir()} - before, "it is configured")
    elb.delete_target_group(TargetGroupArn=made["TargetGroups"][0]["TargetGroupArn"])
    wait_until(lambda: {file.name for file in files.iterdir()} == before, "it is gone")

    command = f"pgrep -f {twin.state}/load-balancer/bootstrap.json"
    (envoy,) = subprocess.run(command.split(), capture_output=True, text=True).stdout.split()
    os.kill(int(envoy), signal.SIGKILL)

    def steps() -> list[str]:
        return [event["step"] for event in twin.events() if event["kind"] == "load-balancer"]

    wait_until(lambda: "Envoy restarted" in steps(), "another Envoy serves")
    wait_until(lambda: ask.get("/alb/hostname").status_code == 200, "it serves the targets")
    assert "not taken over" not in steps()
    (accident,) = order(twin.running, "accidents")["accidents"]
    assert accident["what"] == "the load-balancer's Envoy exited with -9"
    assert [e["what"] for e in twin.events() if e["kind"] == "accident"] == [accident["what"]]


@pytest.mark.parametrize(
    ("change", "undo", "port", "reason"),
    [
        (
            {"Matcher": {"HttpCode": "418"}},
            {"Matcher": {"HttpCode": "200"}},
            "8080",
            ("Target.ResponseCodeMismatch", "Health checks failed with these codes: [200]"),
        ),
        (
            {"HealthCheckPort": "9"},
            {"HealthCheckPort": "traffic-port"},
            "9",
            ("Target.FailedHealthChecks", "Health checks failed"),
        ),
    ],
    ids=["matcher", "port"],
)
def test_it_fails_open(
    twin: RunningTwin, group: str, ask: httpx.Client, change: Any, undo: Any, port: str, reason: tuple[str, str]
) -> None:
    both_healthy(twin, group)
    elbv2 = twin.client("elbv2")
    elbv2.modify_target_group(TargetGroupArn=group, **change)

    def none_healthy() -> Any:
        told = described(twin, group)
        unhealthy = [target for target in told if target["TargetHealth"]["State"] == "unhealthy"]
        return "healthy" not in states(twin, group).values() and unhealthy

    unhealthy = wait_until(none_healthy, "no target is healthy")[0]
    assert all(ask.get("/alb/hostname").status_code == 200 for _ in range(10))
    health = unhealthy["TargetHealth"]
    assert (unhealthy["HealthCheckPort"], health["Reason"], health["Description"]) == (port, *reason)
    elbv2.modify_target_group(TargetGroupArn=group, **undo)
    both_healthy(twin, group)


def test_without_a_target_the_load_balancer_answers_itself(twin: RunningTwin, group: str, ask: httpx.Client) -> None:
    twin.client("ecs").update_service(**NAMES, desiredCount=0)

    wait_until(lambda: not states(twin, group), "no target is left")
    answer = ask.get("/alb/hostname")
    assert (answer.status_code, answer.headers["server"]) == (503, "awselb/2.0")
    assert "<h1>503 Service Temporarily Unavailable</h1>" in answer.text


def test_tasks_whose_target_group_is_gone_are_started_less_and_less_often(twin: RunningTwin) -> None:
    """The last test of this twin: its load balancer has no listener afterwards."""
    twin.client("ecs").update_service(**NAMES, desiredCount=1)  # the test before has left none
    (task,) = wait_until(lambda: [t for t in twin.tasks() if t["lastStatus"] == "RUNNING"], "a task runs", 60)[:1]
    elb = twin.client("elbv2")
    for balancer in elb.describe_load_balancers()["LoadBalancers"]:
        for listener in elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]:
            elb.delete_listener(ListenerArn=listener["ListenerArn"])
    for gone in elb.describe_target_groups()["TargetGroups"]:
        elb.delete_target_group(TargetGroupArn=gone["TargetGroupArn"])
    before = {task["taskArn"] for task in twin.tasks("STOPPED")}
    twin.client("ecs").stop_task(cluster="serviceconnect", task=task["taskArn"])

    def failed() -> list[Any]:
        stopped = [each for each in twin.tasks("STOPPED") if each["taskArn"] not in before]
        return [each for each in stopped if each["stopCode"] == "TaskFailedToStart"]

    wait_until(lambda: len(failed()) > 3, "replacements have failed")
    assert all("is not there any more" in each["stoppedReason"] for each in failed())
    time.sleep(5)
    assert len(failed()) < 8  # there was one each second
    assert not [event for event in twin.events() if event.get("step") == "failed"]
