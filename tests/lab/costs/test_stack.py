from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lab.costs.scenario import Scenario
from lab.costs.stack import find_stack, scenario_of_settings, scenario_of_stack
from lab.errors import BadInput
from serviceconnect.settings import Settings

SUBNETS = {"a": "eu-west-2a", "b": "eu-west-2b", "c": "eu-west-2c"}


def endpoint(name: str) -> dict[str, Any]:
    return {"service_name": f"com.amazonaws.eu-west-2.{name}", "vpc_endpoint_type": "Interface"}


@pytest.fixture
def stack() -> dict[str, Any]:
    """A synthesized stack with what the cost model looks at, in the shape that CDKTF writes."""
    return {
        "provider": {"aws": [{"region": "eu-west-2"}]},
        "resource": {
            "aws_ecs_service": {
                "service_1": {
                    "desired_count": 5,
                    "task_definition": "${aws_ecs_task_definition.service_task.arn}",
                    "network_configuration": {
                        "assign_public_ip": False,
                        "subnets": [f"${{aws_subnet.network_private-{name}.id}}" for name in SUBNETS],
                    },
                    "service_connect_configuration": {"enabled": True, "service": [{"port_name": "http"}]},
                },
                "load_fleet": {"desired_count": 9, "task_definition": "x", "network_configuration": {}},
            },
            "aws_ecs_task_definition": {
                "service_task": {
                    "cpu": "1024",
                    "memory": "2048",
                    "runtime_platform": {"cpu_architecture": "ARM64"},
                }
            },
            "aws_subnet": {f"network_private-{name}": {"availability_zone": zone} for name, zone in SUBNETS.items()},
            "aws_vpc_endpoint": {
                **{name: endpoint(name) for name in ("ecr.api", "ecr.dkr", "logs", "ecs-agent", "secretsmanager")},
                **{name: endpoint(name) | {"vpc_endpoint_type": "Gateway"} for name in ("s3", "dynamodb")},
            },
            "aws_ecs_cluster": {"cluster": {"setting": [{"name": "containerInsights", "value": "enhanced"}]}},
            "aws_cloudwatch_log_group": {"app": {"retention_in_days": 7}, "gateway": {"retention_in_days": 14}},
            "aws_apigatewayv2_stage": {"stage": {"access_log_settings": {"format": "{}"}}},
            "aws_ecr_repository": {"image": {}},
            "aws_ecr_lifecycle_policy": {
                "image": {
                    "policy": json.dumps(
                        {"rules": [{"selection": {"countType": "imageCountMoreThan", "countNumber": 4}}]}
                    )
                }
            },
        },
    }


def written(folder: Path, stack: Any) -> Path:
    path = folder / "cdk.tf.json"
    path.write_text(json.dumps(stack))
    return path


def test_what_is_deployed_is_what_is_priced(tmp_path: Path, stack: dict[str, Any]) -> None:
    assert scenario_of_stack(written(tmp_path, stack)) == Scenario(
        region="eu-west-2",
        tasks=5,
        cpu=1024,
        memory=2048,
        architecture="ARM64",
        azs=3,
        network="endpoints",
        endpoints=4,
        proxy_endpoints=1,
        gateway_log_bytes=Decimal(400),
        log_retention_days=14,
        insights=True,
        images_kept=4,
    )


def test_what_is_not_deployed_is_not_priced(tmp_path: Path, stack: dict[str, Any]) -> None:
    for kind in ("aws_ecs_cluster", "aws_apigatewayv2_stage", "aws_ecr_repository"):
        del stack["resource"][kind]
    found = scenario_of_stack(written(tmp_path, stack))
    assert (found.insights, found.gateway_log_bytes, found.images_kept) == (False, Decimal(0), 0)


@pytest.mark.parametrize(
    ("nat_gateways", "public", "network"), [(2, False, "nat"), (0, True, "public"), (0, False, "none")]
)
def test_ways_out_other_than_endpoints(
    tmp_path: Path, stack: dict[str, Any], nat_gateways: int, public: bool, network: str
) -> None:
    resources = stack["resource"]
    del resources["aws_vpc_endpoint"]
    resources["aws_nat_gateway"] = {f"nat{number}": {} for number in range(nat_gateways)}
    resources["aws_ecs_service"]["service_1"]["network_configuration"]["assign_public_ip"] = public
    found = scenario_of_stack(written(tmp_path, stack))
    assert (found.network, found.nat_gateways) == (network, max(1, nat_gateways))


def test_subnets_from_elsewhere_count_as_a_zone_each(tmp_path: Path, stack: dict[str, Any]) -> None:
    configuration = stack["resource"]["aws_ecs_service"]["service_1"]["network_configuration"]
    configuration["subnets"] = ["subnet-1", "subnet-2"]
    assert scenario_of_stack(written(tmp_path, stack)).azs == 2


def test_the_proxys_access_log_is_priced_where_it_is_asked_for(tmp_path: Path, stack: dict[str, Any]) -> None:
    connect = stack["resource"]["aws_ecs_service"]["service_1"]["service_connect_configuration"]
    connect["access_log_configuration"] = {"format": "JSON"}
    assert scenario_of_stack(written(tmp_path, stack)).proxy_log_bytes == 300


def test_a_block_in_a_list_is_the_same_block(tmp_path: Path, stack: dict[str, Any]) -> None:
    alone = scenario_of_stack(written(tmp_path, stack))
    service = stack["resource"]["aws_ecs_service"]["service_1"]
    service["network_configuration"] = [service["network_configuration"]]
    service["service_connect_configuration"] = [service["service_connect_configuration"]]
    assert scenario_of_stack(written(tmp_path, stack)) == alone


def test_a_stack_without_service_connect_is_refused(tmp_path: Path, stack: dict[str, Any]) -> None:
    del stack["resource"]["aws_ecs_service"]["service_1"]["service_connect_configuration"]
    with pytest.raises(BadInput, match="0 ECS services behind Service Connect"):
        scenario_of_stack(written(tmp_path, stack))


@pytest.mark.parametrize("part", ["provider", "resource"])
def test_a_stack_of_another_shape_is_refused(tmp_path: Path, stack: dict[str, Any], part: str) -> None:
    del stack[part]
    with pytest.raises(BadInput, match="not the stack that this model knows"):
        scenario_of_stack(written(tmp_path, stack))


def test_an_unreadable_stack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="make synth"):
        scenario_of_stack(tmp_path / "cdk.tf.json")
    (tmp_path / "cdk.tf.json").write_text("{")
    with pytest.raises(BadInput, match="not JSON"):
        scenario_of_stack(tmp_path / "cdk.tf.json")


def test_default_settings_serve_without_a_stack() -> None:
    settings = Settings(
        desired_count=4, cpu=512, memory=1024, architecture="ARM64", az_count=3, container_insights="enhanced"
    )
    found = scenario_of_settings(settings)
    assert (found.region, found.tasks, found.azs, found.insights) == (settings.region, 4, 3, True)
    assert (found.cpu, found.memory, found.architecture) == (512, 1024, "ARM64")


def test_the_one_stack_is_found(tmp_path: Path) -> None:
    assert find_stack(tmp_path) is None
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "one" / "cdk.tf.json").write_text("{}")
    assert find_stack(tmp_path) == tmp_path / "one" / "cdk.tf.json"
    (tmp_path / "two" / "cdk.tf.json").write_text("{}")
    with pytest.raises(BadInput, match=r"one, two.*--stack"):
        find_stack(tmp_path)
