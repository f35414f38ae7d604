"""Target groups as Envoy's configuration: pure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from twin.front.alb.model import HealthCheck, Target, TargetGroup, TargetState
from twin.front.alb.targets import cluster, endpoints, failures, reason, state

ARN = "arn:aws:elasticloadbalancing:eu-west-2:123456789012:targetgroup/shop/50dc6c495c0c9188"
CHECK = HealthCheck("/ready", 10, 5, 2, 3, "200-299,304")


def group(algorithm: str = "round_robin", slow_start: float = 0) -> TargetGroup:
    return TargetGroup(ARN, algorithm, slow_start, 300, CHECK)


def made(group: TargetGroup) -> Any:
    return cluster(group, Path("endpoints.json"), Path("failures.jsonl"))


def policy(group: TargetGroup) -> Any:
    (only,) = made(group)["load_balancing_policy"]["policies"]
    return only["typed_extension_config"]["typed_config"]


def test_the_health_check_is_the_target_groups() -> None:
    (check,) = made(group())["health_checks"]

    assert (check["interval"], check["no_traffic_interval"], check["timeout"]) == ("10s", "10s", "5s")
    assert (check["healthy_threshold"], check["unhealthy_threshold"]) == (2, 3)
    http = check["http_health_check"]
    assert http["path"] == "/ready"
    assert http["expected_statuses"] == [{"start": 200, "end": 300}, {"start": 304, "end": 305}]


def test_least_outstanding_requests_looks_at_all_targets() -> None:
    assert policy(group("least_outstanding_requests"))["selection_method"] == "FULL_SCAN"


@pytest.mark.parametrize(
    ("algorithm", "window"), [("round_robin", {"slow_start_window": "30s"}), ("least_outstanding_requests", None)]
)
def test_slow_start_is_of_round_robin_alone(algorithm: str, window: object) -> None:
    assert policy(group(algorithm, slow_start=30)).get("slow_start_config") == window
    assert "slow_start_config" not in policy(group(algorithm))


def test_a_target_that_drains_gets_no_new_request() -> None:
    targets = [Target(ARN, "a", "127.64.1.1", 80, TargetState.HEALTHY), Target(ARN, "b", "127.64.1.0", 80)]
    targets[1].state = TargetState.DRAINING

    (locality,) = endpoints(group(), targets)["endpoints"]
    told = [e["endpoint"]["address"]["socket_address"]["address"] for e in locality["lb_endpoints"]]
    assert told == ["127.64.1.1"]


@pytest.mark.parametrize(
    ("before", "failures", "health_status", "after"),
    [
        (TargetState.INITIAL, 0, {"failed_active_health_check": True}, TargetState.INITIAL),
        (TargetState.INITIAL, 2, {"failed_active_health_check": True}, TargetState.INITIAL),
        (TargetState.INITIAL, 3, {"failed_active_health_check": True}, TargetState.UNHEALTHY),
        (TargetState.INITIAL, 2, {"eds_health_status": "HEALTHY"}, TargetState.HEALTHY),
        (TargetState.HEALTHY, 2, {"failed_active_health_check": True}, TargetState.HEALTHY),
        (TargetState.HEALTHY, 3, {"failed_active_health_check": True}, TargetState.UNHEALTHY),
        (TargetState.UNHEALTHY, 3, {"failed_active_health_check": True}, TargetState.UNHEALTHY),
        (TargetState.UNHEALTHY, 3, {}, TargetState.HEALTHY),
        (TargetState.DRAINING, 0, {}, TargetState.DRAINING),
    ],
)
def test_the_state_of_a_target(
    before: TargetState, failures: int, health_status: dict[str, Any], after: TargetState
) -> None:
    target = Target(ARN, "a", "127.64.1.1", 80, before, failures)
    assert state(target, health_status, CHECK.unhealthy_threshold) is after


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        ({"failure_type": "ACTIVE", "http_status_code": 503}, "Target.ResponseCodeMismatch"),
        ({"failure_type": "NETWORK_TIMEOUT", "http_status_code": 0}, "Target.Timeout"),
        ({"failure_type": "NETWORK", "http_status_code": 0}, "Target.FailedHealthChecks"),
    ],
)
def test_why_a_health_check_failed(failure: dict[str, Any], code: str) -> None:
    host = {"socket_address": {"address": "127.64.1.1", "port_value": 80}}
    event = {"cluster_name": "shop", "host": host, "health_check_failure_event": failure}
    ejected = {"cluster_name": "shop", "host": host, "eject_unhealthy_event": {"failure_type": "ACTIVE"}}

    ((target, told),) = failures([json.dumps(event), json.dumps(ejected)])
    assert target == ("shop", "127.64.1.1", 80)
    assert reason(told)[0] == code
