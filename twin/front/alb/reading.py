"""The load balancers in moto's store of ELBv2."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from twin.front.alb.model import (
    Action,
    Condition,
    FixedResponse,
    Forward,
    HealthCheck,
    Listener,
    Redirect,
    Rule,
    TargetGroup,
)
from twin.gaps import Gap

__all__ = ["Balancing", "read"]

Json = Mapping[str, Any]

_SERVED = ("HTTP", "HTTPS", "TCP", "TLS")
_ASKED = ("HTTP", "TCP")  # of targets
_IDLE = 60.0  # seconds, of an application load balancer
_IDLE_TCP = 350.0  # of a network load balancer's listener
_CONFIGURATIONS = {
    "host-header": "HostHeaderConfig",
    "http-header": "HttpHeaderConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "path-pattern": "PathPatternConfig",
    "query-string": "QueryStringConfig",
    "source-ip": "SourceIpConfig",
}
_LOOPBACK = "every client on this machine is 127.0.0.1"


@dataclass(frozen=True)
class Balancing:
    """All listeners and target groups. *gaps*: what of them the twin does not do."""

    listeners: tuple[Listener, ...] = ()
    groups: tuple[TargetGroup, ...] = ()
    gaps: tuple[Gap, ...] = ()


def read(backend: Any, certificate: Callable[[str], tuple[str, str] | None]) -> Balancing:
    """What *backend*, moto's for ELBv2, holds; *certificate* gives one by its ARN, with its key, if it is there."""
    gaps: list[Gap] = []
    groups = [group for group in list(backend.target_groups.values()) if group.target_type == "ip"]
    listeners = []
    for balancer in list(backend.load_balancers.values()):
        if balancer.type not in ("application", "network"):
            gaps.append(Gap(f"load balancer {balancer.name}", "", f"{balancer.type} is not known"))
            continue
        for listener in list(balancer.listeners.values()):
            name = f"listener {balancer.name}:{listener.port}"
            if listener.protocol not in _SERVED:
                gaps.append(Gap(name, "", f"{listener.protocol} is not served"))
                continue
            found = [pair for arn in listener.certificates if (pair := certificate(arn))]
            if listener.protocol in ("HTTPS", "TLS") and not found:
                gaps.append(Gap(name, "", "its certificate is not on this endpoint, so it is not served"))
                continue
            reader = _Reader(name, {group.arn for group in groups}, gaps)
            listeners.append(_listener(balancer, listener, reader, tuple(found)))
    for group in groups:
        if group.protocol not in _ASKED:
            gaps.append(
                Gap(f"target group {group.name}", f"protocol {group.protocol}", "its targets are asked plainly")
            )
        if group.health_check_protocol not in _ASKED:
            gaps.append(
                Gap(f"target group {group.name}", f"health checks by {group.health_check_protocol}", "HTTP is used")
            )
        if group.attributes.get("stickiness.enabled") == "true":
            gaps.append(Gap(f"target group {group.name}", "stickiness", "a client's requests go to any target"))
    return Balancing(tuple(listeners), tuple(_group(group) for group in groups), tuple(gaps))


def _listener(balancer: Any, listener: Any, reader: _Reader, certificates: tuple[tuple[str, str], ...]) -> Listener:
    if balancer.type == "network":
        idle_timeout = float(listener.attributes.get("tcp.idle_timeout.seconds", _IDLE_TCP))
    else:
        idle_timeout = float(balancer.attrs.get("idle_timeout.timeout_seconds", _IDLE))
    others = [rule for rule in listener.rules.values() if not rule.is_default]
    rules = [
        reader.rule(rule.conditions, rule.actions, f"rule {rule.priority}")
        for rule in sorted(others, key=lambda rule: int(rule.priority))
    ]
    rules.append(reader.rule((), listener.default_actions, "default action"))
    served = tuple(rule for rule in rules if rule)
    return Listener(listener.arn, int(listener.port), listener.protocol, served, idle_timeout, certificates)


