"""What a load balancer does, as values. Times in seconds.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["HealthCheck", "Listener", "Target", "TargetGroup", "TargetState"]


class TargetState(StrEnum):
    """As `describe-target-health` tells it."""

    INITIAL = "initial"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    DRAINING = "draining"
    UNUSED = "unused"


@dataclass(frozen=True)
class HealthCheck:
    """An HTTP health check; *matcher* such as `200`, `200-299` or `200,202`; *port* None: that of the traffic."""

    path: str
    interval: float
    timeout: float
    healthy_threshold: int
    unhealthy_threshold: int
    matcher: str
    port: int | None = None

    @property
    def statuses(self) -> list[tuple[int, int]]:
        """The ranges of statuses that pass, both ends included."""
        ranges = [part.split("-") for part in self.matcher.split(",")]
        return [(int(ends[0]), int(ends[-1])) for ends in ranges]


@dataclass(frozen=True)
class TargetGroup:
    """A target group; *algorithm* is `round_robin` or `least_outstanding_requests`; *check* None: no health checks."""

    arn: str
    algorithm: str
    slow_start: float
    deregistration_delay: float
    check: HealthCheck | None

    @property
    def id(self) -> str:
        """Its name and number, without a slash."""
        return self.arn.split(":targetgroup/", 1)[1].replace("/", "-")


@dataclass(frozen=True)
class Listener:
    """A listener and the weights of the target groups, by ARN, that it forwards to; idle timeout in seconds."""

    arn: str
    port: int
    weights: Mapping[str, int]
    idle_timeout: float

    @property
    def name(self) -> str:
        """The load balancer's name and the port."""
        return f"{self.arn.split('/')[-3]}-{self.port}"


@dataclass
class Target:
    """A registered target: a task's address in a target group.

    *failures* are its failed health checks since it became healthy or was registered, and *reason* tells why the last
    one failed, as code and description.
    """

    group: str
    task: str
    host: str
    port: int
    state: TargetState = TargetState.INITIAL
    failures: int = 0
    reason: tuple[str, str] | None = None
