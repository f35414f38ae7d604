"""Elastic Load Balancing: the load balancer that the service is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twin.aws.client import Aws
from twin.stack.call import Arguments, Attributes, Call, without

__all__ = ["LOAD_BALANCER"]

# Some arguments are "attributes" in the API, key-value pairs of strings that a call of their own sets:
# https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html

_LOAD_BALANCER_ATTRIBUTES = {
    "client_keep_alive": "client_keep_alive.seconds",
    "desync_mitigation_mode": "routing.http.desync_mitigation_mode",
    "drop_invalid_header_fields": "routing.http.drop_invalid_header_fields.enabled",
    "enable_deletion_protection": "deletion_protection.enabled",
    "enable_http2": "routing.http2.enabled",
    "idle_timeout": "idle_timeout.timeout_seconds",
    "preserve_host_header": "routing.http.preserve_host_header.enabled",
    "xff_header_processing_mode": "routing.http.xff_header_processing.mode",
}
_TARGET_GROUP_ATTRIBUTES = {
    "deregistration_delay": "deregistration_delay.timeout_seconds",
    "load_balancing_algorithm_type": "load_balancing.algorithm.type",
    "load_balancing_anomaly_mitigation": "load_balancing.algorithm.anomaly_mitigation",
    "load_balancing_cross_zone_enabled": "load_balancing.cross_zone.enabled",
    "slow_start": "slow_start.duration_seconds",
}


def _set_attributes(operation: str, arn: str, names: Mapping[str, str]) -> Callable[[Aws, Attributes], Attributes]:
    def then(aws: Aws, attributes: Attributes) -> Attributes:
        values = [
            {"Key": key, "Value": str(attributes[argument]).lower()}
            for argument, key in names.items()
            if attributes.get(argument) is not None
        ]
        if values:
            aws.call("elbv2", operation, Attributes=values, **{arn: attributes["arn"]})
        return {}

    return then


def _scheme(arguments: Arguments) -> Arguments:
    rest = without(arguments, "internal")
    return {**rest, "scheme": "internal" if arguments.get("internal") else "internet-facing"}


def _flat_health_check(arguments: Arguments) -> Arguments:
    """The API has the health check's settings beside the others."""
    rest = without(arguments, "health_check")
    check = arguments.get("health_check") or {}
    block = check[0] if isinstance(check, list) else check
    return {**rest, **{f"health_check_{key}": value for key, value in block.items()}}


def _certificates(arguments: Arguments) -> Arguments:
    rest = without(arguments, "certificate_arn")
    certificate = arguments.get("certificate_arn")
    return {**rest, "certificates": {"certificate_arn": certificate}} if certificate else rest


def _with_fields(arguments: Arguments) -> Arguments:
    """A condition says by which field of the request it decides."""
    conditions = arguments.get("condition") or []
    return {
        **arguments,
        "condition": [
            {**condition, "field": next(iter(condition), "").replace("_", "-")}
            for condition in (conditions if isinstance(conditions, list) else [conditions])
        ],
    }


def _action_names(block: str) -> dict[str, str]:
    return {
        f"{block}.fixed_response": "FixedResponseConfig",
        f"{block}.forward": "ForwardConfig",
        f"{block}.forward.stickiness": "TargetGroupStickinessConfig",
        f"{block}.forward.stickiness.duration": "DurationSeconds",
        f"{block}.forward.target_group.arn": "TargetGroupArn",
        f"{block}.redirect": "RedirectConfig",
    }


_CALLS = {
    "aws_lb": Call(
        "elbv2",
        "CreateLoadBalancer",
        rename={"load_balancer_type": "Type"},
        defaults={"name_prefix": "tf-lb-"},
        prepare=_scheme,
        answer={
            "id": "LoadBalancers[0].LoadBalancerArn",
            "arn": "LoadBalancers[0].LoadBalancerArn",
            "dns_name": "LoadBalancers[0].DNSName",
            "zone_id": "LoadBalancers[0].CanonicalHostedZoneId",
        },
        takes=frozenset(_LOAD_BALANCER_ATTRIBUTES),
        then=_set_attributes("ModifyLoadBalancerAttributes", "LoadBalancerArn", _LOAD_BALANCER_ATTRIBUTES),
    ),
    "aws_lb_target_group": Call(
        "elbv2",
        "CreateTargetGroup",
        rename={
            "health_check_healthy_threshold": "HealthyThresholdCount",
            "health_check_interval": "HealthCheckIntervalSeconds",
            "health_check_matcher": "Matcher.HttpCode",
            "health_check_timeout": "HealthCheckTimeoutSeconds",
            "health_check_unhealthy_threshold": "UnhealthyThresholdCount",
        },
        defaults={"name_prefix": "tf-"},
        prepare=_flat_health_check,
        answer={"id": "TargetGroups[0].TargetGroupArn", "arn": "TargetGroups[0].TargetGroupArn"},
        takes=frozenset(_TARGET_GROUP_ATTRIBUTES),
        then=_set_attributes("ModifyTargetGroupAttributes", "TargetGroupArn", _TARGET_GROUP_ATTRIBUTES),
    ),
    "aws_lb_listener": Call(
        "elbv2",
        "CreateListener",
        rename=_action_names("default_action"),
        prepare=_certificates,
        answer={"id": "Listeners[0].ListenerArn", "arn": "Listeners[0].ListenerArn"},
    ),
    "aws_lb_listener_rule": Call(
        "elbv2",
        "CreateRule",
        rename={
            **_action_names("action"),
            "condition.host_header": "HostHeaderConfig",
            "condition.http_header": "HttpHeaderConfig",
            "condition.http_request_method": "HttpRequestMethodConfig",
            "condition.path_pattern": "PathPatternConfig",
            "condition.query_string": "QueryStringConfig.Values",
            "condition.source_ip": "SourceIpConfig",
        },
        prepare=_with_fields,
        answer={"id": "Rules[0].RuleArn", "arn": "Rules[0].RuleArn"},
    ),
}

LOAD_BALANCER = {**_CALLS, **{type.replace("aws_lb", "aws_alb"): call for type, call in _CALLS.items()}}
