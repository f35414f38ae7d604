"""Cluster and Service without the rest of the stack: two services that find each other, of somebody else's stack."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from serviceconnect.program import find_node
from tests.constructs.synthesis import Json, address, at, reference

if TYPE_CHECKING:
    from cdktf import TerraformStack

PROXY_LOG = {"awslogs-group": "/shop", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "proxy"}


@pytest.fixture(scope="module")
def shop() -> Json:
    """The stack of a web shop that calls a service of orders."""
    find_node()
    from cdktf import Testing as CdktfTesting

    parsed: Json = json.loads(CdktfTesting.synth(_shop()))
    return parsed


def _shop() -> TerraformStack:
    from cdktf import TerraformStack
    from cdktf import Testing as CdktfTesting
    from cdktf_cdktf_provider_aws.ecs_task_definition import EcsTaskDefinition

    from serviceconnect.cluster import Cluster, ClusterProps
    from serviceconnect.service import Endpoint, Service, ServiceProps

    stack = TerraformStack(CdktfTesting.app(), "shop")
    cluster = Cluster(stack, "cluster", ClusterProps(name="shop", region="eu-west-1"))

    def service(name: str, endpoint: Endpoint | None, *after: Service) -> Service:
        task = EcsTaskDefinition(stack, f"{name}-task", family=name, container_definitions="[]")
        return Service(
            stack,
            name,
            ServiceProps(
                name=name,
                cluster=cluster,
                task_definition=task,
                subnet_ids=["subnet-0a"],
                security_group_ids=["sg-0a"],
                proxy_log=PROXY_LOG,
                endpoint=endpoint,
                fargate_spot=25,
                after=[other.rolled_out for other in after],
            ),
        )

    orders = service("orders", Endpoint(port_name="http", name="orders", port=8080, request_timeout=5))
    service("web", None, orders)
    return stack


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
