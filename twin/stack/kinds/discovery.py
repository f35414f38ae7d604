"""Cloud Map: the namespace of Service Connect, and the service that ECS makes in it."""

from __future__ import annotations

from twin.aws.client import Aws
from twin.errors import BadStack
from twin.stack.call import Arguments, Attributes, Call, without

__all__ = ["DISCOVERY"]


def _namespace(aws: Aws, made: Attributes) -> Attributes:
    """Creating a namespace answers with an operation, which names it."""
    operation = aws.call("servicediscovery", "GetOperation", OperationId=made["operation_id"])["Operation"]
    namespace = aws.call("servicediscovery", "GetNamespace", Id=operation["Targets"]["NAMESPACE"])["Namespace"]
    properties = namespace["Properties"]
    return {
        "id": namespace["Id"],
        "arn": namespace["Arn"],
        "http_name": (properties.get("HttpProperties") or {}).get("HttpName"),
        "hosted_zone": (properties.get("DnsProperties") or {}).get("HostedZoneId"),
    }


def _in_namespace(arguments: Arguments) -> Arguments:
    rest = without(arguments, "namespace_id")
    return {**rest, "filters": {"name": "NAMESPACE_ID", "values": arguments["namespace_id"], "condition": "EQ"}}


def _discovered(aws: Aws, service: Attributes) -> Attributes:
    if service["arn"] is None:
        raise BadStack(
            f"the namespace {service['namespace_id']} has no Cloud Map service {service['name']!r}; ECS makes it "
            "with the service, so name the service's discovery_name, and the aws_ecs_service in depends_on"
        )
    return {}


DISCOVERY = {
    "aws_service_discovery_http_namespace": Call(
        "servicediscovery", "CreateHttpNamespace", answer={"operation_id": "OperationId"}, then=_namespace
    ),
    "aws_service_discovery_private_dns_namespace": Call(
        "servicediscovery", "CreatePrivateDnsNamespace", answer={"operation_id": "OperationId"}, then=_namespace
    ),
    "aws_service_discovery_public_dns_namespace": Call(
        "servicediscovery", "CreatePublicDnsNamespace", answer={"operation_id": "OperationId"}, then=_namespace
    ),
    "aws_service_discovery_service": Call(
        "servicediscovery",
        "CreateService",
        answer={"id": "Service.Id", "arn": "Service.Arn"},
    ),
    "data.aws_service_discovery_service": Call(
        "servicediscovery",
        "ListServices",
        prepare=_in_namespace,
        answer={
            "id": "Services[?Name=='{name}'].Id | [0]",
            "arn": "Services[?Name=='{name}'].Arn | [0]",
            "description": "Services[?Name=='{name}'].Description | [0]",
        },
        takes=frozenset({"name"}),
        then=_discovered,
    ),
}
