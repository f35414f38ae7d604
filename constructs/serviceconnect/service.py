"""An ECS service of a cluster, as Service Connect knows it: a client of the others, and on demand their server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cdktf import ITerraformDependable, TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.ecs_service import (
    EcsService,
    EcsServiceAlarms,
    EcsServiceCapacityProviderStrategy,
    EcsServiceDeploymentCircuitBreaker,
    EcsServiceLoadBalancer,
    EcsServiceNetworkConfiguration,
    EcsServiceServiceConnectConfiguration,
    EcsServiceServiceConnectConfigurationLogConfiguration,
    EcsServiceServiceConnectConfigurationService,
    EcsServiceServiceConnectConfigurationServiceClientAlias,
    EcsServiceServiceConnectConfigurationServiceTimeout,
)
from cdktf_cdktf_provider_aws.ecs_task_definition import EcsTaskDefinition
from constructs import Construct

from serviceconnect.cluster import Cluster
from serviceconnect.rollout import await_rollout

__all__ = ["Endpoint", "Service", "ServiceProps", "Target"]

# ECS's default, which the provider would make a 0, and that is none. Seconds.
_IDLE_TIMEOUT = 300


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """What Service Connect registers of each task, and how the cluster's other services call it.

    Args:
        port_name: the port mapping's, in the task definition.
        name: in Cloud Map, and as clients have it: ``http://name:port``.
        request_timeout: seconds that the proxy gives a request; None: ECS's 15. Only for a port that says HTTP.
    """

    port_name: str
    name: str
    port: int
    request_timeout: int | None = None


@dataclass(frozen=True, kw_only=True)
class Target:
    """A load balancer's target group, and the container and port that are registered with it."""

    group_arn: str
    container: str
    port: int
    grace_period: int


@dataclass(frozen=True, kw_only=True)
class ServiceProps:
    """What a service is made of.

    Args:
        endpoint: None: the service is a client alone.
        proxy_log: options of the awslogs driver for the proxy.
        autoscaled: whether something else sets the number of tasks after the first deployment.
        fargate_spot: percent of the tasks on Fargate Spot.
        alarm_name: of the alarm that rolls a deployment back.
        after: what must be there before the first task starts, and until the last has gone.
    """

    name: str
    cluster: Cluster
    task_definition: EcsTaskDefinition
    subnet_ids: Sequence[str]
    security_group_ids: Sequence[str]
    proxy_log: Mapping[str, str]
    endpoint: Endpoint | None = None
    target: Target | None = None
    desired_count: int = 1
    autoscaled: bool = False
    minimum_percent: int = 100
    maximum_percent: int = 200
    zone_rebalancing: bool = False
    execute_command: bool = False
    public_ip: bool = False
    fargate_spot: int = 0
    alarm_name: str | None = None
    after: Sequence[ITerraformDependable] = field(default=())


class Service(Construct):
    """A service whose deployments are waited for: who needs its tasks as they are now depends on `rolled_out`."""

    def __init__(self, scope: Construct, id: str, props: ServiceProps) -> None:
        super().__init__(scope, id)
        self.cluster = props.cluster
        if props.fargate_spot:
            props.cluster.offer_spot()
        self.service = EcsService(
            self,
            "service",
            # None of the arguments below that may change makes Terraform replace the service, nor do tasks that do not
            # start, since rollout.py waits for them: a second service of the name would be refused while Cloud Map has
            # the first ("SC service is already used", copilot-cli issue 5431). But for launch type and strategy.
            name=props.name,
            cluster=props.cluster.arn,
            task_definition=props.task_definition.arn,
            desired_count=props.desired_count,
            launch_type=None if props.fargate_spot else "FARGATE",
            capacity_provider_strategy=_shares(props.fargate_spot) or None,
            # Without it another share would replace the service.
            force_new_deployment=True if props.fargate_spot else None,
            enable_execute_command=props.execute_command,
            enable_ecs_managed_tags=True,
            propagate_tags="SERVICE",
            deployment_minimum_healthy_percent=props.minimum_percent,
            deployment_maximum_percent=props.maximum_percent,
            deployment_circuit_breaker=EcsServiceDeploymentCircuitBreaker(enable=True, rollback=True),
            # Health checks let a revision through that is healthy and answers requests with 500.
            alarms=EcsServiceAlarms(alarm_names=[props.alarm_name], enable=True, rollback=True)
            if props.alarm_name
            else None,
            availability_zone_rebalancing="ENABLED" if props.zone_rebalancing else "DISABLED",
            network_configuration=EcsServiceNetworkConfiguration(
                subnets=[*props.subnet_ids],
                security_groups=[*props.security_group_ids],
                assign_public_ip=props.public_ip,
            ),
            load_balancer=[
                EcsServiceLoadBalancer(
                    target_group_arn=props.target.group_arn,
                    container_name=props.target.container,
                    container_port=props.target.port,
                )
            ]
            if props.target
            else None,
            # ECS takes it only with a load balancer.
            health_check_grace_period_seconds=props.target.grace_period if props.target else None,
            service_connect_configuration=EcsServiceServiceConnectConfiguration(
                enabled=True,
                # By ARN: a name can make a second namespace of that name (aws-cdk issue 25616).
                namespace=props.cluster.namespace.arn,
                service=[_registered(props.endpoint)] if props.endpoint else None,
                log_configuration=EcsServiceServiceConnectConfigurationLogConfiguration(
                    log_driver="awslogs", options=props.proxy_log
                ),
            ),
            depends_on=[*props.cluster.ready, *props.after],
            # Autoscaling sets the number from then on.
            lifecycle=TerraformResourceLifecycle(ignore_changes=["desired_count"]) if props.autoscaled else None,
        )
        self.name: str = self.service.name
        self.rolled_out = await_rollout(
            self,
            "rolled-out",
            props.cluster.region,
            self.service,
            props.cluster.name,
            deployed={
                "subnets": [*props.subnet_ids],
                "security_groups": [*props.security_group_ids],
                "target_group": props.target.group_arn if props.target else "",
                "request_timeout": props.endpoint.request_timeout if props.endpoint else None,
                "fargate_spot": props.fargate_spot,
                # Of a number that autoscaling sets Terraform knows nothing.
                **({} if props.autoscaled else {"desired_count": props.desired_count}),
            },
        )


def _shares(spot: int) -> list[EcsServiceCapacityProviderStrategy]:
    """Fargate's part and Fargate Spot's, of which *spot* is in percent; none without it."""
    weights = {"FARGATE": 100 - spot, "FARGATE_SPOT": spot} if spot else {}
    return [
        EcsServiceCapacityProviderStrategy(capacity_provider=name, weight=weight)
        for name, weight in weights.items()
        if weight
    ]


def _registered(endpoint: Endpoint) -> EcsServiceServiceConnectConfigurationService:
    return EcsServiceServiceConnectConfigurationService(
        port_name=endpoint.port_name,
        discovery_name=endpoint.name,
        client_alias=EcsServiceServiceConnectConfigurationServiceClientAlias(
            dns_name=endpoint.name, port=endpoint.port
        ),
        timeout=EcsServiceServiceConnectConfigurationServiceTimeout(
            per_request_timeout_seconds=endpoint.request_timeout, idle_timeout_seconds=_IDLE_TIMEOUT
        )
        if endpoint.request_timeout
        else None,
    )
