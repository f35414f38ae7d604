"""Application Auto Scaling on moto's store: the services of the twin's ECS as scalable targets, and the targets' tags.

moto looks services up in its own ECS store, which stays empty here, has no tags, and leaves alarms of policies behind.
Targets, policies and scheduled actions are stored and described; nothing scales by them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from moto.applicationautoscaling.models import ApplicationAutoscalingBackend
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.backends import get_backend
from moto.core.exceptions import JsonRESTError

from twin.aws.ecs.model import Ecs, Service
from twin.aws.moto.stores import locked
from twin.gaps import Gap

__all__ = ["Scaling", "complete"]

_WHY = {
    "policy": "nothing scales by it, for CPU, memory and requests of tasks are not measured: set the desired count",
    "scheduled action": "no clock runs it: set the desired count",
}


@dataclass(frozen=True)
class _EcsStore:
    """As much of moto's ECS store as Application Auto Scaling asks."""

    ecs: Ecs

    def describe_services(self, cluster: str, names: list[str]) -> tuple[list[Service], list[str]]:
        found = [self.ecs.services[cluster, name] for name in names if (cluster, name) in self.ecs.services]
        return [service for service in found if service.status == "ACTIVE"], []


class Scaling:
    """What is stored of Application Auto Scaling, none of which has an effect."""

    def __init__(self, ecs: Ecs) -> None:
        """Let scalable targets be registered for the services of *ecs*."""
        self._backend = get_backend("application-autoscaling")[ecs.account][ecs.region]
        self._backend.ecs_backend = _EcsStore(ecs)

    @property
    @locked
    def gaps(self) -> list[Gap]:
        policies = [("policy", policy.policy_name, policy.resource_id) for policy in self._backend.policies.values()]
        actions = [
            ("scheduled action", action.scheduled_action_name, action.resource_id)
            for action in self._backend.scheduled_actions
        ]
        return [Gap(f"scalable target {of}", f"{kind} {name}", _WHY[kind]) for kind, name, of in [*policies, *actions]]


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


def _put_scaling_policy(self: Any, **request: Any) -> Any:
    """The backend's: a policy that is put again is the same one, and its former alarms go."""
    former = next(
        (p for p in self.policies.values() if _is_of(p, request) and p.policy_name == request["policy_name"]), None
    )
    policy = _PUT(self, **request)
    if former is not None:
        former.delete_alarms(self.account_id, self.region_name)
        policy.policy_arn, policy.creation_time = former.policy_arn, former.creation_time
    return policy


def _deregister_scalable_target(self: Any, namespace: str, resource: str, dimension: str) -> None:
    """The backend's: a target's policies, and their alarms, go with it."""
    _DEREGISTER(self, namespace, resource, dimension)
    target = {"service_namespace": namespace, "resource_id": resource, "scalable_dimension": dimension}
    for key, policy in [item for item in self.policies.items() if _is_of(item[1], target)]:
        policy.delete_alarms(self.account_id, self.region_name)
        del self.policies[key]


def _is_of(policy: Any, target: dict[str, Any]) -> bool:
    return all(getattr(policy, name) == target[name] for name in _OF_A_TARGET)


_OF_A_TARGET = ("service_namespace", "resource_id", "scalable_dimension")
_REGISTER = ApplicationAutoScalingResponse.register_scalable_target
_PUT = ApplicationAutoscalingBackend.put_scaling_policy
_DEREGISTER = ApplicationAutoscalingBackend.deregister_scalable_target


def complete() -> None:
    """Put it on moto's classes."""
    ApplicationAutoscalingBackend.put_scaling_policy = _put_scaling_policy
    ApplicationAutoscalingBackend.deregister_scalable_target = _deregister_scalable_target
    ApplicationAutoScalingResponse.register_scalable_target = _register_scalable_target
    ApplicationAutoScalingResponse.list_tags_for_resource = _list_tags_for_resource
    ApplicationAutoScalingResponse.tag_resource = _tag_resource
    ApplicationAutoScalingResponse.untag_resource = _untag_resource
