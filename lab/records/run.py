"""What was done and what ECS and Cloud Map told, as run.json keeps it; times in seconds since the Unix epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

__all__ = ["DeploymentRecord", "Discovered", "EventRecord", "Fault", "TaskRecord"]


class _Record:
    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Self:
        """The record of an entry in run.json; what it does not know is passed over."""
        known = {field.name for field in fields(cls)}  # type: ignore[arg-type]
        values = {name: tuple(v) if isinstance(v, list) else v for name, v in entry.items() if name in known}
        return cls(**values)


@dataclass(frozen=True)
class Fault(_Record):
    """What was done, from when to when (None: it has no end of its own), and to which tasks (ARNs) and hosts."""

    kind: str
    at: float
    until: float | None = None
    tasks: tuple[str, ...] = ()
    hostnames: tuple[str, ...] = ()
    detail: str = ""


@dataclass(frozen=True)
class TaskRecord(_Record):
    """A task as DescribeTasks tells it; times are None where it has not come so far."""

    arn: str
    hostname: str
    availability_zone: str
    task_definition: str
    last_status: str
    desired_status: str
    health: str
    created_at: float
    started_at: float | None
    stopping_at: float | None
    stopped_at: float | None
    stop_code: str | None
    stopped_reason: str | None

    @property
    def id(self) -> str:
        return self.arn.rsplit("/", 1)[-1]

    @property
    def is_running(self) -> bool:
        """Running, and to go on."""
        return self.last_status == "RUNNING" and self.desired_status == "RUNNING"


@dataclass(frozen=True)
class EventRecord(_Record):
    """An event of the service."""

    at: float
    message: str


@dataclass(frozen=True)
class DeploymentRecord(_Record):
    """A deployment as DescribeServices tells it."""

    id: str
    status: str
    task_definition: str
    rollout_state: str
    rollout_reason: str
    failed_tasks: int
    created_at: float
    updated_at: float


@dataclass(frozen=True)
class Discovered(_Record):
    """The instances (ids, which are those of the tasks) in Cloud Map from `at` on; None: it did not answer."""

    at: float
    instances: tuple[str, ...] | None
