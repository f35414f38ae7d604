"""What every construct needs to know: the name, the Region, the tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from serviceconnect.settings.field import matches, setting

__all__ = ["CommonSettings"]


@dataclass(frozen=True, kw_only=True)
class CommonSettings:
    """Names and tags of everything in the stack."""

    name: str = setting(
        "serviceconnect",
        "Name of the stack and prefix of everything in it.",
        # 24: a target group's name has at most 32 characters, and suffixes follow.
        matches(
            r"[a-z][a-z0-9-]{1,22}[a-z0-9]", "3 to 24 lower-case letters, digits and hyphens, starting with a letter"
        ),
    )
    region: str = setting(
        "eu-west-2",
        "AWS Region.",
        matches(r"[a-z]{2}(-[a-z]+)+-\d", "a Region's code such as eu-west-2"),
    )
    tags: Mapping[str, str] = setting({}, "Tags of everything, beside `Project` with the name.")
