"""The service: cluster, namespace, and the ECS service with Service Connect."""

from __future__ import annotations

from collections.abc import Sequence

from cdktf import ITerraformDependable, TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.ecs_cluster import EcsCluster, EcsClusterSetting
from cdktf_cdktf_provider_aws.ecs_cluster_capacity_providers import EcsClusterCapacityProviders
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
from cdktf_cdktf_provider_aws.service_discovery_http_namespace import ServiceDiscoveryHttpNamespace
from constructs import Construct

from serviceconnect.logs import Logs
from serviceconnect.network import Network
from serviceconnect.roles import Roles
from serviceconnect.rollout import await_rollout
from serviceconnect.settings.operations import OperationsSettings
from serviceconnect.task import CONTAINER, PORT_NAME, log_options, task_definition
from serviceconnect.teardown import await_empty_namespace

__all__ = ["Service"]


class Service(Construct):
    """Tasks that Service Connect registers in Cloud Map under the settings' discovery name.

    Args:
        target_group_arn: a load balancer's target group to register with as well; empty: none.
        alarm_name: of the alarm that rolls a deployment back; empty: none does.
        after: what must be there before the first task starts, and until the last has gone.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        settings: OperationsSettings,
        network: Network,
        roles: Roles,
        logs: Logs,
        image_uri: str,
        target_group_arn: str,
        alarm_name: str,
        after: Sequence[ITerraformDependable],
    ) -> None:
        super().__init__(scope, id)
        self.cluster = EcsCluster(
            self,
            "cluster",
            name=settings.name,
            setting=[EcsClusterSetting(name="containerInsights", value=settings.container_insights)],
            depends_on=logs.insights or None,
        )
        capacity = []
        spot = settings.fargate_spot
        if spot:
            providers = ["FARGATE", "FARGATE_SPOT"]
            name = self.cluster.name
            capacity = [EcsClusterCapacityProviders(self, "capacity", cluster_name=name, capacity_providers=providers)]
        shares = {"FARGATE": 100 - spot, "FARGATE_SPOT": spot}
        self.namespace = ServiceDiscoveryHttpNamespace(
            self, "namespace", name=settings.name, description=f"Service Connect of {settings.name}"
        )
        emptied = await_empty_namespace(self, "emptied", self.namespace.id, settings.region)
        task = task_definition(
            self,
            "task",
            settings,
            image_uri,
            log_group=logs.service.name,
            execution_role_arn=roles.execution.arn,
            task_role_arn=roles.task.arn,
        )
        balancers = []
        if target_group_arn:
            balancers.append(
                EcsServiceLoadBalancer(
                    target_group_arn=target_group_arn, container_name=CONTAINER, container_port=settings.container_port
                )
            )
        self.service = EcsService(
            self,
            "service",
            # None of the arguments below that may change makes Terraform replace the service, nor do tasks that do not
            # start, since rollout.py waits for them: a second service of the name would be refused while Cloud Map has
            # the first ("SC service is already used", copilot-cli issue 5431).
            name=settings.name,
            cluster=self.cluster.arn,
            task_definition=task.arn,
            desired_count=settings.desired_count,
            launch_type=None if spot else "FARGATE",
            capacity_provider_strategy=[
                EcsServiceCapacityProviderStrategy(capacity_provider=name, weight=weight)
                for name, weight in shares.items()
                if weight
            ]
            if spot
            else None,
            # Without it another share would replace the service.
            force_new_deployment=True if spot else None,
            enable_execute_command=settings.execute_command,
            enable_ecs_managed_tags=True,
            propagate_tags="SERVICE",
            deployment_minimum_healthy_percent=settings.deployment_minimum_percent,
            deployment_maximum_percent=settings.deployment_maximum_percent,
            deployment_circuit_breaker=EcsServiceDeploymentCircuitBreaker(enable=True, rollback=True),
            # Health checks let a revision through that is healthy and answers requests with 500.
            alarms=EcsServiceAlarms(alarm_names=[alarm_name], enable=True, rollback=True) if alarm_name else None,
            availability_zone_rebalancing="ENABLED" if settings.availability_zone_rebalancing else "DISABLED",
            network_configuration=EcsServiceNetworkConfiguration(
                subnets=network.subnet_ids, security_groups=network.task_group_ids, assign_public_ip=False
            ),
            load_balancer=balancers or None,
            # As long as the container's own checks wait; ECS takes it only with a load balancer.
            health_check_grace_period_seconds=settings.health_check_start_period if balancers else None,
            service_connect_configuration=EcsServiceServiceConnectConfiguration(
                enabled=True,
                # By ARN: a name can make a second namespace of that name (aws-cdk issue 25616).
                namespace=self.namespace.arn,
                service=[
                    EcsServiceServiceConnectConfigurationService(
                        port_name=PORT_NAME,
                        discovery_name=settings.discovery_name,
                        client_alias=EcsServiceServiceConnectConfigurationServiceClientAlias(
                            dns_name=settings.discovery_name, port=settings.container_port
                        ),
                        timeout=EcsServiceServiceConnectConfigurationServiceTimeout(
                            # The gateway's is the answer that clients get, so the proxy must not be the first.
                            per_request_timeout_seconds=settings.request_timeout + 1,
                            # ECS's default, which the provider would make a 0, and that is none.
                            idle_timeout_seconds=300,
                        ),
                    )
                ],
                log_configuration=EcsServiceServiceConnectConfigurationLogConfiguration(
                    log_driver="awslogs", options=log_options(logs.proxy.name, settings.region, "proxy")
                ),
            ),
            depends_on=[emptied, *capacity, *roles.policies, *after],
            # Autoscaling sets the number from then on.
            lifecycle=TerraformResourceLifecycle(ignore_changes=["desired_count"])
            if settings.autoscaling != "off"
            else None,
        )
        self.rolled_out = await_rollout(
            self,
            "rolled-out",
            settings.region,
            self.service,
            self.cluster.name,
            deployed={
                "subnets": network.subnet_ids,
                "security_groups": network.task_group_ids,
                "target_group": target_group_arn,
                "request_timeout": settings.request_timeout,
                **({"fargate_spot": spot} if spot else {}),
                # Of a number that autoscaling sets Terraform knows nothing.
                **({"desired_count": settings.desired_count} if settings.autoscaling == "off" else {}),
            },
        )
