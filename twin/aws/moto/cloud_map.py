"""Cloud Map as its API reference has it, on moto's store (https://docs.aws.amazon.com/cloud-map/latest/api/).

moto ignores filters and pages, takes any name twice, deletes what is in use, and registers an instance twice. Assumed:
the health status of an instance without a health check is UNKNOWN, and DiscoverInstances without HealthStatus returns
all instances.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.route53 import route53_backends
from moto.servicediscovery.exceptions import (
    CustomHealthNotFound,
    InvalidInput,
    NamespaceNotFound,
    ServiceNotFound,
)
from moto.servicediscovery.models import ServiceDiscoveryBackend
from moto.servicediscovery.responses import ServiceDiscoveryResponse

__all__ = ["complete", "is_checked"]

Json = dict[str, Any]

_MOST = 100  # items of a page, of all list calls
_MOST_DISCOVERED = 1000
_STATUSES = ("HEALTHY", "UNHEALTHY", "ALL", "HEALTHY_OR_ELSE_ALL")
_CONDITIONS: dict[str, Callable[[str, str], bool]] = {"EQ": str.__eq__, "BEGINS_WITH": str.startswith}


# Of the member Name, as the API reference has them.
_LABEL, _PART = (
    r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?",
    r"([a-zA-Z0-9_][a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_]|[a-zA-Z0-9])",
)
_NAMES = {
    "create_http_namespace": r"(?!arn:)[!-~]{1,1024}",
    "create_private_dns_namespace": r"(?!arn:)[!-~]{1,253}",
    "create_public_dns_namespace": rf"(?=.{{1,253}}\Z)({_LABEL}\.)+{_LABEL}",
    "create_service": rf"(?=.{{1,127}}\Z){_PART}(\.{_PART})*|\.",
}


class _ResourceInUse(JsonRESTError):  # type: ignore[misc]
    def __init__(self, message: str) -> None:
        super().__init__("ResourceInUse", message)


class _AlreadyExists(JsonRESTError):  # type: ignore[misc]
    def __init__(self, kind: str, name: str, **members: str) -> None:
        super().__init__(f"{kind}AlreadyExists", f"{kind} {name} already exists.")
        self.description = json.dumps({"__type": self.error_type, "Message": self.message, **members})


def is_checked(service: Any) -> bool:
    """Whether the instances of *service* have a health status."""
    return bool(service.health_check_config or service.health_check_custom_config is not None)


def _list_namespaces(self: Any) -> str:
    fields: dict[str, Callable[[Any], str]] = {
        "TYPE": lambda n: n.type,
        "NAME": lambda n: n.name,
        "HTTP_NAME": lambda n: (n.http_properties or {}).get("HttpName") or n.name,
        "RESOURCE_OWNER": lambda n: "SELF",
    }
    request = json.loads(self.body)
    found = _filtered(self.servicediscovery_backend.list_namespaces(), request, fields)
    return _page("Namespaces", [namespace.to_json() for namespace in found], request)


def _list_services(self: Any) -> str:
    request = json.loads(self.body)
    backend = self.servicediscovery_backend
    for condition in request.get("Filters", []):
        condition["Values"] = [_identifier(backend, value, "namespace") for value in condition["Values"]]
    fields: dict[str, Callable[[Any], str]] = {
        "NAMESPACE_ID": lambda service: service.namespace_id,
        "RESOURCE_OWNER": lambda service: "SELF",
    }
    found = _filtered(backend.list_services(), request, fields)
    return _page("Services", [_counted(service) for service in found], request)


def _list_operations(self: Any) -> str:
    request = json.loads(self.body)
    fields: dict[str, Callable[[Any], str]] = {
        "NAMESPACE_ID": lambda operation: operation.targets.get("NAMESPACE", ""),
        "SERVICE_ID": lambda operation: operation.targets.get("SERVICE", ""),
        "STATUS": lambda operation: operation.status,
        "TYPE": lambda operation: operation.operation_type,
    }
    found = _filtered(self.servicediscovery_backend.operations.values(), request, fields, several=True)
    return _page("Operations", [operation.to_json(short=True) for operation in found], request)


def _filtered(
    items: Iterable[Any], request: Json, fields: dict[str, Callable[[Any], str]], *, several: bool = False
) -> list[Any]:
    found = list(items)
    for condition in request.get("Filters", []):
        field, values = fields.get(condition["Name"]), condition["Values"]
        kind = condition.get("Condition", "EQ")
        if field is None or not values:
            raise InvalidInput(f"The filter {condition['Name']} with the values {values} is invalid.")
        if several and kind == "IN":
            found = [item for item in found if field(item) in values]
        elif kind in _CONDITIONS and len(values) == 1:
            found = [item for item in found if _CONDITIONS[kind](field(item), values[0])]
        else:
            raise InvalidInput(f"The condition {kind} of the filter {condition['Name']} with {values} is invalid.")
    return found


def _page(member: str, items: Sequence[Json], request: Json) -> str:
    start, size = request.get("NextToken", "0"), request.get("MaxResults", _MOST)
    if not start.isdigit() or not 1 <= size <= _MOST:
        raise InvalidInput(f"NextToken {start!r} or MaxResults {size} is invalid.")
    end = int(start) + size
    answer: Json = {member: items[int(start) : end]}
    return json.dumps(answer | ({"NextToken": str(end)} if end < len(items) else {}))


def _counted(service: Any) -> Json:
    return {**service.to_json(), "InstanceCount": len(service.instances)}


def _identifier(backend: Any, reference: str, kind: str) -> str:
    """The id in *reference*, an id or an ARN of this account and Region; else *reference* itself, which nothing has."""
    own = f":servicediscovery:{backend.region_name}:{backend.account_id}:{kind}/"
    return reference.split(own)[1] if reference.startswith("arn:") and own in reference else reference


def _create_http_namespace(self: Any) -> str:
    request = json.loads(self.body)
    for namespace in self.servicediscovery_backend.list_namespaces():
        if (namespace.name, namespace.type) == (request["Name"], "HTTP"):
            known = {"NamespaceId": namespace.id, "CreatorRequestId": namespace.creator_request_id or ""}
            raise _AlreadyExists("Namespace", request["Name"], **known)
    return str(_ORIGINAL["create_http_namespace"](self))


def _create_service(self: Any) -> str:
    request = json.loads(self.body)
    backend = self.servicediscovery_backend
    namespace = request.get("NamespaceId") or (request.get("DnsConfig") or {}).get("NamespaceId")
    if namespace is not None and namespace not in backend.namespaces:
        raise NamespaceNotFound(namespace)
    for service in backend.list_services():
        if (service.name, service.namespace_id) == (request["Name"], namespace):
            known = {"ServiceId": service.id, "ServiceArn": service.arn, "CreatorRequestId": service.creator_request_id}
            raise _AlreadyExists("Service", request["Name"], **known)
    if namespace is not None:  # moto forgets one that DnsConfig alone has
        self.body = json.dumps({**request, "NamespaceId": namespace})
    return str(_ORIGINAL["create_service"](self))


def _delete_namespace(self: Any) -> str:
    namespace, backend = json.loads(self.body)["Id"], self.servicediscovery_backend
    if any(service.namespace_id == namespace for service in backend.list_services()):
        raise _ResourceInUse(f"Namespace {namespace} contains services and can't be deleted.")
    of_dns = getattr(backend.namespaces.get(namespace), "dns_properties", None) or {}
    answer = str(_ORIGINAL["delete_namespace"](self))
    if zone := of_dns.get("HostedZoneId"):  # what Cloud Map has made for it
        route53_backends[backend.account_id][backend.partition].zones.pop(zone.removeprefix("/hostedzone/"), None)
    return answer


def _delete_service(self: Any) -> str:
    service = json.loads(self.body)["Id"]
    if self.servicediscovery_backend.get_service(service).instances:
        raise _ResourceInUse(f"Service {service} contains registered instances; delete the instances first.")
    return str(_ORIGINAL["delete_service"](self))


def _get_service(self: Any) -> str:
    service = self.servicediscovery_backend.get_service(json.loads(self.body)["Id"])
    return json.dumps({"Service": _counted(service)})


def _update_instance_custom_health_status(self: Any) -> str:
    service = self.servicediscovery_backend.get_service(json.loads(self.body)["ServiceId"])
    if service.health_check_custom_config is None:
        raise CustomHealthNotFound(f"The service {service.id} has no custom health check.")
    return str(_ORIGINAL["update_instance_custom_health_status"](self))


def _discover_instances(self: Any) -> str:
    request, backend = json.loads(self.body), self.servicediscovery_backend
    service = _discovered(backend, request)
    wanted = request.get("HealthStatus", "ALL") if is_checked(service) else "ALL"
    most = request.get("MaxResults", _MOST)
    if wanted not in _STATUSES or not 1 <= most <= _MOST_DISCOVERED:
        raise InvalidInput(f"HealthStatus {wanted!r} or MaxResults {most} is invalid.")
    found = backend._filter_instances(
        service.instances, request.get("QueryParameters"), request.get("OptionalParameters"), wanted
    )
    told = [
        {
            "InstanceId": instance.instance_id,
            "NamespaceName": request["NamespaceName"],
            "ServiceName": service.name,
            "HealthStatus": instance.health_status if is_checked(service) else "UNKNOWN",
            "Attributes": instance.attributes,
        }
        for instance in random.sample(found, min(len(found), most))
    ]
    return json.dumps({"Instances": told, "InstancesRevision": _revision(service)})


def _discover_instances_revision(self: Any) -> str:
    service = _discovered(self.servicediscovery_backend, json.loads(self.body))
    return json.dumps({"InstancesRevision": _revision(service)})


def _discovered(backend: Any, request: Json) -> Any:
    named = [n for n in backend.list_namespaces() if request["NamespaceName"] in (_http_name(n), n.name)]
    if not named:
        raise NamespaceNotFound(request["NamespaceName"])
    for service in backend.list_services():
        if service.name == request["ServiceName"] and service.namespace_id in {n.id for n in named}:
            return service
    raise ServiceNotFound(request["ServiceName"])


def _http_name(namespace: Any) -> str:
    return (namespace.http_properties or {}).get("HttpName") or str(namespace.name)


def _revision(service: Any) -> int:
    return sum(service.instances_revision.values())


def _register(self: Any, service_id: str, instance_id: str, creator_request_id: str, attributes: dict[str, str]) -> str:
    """The backend's: an instance that is there gets these attributes in place of its own."""
    service = self.get_service(service_id)
    service.instances[:] = [known for known in service.instances if known.instance_id != instance_id]
    operation = _REGISTER(self, service_id, instance_id, creator_request_id, attributes)
    if is_checked(service):
        service.instances[-1].health_status = attributes.pop("AWS_INIT_HEALTH_STATUS", "HEALTHY")
    return str(operation)


