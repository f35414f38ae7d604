"""ECS, and what its tasks use: repository, roles, secrets, log groups; application autoscaling of the service."""

from __future__ import annotations

from twin.aws.client import Aws
from twin.stack.call import Attributes, Call

__all__ = ["TASKS"]


def _set_retention(aws: Aws, group: Attributes) -> Attributes:
    if days := group.get("retention_in_days"):
        aws.call("logs", "PutRetentionPolicy", logGroupName=group["name"], retentionInDays=days)
    return {}


def _parameter_arn(aws: Aws, parameter: Attributes) -> Attributes:
    name = str(parameter["name"]).removeprefix("/")
    return {"arn": f"arn:aws:ssm:{aws.region}:{aws.account_id}:parameter/{name}"}


TASKS = {
    "aws_ecr_repository": Call(
        "ecr",
        "CreateRepository",
        rename={"name": "repositoryName"},
        answer={
            "arn": "repository.repositoryArn",
            "registry_id": "repository.registryId",
            "repository_url": "repository.repositoryUri",
        },
        derived={"id": "{name}"},
    ),
    "data.aws_caller_identity": Call(
        "sts",
        "GetCallerIdentity",
        answer={"id": "Account", "account_id": "Account", "arn": "Arn", "user_id": "UserId"},
    ),
    "aws_iam_role": Call(
        "iam",
        "CreateRole",
        rename={"name": "RoleName", "assume_role_policy": "AssumeRolePolicyDocument"},
        defaults={"name_prefix": "terraform-"},
        answer={"arn": "Role.Arn", "unique_id": "Role.RoleId"},
        derived={"id": "{name}"},
    ),
    "aws_secretsmanager_secret": Call(
        "secretsmanager",
        "CreateSecret",
        defaults={"name_prefix": "terraform-"},
        answer={"id": "ARN", "arn": "ARN"},
    ),
    "aws_secretsmanager_secret_version": Call(
        "secretsmanager",
        "PutSecretValue",
        answer={"arn": "ARN", "version_id": "VersionId"},
        derived={"id": "{secret_id}|{version_id}"},
    ),
    "aws_ssm_parameter": Call(
        "ssm",
        "PutParameter",
        answer={"version": "Version"},
        derived={"id": "{name}"},
        then=_parameter_arn,
    ),
    "aws_cloudwatch_log_group": Call(
        "logs",
        "CreateLogGroup",
        rename={"name": "logGroupName"},
        defaults={"name_prefix": "terraform-"},
        derived={"id": "{name}", "arn": "arn:aws:logs:{region}:{account_id}:log-group:{name}"},
        takes=frozenset({"retention_in_days"}),
        then=_set_retention,
    ),
    "aws_ecs_cluster": Call(
        "ecs",
        "CreateCluster",
        rename={"name": "clusterName"},
        answer={"id": "cluster.clusterArn", "arn": "cluster.clusterArn"},
    ),
    "aws_ecs_cluster_capacity_providers": Call(
        "ecs",
        "PutClusterCapacityProviders",
        rename={"cluster_name": "cluster"},
        defaults={"capacity_providers": [], "default_capacity_provider_strategy": []},
        derived={"id": "{cluster_name}"},
    ),
    "aws_ecs_task_definition": Call(
        "ecs",
        "RegisterTaskDefinition",
        essential=frozenset({"container_definitions", "family"}),
        rename={"volume.configure_at_launch": "configuredAtLaunch", "volume.host_path": "host.sourcePath"},
        answer={"arn": "taskDefinition.taskDefinitionArn", "revision": "taskDefinition.revision"},
        derived={"id": "{family}"},
        then=lambda aws, task: {"arn_without_revision": task["arn"].rpartition(":")[0]},
    ),
    "aws_ecs_service": Call(
        "ecs",
        "CreateService",
        rename={
            "name": "serviceName",
            "iam_role": "role",
            "network_configuration": "networkConfiguration.awsvpcConfiguration",
            "ordered_placement_strategy": "placementStrategy",
            "deployment_maximum_percent": "deploymentConfiguration.maximumPercent",
            "deployment_minimum_healthy_percent": "deploymentConfiguration.minimumHealthyPercent",
            "deployment_circuit_breaker": "deploymentConfiguration.deploymentCircuitBreaker",
            "alarms": "deploymentConfiguration.alarms",
            "load_balancer.elb_name": "loadBalancerName",
            "service_connect_configuration.service.tls.issuer_cert_authority": "issuerCertificateAuthority",
            "volume_configuration.managed_ebs_volume.size_in_gb": "sizeInGiB",
        },
        # Not ECS's: the provider sends 0 where nothing is given.
        defaults={"desired_count": 0},
        essential=frozenset({"cluster", "desired_count", "network_configuration", "task_definition"}),
        answer={"id": "service.serviceArn", "arn": "service.serviceArn"},
    ),
    "aws_appautoscaling_target": Call(
        "application-autoscaling",
        "RegisterScalableTarget",
        answer={"arn": "ScalableTargetARN"},
        derived={"id": "{resource_id}"},
    ),
    "aws_appautoscaling_policy": Call(
        "application-autoscaling",
        "PutScalingPolicy",
        rename={"name": "PolicyName"},
        answer={"arn": "PolicyARN", "alarm_arns": "Alarms[].AlarmARN"},
        derived={"id": "{name}"},
    ),
}
