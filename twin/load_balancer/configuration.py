"""Load balancers as Envoy's listeners, clusters and endpoints: pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from twin import envoy
from twin.load_balancer.model import HealthCheck, Listener, Target, TargetGroup, TargetState
from twin.network import Address

__all__ = ["cluster", "endpoints", "listener", "state"]

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
# A load balancer's own answers, by what happened to Envoy's request.
_OWN = {502: ["UF", "UC", "UR", "UPE"], 503: ["UH", "NR", "NC"], 504: ["UT", "SI"]}
_PHRASES = {502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out"}


def listener(listener: Listener, groups: Mapping[str, TargetGroup], address: Address) -> Json:
    """The listener at *address*; *groups* by ARN."""
    route: Json = {"timeout": "0s", "idle_timeout": f"{listener.idle_timeout}s"}
    weights = [{"name": groups[arn].id, "weight": n} for arn, n in listener.weights.items() if arn in groups]
    target = {"route": {**route, "weighted_clusters": {"clusters": weights}}}
    answer = target if weights else {"direct_response": {"status": 503}}
    forwarded = envoy.header("x-forwarded-for", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%")
    host = {
        "name": "targets",
        "domains": ["*"],
        "routes": [{"match": {"prefix": "/"}, **answer}],
        "request_headers_to_add": [forwarded | {"append_action": "APPEND_IF_EXISTS_OR_ADD"}],
    }
    manager = {
        "route_config": {"virtual_hosts": [host]},
        "http_filters": [envoy.router(suppress_envoy_headers=True)],
        "server_header_transformation": "PASS_THROUGH",
        "local_reply_config": {"mappers": [_own_reply(*reply) for reply in _OWN.items()]},
    }
    return envoy.listener(listener.name, address, manager, idle_timeout=3600)


def cluster(group: TargetGroup, endpoints: Path) -> Json:
    """The cluster of a target group, whose targets are read from the file *endpoints*."""
    name, kind, options = _POLICIES[group.algorithm]
    policy: Json = {"@type": _TYPE + "extensions.load_balancing_policies." + kind, **options}
    if group.slow_start and group.algorithm == "round_robin":  # no other algorithm has it
        policy["slow_start_config"] = {"slow_start_window": f"{group.slow_start}s"}
    made = envoy.cluster(group.id, "ROUND_ROBIN", {"idle_timeout": "4s"})
    del made["lb_policy"]
    return made | {
        "type": "EDS",
        "eds_cluster_config": {"eds_config": envoy.file_source(endpoints), "service_name": group.id},
        "load_balancing_policy": {
            "policies": [
                {"typed_extension_config": {"name": f"envoy.load_balancing_policies.{name}", "typed_config": policy}}
            ]
        },
        # With no healthy target the load balancer tries all of them: it fails open.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0.1}},
        "ignore_health_on_host_removal": True,
        "health_checks": [_health_check(group.check)] if group.check else [],
    }


def endpoints(group: TargetGroup, targets: Iterable[Target]) -> Json:
    """The targets of a group; those that drain get no new request."""
    assignment = envoy.load_assignment(group.id, [])
    assignment["endpoints"] = [
        {
            "lb_endpoints": [
                {
                    **envoy.endpoint(Address(target.host, target.port)),
                    "health_status": "DRAINING" if target.state is TargetState.DRAINING else "UNKNOWN",
                }
                for target in sorted(targets, key=lambda target: (target.host, target.port))
            ]
        }
    ]
    return assignment


def state(target: Target, health_status: Mapping[str, Any]) -> TargetState:
    """The state of *target*, from what Envoy tells of its health."""
    if target.state is TargetState.DRAINING:
        return target.state
    if not health_status.get("failed_active_health_check"):
        return TargetState.HEALTHY
    # Until its first result Envoy counts a host as failed, and says that the result is pending.
    pending = health_status.get("pending_active_hc") and target.state is TargetState.INITIAL
    return TargetState.INITIAL if pending else TargetState.UNHEALTHY


def _health_check(check: HealthCheck) -> Json:
    interval = f"{check.interval}s"
    return {
        "timeout": f"{check.timeout}s",
        "interval": interval,
        "no_traffic_interval": interval,
        "no_traffic_healthy_interval": interval,
        "healthy_threshold": check.healthy_threshold,
        "unhealthy_threshold": check.unhealthy_threshold,
        "reuse_connection": False,
        "http_health_check": {
            "path": check.path,
            "request_headers_to_add": [envoy.header("user-agent", "ELB-HealthChecker/2.0")],
            "expected_statuses": [{"start": first, "end": last + 1} for first, last in check.statuses],
        },
    }


def _own_reply(status: int, flags: list[str]) -> Json:
    title = f"{status} {_PHRASES[status]}"
    head, body = f"<head><title>{title}</title></head>", f"<body>\r\n<center><h1>{title}</h1></center>\r\n</body>"
    page = f"<html>\r\n{head}\r\n{body}\r\n</html>\r\n"
    return {
        "filter": {"response_flag_filter": {"flags": flags}},
        "status_code": status,
        "headers_to_add": [envoy.header("server", "awselb/2.0")],
        "body_format_override": {"text_format_source": {"inline_string": page}, "content_type": "text/html"},
    }
