"""The container's health check, and what of it passes on the twin and fails in an image."""

from __future__ import annotations

import re
from collections.abc import Iterator

from serviceconnect.settings.service import ServiceSettings

__all__ = ["health_check", "literal", "warnings"]


def health_check(settings: ServiceSettings) -> dict[str, object]:
    """In the shape of ECS's HealthCheck.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
    """
    check: dict[str, object] = {
        "command": ["CMD-SHELL", literal(settings.health_check_command)],
        "interval": settings.health_check_interval,
        "timeout": settings.health_check_timeout,
        "retries": settings.health_check_retries,
    }
    # Off by default; a zero would be a difference at each plan, if ECS gives none back.
    if settings.health_check_start_period:
        check["startPeriod"] = settings.health_check_start_period
    return check


def literal(text: str) -> str:
    """*text* such that Terraform gives it as it is: a shell's ``${PORT}`` is no template.

    https://developer.hashicorp.com/terraform/language/expressions/strings#escape-sequences-1
    """
    return text.replace("${", "$${").replace("%{", "%%{")


def warnings(settings: ServiceSettings, dockerfile: str) -> Iterator[str]:
    """Why tasks may never be HEALTHY, so that ECS rolls the deployment back; a sentence each.

    Args:
        dockerfile: what the image is built from, if the settings name none: a given image is not looked into.
    """
    command = settings.health_check_command
    instead = f"wget -q --spider http://127.0.0.1:{settings.container_port}/ready || exit 1"
    lacks_curl = re.search(r"^FROM \S*(alpine|slim|distroless)", dockerfile, re.M | re.I) and "curl" not in dockerfile
    if re.search(r"\bcurl\b", command) and not settings.image_uri and lacks_curl:
        yield (
            f"health_check = {command} calls curl, and the Dockerfile installs none: no task would become HEALTHY, and"
            f" ECS would roll the deployment back; install it there, or check with BusyBox's wget: {instead}"
        )
    if re.search(r"\blocalhost\b", command):
        yield (
            f"health_check = {command} asks localhost, which may be ::1 first, where a service that listens on 0.0.0.0"
            " is not: tasks may never become HEALTHY, and ECS would roll the deployment back; write 127.0.0.1."
        )
