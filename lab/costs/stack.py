"""The inputs that a synthesized stack states: what is deployed is what is priced.

Reads CDKTF's cdk.tf.json as plain JSON; without one the stack's default settings serve.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, cast

from lab.costs.scenario import GATEWAY_LOG_BYTES, PROXY_LOG_BYTES, Scenario
from lab.errors import BadInput
from serviceconnect.settings import Settings

__all__ = ["SYNTHESIZED", "default_scenario", "find_stack", "scenario_of_settings", "scenario_of_stack"]

SYNTHESIZED = Path("cdktf.out/stacks")

# The interface endpoints that only the Service Connect proxy needs.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/vpc-endpoints.html
PROXY_ENDPOINTS = {"ecs-agent", "ecs", "ecs-telemetry"}

Resources = Mapping[str, Mapping[str, Any]]


def find_stack(root: Path = SYNTHESIZED) -> Path | None:
    """The one cdk.tf.json below *root*; None if there is none. Raises BadInput if there are several."""
    found = sorted(root.glob("*/cdk.tf.json"))
    if len(found) > 1:
        names = ", ".join(path.parent.name for path in found)
        raise BadInput(f"{root} holds several stacks ({names}); choose one with --stack PATH")
    return found[0] if found else None


def default_scenario(stack: Path | None = None) -> Scenario:
    """The scenario of *stack*, else of the one that is synthesized, else of the default settings. Raises BadInput."""
    path = stack or find_stack()
    return scenario_of_stack(path) if path else scenario_of_settings(Settings())


def scenario_of_settings(settings: Settings) -> Scenario:
    """The scenario of the stack that *settings* would give."""
    return Scenario(
        region=settings.region,
        tasks=settings.desired_count,
        cpu=settings.cpu,
        memory=settings.memory,
        architecture=cast(Literal["X86_64", "ARM64"], settings.architecture),
        azs=len(settings.zones),
        log_retention_days=settings.log_retention_days,
        insights=settings.container_insights != "disabled",
    )


def scenario_of_stack(path: Path) -> Scenario:
    """The scenario of the stack in *path*, a cdk.tf.json. Raises BadInput if it cannot be read or lacks the service."""
    try:
        stack = json.loads(path.read_text())
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}); `make synth` writes it") from error
    except ValueError as error:
        raise BadInput(f"{path} is not JSON ({error}); `make synth` writes it anew") from error
    try:
        return _scenario(path, stack)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise BadInput(f"{path} is not the stack that this model knows: {type(error).__name__} {error}") from error


def _scenario(path: Path, stack: Mapping[str, Any]) -> Scenario:
    resources: Mapping[str, Resources] = stack["resource"]
    service = _service(path, resources)
    task = _referred(resources, "aws_ecs_task_definition", service["task_definition"])
    connect = _block(service["service_connect_configuration"])
    stages = resources.get("aws_apigatewayv2_stage", {}).values()
    kept = [int(group.get("retention_in_days", 0)) for group in resources.get("aws_cloudwatch_log_group", {}).values()]
    scenario = Scenario(
        region=_block(stack["provider"]["aws"])["region"],
        tasks=int(service["desired_count"]),
        cpu=int(task["cpu"]),
        memory=int(task["memory"]),
        architecture=_block(task.get("runtime_platform")).get("cpu_architecture", "X86_64"),
        gateway_log_bytes=GATEWAY_LOG_BYTES if any(s.get("access_log_settings") for s in stages) else Decimal(0),
        proxy_log_bytes=PROXY_LOG_BYTES if connect.get("access_log_configuration") else Decimal(0),
        insights=_insights(resources),
        images_kept=_images_kept(resources),
    )
    scenario = _network(scenario, resources, service)
    return replace(scenario, log_retention_days=max(kept)) if any(kept) else scenario


def _service(path: Path, resources: Mapping[str, Resources]) -> Mapping[str, Any]:
    services = [
        service
        for service in resources.get("aws_ecs_service", {}).values()
        if _block(service.get("service_connect_configuration")).get("service")
    ]
    if len(services) != 1:
        raise BadInput(f"{path} has {len(services)} ECS services behind Service Connect; exactly one can be priced")
    return services[0]


def _network(scenario: Scenario, resources: Mapping[str, Resources], service: Mapping[str, Any]) -> Scenario:
    configuration = _block(service["network_configuration"])
    subnets = configuration["subnets"]
    zones = {_referred(resources, "aws_subnet", subnet).get("availability_zone", subnet) for subnet in subnets}
    interfaces = [
        endpoint["service_name"].split(".", 3)[-1]
        for endpoint in resources.get("aws_vpc_endpoint", {}).values()
        if endpoint.get("vpc_endpoint_type") == "Interface"
    ]
    for_proxy = [name for name in interfaces if name in PROXY_ENDPOINTS]
    gateways = len(resources.get("aws_nat_gateway", {}))
    network: Literal["endpoints", "nat", "public", "none"] = "none"
    if interfaces:
        network = "endpoints"
    elif gateways:
        network = "nat"
    elif configuration.get("assign_public_ip"):
        network = "public"
    return replace(
        scenario,
        azs=len(zones),
        network=network,
        endpoints=len(interfaces) - len(for_proxy),
        proxy_endpoints=len(for_proxy),
        nat_gateways=max(1, gateways),
    )


def _insights(resources: Mapping[str, Resources]) -> bool:
    settings = [
        setting
        for cluster in resources.get("aws_ecs_cluster", {}).values()
        for setting in _blocks(cluster.get("setting"))
    ]
    return any(s.get("name") == "containerInsights" and s.get("value") in ("enhanced", "enabled") for s in settings)


def _images_kept(resources: Mapping[str, Resources]) -> int:
    if not resources.get("aws_ecr_repository"):
        return 0
    counts = [
        int(count)
        for policy in resources.get("aws_ecr_lifecycle_policy", {}).values()
        for count in re.findall(r'"imageCountMoreThan".*?"countNumber":\s*(\d+)', policy["policy"])
    ]
    return max(counts, default=Scenario.images_kept)


def _referred(resources: Mapping[str, Resources], kind: str, reference: str) -> Mapping[str, Any]:
    """The resource that a Terraform reference names; empty if it is the id of something outside the stack."""
    match = re.fullmatch(rf"\$\{{{kind}\.([^.]+)\.\w+\}}", reference)
    return resources[kind][match[1]] if match else {}


def _blocks(value: Any) -> list[Mapping[str, Any]]:
    # Terraform's JSON allows one block to stand alone or in a list.
    return [] if value is None else value if isinstance(value, list) else [value]


def _block(value: Any) -> Mapping[str, Any]:
    blocks = _blocks(value)
    return blocks[0] if blocks else {}
