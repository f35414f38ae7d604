"""The gateway's listener: what a request passes before it reaches a route's cluster. Pure.

A change of it replaces its filter chain in place: connections are kept, and those of the old chain are told
`connection: close` with their next answer. What a single route has of its own is in the route table.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from twin.aws.signature import AUTHORIZATION_HEADER, AUTHORIZATION_PATH, AUTHORIZATION_SECRET
from twin.envoy import configuration as envoy
from twin.front.http_api.access_log import envoy_format
from twin.front.http_api.model import Api, JwtAuthorizer
from twin.front.http_api.routes import route_name
from twin.machine.addresses import Address

__all__ = ["ANSWERS", "AUTHORIZATION_CLUSTER", "MAX_HEADERS", "MAX_PAYLOAD", "listener"]

Json = dict[str, Any]

_TYPE = "type.googleapis.com/envoy."
MAX_PAYLOAD = 10 * 1024 * 1024  # bytes; AWS says "10 MB" [apigw quotas]
MAX_HEADERS = 10_240  # bytes of request line and header values together [apigw quotas]
# What Envoy reads of a request before our own limit is looked at: names, separators and many short headers as well.
_READ_KIB, _READ_HEADERS = 96, 10_240
AUTHORIZATION_CLUSTER = "authorization"
ANSWERS = "answers"
"""The statistic of the answers by API, stage and status."""
_AUTHORIZATION_TIMEOUT = "5s"
# API Gateway's answers of its own. The body of Envoy's replies is replaced; what comes from a task passes untouched.
_MESSAGES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    413: "Request Entity Too Large",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
_LUA = Path(__file__).parent
# What stands in a string of JSON as it is. RE2 takes bytes that are no UTF-8 for no character at all; \C is any byte.
_PLAIN, _ANYTHING = r"[ !#-\[\]-~]*", r"\C*"
# Requests that request.lua has nothing to do for: it would be most of what the gateway costs.
_ORDINARY: Json = {
    "and_matcher": {
        "predicate": [
            envoy.header_matches(":path", _PLAIN),
            {
                "or_matcher": {
                    "predicate": [
                        envoy.header_matches("user-agent", _PLAIN),
                        {"not_matcher": envoy.header_matches("user-agent", _ANYTHING)},
                    ]
                }
            },
            envoy.request_is_at_most(MAX_HEADERS),
        ]
    }
}


def listener(
    name: str,
    address: Address,
    apis: Sequence[Api],
    *,
    authorizers: Sequence[JwtAuthorizer],
    route_source: Json,
    keys: Mapping[str, str],
    access_log: Path,
    timeout_status: int = 504,
) -> Json:
    """The listener of this *name* at *address*: all APIs are at each, told apart by their names.

    Args:
        authorizers: those that a route may ask.
        route_source: where Envoy finds the route table.
        keys: the JWKS of each authorizer's issuer, as JSON text, by the authorizer's id.
        access_log: the file for the access log.
        timeout_status: of the answer to a request whose integration has taken too long: 504 or 503.
    """
    manager = {
        "stat_prefix": "gateway",
        "rds": {"route_config_name": "api", "config_source": route_source},
        "server_header_transformation": "PASS_THROUGH",
        "max_request_headers_kb": _READ_KIB,
        "common_http_protocol_options": {"idle_timeout": "300s", "max_headers_count": _READ_HEADERS},
        "http_protocol_options": {"accept_http_10": True},
        # Every client is one from outside: its address is the connection's, and its x-request-id and x-envoy headers
        # are not taken over. Its x-forwarded-for goes on as it is, for API Gateway tells the address in `forwarded`.
        "use_remote_address": True,
        # Without a range, loopback and private addresses would be inside; this one is nobody's.
        "internal_address_config": {"cidr_ranges": [{"address_prefix": "255.255.255.255", "prefix_len": 32}]},
        "skip_xff_append": True,
        "http_filters": [*_filters(authorizers, keys), envoy.router(suppress_envoy_headers=True)],
        "local_reply_config": {"mappers": [_own_reply(status, timeout_status) for status in _MESSAGES]},
        "access_log": [_answers(), *_access_log(apis, access_log)],
    }
    return envoy.listener(name, address, manager, idle_timeout=300)


def _filters(authorizers: Sequence[JwtAuthorizer], keys: Mapping[str, str]) -> Iterable[Json]:
    """In the order in which a request passes them (assumed). Each but the limits acts only where a route says so."""
    on_routes = {"disabled": True}
    limits = f"local LIMIT = {MAX_HEADERS}\n" + (_LUA / "request.lua").read_text()
    yield envoy.skipped_if(_ORDINARY, envoy.lua("twin.request", default_source_code=_inline(limits)))
    throttling = {"stat_prefix": "throttling"}
    yield _filter("envoy.filters.http.local_ratelimit", "local_ratelimit.v3.LocalRateLimit", **throttling) | on_routes
    yield (
        _filter("envoy.filters.http.jwt_authn", "jwt_authn.v3.JwtAuthentication", **_jwt(authorizers, keys)) | on_routes
    )
    yield envoy.lua("twin.claims", source_codes={"claims": _inline((_LUA / "claims.lua").read_text())}) | on_routes
    yield _filter("envoy.filters.http.buffer", "buffer.v3.Buffer", max_request_bytes=MAX_PAYLOAD)
    yield _filter("envoy.filters.http.ext_authz", "ext_authz.v3.ExtAuthz", **_AWS_IAM) | on_routes
    yield envoy.lua("twin.cors", source_codes={"cors": _inline((_LUA / "cors.lua").read_text())}) | on_routes
    # The route that was found by the path as it was sent stays.
    path = {"path": _inline((_LUA / "path.lua").read_text())}
    yield envoy.lua("twin.path", source_codes=path, clear_route_cache=False) | on_routes


def _filter(name: str, kind: str, **configuration: Any) -> Json:
    return {"name": name, "typed_config": {"@type": f"{_TYPE}extensions.filters.http.{kind}", **configuration}}


def _inline(text: str) -> Json:
    return {"inline_string": text}


def _jwt(authorizers: Sequence[JwtAuthorizer], keys: Mapping[str, str]) -> Json:
    providers, requirements = {}, {}
    for authorizer in authorizers:
        if authorizer.id not in keys:
            continue
        # A provider for each way to send a token: within one, Envoy wants a token in every way that there is.
        ways = {f"{authorizer.id} {n}": way for n, way in enumerate(_ways(authorizer.identity_source))}
        needed: list[Json] = [{"provider_name": name} for name in ways]
        # Envoy takes no requires_any of one.
        requirements[authorizer.id] = needed[0] if len(needed) == 1 else {"requires_any": {"requirements": needed}}
        for name, way in ways.items():
            providers[name] = {
                "issuer": authorizer.issuer,
                "local_jwks": _inline(keys[authorizer.id]),
                "payload_in_metadata": "claims",
                "header_in_metadata": "header",
                "forward": True,
                "clock_skew_seconds": 1,  # 0 would mean Envoy's minute
                **way,
            }
    return {"providers": providers, "requirement_map": requirements}


def _ways(identity_source: str) -> list[Json]:
    """Where the token may be; in a header with the prefix `Bearer ` or without."""
    where, _, name = identity_source.removeprefix("$request.").partition(".")
    if where == "querystring":
        return [{"from_params": [name]}]
    return [{"from_headers": [{"name": name, "value_prefix": "Bearer "}]}, {"from_headers": [{"name": name}]}]


_AWS_IAM: Json = {
    "http_service": {
        "server_uri": {
            "uri": "http://authorization",
            "cluster": AUTHORIZATION_CLUSTER,
            "timeout": _AUTHORIZATION_TIMEOUT,
        },
        "path_prefix": AUTHORIZATION_PATH,
        # In place of what the client may have sent under that name.
        "authorization_request": {"headers_to_add": [{"key": AUTHORIZATION_HEADER, "value": AUTHORIZATION_SECRET}]},
        # Of a refusal its status alone goes to the client; unset, all its headers would.
        "authorization_response": {"allowed_client_headers": {"patterns": [{"exact": "x-amzn-errortype"}]}},
    },
    # Whatever header was signed.
    "allowed_headers": {"patterns": [{"safe_regex": {"regex": ".*"}}]},
    "with_request_body": {"max_request_bytes": MAX_PAYLOAD, "pack_as_bytes": True},
    "transport_api_version": "V3",
}


def _own_reply(status: int, timeout_status: int) -> Json:
    told = timeout_status if status == 504 else status  # only timeouts are 504
    # What has too large headers is refused before it gets an id.
    request_id = "%UNIQUE_ID%" if status == 431 else "%REQ(x-request-id)%"
    equal = {"op": "EQ", "value": {"default_value": status, "runtime_key": f"local_reply.{status}"}}
    return {
        "filter": {"status_code_filter": {"comparison": equal}},
        "status_code": told,
        "headers_to_add": [envoy.header("apigw-requestid", request_id)],
        "body_format_override": {
            "text_format_source": _inline(json.dumps({"message": _MESSAGES[told]}, separators=(",", ":"))),
            "content_type": "application/json",
        },
    }


def _answers() -> Json:
    """Counts answers by API, stage and status, as `answers.total.api.<id>.stage.<name>.status.<status>`."""
    tags = {
        "api": "%METADATA(ROUTE:twin:api)%",
        "stage": "%METADATA(ROUTE:twin:stage)%",
        "status": "%RESPONSE_CODE%",
    }
    named = [{"name": name, "value_format": value} for name, value in tags.items()]
    counted = {
        "@type": _TYPE + "extensions.access_loggers.stats.v3.Config",
        "stats_scope": {"prefix": ANSWERS},
        "counters": [{"stat": {"name": "total", "tags": named}, "value_fixed": 1}],
    }
    return {"name": "envoy.access_loggers.stats", "typed_config": counted}


def _access_log(apis: Sequence[Api], file: Path) -> Iterable[Json]:
    """A line for each request of a stage that wants one."""
    stages = [(api, stage) for api in apis for stage in api.stages]
    several = len(stages) > 1 or any(stage.prefix for _, stage in stages)
    for api, stage in stages:
        if stage.access_log_format is None:
            continue
        # By its name: to look into a route's metadata costs as much as the rest of the line.
        of_stage = f" && xds.route_name.startsWith('{route_name(api, stage)}')" if several else ""
        for by_integration, noted in itertools.product((True, False), repeat=2):
            answered = f"response.code_details {'==' if by_integration else '!='} 'via_upstream'"
            text = envoy_format(
                stage.access_log_format,
                answered_by_integration=by_integration,
                noted=noted,
                constants={"accountId": stage.account, "apiId": api.id},
                messages=_MESSAGES,
            )
            yield {
                "name": "envoy.access_loggers.file",
                "filter": {"and_filter": {"filters": [_is_noted(noted), _cel(answered + of_stage)]}},
                "typed_config": {
                    "@type": _TYPE + "extensions.access_loggers.file.v3.FileAccessLog",
                    "path": str(file),
                    "log_format": {"text_format_source": _inline(text)},
                },
            }


def _is_noted(noted: bool) -> Json:
    """Whether request.lua has noted path and agent of the request."""
    value: Json = {"present_match": True} if noted else {"null_match": {}}  # Envoy does not look at `invert` here
    matcher = {"filter": "twin.request", "path": [{"key": "path"}], "value": value}
    return {"metadata_filter": {"matcher": matcher, "match_if_key_not_found": not noted}}


def _cel(expression: str) -> Json:
    kind = _TYPE + "extensions.access_loggers.filters.cel.v3.ExpressionFilter"
    filter_ = {
        "name": "envoy.access_loggers.extension_filters.cel",
        "typed_config": {"@type": kind, "expression": expression},
    }
    return {"extension_filter": filter_}
