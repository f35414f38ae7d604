"""The task definition: one container, as locked down as Fargate allows."""

from __future__ import annotations

import json
from collections.abc import Sequence

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.ecs_task_definition import (
    EcsTaskDefinition,
    EcsTaskDefinitionRuntimePlatform,
    EcsTaskDefinitionVolume,
)
from constructs import Construct

from serviceconnect.settings.service import ServiceSettings

__all__ = ["AFTER_THE_NEXT", "CONTAINER", "PORT_NAME", "log_options", "task_definition"]

# A revision is deregistered when the service has moved to the next: until then ECS starts tasks of it, and may have to
# roll back to it.
AFTER_THE_NEXT = TerraformResourceLifecycle(create_before_destroy=True)

CONTAINER = "app"
PORT_NAME = "http"


def task_definition(
    scope: Construct,
    id: str,
    settings: ServiceSettings,
    image_uri: str,
    log_group: str,
    execution_role_arn: str,
    task_role_arn: str,
) -> EcsTaskDefinition:
    """The task definition of the settings' service."""
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
        container_definitions=json.dumps([container_definition(settings, image_uri, log_group)]),
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


def literal(text: str) -> str:
    """*text* such that Terraform gives it as it is: a shell's ``${PORT}`` is no template.

    https://developer.hashicorp.com/terraform/language/expressions/strings#escape-sequences-1
    """
    return text.replace("${", "$${").replace("%{", "%%{")


def volumes(paths: Sequence[str]) -> dict[str, str]:
    """A volume's name for each of *paths*."""
    return {f"writable-{number}": path for number, path in enumerate(paths)}


def container_definition(settings: ServiceSettings, image_uri: str, log_group: str) -> dict[str, object]:
    """The container, in the shape of ECS's ContainerDefinition.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
    """
    environment = {
        "PORT": str(settings.container_port),
        "DRAIN_SECONDS": str(settings.drain_seconds),
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
        "environment": [{"name": name, "value": environment[name]} for name in sorted(environment)],
        "healthCheck": health_check(settings),
        "stopTimeout": settings.stop_timeout,
        # ECS Exec writes into the container.
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html#ecs-exec-considerations
        "readonlyRootFilesystem": not settings.execute_command,
        "linuxParameters": {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}},
        "logConfiguration": {"logDriver": "awslogs", "options": log_options(log_group, settings.region, CONTAINER)},
    }
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


def health_check(settings: ServiceSettings) -> dict[str, object]:
    """The container's health check, in the shape of ECS's HealthCheck."""
    check: dict[str, object] = {
        "command": ["CMD-SHELL", literal(settings.health_check_command)],
        "interval": settings.health_check_interval,
        "timeout": settings.health_check_timeout,
        "retries": settings.health_check_retries,
    }
    # Off by default; a zero would be a difference at each plan, if ECS gives none back.
    if settings.health_check_start_period:
        check["startPeriod"] = settings.health_check_start_period
    return check
