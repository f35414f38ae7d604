"""Where a task is found: target groups of load balancers, and services of Cloud Map.

In Cloud Map it is in the services whose port its Service Connect proxy serves, under the proxy's address, and in those
of its service's service registries.
"""

from __future__ import annotations

from typing import Any

from twin.aws.ecs.model import HealthStatus, Task
from twin.aws.ecs.service_registries import port_of
from twin.machine.addresses import Address
from twin.tasks.surroundings import Surroundings

__all__ = ["Registrations", "served_service"]


def served_service(task: Task) -> dict[str, Any]:
    """The Service Connect service whose port the task's proxy serves: the first; empty if there is none."""
    services = (task.deployment.service_connect or {}).get("services") or [{}]
    return dict(services[0])


class Registrations:
    """Those of one task. False as long as it is in no service of Cloud Map."""

    def __init__(self, task: Task, surroundings: Surroundings) -> None:
        self._task = task
        self._registry, self._balancers = surroundings.registry, surroundings.balancers
        self._region = surroundings.aws.region
        self._ids: list[str] = []  # of the services of Cloud Map

    def __bool__(self) -> bool:
        return bool(self._ids)

    @property
    def discovery_names(self) -> list[str]:
        """Those of the services whose port the proxy serves."""
        return [name for name, _ in self._discovered()]

    async def enter(self, address: Address, *, has_proxy: bool) -> None:
        """Register the task, which is to be reached at *address*."""
        task, registry = self._task, self._registry
        await self._balancers.register(task.id, task.target_groups, address)
        attributes = {
            "ECS_CLUSTER_NAME": task.cluster.name,
            "ECS_SERVICE_NAME": task.service_name,
            "ECS_TASK_DEFINITION_FAMILY": task.deployment.task_definition.family,
        }
        for _, service_id in self._discovered() if has_proxy else ():
            self._ids.append(service_id)
            registry.register(service_id, task.id, address, {"AvailabilityZone": task.zone, **attributes})
        for entry in task.registries:
            service_id = entry["registryArn"].rsplit("/", 1)[-1]
            self._ids.append(service_id)
            where = {"AVAILABILITY_ZONE": task.zone, "REGION": self._region}
            with_port = port_of(entry) is not None
            registry.register(service_id, task.id, address, {**where, **attributes}, with_port=with_port)
            if task.is_checked:  # unhealthy until the container's health check passes (assumed)
                self._set_health(service_id)

    def update_health(self) -> None:
        """Tell Cloud Map how healthy the task is."""
        for service_id in self._ids:
            self._set_health(service_id)

    async def leave_load_balancers(self) -> float:
        """The seconds for which they drain it."""
        return await self._balancers.deregister(self._task.id)

    def leave_cloud_map(self) -> None:
        """No service has it any longer; `bool` still says whether one had."""
        for service_id in self._ids:
            self._registry.deregister(service_id, self._task.id)

    def _set_health(self, service_id: str) -> None:
        self._registry.set_health(service_id, self._task.id, healthy=self._task.health is HealthStatus.HEALTHY)

    def _discovered(self) -> list[tuple[str, str]]:
        """The names and ids of the Cloud Map services whose port the proxy serves."""
        deployment, port = self._task.deployment, served_service(self._task).get("portName")
        services = (deployment.service_connect or {}).get("services", [])
        return [
            (resource["discoveryName"], resource["discoveryArn"].rsplit("/", 1)[-1])
            for service, resource in zip(services, deployment.service_connect_resources, strict=True)
            if service["portName"] == port
        ]
