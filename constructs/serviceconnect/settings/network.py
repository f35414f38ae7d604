"""Where the tasks live."""

from __future__ import annotations

from dataclasses import dataclass

from serviceconnect.settings.common import CommonSettings
from serviceconnect.settings.field import between, each, matches, setting

__all__ = ["NetworkSettings"]


@dataclass(frozen=True, kw_only=True)
class NetworkSettings(CommonSettings):
    """A VPC of the stack's own with private subnets and no way to the internet."""

    vpc_cidr: str = setting("10.0.0.0/16", "Address range of the VPC; each zone gets a sixteenth of it.")
    az_count: int = setting(2, "Number of availability zones.", between(2, 6))
    availability_zones: tuple[str, ...] = setting(
        (),
        "The zones by name; empty: the first `az_count` of the Region, a, b, ...",
        each(matches(r"[a-z]{2}(-[a-z]+)+-\d[a-z]", "zones such as eu-west-2a")),
    )

    @property
    def zones(self) -> tuple[str, ...]:
        """The availability zones by name, computed so that synthesis asks AWS nothing."""
        return self.availability_zones or tuple(f"{self.region}{letter}" for letter in "abcdef"[: self.az_count])
