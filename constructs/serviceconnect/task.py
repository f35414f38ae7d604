"""The task definition: the service's container, as locked down as Fargate allows, and on demand others beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.ecs_task_definition import (
    EcsTaskDefinition,
    EcsTaskDefinitionRuntimePlatform,
    EcsTaskDefinitionVolume,
)
from constructs import Construct

from serviceconnect.health import health_check, literal
from serviceconnect.settings.service import ServiceSettings
from serviceconnect.settings.sidecar import Sidecar

__all__ = ["AFTER_THE_NEXT", "CONTAINER", "HOLD", "PORT_NAME", "log_options", "task_definition"]

# A revision is deregistered when the service has moved to the next: until then ECS starts tasks of it, and may have to
# roll back to it.
AFTER_THE_NEXT = TerraformResourceLifecycle(create_before_destroy=True)

CONTAINER = "app"
PORT_NAME = "http"
HOLD = "hold"

# Seconds, on Fargate. https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
_LONGEST_START_TIMEOUT = 120


def task_definition(
    scope: Construct,
    id: str,
    settings: ServiceSettings,
    image_uri: str,
    log_group: str,
    execution_role_arn: str,
    task_role_arn: str,
    environment: Mapping[str, str],
) -> EcsTaskDefinition:
    """The task definition of the settings' service, with *environment* beside the settings'."""
    return EcsTaskDefinition(
        scope,
        id,
        family=settings.name,
        cpu=str(settings.cpu),
        memory=str(settings.memory),
        network_mode="awsvpc",
        requires_compatibilities=["FARGATE"],
        runtime_platform=EcsTaskDefinitionRuntimePlatform(
            cpu_architecture=settings.architecture, operating_system_family="LINUX"
        ),
        execution_role_arn=execution_role_arn,
        task_role_arn=task_role_arn,
        # JSON as it stands instead of Terraform's jsonencode: a program can read it.
        container_definitions=json.dumps(
            [
                container_definition(settings, image_uri, log_group, environment),
                *hold_definitions(settings, image_uri),
                *(sidecar_definition(settings, sidecar, log_group) for sidecar in settings.sidecars),
            ]
        ),
        volume=[EcsTaskDefinitionVolume(name=name) for name in volumes(settings.writable_paths)],
        lifecycle=AFTER_THE_NEXT,
    )


def log_options(group: str, region: str, prefix: str) -> dict[str, str]:
    """Options of the awslogs driver: rather lose lines than stop the service when the logs cannot be written."""
    return {
        "awslogs-group": group,
        "awslogs-region": region,
        "awslogs-stream-prefix": prefix,
        "mode": "non-blocking",
        "max-buffer-size": "4m",
    }


def volumes(paths: Sequence[str]) -> dict[str, str]:
    """A volume's name for each of *paths*."""
    return {f"writable-{number}": path for number, path in enumerate(paths)}


def container_definition(
    settings: ServiceSettings, image_uri: str, log_group: str, environment: Mapping[str, str]
) -> dict[str, object]:
    """The container, in the shape of ECS's ContainerDefinition.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
    """
    variables = {
        "PORT": str(settings.container_port),
        "DRAIN_SECONDS": str(settings.drain_seconds),
        **environment,
        **{name: literal(value) for name, value in settings.environment.items()},
    }
    definition: dict[str, object] = {
        "name": CONTAINER,
        "image": image_uri,
        "essential": True,
        # appProtocol: without it Service Connect has no request timeout and counts no HTTP status codes.
        "portMappings": [
            {"name": PORT_NAME, "containerPort": settings.container_port, "protocol": "tcp", "appProtocol": "http"}
        ],
        # Sorted, as the provider compares them.
        "environment": [{"name": name, "value": variables[name]} for name in sorted(variables)],
        "healthCheck": health_check(settings),
        "stopTimeout": settings.stop_timeout,
        # ECS Exec writes into the container.
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html#ecs-exec-considerations
        "readonlyRootFilesystem": not settings.execute_command,
        "linuxParameters": {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}},
        "logConfiguration": {"logDriver": "awslogs", "options": log_options(log_group, settings.region, CONTAINER)},
    }
    if settings.register_when_healthy and start_timeout(settings) <= _LONGEST_START_TIMEOUT:
        definition["startTimeout"] = start_timeout(settings)
    if settings.sidecars:
        # ECS stops in the reverse order, so what the service sends while it drains still arrives.
        # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html
        definition["dependsOn"] = [{"containerName": one.name, "condition": "START"} for one in settings.sidecars]
    if settings.command:
        definition["command"] = [literal(word) for word in settings.command]
    if settings.container_user:
        definition["user"] = settings.container_user
    if settings.secrets:
        definition["secrets"] = [
            {"name": name, "valueFrom": settings.secrets[name]} for name in sorted(settings.secrets)
        ]
    if settings.writable_paths:
        definition["mountPoints"] = [
            {"sourceVolume": name, "containerPath": path, "readOnly": False}
            for name, path in volumes(settings.writable_paths).items()
        ]
    return definition


def sidecar_definition(settings: ServiceSettings, sidecar: Sidecar, log_group: str) -> dict[str, object]:
    """A further container, as locked down as the service's, in the shape of ECS's ContainerDefinition."""
    definition: dict[str, object] = {
        "name": sidecar.name,
        "image": sidecar.image,
        "essential": sidecar.essential,
        "environment": [
            {"name": name, "value": literal(sidecar.environment[name])} for name in sorted(sidecar.environment)
        ],
        "readonlyRootFilesystem": not settings.execute_command,
        "linuxParameters": {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}},
        "logConfiguration": {"logDriver": "awslogs", "options": log_options(log_group, settings.region, sidecar.name)},
    }
    if sidecar.ports:
        definition["portMappings"] = [{"containerPort": port, "protocol": "tcp"} for port in sidecar.ports]
    if sidecar.command:
        definition["command"] = [literal(word) for word in sidecar.command]
    if sidecar.user:
        definition["user"] = sidecar.user
    return definition


def start_timeout(settings: ServiceSettings) -> int:
    """Seconds in which the container must become HEALTHY: as many as its health check takes to find it UNHEALTHY.

    A task that waits longer has failed to start, which the circuit breaker counts. Without a limit, where it would be
    longer than Fargate takes, ECS stops it after three hours (containers-roadmap issue 2379).
    """
    checks = settings.health_check_retries * settings.health_check_interval + settings.health_check_timeout
    return settings.health_check_start_period + checks


def hold_definitions(settings: ServiceSettings, image_uri: str) -> list[dict[str, object]]:
    """A container that starts when the service's is HEALTHY and exits at once; none unless the settings ask for it.

    A task is RUNNING, and Service Connect registers it, when all of its containers have started. AWS's engineers
    confirmed it as the way to keep a task out of Cloud Map until then: containers-roadmap issue 2334. Of the service's
    image, for tasks may have no way to another; that has a shell, by which it checks its health.
    """
    if not settings.register_when_healthy:
        return []
    definition: dict[str, object] = {
        "name": HOLD,
        "image": image_uri,
        "essential": False,
        "entryPoint": ["/bin/sh", "-c"],
        "command": ["exit 0"],
        "dependsOn": [{"containerName": CONTAINER, "condition": "HEALTHY"}],
        "readonlyRootFilesystem": True,
        "linuxParameters": {"capabilities": {"drop": ["ALL"]}},
    }
    if settings.container_user:
        definition["user"] = settings.container_user
    return [definition]
