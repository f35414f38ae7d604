"""Operations on services."""

from __future__ import annotations

from typing import Any

from twin.aws.ecs import service_connect, wire
from twin.aws.ecs.context import Context, check_name, find_cluster, find_service, name_of, page
from twin.aws.ecs.errors import (
    ClientException,
    InvalidParameterException,
    ServiceNotActiveException,
    ServiceNotFoundException,
)
from twin.aws.ecs.limits import check_service
from twin.aws.ecs.model import DEPLOYED, Deployment, Service, TaskDefinition
from twin.aws.ecs.service_registries import registry_faults
from twin.aws.ecs.tags import checked_tags
from twin.aws.ecs.task_definitions import find_task_definition
from twin.machine.capacity import most_tasks

__all__ = ["OPERATIONS", "check_network", "usable"]

Json = dict[str, Any]

_KEPT = (
    *DEPLOYED,
    "availabilityZoneRebalancing",
    "enableECSManagedTags",
    "enableExecuteCommand",
    "healthCheckGracePeriodSeconds",
    "propagateTags",
)
# What would change which tasks run, and does not here. (What tasks merely lack is told by unsupported.py.)
_REFUSED = ("placementConstraints", "placementStrategy", "gatewayConnectors", "monitoring")


def create_service(context: Context, request: Json) -> Json:
    """With Service Connect, the Cloud Map services exist before this returns."""
    cluster = find_cluster(context, request.get("cluster"))
    name = check_name("Service name", request["serviceName"])
    content = {k: v for k, v in request.items() if k not in ("clientToken", "cluster", "tags")}
    existing = context.ecs.services.get((cluster.name, name))
    if existing is not None and existing.status != "INACTIVE":
        if existing.status == "ACTIVE" and existing.created_from == content:
            return {"service": wire.service(existing, context.ecs, tags=True)}
        state = "not idempotent" if existing.status == "ACTIVE" else "still draining"
        raise InvalidParameterException(f"Creation of service was {state}.")
    _check(request)
    if "desiredCount" not in request:
        raise InvalidParameterException("desiredCount is required for the scheduling strategy REPLICA.")
    if request.get("launchType") and request.get("capacityProviderStrategy"):
        raise InvalidParameterException("Give launchType or capacityProviderStrategy, not both.")
    tags = checked_tags(request.get("tags", []))
    service = Service(
        arn=context.ecs.arn(f"service/{cluster.name}/{name}"),
        name=name,
        cluster=cluster,
        created_at=context.controller.clock(),
        desired_count=_count(request["desiredCount"]),
        deployments=[],
        request=dict(content),
        created_from=content,
    )
    definition = usable(context, request.get("taskDefinition", ""))
    _check_with(context, service.request, definition)
    room = service.deployment_configuration["maximumPercent"] > 100
    service.request.setdefault("availabilityZoneRebalancing", "ENABLED" if room else "DISABLED")
    deployment = _deployment(context, service, definition, service.request)
    context.controller.deploy(service, deployment)
    context.ecs.services[cluster.name, name] = service
    context.ecs.tags[service.arn] = tags
    return {"service": wire.service(service, context.ecs, tags=True)}


def update_service(context: Context, request: Json) -> Json:
    """A new deployment is in place before this returns, or `services-stable` would pass at once."""
    service = find_service(context, request.get("cluster"), request["service"])
    if service.status != "ACTIVE":
        raise ServiceNotActiveException("Service was not ACTIVE.")
    _check(request)
    desired = _count(request.get("desiredCount", service.desired_count))
    changed = {**service.request, **{name: request[name] for name in _KEPT if name in request}}
    if "deploymentConfiguration" in request:
        before = service.request.get("deploymentConfiguration") or {}
        changed["deploymentConfiguration"] = {**before, **request["deploymentConfiguration"]}
    definition = service.primary.task_definition
    if "taskDefinition" in request:
        definition = usable(context, request["taskDefinition"])
    _check_with(context, changed, definition)
    if (
        request.get("forceNewDeployment", False)
        or definition is not service.primary.task_definition
        or any(changed.get(name) != service.request.get(name) for name in DEPLOYED)
    ):
        context.controller.deploy(service, _deployment(context, service, definition, changed))
    service.request = service.primary.request = changed
    if desired != service.desired_count:
        service.desired_count = desired
        service.steady = False
    context.controller.wake()
    return {"service": wire.service(service, context.ecs, tags=True)}


def describe_services(context: Context, request: Json) -> Json:
    """Up to ten services by name or ARN, missing ones as failures."""
    if not 1 <= len(request["services"]) <= 10:
        raise InvalidParameterException("services must have between 1 and 10 items.")
    cluster = find_cluster(context, request.get("cluster"))
    found, failures = [], []
    for reference in request["services"]:
        name = name_of(context, reference, "service", cluster)
        service = context.ecs.services.get((cluster.name, name))
        if service is None:
            arn = context.ecs.arn(f"service/{cluster.name}/{name}")
            failures.append({"arn": arn, "reason": "MISSING"})
        else:
            found.append(wire.service(service, context.ecs, tags="TAGS" in request.get("include", [])))
    return {"services": found, "failures": failures}


