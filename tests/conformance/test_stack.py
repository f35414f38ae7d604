"""The stack by the real Terraform with the real provider: apply, traffic, an empty plan, changes in place, destroy."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import pytest

from tests.conformance.caller import caller
from tests.conformance.conftest import Deploy, Endpoint
from tests.conformance.left import inventory
from tests.conformance.load import hostnames, load
from tests.conformance.surroundings import tenant, topic, vpc, zone
from tests.conformance.terraform import Terraform

Settings = dict[str, str]

_MANY_ROUTES = "GET /hostname,GET /identity,GET /payload,GET /ready,ANY /{proxy+}"
_IMAGE = "123456789012.dkr.ecr.eu-west-2.amazonaws.com/web"


@dataclass(frozen=True)
class Variant:
    """Settings, then one set of changes in place after the other, each under load.

    A value in braces stands for what is there before the stack: see `_SURROUNDINGS`.
    """

    settings: Settings
    changes: tuple[Settings, ...]


VARIANTS = {
    "default": Variant(
        {},
        (
            {"SC_DESIRED_COUNT": "4", "SC_THROTTLE_RATE": "4000", "SC_ROUTES": _MANY_ROUTES, "SC_TAGS": "team=web"},
            {"SC_ENVIRONMENT": "GREETING=hello", "SC_REQUEST_TIMEOUT": "20"},
        ),
    ),
    "comparison": Variant({"SC_COMPARISON": "true"}, ({"SC_COMPARISON_HEALTH_PATH": "/hostname"},)),
    "autoscaling": Variant({"SC_AUTOSCALING": "cpu"}, ({"SC_AUTOSCALING_TARGET": "50", "SC_TAGS": "team=web"},)),
    "stage-cors": Variant(
        {"SC_STAGE": "prod", "SC_CORS_ORIGINS": "https://example.com"},
        (
            {"SC_CORS_ORIGINS": "https://example.com,https://example.org", "SC_THROTTLE_BURST": "100"},
            {"SC_STAGE": "test"},
        ),
    ),
    "insights-image": Variant(
        {"SC_CONTAINER_INSIGHTS": "enabled", "SC_TAGS": "team=web", "SC_IMAGE_URI": f"{_IMAGE}:1"},
        ({"SC_TAGS": "", "SC_IMAGE_URI": f"{_IMAGE}:2"},),
    ),
    "iam-exec": Variant(
        {"SC_AUTHORIZATION": "AWS_IAM", "SC_EXECUTE_COMMAND": "true"}, ({"SC_EXECUTE_COMMAND": "false"},)
    ),
    "jwt-cors": Variant(
        {
            "SC_AUTHORIZATION": "JWT",
            "SC_JWT_ISSUER": "https://issuer.example.com",
            "SC_JWT_AUDIENCE": "shop",
            "SC_CORS_ORIGINS": "*",
        },
        ({"SC_JWT_AUDIENCE": "shop,till"},),
    ),
    # A service that takes 12 s to listen, in which no task gets a request.
    "slow-start": Variant(
        {"SC_REGISTER_WHEN_HEALTHY": "true"},
        ({"SC_ENVIRONMENT": "START_SECONDS=12", "SC_AVAILABILITY_ZONE_REBALANCING": "false"},),
    ),
    # Two services beside the stack's own, of which Service Connect's names are asked for; 1 worker, then 2.
    "fleet": Variant({"SC_LOAD_FLEET": "1"}, ({"SC_LOAD_FLEET": "2"},)),
    # API Gateway keeps a stage that a mapping has: the mapping moves to the new one first. The domain leads nowhere
    # on a twin, so the API is asked at its own address.
    "domain": Variant(
        {
            "SC_DOMAIN_NAME": "api.example.com",
            "SC_CERTIFICATE_ARN": "arn:aws:acm:eu-west-2:123456789012:certificate/0a1b2c3d",
            "SC_HOSTED_ZONE_ID": "{zone}",
            "SC_IP_ADDRESS_TYPE": "dualstack",
            "SC_STAGE": "prod",
        },
        ({"SC_TAGS": "team=web"}, {"SC_STAGE": "test"}),
    ),
    # Another share is a deployment in place. Nothing is run as the collector here, and tasks do not wait for it.
    "spot-sidecar": Variant(
        {
            "SC_FARGATE_SPOT": "50",
            "SC_SIDECARS": json.dumps([{"name": "otel", "image": f"{_IMAGE}:1", "ports": [4318]}]),
        },
        ({"SC_FARGATE_SPOT": "70"}, {"SC_SIDECARS": "[]", "SC_COMMAND": "python,-m,app"}),
    ),
    # A VPC link cannot be given other subnets: another takes its place, and the integrations move before it goes.
    "zones": Variant({"SC_AZ_COUNT": "2"}, ({"SC_AZ_COUNT": "3"},)),
    # The second key is refused beside the first: the route has to be changed in place.
    "renamed-variable": Variant(
        {"SC_ROUTES": "GET /hostname,GET /orders/{id},ANY /files/{path+}"},
        ({"SC_ROUTES": "GET /hostname,GET /orders/{order},ANY /files/{proxy+}"},),
    ),
    "vpc-alarms": Variant(
        {
            "SC_VPC_ID": "{vpc}",
            "SC_VPC_CIDR": "10.9.0.0/16",
            "SC_SUBNET_IDS": "{subnets}",
            "SC_ROUTE_TABLE_IDS": "{route_tables}",
            "SC_ALARM_TOPIC_ARN": "{topic}",
        },
        ({"SC_ALARM_TOPIC_ARN": "{other_topic}", "SC_DESIRED_COUNT": "4"},),
    ),
}


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_stack_is_applied_changed_and_destroyed(variant: str, endpoint: Endpoint, deploy: Deploy) -> None:
    there = _SURROUNDINGS[variant](endpoint) if variant in _SURROUNDINGS else {}
    settings, changes = VARIANTS[variant].settings, VARIANTS[variant].changes
    before = inventory(endpoint.client)

    # Tasks go on serving for longer than the gateway caches them, so that a rolling deployment loses nothing: 5 s, and
    # as long as a busy machine takes to ask anew.
    settings = {"SC_DRAIN_SECONDS": "20"} | _filled(settings, there)
    terraform = deploy(**settings)
    assert terraform.changes() == ""

    url = f"{_address(terraform, endpoint, settings)}/hostname"
    auth = caller(settings, endpoint)
    assert len(hostnames(url, expected=3, auth=auth)) == 3
    assert auth is None or httpx.get(url).status_code in (401, 403)
    for change in changes:
        settings = settings | _filled(change, there)
        if "SC_STAGE" in change:  # it is replaced, and so is the address
            terraform = deploy(**settings)
            url = f"{_address(terraform, endpoint, settings)}/hostname"
        else:
            with load(url, auth) as answers:
                terraform = deploy(**settings)
            assert set(answers) == {"200"}, answers
        assert terraform.changes() == ""
        count = int(settings.get("SC_DESIRED_COUNT", "3"))
        assert len(hostnames(url, expected=count, auth=auth)) == count

    terraform.destroy()
    assert inventory(endpoint.client) == before


def _address(terraform: Terraform, endpoint: Endpoint, settings: Settings) -> str:
    """Where the API answers on this machine: not at a domain of its own."""
    if "SC_DOMAIN_NAME" not in settings:
        return terraform.output()["gateway_url"]
    assert terraform.output()["gateway_url"] == f"https://{settings['SC_DOMAIN_NAME']}"
    (api,) = endpoint.client("apigatewayv2").get_apis()["Items"]
    return f"{api['ApiEndpoint']}/{settings['SC_STAGE']}"


def _topics_and_network(endpoint: Endpoint) -> Settings:
    return {**vpc(endpoint.client), "topic": topic(endpoint.client), "other_topic": topic(endpoint.client, "other")}


_SURROUNDINGS: dict[str, Callable[[Endpoint], Settings]] = {
    "default": lambda endpoint: tenant(endpoint.client),
    "vpc-alarms": _topics_and_network,
    "domain": lambda endpoint: {"zone": zone(endpoint.client, "example.com")},
}


def _filled(settings: Settings, there: Settings) -> Settings:
    return {name: value.format(**there) for name, value in settings.items()} if there else settings
