"""Service Connect's proxy of one task: an Envoy, and what its agent does with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from twin.envoy import configuration as envoy
from twin.envoy.admin import Admin
from twin.envoy.upstream import Upstream
from twin.errors import StartFailed
from twin.events import accident
from twin.machine.addresses import Address
from twin.machine.files import write_json
from twin.machine.process import Process, Processes
from twin.tasks.client import Client
from twin.tasks.traffic import STATISTICS

__all__ = ["Disturbance", "Sidecar", "sidecar"]

Json = dict[str, Any]

_NO_CLIENT = Client()
_UNREADY = "twin.unready"
# Does nothing until `_order` has given it a share of the requests.
_DELAY: Json = {
    "name": "envoy.filters.http.fault",
    "typed_config": {
        "@type": envoy.TYPE + "extensions.filters.http.fault.v3.HTTPFault",
        "delay": {"fixed_delay": "1s", "percentage": {"numerator": 0}},
    },
}

_STOP_TIMEOUT = 10  # seconds; Envoy ends at once unless it hangs
_DRAIN_STEP = 0.25  # seconds after which it is asked anew for how long to drain


@dataclass(frozen=True)
class Disturbance:
    """What faults do to a task.

    Attributes:
        delay: seconds for which the proxy holds each request, and the twin each health check.
        unready: health checks fail, and their paths at the proxy.
        hang: the application stands still.
        frozen: so does everything of the task, and what is to start waits.
    """

    delay: float = 0.0
    unready: bool = False
    hang: bool = False
    frozen: bool = False


class Sidecar:
    """`process` is its Envoy: the one that serves, or the last one that did; None before the first start."""

    def __init__(
        self,
        name: str,
        bootstrap: Mapping[str, Any],
        *,
        folder: Path,
        processes: Processes,
        envoy_binary: str,
        thawed: asyncio.Event,
    ) -> None:
        """
        Args:
            name: for messages.
            bootstrap: Envoy's configuration.
            folder: where its configuration, its admin interface's address and its log are.
            thawed: set while it may start.
        """
        self.process: Process | None = None
        self._name = name
        self._bootstrap = bootstrap
        self._folder = folder
        self._processes = processes
        self._envoy_binary = envoy_binary
        self._admin: Admin | None = None
        self._thawed = thawed
        self._disturbance = Disturbance()
        self._done = _order(Disturbance())  # the last order that Envoy has taken
        self._crashed_on_purpose = False

    async def start(self) -> None:
        """Start it, and wait until it serves.

        Raises:
            StartFailed: it does not.
        """
        await self._thawed.wait()
        configuration, address_file = self._folder / "proxy.json", self._folder / "proxy.admin"
        write_json(configuration, self._bootstrap)
        address_file.unlink(missing_ok=True)
        self.process = await self._processes.spawn(
            self._name,
            envoy.command(self._envoy_binary, configuration, address_file),
            env={"PATH": os.defpath},
            log=self._folder / "proxy.log",
        )
        self._admin, self._done = Admin(self.process, address_file), _order(Disturbance())
        self.process.hold(self._disturbance.frozen)
        await self._admin.ready()
        await self.disturb(self._disturbance)

    async def disturb(self, disturbance: Disturbance) -> None:
        """Let faults have this effect, once it has started and again after each start."""
        self._disturbance = disturbance
        if self.process is None or self._admin is None:
            return
        self.process.hold(disturbance.frozen)
        order = _order(disturbance)
        if order != self._done and not disturbance.frozen and await self._admin.post(order):
            self._done = order

    async def statistics(self) -> Json:
        """What it has counted, as `twin.tasks.traffic` reads it; empty where it does not answer."""
        alive = self.process is not None and self.process.returncode is None
        if not alive or self._admin is None or self._disturbance.frozen:
            return {}
        return await self._admin.json(STATISTICS)

    @property
    def trouble(self) -> str | None:
        """What is wrong with it now, in a sentence."""
        return self._admin.trouble if self._admin is not None else None

    def crash(self) -> None:
        """Kill it, as a fault does."""
        if self.process is not None and self.process.returncode is None:
            self._crashed_on_purpose = True
            self.process.kill_group()

    async def keep(self, restarts: Callable[[], int], step: Callable[..., None]) -> str:
        """Start it anew whenever it has crashed, *restarts* times, as its agent does [sc-agent].

        Returns:
            Why it no longer serves.
        """
        done = 0
        while True:
            assert self._admin is not None
            code = await self._admin.exited(kill=False, excused=lambda: self._disturbance.frozen)
            step("proxy exited", code=code)
            if not self._crashed_on_purpose:
                accident(f"{self._name} exited with {code}")
            self._crashed_on_purpose = False
            if done >= restarts():
                return "Service Connect proxy exited"
            done += 1
            try:
                await self.start()
            except StartFailed as error:
                return str(error)
            step("proxy restarted", restarts=done)

    async def refuse_connections(self) -> bool:
        """Accept no new connections, and serve the open ones on; whether it does."""
        return self._admin is not None and await self._admin.post("/drain_listeners?inboundonly")

    async def stop(self, drain: Callable[[], float]) -> None:
        """End it: its agent drains gracefully, sleeps for its fixed time, *drain* seconds, and only then ends Envoy
        [sc-agent]. How long that is may change meanwhile."""
        if self.process is None or self._admin is None:
            return
        began = time.monotonic()
        if drain() > 0 and await self._admin.post("/drain_listeners?graceful&skip_exit"):
            while self.process.returncode is None and (left := began + drain() - time.monotonic()) > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(left, _DRAIN_STEP)):
                        await self.process.wait()
        self.process.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_TIMEOUT):
                await self.process.wait()
        except TimeoutError:
            self.process.kill_group()
            await self.process.wait()


def sidecar(
    ingress: Address,
    application: Address,
    *,
    request_timeout: float,
    idle_timeout: float,
    upstream_idle_timeout: float,
    health_paths: Sequence[str] = (),
    host_name: str | None = None,
    protocol: str = "http",
    client: Client = _NO_CLIENT,
) -> Json:
    """The bootstrap of a task's Service Connect proxy: from *ingress* to *application*; timeouts in seconds (0: none).

    *idle_timeout* is of its clients' connections, *upstream_idle_timeout* of its own to the application.

    The listener is marked INBOUND: `drain_listeners?inboundonly` acts on no other. *health_paths* are those that
    a Disturbance makes fail. *host_name* is added as `x-hostname` to what the application answers without one.
    *protocol* is the port's `appProtocol`, else tcp: then connections are passed on, and it knows neither requests nor
    health paths. *client* is what the task has as a client.
    """
    http2 = protocol in ("http2", "grpc")
    upstream = Upstream("application", [application], idle_timeout=upstream_idle_timeout, http2=http2).cluster()
    if protocol == "tcp":
        inbound = envoy.tcp_listener("ingress", ingress, {"application": 1}, idle_timeout=idle_timeout, attempts=1)
    else:
        manager = _manager(request_timeout, health_paths, host_name)
        inbound = envoy.listener("ingress", ingress, manager, idle_timeout=idle_timeout)
    inbound["traffic_direction"] = "INBOUND"
    static = {"listeners": [inbound, *client.listeners], "clusters": [upstream, *client.clusters]}
    runtime = {"layers": [{"name": "admin", "admin_layer": {}}]}
    bootstrap = envoy.bootstrap("ingress", static=static)
    return bootstrap | {"layered_runtime": runtime}


def _manager(request_timeout: float, health_paths: Sequence[str], host_name: str | None) -> Json:
    unready = {"default_value": {"numerator": 0}, "runtime_key": _UNREADY}
    routes: list[Json] = [
        {"match": {"path": path, "runtime_fraction": unready}, "direct_response": {"status": 503}}
        for path in health_paths
    ]
    routes += [{"match": {"prefix": "/"}, "route": {"cluster": "application", "timeout": f"{request_timeout}s"}}]
    return {
        "route_config": {"virtual_hosts": [{"name": "application", "domains": ["*"], "routes": routes}]},
        "http_filters": [_DELAY, envoy.router(**_naming(host_name)) if host_name else envoy.router()],
    }


def _naming(host_name: str) -> Json:
    """Options of the router: as a filter behind it this acts on the application's answers, not on Envoy's own."""
    added = {"header": {"key": "x-hostname", "value": host_name}, "append_action": "ADD_IF_ABSENT"}
    http = "extensions.filters.http."
    return {
        "upstream_http_filters": [
            {
                "name": "envoy.filters.http.header_mutation",
                "typed_config": {
                    "@type": envoy.TYPE + http + "header_mutation.v3.HeaderMutation",
                    "mutations": {"response_mutations": [{"append": added}]},
                },
            },
            {
                "name": "envoy.filters.http.upstream_codec",
                "typed_config": {"@type": envoy.TYPE + http + "upstream_codec.v3.UpstreamCodec"},
            },
        ]
    }


def _order(disturbance: Disturbance) -> str:
    """The order to the admin interface that has requests held and health paths fail, as *disturbance* says."""
    values = {
        "fault.http.delay.fixed_delay_percent": 100 if disturbance.delay else 0,
        "fault.http.delay.fixed_duration_ms": round(disturbance.delay * 1000),
        _UNREADY: 100 if disturbance.unready else 0,
    }
    return "/runtime_modify?" + urlencode(values)
