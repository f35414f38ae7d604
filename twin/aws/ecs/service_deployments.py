"""Operations on service deployments and service revisions: the history of a service, derived from its deployments.

A service deployment is what CreateService or UpdateService sets off. A rollback is no service deployment of its own:
it is how the failed one ends. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html
"""

from __future__ import annotations

from typing import Any

from botocore.utils import parse_timestamp

from twin.aws.ecs import scheduler, wire
from twin.aws.ecs.context import Context, find_service, page
from twin.aws.ecs.errors import (
    ConflictException,
    InvalidParameterException,
    ServiceDeploymentNotFoundException,
)
from twin.aws.ecs.model import Deployment, RolloutState, Service

__all__ = ["OPERATIONS", "status"]

Json = dict[str, Any]

_UNDER_WAY = ("IN_PROGRESS", "ROLLBACK_IN_PROGRESS")
_ROLLBACK_STATUS = {
    RolloutState.COMPLETED: "ROLLBACK_SUCCESSFUL",
    RolloutState.FAILED: "ROLLBACK_FAILED",
    RolloutState.IN_PROGRESS: "ROLLBACK_IN_PROGRESS",
}


def status(deployment: Deployment, service: Service) -> str:
    """The status of the service deployment that began with *deployment*."""
    if deployment.rolled_back_by is not None:
        return _ROLLBACK_STATUS[deployment.rolled_back_by.rollout_state]
    if deployment.rollout_state is RolloutState.COMPLETED:
        return "SUCCESSFUL"
    if deployment.rollout_state is RolloutState.FAILED or deployment is not service.primary:
        return "STOPPED"
    return "IN_PROGRESS"


def list_service_deployments(context: Context, request: Json) -> Json:
    """A service's deployments, the newest first, by status and by the time of their creation."""
    service = find_service(context, request.get("cluster"), request["service"])
    bounds = request.get("createdAt") or {}
    after, before = (_seconds(bounds[name]) if name in bounds else None for name in ("after", "before"))
    found = [
        _brief(deployment, service)
        for deployment in _started(service)
        if status(deployment, service) in (request.get("status") or [status(deployment, service)])
        and (after is None or deployment.created_at > after)
        and (before is None or deployment.created_at < before)
    ]
    briefs, token = page(found, request, default=20)
    return {"serviceDeployments": briefs, **token}


def describe_service_deployments(context: Context, request: Json) -> Json:
    """Up to twenty service deployments by ARN, missing ones as failures."""
    arns = _at_most_20(request["serviceDeploymentArns"], "serviceDeploymentArns")
    known = {wire.service_deployment_arn(d, s): (d, s) for s in context.ecs.services.values() for d in _started(s)}
    return {
        "serviceDeployments": [_whole(*known[arn], context) for arn in arns if arn in known],
        "failures": [{"arn": arn, "reason": "MISSING"} for arn in arns if arn not in known],
    }


def stop_service_deployment(context: Context, request: Json) -> Json:
    """Roll back to the deployment that was completed last; with stopType ABORT leave everything where it is."""
    arn = request["serviceDeploymentArn"]
    for service in context.ecs.services.values():
        for deployment in _started(service):
            if wire.service_deployment_arn(deployment, service) != arn:
                continue
            if status(deployment, service) != "IN_PROGRESS":
                raise ConflictException("The service deployment is not in progress.")
            if request.get("stopType", "ROLLBACK") == "ABORT":
                context.controller.fail(service, "Service deployment stopped by user.", roll_back=False)
            elif service.last_completed is None:
                raise ConflictException("There is no completed service deployment to roll back to.")
            else:
                context.controller.fail(service, "Service deployment rolled back by user.", roll_back=True)
            return {"serviceDeploymentArn": arn}
    raise ServiceDeploymentNotFoundException("Service deployment not found.")


def describe_service_revisions(context: Context, request: Json) -> Json:
    """Up to twenty service revisions by ARN, missing ones as failures."""
    arns = _at_most_20(request["serviceRevisionArns"], "serviceRevisionArns")
    known = {wire.service_revision_arn(d, s): (d, s) for s in context.ecs.services.values() for d in _started(s)}
    return {
        "serviceRevisions": [_revision(*known[arn]) for arn in arns if arn in known],
        "failures": [{"arn": arn, "reason": "MISSING"} for arn in arns if arn not in known],
    }


