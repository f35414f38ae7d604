from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import botocore.session
import pytest
from botocore.validate import validate_parameters
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import BadStack
from twin.stack.conversion import parameters


def shape(service: str, operation: str) -> Any:
    return botocore.session.get_session().get_service_model(service).operation_model(operation).input_shape


CREATE_SERVICE = shape("ecs", "CreateService")
REGISTER_TASK_DEFINITION = shape("ecs", "RegisterTaskDefinition")
CREATE_CLUSTER = shape("ecs", "CreateCluster")
CREATE_STAGE = shape("apigatewayv2", "CreateStage")
CREATE_TARGET_GROUP = shape("elbv2", "CreateTargetGroup")


@pytest.mark.parametrize(
    ("call", "arguments", "converted"),
    [
        (CREATE_SERVICE, {"desired_count": 3}, {"desiredCount": 3}),
        (CREATE_SERVICE, {"desired_count": "3"}, {"desiredCount": 3}),
        (CREATE_SERVICE, {"enable_ecs_managed_tags": "true"}, {"enableECSManagedTags": True}),
        (CREATE_SERVICE, {"desired_count": None, "launch_type": None}, {}),
        (CREATE_SERVICE, {"tags": {"team": "a"}}, {"tags": [{"key": "team", "value": "a"}]}),
        (
            CREATE_SERVICE,
            {"load_balancer": [{"container_port": 1}, {"container_port": 2}]},
            {"loadBalancers": [{"containerPort": 1}, {"containerPort": 2}]},
        ),
        (
            CREATE_SERVICE,
            {"service_connect_configuration": [{"enabled": True, "service": {"client_alias": {"port": 80}}}]},
            {"serviceConnectConfiguration": {"enabled": True, "services": [{"clientAliases": [{"port": 80}]}]}},
        ),
        (CREATE_SERVICE, {"service_connect_configuration": []}, {"serviceConnectConfiguration": {}}),
        (
            CREATE_CLUSTER,
            {"setting": {"name": "containerInsights", "value": "enabled"}},
            {"settings": [{"name": "containerInsights", "value": "enabled"}]},
        ),
        (REGISTER_TASK_DEFINITION, {"cpu": 256, "family": "shop"}, {"cpu": "256", "family": "shop"}),
        (
            REGISTER_TASK_DEFINITION,
            {"container_definitions": '[{"name": "app", "dockerLabels": {"some_label": "x"}}]'},
            {"containerDefinitions": [{"name": "app", "dockerLabels": {"some_label": "x"}}]},
        ),
        (
            REGISTER_TASK_DEFINITION,
            {"proxy_configuration": {"container_name": "proxy", "properties": {"AppPorts": "80"}}},
            {"proxyConfiguration": {"containerName": "proxy", "properties": [{"name": "AppPorts", "value": "80"}]}},
        ),
        (
            CREATE_STAGE,
            {"default_route_settings": {"throttling_rate_limit": 100}, "stage_variables": {"a_b": 1}},
            {"DefaultRouteSettings": {"ThrottlingRateLimit": 100.0}, "StageVariables": {"a_b": "1"}},
        ),
        (CREATE_TARGET_GROUP, {"health_check_enabled": True, "port": 80}, {"HealthCheckEnabled": True, "Port": 80}),
    ],
)
def test_arguments_become_parameters(call: Any, arguments: Mapping[str, Any], converted: Mapping[str, Any]) -> None:
    assert parameters(call, arguments) == (converted, [])


@pytest.mark.parametrize(("argument", "switch"), [(True, "ENABLED"), (False, "DISABLED")])
def test_a_boolean_is_a_switch_where_the_api_has_one(argument: bool, switch: str) -> None:
    converted, _ = parameters(
        CREATE_SERVICE,
        {"network_configuration": {"assign_public_ip": argument, "subnets": ["subnet-1"]}},
        {"network_configuration": "networkConfiguration.awsvpcConfiguration"},
    )

    assert converted == {
        "networkConfiguration": {"awsvpcConfiguration": {"assignPublicIp": switch, "subnets": ["subnet-1"]}}
    }


def test_renamed_arguments_may_meet_in_one_structure() -> None:
    converted, unknown = parameters(
        CREATE_SERVICE,
        {
            "deployment_maximum_percent": 200,
            "deployment_configuration": {"strategy": "ROLLING"},
            "deployment_circuit_breaker": {"enable": True, "rollback": False},
        },
        {
            "deployment_maximum_percent": "deploymentConfiguration.maximumPercent",
            "deployment_circuit_breaker": "deploymentConfiguration.deploymentCircuitBreaker",
        },
    )

    assert converted == {
        "deploymentConfiguration": {
            "maximumPercent": 200,
            "strategy": "ROLLING",
            "deploymentCircuitBreaker": {"enable": True, "rollback": False},
        }
    }
    assert unknown == []


def test_what_has_no_parameter_is_told_by_its_path() -> None:
    arguments = {
        "colour": "red",
        "service_connect_configuration": {"enabled": True, "service": [{"port_name": "http", "taste": "sweet"}]},
    }

    converted, unknown = parameters(CREATE_SERVICE, arguments)

    assert converted == {"serviceConnectConfiguration": {"enabled": True, "services": [{"portName": "http"}]}}
    assert unknown == ["colour", "service_connect_configuration.service.taste"]


def test_text_that_is_no_json_is_refused_with_the_place() -> None:
    with pytest.raises(BadStack, match=r"container_definitions is no JSON text \(line 1, column 9: "):
        parameters(REGISTER_TASK_DEFINITION, {"container_definitions": '{"name":'})


def test_values_that_do_not_fit_are_left_to_botocores_validation() -> None:
    converted, _ = parameters(CREATE_SERVICE, {"desired_count": "many", "service_connect_configuration": 5})

    assert converted == {"desiredCount": "many", "serviceConnectConfiguration": 5}


@given(
    st.fixed_dictionaries(
        {"name": st.text(min_size=1)},
        optional={
            "desired_count": st.integers(0, 9) | st.integers(0, 9).map(str) | st.none(),
            "enable_execute_command": st.booleans() | st.sampled_from(["true", "false"]),
            "tags": st.dictionaries(st.text(min_size=1), st.text() | st.integers() | st.booleans()),
            "network_configuration": st.fixed_dictionaries(
                {"subnets": st.lists(st.text())}, optional={"assign_public_ip": st.booleans()}
            ),
            "service_connect_configuration": st.fixed_dictionaries({"enabled": st.booleans()}).map(lambda it: [it]),
        },
    )
)
def test_well_formed_arguments_pass_botocores_validation(arguments: dict[str, Any]) -> None:
    rename = {"name": "serviceName", "network_configuration": "networkConfiguration.awsvpcConfiguration"}

    converted, unknown = parameters(CREATE_SERVICE, arguments, rename)

    validate_parameters(converted, CREATE_SERVICE)
    assert unknown == []
