"""What is in an account before the stack: a VPC with subnets, a topic, a hosted zone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["topic", "vpc", "zone"]

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


def topic(client: Callable[[str], Any], name: str = "alarms") -> str:
    """The ARN of a new SNS topic."""
    return str(client("sns").create_topic(Name=name)["TopicArn"])


def zone(client: Callable[[str], Any], name: str) -> str:
    """The id of a new hosted zone."""
    made = client("route53").create_hosted_zone(Name=name, CallerReference=name)["HostedZone"]["Id"]
    return str(made).removeprefix("/hostedzone/")
