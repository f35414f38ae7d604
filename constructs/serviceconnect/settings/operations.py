"""How the service is watched and scaled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from serviceconnect.settings.field import between, matches, one_of, optional, setting
from serviceconnect.settings.service import ServiceSettings, blocked_deployment

__all__ = ["OperationsSettings", "conflicts"]


@dataclass(frozen=True, kw_only=True)
class OperationsSettings(ServiceSettings):
    """Autoscaling and alarms."""

    autoscaling: str = setting(
        "off",
        "What the number of tasks follows: nothing, CPU in percent, requests a minute.",
        one_of(("off", "cpu", "requests")),
    )
    autoscaling_minimum: int = setting(3, "Fewest tasks.", between(1, 1000))
    autoscaling_maximum: int = setting(12, "Most tasks.", between(1, 1000))
    autoscaling_target: int = setting(
        60, "For `cpu` the percent to hold, for `requests` the requests a minute for each task.", between(1, 1_000_000)
    )
    alarm_topic_arn: str = setting(
        "",
        "SNS topic that alarms notify.",
        optional(matches(r"arn:aws:sns:[a-z0-9-]+:\d{12}:[\w.-]+", "an SNS topic's ARN")),
    )


def conflicts(settings: OperationsSettings) -> Iterator[str]:
    """What does not fit together, a sentence each."""
    if settings.autoscaling == "off":
        return
    low, high = settings.autoscaling_minimum, settings.autoscaling_maximum
    if not low <= settings.desired_count <= high:
        yield (
            f"desired_count = {settings.desired_count} must be from autoscaling_minimum = {low}"
            f" to autoscaling_maximum = {high}."
        )
    # Fewer tasks leave less room.
    if not [*blocked_deployment(settings, "desired_count", settings.desired_count)]:
        yield from blocked_deployment(settings, "autoscaling_minimum", low)
    if settings.autoscaling == "cpu" and settings.autoscaling_target > 100:
        yield f"autoscaling_target = {settings.autoscaling_target} must be a percentage for autoscaling = cpu."
