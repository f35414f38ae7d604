"""How requests come in."""

from __future__ import annotations

from dataclasses import dataclass

from serviceconnect.settings.common import CommonSettings
from serviceconnect.settings.field import each, matches, setting

__all__ = ["GatewaySettings"]


@dataclass(frozen=True, kw_only=True)
class GatewaySettings(CommonSettings):
    """An HTTP API in front of the service."""

    routes: tuple[str, ...] = setting(
        ("GET /hostname", "GET /identity", "GET /payload", "GET /ready"),
        "Routes of the API; `ANY /{proxy+}` for all of another service's.",
        each(matches(r"(\$default|(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|ANY) /\S*)", "routes such as GET /hostname")),
    )
    stage: str = setting(
        "$default", "Stage of the API.", matches(r"\$default|[A-Za-z0-9_-]{1,128}", "$default or a word")
    )
