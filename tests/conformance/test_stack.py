"""The stack by the real Terraform with the real provider: apply, traffic, an empty plan, changes in place, destroy."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
import pytest

from tests.conformance.caller import caller
from tests.conformance.conftest import Deploy, Endpoint
from tests.conformance.left import inventory
from tests.conformance.load import hostnames, load
from tests.conformance.surroundings import topic, vpc

Settings = dict[str, str]

_MANY_ROUTES = "GET /hostname,GET /identity,GET /payload,GET /ready,ANY /{proxy+}"
_IMAGE = "123456789012.dkr.ecr.eu-west-2.amazonaws.com/web"


@dataclass(frozen=True)
class Variant:
    """Settings, then one set of changes in place after the other, each under load.

    A value in braces stands for what is there before the stack: see `_surroundings`.
    """

    settings: Settings
    changes: tuple[Settings, ...]


VARIANTS = {
    "default": Variant(
        {"SC_DRAIN_SECONDS": "20"},
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
    "slow-start": Variant({"SC_REGISTER_WHEN_HEALTHY": "true"}, ({"SC_ENVIRONMENT": "START_SECONDS=12"},)),
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
    there = _surroundings(endpoint) if variant == "vpc-alarms" else {}
    settings, changes = VARIANTS[variant].settings, VARIANTS[variant].changes
    before = inventory(endpoint.client)

    # Tasks go on serving for longer than the gateway caches them (5 s), so that a rolling deployment loses nothing.
    settings = {"SC_DRAIN_SECONDS": "8"} | _filled(settings, there)
    terraform = deploy(**settings)
    assert terraform.changes() == ""

    url = f"{terraform.output()['gateway_url']}/hostname"
    auth = caller(settings, endpoint)
    assert len(hostnames(url, expected=3, auth=auth)) == 3
    assert auth is None or httpx.get(url).status_code in (401, 403)
    for change in changes:
        settings = settings | _filled(change, there)
        if "SC_STAGE" in change:  # it is replaced, and so is the address
            terraform = deploy(**settings)
            url = f"{terraform.output()['gateway_url']}/hostname"
        else:
            with load(url, auth) as answers:
                terraform = deploy(**settings)
            assert answers.keys() == {"200"}
        assert terraform.changes() == ""
        count = int(settings.get("SC_DESIRED_COUNT", "3"))
        assert len(hostnames(url, expected=count, auth=auth)) == count

    terraform.destroy()
    assert inventory(endpoint.client) == before


def _surroundings(endpoint: Endpoint) -> Settings:
    return {**vpc(endpoint.client), "topic": topic(endpoint.client), "other_topic": topic(endpoint.client, "other")}


def _filled(settings: Settings, there: Settings) -> Settings:
    return {name: value.format(**there) if there else value for name, value in settings.items()}
