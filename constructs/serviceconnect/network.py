"""The network: private subnets without a way to the internet, and the security groups of VPC link and tasks."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from cdktf import ITerraformDependable
from cdktf_cdktf_provider_aws.default_security_group import DefaultSecurityGroup
from cdktf_cdktf_provider_aws.route_table import RouteTable
from cdktf_cdktf_provider_aws.route_table_association import RouteTableAssociation
from cdktf_cdktf_provider_aws.security_group import SecurityGroup
from cdktf_cdktf_provider_aws.subnet import Subnet
from cdktf_cdktf_provider_aws.vpc import Vpc
from constructs import Construct

from serviceconnect.security import connect, security_group, way_out
from serviceconnect.settings.network import NetworkSettings

__all__ = ["Network", "TaskNetwork"]

# What begins like this is no range of addresses.
_PEERS = {"sg-": "referenced_security_group_id", "pl-": "prefix_list_id"}


class TaskNetwork:
    """The subnets and security groups of one service's tasks; the groups and rules are made in *scope*.

    `ways` has the routes and rules that tasks need from their first packet to their last: nothing refers to them.
    """

    def __init__(
        self,
        scope: Construct,
        settings: NetworkSettings,
        vpc_id: str,
        subnet_ids: Sequence[str],
        routed: Sequence[ITerraformDependable],
    ) -> None:
        self.subnet_ids = [*subnet_ids]
        self.group = security_group(scope, "tasks", settings.name, vpc_id, "Tasks")
        self.group_ids = [self.group.id, *settings.task_security_groups]
        self.ways = [*routed]
        for destination in settings.egress:
            peer, _, port = destination.rpartition(":")
            named = {_PEERS.get(peer[:3], "cidr_ipv4"): peer}
            # A dot or slash would go from Terraform's name of it.
            id = f"egress-{re.sub('[./:]', '-', destination)}"
            self.ways.append(way_out(scope, id, self.group, int(port), "By the setting egress", **named))

    def admit(self, scope: Construct, id: str, source: SecurityGroup, port: int) -> list[ITerraformDependable]:
        """Let *source* open TCP connections to *port* of the tasks: what both wait for, made in *scope*."""
        rules = connect(scope, id, source, self.group, port)
        self.ways += rules
        return rules


class Network(Construct):
    """A VPC with a private subnet in each zone, or an existing one, and the group of the VPC link.

    `tasks` has the network of the stack's first service, which the VPC link reaches.
    """

    def __init__(self, scope: Construct, id: str, settings: NetworkSettings, container_port: int) -> None:
        super().__init__(scope, id)
        self._routed: list[ITerraformDependable] = []
        self.vpc_id = settings.vpc_id
        self.subnet_ids = list(settings.subnet_ids)
        self.route_table_ids = list(settings.route_table_ids)
        if not settings.vpc_id:
            self._make_vpc(settings)
        self.vpc_link_group = security_group(self, "vpc-link", settings.name, self.vpc_id, "VPC link of API Gateway")
        self.tasks = self.beside(self, settings)
        self.tasks.admit(self, "requests", self.vpc_link_group, container_port)

    def beside(self, scope: Construct, settings: NetworkSettings) -> TaskNetwork:
        """The network of a service in the same subnets, with a security group of its own, made in *scope*."""
        return TaskNetwork(scope, settings, self.vpc_id, self.subnet_ids, self._routed)

    def _make_vpc(self, settings: NetworkSettings) -> None:
        vpc = Vpc(
            self,
            "vpc",
            cidr_block=settings.vpc_cidr,
            # Both for the endpoints' private names.
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags={"Name": settings.name},
        )
        # Without rules: what is put into the default group by mistake reaches nothing.
        DefaultSecurityGroup(self, "default", vpc_id=vpc.id)
        routes = RouteTable(self, "routes", vpc_id=vpc.id, tags={"Name": settings.name})
        ranges = ipaddress.IPv4Network(settings.vpc_cidr).subnets(prefixlen_diff=4)
        for zone, cidr in zip(settings.zones, ranges, strict=False):
            subnet = Subnet(
                self,
                f"private-{zone[-1]}",
                vpc_id=vpc.id,
                availability_zone=zone,
                cidr_block=str(cidr),
                tags={"Name": f"{settings.name}-private-{zone}"},
            )
            routed = RouteTableAssociation(self, f"routes-{zone[-1]}", route_table_id=routes.id, subnet_id=subnet.id)
            self._routed.append(routed)
            self.subnet_ids.append(subnet.id)
        self.vpc_id = vpc.id
        self.route_table_ids = [routes.id]
