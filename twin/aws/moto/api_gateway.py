"""API Gateway's HTTP APIs on moto's store: what moto lacks, and what it accepts and AWS does not.

Sources: the API reference (https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/), the developer guide's page
on routes, and for the messages about route keys the reports plutomi 271, sst 5031 and w3infra pull request 166.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from moto.apigatewayv2 import urls
from moto.apigatewayv2.exceptions import APIGatewayV2Error, BadRequestException
from moto.apigatewayv2.models import Stage
from moto.apigatewayv2.responses import ApiGatewayV2Response

from twin.aws.moto import domain_names, openapi
from twin.aws.moto.route_keys import route_key_fault, without_names

__all__ = ["complete"]

Json = dict[str, Any]
Answer = tuple[int, Json, str]

_TIMEOUT_MS = (50, 30_000)  # of an integration of an HTTP API [API reference, TimeoutInMillis]
_STAGE_ARN = re.compile(r".*:apigateway:[^:]*:[^:]*:/apis/([^/]+)/stages/(.+)")
_API = "{0}/v2/apis/(?P<api_id>[^/]+)"
_OF_A_STAGE = tuple(
    f"{_API}/stages/(?P<stage_name>[^/]+)/{what}$" for what in ("accesslogsettings", "routesettings/(?P<route_key>.+)")
)
_TAGS = "{0}/v2/tags/(?P<resource_arn_pt1>[^/]+)/apis/(?P<resource_arn_pt2>[^/]+)/stages/(?P<stage_name>[^/]+)$"


class _Conflict(APIGatewayV2Error):  # type: ignore[misc]
    code = 409

    def __init__(self, message: str) -> None:
        super().__init__("ConflictException", message)


class _NotFound(APIGatewayV2Error):  # type: ignore[misc]
    code = 404

    def __init__(self, what: str) -> None:
        super().__init__("NotFoundException", f"Invalid {what} identifier specified")


def _checked_route(method: Callable[[Any], Answer], own: int | None) -> Callable[[Any], Answer]:
    """*method*, which sets a route key, after the key's checks; *own*: which segment of the path is the route's id."""

    def call(self: Any) -> Answer:
        segments = self.path.split("/")
        api = self.apigatewayv2_backend.get_api(segments[segments.index("apis") + 1])
        key = json.loads(self.body).get("routeKey")
        if api.protocol_type == "HTTP" and key is not None:
            if fault := route_key_fault(key):
                raise BadRequestException(
                    f"The provided route key is not formatted properly for HTTP protocol: {fault}"
                )
            for route in api.routes.values():
                if own is not None and route.route_id == segments[own]:
                    continue
                if route.route_key == key:
                    raise _Conflict(f"Route with key {key} already exists for this API")
                if without_names(route.route_key) == without_names(key):
                    raise _Conflict(
                        f"Unable to create route with key {key}: it has a conflicting variable on the same "
                        f"hierarchical level as the route {route.route_key}"
                    )
        return method(self)

    return call


def _checked_integration(method: Callable[[Any], Answer]) -> Callable[[Any], Answer]:
    def call(self: Any) -> Answer:
        timeout = json.loads(self.body).get("timeoutInMillis")
        least, most = _TIMEOUT_MS
        if timeout is not None and not least <= timeout <= most:
            raise BadRequestException(f"Timeout should be between {least} ms and {most} ms, is {timeout}")
        return method(self)

    return call


def _import_api(self: Any) -> Answer:
    definition = openapi.parse(json.loads(self.body).get("body"))
    none = dict.fromkeys(("api_key_selection_expression", "cors_configuration", "description", "version"))
    none |= dict.fromkeys(("disable_execute_api_endpoint", "disable_schema_validation", "route_selection_expression"))
    api = self.apigatewayv2_backend.create_api(**none, name="", protocol_type="HTTP", tags={})
    openapi.apply(api, definition)
    return 201, {}, json.dumps(api.to_json())


def _reimport_api(self: Any) -> Answer:
    api = self.apigatewayv2_backend.get_api(self.path.split("/")[-1])
    openapi.apply(api, openapi.parse(json.loads(self.body).get("body")))
    return 201, {}, json.dumps(api.to_json())


def _update_stage(self: Any) -> Answer:
    api, name = _stage_of(self, self.path.split("/")[-3], unquote(self.path.split("/")[-1]))
    changes, before = json.loads(self.body), api.stages[name]
    # Settings of routes are added to those that are there; everything else is replaced.
    routes = {**before.config.get("routeSettings", {}), **changes.get("routeSettings", {})}
    after = Stage(api, {**before.config, **changes, "routeSettings": routes, "stageName": name})
    after.created, after.tags = before.created, before.tags
    api.stages[name] = after
    return 200, {}, json.dumps(after.to_json())


def _delete_access_log_settings(self: Any) -> Answer:
    return _without(self, lambda config: {k: v for k, v in config.items() if k != "accessLogSettings"})


def _delete_route_settings(self: Any) -> Answer:
    key = unquote(self.path.split("/routesettings/")[1])

    def without_key(config: Json) -> Json:
        routes = dict(config.get("routeSettings", {}))
        if routes.pop(key, None) is None:
            raise _NotFound("route settings")
        return {**config, "routeSettings": routes}

    return _without(self, without_key)


def _without(self: Any, less: Callable[[Json], Json]) -> Answer:
    """Replace the stage in the path by itself with *less* of its configuration."""
    _, api_id, _, stage, *_ = self.path.partition("/apis")[2].split("/")
    api, name = _stage_of(self, api_id, unquote(stage))
    before = api.stages[name]
    after = Stage(api, less(before.config))
    after.created, after.tags = before.created, before.tags
    api.stages[name] = after
    return 204, {}, ""


def _stage_json(self: Any) -> Json:
    deployment = self.config.get("deploymentId")
    return _STAGE_JSON(self) | ({"deploymentId": deployment} if deployment else {})


def _get_models(self: Any) -> Answer:
    api = self.apigatewayv2_backend.get_api(self.path.split("/")[-2])
    return 200, {}, json.dumps({"items": [model.to_json() for model in api.models.values()]})


def _stage_of(self: Any, api_id: str, name: str) -> tuple[Any, str]:
    api = self.apigatewayv2_backend.get_api(api_id)
    if name not in api.stages:
        raise _NotFound("stage")
    return api, name


def _own_tags(self: Any) -> dict[str, str] | None:
    """The tags of the stage or domain name whose ARN the path has; None if it is another resource's."""
    arn = unquote(self.path.split("/tags/")[1])
    match = _STAGE_ARN.fullmatch(arn)
    if match is None:
        return domain_names.tags_of(self.apigatewayv2_backend, arn)
    api, name = _stage_of(self, match[1], match[2])
    tags: dict[str, str] = api.stages[name].tags
    return tags


