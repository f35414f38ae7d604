"""The stack: wires the constructs and names the outputs."""

from __future__ import annotations

from collections.abc import Mapping

from cdktf import LocalBackend, S3Backend, TerraformOutput, TerraformStack
from constructs import Construct

from serviceconnect.alarms import Alarms
from serviceconnect.cluster import Cluster, ClusterProps
from serviceconnect.comparison import Comparison
from serviceconnect.dashboard import Dashboard
from serviceconnect.endpoints import Endpoints
from serviceconnect.gateway import Gateway
from serviceconnect.image import Image, push
from serviceconnect.load_fleet import LoadFleet, load_role
from serviceconnect.logs import Logs
from serviceconnect.loopback import is_loopback
from serviceconnect.metrics import ApiSources, Sources
from serviceconnect.network import Network
from serviceconnect.provider import aws_provider
from serviceconnect.service import Service, Target
from serviceconnect.settings import Settings
from serviceconnect.settings.gateway import COMPARISON_PREFIX
from serviceconnect.source import ImageSource
from serviceconnect.task import CONTAINER
from serviceconnect.workload import Workload

__all__ = ["ServiceConnectStack"]


class ServiceConnectStack(TerraformStack):
    """An ECS service behind API Gateway with no load balancer between, named by the settings.

    Further services join it by `AdditionalService`: they share its network, cluster and API.

    Args:
        source: of the service's image; not used if the settings name one.
        load_source: of the load fleet's image; not used without a load fleet.
        endpoint_url: an AWS endpoint to deploy to; empty: AWS.
    """

    def __init__(
        self,
        scope: Construct,
        settings: Settings,
        source: ImageSource,
        load_source: ImageSource,
        endpoint_url: str = "",
    ) -> None:
        super().__init__(scope, settings.name)
        self._keep_state(settings, endpoint_url)
        aws_provider(self, settings, endpoint_url)

        self.settings, self.source, self.pushes_images = settings, source, not is_loopback(endpoint_url)
        self.network = network = Network(self, "network", settings, settings.container_port)
        logs = Logs(self, "logs", settings)
        self.workload = Workload(self, settings, network.tasks, logs, source, push_it=self.pushes_images)
        image, roles = self.workload.image, self.workload.roles
        fleet_role = load_role(self, "load-role", settings, roles.account_id) if settings.load_fleet else None
        self.endpoints = endpoints = Endpoints(self, "endpoints", settings, network)
        ways = self.workload.admitted(endpoints, endpoints, exec_roles=[fleet_role] if fleet_role else [])
        self.gateway = gateway = Gateway(self, "gateway", settings, network, access_log_arn=logs.access.arn)
        self.alarms = alarms = Alarms(self, "alarms", settings, ApiSources(gateway.api.id, settings.stage))
        comparison = Comparison(self, "comparison", settings, network) if settings.comparison else None
        self.cluster = cluster = Cluster(
            self,
            "cluster",
            ClusterProps(
                name=settings.name,
                region=settings.region,
                container_insights=settings.container_insights,
                after=logs.insights,
            ),
        )
        service = self.workload.run(
            cluster,
            alarms,
            after=[*ways, *(comparison.all if comparison else [])],
            target=Target(
                group_arn=comparison.target_group.arn,
                container=CONTAINER,
                port=settings.container_port,
                # As long as the container's own checks wait.
                grace_period=settings.health_check_start_period,
            )
            if comparison
            else None,
        )
        gateway.serve(gateway, service, settings, settings.routes)
        if comparison:
            gateway.serve_comparison(comparison.listener.arn)
        sources = self.sources(service, settings)
        self.workload.watch(alarms, alarms, service, sources)
        alarms.watch_requests(sources, logs.access.name)
        Dashboard(self, "dashboard", settings, sources)

        fleet = None
        if fleet_role and isinstance(image, Image):
            pushed = [push(self, "load-image", settings, image.repository, load_source)] if self.pushes_images else []
            fleet = LoadFleet(
                self,
                "load",
                settings,
                network,
                endpoints,
                roles,
                fleet_role,
                logs,
                service,
                gateway,
                image_uri=f"{image.repository_url}:{load_source.tag}",
                after=[*network.tasks.ways, *ways, *pushed],
            )

        outputs = {
            "gateway_url": gateway.url,
            "region": settings.region,
            "authorization": settings.authorization,
            "cluster_name": cluster.name,
            "service_name": service.name,
            "namespace_name": cluster.namespace.name,
            "discovery_name": settings.discovery_name,
            "repository_url": image.repository_url,
            "container_name": CONTAINER,
            "log_group_name": logs.service.name,
            "task_security_group_id": network.tasks.group.id,
        }
        if comparison:
            outputs["comparison_url"] = gateway.url + COMPARISON_PREFIX
        if fleet:
            outputs["load_web_ui"] = fleet.web_ui
        if gateway.domain_target:
            outputs["domain_target"] = gateway.domain_target
            outputs["domain_hosted_zone_id"] = gateway.domain_hosted_zone_id
        self.say(outputs)

    def say(self, outputs: Mapping[str, str]) -> None:
        """Name *outputs* as they stand, also in `cdktf deploy --outputs-file`."""
        for name, value in outputs.items():
            TerraformOutput(self, name, value=value, static_id=True)

    def sources(self, service: Service, settings: Settings) -> Sources:
        """Whose metrics are those of *service*, whose settings are *settings*."""
        return Sources(
            api_id=self.gateway.api.id,
            stage=self.settings.stage,
            cluster=self.cluster.name,
            service=service.name,
            discovery_name=settings.discovery_name,
            throttles_namespace=self.settings.name,
        )

    def _keep_state(self, settings: Settings, endpoint_url: str) -> None:
        # Relative, for the default is a path of this machine; it counts from cdktf.out/stacks/<name>, which is deleted
        # freely, so the state stays outside. Each Region has one of its own: with one for all, a deployment to another
        # Region would replace the stack of the first.
        beside = f"../../../terraform.{settings.name}.{settings.region}"
        if is_loopback(endpoint_url):
            # Apart from AWS's: with one state for both, a deployment here would forget what is there.
            LocalBackend(self, path=f"{beside}.loopback.tfstate")
        elif settings.state_bucket:
            S3Backend(
                self,
                bucket=settings.state_bucket,
                key=f"{settings.name}/{settings.region}/terraform.tfstate",
                region=settings.state_region or settings.region,
                encrypt=True,
            )
            # Terraform's own lock, newer than CDKTF's S3Backend.
            self.add_override("terraform.backend.s3.use_lockfile", True)
        else:
            LocalBackend(self, path=f"{beside}.tfstate")
