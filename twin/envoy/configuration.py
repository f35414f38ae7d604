"""Envoy configuration: functions from values to the JSON that Envoy reads. No process, no file, no socket here.

Everything is Envoy's v3 API (https://www.envoyproxy.io/docs/envoy/latest/api-v3/api). A task's proxy has
one whole configuration; what the gateway and a load balancer serve comes from files that are replaced by rename, so
that a change loses no request.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from twin.machine.addresses import Address

__all__ = [
    "ON_ANOTHER_HOST",
    "TYPE",
    "bootstrap",
    "command",
    "discovery_response",
    "dynamic_bootstrap",
    "file_source",
    "header",
    "listener",
    "lua",
    "lua_on_route",
    "router",
    "socket_address",
    "tcp_listener",
    "tls",
]

Json = dict[str, Any]

TYPE = "type.googleapis.com/envoy."
ON_ANOTHER_HOST: Json = {
    "retry_host_predicate": [
        {
            "name": "envoy.retry_host_predicates.previous_hosts",
            "typed_config": {"@type": TYPE + "extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"},
        }
    ],
    # So often it picks anew, and then asks the host that failed. With 5, one retry in 64 did where there are two hosts.
    "host_selection_retry_max_attempts": 100,
}
"""Of a retry policy: a request that has failed goes to another host than before."""


_SELDOM = {"miss_timeout": "60s", "megamiss_timeout": "60s"}


def command(binary: str, configuration: Path, admin_address: Path, concurrency: int = 1) -> list[str]:
    """The command line of an Envoy that reads *configuration* and writes its admin address to *admin_address*."""
    options = ["--config-path", str(configuration), "--admin-address-path", str(admin_address)]
    return [binary, *options, "--concurrency", str(concurrency), "--disable-hot-restart", "--log-level", "warning"]


def dynamic_bootstrap(name: str, files: Path, clusters: Sequence[Json] = ()) -> Json:
    """The bootstrap of an Envoy that finds its listeners in `lds.json` and its clusters in `cds.json`, in *files*.

    *clusters* are there from the start and stay.
    """
    sources = {f"{kind}_config": file_source(files / f"{kind}.json") for kind in ("lds", "cds")}
    return bootstrap(name, static={"clusters": list(clusters)}) | {"dynamic_resources": sources}


def discovery_response(kind: str, version: str, resources: Iterable[Json]) -> Json:
    """The content of a watched file: *kind* is the resources' type, such as `config.cluster.v3.Cluster`."""
    return {"version_info": version, "resources": [{"@type": TYPE + kind, **resource} for resource in resources]}


def bootstrap(name: str, static: Json) -> Json:
    return {
        "node": {"id": name, "cluster": "twin"},
        "admin": {"address": _admin_address()},
        # Each looks ten times a second whether a thread hangs, and only counts it: most of what an idle Envoy takes.
        "watchdogs": {"main_thread_watchdog": _SELDOM, "worker_watchdog": _SELDOM},
        "static_resources": static,
    }


def _admin_address() -> Json:
    """Where an admin interface listens, which Envoy writes to its --admin-address-path.

    On Linux an abstract socket of a name that nobody can guess: a page in a browser can ask any port of this machine,
    and /quitquitquit ends an Envoy. Elsewhere a port, which the kernel picks.
    """
    if sys.platform == "linux":
        return {"pipe": {"path": f"@twin-{secrets.token_hex(16)}"}}
    return socket_address(Address("127.0.0.1", 0))


def listener(name: str, address: Address, manager: Json, *, idle_timeout: float) -> Json:
    """A listener for HTTP; *manager* is what its connection manager has of its own; *idle_timeout* in seconds."""
    filter_ = {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": TYPE + "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": name,
            "http_filters": [router()],
            "common_http_protocol_options": {"idle_timeout": f"{idle_timeout}s"},
            **manager,
        },
    }
    return _listener(name, address, filter_)


def tcp_listener(
    name: str, address: Address, clusters: Mapping[str, int], *, idle_timeout: float, attempts: int
) -> Json:
    """A listener for TCP that connects to one of *clusters*, by their weights, at most *attempts* times.

    Without a cluster it closes every connection. *idle_timeout* in seconds (0: none).
    """
    weighted = {"clusters": [{"name": cluster, "weight": weight} for cluster, weight in clusters.items()]}
    filter_ = {
        "name": "envoy.filters.network.tcp_proxy",
        "typed_config": {
            "@type": TYPE + "extensions.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": name,
            **({"weighted_clusters": weighted} if len(clusters) > 1 else {"cluster": next(iter(clusters), "none")}),
            "idle_timeout": f"{idle_timeout}s",
            "max_connect_attempts": attempts,
        },
    }
    return _listener(name, address, filter_)


