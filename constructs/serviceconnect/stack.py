"""The stack: wires the constructs and names the outputs."""

from __future__ import annotations

from cdktf import LocalBackend, TerraformOutput, TerraformStack
from constructs import Construct

from serviceconnect.gateway import Gateway
from serviceconnect.image import Image
from serviceconnect.network import Network
from serviceconnect.provider import aws_provider
from serviceconnect.service import CONTAINER, Service
from serviceconnect.settings import Settings

__all__ = ["ServiceConnectStack"]


class ServiceConnectStack(TerraformStack):
    """An ECS service behind API Gateway with no load balancer between, named by the settings."""

    def __init__(self, scope: Construct, settings: Settings, image_tag: str) -> None:
        super().__init__(scope, settings.name)
        # Relative, for the default is a path of this machine; it counts from cdktf.out/stacks/<name>, which is deleted
        # freely, so the state stays outside.
        LocalBackend(self, path=f"../../../terraform.{settings.name}.tfstate")
        aws_provider(self, settings)
        network = Network(self, "network", settings, settings.container_port)
        subnet_ids = [subnet.id for subnet in network.subnets]
        image = Image(self, "image", settings, image_tag)
        service = Service(
            self, "service", settings, image.uri, subnet_ids, network.task_group.id, reached_through=network.endpoints
        )
        gateway = Gateway(
            self,
            "gateway",
            settings,
            settings.discovery_name,
            service.namespace.id,
            service.service,
            subnet_ids,
            network.vpc_link_group.id,
        )
        for name, value in {
            "gateway_url": gateway.url,
            "region": settings.region,
            "cluster_name": service.cluster.name,
            "service_name": service.service.name,
            "namespace_name": service.namespace.name,
            "discovery_name": settings.discovery_name,
            "repository_url": image.repository.repository_url,
            "container_name": CONTAINER,
            "log_group_name": settings.log_group_name,
        }.items():
            # static_id: the name as it stands, also in `cdktf deploy --outputs-file`.
            TerraformOutput(self, name, value=value, static_id=True)
