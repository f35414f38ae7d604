"""Where the gateway, the load balancers and the tasks' proxies send requests: one kind of cluster for all. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twin.envoy.configuration import TYPE, file_source, socket_address
from twin.machine.addresses import Address

__all__ = ["Upstream", "assignment"]

Json = dict[str, Any]

# No limit of Envoy's own may decide what clients see: neither service documents one in this range.
_LIMITS = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
_NO_CIRCUIT_BREAKER = {"thresholds": [dict.fromkeys(_LIMITS, 1_000_000)]}


@dataclass(frozen=True)
class Upstream:
    """A cluster of Envoy's and its hosts.

    Attributes:
        name: the cluster's, and of its statistics.
        hosts: their addresses, or the file that has them, which Envoy reads anew whenever it is replaced; None: what
            else it has says how they are found.
        policy: how a host is picked, a name of Envoy's `lb_policy`; or a policy of its own, with its type.
        idle_timeout: for so many seconds a connection without a request is kept; None: each is for one request.
        http2: whether requests are sent by HTTP/2.
        service: under which name the file has them; empty: the cluster's.
        more: what else the cluster has, such as health checks.
    """

    name: str
    hosts: Sequence[Address] | Path | None
    policy: str | Json = "RANDOM"
    idle_timeout: float | None = 60
    http2: bool = False
    service: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    def cluster(self) -> Json:
        """Its configuration. With other addresses it is replaced, and requests on their way are not touched."""
        protocol = "http2_protocol_options" if self.http2 else "http_protocol_options"
        once = {"max_requests_per_connection": 1}
        return {
            "name": self.name,
            "connect_timeout": "1s",
            **({"lb_policy": self.policy} if isinstance(self.policy, str) else {"load_balancing_policy": self.policy}),
            # Without health checks there is no panic to have: every registered instance counts.
            "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
            "circuit_breakers": _NO_CIRCUIT_BREAKER,
            "typed_extension_protocol_options": {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                    "@type": TYPE + "extensions.upstreams.http.v3.HttpProtocolOptions",
                    "explicit_http_config": {protocol: {}},
                    "common_http_protocol_options": (
                        once if self.idle_timeout is None else {"idle_timeout": f"{self.idle_timeout}s"}
                    ),
                }
            },
            **self._discovery(),
            **self.more,
        }

    def _discovery(self) -> Json:
        match self.hosts:
            case None:
                return {}
            case Path() as file:
                name = self.service or self.name
                return {
                    "type": "EDS",
                    "eds_cluster_config": {"eds_config": file_source(file), "service_name": name},
                }
            case addresses:
                return {"type": "STATIC", "load_assignment": assignment(self.name, addresses)}


def assignment(name: str, hosts: Iterable[Address], checked: Mapping[str, Any] | None = None) -> Json:
    """The *hosts* of a cluster, or of a file for it; *checked*: where their health is, if it is elsewhere."""
    health = {"health_check_config": dict(checked)} if checked else {}
    endpoints = [{"endpoint": {"address": socket_address(host), **health}} for host in hosts]
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]}
