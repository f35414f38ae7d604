"""Operations on services."""

from __future__ import annotations

from typing import Any

from twin.ecs import wire
from twin.ecs.context import Context, find_cluster, name_of, page
from twin.ecs.errors import (
    InvalidParameterException,
    ServiceNotActiveException,
    ServiceNotFoundException,
)
from twin.ecs.model import Cluster, Deployment, Service, TaskDefinition
from twin.ecs.task_definitions import find_task_definition

__all__ = ["OPERATIONS"]

Json = dict[str, Any]

# A change of any of these needs new tasks, so it makes a new deployment.
_DEPLOYED = ("networkConfiguration", "serviceConnectConfiguration", "platformVersion", "capacityProviderStrategy")
_KEPT = (
    *_DEPLOYED,
    "deploymentConfiguration",
    "loadBalancers",
    "healthCheckGracePeriodSeconds",
    "enableECSManagedTags",
    "enableExecuteCommand",
    "propagateTags",
    "availabilityZoneRebalancing",
)


def create_service(context: Context, request: Json) -> Json:
    """With Service Connect, the Cloud Map services exist before this returns."""
    cluster = find_cluster(context, request.get("cluster"))
    name = request["serviceName"]
    existing = context.ecs.services.get((cluster.name, name))
    if existing is not None and existing.status != "INACTIVE":
        state = "not idempotent" if existing.status == "ACTIVE" else "still draining"
        raise InvalidParameterException(f"Creation of service was {state}.")
    for member in ("serviceRegistries", "placementConstraints", "placementStrategy"):
        if request.get(member):
            raise InvalidParameterException(f"{member} is not supported by this endpoint")
    if request.get("schedulingStrategy", "REPLICA") != "REPLICA":
        raise InvalidParameterException("Only the scheduling strategy REPLICA is supported by this endpoint")
    if request.get("deploymentController", {"type": "ECS"})["type"] != "ECS":
        raise InvalidParameterException("Only the deployment controller ECS is supported by this endpoint")
    definition = find_task_definition(context, request.get("taskDefinition", ""))
    if definition.status != "ACTIVE":
        raise InvalidParameterException("TaskDefinition is inactive")
    service = Service(
        arn=context.ecs.arn(f"service/{cluster.name}/{name}"),
        name=name,
        cluster=cluster,
        created_at=context.controller.clock(),
        desired_count=_count(request.get("desiredCount", 1)),
        deployments=[],
        request={k: v for k, v in request.items() if k != "tags"},
    )
    context.controller.deploy(service, _deployment(context, service, definition))
    context.ecs.services[cluster.name, name] = service
    if request.get("tags"):
        context.ecs.tags[service.arn] = list(request["tags"])
    return {"service": {**wire.service(service, context.ecs), "tags": context.ecs.tags.get(service.arn, [])}}


def update_service(context: Context, request: Json) -> Json:
    """A new deployment is in place before this returns, or `services-stable` would pass at once."""
    service = _find(context, request.get("cluster"), request["service"])
    if service.status != "ACTIVE":
        raise ServiceNotActiveException("Service was not ACTIVE.")
    changes = {name: request[name] for name in _KEPT if name in request}
    renew = request.get("forceNewDeployment", False) or any(
        name in changes and changes[name] != service.request.get(name) for name in _DEPLOYED
    )
    definition = service.primary.task_definition
    if "taskDefinition" in request:
        definition = find_task_definition(context, request["taskDefinition"])
        if definition.status != "ACTIVE":
            raise InvalidParameterException("TaskDefinition is inactive")
        renew = renew or definition is not service.primary.task_definition
    before = service.request
    service.request = {**before, **changes}
    try:
        deployment = _deployment(context, service, definition) if renew else None
        if "desiredCount" in request:
            service.desired_count = _count(request["desiredCount"])
            service.steady = False
    except InvalidParameterException:
        service.request = before
        raise
    if deployment is not None:
        context.controller.deploy(service, deployment)
    context.controller.wake()
    return {"service": wire.service(service, context.ecs)}


def describe_services(context: Context, request: Json) -> Json:
    """Up to ten services by name or ARN, missing ones as failures."""
    if len(request["services"]) > 10:
        raise InvalidParameterException("services can have at most 10 items.")
    cluster = find_cluster(context, request.get("cluster"))
    found, failures = [], []
    for reference in request["services"]:
        service = context.ecs.services.get((cluster.name, name_of(reference)))
        if service is None:
            arn = context.ecs.arn(f"service/{cluster.name}/{name_of(reference)}")
            failures.append({"arn": arn, "reason": "MISSING"})
            continue
        tags = {"tags": context.ecs.tags.get(service.arn, [])} if "TAGS" in request.get("include", []) else {}
        found.append({**wire.service(service, context.ecs), **tags})
    return {"services": found, "failures": failures}


