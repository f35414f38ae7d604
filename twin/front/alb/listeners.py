"""Load balancers' listeners as Envoy's, their rules as its routes: pure.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html. Assumed: a host is
compared without its port; of a header that comes several times the values are compared as one, with commas between.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from twin.envoy import configuration as envoy
from twin.front.alb.model import Condition, FixedResponse, Forward, Listener, Redirect, Rule, TargetGroup
from twin.machine.addresses import Address

__all__ = ["listener"]

Json = dict[str, Any]

# A load balancer's own answers, by what happened to Envoy's request.
_OWN = {502: ["UF", "UC", "UR", "UPE"], 503: ["UH", "NR", "NC"], 504: ["UT", "SI"]}
_PHRASES = {
    **{301: "Moved Permanently", 302: "Found"},
    **{502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out"},
}
_LUA = Path(__file__).parent
_CLIENT = ip_address("127.0.0.1")
_SERVER = envoy.header("server", "awselb/2.0")
_NEVER: Json = {"name": ":method", "present_match": True, "invert_match": True}


def listener(listener: Listener, groups: Mapping[str, TargetGroup], address: Address, ports: Mapping[str, str]) -> Json:
    """The listener at *address*.

    Args:
        groups: by ARN.
        ports: where its load balancer's ports are on this machine, where they are others.
    """
    if not listener.is_http:
        return _encrypted(_tcp_listener(listener, groups, address), listener)
    # The peer's address; Envoy's "remote address" is what the peer itself says in this header.
    forwarded = envoy.header("x-forwarded-for", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%")
    host = {
        "name": "targets",
        "domains": ["*"],
        "routes": [
            {"match": _match(rule.conditions), **_action(rule, listener, groups, ports)} for rule in listener.rules
        ],
        "request_headers_to_add": [
            forwarded | {"append_action": "APPEND_IF_EXISTS_OR_ADD"},
            envoy.header("x-forwarded-port", str(listener.port)),
            envoy.header("x-forwarded-proto", listener.protocol.lower()),
        ],
    }
    filters = [
        envoy.lua("twin.redirect", source_codes={"redirect": _script("redirect")}),
        envoy.lua("twin.trace", default_source_code=_script("trace")),
        envoy.router(suppress_envoy_headers=True),
    ]
    manager = {
        "route_config": {"virtual_hosts": [host]},
        "http_filters": filters,
        "server_header_transformation": "PASS_THROUGH",
        "local_reply_config": {"mappers": [_own_reply(*reply) for reply in _OWN.items()]},
    }
    return _encrypted(envoy.listener(listener.name, address, manager, idle_timeout=3600), listener)


def _encrypted(made: Json, listener: Listener) -> Json:
    """It with the listener's certificates, if it has any."""
    if listener.certificates:
        certificates = [
            {"certificate_chain": {"inline_string": chain}, "private_key": {"inline_string": key}}
            for chain, key in listener.certificates
        ]
        protocols = ["h2", "http/1.1"] if listener.is_http else []
        made["filter_chains"][0]["transport_socket"] = envoy.tls(
            "DownstreamTlsContext",
            common_tls_context={"tls_certificates": certificates, "alpn_protocols": protocols},
        )
    return made


def _tcp_listener(listener: Listener, groups: Mapping[str, TargetGroup], address: Address) -> Json:
    clusters = {
        cluster["name"]: cluster["weight"] for rule in listener.rules for cluster in _weights(rule.action, groups)
    }
    return envoy.tcp_listener(listener.name, address, clusters, idle_timeout=listener.idle_timeout, attempts=1)


def _match(conditions: Iterable[Condition]) -> Json:
    match: Json = {"prefix": "/"}
    headers: list[Json] = []
    for condition in conditions:
        values = condition.values
        match condition.field:
            case "path-pattern":
                match = {"safe_regex": {"regex": _any(values)}}
            case "query-string":
                pairs = _any(values, key=True)
                headers.append(_header(":path", rf"(?i)[^?]*\?(?:.*&)?(?:{pairs})(?:&.*)?"))
            case "host-header":
                headers.append(_header(":authority", rf"(?i)(?:{_any(values)})(?::\d+)?"))
            case "http-header":
                headers.append(_header(condition.name.lower(), rf"(?i)(?:{_any(values)})"))
            case "http-request-method":
                headers.append(_header(":method", "|".join(map(re.escape, values))))
            case _:  # source-ip
                if not any(_CLIENT in ip_network(block, strict=False) for block in values):
                    headers.append(_NEVER)
    return {**match, "headers": headers} if headers else match


def _header(name: str, pattern: str) -> Json:
    return {"name": name, "string_match": {"safe_regex": {"regex": pattern}}}


def _any(values: Iterable[str], *, key: bool = False) -> str:
    """An expression for any of *values*, in which `*` and `?` have their meaning, and none after a backslash.

    With *key* a value is what a query has between two `&`: `key=value`, or a value of any key.
    """
    one = "[^&]" if key else "."
    patterns = []
    for value in values:
        pieces = re.findall(r"\\[*?]|.", value, re.DOTALL)
        pattern = "".join(
            {"*": one + "*", "?": one}.get(piece) or re.escape(piece[-1:] if len(piece) > 1 else piece)
            for piece in pieces
        )
        patterns.append(pattern if not key or "=" in value else f"[^&=]*={pattern}")
    return "|".join(patterns)


def _action(rule: Rule, listener: Listener, groups: Mapping[str, TargetGroup], ports: Mapping[str, str]) -> Json:
    match rule.action:
        case FixedResponse(status, content_type, body):
            return _answer(status, content_type, body)
        case Redirect() as to:
            context = {
                **{part: getattr(to, part) for part in ("protocol", "host", "port", "path", "query")},
                **{"status": str(to.status), "page": _page(to.status)},
                **{"own": listener.protocol.lower(), "ports": dict(ports)},
            }
            script = {"twin.redirect": envoy.lua_on_route("redirect", context)}
            return {"direct_response": {"status": to.status}, "typed_per_filter_config": script}
        case _:
            clusters = _weights(rule.action, groups)
            if not clusters:
                return _answer(503, "text/html", _page(503))
            route = {"timeout": "0s", "idle_timeout": f"{listener.idle_timeout}s"}
            return {"route": {**route, "weighted_clusters": {"clusters": clusters}}}


def _weights(action: object, groups: Mapping[str, TargetGroup]) -> list[Json]:
    """The clusters of a forward, each with its weight; none where no weight is above 0."""
    weights = action.weights if isinstance(action, Forward) else {}
    return [{"name": groups[arn].id, "weight": n} for arn, n in weights.items() if arn in groups and n > 0]


def _answer(status: int, content_type: str, body: str) -> Json:
    return {
        "direct_response": {"status": status, **({"body": {"inline_string": body}} if body else {})},
        "response_headers_to_add": [_SERVER, envoy.header("content-type", content_type)],
    }


def _own_reply(status: int, flags: list[str]) -> Json:
    return {
        "filter": {"response_flag_filter": {"flags": flags}},
        "status_code": status,
        "headers_to_add": [_SERVER],
        "body_format_override": {
            "text_format_source": {"inline_string": _page(status)},
            "content_type": "text/html",
        },
    }


def _page(status: int) -> str:
    title = f"{status} {_PHRASES[status]}"
    head, body = f"<head><title>{title}</title></head>", f"<body>\r\n<center><h1>{title}</h1></center>\r\n</body>"
    return f"<html>\r\n{head}\r\n{body}\r\n</html>\r\n"


def _script(name: str) -> Json:
    return {"inline_string": (_LUA / f"{name}.lua").read_text()}
