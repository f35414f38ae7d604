"""Cloud Map refuses, filters and discovers as its API reference says; boto3 asks."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.twin.aws.moto.conftest import Client

Json = dict[str, Any]


@pytest.fixture
def cloud_map(client: Client) -> Any:
    return client("servicediscovery")


def namespace(cloud_map: Any, name: str = "shop") -> str:
    operation = cloud_map.create_http_namespace(Name=name)["OperationId"]
    return str(cloud_map.get_operation(OperationId=operation)["Operation"]["Targets"]["NAMESPACE"])


def service(cloud_map: Any, of: str, name: str = "http", **more: Any) -> Json:
    made: Json = cloud_map.create_service(Name=name, NamespaceId=of, **more)["Service"]
    return made


def register(cloud_map: Any, of: str, name: str, **attributes: str) -> None:
    where = {"AWS_INSTANCE_IPV4": "127.0.0.9", "AWS_INSTANCE_PORT": "80"}
    cloud_map.register_instance(ServiceId=of, InstanceId=name, Attributes=where | attributes)


def discovered(cloud_map: Any, **more: Any) -> dict[str, str]:
    answer = cloud_map.discover_instances(NamespaceName="shop", ServiceName="http", **more)
    return {instance["InstanceId"]: instance["HealthStatus"] for instance in answer["Instances"]}


def refusal(call: Any, **request: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**request)
    return str(error.value.response["Error"]["Code"])


def test_services_are_listed_by_namespace(cloud_map: Any) -> None:
    shop, till = namespace(cloud_map), namespace(cloud_map, "till")
    own = service(cloud_map, shop)
    service(cloud_map, till)

    def listed(value: str) -> list[str]:
        condition = {"Name": "NAMESPACE_ID", "Values": [value], "Condition": "EQ"}
        return [found["Id"] for found in cloud_map.list_services(Filters=[condition])["Services"]]

    arn = cloud_map.get_namespace(Id=shop)["Namespace"]["Arn"]
    assert listed(shop) == listed(arn) == [own["Id"]]
    assert listed("ns-nope") == listed(arn.replace("eu-west-2", "us-east-1")) == []
    assert len(cloud_map.list_services()["Services"]) == 2


@pytest.mark.parametrize(
    ("name", "value", "condition", "found"),
    [
        ("HTTP_NAME", "shop", "EQ", ["shop"]),
        ("HTTP_NAME", "nope", "EQ", []),
        ("NAME", "sh", "BEGINS_WITH", ["shop"]),
        ("TYPE", "HTTP", "EQ", ["shop", "till"]),
        ("TYPE", "DNS_PUBLIC", "EQ", []),
    ],
)
def test_namespaces_are_listed_by(cloud_map: Any, name: str, value: str, condition: str, found: list[str]) -> None:
    for each in ("shop", "till"):
        namespace(cloud_map, each)

    conditions = [{"Name": name, "Values": [value], "Condition": condition}]
    assert [n["Name"] for n in cloud_map.list_namespaces(Filters=conditions)["Namespaces"]] == found


def test_a_filter_with_several_values_is_refused(cloud_map: Any) -> None:
    condition = {"Name": "NAMESPACE_ID", "Values": ["a", "b"], "Condition": "EQ"}
    assert refusal(cloud_map.list_services, Filters=[condition]) == "InvalidInput"


def test_lists_have_pages(cloud_map: Any) -> None:
    for each in ("a", "b", "c"):
        namespace(cloud_map, each)

    pages = [
        page["Namespaces"]
        for page in cloud_map.get_paginator("list_namespaces").paginate(PaginationConfig={"PageSize": 2})
    ]
    assert [[n["Name"] for n in page] for page in pages] == [["a", "b"], ["c"]]


def test_a_second_namespace_or_service_of_a_name_is_refused(cloud_map: Any) -> None:
    shop = namespace(cloud_map)
    made = service(cloud_map, shop)

    with pytest.raises(cloud_map.exceptions.NamespaceAlreadyExists) as error:
        cloud_map.create_http_namespace(Name="shop")
    assert error.value.response["NamespaceId"] == shop
    with pytest.raises(cloud_map.exceptions.ServiceAlreadyExists) as error:
        cloud_map.create_service(Name="http", NamespaceId=shop)
    assert error.value.response["ServiceId"] == made["Id"]
    service(cloud_map, namespace(cloud_map, "till"))  # in another namespace the name is free


def test_a_service_needs_a_namespace_that_is_there(cloud_map: Any) -> None:
    arn = "arn:aws:servicediscovery:us-east-1:123456789012:namespace/"
    assert refusal(cloud_map.create_service, Name="http", NamespaceId="ns-nope") == "NamespaceNotFound"
    foreign = arn + namespace(cloud_map)
    assert refusal(cloud_map.create_service, Name="http", NamespaceId=foreign) == "NamespaceNotFound"


def test_what_is_in_use_is_not_deleted(cloud_map: Any) -> None:
    shop = namespace(cloud_map)
    made = service(cloud_map, shop)
    register(cloud_map, made["Id"], "one")

    assert refusal(cloud_map.delete_service, Id=made["Id"]) == "ResourceInUse"
    assert refusal(cloud_map.delete_namespace, Id=shop) == "ResourceInUse"

    cloud_map.deregister_instance(ServiceId=made["Id"], InstanceId="one")
    cloud_map.delete_service(Id=made["Arn"])
    cloud_map.delete_namespace(Id=shop)
    assert cloud_map.list_namespaces()["Namespaces"] == []
    assert refusal(cloud_map.delete_service, Id=made["Id"]) == "ServiceNotFound"


def test_a_private_dns_namespace_takes_its_hosted_zone_with_it(client: Client, cloud_map: Any) -> None:
    vpc = client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    zones = client("route53").list_hosted_zones
    operation = cloud_map.create_private_dns_namespace(Name="shop.local", Vpc=vpc)["OperationId"]
    made = cloud_map.get_operation(OperationId=operation)["Operation"]["Targets"]["NAMESPACE"]

    (zone,) = zones()["HostedZones"]
    properties = cloud_map.get_namespace(Id=made)["Namespace"]["Properties"]["DnsProperties"]
    assert zone["Id"].endswith(properties["HostedZoneId"].rpartition("/")[2])
    cloud_map.delete_namespace(Id=made)
    assert zones()["HostedZones"] == []


def test_an_instance_that_is_registered_again_has_its_new_attributes(cloud_map: Any) -> None:
    made = service(cloud_map, namespace(cloud_map))
    register(cloud_map, made["Id"], "one", version="1")
    register(cloud_map, made["Arn"], "one", version="2")

    (instance,) = cloud_map.list_instances(ServiceId=made["Id"])["Instances"]
    assert instance["Attributes"]["version"] == "2"
    assert cloud_map.get_service(Id=made["Id"])["Service"]["InstanceCount"] == 1


def test_instances_are_discovered_by_their_attributes(cloud_map: Any) -> None:
    made = service(cloud_map, namespace(cloud_map))
    register(cloud_map, made["Id"], "one", version="1", zone="a")
    register(cloud_map, made["Id"], "two", version="1", zone="b")
    register(cloud_map, made["Id"], "three", version="2", zone="a")

    assert discovered(cloud_map, QueryParameters={"version": "1", "zone": "b"}).keys() == {"two"}
    assert discovered(cloud_map, QueryParameters={"version": "1"}, OptionalParameters={"zone": "a"}).keys() == {"one"}
    assert discovered(cloud_map, QueryParameters={"version": "1"}, OptionalParameters={"zone": "c"}).keys() == {
        "one",
        "two",
    }
    assert discovered(cloud_map, QueryParameters={"version": "3"}) == {}
    assert len(discovered(cloud_map, MaxResults=2)) == 2


def test_without_a_health_check_every_instance_is_returned_whatever_status_is_asked_for(cloud_map: Any) -> None:
    made = service(cloud_map, namespace(cloud_map))
    register(cloud_map, made["Id"], "one")

    assert discovered(cloud_map, HealthStatus="UNHEALTHY") == {"one": "UNKNOWN"}
    report = {"ServiceId": made["Id"], "InstanceId": "one", "Status": "UNHEALTHY"}
    assert refusal(cloud_map.update_instance_custom_health_status, **report) == "CustomHealthNotFound"


def test_a_custom_health_check_decides_who_is_discovered(cloud_map: Any) -> None:
    made = service(cloud_map, namespace(cloud_map), HealthCheckCustomConfig={"FailureThreshold": 1})
    register(cloud_map, made["Id"], "one")
    register(cloud_map, made["Id"], "two", AWS_INIT_HEALTH_STATUS="UNHEALTHY")

    assert discovered(cloud_map) == {"one": "HEALTHY", "two": "UNHEALTHY"}
    assert discovered(cloud_map, HealthStatus="HEALTHY_OR_ELSE_ALL").keys() == {"one"}
    cloud_map.update_instance_custom_health_status(ServiceId=made["Id"], InstanceId="one", Status="UNHEALTHY")
    assert discovered(cloud_map, HealthStatus="HEALTHY") == {}
    assert discovered(cloud_map, HealthStatus="HEALTHY_OR_ELSE_ALL").keys() == {"one", "two"}


def test_the_order_is_random_and_a_page_has_a_hundred(cloud_map: Any) -> None:
    made = service(cloud_map, namespace(cloud_map))
    for number in range(101):
        register(cloud_map, made["Id"], f"{number}")

    orders = {tuple(discovered(cloud_map)) for _ in range(3)}
    assert len(orders) == 3
    assert {len(order) for order in orders} == {100}
    assert len(discovered(cloud_map, MaxResults=1000)) == 101


def test_what_is_not_there_cannot_be_discovered(cloud_map: Any) -> None:
    namespace(cloud_map)
    ask = cloud_map.discover_instances
    assert refusal(ask, NamespaceName="nope", ServiceName="http") == "NamespaceNotFound"
    assert refusal(ask, NamespaceName="shop", ServiceName="nope") == "ServiceNotFound"


def test_operations_are_listed_by_namespace(cloud_map: Any) -> None:
    shop, till = namespace(cloud_map), namespace(cloud_map, "till")
    condition = {"Name": "NAMESPACE_ID", "Values": [till], "Condition": "EQ"}
    (operation,) = cloud_map.list_operations(Filters=[condition])["Operations"]
    assert cloud_map.get_operation(OperationId=operation["Id"])["Operation"]["Targets"] == {"NAMESPACE": till}
    assert shop != till


INJECTED = "a\n6.6.6.6 bank.example"


@pytest.mark.parametrize("name", [INJECTED, "a b", "a\n", "\u00e4", "arn:a b", "a" * 1025])
def test_names_are_those_that_cloud_map_takes(cloud_map: Any, name: str) -> None:
    assert refusal(cloud_map.create_http_namespace, Name=name) == "InvalidInput"
    assert refusal(cloud_map.create_private_dns_namespace, Name=name, Vpc="vpc-1") == "InvalidInput"
    assert refusal(cloud_map.create_public_dns_namespace, Name=name) == "InvalidInput"
    assert refusal(cloud_map.create_service, Name=name, NamespaceId=namespace(cloud_map)) == "InvalidInput"


@pytest.mark.parametrize("name", ["http", "a", "_sip._tcp", "a.b-c.d_e", "A1"])
def test_a_service_may_be_called_so(cloud_map: Any, name: str) -> None:
    assert service(cloud_map, namespace(cloud_map), name)["Name"] == name
