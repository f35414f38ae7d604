"""Target groups as Envoy's clusters and endpoints, and what Envoy tells of their targets: pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from twin.envoy import configuration as envoy
from twin.envoy.upstream import Upstream, assignment
from twin.front.alb.model import HealthCheck, Target, TargetGroup, TargetState
from twin.machine.addresses import Address

__all__ = ["cluster", "endpoints", "failures", "reason", "state"]

Json = dict[str, Any]

_TYPE = "type.googleapis.com/envoy."
_POLICIES = {
    "round_robin": ("round_robin", "round_robin.v3.RoundRobin", {}),
    # Of all targets, as the load balancer has it, and not of two.
    "least_outstanding_requests": (
        "least_request",
        "least_request.v3.LeastRequest",
        {"selection_method": "FULL_SCAN"},
    ),
    "weighted_random": ("random", "random.v3.Random", {}),
}


def cluster(group: TargetGroup, endpoints: Path, failures: Path) -> Json:
    """The cluster of a target group: its targets are read from *endpoints*, their failures written to *failures*."""
    name, kind, options = _POLICIES[group.algorithm]
    policy: Json = {"@type": _TYPE + "extensions.load_balancing_policies." + kind, **options}
    if group.slow_start and group.algorithm == "round_robin":  # no other algorithm has it
        policy["slow_start_config"] = {"slow_start_window": f"{group.slow_start}s"}
    typed = {"name": f"envoy.load_balancing_policies.{name}", "typed_config": policy}
    more = {
        # With no healthy target the load balancer tries all of them: it fails open. One percent is the least that
        # is not rounded to none.
        "common_lb_config": {"healthy_panic_threshold": {"value": 1}},
        "ignore_health_on_host_removal": True,
        "health_checks": [_health_check(group.check, failures)] if group.check else [],
    }
    policies = {"policies": [{"typed_extension_config": typed}]}
    return Upstream(group.id, endpoints, policies, idle_timeout=4, more=more).cluster()


def endpoints(group: TargetGroup, targets: Iterable[Target]) -> Json:
    """The targets of a group that may get a new request.

    One that drains is left out: marked as draining it would get some as soon as no target is healthy. What it is
    answering goes on to its end.
    """
    served = sorted((target.host, target.port) for target in targets if target.state is not TargetState.DRAINING)
    checked = {"port_value": group.check.port} if group.check and group.check.port else None
    return assignment(group.id, [Address(*where) for where in served], checked)


def state(target: Target, health_status: Mapping[str, Any], unhealthy_threshold: int) -> TargetState:
    """The state of *target*, from what Envoy tells of its health."""
    if target.state is TargetState.DRAINING:
        return target.state
    if not health_status.get("failed_active_health_check"):
        return TargetState.HEALTHY
    # To Envoy a host that is new, or whose health check is, has failed until it passes: the threshold counts here too.
    return target.state if target.failures < unhealthy_threshold else TargetState.UNHEALTHY


def failures(log: Iterable[str]) -> Iterator[tuple[tuple[str, str, int], Json]]:
    """The failed health checks in the lines of Envoy's log: (cluster, host, port) and what is told of the failure."""
    for line in log:
        event = json.loads(line)
        if failure := event.get("health_check_failure_event"):
            address = event["host"]["socket_address"]
            yield (event["cluster_name"], address["address"], address["port_value"]), failure


def reason(failure: Mapping[str, Any]) -> tuple[str, str]:
    """Why a target is unhealthy, as reason code and description, from its last failed health check."""
    if failure.get("http_status_code"):
        status = failure["http_status_code"]
        return "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{status}]"
    if failure.get("failure_type") == "NETWORK_TIMEOUT":
        return "Target.Timeout", "Request timed out"
    return "Target.FailedHealthChecks", "Health checks failed"


def _health_check(check: HealthCheck, failures: Path) -> Json:
    interval = f"{check.interval}s"
    return {
        "timeout": f"{check.timeout}s",
        "interval": interval,
        "no_traffic_interval": interval,
        "no_traffic_healthy_interval": interval,
        "healthy_threshold": check.healthy_threshold,
        "unhealthy_threshold": check.unhealthy_threshold,
        "reuse_connection": False,
        **_way(check),
        "always_log_health_check_failures": True,
        "event_logger": [
            {
                "name": "envoy.health_check.event_sink.file",
                "typed_config": {
                    "@type": _TYPE + "extensions.health_check.event_sinks.file.v3.HealthCheckEventFileSink",
                    "event_log_path": str(failures),
                },
            }
        ],
    }


def _way(check: HealthCheck) -> Json:
    if check.path is None:
        return {"tcp_health_check": {}}
    return {
        "http_health_check": {
            "path": check.path,
            "request_headers_to_add": [envoy.header("user-agent", "ELB-HealthChecker/2.0")],
            "expected_statuses": [{"start": first, "end": last + 1} for first, last in check.statuses],
            # Without this a single unexpected status makes a host unhealthy, whatever the threshold.
            "retriable_statuses": [{"start": 100, "end": 600}],
        }
    }
