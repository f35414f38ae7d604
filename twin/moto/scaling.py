"""Application Auto Scaling on moto's store: the services of the twin's ECS as scalable targets, and the targets' tags.

moto looks services up in its own ECS store, which stays empty here, and has no tags. Targets, policies and scheduled
actions are stored and described; nothing scales by them, for the twin keeps no metrics.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.backends import get_backend
from moto.core.exceptions import JsonRESTError

from twin.ecs.controller import Ecs
from twin.ecs.model import Service

__all__ = ["complete", "know_services"]


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


class _NotFound(JsonRESTError):  # type: ignore[misc]
    def __init__(self, arn: str) -> None:
        super().__init__("ResourceNotFoundException", f"The scalable target {arn} was not found.")


def _target(self: Any) -> Any:
    """The scalable target whose ARN the request names."""
    arn = self._get_param("ResourceARN")
    for targets in self.applicationautoscaling_backend.targets.values():
        for target in targets.values():
            if target.arn == arn:
                return target
    raise _NotFound(arn)


def _tags(target: Any) -> dict[str, str]:
    tags: dict[str, str] = target.__dict__.setdefault("tags", {})
    return tags


def _register_scalable_target(self: Any) -> str:
    answer = str(_REGISTER(self))
    arn = json.loads(answer)["ScalableTargetARN"]
    for targets in self.applicationautoscaling_backend.targets.values():
        for target in targets.values():
            if target.arn == arn:
                _tags(target).update(self._get_param("Tags") or {})
    return answer


def _list_tags_for_resource(self: Any) -> str:
    return json.dumps({"Tags": _tags(_target(self))})


def _tag_resource(self: Any) -> str:
    _tags(_target(self)).update(self._get_param("Tags"))
    return "{}"


def _untag_resource(self: Any) -> str:
    tags = _tags(_target(self))
    for key in self._get_param("TagKeys"):
        tags.pop(key, None)
    return "{}"


_REGISTER = ApplicationAutoScalingResponse.register_scalable_target


def complete() -> None:
    """Put it on moto's classes."""
    ApplicationAutoScalingResponse.register_scalable_target = _register_scalable_target
    ApplicationAutoScalingResponse.list_tags_for_resource = _list_tags_for_resource
    ApplicationAutoScalingResponse.tag_resource = _tag_resource
    ApplicationAutoScalingResponse.untag_resource = _untag_resource
