"""API Gateway's routes as Envoy's route table: pure.

Which route wins is API Gateway's rule: a full match, then a greedy path variable, then `$default`
(https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html); how two of a kind compare
is assumed (`Route.specificity`). All that a route has of its own, throttling and authorization too, is in its entry, so
that a change of it touches no listener.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from twin.envoy import configuration as envoy
from twin.front.http_api.model import Api, ApiMapping, Cors, Integration, Route, Stage, Throttle
from twin.machine.addresses import Address

__all__ = ["clusters_of", "envoy_routes", "hosts_of", "route_name", "table"]

Json = dict[str, Any]

_TYPE = "type.googleapis.com/envoy."
_VARIABLE = re.compile(r"\{([\w.-]+)(\+)?\}")
# At any port: it may be forwarded, by ssh or an editor.
_LOCALHOST = "127.0.0.1"
_DOMAINS = [f"{name}{port}" for name in (_LOCALHOST, "localhost", "[::1]") for port in ("", ":*")]
_FORBIDDEN: dict[str, Any] = {"match": {"prefix": ""}, "direct_response": {"status": 403}}
_NOT_FOUND: dict[str, Any] = {"match": {"prefix": ""}, "direct_response": {"status": 404}}
_NO_TUNNEL: dict[str, Any] = {"match": {"connect_matcher": {}}, "direct_response": {"status": 403}}
_REQUEST_PATH = re.compile(r"\$\{?request\.path(?:\.([\w-]+))?\}?")


def clusters_of(integration: Integration, front_ends: int) -> list[str]:
    """The names of the clusters that serve it: one for each front end, so that each has a balancer of its own."""
    return [f"{integration.id}-{number}" for number in range(front_ends)]


def route_name(api: Api, stage: Stage, route: Route | None = None) -> str:
    """How the entries of a stage are named in Envoy: all with the same beginning, which no other stage's have."""
    return f"{api.id}/{stage.name}/{route.key if route else ''}"


def table(
    apis: Sequence[Api],
    hosts: Mapping[str, Sequence[str]],
    *,
    front_ends: int,
    connect_retries: int,
    keyless: Iterable[str] = (),
) -> Json:
    """The whole route table: a virtual host for each API, and for each custom domain name.

    Args:
        hosts: under which names, as `domains` of Envoy, each API is served, by its id.
        keyless: the ids of authorizers whose issuer has given no keys.
    """
    routes = partial(envoy_routes, front_ends=front_ends, connect_retries=connect_retries, keyless=frozenset(keyless))
    mapped: dict[str, list[tuple[Api, ApiMapping]]] = {}
    for api in apis:
        for mapping in api.mappings:
            mapped.setdefault(mapping.host, []).append((api, mapping))
    virtual = [
        _virtual_host(api.id, hosts[api.id], _with_cors([*routes(api, _by_stage(api)), dict(_NOT_FOUND)], api.cors))
        for api in apis
    ] or [_virtual_host("none", _DOMAINS, [_NOT_FOUND])]
    for host, here in mapped.items():
        here.sort(key=lambda each: len(each[1].key), reverse=True)  # the longest first
        entries = [entry for api, to in here for entry in _with_cors(routes(api, _mapped(api, to)), api.cors)]
        virtual.append(_virtual_host(host, [host, f"{host}:*"], [*entries, _NOT_FOUND]))
    return {
        "name": "api",
        "virtual_hosts": [
            *virtual,
            # Another Host is another API's. Here it may be a page's that has made its name lead to this machine, and
            # it must not read what the service answers.
            {"name": "others", "domains": ["*"], "routes": [_NO_TUNNEL, _FORBIDDEN]},
        ],
        "request_headers_to_add": [
            {**envoy.header("via", "HTTP/1.1 AmazonAPIGateway"), "append_action": "APPEND_IF_EXISTS_OR_ADD"},
            # Behind what the client sends, which an application must not trust (vault-cortex, pull request 484).
            {
                **envoy.header(
                    "forwarded",
                    "by=%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%;for=%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%;"
                    "host=%REQ(:AUTHORITY)%;proto=http",
                ),
                "append_action": "APPEND_IF_EXISTS_OR_ADD",
            },
        ],
        "request_headers_to_remove": ["x-envoy-external-address"],
        "response_headers_to_add": [envoy.header("apigw-requestid", "%REQ(x-request-id)%")],
    }