def _listener(name: str, address: Address, filter_: Json) -> Json:
    return {
        "name": name,
        "address": socket_address(address),
        # With SO_REUSEPORT two Envoys could share an address and nobody would be told.
        "enable_reuse_port": False,
        "filter_chains": [{"filters": [filter_]}],
    }


def lua(name: str, **configuration: Any) -> Json:
    """An HTTP filter in Lua; *configuration* has its source."""
    return {"name": name, "typed_config": {"@type": TYPE + "extensions.filters.http.lua.v3.Lua", **configuration}}


def lua_on_route(script: str, context: Mapping[str, Any] | None = None) -> Json:
    """What has a Lua filter run its *script* of that name on a route, or a virtual host, with this *context*."""
    per_route = {"@type": TYPE + "extensions.filters.http.lua.v3.LuaPerRoute", "name": script}
    return per_route if context is None else {**per_route, "filter_context": dict(context)}


def skipped_if(predicate: Json, filter_: Json) -> Json:
    """The HTTP filter, not run for requests that *predicate* holds for, where a route does not say otherwise."""
    skip = {"@type": TYPE + "extensions.filters.common.matcher.action.v3.SkipFilter"}
    matcher = {"predicate": predicate, "on_match": {"action": {"name": "skip", "typed_config": skip}}}
    configuration = {
        "@type": TYPE + "extensions.common.matching.v3.ExtensionWithMatcher",
        "extension_config": filter_,
        "xds_matcher": {"matcher_list": {"matchers": [matcher]}},
    }
    return {"name": filter_["name"], "typed_config": configuration}


NEVER_SKIPPED: Json = {"@type": TYPE + "extensions.common.matching.v3.ExtensionWithMatcherPerRoute", "xds_matcher": {}}
"""What a route says for a filter that is otherwise `skipped_if`."""


def header_matches(name: str, regex: str) -> Json:
    """A predicate: the request has this header, and the whole of its value matches the regular expression."""
    header = {"@type": TYPE + "type.matcher.v3.HttpRequestHeaderMatchInput", "header_name": name}
    return {
        "single_predicate": {
            "input": {"name": "header", "typed_config": header},
            "value_match": {"safe_regex": {"google_re2": {}, "regex": regex}},
        }
    }


def request_is_at_most(size: int) -> Json:
    """A predicate: headers' names and values take no more bytes than *size*, those that Envoy has added included.

    In CEL, which Envoy takes here as a syntax tree only: `request.total_size <= size`.
    """
    of_request = {
        "id": 1,
        "select_expr": {"operand": {"id": 2, "ident_expr": {"name": "request"}}, "field": "total_size"},
    }
    compared = {"function": "_<=_", "args": [of_request, {"id": 3, "const_expr": {"int64_value": size}}]}
    tree = {"cel_expr_parsed": {"expr": {"id": 4, "call_expr": compared}}}
    matched = "type.googleapis.com/xds.type.matcher.v3."
    return {
        "single_predicate": {
            "input": {"name": "request", "typed_config": {"@type": matched + "HttpAttributesCelMatchInput"}},
            "custom_match": {"name": "cel", "typed_config": {"@type": matched + "CelMatcher", "expr_match": tree}},
        }
    }


def tls(context: str, **configuration: Any) -> Json:
    """The transport of encrypted connections: *context* is `DownstreamTlsContext` or `UpstreamTlsContext`."""
    kind = TYPE + "extensions.transport_sockets.tls.v3." + context
    return {"name": "envoy.transport_sockets.tls", "typed_config": {"@type": kind, **configuration}}


def router(**options: Any) -> Json:
    """The last of the HTTP filters."""
    configuration = {"@type": TYPE + "extensions.filters.http.router.v3.Router", **options}
    return {"name": "envoy.filters.http.router", "typed_config": configuration}


def file_source(path: Path) -> Json:
    """A file that Envoy reads anew whenever it is replaced; it watches the whole folder."""
    return {
        "resource_api_version": "V3",
        "path_config_source": {"path": str(path), "watched_directory": {"path": str(path.parent)}},
    }


def header(name: str, value: str) -> Json:
    """A header to add, in place of one of that name."""
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def socket_address(address: Address) -> Json:
    """A socket's address."""
    return {"socket_address": {"address": address.host, "port_value": address.port}}
