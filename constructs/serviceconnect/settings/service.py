"""What runs: the task and the service that keeps it running."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from serviceconnect.settings.common import CommonSettings
from serviceconnect.settings.field import between, one_of, setting

__all__ = ["ServiceSettings"]


@dataclass(frozen=True, kw_only=True)
class ServiceSettings(CommonSettings):
    """One container and its Service Connect proxy in each task."""

    desired_count: int = setting(3, "Number of tasks.", between(1, 1000))
    cpu: int = setting(256, "CPU units of a task, the proxy's included.")
    memory: int = setting(512, "Memory of a task in MiB, the proxy's included.")
    architecture: str = setting("X86_64", "Processor of the tasks.", one_of(("X86_64", "ARM64")))
    container_port: int = setting(8080, "Port that the container listens on.", between(1, 65535))
    stop_timeout: int = setting(30, "Seconds between SIGTERM and SIGKILL.", between(2, 120))
    drain_seconds: int = setting(0, "Seconds for which the service goes on serving after SIGTERM.", between(0, 120))
    request_timeout: int = setting(
        30, "Longest answer in seconds, at Service Connect as at API Gateway.", between(1, 30)
    )
    health_check: str = setting("", "Command of the container's health check; empty: BusyBox wget of /ready.")
    environment: Mapping[str, str] = setting({}, "Environment of the container.")
    log_retention_days: int = setting(30, "Days for which logs are kept.")
    deployment_minimum_percent: int = setting(
        100, "Healthy tasks that a deployment keeps, in percent.", between(0, 100)
    )
    deployment_maximum_percent: int = setting(200, "Tasks that a deployment may reach, in percent.", between(100, 200))

    @property
    def discovery_name(self) -> str:
        """Name of the service that ECS makes in Cloud Map; Service Connect's default is the port's name."""
        return self.name

    @property
    def health_check_command(self) -> str:
        """The container's health check; Alpine has BusyBox wget and no curl."""
        return self.health_check or f"wget -q --spider http://localhost:{self.container_port}/ready || exit 1"

    @property
    def log_group_name(self) -> str:
        """Log group of the service's own lines."""
        return f"/ecs/{self.name}"
