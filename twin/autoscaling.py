"""moto's Application Auto Scaling, told which ECS services there are.

It looks them up in moto's own ECS store, which stays empty here. Targets, policies and scheduled actions are kept and
described; nothing scales by them, for the twin keeps no metrics.
"""

from __future__ import annotations

from dataclasses import dataclass

from moto.backends import get_backend

from twin.ecs.controller import Ecs
from twin.ecs.model import Service

__all__ = ["know_services"]


@dataclass(frozen=True)
class _EcsStore:
    """As much of moto's ECS store as Application Auto Scaling asks."""

    ecs: Ecs

    def describe_services(self, cluster: str, names: list[str]) -> tuple[list[Service], list[str]]:
        found = [self.ecs.services[cluster, name] for name in names if (cluster, name) in self.ecs.services]
        return [service for service in found if service.status == "ACTIVE"], []


def know_services(ecs: Ecs) -> None:
    """Let scalable targets be registered for the services of *ecs*."""
    get_backend("application-autoscaling")[ecs.account][ecs.region].ecs_backend = _EcsStore(ecs)
