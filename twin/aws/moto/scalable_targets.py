"""Application Auto Scaling on moto's store: scalable targets, their tags, policies, scheduled actions and activities.

moto looks services up in its own ECS store, which stays empty here, has no tags and no activities, checks no range and
no schedule, and leaves behind what a target had. Who scales is in scaling.py. How errors are worded is assumed.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass
from typing import Any

from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.applicationautoscaling.models import ApplicationAutoscalingBackend, FakeApplicationAutoscalingPolicy
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.core.exceptions import JsonRESTError

from twin.aws.ecs.model import Ecs, Service
from twin.aws.moto.scaling_alarms import alarms_of, check
from twin.aws.schedules import parse

__all__ = ["EcsStore", "activities", "complete"]

Json = dict[str, Any]

_OF_A_TARGET = {
    "service_namespace": "ServiceNamespace",
    "resource_id": "ResourceId",
    "scalable_dimension": "ScalableDimension",
}
_KEPT = 1_000  # scaling activities
_PAGE = 50


@dataclass(frozen=True)
class EcsStore:
    """As much of moto's ECS store as Application Auto Scaling asks."""

    ecs: Ecs

    def describe_services(self, cluster: str, names: list[str]) -> tuple[list[Service], list[str]]:
        found = [self.ecs.services[cluster, name] for name in names if (cluster, name) in self.ecs.services]
        return [service for service in found if service.status == "ACTIVE"], []


def activities(backend: Any) -> deque[Json]:
    """The scaling activities of an account and Region as the API has them, the newest first."""
    found: deque[Json] = backend.__dict__.setdefault("activities", deque(maxlen=_KEPT))
    return found


class _NotFound(JsonRESTError):  # type: ignore[misc]
    def __init__(self, arn: str) -> None:
        super().__init__("ResourceNotFoundException", f"The scalable target {arn} was not found.")


def _find(self: Any, arn: str) -> Any:
    """The scalable target with that ARN."""
    for targets in self.applicationautoscaling_backend.targets.values():
        for target in targets.values():
            if target.arn == arn:
                return target
    raise _NotFound(arn)


def _target(self: Any) -> Any:
    """The scalable target whose ARN the request names."""
    return _find(self, self._get_param("ResourceARN"))


def _tags(target: Any) -> dict[str, str]:
    tags: dict[str, str] = target.__dict__.setdefault("tags", {})
    return tags


def _register_scalable_target(self: Any) -> str:
    """moto's, with tags and a range that is one; who scales then brings the capacity into it."""
    backend = self.applicationautoscaling_backend
    before = backend.targets.get(self._get_param("ScalableDimension"), {}).get(self._get_param("ResourceId"))
    least = self._get_int_param("MinCapacity", before and before.min_capacity)
    most = self._get_int_param("MaxCapacity", before and before.max_capacity)
    if least is None or most is None:
        raise AWSValidationException("A new scalable target needs MinCapacity and MaxCapacity.")
    _check_range(least, most)
    answer = str(_REGISTER(self))
    target = _find(self, json.loads(answer)["ScalableTargetARN"])
    _tags(target).update(self._get_param("Tags") or {})
    if told := backend.__dict__.get("registered"):
        told(target)
    return answer


def _check_range(least: int, most: int) -> None:
    if not 0 <= least <= most:
        raise AWSValidationException(f"MinCapacity {least} must be from 0 to MaxCapacity, which is {most}.")


def _require_target(self: Any) -> Any:
    """The scalable target of the request, for a policy or a scheduled action."""
    named = {name: self._get_param(name) for name in _OF_A_TARGET.values()}
    target = self.applicationautoscaling_backend.targets.get(named["ScalableDimension"], {}).get(named["ResourceId"])
    if target is None:
        where = ", ".join(f"{name} {value}" for name, value in named.items())
        raise JsonRESTError("ObjectNotFoundException", f"No scalable target is registered for {where}.")
    return target


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


def _put_scaling_policy_of_a_target(self: Any) -> str:
    _require_target(self)
    return str(_PUT_POLICY(self))


def _put_scaling_policy(self: Any, **request: Any) -> Any:
    """The backend's: a policy that is put again is the same one, with other alarms."""
    former = next(
        (p for p in self.policies.values() if _is_of(p, request) and p.policy_name == request["policy_name"]), None
    )
    if request["service_namespace"] == "ecs":
        kind = request["policy_type"] or getattr(former, "policy_type", None)
        check(kind, request["policy_body"] or getattr(former, "_policy_body", None))
    policy = _PUT(self, **request)
    if former is not None:
        former.delete_alarms(self.account_id, self.region_name)
        policy.policy_arn, policy.creation_time = former.policy_arn, former.creation_time
    if policy.service_namespace == "ecs" and policy.policy_type == "TargetTrackingScaling":
        policy.alarms = alarms_of(policy, self.account_id, self.region_name)
    return policy


