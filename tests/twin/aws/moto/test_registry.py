"""What ECS does in Cloud Map is what Cloud Map's API tells."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer
from werkzeug.test import Client

from twin.aws.moto.registry import Registry
from twin.aws.moto.stores import LOCK, Serialized
from twin.machine.addresses import Address

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


def test_operations_are_kept_up_to_a_number(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twin.aws.moto.registry.OPERATIONS_STAY", 5)
    registry.create_namespace("shop")
    identifier, _ = registry.create_service("shop", "http")
    for number in range(9):
        registry.register(identifier, f"task-{number}", Address("127.64.1.1", 8080), {})
        registry.deregister(identifier, f"task-{number}")

    assert len(registry._backend.operations) == 5
    assert not registry._backend.get_service(identifier).instances_revision


class HalfAnswered:
    """In the place of moto: in the middle of a request it lets another thread try to change a store."""

    def __init__(self, change: Callable[[], None]) -> None:
        self.change = threading.Thread(target=change)
        self.changed_meanwhile = False
        self.config: dict[str, bool] = {}

    def get_application(self, environ: Any) -> Any:
        return self

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        self.change.start()
        with ThreadPoolExecutor(1) as other:
            self.changed_meanwhile = other.submit(LOCK.acquire, blocking=False).result()
        self.changed_meanwhile |= not self.change.is_alive()
        start_response("200 OK", [])
        return [environ["wsgi.input"].read()]


def test_no_store_changes_while_moto_answers(registry: Registry) -> None:
    registry.create_namespace("shop")
    identifier, _ = registry.create_service("shop", "http")
    moto = HalfAnswered(lambda: registry.register(identifier, "task-1", Address("127.64.1.1", 8080), {}))

    answer = Client(Serialized(moto)).post("/", data=b"the whole body")

    assert answer.data == b"the whole body"
    assert not moto.changed_meanwhile
    moto.change.join()
    assert registry.instances(identifier) == ["task-1"]


def test_dns_names_have_the_addresses_of_healthy_instances(registry: Registry, cloud_map: Any) -> None:
    cloud_map.create_http_namespace(Name="calls")
    assert registry.dns_names() is None

    operation = cloud_map.create_private_dns_namespace(Name="shop.internal", Vpc="vpc-1")["OperationId"]
    namespace = cloud_map.get_operation(OperationId=operation)["Operation"]["Targets"]["NAMESPACE"]
    made = {
        kind: cloud_map.create_service(
            Name=kind.lower(),
            NamespaceId=namespace,
            DnsConfig={"DnsRecords": [{"Type": kind, "TTL": 10}]},
            HealthCheckCustomConfig={},
        )["Service"]["Id"]
        for kind in ("A", "SRV")
    }
    for name, address in (("one", "10.0.0.1"), ("two", "10.0.0.2"), ("none", "a\nb")):
        cloud_map.register_instance(
            ServiceId=made["A"], InstanceId=name, Attributes={"AWS_INSTANCE_IPV4": address}, CreatorRequestId=name
        )

    def found() -> Any:
        return (registry.dns_names() or {})["a.shop.internal"]

    assert registry.dns_names() == {"a.shop.internal": ["10.0.0.1", "10.0.0.2"], "srv.shop.internal": None}
    registry.set_health(made["A"], "one", healthy=False)
    assert found() == ["10.0.0.2"]
    for name in ("two", "none"):
        registry.set_health(made["A"], name, healthy=False)
    assert found() == ["10.0.0.1", "10.0.0.2"]