def hosts_of(api: str, address: Address, region: str, *, is_first: bool) -> list[str]:
    """The names of the API with this id, which is at *address*; the first one has this machine's own as well."""
    names = [f"{api}.execute-api.{domain}" for domain in ("localhost", f"{region}.amazonaws.com")]
    hosts = _DOMAINS if is_first else []
    if address.host != _LOCALHOST:
        names.append(address.host)
    elif not is_first:  # off Linux, where all are at one host, the port tells them apart
        hosts = [str(address)]
    return [*hosts, *(f"{name}{port}" for name in names for port in ("", ":*"))]


def _virtual_host(name: str, domains: Iterable[str], routes: Iterable[Json]) -> Json:
    return {"name": name, "domains": list(domains), "routes": [_NO_TUNNEL, *routes]}


def _with_cors(entries: list[Json], cors: Cors | None) -> list[Json]:
    """The entries of an API, where there is *cors* with its configuration: preflights need no route of their own."""
    if cors:
        context = {
            "origins": list(cors.allow_origins),
            "methods": ",".join(cors.allow_methods),
            "credentials": cors.allow_credentials,
            **({"headers": ",".join(cors.allow_headers)} if cors.allow_headers else {}),
            **({"exposed": ",".join(cors.expose_headers)} if cors.expose_headers else {}),
            **({"max_age": str(cors.max_age)} if cors.max_age is not None else {}),
        }
        for entry in entries:
            entry.setdefault("typed_per_filter_config", {})["twin.cors"] = envoy.lua_on_route("cors", context)
    return entries


def _by_stage(api: Api) -> list[tuple[Stage, str]]:
    """The stages with the beginnings of their paths: named ones first, for `$default` has any path."""
    return [(stage, stage.prefix) for stage in sorted(api.stages, key=lambda stage: stage.name == "$default")]


def _mapped(api: Api, mapping: ApiMapping) -> list[tuple[Stage, str]]:
    return [(stage, f"/{mapping.key}" if mapping.key else "") for stage in api.stages if stage.name == mapping.stage]


def envoy_routes(
    api: Api,
    stages: Iterable[tuple[Stage, str]],
    *,
    front_ends: int,
    connect_retries: int,
    keyless: frozenset[str],
) -> list[Json]:
    """The route entries of *stages*, each with what its paths begin with, in the order in which Envoy must try them."""
    entries = []
    for stage, prefix in stages:
        for route in sorted(api.routes, key=lambda route: route.specificity):
            throttle = stage.throttle_of(route)
            for pattern, rewrite in _paths(route, stage, prefix):
                entry = _entry(api, route, stage, pattern)
                if throttle and not (throttle.rate and throttle.burst):  # a bucket of Envoy's lets at least one pass
                    entry["direct_response"] = {"status": 429}
                elif route.authorizer and route.authorizer.id in keyless:
                    entry["direct_response"] = {"status": 401}
                else:
                    clusters = clusters_of(route.integration, front_ends)
                    entry["route"] = _action(route, clusters, connect_retries, rewrite)
                    entry["typed_per_filter_config"] = dict(_filters(route, stage, rewrites=rewrite is not None))
                entries.append(entry)
        # What no route of a stage matches is still the stage's: another's routes do not see it, and its log has it.
        entries.append(_entry(api, None, stage, re.escape(prefix) + "(/.*)?") | {"direct_response": {"status": 404}})
    return entries


def _paths(route: Route, stage: Stage, prefix: str) -> Iterable[tuple[str, Json | None]]:
    """The patterns of a route's paths, with what each is rewritten to. What they begin with alone is the path `/`."""
    before = re.escape(prefix)
    yield before + _pattern(route), _rewrite(route, stage, prefix)
    if prefix and route.path in ("", "/"):
        path = _overwriting(route)
        sent = None if path is None else _REQUEST_PATH.sub(lambda match: "" if match[1] else "/", path)
        yield before, None if sent is None else {"pattern": {"regex": f"^{before}$"}, "substitution": sent}


def _entry(api: Api, route: Route | None, stage: Stage, pattern: str) -> Json:
    literal = re.sub(r"\\(.)", r"\1", pattern)
    # Where there is nothing to match but itself, it is compared, which costs less.
    match: Json = {"path": literal} if re.escape(literal) == pattern else {"safe_regex": {"regex": pattern}}
    if route and route.method not in ("ANY", "$default"):
        match["headers"] = [{"name": ":method", "string_match": {"exact": route.method}}]
    values = {"api": api.id, "stage": stage.name, **({"route": route.key} if route else {})}
    return {"name": route_name(api, stage, route), "match": match, "metadata": {"filter_metadata": {"twin": values}}}


