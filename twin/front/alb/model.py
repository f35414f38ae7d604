"""What load balancers do, as values. Times in seconds.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-rules.html and
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = [
    "Action",
    "Condition",
    "FixedResponse",
    "Forward",
    "HealthCheck",
    "Listener",
    "Redirect",
    "Rule",
    "Target",
    "TargetGroup",
    "TargetState",
]


class TargetState(StrEnum):
    """As `describe-target-health` tells it."""

    INITIAL = "initial"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    DRAINING = "draining"
    UNUSED = "unused"


@dataclass(frozen=True)
class HealthCheck:
    """A health check by HTTP, or with *path* None by a connection of TCP.

    *matcher* such as `200`, `200-299` or `200,202`; *port* None: that of the traffic.
    """

    path: str | None
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
class Condition:
    """What a request must have: one of *values*, in which `*` and `?` stand for any text and any character.

    *field* is one of `host-header`, `http-header` (that with this *name*), `http-request-method`, `path-pattern`,
    `query-string` (values such as `key=value`, or a value of any key) and `source-ip` (blocks of addresses).
    """

    field: str
    values: tuple[str, ...]
    name: str = ""


@dataclass(frozen=True)
class Forward:
    """To target groups, by ARN, each with its weight. Where there is none the load balancer answers 503."""

    weights: Mapping[str, int]


@dataclass(frozen=True)
class FixedResponse:
    """The load balancer's own answer."""

    status: int
    content_type: str = "text/plain"
    body: str = ""


@dataclass(frozen=True)
class Redirect:
    """To another URL; in its parts `#{protocol}`, `#{host}`, `#{port}`, `#{path}` and `#{query}` are the request's."""

    status: int
    protocol: str = "#{protocol}"
    host: str = "#{host}"
    port: str = "#{port}"
    path: str = "/#{path}"
    query: str = "#{query}"


Action = Forward | FixedResponse | Redirect


@dataclass(frozen=True)
class Rule:
    """What is done with requests that meet all *conditions*; without any it is a listener's default."""

    action: Action
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Listener:
    """A listener and its rules by priority, the default last; idle timeout in seconds.

    *protocol* is HTTP, HTTPS, TCP or TLS; of the last two the default alone counts. *certificates* are those of HTTPS
    and TLS, as PEM, each with its private key; the first is the default.
    """

    arn: str
    port: int
    protocol: str
    rules: tuple[Rule, ...]
    idle_timeout: float
    certificates: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def balancer(self) -> str:
        """The ARN of its load balancer."""
        return self.arn.rpartition("/")[0].replace(":listener/", ":loadbalancer/")

    @property
    def name(self) -> str:
        """The load balancer's name and the port."""
        return f"{self.arn.split('/')[-3]}-{self.port}"

    @property
    def is_http(self) -> bool:
        return self.protocol in ("HTTP", "HTTPS")

    @property
    def groups(self) -> frozenset[str]:
        """The ARNs of the target groups that its rules lead to."""
        forwards = (rule.action for rule in self.rules if isinstance(rule.action, Forward))
        return frozenset(group for forward in forwards for group in forward.weights)


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
