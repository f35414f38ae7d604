"""What ECS needs of the rest of AWS, and of whoever runs its tasks: protocols, which tests replace."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from twin.aws.ecs.model import Task
from twin.machine.addresses import Address

__all__ = ["Alarms", "CloudMap", "Instances", "Launcher", "LoadBalancing", "NoRoom", "Placement", "Placements"]


class Launcher(Protocol):
    """Runs tasks: sets `last_status`, `steps` and the containers of each, and publishes TaskChanged and TaskFailed."""

    def start(self, task: Task) -> None:
        """Begin the life of *task*."""

    def stop(self, task: Task) -> None:
        """Begin its end; a second call changes nothing."""

    def forget(self, task: Task) -> None:
        """Remove what is left of a task that has stopped."""


class NoRoom(Exception):
    """A task cannot be placed; the text says why, as ECS's event does."""


@dataclass(frozen=True)
class Placement:
    """Where a new task goes: its subnet and the private address it would have there."""

    zone: str
    subnet_id: str
    private_address: str
    host_name: str


class Placements(Protocol):
    """What EC2 knows of a service's subnets."""

    def zones(self, network_configuration: dict[str, object]) -> list[str]:
        """The Availability Zones of the subnets, each once."""

    def place(self, network_configuration: dict[str, object], zone: str) -> Placement:
        """A place in one of the subnets of *zone*, until it is released.

        Raises:
            NoRoom: their addresses are all in use.
        """

    def release(self, subnet_id: str, private_address: str) -> None:
        """The task there has stopped."""


class CloudMap(Protocol):
    """What ECS itself does in Cloud Map."""

    def create_service(self, namespace: str, name: str) -> tuple[str, str]:
        """The (id, ARN) of the service *name* in *namespace* (its ARN or name), made if it is not there.

        Raises:
            LookupError: there is no such namespace.
        """

    def namespace_arn(self, namespace: str) -> str | None:
        """The ARN of *namespace* (its ARN or name), None if there is no such namespace."""

    def namespace_name(self, arn: str) -> str | None:
        """The name of the namespace with that ARN, None if there is no such namespace."""

    def record_types(self, service_arn: str) -> Collection[str] | None:
        """The types of the DNS records (A, SRV, ...) of the service with that ARN; None if there is none."""

    def create_namespace(self, name: str) -> str:
        """The ARN of a new HTTP namespace."""

    def delete_service(self, service_id: str) -> None:
        """Remove a service, some time after its ECS service is gone."""


class Instances(Protocol):
    """What a task does in Cloud Map; nothing happens where its service is gone."""

    def register(
        self, service_id: str, instance_id: str, address: Address, attributes: dict[str, str], *, with_port: bool = True
    ) -> None:
        """Register an instance."""

    def deregister(self, service_id: str, instance_id: str) -> None:
        """Remove an instance, if it is there."""

    def set_health(self, service_id: str, instance_id: str, *, healthy: bool) -> None:
        """Set the status of an instance whose service has a custom health check."""

    def addresses(self, service_id: str) -> frozenset[Address]:
        """Where a service's instances are."""

    def dns_names(self) -> Mapping[str, Collection[str] | None] | None:
        """The IPv4 addresses of the instances by each name of the DNS namespaces; None: there is no such namespace.

        Without those that are not HEALTHY, where one is. Those of a name without A records are None.
        """


class Alarms(Protocol):
    """CloudWatch's alarms. AlarmsChanged is published when one has another state."""

    def names(self) -> Collection[str]:
        """Those of all."""

    def firing(self, names: Collection[str]) -> Collection[str]:
        """Which of *names* are in ALARM."""


class LoadBalancing(Protocol):
    """Elastic Load Balancing."""

    def target_groups(self) -> Mapping[str, str]:
        """The target types of all target groups, by ARN."""
