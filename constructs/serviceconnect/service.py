"""The service: cluster, namespace, task definition and the ECS service with Service Connect."""

from __future__ import annotations

import json
from collections.abc import Sequence

from cdktf import ITerraformDependable
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.ecs_cluster import EcsCluster
from cdktf_cdktf_provider_aws.ecs_service import (
    EcsService,
    EcsServiceDeploymentCircuitBreaker,
    EcsServiceNetworkConfiguration,
    EcsServiceServiceConnectConfiguration,
    EcsServiceServiceConnectConfigurationLogConfiguration,
    EcsServiceServiceConnectConfigurationService,
    EcsServiceServiceConnectConfigurationServiceClientAlias,
    EcsServiceServiceConnectConfigurationServiceTimeout,
)
from cdktf_cdktf_provider_aws.ecs_task_definition import EcsTaskDefinition, EcsTaskDefinitionRuntimePlatform
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy_attachment import IamRolePolicyAttachment
from cdktf_cdktf_provider_aws.service_discovery_http_namespace import ServiceDiscoveryHttpNamespace
from constructs import Construct

from serviceconnect.settings.service import ServiceSettings

__all__ = ["Service"]

CONTAINER = "app"
PORT_NAME = "http"


class Service(Construct):
    """Tasks that Service Connect registers in Cloud Map under the settings' discovery name."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        settings: ServiceSettings,
        image_uri: str,
        subnet_ids: Sequence[str],
        security_group_id: str,
        reached_through: Sequence[ITerraformDependable],
    ) -> None:
        super().__init__(scope, id)
        self.cluster = EcsCluster(self, "cluster", name=settings.name)
        self.namespace = ServiceDiscoveryHttpNamespace(
            self, "namespace", name=settings.name, description=f"Service Connect of {settings.name}"
        )
        logs = [
            CloudwatchLogGroup(
                self, "logs", name=settings.log_group_name, retention_in_days=settings.log_retention_days
            ),
            CloudwatchLogGroup(
                self,
                "proxy-logs",
                name=f"{settings.log_group_name}/service-connect",
                retention_in_days=settings.log_retention_days,
            ),
        ]
        execution_role = IamRole(
            self,
            "execution-role",
            name=f"{settings.name}-execution",
            assume_role_policy=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                            "Action": "sts:AssumeRole",
                        }
                    ],
                }
            ),
        )
        permission = IamRolePolicyAttachment(
            self,
            "execution-policy",
            role=execution_role.name,
            policy_arn="arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy",
        )
        self.task_definition = EcsTaskDefinition(
            self,
            "task",
            family=settings.name,
            cpu=str(settings.cpu),
            memory=str(settings.memory),
            network_mode="awsvpc",
            requires_compatibilities=["FARGATE"],
            runtime_platform=EcsTaskDefinitionRuntimePlatform(
                cpu_architecture=settings.architecture, operating_system_family="LINUX"
            ),
            execution_role_arn=execution_role.arn,
            # Plain JSON instead of Terraform's jsonencode: the twin reads it as it stands.
            container_definitions=json.dumps([container_definition(settings, image_uri)]),
        )
        self.service = EcsService(
            self,
            "service",
            name=settings.name,
            cluster=self.cluster.arn,
            task_definition=self.task_definition.arn,
            desired_count=settings.desired_count,
            launch_type="FARGATE",
            deployment_minimum_healthy_percent=settings.deployment_minimum_percent,
            deployment_maximum_percent=settings.deployment_maximum_percent,
            deployment_circuit_breaker=EcsServiceDeploymentCircuitBreaker(enable=True, rollback=True),
            network_configuration=EcsServiceNetworkConfiguration(
                subnets=list(subnet_ids), security_groups=[security_group_id], assign_public_ip=False
            ),
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
                            per_request_timeout_seconds=settings.request_timeout
                        ),
                    )
                ],
                log_configuration=EcsServiceServiceConnectConfigurationLogConfiguration(
                    log_driver="awslogs",
                    options=log_options(f"{settings.log_group_name}/service-connect", settings.region, "proxy"),
                ),
            ),
            # The data source of gateway.py reads what ECS registers: not before it is there.
            wait_for_steady_state=True,
            depends_on=[*logs, permission, *reached_through],
        )


def log_options(group: str, region: str, prefix: str) -> dict[str, str]:
    """Options of the awslogs driver."""
    return {"awslogs-group": group, "awslogs-region": region, "awslogs-stream-prefix": prefix}


def container_definition(settings: ServiceSettings, image_uri: str) -> dict[str, object]:
    """The container, in the shape of ECS's ContainerDefinition."""
    return {
        "name": CONTAINER,
        "image": image_uri,
        "essential": True,
        "portMappings": [
            # appProtocol: without it Service Connect counts no HTTP status codes.
            {"name": PORT_NAME, "containerPort": settings.container_port, "protocol": "tcp", "appProtocol": "http"}
        ],
        "environment": [
            {"name": name, "value": value}
            for name, value in {
                "PORT": str(settings.container_port),
                "DRAIN_SECONDS": str(settings.drain_seconds),
                **settings.environment,
            }.items()
        ],
        "healthCheck": {
            "command": ["CMD-SHELL", settings.health_check_command],
            "interval": 10,
            "timeout": 5,
            "retries": 3,
            "startPeriod": 10,
        },
        "stopTimeout": settings.stop_timeout,
        "readonlyRootFilesystem": True,
        "linuxParameters": {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}},
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": log_options(settings.log_group_name, settings.region, "app"),
        },
    }
