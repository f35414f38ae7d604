"""A stack for a service without one: what `twin up --command` runs where no synthesis is named.

It is this project's stack as far as the twin acts on it, with its defaults: three tasks in two zones, Service Connect,
an HTTP API with a VPC link. `tests/twin/stack/test_own_stack.py` compares the two.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path
from typing import Any

from twin.errors import BadInput
from twin.stack.limits import missing_program
from twin.stack.terraform import Stack, read_stack

__all__ = ["ANY_PATH", "NAME", "own_stack"]

ANY_PATH = "$default"
"""The route key that matches every request."""

NAME = "serviceconnect"
"""Of the service, and of what its container is in a twin.toml: `[programs.serviceconnect]`."""

_PORT = 8080  # the container's; {port} is another for each task, all of which are on this machine
_ACCESS_LOG = {  # as that of the synthesized stack
    "requestId": "requestId",
    "requestTime": "requestTime",
    "sourceIp": "identity.sourceIp",
    "method": "httpMethod",
    "path": "path",
    "route": "routeKey",
    "status": "status",
    "responseLength": "responseLength",
    "responseLatency": "responseLatency",
    "integrationStatus": "integration.status",
    "integrationLatency": "integration.latency",
    "integrationError": "integration.error",
    "error": "error.message",
    "authorizerError": "authorizer.error",
}
_ROUTE = re.compile(r"\$default|[A-Z]+ /\S*")
_PATH = re.compile(r"/\S*")
_ONE_WORD = re.compile(r"[^\s/][\w./:?&=%+-]*")  # a command too, if there is one of that name


def own_stack(
    region: str, routes: str = ANY_PATH, health: str | None = None, *, register_when_healthy: bool = False
) -> Stack:
    """The stack of a service that says nothing but how it is reached.

    Args:
        routes: route keys of the API, separated by commas.
        health: a path that answers with a status below 400, or a command, in which {host} and {port} are the task's;
            None: tasks have no health check.
        register_when_healthy: whether a task is registered only once that has passed, as by the setting.

    Raises:
        BadInput: *routes* or *health* is neither, or there is no health check to wait for.
    """
    keys = [key.strip() for key in routes.split(",")]
    if wrong := [key for key in keys if not _ROUTE.fullmatch(key)]:
        raise BadInput(
            f"--routes {routes!r}: {wrong[0]!r} is no route key: give some, as 'GET /orders/{{proxy+}}, GET /ready'."
        )
    if register_when_healthy and health is None:
        raise BadInput("--register-when-healthy waits for a health check: give one, such as --health /ready.")
    content = _content(region, keys, _health_check(health) if health is not None else None, register_when_healthy)
    return read_stack(content, Path("--command"))


def _health_check(health: str) -> dict[str, Any]:
    if not health.strip() or "\x00" in health:
        raise BadInput(f"--health {health!r} is empty: give a path such as /ready, or a command.")
    if _ONE_WORD.fullmatch(health) and missing_program(["CMD", health], os.environ.get("PATH", os.defpath)):
        raise BadInput(
            f"--health {health!r} is no command of this machine, and no path: a path begins with /, such as --health "
            "/ready; a command is such as 'curl -f http://{host}:{port}/ready'."
        )
    command = health.replace("{host}", "127.0.0.1").replace("{port}", str(_PORT))
    if _PATH.fullmatch(health):
        command = f"wget -q --spider {shlex.quote(f'http://127.0.0.1:{_PORT}{health}')} || exit 1"
    return {"command": ["CMD-SHELL", command], "interval": 10, "timeout": 5, "retries": 3, "startPeriod": 10}


def _content(region: str, routes: list[str], health: dict[str, Any] | None, hold: bool) -> dict[str, Any]:
    """The stack in Terraform's JSON, as CDKTF would write it."""
    container = {
        "name": "app",
        "image": "none",
        "essential": True,
        "portMappings": [{"name": "http", "containerPort": _PORT, "protocol": "tcp", "appProtocol": "http"}],
        "environment": [{"name": "DRAIN_SECONDS", "value": "20"}, {"name": "PORT", "value": str(_PORT)}],
        "stopTimeout": 60,
        **({"healthCheck": health} if health else {}),
    }
    holding = {
        "name": "hold",
        "image": "none",
        "essential": False,
        "entryPoint": ["/bin/sh", "-c"],
        "command": ["exit 0"],
        "dependsOn": [{"containerName": "app", "condition": "HEALTHY"}],
    }
    subnets = ["${aws_subnet.a.id}", "${aws_subnet.b.id}"]
    resource = {
        "aws_vpc": {"main": {"cidr_block": "10.0.0.0/16"}},
        "aws_subnet": {
            zone: {
                "vpc_id": "${aws_vpc.main.id}",
                "availability_zone": f"{region}{zone}",
                "cidr_block": f"10.0.{16 * number}.0/20",
            }
            for number, zone in enumerate("ab")
        },
        "aws_service_discovery_http_namespace": {"main": {"name": NAME}},
        "aws_ecs_cluster": {"main": {"name": NAME}},
        "aws_ecs_task_definition": {
            "main": {
                "family": NAME,
                "cpu": "256",
                "memory": "512",
                "network_mode": "awsvpc",
                "requires_compatibilities": ["FARGATE"],
                "container_definitions": json.dumps([container, holding] if hold else [container]),
            }
        },
        "aws_ecs_service": {
            "main": {
                "name": NAME,
                "cluster": "${aws_ecs_cluster.main.arn}",
                "task_definition": "${aws_ecs_task_definition.main.arn}",
                "desired_count": 3,
                "launch_type": "FARGATE",
                "availability_zone_rebalancing": "ENABLED",
                "deployment_circuit_breaker": {"enable": True, "rollback": True},
                "deployment_maximum_percent": 200,
                "deployment_minimum_healthy_percent": 100,
                "network_configuration": {"subnets": subnets},
                "service_connect_configuration": {
                    "enabled": True,
                    "namespace": "${aws_service_discovery_http_namespace.main.arn}",
                    "service": [
                        {
                            "port_name": "http",
                            "discovery_name": NAME,
                            "client_alias": {"dns_name": NAME, "port": _PORT},
                            "timeout": {"idle_timeout_seconds": 300, "per_request_timeout_seconds": 31},
                        }
                    ],
                },
            }
        },
        "aws_cloudwatch_log_group": {"access": {"name": f"/aws/vendedlogs/apigateway/{NAME}"}},
        "aws_apigatewayv2_api": {"main": {"name": NAME, "protocol_type": "HTTP"}},
        "aws_apigatewayv2_vpc_link": {"main": {"name": NAME, "security_group_ids": [], "subnet_ids": subnets}},
        "aws_apigatewayv2_integration": {
            "main": {
                "api_id": "${aws_apigatewayv2_api.main.id}",
                "connection_id": "${aws_apigatewayv2_vpc_link.main.id}",
                "connection_type": "VPC_LINK",
                "integration_method": "ANY",
                "integration_type": "HTTP_PROXY",
                "integration_uri": "${data.aws_service_discovery_service.main.arn}",
                "payload_format_version": "1.0",
                "request_parameters": {"overwrite:path": "$request.path"},
                "timeout_milliseconds": 30000,
            }
        },
        "aws_apigatewayv2_route": {
            f"route-{number}": {
                "api_id": "${aws_apigatewayv2_api.main.id}",
                "route_key": key,
                "target": "integrations/${aws_apigatewayv2_integration.main.id}",
            }
            for number, key in enumerate(routes)
        },
        "aws_apigatewayv2_stage": {
            "main": {
                "api_id": "${aws_apigatewayv2_api.main.id}",
                "name": "$default",
                "auto_deploy": True,
                "default_route_settings": {"throttling_burst_limit": 500, "throttling_rate_limit": 1000},
                "access_log_settings": {
                    "destination_arn": "${aws_cloudwatch_log_group.access.arn}",
                    "format": json.dumps({name: f"$context.{variable}" for name, variable in _ACCESS_LOG.items()}),
                },
            }
        },
    }
    discovered = {
        "name": NAME,
        "namespace_id": "${aws_service_discovery_http_namespace.main.id}",
        "depends_on": ["aws_ecs_service.main"],
    }
    outputs = {
        "authorization": "NONE",
        "cluster_name": "${aws_ecs_cluster.main.name}",
        "container_name": "app",
        "discovery_name": NAME,
        "gateway_url": "${aws_apigatewayv2_api.main.api_endpoint}",
        "namespace_name": "${aws_service_discovery_http_namespace.main.name}",
        "region": region,
        "service_name": "${aws_ecs_service.main.name}",
    }
    return {
        "//": {"metadata": {"stackName": NAME}},
        "provider": {"aws": [{"region": region}]},
        "resource": resource,
        "data": {"aws_service_discovery_service": {"main": discovered}},
        "output": {name: {"value": value} for name, value in outputs.items()},
    }
