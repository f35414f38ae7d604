"""A stack as JSON with two HTTP APIs and their domain name, and a service that cannot run here: the rest is served.

One API is defined by OpenAPI, the other by resources.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import httpx
import pytest

from tests.twin.running import RunningTwin, TwinFactory, wait_until
from tests.twin.test_shapes import connected, definition, service, stack, write_programs

NAMES = ("orders", "billing")


def two_apis() -> dict[str, Any]:
    content = stack()
    made = content["resource"]
    for type in [type for type in made if type.startswith("aws_lb")]:
        del made[type]
    made["aws_ecs_service"] = {
        "orders": service("orders", "one", **connected("orders", 8081)),
        "billing": service("billing", "two", **connected("billing", 8082)),
        "web": service("web", "one") | {"network_configuration": [{"subnets": ["subnet-0123456789abcdef0"]}]},
    }
    made["aws_ecs_task_definition"]["orders"] = definition("orders", port=8081) | {"tags": {"By": "${var.by}"}}
    made["aws_apigatewayv2_vpc_link"] = {
        "main": {"name": "main", "security_group_ids": [], "subnet_ids": "${aws_subnet.main[*].id}"}
    }
    made["aws_apigatewayv2_domain_name"] = {"main": {"domain_name": "api.example.com"}}
    for name in NAMES:
        at = {"api_id": f"${{aws_apigatewayv2_api.{name}.id}}"}
        each = {
            "api": {"name": name, "protocol_type": "HTTP"},
            "integration": {
                **at,
                "integration_type": "HTTP_PROXY",
                "integration_method": "ANY",
                "integration_uri": f"${{data.aws_service_discovery_service.{name}.arn}}",
                "connection_type": "VPC_LINK",
                "connection_id": "${aws_apigatewayv2_vpc_link.main.id}",
            },
            "route": {
                **at,
                "route_key": "$default",
                "target": f"integrations/${{aws_apigatewayv2_integration.{name}.id}}",
            },
            "stage": {**at, "name": "$default", "auto_deploy": True},
            "api_mapping": {
                **at,
                "domain_name": "${aws_apigatewayv2_domain_name.main.id}",
                "stage": f"${{aws_apigatewayv2_stage.{name}.name}}",
                "api_mapping_key": name,
            },
        }
        for type, arguments in each.items():
            made.setdefault(f"aws_apigatewayv2_{type}", {})[name] = arguments
        content["data"].setdefault("aws_service_discovery_service", {})[name] = {
            "name": "http",
            "namespace_id": f"${{aws_service_discovery_http_namespace.{name}.id}}",
            "depends_on": [f"aws_ecs_service.{name}"],
        }
    for part in ("integration", "route"):
        del made[f"aws_apigatewayv2_{part}"]["billing"]
    integration = {
        "type": "http_proxy",
        "httpMethod": "ANY",
        "uri": "${data.aws_service_discovery_service.billing.arn}",
        "connectionType": "VPC_LINK",
        "connectionId": "${aws_apigatewayv2_vpc_link.main.id}",
        "payloadFormatVersion": "1.0",
    }
    operation = {"isDefaultRoute": True, "x-amazon-apigateway-integration": integration}
    made["aws_apigatewayv2_api"]["billing"]["body"] = json.dumps(
        {
            "openapi": "3.0.1",
            "info": {"title": "billing", "version": "1.0"},
            "paths": {"/$default": {"x-amazon-apigateway-any-method": operation}},
        }
    )
    content["output"] = {
        **{name: {"value": f"${{aws_apigatewayv2_api.{name}.api_endpoint}}"} for name in NAMES},
        "stage": {"value": "${aws_apigatewayv2_stage.billing.invoke_url}"},
    }
    return content


@pytest.fixture(scope="module")
def twin(start_twin: TwinFactory, tmp_path_factory: pytest.TempPathFactory) -> RunningTwin:
    folder = tmp_path_factory.mktemp("apis")
    (folder / "cdk.tf.json").write_text(json.dumps(two_apis()))
    write_programs(folder)
    return start_twin(synth=folder / "cdk.tf.json")


def answer(url: str, **headers: str) -> str | None:
    got = httpx.get(url, headers=headers, trust_env=False, timeout=10)
    return got.text if got.status_code == 200 else None


def test_each_api_is_served_at_its_own_address(twin: RunningTwin) -> None:
    outputs = twin.outputs()

    assert outputs["orders"] != outputs["billing"]
    assert twin.gateway_url in (outputs["orders"], outputs["billing"])
    for name in NAMES:
        assert wait_until(partial(answer, f"{outputs[name]}/any"), f"{name} answers") == name.upper()
    assert outputs["stage"] == f"{outputs['billing']}/"


def test_a_domain_name_leads_to_each_by_its_mapping(twin: RunningTwin) -> None:
    for name in NAMES:
        assert answer(f"{twin.gateway_url}/{name}/any", host="api.example.com") == name.upper()


def test_all_of_it_is_listed(twin: RunningTwin) -> None:
    told = twin.run("ps", "--json").json

    fronts = {front["name"].split(" (")[0]: front["url"] for front in told["fronts"]}
    assert fronts == {f"API {name}": twin.outputs()[name] for name in NAMES}
    left_out = "\n".join(told["left_out"])
    assert "aws_ecs_service.web: its network_configuration names subnet-0123456789abcdef0, which is on AWS" in left_out
    assert "aws_ecs_task_definition.orders, argument tags: is not evaluated: ${var.by} is more than" in left_out
