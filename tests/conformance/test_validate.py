"""`terraform validate` of the stack with every setting that there is, against the schema of the real provider."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import fields
from functools import cache

import pytest

from examples.services.main import services
from serviceconnect.program import find_node
from serviceconnect.settings import Settings
from serviceconnect.settings.reading import PREFIX, read
from tests.conformance.terraform import Lacking, Terraform
from tests.conformance.test_stack import VARIANTS
from tests.constructs.synthesis import everything_on, synthesized

# What stands for a variant's surroundings.
_THERE = {
    "vpc": "vpc-0a1b2c",
    "subnets": "subnet-0a1b2c,subnet-0d4e5f",
    "route_tables": "rtb-0a1b2c",
    "topic": "arn:aws:sns:eu-west-2:123456789012:alarms",
    "other_topic": "arn:aws:sns:eu-west-2:123456789012:other",
    "zone": "Z0123456789ABCDEFGHIJ",
}
# Beside the variants that are applied: what a twin has no part in, and what excludes each other.
_OTHERS = {
    "another-region": {
        "SC_REGION": "ca-west-1",
        "SC_AZ_COUNT": "3",
        "SC_AVAILABILITY_ZONES": "ca-west-1a,ca-west-1b,ca-west-1c",
        "SC_ARCHITECTURE": "ARM64",
        "SC_STATE_BUCKET": "terraform-states",
        "SC_STATE_REGION": "ca-central-1",
    },
    "sizes-and-times": {
        "SC_CPU": "1024",
        "SC_MEMORY": "2048",
        "SC_DRAIN_SECONDS": "60",
        "SC_STOP_TIMEOUT": "120",
        "SC_HEALTH_CHECK": "nc -z 127.0.0.1 9090",
        "SC_HEALTH_CHECK_INTERVAL": "5",
        "SC_HEALTH_CHECK_TIMEOUT": "3",
        "SC_HEALTH_CHECK_RETRIES": "2",
        "SC_HEALTH_CHECK_START_PERIOD": "60",
        "SC_CONTAINER_PORT": "9090",
        "SC_CONTAINER_USER": "1000",
        "SC_DEPLOYMENT_MINIMUM_PERCENT": "50",
        "SC_DEPLOYMENT_MAXIMUM_PERCENT": "100",
        "SC_DEPLOYMENT_ALARM": "false",
        "SC_AVAILABILITY_ZONE_REBALANCING": "false",
        "SC_LOG_RETENTION_DAYS": "7",
    },
    "nat": {
        "SC_VPC_ID": "vpc-0a1b2c",
        "SC_SUBNET_IDS": "subnet-0a1b2c,subnet-0d4e5f",
        "SC_CREATE_ENDPOINTS": "false",
        "SC_EGRESS": "0.0.0.0/0:443,pl-0a1b2c:443",
        "SC_IMAGE_URI": "public.ecr.aws/nginx/nginx:1.29",
    },
    "spot-alone": {"SC_FARGATE_SPOT": "100"},
    "fleet-iam": {"SC_LOAD_FLEET": "2", "SC_AUTHORIZATION": "AWS_IAM", "SC_EXECUTE_COMMAND": "true"},
    "autoscaling": {
        "SC_AUTOSCALING": "cpu",
        "SC_AUTOSCALING_MINIMUM": "2",
        "SC_AUTOSCALING_MAXIMUM": "6",
        "SC_CORS_ORIGINS": "*",
        "SC_CORS_METHODS": "GET,POST",
    },
}
_APPLIED = {
    name: {key: value.format(**_THERE) if "{" in value and key != "SC_ROUTES" else value for key, value in all_.items()}
    for name, variant in VARIANTS.items()
    for all_ in [{key: value for each in (variant.settings, *variant.changes) for key, value in each.items()}]
}


@cache
def _chosen() -> dict[str, Settings]:
    return {
        **{name: read({}, settings) for name, settings in {**_APPLIED, **_OTHERS}.items()},
        "everything": everything_on(),
    }


@pytest.fixture(scope="module")
def validate(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """What `terraform validate` says of a stack's text; the provider is installed once."""
    folder = tmp_path_factory.mktemp("validated")
    terraform = Terraform(folder, {name: value for name, value in os.environ.items() if not name.startswith("TF_CLI")})

    def validate(stack: str) -> str:
        (folder / "cdk.tf.json").write_text(stack)
        try:
            if (folder / ".terraform").exists():
                terraform.prepare(folder / "cdk.tf.json")
            else:
                terraform.init(backend=False)
        except Lacking as lacking:
            pytest.skip(f"conformance: {lacking}")
        return terraform.validate()

    return validate


@pytest.mark.timeout(300)
@pytest.mark.parametrize("variant", [*_APPLIED, *_OTHERS, "everything"])
def test_the_schema_has_all_of_it(variant: str, validate: Callable[[str], str]) -> None:
    assert validate(synthesized(_chosen()[variant])) == ""


@pytest.mark.timeout(300)
def test_the_schema_has_all_of_two_services_and_an_endpoint(validate: Callable[[str], str]) -> None:
    assert validate(synthesized(Settings(), "http://127.0.0.1:4566", services)) == ""


@pytest.mark.timeout(300)
def test_the_schema_has_all_of_the_example_of_a_stack_of_ones_own(validate: Callable[[str], str]) -> None:
    find_node()
    from cdktf import Testing as CdktfTesting

    from examples.shop.main import Shop

    assert validate(CdktfTesting.synth(Shop(CdktfTesting.app(), "shop"))) == ""


@pytest.mark.timeout(300)
def test_what_the_schema_does_not_have_is_noticed(validate: Callable[[str], str]) -> None:
    stack = json.loads(synthesized(Settings()))
    (service,) = stack["resource"]["aws_ecs_service"].values()
    service["deployment_circuit_breakers"] = {"enable": True}
    assert "deployment_circuit_breakers" in validate(json.dumps(stack))


def test_each_setting_is_in_a_variant() -> None:
    default = Settings()
    names = [field.name for field in fields(Settings)]
    assert [
        f"{PREFIX}{name.upper()}"
        for name in names
        if all(getattr(settings, name) == getattr(default, name) for settings in _chosen().values())
    ] == []
