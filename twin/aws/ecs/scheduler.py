"""The decisions of the ECS service scheduler, as pure functions of the records and the time.

Rules and their sources: `DeploymentConfiguration` in the ECS API reference (minimum and maximum healthy percent,
replacement of unhealthy tasks, what counts as healthy), `DeploymentCircuitBreaker` and `ThresholdConfiguration` there
and `ServiceDeploymentCircuitBreaker` (bounded: at least 3, at most 200), `UpdateService` (balance over Availability
Zones), the developer guide's page on Availability Zone rebalancing. Assumed: which task of a zone is stopped first (the
oldest in a deployment, else the newest), that a percentage that is not bounded makes at least 1, the figures of the
back-off (ECS documents that it throttles, not how), that zones are evened out as soon as the service is in its steady
state, and what a failed deployment without a rollback still does: documented is that it starts no task.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from twin.aws.ecs.model import Deployment, RolloutState, Service, Task, TaskStatus, by_zone

IMPAIRED_AFTER = 3  # failed tasks in a row after which starts are held back

__all__ = [
    "Abandon",
    "Blocked",
    "Complete",
    "Decision",
    "Fail",
    "Rebalance",
    "Start",
    "Stop",
    "backoff",
    "circuit_breaker_threshold",
    "decide",
    "lacking",
]


@dataclass(frozen=True)
class Start:
    """Start a task of the primary deployment in *zone*."""

    zone: str


@dataclass(frozen=True)
class Stop:
    """Stop a task, for *reason*."""

    task: Task
    reason: str
    rebalances: bool = False  # whether it evens out the zones


@dataclass(frozen=True)
class Rebalance:
    """The zones are uneven: start a task in each of *zones*; when these are healthy, as many others go."""

    zones: tuple[str, ...]


@dataclass(frozen=True)
class Abandon:
    """The zones are not evened out now: a task that was started for it is gone, or it is no longer to be done."""


@dataclass(frozen=True)
class Complete:
    """The service has reached its steady state: what the primary deployment wants runs, and nothing else."""


@dataclass(frozen=True)
class Fail:
    """The circuit breaker stops the primary deployment."""


@dataclass(frozen=True)
class Blocked:
    """The deployment can neither start nor stop a task, because of the service's percentages."""


Decision = Start | Stop | Rebalance | Abandon | Complete | Fail | Blocked


def decide(
    service: Service, tasks: Collection[Task], now: float, *, zones: Sequence[str], running_grace: float
) -> list[Decision]:
    """What to do now to bring *service* closer to its desired count and primary deployment.

    Args:
        service: its desired count, deployments (the primary first) and deployment configuration.
        tasks: the service's tasks, those that stop and have stopped included.
        now: seconds.
        zones: the Availability Zones of the primary deployment's subnets.
        running_grace: see `Task.counts_as_healthy`.
    """
    primary = service.primary
    configuration = service.deployment_configuration
    wanted = [task for task in tasks if task.is_wanted]
    failed = primary.rollout_state is RolloutState.FAILED
    if _circuit_is_open(service):
        return [Fail()]
    if any(task.deployment is not primary or not task.is_wanted for task in service.rebalancing) or (
        service.rebalancing and not service.rebalances
    ):
        return [Abandon()]

    current = [task for task in wanted if task.deployment is primary]
    outdated = [task for task in wanted if task.deployment is not primary]
    grace = service.health_check_grace
    unhealthy = [t for t in wanted if t.unhealthy_because and now >= t.steps.get("RUNNING", t.created_at) + grace]
    healthy = [task for task in wanted if task.counts_as_healthy(now, running_grace)]
    healthy_current = [task for task in healthy if task.deployment is primary]
    # Until all are healthy, those that even out the zones are there beside the desired count.
    coming = service.rebalancing if any(task not in healthy for task in service.rebalancing) else ()
    lasting = [task for task in current if task not in unhealthy]
    sound = [task for task in lasting if task not in coming]
    desired = service.desired_count
    ceiling = desired * configuration["maximumPercent"] // 100
    # Nothing takes the place of what a failed deployment would have replaced: then just the surplus goes.
    floor = desired if failed else math.ceil(desired * configuration["minimumHealthyPercent"] / 100)
    missing = desired - len(sound)
    room = ceiling - len(wanted)
    spare = len(healthy) - floor  # how many healthy tasks may go
    carried = len(healthy_current) >= desired
    scaling = f"Scaling activity initiated by (deployment {primary.id})"
    moved = bool(service.rebalancing) and not coming
    surplus = f"Availability-zone rebalancing initiated by (deployment {primary.id})" if moved else scaling
    stops: list[Stop] = []

    # Scaling in, and what is too many once zones are evened out. Those that serve least go first, so that no healthy
    # one goes while more than enough are not.
    for task in islice(_stop_order(sound, healthy, newest_first=True), max(0, -missing)):
        spare -= task in healthy
        stops.append(Stop(task, surplus, rebalances=moved))
    # Unhealthy tasks go once others carry the service, or one at a time where no room is left to start others.
    if failed:
        useless = [task for task in unhealthy if task.deployment is primary or len(healthy) >= desired]
        stops += [Stop(task, task.unhealthy_because or "") for task in useless]
    elif carried:
        stops += [Stop(task, task.unhealthy_because or "") for task in unhealthy]
    elif unhealthy and missing > 0 and room <= 0 and all(task in healthy for task in sound):
        stops.append(Stop(unhealthy[0], unhealthy[0].unhealthy_because or ""))
    # Outdated tasks: those that serve nobody yet at once, the others as new ones take over.
    for task in _stop_order([task for task in outdated if task not in unhealthy], healthy, newest_first=False):
        if task.last_status is not TaskStatus.RUNNING or (spare > 0 if task in healthy else carried):
            spare -= task in healthy
            stops.append(Stop(task, scaling))

    starts = max(0, min(missing, room)) if zones and not failed and now >= primary.not_before else 0
    decisions: list[Decision] = [*stops, *(Start(zone) for zone in _spread(lasting, zones, starts))]
    # It is complete when nothing is left of the deployments before it, tasks that still stop included (assumed).
    leaving = any(task.deployment is not primary and task.last_status is not TaskStatus.STOPPED for task in tasks)
    settled = not failed and not decisions and not leaving and len(healthy_current) == desired == len(current)
    may_move = service.rebalances and room > 0 and now >= max(service.rebalanced_from, primary.not_before)
    if settled and may_move and (service.steady or service.rebalancing) and (uneven := lacking(current, zones)):
        decisions.append(Rebalance(tuple(uneven[:room])))
    elif settled and not service.steady:
        decisions.append(Complete())
    if not decisions and outdated and not failed and missing > 0 and ceiling <= floor:
        decisions.append(Blocked())
    return decisions


