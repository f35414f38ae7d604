"""What is in an account before the stack: a VPC with subnets, a topic, a hosted zone, another stack's discovery."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["tenant", "topic", "vpc", "zone"]

_SUBNETS = {"eu-west-2a": "10.9.0.0/20", "eu-west-2b": "10.9.16.0/20"}


def vpc(client: Callable[[str], Any]) -> dict[str, str]:
    """A VPC with a private subnet in each of two zones and a route table for both: their ids, as settings have them."""
    ec2 = client("ec2")
    identifier = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    for attribute in ("EnableDnsSupport", "EnableDnsHostnames"):
        ec2.modify_vpc_attribute(VpcId=identifier, **{attribute: {"Value": True}})
    table = ec2.create_route_table(VpcId=identifier)["RouteTable"]["RouteTableId"]
    subnets = []
    for zone, block in _SUBNETS.items():
        subnet = ec2.create_subnet(VpcId=identifier, AvailabilityZone=zone, CidrBlock=block)["Subnet"]["SubnetId"]
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        subnets.append(subnet)
    return {"vpc": identifier, "subnets": ",".join(subnets), "route_tables": table}


def tenant(client: Callable[[str], Any]) -> dict[str, str]:
    """Another namespace, with a Cloud Map service of our service's name in which nobody answers."""
    cloud_map = client("servicediscovery")
    operation = cloud_map.create_http_namespace(Name="another")["OperationId"]
    namespace = cloud_map.get_operation(OperationId=operation)["Operation"]["Targets"]["NAMESPACE"]
    service = cloud_map.create_service(Name="serviceconnect", NamespaceId=namespace)["Service"]["Id"]
    deaf = {"AWS_INSTANCE_IPV4": "127.0.0.1", "AWS_INSTANCE_PORT": "9"}
    cloud_map.register_instance(ServiceId=service, InstanceId="deaf", Attributes=deaf)
    return {}


def topic(client: Callable[[str], Any], name: str = "alarms") -> str:
    """The ARN of a new SNS topic."""
    return str(client("sns").create_topic(Name=name)["TopicArn"])


def zone(client: Callable[[str], Any], name: str) -> str:
    """The id of a new hosted zone."""
    made = client("route53").create_hosted_zone(Name=name, CallerReference=name)["HostedZone"]["Id"]
    return str(made).removeprefix("/hostedzone/")
