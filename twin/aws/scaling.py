"""The decisions of Application Auto Scaling, as pure functions of what alarms say, the tasks that run, and the time.

Sources: Application Auto Scaling's user guide, "How target tracking scaling works" and "How step scaling works" (steps,
rounding, cooldowns, several policies), and ECS's developer guide, "Automatically scale your service" (the running tasks
are what is scaled, deployments, a desired count beyond the range, scaling from 0). Assumed: target tracking sets the
capacity in proportion to the newest data point, rounded up, out and in; a target has one cooldown for all its policies,
which blocks scaling in, whichever way it was scaled; of a larger scale-out during a cooldown the part is added by which
it is larger, and the cooldown begins anew; a step is chosen by the newest data point of its alarm.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Capacity", "Change", "Cooldown", "Judgement", "Wish", "decide", "step", "track"]

Json = Mapping[str, Any]

COOLDOWN = 300  # seconds, of ECS, where a policy gives none
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Judgement:
    """What is said of an alarm: whether it is in ALARM, its newest data point, if there is one, and its threshold."""

    alarm: str
    fires: bool
    value: float | None
    threshold: float


@dataclass(frozen=True)
class Wish:
    """By how many tasks a policy would change those that run, because of an alarm; cooldown in seconds.

    A *change* of 0 keeps the others from scaling in.
    """

    policy: str
    alarm: str
    change: int
    cooldown: float = COOLDOWN


@dataclass(frozen=True)
class Capacity:
    """A service as it is, with the least and the most that its scalable target allows.

    Attributes:
        is_deploying: whether a deployment is in progress.
        in_suspended, out_suspended: `DynamicScalingInSuspended` and `DynamicScalingOutSuspended`.
    """

    desired: int
    running: int
    least: int
    most: int
    is_deploying: bool = False
    in_suspended: bool = False
    out_suspended: bool = False


@dataclass(frozen=True)
class Cooldown:
    """Until when, in seconds, and how many tasks were added by what began it; 0 after scaling in."""

    until: float = -math.inf
    added: int = 0


@dataclass(frozen=True)
class Change:
    """A new desired count, by which policy, and the cooldown that begins."""

    desired: int
    wish: Wish
    cooldown: Cooldown


def track(policy: str, configuration: Json, running: int, high: Judgement, low: Judgement | None) -> Wish | None:
    """What a target tracking policy wants; None: nothing, and it does not mind if others scale in.

    Args:
        configuration: `TargetTrackingScalingPolicyConfiguration`.
        running: the tasks that run.
        high, low: its alarms; without the second it does not scale in.
    """
    target = float(configuration["TargetValue"])
    if high.fires and high.value is not None:
        # From 0 by the least that there is [ecs].
        change = max(1, _proportional(running, high.value / target) - running)
        return Wish(policy, high.alarm, change, configuration.get("ScaleOutCooldown", COOLDOWN))
    if low is None:
        return None
    change = 0
    if low.fires and low.value is not None:
        change = min(0, _proportional(running, low.value / target) - running)
    return Wish(policy, low.alarm, change, configuration.get("ScaleInCooldown", COOLDOWN))


def _proportional(running: int, ratio: float) -> int:
    return math.ceil(running * ratio - _ROUNDING)


def step(policy: str, configuration: Json, running: int, alarms: Iterable[Judgement]) -> Wish | None:
    """What a step scaling policy wants, because of the first of its *alarms* that says something; None: nothing.

    Args:
        configuration: `StepScalingPolicyConfiguration`.
        running: the tasks that run.
    """
    for alarm in alarms:
        if not alarm.fires or alarm.value is None:
            continue
        breach = alarm.value - alarm.threshold
        for adjustment in configuration.get("StepAdjustments", []):
            if _is_in(adjustment, breach):
                change = _adjusted(configuration, running, adjustment["ScalingAdjustment"])
                return Wish(policy, alarm.alarm, change, configuration.get("Cooldown", COOLDOWN))
    return None


def _is_in(adjustment: Json, breach: float) -> bool:
    """Whether a breach is in a step: above the threshold its lower bound is in it, below the upper."""
    lower = float(adjustment.get("MetricIntervalLowerBound", -math.inf))
    upper = float(adjustment.get("MetricIntervalUpperBound", math.inf))
    return lower <= breach < upper if breach >= 0 else lower < breach <= upper


def _adjusted(configuration: Json, running: int, adjustment: int) -> int:
    """By how many tasks an adjustment changes those that run."""
    match configuration.get("AdjustmentType"):
        case "ExactCapacity":
            return adjustment - running
        case "PercentChangeInCapacity":
            exact = running * adjustment / 100
            change = int(exact) or int(math.copysign(math.ceil(abs(exact)), exact))
            least = configuration.get("MinAdjustmentMagnitude", 0)
            return change if abs(change) >= least else int(math.copysign(least, adjustment))
    return adjustment


def decide(capacity: Capacity, wishes: Sequence[Wish], cooldown: Cooldown, now: float) -> Change | None:
    """What to do by what the policies want: what leaves the largest capacity [user guide]; None: nothing."""
    if not wishes:
        return None
    best = max(wishes, key=lambda wish: wish.change)
    cools = now < cooldown.until
    desired = capacity.desired
    if best.change > 0 and not capacity.out_suspended and desired <= capacity.most:
        added = cooldown.added if cools else 0
        # While it cools down, what was added is part of what is there [user guide].
        wanted = desired + best.change - added if cools and added else capacity.running + best.change
        wanted = min(max(wanted, capacity.least), capacity.most)
        if wanted > desired:
            return Change(wanted, best, Cooldown(now + best.cooldown, added + wanted - desired))
    blocked = cools or capacity.in_suspended or capacity.is_deploying
    if best.change < 0 and not blocked and desired >= capacity.least:
        wanted = max(min(capacity.running + best.change, capacity.most), capacity.least)
        if wanted < desired:
            return Change(wanted, best, Cooldown(now + best.cooldown))
    return None
