"""The network: private subnets without a way to the internet, and the endpoints that stand in for it."""

from __future__ import annotations

import ipaddress

from cdktf_cdktf_provider_aws.route_table import RouteTable
from cdktf_cdktf_provider_aws.route_table_association import RouteTableAssociation
from cdktf_cdktf_provider_aws.security_group import SecurityGroup
from cdktf_cdktf_provider_aws.subnet import Subnet
from cdktf_cdktf_provider_aws.vpc import Vpc
from cdktf_cdktf_provider_aws.vpc_endpoint import VpcEndpoint
from cdktf_cdktf_provider_aws.vpc_security_group_egress_rule import VpcSecurityGroupEgressRule
from cdktf_cdktf_provider_aws.vpc_security_group_ingress_rule import VpcSecurityGroupIngressRule
from constructs import Construct

from serviceconnect.settings.network import NetworkSettings

__all__ = ["Network"]

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/vpc-endpoints.html: Fargate tasks in private subnets pull
# through the first two (and S3, below), log through the third; Service Connect's proxy needs the fourth.
INTERFACE_ENDPOINTS = ("ecr.api", "ecr.dkr", "logs", "ecs-agent")


class Network(Construct):
    """A VPC with a private subnet in each zone, and the chain VPC link -> tasks -> endpoints of security groups."""

    def __init__(self, scope: Construct, id: str, settings: NetworkSettings, container_port: int) -> None:
        super().__init__(scope, id)
        self.vpc = Vpc(
            self,
            "vpc",
            cidr_block=settings.vpc_cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags={"Name": settings.name},
        )
        route_table = RouteTable(self, "routes", vpc_id=self.vpc.id, tags={"Name": settings.name})
        ranges = ipaddress.ip_network(settings.vpc_cidr).subnets(prefixlen_diff=4)
        self.subnets = []
        for zone, cidr in zip(settings.zones, ranges, strict=False):
            subnet = Subnet(
                self,
                f"private-{zone[-1]}",
                vpc_id=self.vpc.id,
                availability_zone=zone,
                cidr_block=str(cidr),
                tags={"Name": f"{settings.name}-private-{zone}"},
            )
            RouteTableAssociation(self, f"routes-{zone[-1]}", route_table_id=route_table.id, subnet_id=subnet.id)
            self.subnets.append(subnet)

        self.vpc_link_group = self._group("vpc-link", settings.name, "API Gateway's VPC link")
        self.task_group = self._group("tasks", settings.name, "Tasks")
        endpoint_group = self._group("endpoints", settings.name, "VPC endpoints")

        s3 = VpcEndpoint(
            self,
            "s3",
            vpc_id=self.vpc.id,
            service_name=f"com.amazonaws.{settings.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[route_table.id],
            tags={"Name": f"{settings.name}-s3"},
        )
        self.endpoints = [s3]
        for service in INTERFACE_ENDPOINTS:
            self.endpoints.append(
                VpcEndpoint(
                    self,
                    service.replace(".", "-"),
                    vpc_id=self.vpc.id,
                    service_name=f"com.amazonaws.{settings.region}.{service}",
                    vpc_endpoint_type="Interface",
                    private_dns_enabled=True,
                    subnet_ids=[subnet.id for subnet in self.subnets],
                    security_group_ids=[endpoint_group.id],
                    tags={"Name": f"{settings.name}-{service}"},
                )
            )

        self._allow(self.vpc_link_group, self.task_group, container_port, "requests")
        self._allow(self.task_group, endpoint_group, 443, "api-calls")
        VpcSecurityGroupEgressRule(
            self,
            "image-layers",
            security_group_id=self.task_group.id,
            description="Image layers, which come from S3",
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            prefix_list_id=s3.prefix_list_id,
        )

    def _group(self, id: str, name: str, description: str) -> SecurityGroup:
        return SecurityGroup(
            self, id, name=f"{name}-{id}", description=description, vpc_id=self.vpc.id, tags={"Name": f"{name}-{id}"}
        )

    def _allow(self, source: SecurityGroup, target: SecurityGroup, port: int, id: str) -> None:
        VpcSecurityGroupEgressRule(
            self,
            f"{id}-out",
            security_group_id=source.id,
            referenced_security_group_id=target.id,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
        )
        VpcSecurityGroupIngressRule(
            self,
            f"{id}-in",
            security_group_id=target.id,
            referenced_security_group_id=source.id,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
        )
