"""Cluster and Service without the rest of the stack: examples/shop, two services that find each other."""

from __future__ import annotations

import json

import pytest

from serviceconnect.program import find_node
from tests.constructs.synthesis import Json, address, at, reference


@pytest.fixture(scope="module")
def shop() -> Json:
    """The stack of a web shop that calls a service of orders."""
    find_node()
    from cdktf import Testing as CdktfTesting

    from examples.shop.main import Shop

    parsed: Json = json.loads(CdktfTesting.synth(Shop(CdktfTesting.app(), "shop")))
    return parsed


def test_a_server_is_registered_and_a_client_is_not(shop: Json) -> None:
    namespace = reference(shop, "aws_service_discovery_http_namespace", "cluster/namespace", "arn")
    orders, web = (
        at(shop, "aws_ecs_service", f"{name}/service")["service_connect_configuration"] for name in ("orders", "web")
    )
    assert orders["namespace"] == web["namespace"] == namespace
    (registered,) = orders["service"]
    assert (registered["discovery_name"], registered["client_alias"]) == (
        "orders",
        {"dns_name": "orders", "port": 8080},
    )
    assert registered["timeout"] == {"per_request_timeout_seconds": 5, "idle_timeout_seconds": 300}
    assert "service" not in web


def test_a_client_may_wait_for_its_server(shop: Json) -> None:
    # Of endpoints that come later than a deployment its tasks do not know.
    web = at(shop, "aws_ecs_service", "web/service")["depends_on"]
    assert address(shop, "terraform_data", "orders/rolled-out") in web


def test_both_wait_for_the_namespace_to_be_emptied_and_for_spot(shop: Json) -> None:
    for name in ("orders", "web"):
        service = at(shop, "aws_ecs_service", f"{name}/service")
        assert address(shop, "terraform_data", "cluster/emptied") in service["depends_on"]
        assert address(shop, "aws_ecs_cluster_capacity_providers", "cluster/capacity") in service["depends_on"]
        shares = {one["capacity_provider"]: one["weight"] for one in service["capacity_provider_strategy"]}
        assert shares == {"FARGATE": 75, "FARGATE_SPOT": 25}