def _started(service: Service) -> list[Deployment]:
    return [deployment for deployment in reversed(service.history) if deployment.returns_to is None]


def _brief(deployment: Deployment, service: Service) -> Json:
    end = deployment.rolled_back_by or deployment
    reason = end.rollout_state_reason
    members = {
        "serviceDeploymentArn": wire.service_deployment_arn(deployment, service),
        "serviceArn": service.arn,
        "clusterArn": service.cluster.arn,
        "createdAt": deployment.created_at,
        "startedAt": deployment.created_at,
        "finishedAt": end.finished_at,
        "targetServiceRevisionArn": wire.service_revision_arn(deployment, service),
        "status": status(deployment, service),
        "statusReason": reason or None,
    }
    return {name: value for name, value in members.items() if value is not None}


def _whole(deployment: Deployment, service: Service, context: Context) -> Json:
    brief = _brief(deployment, service)
    del brief["targetServiceRevisionArn"]
    tasks = context.ecs.tasks_of(service)
    breaker = deployment.configuration["deploymentCircuitBreaker"]
    threshold = scheduler.circuit_breaker_threshold(breaker.get("thresholdConfiguration"), service.desired_count)
    monitoring = "MONITORING" if brief["status"] in _UNDER_WAY else "MONITORING_COMPLETE"
    fired = "TRIGGERED" if deployment.circuit_breaker_fired else monitoring
    source = deployment.replaces

    whole = brief | {
        "updatedAt": deployment.updated_at,
        "sourceServiceRevisions": [wire.revision_summary(source, service, tasks)] if source else [],
        "targetServiceRevision": wire.revision_summary(deployment, service, tasks),
        "deploymentConfiguration": deployment.configuration,
        "deploymentCircuitBreaker": {
            "status": fired if breaker["enable"] else "DISABLED",
            "failureCount": deployment.failed_tasks,
            "threshold": threshold,
        },
        "alarms": {
            "status": ("TRIGGERED" if deployment.alarms_fired else monitoring)
            if deployment.alarms_watched
            else "DISABLED",
            "alarmNames": deployment.alarms["alarmNames"],
            "triggeredAlarmNames": list(deployment.alarms_fired),
        },
    }
    if brief["status"] == "STOPPED":
        whole["stoppedAt"] = deployment.finished_at or deployment.updated_at
    if deployment.rolled_back_by is not None:
        whole["rollback"] = {
            "reason": deployment.rolled_back_by.rollout_state_reason,
            "startedAt": deployment.rolled_back_by.created_at,
            "serviceRevisionArn": wire.service_revision_arn(deployment.rolled_back_by, service),
        }
    return whole


def _revision(deployment: Deployment, service: Service) -> Json:
    revision = {
        "serviceRevisionArn": wire.service_revision_arn(deployment, service),
        "serviceArn": service.arn,
        "clusterArn": service.cluster.arn,
        "taskDefinition": deployment.task_definition.arn,
        "launchType": wire.launch_type(deployment.request),
        "capacityProviderStrategy": deployment.request.get("capacityProviderStrategy"),
        "platformVersion": wire.platform_version(deployment.request),
        "platformFamily": "Linux",
        "loadBalancers": deployment.request.get("loadBalancers"),
        "networkConfiguration": deployment.network_configuration,
        "containerImages": [
            {"containerName": container["name"], "image": container["image"]}
            for container in deployment.task_definition.containers
        ],
        "serviceConnectConfiguration": deployment.service_connect,
        "volumeConfigurations": deployment.request.get("volumeConfigurations"),
        "vpcLatticeConfigurations": deployment.request.get("vpcLatticeConfigurations"),
        "createdAt": deployment.created_at,
    }
    return {name: value for name, value in revision.items() if value is not None}


def _seconds(given: Any) -> float:
    try:
        return float(parse_timestamp(given).timestamp())
    except (ArithmeticError, RuntimeError, ValueError) as error:
        raise InvalidParameterException(f"createdAt cannot be read: {error}.") from None


def _at_most_20(arns: list[str], member: str) -> list[str]:
    if not 1 <= len(arns) <= 20:
        raise InvalidParameterException(f"{member} must have between 1 and 20 items.")
    return arns


OPERATIONS = {
    "ListServiceDeployments": list_service_deployments,
    "DescribeServiceDeployments": describe_service_deployments,
    "StopServiceDeployment": stop_service_deployment,
    "DescribeServiceRevisions": describe_service_revisions,
}
