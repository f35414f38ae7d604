"""Service Connect of a service: its namespace, its discovery names and their services in Cloud Map, who may call whom.

The tasks of a deployment may call the endpoints that were in its namespace when it began, its own among them (assumed);
its later tasks see no others (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-connect-concepts-deploy.html).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from twin.aws.ecs.context import Context
from twin.aws.ecs.errors import InvalidParameterException, NamespaceNotFoundException
from twin.aws.ecs.model import (
    IDLE_TIMEOUT,
    REQUEST_TIMEOUT,
    TCP_IDLE_TIMEOUT,
    Cluster,
    Deployment,
    Ecs,
    Endpoint,
    Service,
)

__all__ = ["calls", "configuration", "connect", "namespace_of"]

Json = dict[str, Any]

# API reference, ServiceConnectService: "lowercase letters, numbers, underscores (_), and hyphens (-)", up to 64
_DISCOVERY_NAME = re.compile(r"[a-z0-9_][a-z0-9_-]{0,63}")


def connect(context: Context, service: Service, deployment: Deployment) -> None:
    """Make the Cloud Map services that *deployment* of *service* registers with; nothing if it has none.

    Its endpoints, and those that it may call, are known then too.

    Raises:
        EcsError: its configuration cannot be used. Nothing has been made then.
    """
    configuration = deployment.service_connect
    if configuration is None:
        return
    namespace = configuration["namespace"]
    names = []
    for entry in configuration.get("services", []):
        name = entry.get("discoveryName", entry["portName"])
        _check(name)
        if name in names:
            raise InvalidParameterException(f"Service Connect discoveryName {name!r} is used by two of its services.")
        if _owner(context, namespace, name) not in (None, service):
            raise InvalidParameterException(f"Service Connect: SC service {name} is already used.")
        names.append(name)
    others = [*_others(context, service, namespace)]
    _check_aliases(context, configuration, others)
    for name in names:
        identifier, arn = context.cloud_map.create_service(namespace, name)
        service.discovery_services.add(identifier)
        deployment.service_connect_resources.append({"discoveryName": name, "discoveryArn": arn})
    found = [*_endpoints(context, service, deployment), *others]
    deployment.endpoints = tuple(sorted(found, key=lambda endpoint: (endpoint.name, endpoint.port)))


def _others(context: Context, service: Service, namespace: str) -> Iterator[Endpoint]:
    """The endpoints of all services but *service* in *namespace*."""
    for other in context.ecs.services.values():
        if other is not service and other.status == "ACTIVE" and other.deployments and namespace_of(other) == namespace:
            yield from _endpoints(context, other, other.primary)


def _check_aliases(context: Context, configuration: Json, others: Iterable[Endpoint]) -> None:
    """API reference, ServiceConnectClientAlias: "Each name and port mapping must be unique within the namespace"."""
    used = {(endpoint.name, endpoint.port): endpoint.service for endpoint in others}
    for entry in configuration.get("services", []):
        default = _default_name(context, entry.get("discoveryName", entry["portName"]), configuration["namespace"])
        for alias in entry.get("clientAliases", []):
            key = (alias.get("dnsName") or default, alias["port"])
            if key in used:
                raise InvalidParameterException(
                    f"Service Connect: the client alias {key[0]}:{key[1]} is already used by {used[key]}."
                )
            used[key] = f"another port ({entry['portName']}) of the service"


def _endpoints(context: Context, service: Service, deployment: Deployment) -> Iterator[Endpoint]:
    """The endpoints of *service* as *deployment* has them."""
    connection = deployment.service_connect or {}
    ports = {
        port.get("name"): port
        for container in deployment.task_definition.containers
        for port in container.get("portMappings", [])
    }
    for entry, resource in zip(connection.get("services", []), deployment.service_connect_resources, strict=True):
        port, timeouts = ports.get(entry["portName"], {}), entry.get("timeout") or {}
        protocol = port.get("appProtocol", "tcp")
        idle = TCP_IDLE_TIMEOUT if protocol == "tcp" else IDLE_TIMEOUT
        for alias in entry.get("clientAliases", []):
            yield Endpoint(
                name=alias.get("dnsName") or _default_name(context, resource["discoveryName"], connection["namespace"]),
                port=alias["port"],
                discovery_name=resource["discoveryName"],
                service_id=resource["discoveryArn"].rsplit("/", 1)[-1],
                cluster=service.cluster.name,
                service=service.name,
                protocol=protocol,
                request_timeout=timeouts.get("perRequestTimeoutSeconds", REQUEST_TIMEOUT),
                idle_timeout=timeouts.get("idleTimeoutSeconds", idle),
            )


def _default_name(context: Context, discovery_name: str, namespace: str) -> str:
    """API reference, ServiceConnectClientAlias: "the default value of discoveryName.namespace is used"."""
    return f"{discovery_name}.{context.cloud_map.namespace_name(namespace)}"


def configuration(context: Context, cluster: Cluster, request: Json) -> Json | None:
    """The Service Connect configuration of a service's *request*, its namespace as an ARN; None if it has none.

    Raises:
        NamespaceNotFoundException: its namespace is not there.
    """
    given = request.get("serviceConnectConfiguration") or {}
    if not given.get("enabled"):
        return None
    reference = given.get("namespace") or (cluster.service_connect_defaults or {}).get("namespace")
    if reference is None:
        raise InvalidParameterException("Service Connect needs a namespace: give one, or set the cluster's default.")
    namespace = context.cloud_map.namespace_arn(reference)
    if namespace is None:
        raise NamespaceNotFoundException(f"The namespace {reference} was not found.")
    return {**given, "namespace": namespace}


def namespace_of(service: Service) -> str | None:
    """The ARN of the namespace of a service's newest deployment."""
    connection = service.primary.service_connect
    return connection["namespace"] if connection else None


def calls(ecs: Ecs) -> list[Json]:
    """Who may call whom: for each service of Service Connect the endpoints of others that its tasks know."""
    return [
        {"service": service.name, "endpoint": str(endpoint), "target": endpoint.service}
        for service in ecs.services.values()
        if service.status == "ACTIVE"
        for endpoint in service.primary.endpoints
        if (endpoint.cluster, endpoint.service) != (service.cluster.name, service.name)
    ]


def _check(name: str) -> None:
    if not _DISCOVERY_NAME.fullmatch(name):
        raise InvalidParameterException(
            f"Service Connect discoveryName {name!r} must be 1 to 64 lowercase letters, digits, underscores and "
            "hyphens, and not start with a hyphen."
        )


def _owner(context: Context, namespace: str, discovery_name: str) -> Service | None:
    """The service that has *discovery_name* in *namespace*."""
    for service in context.ecs.services.values():
        if service.status == "INACTIVE" or namespace_of(service) != namespace:
            continue
        if discovery_name in {resource["discoveryName"] for resource in service.primary.service_connect_resources}:
            return service
    return None
