"""All settings in one frozen, validated set; importable without cdktf.

General layout: field.py has the machinery of one setting; common.py, network.py, service.py and gateway.py have
the settings of a construct each; reading.py takes them from cdktf.json and the environment.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from serviceconnect.settings.gateway import GatewaySettings
from serviceconnect.settings.network import NetworkSettings
from serviceconnect.settings.service import ServiceSettings

__all__ = ["InvalidSettings", "Settings"]


class InvalidSettings(ValueError):
    """One or more settings break their rule; ``problems`` has one sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, kw_only=True)
class Settings(NetworkSettings, ServiceSettings, GatewaySettings):
    """Everything that may be chosen. Raises InvalidSettings with all that is wrong."""

    def __post_init__(self) -> None:
        problems = [
            f"{field.name} = {getattr(self, field.name)!r} must be {field.metadata['rule'].says}."
            for field in fields(self)
            if not field.metadata["rule"].holds(getattr(self, field.name))
        ]
        if problems:
            raise InvalidSettings(problems)
