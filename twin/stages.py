"""UpdateStage, which moto does not have; on its store of API Gateway."""

from __future__ import annotations

from typing import Any

from moto.apigatewayv2.exceptions import ApiNotFound
from moto.apigatewayv2.models import Stage
from moto.backends import get_backend

__all__ = ["update_stage"]


def update_stage(account: str, region: str, api_id: str, name: str, changes: dict[str, Any]) -> dict[str, Any] | None:
    """The stage as it is after *changes* (names as in the API's JSON); None if there is none."""
    try:
        api: Any = get_backend("apigatewayv2")[account][region].get_api(api_id)
    except ApiNotFound:
        return None
    if name not in api.stages:
        return None
    before = api.stages[name]
    # Settings of routes are added to those that are there; everything else is replaced.
    routes = {**before.config.get("routeSettings", {}), **changes.get("routeSettings", {})}
    after = Stage(api, {**before.config, **changes, "routeSettings": routes, "stageName": name})
    after.created = before.created
    api.stages[name] = after
    return dict(after.to_json())
