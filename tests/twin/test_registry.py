"""What ECS does in Cloud Map is what Cloud Map's API tells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from twin.network import Address
from twin.registry import Registry

REGION = "eu-west-2"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    httpx.post(f"http://{host}:{port}/moto-api/reset").raise_for_status()
    server.stop()


@pytest.fixture
def cloud_map(url: str) -> Any:
    return boto3.client(
        "servicediscovery",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(inject_host_prefix=False),
    )


@pytest.fixture
def registry(url: str) -> Registry:
    httpx.post(f"{url}/moto-api/reset").raise_for_status()
    return Registry("123456789012", REGION)


def test_a_namespace_is_found_by_name_and_by_arn(registry: Registry, cloud_map: Any) -> None:
    cloud_map.create_http_namespace(Name="shop")
    (namespace,) = cloud_map.list_namespaces()["Namespaces"]

    assert registry.namespace_arn("shop") == registry.namespace_arn(namespace["Arn"]) == namespace["Arn"]
    assert registry.namespace_arn("other") is None
    assert registry.create_namespace("other") == registry.namespace_arn("other")


def test_a_service_is_made_once(registry: Registry, cloud_map: Any) -> None:
    registry.create_namespace("shop")

    first, second = (registry.create_service("shop", "http") for _ in range(2))

    assert first == second
    (service,) = cloud_map.list_services()["Services"]
    assert (service["Id"], service["Arn"], service["Name"]) == (*first, "http")
    with pytest.raises(LookupError):
        registry.create_service("other", "http")


def test_instances_are_discovered_until_they_are_deregistered(registry: Registry, cloud_map: Any) -> None:
    registry.create_namespace("shop")
    identifier, _ = registry.create_service("shop", "http")
    for number in (1, 2):
        registry.register(identifier, f"task-{number}", Address(f"127.64.1.{number}", 8080), {"AvailabilityZone": "a"})

    def discovered() -> dict[str, dict[str, str]]:
        answer = cloud_map.discover_instances(NamespaceName="shop", ServiceName="http")
        return {instance["InstanceId"]: instance["Attributes"] for instance in answer["Instances"]}

    assert discovered()["task-1"] == {
        "AWS_INSTANCE_IPV4": "127.64.1.1",
        "AWS_INSTANCE_PORT": "8080",
        "AvailabilityZone": "a",
    }
    registry.deregister(identifier, "task-1")
    assert discovered().keys() == {"task-2"}
    assert registry.instances(identifier) == ["task-2"]


def test_what_is_gone_is_passed_over(registry: Registry) -> None:
    registry.create_namespace("shop")
    identifier, _ = registry.create_service("shop", "http")
    registry.deregister(identifier, "task-1")
    registry.delete_service(identifier)
    registry.delete_service(identifier)
    registry.register(identifier, "task-1", Address("127.64.1.1", 8080), {})
    registry.deregister(identifier, "task-1")

    assert registry.instances(identifier) == []