def _with_name(operation: str, method: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """*method*, which refuses names that Cloud Map does not take: they get into hosts files."""

    def call(self: Any) -> Any:
        name = json.loads(self.body).get("Name", "")
        if not re.fullmatch(_NAMES[operation], name):
            raise InvalidInput(f"The name {name[:100]!r} must match {_NAMES[operation]}.")
        return method(self)

    return call


def _with_ids(method: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """*method* with the ARNs of its request as ids: all that take an id of a namespace or service take an ARN too."""

    def call(self: Any) -> Any:
        request = json.loads(self.body)
        for member in ("Id", "ServiceId", "NamespaceId"):
            if str(request.get(member, "")).startswith("arn:"):
                for kind in ("namespace", "service"):
                    request[member] = _identifier(self.servicediscovery_backend, request[member], kind)
        self.body = json.dumps(request)
        return method(self)

    return call


_NEW: dict[str, Callable[[Any], str]] = {
    "create_http_namespace": _create_http_namespace,
    "create_service": _create_service,
    "delete_namespace": _delete_namespace,
    "delete_service": _delete_service,
    "discover_instances": _discover_instances,
    "discover_instances_revision": _discover_instances_revision,
    "get_service": _get_service,
    "list_namespaces": _list_namespaces,
    "list_operations": _list_operations,
    "list_services": _list_services,
    "update_instance_custom_health_status": _update_instance_custom_health_status,
}
_TAKE_AN_ARN = (
    *("create_service", "delete_namespace", "delete_service", "deregister_instance", "get_instance"),
    *("get_instances_health_status", "get_namespace", "get_service", "list_instances", "register_instance"),
    *("update_http_namespace", "update_instance_custom_health_status", "update_service"),
)
_ORIGINAL: dict[str, Callable[[Any], Any]] = {
    name: getattr(ServiceDiscoveryResponse, name) for name in {*_NEW, *_TAKE_AN_ARN, *_NAMES}
}
_REGISTER = ServiceDiscoveryBackend.register_instance


def complete() -> None:
    """Put it on moto's classes."""
    for name in _ORIGINAL:
        method = _NEW.get(name, _ORIGINAL[name])
        if name in _NAMES:
            method = _with_name(name, method)
        setattr(ServiceDiscoveryResponse, name, _with_ids(method) if name in _TAKE_AN_ARN else method)
    ServiceDiscoveryBackend.register_instance = _register
