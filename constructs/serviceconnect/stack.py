"""The stack: wires the constructs and names the outputs."""

from __future__ import annotations

from cdktf import LocalBackend, S3Backend, TerraformOutput, TerraformStack
from constructs import Construct

from serviceconnect.alarms import Alarms
from serviceconnect.cluster import Cluster, ClusterProps
from serviceconnect.comparison import Comparison
from serviceconnect.dashboard import Dashboard
from serviceconnect.endpoints import Endpoints
from serviceconnect.gateway import Gateway
from serviceconnect.image import Image, given_image, push
from serviceconnect.load_fleet import LoadFleet, load_role
from serviceconnect.logs import Logs
from serviceconnect.loopback import is_loopback
from serviceconnect.metrics import ApiSources, Sources
from serviceconnect.network import Network
from serviceconnect.provider import aws_provider
from serviceconnect.roles import Roles
from serviceconnect.scaling import Scaling
from serviceconnect.service import Endpoint, Service, ServiceProps, Target
from serviceconnect.settings import Settings
from serviceconnect.settings.gateway import COMPARISON_PREFIX
from serviceconnect.task import CONTAINER, PORT_NAME, log_options, task_definition

__all__ = ["ServiceConnectStack"]


class ServiceConnectStack(TerraformStack):
    """An ECS service behind API Gateway with no load balancer between, named by the settings.

    Args:
        image_tag: tag of the image that is built from this project; not used if the settings name an image.
        load_image_tag: tag of the load fleet's image; not used without a load fleet.
        endpoint_url: an AWS endpoint to deploy to; empty: AWS.
    """

    def __init__(
        self, scope: Construct, settings: Settings, image_tag: str, endpoint_url: str = "", load_image_tag: str = "load"
    ) -> None:
        super().__init__(scope, settings.name)
        self._keep_state(settings, endpoint_url)
        aws_provider(self, settings, endpoint_url)

        network = Network(self, "network", settings, settings.container_port)
        image = (
            given_image(settings)
            if settings.image_uri
            else Image(self, "image", settings, image_tag, push_it=not is_loopback(endpoint_url))
        )
        own = (image.repository_arn,) if image.repository_arn else ()
        repository_arns = [*own, *settings.further_repository_arns]
        logs = Logs(self, "logs", settings)
        task_logs = [logs.service.arn, logs.proxy.arn]
        roles = Roles(self, "roles", settings, repository_arns, task_logs)
        fleet_role = load_role(self, "load-role", settings, roles.account_id) if settings.load_fleet else None
        endpoints = Endpoints(
            self,
            "endpoints",
            settings,
            network,
            execution_role_arn=roles.execution.arn,
            task_role_arn=roles.task.arn,
            exec_role_arns=[roles.task.arn, *([fleet_role.arn] if fleet_role else [])],
            repository_arns=repository_arns,
            log_group_arns=task_logs,
        )
        gateway = Gateway(self, "gateway", settings, network, access_log_arn=logs.access.arn)
        alarms = Alarms(self, "alarms", settings, ApiSources(gateway.api.id, settings.stage))
        comparison = Comparison(self, "comparison", settings, network) if settings.comparison else None
        cluster = Cluster(
            self,
            "cluster",
            ClusterProps(
                name=settings.name,
                region=settings.region,
                container_insights=settings.container_insights,
                spot=settings.fargate_spot > 0,
                after=logs.insights,
            ),
        )
        task = task_definition(
            self,
            "task",
            settings,
            image.uri,
            log_group=logs.service.name,
            execution_role_arn=roles.execution.arn,
            task_role_arn=roles.task.arn,
        )
        service = Service(
            self,
            "service",
            ServiceProps(
                name=settings.name,
                cluster=cluster,
                task_definition=task,
                subnet_ids=network.subnet_ids,
                security_group_ids=network.task_group_ids,
                proxy_log=log_options(logs.proxy.name, settings.region, "proxy"),
                endpoint=Endpoint(
                    port_name=PORT_NAME,
                    name=settings.discovery_name,
                    port=settings.container_port,
                    # The gateway's is the answer that clients get, so the proxy must not be the first.
                    request_timeout=settings.request_timeout + 1,
                ),
                target=Target(
                    group_arn=comparison.target_group.arn,
                    container=CONTAINER,
                    port=settings.container_port,
                    # As long as the container's own checks wait.
                    grace_period=settings.health_check_start_period,
                )
                if comparison
                else None,
                desired_count=settings.desired_count,
                autoscaled=settings.autoscaling != "off",
                minimum_percent=settings.deployment_minimum_percent,
                maximum_percent=settings.deployment_maximum_percent,
                zone_rebalancing=settings.availability_zone_rebalancing,
                execute_command=settings.execute_command,
                fargate_spot=settings.fargate_spot,
                # By name: the twin keeps no metrics, so it makes no alarm to refer to.
                alarm_name=alarms.errors.alarm_name_input if settings.deployment_alarm else None,
                after=[
                    *roles.policies,
                    *network.ways,
                    *endpoints.all,
                    *image.pushed,
                    *(comparison.all if comparison else []),
                    *([alarms.errors] if settings.deployment_alarm else []),
                ],
            ),
        )
        if isinstance(image, Image):
            image.mark_deployed(service.rolled_out)
        gateway.serve(service, listener_arn=comparison.listener.arn if comparison else "")
        sources = Sources(
            api_id=gateway.api.id,
            stage=settings.stage,
            cluster=cluster.name,
            service=service.name,
            discovery_name=settings.discovery_name,
            throttles_namespace=settings.name,
        )
        if settings.autoscaling != "off":
            Scaling(self, "scaling", settings, service, sources)
        alarms.watch(sources, logs.access.name, service.rolled_out)
        Dashboard(self, "dashboard", settings, sources)

        fleet = None
        if fleet_role and isinstance(image, Image):
            pushed = (
                []
                if is_loopback(endpoint_url)
                else [push(self, "load-image", settings, image.repository, load_image_tag, "load/Dockerfile")]
            )
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
                image_uri=f"{image.repository_url}:{load_image_tag}",
                after=[*network.ways, *endpoints.all, *pushed],
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
            "task_security_group_id": network.task_group.id,
        }
        if comparison:
            outputs["comparison_url"] = gateway.url + COMPARISON_PREFIX
        if fleet:
            outputs["load_web_ui"] = fleet.web_ui
        if gateway.domain_target:
            outputs["domain_target"] = gateway.domain_target
            outputs["domain_hosted_zone_id"] = gateway.domain_hosted_zone_id
        for name, value in outputs.items():
            # static_id: the name as it stands, also in `cdktf deploy --outputs-file`.
            TerraformOutput(self, name, value=value, static_id=True)

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
