"""Application Auto Scaling of the services of the twin's ECS: it sets desired counts, and the scheduler starts tasks.

Scheduled actions: API reference, `ScalableTargetAction`, and the user guide, "Scheduled scaling". That a registration
brings the capacity into its range: user guide, "Application Auto Scaling concepts". Words of activities: user guide,
"Scaling activities"; assumed where it has no example.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from moto.backends import get_backend

from twin.aws.ecs import api
from twin.aws.ecs.context import Context
from twin.aws.ecs.errors import EcsError
from twin.aws.ecs.model import RolloutState, Service, TaskStatus
from twin.aws.moto.alarms import Alarms
from twin.aws.moto.scalable_targets import EcsStore, activities
from twin.aws.moto.stores import locked
from twin.aws.scaling import Capacity, Cooldown, Judgement, Wish, decide, step, track
from twin.aws.schedules import last_due
from twin.events import Events, ParametersChanged, PeriodEnded, TargetRegistered
from twin.gaps import Gap
from twin.parameters import Parameters

__all__ = ["Scaling"]

_TICK = 1.0  # seconds
_DIMENSION = "ecs:service:DesiredCount"
_IDLE = "no alarm has it as its action, so it scales nothing"
_OTHER = "the twin scales services of ECS alone"


class Scaling:
    """What moves the desired counts of services that are scalable targets."""

    def __init__(self, context: Context, alarms: Alarms, parameters: Parameters, events: Events) -> None:
        ecs = context.ecs
        self._context = context
        self._alarms = alarms
        self._period = parameters.scaling_period
        self._period_changed = asyncio.Event()
        self._events = events
        self._cooldowns: dict[str, Cooldown] = {}  # by resource
        self._backend: Any = get_backend("application-autoscaling")[ecs.account][ecs.region]
        self._backend.ecs_backend = EcsStore(ecs)
        self._backend.registered = lambda target: events.post(TargetRegistered(target.resource_id))
        self._activities = activities(self._backend)
        self._cloudwatch: Any = get_backend("cloudwatch")[ecs.account][ecs.region]
        events.subscribe(TargetRegistered, lambda event: self._bring_into_range(event.resource))
        events.subscribe(ParametersChanged, self._change)

    @property
    def work(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """What goes on by itself, by name."""
        return {"scheduled scaling": self.run_schedules, "scaling policies": self.run_policies}

    def _change(self, event: ParametersChanged) -> None:
        if event.parameters.scaling_period != self._period:
            self._period = event.parameters.scaling_period
            self._cooldowns.clear()  # their seconds were others
            self._period_changed.set()

    @property
    @locked
    def gaps(self) -> list[Gap]:
        """What is stored of Application Auto Scaling and has no effect."""
        policies = [("policy", policy.policy_name, policy) for policy in self._backend.policies.values()]
        actions = [("scheduled action", each.scheduled_action_name, each) for each in self._backend.scheduled_actions]
        return [
            Gap(f"scalable target {of.resource_id}", f"{kind} {name}", why)
            for kind, name, of in [*policies, *actions]
            if (why := self._why_not(kind, of))
        ]

    def _why_not(self, kind: str, of: Any) -> str:
        if of.scalable_dimension != _DIMENSION:
            return _OTHER
        return _IDLE if kind == "policy" and not self._alarms_of(of) else ""

    def _alarms_of(self, policy: Any) -> list[str]:
        """The names of the alarms whose action is *policy*."""
        return [each.name for each in self._cloudwatch.alarms.values() if policy.policy_arn in each.alarm_actions]

    async def run_policies(self) -> None:
        """Scale at the end of each period, until cancelled."""
        while True:
            self._period_changed.clear()
            period = self._period
            ends = (time.time() // period + 1) * period
            while not self._period_changed.is_set() and (left := ends - time.time()) > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await self._period_changed.wait()
            if not self._period_changed.is_set():
                await self._events.settle(PeriodEnded(period))
                self.scale()

    @locked
    def scale(self) -> None:
        """Begin the next period, and do what the policies want by the alarms of those that are over."""
        judged = self._alarms.end_period()
        for resource, target in self._backend.targets.get(_DIMENSION, {}).items():
            if (service := self._service(resource)) is None:
                continue
            capacity = self._capacity(target, service)
            wishes = []
            for policy in self._backend.policies.values():
                if policy.resource_id == resource and policy.scalable_dimension == _DIMENSION:
                    wishes.append(_wish(policy, capacity.running, [judged[each] for each in self._alarms_of(policy)]))
            cooldown = self._cooldowns.get(resource, Cooldown())
            change = decide(capacity, [wish for wish in wishes if wish], cooldown, self._alarms.now)
            if change is not None:
                cause = f"monitor alarm {change.wish.alarm} in state ALARM triggered policy {change.wish.policy}"
                if self._set_count(resource, change.desired, cause):
                    self._cooldowns[resource] = change.cooldown

    def _capacity(self, target: Any, service: Service) -> Capacity:
        suspended = target.suspended_state or {}
        return Capacity(
            service.desired_count,
            self._running(service),
            target.min_capacity,
            target.max_capacity,
            is_deploying=service.primary.rollout_state is RolloutState.IN_PROGRESS,
            in_suspended=bool(suspended.get("DynamicScalingInSuspended")),
            out_suspended=bool(suspended.get("DynamicScalingOutSuspended")),
        )

    async def run_schedules(self) -> None:
        """Do what is due, until cancelled."""
        after = time.time()
        while True:
            await asyncio.sleep(_TICK)
            self.act(after, until := time.time())
            self.settle()
            after = until

    @locked
    def act(self, after: float, until: float) -> None:
        """Do the scheduled actions that were due after *after* and until *until*, in seconds: each once, in order."""
        due = []
        for action in self._backend.scheduled_actions:
            moment = last_due(
                action.schedule, action.timezone or "UTC", put=action.creation_time, start=action.start_time,
                end=action.end_time, after=after, until=until,
            )  # fmt: skip
            if moment is not None:
                due.append((moment, action))
        for _, action in sorted(due, key=lambda each: each[0]):
            target = self._backend.targets.get(action.scalable_dimension, {}).get(action.resource_id)
            if target is not None and not (target.suspended_state or {}).get("ScheduledScalingSuspended"):
                self._set_range(target, action)

    def _set_range(self, target: Any, action: Any) -> None:
        """Give a target the capacities of a scheduled action, and its service a count among them."""
        given = action.scalable_target_action or {}
        what = " and ".join(
            f"{name[:3].lower()} capacity to {value}" for name, value in sorted(given.items(), reverse=True)
        )
        cause = f"scheduled action name {action.scheduled_action_name} was triggered"
        least = given.get("MinCapacity", target.min_capacity)
        most = given.get("MaxCapacity", target.max_capacity)
        if least > most:  # the other one is the target's own
            self._add(target.resource_id, what, cause, "Failed", f"The minimum would be {least}, the maximum {most}.")
            return
        target.min_capacity, target.max_capacity = least, most
        self._add(target.resource_id, what, cause, "Successful")
        self._bring_into_range(target.resource_id)

    @locked
    def _bring_into_range(self, resource: str) -> None:
        """Set the desired count to the least or the most of a scalable target where it is beyond."""
        target = self._backend.targets.get(_DIMENSION, {}).get(resource)
        if target is None or (service := self._service(resource)) is None:
            return
        if service.desired_count < target.min_capacity:
            self._set_count(resource, target.min_capacity, f"minimum capacity was set to {target.min_capacity}")
        elif service.desired_count > target.max_capacity:
            self._set_count(resource, target.max_capacity, f"maximum capacity was set to {target.max_capacity}")

    def _service(self, resource: str) -> Service | None:
        """The service of `service/CLUSTER/NAME`, if it is there."""
        _, cluster, name = resource.split("/")
        service = self._context.ecs.services.get((cluster, name))
        return service if service is not None and service.status == "ACTIVE" else None

    def _set_count(self, resource: str, count: int, cause: str) -> bool:
        """Set a desired count; whether ECS takes it."""
        _, cluster, name = resource.split("/")
        what = f"desired count to {count}"
        try:
            api.call(self._context, "UpdateService", {"cluster": cluster, "service": name, "desiredCount": count})
        except EcsError as error:
            self._add(resource, what, cause, "Failed", f"Reason: {error}")
            return False
        for activity in self._open(resource):
            activity |= {"StatusCode": "Overridden", "EndTime": time.time()}
        self._add(resource, what, cause, "InProgress", "Waiting for change to be fulfilled by ecs.")
        return True

    def _add(self, resource: str, what: str, cause: str, status: str, more: str = "") -> None:
        """Add a scaling activity that sets *what*, and tell it in the event log."""
        now = time.time()
        done = f"Failed to set {what}" if status == "Failed" else f"Successfully set {what}"
        activity = {
            "ActivityId": str(uuid.uuid4()),
            "ServiceNamespace": "ecs",
            "ResourceId": resource,
            "ScalableDimension": _DIMENSION,
            "Description": f"Setting {what}.",
            "Cause": cause,
            "StartTime": now,
            "StatusCode": status,
            "StatusMessage": f"{done}. {more}" if more else done,
        }
        self._activities.appendleft(activity if status == "InProgress" else {**activity, "EndTime": now})
        self._events.log("scaling", what=f"{resource}: {activity['StatusMessage']}", cause=cause)

    def _open(self, resource: str) -> list[dict[str, Any]]:
        return [a for a in self._activities if a["ResourceId"] == resource and a["StatusCode"] == "InProgress"]

    @locked
    def settle(self) -> None:
        """Say of the activities whose services run as many tasks as they want that ECS has fulfilled them."""
        for activity in self._activities:
            if activity["StatusCode"] != "InProgress" or (service := self._service(activity["ResourceId"])) is None:
                continue
            if self._running(service) == service.desired_count:
                message = (
                    f"Successfully set desired count to {service.desired_count}. Change successfully fulfilled by ecs."
                )
                activity |= {"StatusCode": "Successful", "StatusMessage": message, "EndTime": time.time()}

    def _running(self, service: Service) -> int:
        return sum(task.last_status is TaskStatus.RUNNING for task in self._context.ecs.tasks_of(service))


def _wish(policy: Any, running: int, judged: Sequence[Judgement]) -> Wish | None:
    """What moto's *policy* wants by what is said of its alarms."""
    if policy.policy_type == "StepScaling":
        return step(policy.policy_name, policy.step_scaling_policy_configuration, running, judged)
    named = {alarm.name: next((each for each in judged if each.alarm == alarm.name), None) for alarm in policy.alarms}
    high, low = [*named.values(), None, None][:2]
    if high is None:  # somebody has deleted it
        return None
    return track(policy.policy_name, policy.target_tracking_scaling_policy_configuration, running, high, low)