def _pattern(route: Route, group: Callable[[str], str] = lambda pattern: pattern) -> str:
    """The regular expression of a route's path; each variable goes through *group*."""
    if not route.path:
        return "/.*"
    parts, end = [], 0
    for variable in _VARIABLE.finditer(route.path):
        parts += [re.escape(route.path[end : variable.start()]), group(".+" if variable[2] else "[^/]+")]
        end = variable.end()
    return "".join([*parts, re.escape(route.path[end:])])


def _action(route: Route, clusters: list[str], connect_retries: int, rewrite: Json | None) -> Json:
    action: Json = {"timeout": f"{route.integration.timeout}s", **_destination(clusters)}
    if connect_retries:
        action["retry_policy"] = {
            "retry_on": "connect-failure",
            "num_retries": connect_retries,
            **envoy.ON_ANOTHER_HOST,
            "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.001s"},
        }
    if rewrite:
        action["regex_rewrite"] = rewrite
    return action


def _overwriting(route: Route) -> str | None:
    """The value of the route's `overwrite:path`; one that begins with no slash, as a variable's, gets one (assumed)."""
    path = route.integration.path
    if path is None or path.startswith("/"):
        return path
    whole = _REQUEST_PATH.match(path)
    return path if whole and whole[1] is None else f"/{path}"


def _rewrite(route: Route, stage: Stage, prefix: str) -> Json | None:
    """What `overwrite:path` makes of the path. `$request.path` has no stage in it; a path not overwritten has.

    So it has where a domain name's mapping has another *prefix* (assumed).
    """
    path = _overwriting(route)
    if path is None and prefix != stage.prefix:
        return {"pattern": {"regex": f"^{re.escape(prefix)}"}, "substitution": stage.prefix}
    if path is None or (path == "$request.path" and not prefix):
        return None
    names = [name for name, _ in _VARIABLE.findall(route.path)]

    def reference(match: re.Match[str]) -> str:
        # Group 1 is the whole path; a variable that the route has not is empty.
        if match[1] is None:
            return r"\1"
        return rf"\{names.index(match[1]) + 2}" if match[1] in names else ""

    parts, end = [], 0
    for match in _REQUEST_PATH.finditer(path):
        parts += [path[end : match.start()].replace("\\", r"\\"), reference(match)]
        end = match.end()
    substitution = "".join([*parts, path[end:].replace("\\", r"\\")])
    # The only variable may have a slash in it by now: path.lua has decoded it.
    whole = (lambda inner: "(.+)") if len(names) == 1 else (lambda inner: f"({inner})")
    pattern = f"^{re.escape(prefix)}({_pattern(route, whole)})$"
    return {"pattern": {"regex": pattern}, "substitution": substitution}


def _filters(route: Route, stage: Stage, *, rewrites: bool) -> Iterable[tuple[str, Json]]:
    """The HTTP filters' configuration for one route; a filter without one does nothing here."""
    if rewrites or "{" in route.path:  # the path that was sent has to be noted
        yield "twin.request", envoy.NEVER_SKIPPED
    if throttle := stage.throttle_of(route):
        yield "envoy.filters.http.local_ratelimit", _rate_limit(throttle)
    if route.authorization == "AWS_IAM":
        yield (
            "envoy.filters.http.ext_authz",
            {"@type": _TYPE + "extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute", "check_settings": {}},
        )
    if "{" in route.path:
        yield "twin.path", envoy.lua_on_route("path")
    if authorizer := route.authorizer:
        yield (
            "envoy.filters.http.jwt_authn",
            {"@type": _TYPE + "extensions.filters.http.jwt_authn.v3.PerRouteConfig", "requirement_name": authorizer.id},
        )
        claims = {"audience": list(authorizer.audience), "scopes": list(route.scopes)}
        yield "twin.claims", envoy.lua_on_route("claims", claims)


def _rate_limit(throttle: Throttle) -> Json:
    everything = {"default_value": {"numerator": 100}}
    return {
        "@type": _TYPE + "extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": "throttling",
        # Whole tokens at whole intervals: a rate below one a second is one token in so many seconds.
        "token_bucket": {
            "max_tokens": throttle.burst,
            "tokens_per_fill": max(1, round(throttle.rate)),
            "fill_interval": f"{max(1, round(throttle.rate)) / throttle.rate:.6f}s",
        },
        "filter_enabled": everything,
        "filter_enforced": everything,
    }


def _destination(clusters: list[str]) -> Mapping[str, Any]:
    if len(clusters) == 1:
        return {"cluster": clusters[0]}
    return {"weighted_clusters": {"clusters": [{"name": name, "weight": 1} for name in clusters]}}