def list_services(context: Context, request: Json) -> Json:
    """The ARNs of a cluster's services."""
    cluster = find_cluster(context, request.get("cluster"))
    launch_type = request.get("launchType", "FARGATE")
    strategy = request.get("schedulingStrategy", "REPLICA")
    arns = [
        service.arn
        for service in context.ecs.services.values()
        if service.cluster is cluster
        and service.status != "INACTIVE"
        and service.request.get("launchType", "FARGATE") == launch_type
        and strategy == "REPLICA"
    ]
    found, token = page(arns, {"maxResults": 10, **request})
    return {"serviceArns": found, **token}


def list_services_by_namespace(context: Context, request: Json) -> Json:
    """The ARNs of the services whose Service Connect namespace it is."""
    wanted = context.cloud_map.namespace_arn(request["namespace"])
    if wanted is None:
        raise InvalidParameterException(f"Namespace {request['namespace']} was not found.")
    arns = [
        service.arn
        for service in context.ecs.services.values()
        if service.status != "INACTIVE" and _namespace(context, service.cluster, service.request) == wanted
    ]
    found, token = page(arns, {"maxResults": 10, **request})
    return {"serviceArns": found, **token}


def delete_service(context: Context, request: Json) -> Json:
    """It drains: its tasks are stopped; when the last has, it is INACTIVE."""
    service = _find(context, request.get("cluster"), request["service"])
    if service.status == "INACTIVE":
        raise ServiceNotFoundException("Service not found.")
    if service.desired_count > 0 and not request.get("force", False) and service.status == "ACTIVE":
        raise InvalidParameterException("The service cannot be stopped while it is scaled above 0.")
    service.status = "DRAINING"
    service.desired_count = 0
    context.controller.wake()
    return {"service": wire.service(service, context.ecs)}


def _find(context: Context, cluster_reference: str | None, reference: str) -> Service:
    cluster: Cluster = find_cluster(context, cluster_reference)
    service = context.ecs.services.get((cluster.name, name_of(reference)))
    if service is None:
        raise ServiceNotFoundException("Service not found.")
    return service


def _count(desired: int) -> int:
    if desired < 0:
        raise InvalidParameterException(f"Desired count must be at least 0, is {desired}")
    return desired


def _deployment(context: Context, service: Service, definition: TaskDefinition) -> Deployment:
    """A new deployment of *service* as its request now is; makes its Cloud Map services."""
    network = service.request.get("networkConfiguration") or {}
    subnets = (network.get("awsvpcConfiguration") or {}).get("subnets") or []
    if not subnets:
        raise InvalidParameterException(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified."
        )
    known = context.controller.placements.zones(network)
    if not known:
        raise InvalidParameterException(f"The subnet ID '{subnets[0]}' does not exist")
    connect = service.request.get("serviceConnectConfiguration") or {}
    if not connect.get("enabled"):
        return context.controller.new_deployment(definition, network, None)
    namespace = _namespace(context, service.cluster, service.request)
    if namespace is None:
        raise InvalidParameterException(
            f"The Service Connect namespace {connect.get('namespace')} was not found: give its ARN."
        )
    deployment = context.controller.new_deployment(definition, network, {**connect, "namespace": namespace})
    ports = {port.get("name") for container in definition.containers for port in container.get("portMappings", [])}
    service.discovery_service_ids = []
    for entry in connect.get("services", []):
        if entry["portName"] not in ports:
            raise InvalidParameterException(
                f"Service Connect: portName {entry['portName']} is no named port of task definition {definition.arn}"
            )
        name = entry.get("discoveryName", entry["portName"])
        owner = _owner(context, namespace, name)
        if owner not in (None, service):
            raise InvalidParameterException(f"Service Connect: SC service {name} is already used")
        identifier, arn = context.cloud_map.create_service(namespace, name)
        service.discovery_service_ids.append(identifier)
        deployment.service_connect_resources.append({"discoveryName": name, "discoveryArn": arn})
    return deployment


def _namespace(context: Context, cluster: Cluster, request: Json) -> str | None:
    """The ARN of the request's Service Connect namespace, else of the cluster's default."""
    connect = request.get("serviceConnectConfiguration") or {}
    default = (cluster.service_connect_defaults or {}).get("namespace")
    reference = connect.get("namespace") or default
    return context.cloud_map.namespace_arn(reference) if connect.get("enabled") and reference else None


def _owner(context: Context, namespace: str, discovery_name: str) -> Service | None:
    """The service that has *discovery_name* in *namespace*."""
    for service in context.ecs.services.values():
        if service.status == "INACTIVE" or not service.deployments:
            continue
        names = {resource["discoveryName"] for resource in service.primary.service_connect_resources}
        if discovery_name in names and (service.primary.service_connect or {}).get("namespace") == namespace:
            return service
    return None


OPERATIONS = {
    "CreateService": create_service,
    "UpdateService": update_service,
    "DescribeServices": describe_services,
    "ListServices": list_services,
    "ListServicesByNamespace": list_services_by_namespace,
    "DeleteService": delete_service,
}