class _Reader:
    """Reads the rules of one listener, *name*; what is not done of them goes to *gaps*."""

    def __init__(self, name: str, groups: set[str], gaps: list[Gap]) -> None:
        self._name = name
        self._groups = groups  # those that are served, by ARN
        self._gaps = gaps

    def rule(self, conditions: Iterable[Json], actions: Iterable[Any], what: str) -> Rule | None:
        """None where a condition is one that the twin does not know: nothing may match by mistake."""
        read = [self._condition(condition, what) for condition in conditions]
        if None in read:
            return None
        return Rule(self._action(actions, what), tuple(condition for condition in read if condition))

    def _condition(self, given: Json, what: str) -> Condition | None:
        field = given.get("Field", "")
        configuration = given.get(_CONFIGURATIONS.get(field, "")) or {}
        values = configuration.get("Values") or given.get("Values")
        if not values:
            self._gap(f"{what}, condition {field}", "it has no values that the twin knows, so the rule is left out")
            return None
        if field == "source-ip":
            self._gap(f"{what}, condition {field}", _LOOPBACK)
        if field == "query-string":
            values = [f"{pair['Key']}={pair['Value']}" if pair.get("Key") else pair["Value"] for pair in values]
        return Condition(field, tuple(values), configuration.get("HttpHeaderName", ""))

    def _action(self, actions: Iterable[Any], what: str) -> Action:
        found: Action = Forward({})
        for action in actions:
            data = action.data
            match action.type:
                case "forward":
                    found = self._forward(data, what)
                case "fixed-response":
                    answer = data["FixedResponseConfig"]
                    kind = answer.get("ContentType") or FixedResponse.content_type
                    found = FixedResponse(int(answer["StatusCode"]), kind, answer.get("MessageBody") or "")
                case "redirect":
                    to = data["RedirectConfig"]
                    parts = ("Protocol", "Host", "Port", "Path", "Query")
                    given = {part.lower(): to[part] for part in parts if to.get(part) is not None}
                    found = Redirect(int(to["StatusCode"].removeprefix("HTTP_")), **given)
                case kind:
                    self._gap(f"{what}, {kind}", "nobody is asked who they are")
        return found

    def _forward(self, data: Json, what: str) -> Forward:
        configuration = data.get("ForwardConfig") or {}
        given = configuration.get("TargetGroups") or [data]
        if str((configuration.get("TargetGroupStickinessConfig") or {}).get("Enabled")).lower() == "true":
            self._gap(f"{what}, stickiness", "a client's requests go to any target group")
        weights = {group["TargetGroupArn"]: int(group.get("Weight", 1)) for group in given}
        for arn in weights.keys() - self._groups:
            name = arn.split(":targetgroup/")[-1].partition("/")[0]
            self._gap(f"{what}, target group {name}", "it is not of type ip, so it gets no request")
        return Forward({arn: weight for arn, weight in weights.items() if arn in self._groups})

    def _gap(self, what: str, why: str) -> None:
        self._gaps.append(Gap(self._name, what, why))


def _group(group: Any) -> TargetGroup:
    check = None
    if group.health_check_enabled:
        by_connection = group.health_check_protocol == "TCP"
        check = HealthCheck(
            path=None if by_connection else group.health_check_path or "/",
            interval=float(group.health_check_interval_seconds),
            timeout=float(group.health_check_timeout_seconds),
            healthy_threshold=int(group.healthy_threshold_count),
            unhealthy_threshold=int(group.unhealthy_threshold_count),
            port=None if group.health_check_port == "traffic-port" else int(group.health_check_port),
            matcher="200" if by_connection else (group.matcher or {}).get("HttpCode", "200"),
        )
    attributes = group.attributes
    return TargetGroup(
        arn=group.arn,
        algorithm=attributes.get("load_balancing.algorithm.type", "round_robin"),
        slow_start=float(attributes.get("slow_start.duration_seconds", 0)),
        deregistration_delay=float(attributes["deregistration_delay.timeout_seconds"]),
        check=check,
    )
