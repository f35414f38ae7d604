"""The client side of Service Connect as Envoy's listeners and clusters: what a task's proxy does for its application.

Pure. A listener for each endpoint that the task may call, and a cluster behind it whose hosts come from a file
that all client proxies read (`twin.tasks.upstreams`). What is not documented of the proxy is assumed: that 502, 503 and
504 count as failed connections (the proxy of the other task answers so where its application does not), that failures
are counted in a row, and which failed requests are sent again: those of which nothing has reached the other task.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twin.aws.ecs.model import Endpoint
from twin.envoy import configuration as envoy
from twin.envoy.upstream import Upstream
from twin.machine.addresses import Address
from twin.parameters import Parameters

__all__ = ["HTTP_PROXY_STATS", "Call", "cluster", "http_proxy", "listener"]

Json = dict[str, Any]

_LONGEST_EJECTION = 300  # seconds [ecs]
_RETRY_ON = "connect-failure,refused-stream,reset-before-request"
HTTP_PROXY_STATS = "http-proxy"
_OTHERS = "others"  # the cluster of the names that are no endpoint's


@dataclass(frozen=True)
class Call:
    """An endpoint that a task may call, and where its proxy listens for it."""

    endpoint: Endpoint
    address: Address

    @property
    def name(self) -> str:
        """Of its listener, its cluster and their statistics."""
        return f"{self.endpoint.name}-{self.endpoint.port}"


def listener(call: Call, parameters: Parameters) -> Json:
    """Where the application connects to an endpoint. It serves on while the proxy refuses connections from outside."""
    endpoint = call.endpoint
    if endpoint.is_http:
        manager = {"route_config": {"virtual_hosts": [_host(call, ["*"], parameters)]}}
        made = envoy.listener(call.name, call.address, manager, idle_timeout=endpoint.idle_timeout)
    else:
        made = envoy.tcp_listener(
            call.name,
            call.address,
            {call.name: 1},
            idle_timeout=endpoint.idle_timeout,
            attempts=1 + parameters.client_retries,
        )
    return made | {"traffic_direction": "OUTBOUND"}


def cluster(call: Call, hosts: Path, parameters: Parameters) -> Json:
    """The tasks behind an endpoint, read from *hosts*, in turn, and without those that have failed too often."""
    endpoint = call.endpoint
    ejection = {
        "consecutive_gateway_failure": parameters.ejection_failures,
        "enforcing_consecutive_gateway_failure": 100,
        "enforcing_consecutive_5xx": 0,
        "enforcing_success_rate": 0,
        "interval": "1s",  # between two looks at whose time is over
        "base_ejection_time": f"{parameters.ejection_time}s",
        "max_ejection_time": f"{max(_LONGEST_EJECTION, parameters.ejection_time)}s",
        "max_ejection_percent": parameters.ejection_percent,
    }
    return Upstream(
        *(call.name, hosts, "ROUND_ROBIN", endpoint.idle_timeout, endpoint.is_http2, endpoint.service_id),
        more={"outlier_detection": ejection},
    ).cluster()


def http_proxy(address: Address, calls: Sequence[Call], parameters: Parameters) -> tuple[Json, Json]:
    """A listener and a cluster for applications that send everything through HTTP_PROXY: *calls* by their names.

    Any other name goes where the machine's DNS says.
    """
    cache = {"dns_cache_config": {"name": "others", "dns_lookup_family": "V4_PREFERRED"}}
    hosts = [_host(call, _domains(call), parameters) for call in calls if call.endpoint.is_http]
    others = {"match": {"prefix": "/"}, "route": {"cluster": _OTHERS, "timeout": "0s"}}
    manager = {
        "route_config": {"virtual_hosts": [*hosts, {"name": _OTHERS, "domains": ["*"], "routes": [others]}]},
        "http_filters": [
            {
                "name": "envoy.filters.http.dynamic_forward_proxy",
                "typed_config": {
                    "@type": envoy.TYPE + "extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig",
                    **cache,
                },
            },
            envoy.router(),
        ],
    }
    made = envoy.listener(HTTP_PROXY_STATS, address, manager, idle_timeout=300) | {"traffic_direction": "OUTBOUND"}
    found = {
        "cluster_type": {
            "name": "envoy.clusters.dynamic_forward_proxy",
            "typed_config": {
                "@type": envoy.TYPE + "extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig",
                "allow_insecure_cluster_options": True,  # there is no TLS to check: it is HTTP
                **cache,
            },
        }
    }
    return made, Upstream(_OTHERS, None, "CLUSTER_PROVIDED", more=found).cluster()


def _domains(call: Call) -> list[str]:
    name, port = call.endpoint.name, call.endpoint.port
    return [f"{name}:{port}", *([name] if port == 80 else [])]


def _host(call: Call, domains: list[str], parameters: Parameters) -> Json:
    route = {
        "cluster": call.name,
        "timeout": f"{call.endpoint.request_timeout}s",
        "retry_policy": {
            "retry_on": _RETRY_ON,
            "num_retries": parameters.client_retries,
            **envoy.ON_ANOTHER_HOST,
        },
    }
    return {"name": call.name, "domains": domains, "routes": [{"match": {"prefix": "/"}, "route": route}]}
