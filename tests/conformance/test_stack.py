"""The stack by the real Terraform with the real provider: apply, traffic, an empty plan, changes in place, destroy."""

from __future__ import annotations

import pytest

from tests.conformance.conftest import Deploy, Endpoint
from tests.conformance.left import inventory
from tests.conformance.load import hostnames, load

Settings = dict[str, str]

_MANY_ROUTES = "GET /hostname,GET /identity,GET /payload,GET /ready,ANY /{proxy+}"
# Settings, then one set of changes in place after the other.
VARIANTS: dict[str, tuple[Settings, list[Settings]]] = {
    "default": (
        {},
        [
            {"SC_DESIRED_COUNT": "4", "SC_THROTTLE_RATE": "4000", "SC_ROUTES": _MANY_ROUTES, "SC_TAGS": "team=web"},
            {"SC_ENVIRONMENT": "GREETING=hello", "SC_REQUEST_TIMEOUT": "20"},
        ],
    ),
    "comparison": ({"SC_COMPARISON": "true"}, [{"SC_COMPARISON_HEALTH_PATH": "/hostname"}]),
    "autoscaling": ({"SC_AUTOSCALING": "cpu"}, [{"SC_AUTOSCALING_TARGET": "50", "SC_TAGS": "team=web"}]),
    "stage": (
        {"SC_STAGE": "prod", "SC_CORS_ORIGINS": "https://example.com"},
        [{"SC_CORS_ORIGINS": "https://example.com,https://example.org", "SC_THROTTLE_BURST": "100"}],
    ),
    "insights": ({"SC_CONTAINER_INSIGHTS": "enabled", "SC_TAGS": "team=web"}, [{"SC_TAGS": ""}]),
    "iam": ({"SC_AUTHORIZATION": "AWS_IAM", "SC_EXECUTE_COMMAND": "true"}, [{"SC_EXECUTE_COMMAND": "false"}]),
    "jwt": (
        {
            "SC_AUTHORIZATION": "JWT",
            "SC_JWT_ISSUER": "https://issuer.example.com",
            "SC_JWT_AUDIENCE": "shop",
            "SC_CORS_ORIGINS": "*",
        },
        [{"SC_JWT_AUDIENCE": "shop,till"}],
    ),
}


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_stack_is_applied_changed_and_destroyed(variant: str, endpoint: Endpoint, deploy: Deploy) -> None:
    settings, changes = VARIANTS[variant]
    before = inventory(endpoint.client)

    terraform = deploy(**settings)
    assert terraform.changes() == ""

    output = terraform.output()
    url = f"{output['gateway_url']}/hostname"
    is_open = "SC_AUTHORIZATION" not in settings
    if is_open:
        assert len(hostnames(url, expected=3)) == 3
    for change in changes:
        settings = settings | change
        with load(url) as answers:
            terraform = deploy(**settings)
        assert answers.keys() == ({"200"} if is_open else {"401"} if "JWT" in settings.values() else {"403"})
        assert terraform.changes() == ""
        if is_open:
            assert len(hostnames(url, count := int(settings.get("SC_DESIRED_COUNT", "3")))) == count

    terraform.destroy()
    assert inventory(endpoint.client) - before == frozenset()
