"""Envoy configuration: functions from values to the JSON that Envoy reads. No process, no file, no socket here.

Everything is Envoy's v3 API (https://www.envoyproxy.io/docs/envoy/latest/api-v3/api). The sidecar's configuration
is whole; the gateway's listener is static, and its routes, clusters and endpoints come from files
that are replaced by rename, so that a change loses no request and restarts no listener.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from twin.network import Address
from twin.parameters import Balancing, Parameters

__all__ = [
    "command",
    "discovery_response",
    "eds_cluster",
    "gateway_bootstrap",
    "load_assignment",
    "route_configuration",
    "sidecar",
]

Json = dict[str, Any]

_TYPE = "type.googleapis.com/envoy."
_LB_POLICY = {
    Balancing.RANDOM: "RANDOM",
    Balancing.ROUND_ROBIN: "ROUND_ROBIN",
    Balancing.LEAST_REQUEST: "LEAST_REQUEST",
}
_ROUTER = {
    "name": "envoy.filters.http.router",
    "typed_config": {"@type": _TYPE + "extensions.filters.http.router.v3.Router"},
}
# No limit of Envoy's own may decide what clients see: neither service documents one in this range.
_LIMITS = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
_NO_CIRCUIT_BREAKER = {"thresholds": [dict.fromkeys(_LIMITS, 1_000_000)]}
# API Gateway's answers when it has no route or no instance that answers (HTTP APIs). The body of Envoy's own
# replies is replaced; what comes from a task passes untouched.
_GATEWAY_MESSAGES = {404: "Not Found", 503: "Service Unavailable", 504: "Gateway Timeout"}


def sidecar(ingress: Address, application: Address, *, request_timeout: float, idle_timeout: float) -> Json:
    """The bootstrap of a task's Service Connect proxy: from *ingress* to *application*; timeouts in seconds (0: none).

    The listener is marked INBOUND: `drain_listeners?inboundonly` acts on no other.
    """
    route_config = {
        "virtual_hosts": [
            {
                "name": "application",
                "domains": ["*"],
                "routes": [
                    {"match": {"prefix": "/"}, "route": {"cluster": "application", "timeout": f"{request_timeout}s"}}
                ],
            }
        ]
    }
    # Below the keep-alive of common servers, so that no request meets a connection that is closing.
    upstream = _cluster("application", Balancing.RANDOM, {"idle_timeout": "4s"})
    upstream |= {"type": "STATIC", "load_assignment": load_assignment("application", [application])}
    listener = _listener("ingress", ingress, {"route_config": route_config}, idle_timeout=idle_timeout)
    return _bootstrap(listener | {"traffic_direction": "INBOUND"}, clusters=[upstream])


def command(binary: str, configuration: Path, admin_address: Path, concurrency: int = 1) -> list[str]:
    """The command line of an Envoy that reads *configuration* and writes its admin address to *admin_address*."""
    options = ["--config-path", str(configuration), "--admin-address-path", str(admin_address)]
    return [binary, *options, "--concurrency", str(concurrency), "--disable-hot-restart", "--log-level", "warning"]


def gateway_bootstrap(address: Address, files: Path) -> Json:
    """The bootstrap of the gateway: a listener at *address*; `rds.json` and `cds.json` are watched in *files*."""
    manager = {
        "rds": {"route_config_name": "api", "config_source": _file_source(files / "rds.json")},
        "via": "HTTP/1.1 AmazonAPIGateway",
        "server_header_transformation": "PASS_THROUGH",
        "local_reply_config": {"mappers": [_own_reply(*reply) for reply in _GATEWAY_MESSAGES.items()]},
    }
    listener = _listener("gateway", address, manager, idle_timeout=300)
    return _bootstrap(listener, dynamic_resources={"cds_config": _file_source(files / "cds.json")})


def _cluster(name: str, balancing: Balancing, options: Json) -> Json:
    return {
        "name": name,
        "connect_timeout": "1s",
        "lb_policy": _LB_POLICY[balancing],
        # Without health checks there is no panic to have: every registered instance counts.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "circuit_breakers": _NO_CIRCUIT_BREAKER,
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": _TYPE + "extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http_protocol_options": {}},
                "common_http_protocol_options": options,
            }
        },
    }


def eds_cluster(name: str, parameters: Parameters, endpoints: Path) -> Json:
    """A cluster whose endpoints are read from the file *endpoints* each time that it is replaced."""
    options: Json = {"idle_timeout": "60s"} if parameters.reuse_connections else {"max_requests_per_connection": 1}
    source = {"eds_cluster_config": {"eds_config": _file_source(endpoints), "service_name": name}}
    return _cluster(name, parameters.balancing, options) | {"type": "EDS"} | source


def load_assignment(name: str, addresses: Iterable[Address]) -> Json:
    """The endpoints of a cluster."""
    return {
        "cluster_name": name,
        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _socket(address)}} for address in addresses]}],
    }


def route_configuration(routes: Sequence[Json], request_headers: Mapping[str, str]) -> Json:
    """The gateway's route table. *request_headers* are added to each request, `apigw-requestid` to each answer."""
    return {
        "name": "api",
        "virtual_hosts": [{"name": "api", "domains": ["*"], "routes": list(routes)}],
        "request_headers_to_add": [_header(name, value) for name, value in request_headers.items()],
        "response_headers_to_add": [_header("apigw-requestid", "%REQ(x-request-id)%")],
    }


def discovery_response(kind: str, version: str, resources: Iterable[Json]) -> Json:
    """The content of a watched file: *kind* is the resources' type, such as `config.cluster.v3.Cluster`."""
    return {"version_info": version, "resources": [{"@type": _TYPE + kind, **resource} for resource in resources]}


def _bootstrap(
    listener: Json, *, clusters: Sequence[Json] = (), dynamic_resources: Mapping[str, Json] | None = None
) -> Json:
    bootstrap: Json = {
        "node": {"id": listener["name"], "cluster": "twin"},
        # Port 0: the kernel picks one, and Envoy writes it to its --admin-address-path.
        "admin": {"address": _socket(Address("127.0.0.1", 0))},
        "static_resources": {"listeners": [listener], "clusters": list(clusters)},
    }
    return bootstrap | ({"dynamic_resources": dict(dynamic_resources)} if dynamic_resources else {})


def _listener(name: str, address: Address, manager: Json, *, idle_timeout: float) -> Json:
    return {
        "name": name,
        "address": _socket(address),
        # With SO_REUSEPORT two Envoys could share an address and nobody would be told.
        "enable_reuse_port": False,
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": {
                            "@type": _TYPE
                            + "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                            "stat_prefix": name,
                            "http_filters": [_ROUTER],
                            "common_http_protocol_options": {"idle_timeout": f"{idle_timeout}s"},
                            **manager,
                        },
                    }
                ]
            }
        ],
    }


def _own_reply(status: int, message: str) -> Json:
    equal = {"op": "EQ", "value": {"default_value": status, "runtime_key": f"local_reply.{status}"}}
    return {
        "filter": {"status_code_filter": {"comparison": equal}},
        "body_format_override": {"json_format": {"message": message}, "content_type": "application/json"},
    }


def _file_source(path: Path) -> Json:
    return {
        "resource_api_version": "V3",
        "path_config_source": {"path": str(path), "watched_directory": {"path": str(path.parent)}},
    }


def _header(name: str, value: str) -> Json:
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _socket(address: Address) -> Json:
    return {"socket_address": {"address": address.host, "port_value": address.port}}