def _put_scheduled_action(self: Any) -> str:
    """moto's, with a schedule that is one."""
    _require_target(self)
    action = self._get_param("ScalableTargetAction") or {}
    if {"MinCapacity", "MaxCapacity"} <= action.keys():
        _check_range(action["MinCapacity"], action["MaxCapacity"])
    found = [each for each in self.applicationautoscaling_backend.scheduled_actions if _is_named(self, each)]
    schedule = self._get_param("Schedule") or (found[0].schedule if found else "")
    try:
        parse(schedule, self._get_param("Timezone") or "UTC")
    except ValueError as error:
        raise AWSValidationException(f"Schedule: {error}.") from None
    return str(_PUT_ACTION(self))


def _delete_scheduled_action(self: Any) -> str:
    """moto's, of an action that there is."""
    if not any(_is_named(self, each) for each in self.applicationautoscaling_backend.scheduled_actions):
        name = self._get_param("ScheduledActionName")
        raise JsonRESTError("ObjectNotFoundException", f"There is no scheduled action {name} of this scalable target.")
    return str(_DELETE_ACTION(self))


def _is_named(self: Any, action: Any) -> bool:
    target = {attribute: self._get_param(name) for attribute, name in _OF_A_TARGET.items()}
    return _is_of(action, target) and action.scheduled_action_name == self._get_param("ScheduledActionName")


def _deregister_scalable_target(self: Any, namespace: str, resource: str, dimension: str) -> None:
    """The backend's: a target's policies, their alarms, and its scheduled actions go with it."""
    _DEREGISTER(self, namespace, resource, dimension)
    target = {"service_namespace": namespace, "resource_id": resource, "scalable_dimension": dimension}
    for key, policy in [item for item in self.policies.items() if _is_of(item[1], target)]:
        policy.delete_alarms(self.account_id, self.region_name)
        del self.policies[key]
    self.scheduled_actions = [action for action in self.scheduled_actions if not _is_of(action, target)]


def _is_of(policy: Any, target: Json) -> bool:
    return all(getattr(policy, name) == target[name] for name in _OF_A_TARGET)


def _describe_scaling_activities(self: Any) -> str:
    wanted = {name: value for name in _OF_A_TARGET.values() if (value := self._get_param(name))}
    found = [
        activity
        for activity in activities(self.applicationautoscaling_backend)
        if all(activity[name] == value for name, value in wanted.items())
    ]
    token = self._get_param("NextToken") or "0"
    start = int(token) if token.isdecimal() else len(found)
    end = start + (self._get_int_param("MaxResults") or _PAGE)
    more = {"NextToken": str(end)} if end < len(found) else {}
    return json.dumps({"ScalingActivities": found[start:end], **more})


_REGISTER = ApplicationAutoScalingResponse.register_scalable_target
_PUT_POLICY = ApplicationAutoScalingResponse.put_scaling_policy
_PUT_ACTION = ApplicationAutoScalingResponse.put_scheduled_action
_DELETE_ACTION = ApplicationAutoScalingResponse.delete_scheduled_action
_PUT = ApplicationAutoscalingBackend.put_scaling_policy
_DEREGISTER = ApplicationAutoscalingBackend.deregister_scalable_target


def complete() -> None:
    """Put it on moto's classes."""
    FakeApplicationAutoscalingPolicy._generate_ecs_alarms = lambda policy: []  # they need the policy's final ARN
    ApplicationAutoscalingBackend.put_scaling_policy = _put_scaling_policy
    ApplicationAutoscalingBackend.deregister_scalable_target = _deregister_scalable_target
    ApplicationAutoScalingResponse.register_scalable_target = _register_scalable_target
    ApplicationAutoScalingResponse.put_scaling_policy = _put_scaling_policy_of_a_target
    ApplicationAutoScalingResponse.put_scheduled_action = _put_scheduled_action
    ApplicationAutoScalingResponse.delete_scheduled_action = _delete_scheduled_action
    ApplicationAutoScalingResponse.describe_scaling_activities = _describe_scaling_activities
    ApplicationAutoScalingResponse.list_tags_for_resource = _list_tags_for_resource
    ApplicationAutoScalingResponse.tag_resource = _tag_resource
    ApplicationAutoScalingResponse.untag_resource = _untag_resource
