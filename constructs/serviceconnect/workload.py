"""What each service of the stack has of its own: image, logs, roles, security group, tasks, scaling."""

from __future__ import annotations

from collections.abc import Sequence

from cdktf import ITerraformDependable
from cdktf_cdktf_provider_aws.iam_role import IamRole
from constructs import Construct

from serviceconnect.alarms import Alarms
from serviceconnect.cluster import Cluster
from serviceconnect.endpoints import Caller, Endpoints
from serviceconnect.image import Image, given_image
from serviceconnect.logs import ServiceLogs
from serviceconnect.metrics import Sources
from serviceconnect.network import TaskNetwork
from serviceconnect.roles import Roles
from serviceconnect.scaling import Scaling
from serviceconnect.service import Endpoint, Service, ServiceProps, Target
from serviceconnect.settings import Settings
from serviceconnect.source import ImageSource
from serviceconnect.task import PORT_NAME, log_options, task_definition

__all__ = ["UPSTREAMS", "Workload"]

# The variable in which a container finds the services that it calls, as name=url with commas between.
UPSTREAMS = "UPSTREAMS"


class Workload:
    """One service: in two steps, since the VPC endpoints admit its roles before its tasks start.

    Its parts are constructs in *scope*, so that those of the stack's first service are the stack's own.

    Args:
        source: of the image; not used if the settings name one.
        push_it: whether a deployment builds and pushes that image.
    """

    def __init__(
        self,
        scope: Construct,
        settings: Settings,
        network: TaskNetwork,
        logs: ServiceLogs,
        source: ImageSource,
        push_it: bool,
    ) -> None:
        self._scope, self.settings, self.network = scope, settings, network
        self.image = (
            given_image(settings) if settings.image_uri else Image(scope, "image", settings, source, push_it=push_it)
        )
        own = (self.image.repository_arn,) if self.image.repository_arn else ()
        self._repository_arns = [*own, *settings.further_repository_arns]
        self.logs = logs
        self._log_group_arns = [logs.service.arn, logs.proxy.arn]
        self.roles = Roles(scope, "roles", settings, self._repository_arns, self._log_group_arns)

    @property
    def url(self) -> str:
        """Its client alias: where other services of the namespace find it."""
        return f"http://{self.settings.discovery_name}:{self.settings.container_port}"

    def admitted(
        self, scope: Construct, endpoints: Endpoints, exec_roles: Sequence[IamRole] = ()
    ) -> list[ITerraformDependable]:
        """Have *endpoints* admit the tasks: what these wait for. *exec_roles* may have sessions of ECS Exec too."""
        return endpoints.admit(
            scope,
            Caller(
                settings=self.settings,
                network=self.network,
                execution_role_arn=self.roles.execution.arn,
                task_role_arn=self.roles.task.arn,
                exec_role_arns=[self.roles.task.arn, *(role.arn for role in exec_roles)],
                repository_arns=self._repository_arns,
                log_group_arns=self._log_group_arns,
            ),
        )

    def run(
        self,
        cluster: Cluster,
        alarms: Alarms,
        *,
        after: Sequence[ITerraformDependable],
        target: Target | None = None,
        serves: bool = True,
        calls: Sequence[Workload] = (),
    ) -> Service:
        """The service, `rolled_out` once its tasks run.

        Args:
            after: what else must be there before the first task starts, and until the last has gone.
            serves: whether other services and the VPC link find it; else it is a client alone.
            calls: the services that it calls, whose URLs its environment gets.
        """
        settings = self.settings
        upstreams = ",".join(f"{callee.settings.name}={callee.url}" for callee in calls)
        task = task_definition(
            self._scope,
            "task",
            settings,
            self.image.uri,
            log_group=self.logs.service.name,
            execution_role_arn=self.roles.execution.arn,
            task_role_arn=self.roles.task.arn,
            environment={UPSTREAMS: upstreams} if upstreams else {},
        )
        service = Service(
            self._scope,
            "service",
            ServiceProps(
                name=settings.name,
                cluster=cluster,
                task_definition=task,
                subnet_ids=self.network.subnet_ids,
                security_group_ids=self.network.group_ids,
                proxy_log=log_options(self.logs.proxy.name, settings.region, "proxy"),
                endpoint=Endpoint(
                    port_name=PORT_NAME,
                    name=settings.discovery_name,
                    port=settings.container_port,
                    # The gateway's is the answer that clients get, so the proxy must not be the first.
                    request_timeout=settings.request_timeout + 1,
                )
                if serves
                else None,
                target=target,
                desired_count=settings.desired_count,
                autoscaled=settings.autoscaling != "off",
                minimum_percent=settings.deployment_minimum_percent,
                maximum_percent=settings.deployment_maximum_percent,
                zone_rebalancing=settings.availability_zone_rebalancing,
                execute_command=settings.execute_command,
                fargate_spot=settings.fargate_spot,
                # By name; that the alarm is there first is in `after`.
                alarm_name=alarms.errors.alarm_name_input if settings.deployment_alarm else None,
                after=[
                    *self.roles.policies,
                    *self.network.ways,
                    *after,
                    *self.image.pushed,
                    *([alarms.errors] if settings.deployment_alarm else []),
                ],
            ),
        )
        if isinstance(self.image, Image):
            self.image.mark_deployed(service.rolled_out)
        self.rolled_out = service.rolled_out
        return service

    def watch(self, alarms: Alarms, scope: Construct, service: Service, sources: Sources) -> None:
        """Scale *service*, and have an alarm of its missing tasks, which is made in *scope*."""
        if self.settings.autoscaling != "off":
            Scaling(self._scope, "scaling", self.settings, service, sources)
        alarms.watch_tasks(scope, self.settings, sources, service.rolled_out)