def circuit_breaker_threshold(configuration: Mapping[str, Any] | None, desired_count: int) -> int:
    """How many tasks may fail before the circuit breaker fails a deployment.

    Args:
        configuration: `ThresholdConfiguration` as it is given; None: half the desired count, within bounds.
        desired_count: the service's, as it is now.
    """
    given = configuration or {"type": "BOUNDED_PERCENT", "value": 50}
    value = int(given["value"])
    if given["type"] == "COUNT":
        return value
    share = math.ceil(desired_count * value / 100)
    return max(1, share) if given["type"] == "UNBOUNDED_PERCENT" else min(max(3, share), 200)


def backoff(failed_tasks: int) -> float:
    """Seconds to wait before the next start, after so many failures in a row. Assumed: 0, 0, then 1, 2, 4 ... 60."""
    return 0.0 if failed_tasks < IMPAIRED_AFTER else float(min(60, 2 ** min(failed_tasks - IMPAIRED_AFTER, 6)))


def lacking(tasks: Collection[Task], zones: Sequence[str]) -> list[str]:
    """The zones that have two tasks or more fewer than another, one for each task to move there; empty: all is even."""
    counts = by_zone(tasks, zones)
    found: list[str] = []
    while zones:
        fewest, most = min(zones, key=lambda zone: counts[zone]), max(counts, key=lambda zone: counts[zone])
        if counts[most] - counts[fewest] <= 1:
            break
        counts[fewest] += 1
        counts[most] -= 1
        found.append(fewest)
    return found


def _circuit_is_open(service: Service) -> bool:
    primary: Deployment = service.primary
    breaker = service.deployment_configuration["deploymentCircuitBreaker"]
    threshold = circuit_breaker_threshold(breaker.get("thresholdConfiguration"), service.desired_count)
    broken = primary.rollout_state is RolloutState.IN_PROGRESS and primary.failed_tasks >= threshold
    return broken and bool(breaker["enable"])


def _spread(tasks: Sequence[Task], zones: Sequence[str], count: int) -> list[str]:
    """The zones for *count* new tasks: each time the one with the fewest, the first of equals."""
    counts = by_zone(tasks, zones)
    chosen = []
    for _ in range(count):
        zone = min(zones, key=lambda zone: counts[zone])
        counts[zone] += 1
        chosen.append(zone)
    return chosen


def _stop_order(tasks: Sequence[Task], healthy: Sequence[Task], *, newest_first: bool) -> Iterator[Task]:
    """*tasks* in the order in which to stop them: those that serve least first, then from the fullest zone."""

    def use(task: Task) -> int:
        return (task.last_status is TaskStatus.RUNNING) + (task in healthy)

    remaining = sorted(tasks, key=lambda task: task.created_at, reverse=newest_first)
    while remaining:
        counts = by_zone(remaining, ())
        chosen = min(remaining, key=lambda task: (use(task), -counts[task.zone]))
        remaining.remove(chosen)
        yield chosen