def list_services(context: Context, request: Json) -> Json:
    """The ARNs of a cluster's services."""
    cluster = find_cluster(context, request.get("cluster"))
    arns = [
        service.arn
        for service in context.ecs.services.values()
        if service.cluster is cluster
        and service.status != "INACTIVE"
        and request.get("launchType") in (None, wire.launch_type(service.request))
        and request.get("schedulingStrategy", "REPLICA") == "REPLICA"
    ]
    found, token = page(arns, request, default=10)
    return {"serviceArns": found, **token}


def list_services_by_namespace(context: Context, request: Json) -> Json:
    """The ARNs of the services whose Service Connect namespace it is."""
    wanted = context.cloud_map.namespace_arn(request["namespace"])
    arns = [
        service.arn
        for service in context.ecs.services.values()
        if wanted is not None and service.status != "INACTIVE" and service_connect.namespace_of(service) == wanted
    ]
    found, token = page(arns, request, default=10)
    return {"serviceArns": found, **token}


def delete_service(context: Context, request: Json) -> Json:
    """It drains: its tasks are stopped; when the last has, it is INACTIVE."""
    service = find_service(context, request.get("cluster"), request["service"])
    if service.status == "INACTIVE":
        raise ServiceNotFoundException("Service not found.")
    if service.desired_count > 0 and not request.get("force", False):
        raise InvalidParameterException("The service cannot be stopped while it is scaled above 0.")
    service.status = "DRAINING"
    service.desired_count = 0
    context.controller.wake()
    return {"service": wire.service(service, context.ecs, tags=True)}


def _check(request: Json) -> None:
    """Refuse by name what would change which tasks run, and cannot be had here."""
    for member in _REFUSED:
        if request.get(member):
            raise InvalidParameterException(f"{member} is not supported by this endpoint.")
    strategy = (request.get("deploymentConfiguration") or {}).get("strategy")
    for what, given, here in (
        ("launch type", request.get("launchType"), "FARGATE"),
        ("scheduling strategy", request.get("schedulingStrategy"), "REPLICA"),
        ("deployment controller", (request.get("deploymentController") or {}).get("type"), "ECS"),
        ("deployment strategy", strategy, "ROLLING"),
    ):
        if given not in (None, here):
            raise InvalidParameterException(f"The {what} {given} is not supported by this endpoint: {here} is.")


def _check_with(context: Context, request: Json, definition: TaskDefinition) -> None:
    """Refuse what is beyond a limit, or does not fit the tasks' *definition*."""
    check_service(request, definition.request, context.load_balancing.target_groups())
    registries = request.get("serviceRegistries") or []
    for fault in registry_faults(registries, definition.containers, context.cloud_map.record_types):
        raise InvalidParameterException(fault)


def _count(desired: int) -> int:
    if desired < 0:
        raise InvalidParameterException(f"desiredCount must be at least 0, is {desired}.")
    if desired > (most := most_tasks()):
        raise InvalidParameterException(f"desiredCount is {desired}, and this machine has memory for {most} tasks.")
    return desired


def usable(context: Context, reference: str) -> TaskDefinition:
    """An active task definition whose tasks can run here."""
    definition = find_task_definition(context, reference, missing="TaskDefinition not found.")
    if definition.status != "ACTIVE":
        raise ClientException("TaskDefinition is inactive")
    if definition.request.get("networkMode") != "awsvpc":
        raise InvalidParameterException("Task definition does not support launch_type FARGATE.")
    return definition


def check_network(context: Context, network: Json) -> None:
    """Refuse a network configuration without subnets that are there."""
    subnets = (network.get("awsvpcConfiguration") or {}).get("subnets") or []
    if not subnets:
        raise InvalidParameterException(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified."
        )
    if not context.controller.placements.zones(network):
        raise InvalidParameterException(f"Error retrieving subnet information for {subnets}: one does not exist.")


def _deployment(context: Context, service: Service, definition: TaskDefinition, request: Json) -> Deployment:
    """A new deployment of *service* as *request* has it; makes its Cloud Map services."""
    check_network(context, request.get("networkConfiguration") or {})
    connection = service_connect.configuration(context, service.cluster, request)
    deployment = context.controller.new_deployment(service, definition, request, connection)
    service_connect.connect(context, service, deployment)
    return deployment


OPERATIONS = {
    "CreateService": create_service,
    "UpdateService": update_service,
    "DescribeServices": describe_services,
    "ListServices": list_services,
    "ListServicesByNamespace": list_services_by_namespace,
    "DeleteService": delete_service,
}