def _get_tags(self: Any) -> Answer:
    tags = _own_tags(self)
    return _ORIGINAL["get_tags"](self) if tags is None else (200, {}, json.dumps({"tags": tags}))


def _tag_resource(self: Any) -> Answer:
    tags = _own_tags(self)
    if tags is None:
        return _ORIGINAL["tag_resource"](self)
    tags.update(json.loads(self.body).get("tags", {}))
    return 201, {}, "{}"


def _untag_resource(self: Any) -> Answer:
    tags = _own_tags(self)
    if tags is None:
        return _ORIGINAL["untag_resource"](self)
    for key in self.querystring.get("tagKeys") or []:
        tags.pop(key, None)
    return 204, {}, ""


def _get_authorizers(self: Any) -> Answer:
    api = self.apigatewayv2_backend.get_api(self.path.split("/")[-2])
    return 200, {}, json.dumps({"items": [authorizer.to_json() for authorizer in api.authorizers.values()]})


def _get_route_responses(self: Any) -> Answer:
    """Those of a WebSocket API's route; an HTTP API's has none."""
    *_, api_id, _, route_id, _ = self.path.split("/")
    route = self.apigatewayv2_backend.get_api(api_id).get_route(route_id)
    return 200, {}, json.dumps({"items": [response.to_json() for response in route.route_responses.values()]})


def _deployments(self: Any, segment: int) -> dict[str, Json]:
    api = self.apigatewayv2_backend.get_api(self.path.split("/")[segment])
    found: dict[str, Json] = api.__dict__.setdefault("deployments", {})
    return found


def _create_deployment(self: Any) -> Answer:
    identifier = secrets.token_hex(3)
    deployment = {
        "deploymentId": identifier,
        "autoDeployed": False,
        "createdDate": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "deploymentStatus": "DEPLOYED",
        "description": json.loads(self.body or "{}").get("description"),
    }
    _deployments(self, -2)[identifier] = deployment
    return 201, {}, json.dumps(deployment)


def _get_deployment(self: Any) -> Answer:
    found = _deployments(self, -3).get(self.path.split("/")[-1])
    if found is None:
        raise _NotFound("deployment")
    return 200, {}, json.dumps(found)


def _get_deployments(self: Any) -> Answer:
    return 200, {}, json.dumps({"items": list(_deployments(self, -2).values())})


def _delete_deployment(self: Any) -> Answer:
    if _deployments(self, -3).pop(self.path.split("/")[-1], None) is None:
        raise _NotFound("deployment")
    return 204, {}, ""


_STAGE_JSON: Callable[[Any], Json] = Stage.to_json
_CHANGED = (
    *("create_integration", "create_route", "get_tags", "tag_resource", "untag_resource"),
    *("update_integration", "update_route"),
)
_ORIGINAL: dict[str, Callable[[Any], Answer]] = {name: getattr(ApiGatewayV2Response, name) for name in _CHANGED}
_NEW: dict[str, Callable[[Any], Answer]] = {
    "create_deployment": _create_deployment,
    "create_integration": _checked_integration(_ORIGINAL["create_integration"]),
    "create_route": _checked_route(_ORIGINAL["create_route"], None),
    "delete_access_log_settings": _delete_access_log_settings,
    "delete_deployment": _delete_deployment,
    "delete_route_settings": _delete_route_settings,
    "get_authorizers": _get_authorizers,
    "get_deployment": _get_deployment,
    "get_deployments": _get_deployments,
    "get_models": _get_models,
    "get_route_responses": _get_route_responses,
    "get_tags": _get_tags,
    "import_api": _import_api,
    "reimport_api": _reimport_api,
    "tag_resource": _tag_resource,
    "untag_resource": _untag_resource,
    "update_integration": _checked_integration(_ORIGINAL["update_integration"]),
    "update_route": _checked_route(_ORIGINAL["update_route"], -1),
    "update_stage": _update_stage,
}


def complete() -> None:
    """Put it on moto's classes."""
    for name, method in _NEW.items():
        setattr(ApiGatewayV2Response, name, method)
    Stage.to_json = _stage_json
    for path in (f"{_API}/deployments$", f"{_API}/deployments/(?P<deployment_id>[^/]+)$", *_OF_A_STAGE, _TAGS):
        urls.url_paths[path] = ApiGatewayV2Response.dispatch
