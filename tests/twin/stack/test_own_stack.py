"""The stack that `twin up --command` makes: like the synthesized one in all that the twin acts on."""

from __future__ import annotations

import json
import os
import re
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from serviceconnect.settings import Settings
from serviceconnect.task import hold_definitions
from tests.twin.running import STACK
from twin.errors import BadInput, BadStack
from twin.stack.limits import check_health_checks
from twin.stack.own_stack import own_stack
from twin.stack.terraform import Stack, load_stack
from twin.tasks.program import Command
from twin.tasks.programs import Programs

# What the twin has no use for, and what names resources.
_NOT_COMPARED = {
    "aws_ecs_task_definition": {
        "container_definitions", "execution_role_arn", "task_role_arn", "runtime_platform", "volume",
    },
    "aws_ecs_service": {
        "alarms", "cluster", "enable_ecs_managed_tags", "enable_execute_command", "network_configuration",
        "propagate_tags", "service_connect_configuration", "task_definition",
    },
    "aws_apigatewayv2_api": set(),
    "aws_apigatewayv2_integration": {"api_id", "connection_id", "integration_uri"},
    "aws_apigatewayv2_stage": {"access_log_settings", "api_id"},
}  # fmt: skip


def compared(stack: Stack, type: str) -> dict[str, Any]:
    (resource,) = stack.of_type(type)
    return {name: value for name, value in resource.arguments.items() if name not in _NOT_COMPARED[type]}


def container(stack: Stack) -> dict[str, Any]:
    (definition,) = stack.of_type("aws_ecs_task_definition")
    (found,) = json.loads(definition.arguments["container_definitions"])
    return dict(found)


def routes(stack: Stack) -> list[str]:
    return [route.arguments["route_key"] for route in stack.of_type("aws_apigatewayv2_route")]


@pytest.mark.parametrize("type", _NOT_COMPARED)
def test_it_has_the_defaults_of_the_synthesized_stack(type: str) -> None:
    assert compared(own_stack("eu-west-2"), type) == compared(load_stack(STACK), type)


def test_its_access_log_has_the_format_of_the_synthesized_stack() -> None:
    own, synthesized = (
        json.loads(stage.arguments["access_log_settings"]["format"])
        for stack in (own_stack("eu-west-2"), load_stack(STACK))
        for stage in stack.of_type("aws_apigatewayv2_stage")
    )
    assert own == synthesized


def test_its_container_and_service_connect_are_those_of_the_synthesized_stack() -> None:
    own, synthesized = own_stack("eu-west-2", health="/ready"), load_stack(STACK)

    names = ("name", "essential", "portMappings", "environment", "healthCheck", "stopTimeout")
    assert {name: container(own)[name] for name in names} == {name: container(synthesized)[name] for name in names}
    services = []
    for stack in (own, synthesized):
        (service,) = stack.of_type("aws_ecs_service")
        services.append(service.arguments["service_connect_configuration"]["service"])
    assert services[0] == services[1]
    assert own.outputs.keys() < synthesized.outputs.keys()


def test_every_path_and_no_health_check_unless_they_are_given() -> None:
    stack = own_stack("eu-west-2")

    assert routes(stack) == ["$default"]
    assert "healthCheck" not in container(stack)


def test_a_task_is_held_until_it_is_healthy_as_the_synthesized_stack_holds_it() -> None:
    def holding(stack: Stack) -> dict[str, Any]:
        (definition,) = stack.of_type("aws_ecs_task_definition")
        _, found = json.loads(definition.arguments["container_definitions"])
        return dict(found)

    synthesized = hold_definitions(replace(Settings(), register_when_healthy=True), "none")[0]
    own = holding(own_stack("eu-west-2", health="/ready", register_when_healthy=True))
    assert own == {name: synthesized[name] for name in own}
    with pytest.raises(BadInput, match="--register-when-healthy waits for a health check: give one"):
        own_stack("eu-west-2", register_when_healthy=True)


def test_routes_are_separated_by_commas() -> None:
    given = "GET /orders/{proxy+}, ANY /carts/{id},$default"
    assert routes(own_stack("eu-west-2", given)) == ["GET /orders/{proxy+}", "ANY /carts/{id}", "$default"]


@pytest.mark.parametrize("given", ["", "GET /a,", "/orders", "get /orders", "GET orders"])
def test_what_is_no_route(given: str) -> None:
    with pytest.raises(BadInput, match=r"--routes .*is no route key.*GET /orders"):
        own_stack("eu-west-2", given)


@pytest.mark.parametrize(
    ("given", "command"),
    [
        ("/ready?deep=1&x", "wget -q --spider 'http://127.0.0.1:8080/ready?deep=1&x' || exit 1"),
        ("wget -qO- http://{host}:{port}/ | grep ok", "wget -qO- http://127.0.0.1:8080/ | grep ok"),
        ("true", "true"),
    ],
)
def test_a_health_check_is_a_path_or_a_command(given: str, command: str) -> None:
    assert container(own_stack("eu-west-2", health=given))["healthCheck"]["command"] == ["CMD-SHELL", command]


@pytest.mark.parametrize("given", ["ready", "api/ready", "http://127.0.0.1:8000/ready", "127.0.0.1:8000/ready?deep=1"])
def test_a_path_without_its_slash_and_a_url_are_no_health_check(given: str) -> None:
    with pytest.raises(BadInput, match=rf"--health '{re.escape(given)}' .* begins with /, such as --health /ready"):
        own_stack("eu-west-2", health=given)


@pytest.mark.parametrize("given", ["", " ", "true\0"])
def test_what_is_no_health_check(given: str) -> None:
    with pytest.raises(BadInput, match=r"--health .* path such as /ready, or a command"):
        own_stack("eu-west-2", health=given)


@pytest.mark.parametrize("runs", [True, False])
def test_a_health_check_that_this_machine_cannot_run_is_refused_of_what_runs(runs: bool) -> None:
    (definition,) = own_stack("eu-west-2", health="no-such-program {host}").of_type("aws_ecs_task_definition")
    programs = Programs(default=Command(["true"], Path())) if runs else Programs()

    with pytest.raises(BadStack, match=r"runs no-such-program, which is not.*--health") if runs else nullcontext():
        check_health_checks(definition.address, definition.arguments, programs, os.environ["PATH"])
