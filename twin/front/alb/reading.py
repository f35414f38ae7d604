"""The load balancers in moto's store of ELBv2."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from twin.front.alb.model import HealthCheck, Listener, TargetGroup
from twin.gaps import Gap

__all__ = ["Balancing", "read"]


@dataclass(frozen=True)
class Balancing:
    """All listeners and target groups. *gaps*: what of them the twin does not do."""

    listeners: tuple[Listener, ...] = ()
    groups: tuple[TargetGroup, ...] = ()
    gaps: tuple[Gap, ...] = ()


def read(backend: Any) -> Balancing:
    """What *backend*, moto's for ELBv2, holds."""
    gaps: list[Gap] = []
    listeners = []
    for balancer in list(backend.load_balancers.values()):
        if balancer.type != "application":
            gaps.append(Gap(f"load balancer {balancer.name}", "", f"{balancer.type} is not known"))
            continue
        idle_timeout = float(balancer.attrs.get("idle_timeout.timeout_seconds", 60))
        for listener in list(balancer.listeners.values()):
            name = f"listener {balancer.name}:{listener.port}"
            if listener.protocol != "HTTP":
                gaps.append(Gap(name, "", f"{listener.protocol} is not served"))
                continue
            if len(listener.rules) > 1:
                gaps.append(Gap(name, "rules", "the default action is done for all"))
            weights = _weights(listener.default_actions)
            if not weights:
                gaps.append(Gap(name, "default action", "it does not forward"))
            listeners.append(Listener(listener.arn, int(listener.port), weights, idle_timeout))
    groups = [group for group in list(backend.target_groups.values()) if group.target_type == "ip"]
    for group in groups:
        if group.health_check_protocol != "HTTP":
            gaps.append(
                Gap(f"target group {group.name}", f"health checks by {group.health_check_protocol}", "HTTP is used")
            )
        if group.attributes.get("stickiness.enabled") == "true":
            gaps.append(Gap(f"target group {group.name}", "stickiness", "a client's requests go to any target"))
    return Balancing(tuple(listeners), tuple(_group(group) for group in groups), tuple(gaps))


def _weights(actions: Iterable[Any]) -> dict[str, int]:
    for action in actions:
        if action.type == "forward":
            groups = (action.data.get("ForwardConfig") or {}).get("TargetGroups") or [action.data]
            return {group["TargetGroupArn"]: int(group.get("Weight", 1)) for group in groups}
    return {}


def _group(group: Any) -> TargetGroup:
    check = None
    if group.health_check_enabled:
        check = HealthCheck(
            path=group.health_check_path or "/",
            interval=float(group.health_check_interval_seconds),
            timeout=float(group.health_check_timeout_seconds),
            healthy_threshold=int(group.healthy_threshold_count),
            unhealthy_threshold=int(group.unhealthy_threshold_count),
            port=None if group.health_check_port == "traffic-port" else int(group.health_check_port),
            matcher=(group.matcher or {}).get("HttpCode", "200"),
        )
    attributes = group.attributes
    return TargetGroup(
        arn=group.arn,
        algorithm=attributes["load_balancing.algorithm.type"],
        slow_start=float(attributes["slow_start.duration_seconds"]),
        deregistration_delay=float(attributes["deregistration_delay.timeout_seconds"]),
        check=check,
    )
