"""The load fleet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serviceconnect.settings.common import CommonSettings
from serviceconnect.settings.field import between, setting

if TYPE_CHECKING:
    from serviceconnect.settings import Settings

__all__ = ["LoadSettings", "conflicts"]


@dataclass(frozen=True, kw_only=True)
class LoadSettings(CommonSettings):
    """Locust beside the service."""

    load_fleet: int = setting(
        0,
        "Workers of Locust on Fargate that put load on the API, with a master beside them; 0: none. They are charged"
        " for as long as they are there.",
        between(0, 100),
    )


def conflicts(settings: Settings) -> Iterator[str]:
    """What does not fit together, a sentence each."""
    if not settings.load_fleet:
        return
    if settings.vpc_id:
        yield (
            f"load_fleet = {settings.load_fleet} needs a VPC of the stack's own, in which it makes public subnets:"
            f" leave vpc_id = {settings.vpc_id} out."
        )
    if settings.image_uri:
        yield (
            f"load_fleet = {settings.load_fleet} needs image_uri to be empty: its image goes into the repository that"
            " the stack makes then."
        )
    if settings.authorization == "JWT":
        yield f"load_fleet = {settings.load_fleet} needs authorization = NONE or AWS_IAM: it has no token to send."
