"""What ECS does in Cloud Map: the services of Service Connect and the instances in them.

ECS is a part of AWS, so it works on moto's store of Cloud Map directly; everybody else goes through the endpoint.
"""

from __future__ import annotations

import itertools
from typing import Any

from moto.backends import get_backend
from moto.servicediscovery.exceptions import InstanceNotFound, ServiceNotFound

from twin.aws.instances import ipv4_address, usable_address
from twin.aws.moto.stores import locked
from twin.machine.addresses import Address

__all__ = ["Registry"]

OPERATIONS_STAY = 1_000


class Registry:
    """The Cloud Map of one account and Region, as ECS uses it."""

    def __init__(self, account: str, region: str) -> None:
        self._backend: Any = get_backend("servicediscovery")[account][region]

    @locked
    def namespace_arn(self, namespace: str) -> str | None:
        """The ARN of *namespace* (its ARN or name), None if there is no such namespace."""
        found = self._namespace(namespace)
        return str(found.arn) if found else None

    @locked
    def namespace_name(self, arn: str) -> str | None:
        """The name of the namespace with that ARN, None if there is no such namespace."""
        found = self._namespace(arn)
        return str(found.name) if found else None

    @locked
    def create_namespace(self, name: str) -> str:
        """The ARN of a new HTTP namespace."""
        self._backend.create_http_namespace(name, creator_request_id="", description="Managed by Amazon ECS", tags=[])
        return str(self._namespace(name).arn)

    @locked
    def create_service(self, namespace: str, name: str) -> tuple[str, str]:
        """The (id, ARN) of the service *name* in *namespace* (its ARN or name), made if it is not there.

        Raises:
            LookupError: there is no such namespace.
        """
        found = self._namespace(namespace)
        if found is None:
            raise LookupError(namespace)
        for service in self._backend.list_services():
            if service.namespace_id == found.id and service.name == name:
                return service.id, service.arn
        service = self._backend.create_service(
            name=name,
            namespace_id=found.id,
            creator_request_id="",
            description="Managed by Amazon ECS",
            dns_config=None,
            health_check_config=None,
            # None: DiscoverInstances returns whatever is registered, healthy or not.
            health_check_custom_config=None,
            tags=[{"Key": "AmazonECSManaged", "Value": "true"}],
            service_type="HTTP",
        )
        return service.id, service.arn

    @locked
    def record_types(self, service_arn: str) -> frozenset[str] | None:
        """The types of the DNS records of the service with that ARN; None if there is none."""
        for service in self._backend.list_services():
            if service.arn == service_arn:
                records = (service.dns_config or {}).get("DnsRecords") or []
                return frozenset(record["Type"] for record in records)
        return None

    @locked
    def delete_service(self, service_id: str) -> None:
        """Remove a service; nothing happens if it is gone."""
        self._backend.delete_service(service_id)

    @locked
    def register(
        self, service_id: str, instance_id: str, address: Address, attributes: dict[str, str], *, with_port: bool = True
    ) -> None:
        """Register an instance; nothing happens if its service is gone."""
        where = {"AWS_INSTANCE_IPV4": address.host} | ({"AWS_INSTANCE_PORT": str(address.port)} if with_port else {})
        try:
            self._backend.register_instance(service_id, instance_id, "", {**where, **attributes})
        except ServiceNotFound:
            return
        self._forget_operations()

    @locked
    def deregister(self, service_id: str, instance_id: str) -> None:
        """Remove an instance; nothing happens if it, or its service, is gone."""
        try:
            self._backend.deregister_instance(service_id, instance_id)
            self._backend.get_service(service_id).instances_revision.pop(instance_id, None)
        except (InstanceNotFound, ServiceNotFound):
            return
        self._forget_operations()

    @locked
    def set_health(self, service_id: str, instance_id: str, *, healthy: bool) -> None:
        """Set the status of an instance whose service has a custom health check; else nothing happens."""
        try:
            service = self._backend.get_service(service_id)
        except ServiceNotFound:
            return
        for instance in service.instances:
            if instance.instance_id == instance_id and service.health_check_custom_config is not None:
                instance.health_status = "HEALTHY" if healthy else "UNHEALTHY"

    @locked
    def instances(self, service_id: str) -> list[str]:
        """The ids of a service's instances."""
        try:
            return [instance.instance_id for instance in self._backend.list_instances(service_id)]
        except ServiceNotFound:
            return []

    @locked
    def addresses(self, service_id: str) -> frozenset[Address]:
        """Where a service's instances are; without those that have no IPv4 address and port."""
        try:
            instances = self._backend.list_instances(service_id)
        except ServiceNotFound:
            return frozenset()
        found = (usable_address(instance.attributes) for instance in instances)
        return frozenset(address for address in found if address)

    @locked
    def dns_names(self) -> dict[str, list[str] | None] | None:
        """The IPv4 addresses of the instances by each name of the DNS namespaces; None: there is no such namespace.

        Without those that are not HEALTHY, where one is. Those of a name without A records are None.
        """
        namespaces = {each.id: each.name for each in self._backend.list_namespaces() if each.type != "HTTP"}
        if not namespaces:
            return None
        names: dict[str, list[str] | None] = {}
        for service in self._backend.list_services():
            if service.namespace_id in namespaces and service.dns_config:
                types = {record["Type"] for record in service.dns_config.get("DnsRecords") or []}
                healthy = [each for each in service.instances if each.health_status == "HEALTHY"]
                addresses = (ipv4_address(each.attributes) for each in healthy or service.instances)
                found = [address for address in addresses if address] if "A" in types else None
                names[f"{service.name}.{namespaces[service.namespace_id]}"] = found
        return names

    def _forget_operations(self) -> None:
        """Each registration is an operation, which moto keeps for ever; Cloud Map for some months."""
        operations = self._backend.operations
        for identifier in list(itertools.islice(operations, max(0, len(operations) - OPERATIONS_STAY))):
            del operations[identifier]

    def _namespace(self, reference: str) -> Any:
        for namespace in self._backend.list_namespaces():
            if reference in (namespace.arn, namespace.name):
                return namespace
        return None
