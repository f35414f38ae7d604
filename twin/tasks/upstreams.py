"""Where the tasks behind each Cloud Map service are, as the client proxies know it.

One file for a service, which every client proxy reads: a change is written once, however many proxies there are. The
proxies of Service Connect get it from ECS itself, not by DiscoverInstances, so nothing is cached and no poll is due.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from twin.aws.ecs.ports import Instances
from twin.envoy import configuration as envoy
from twin.envoy.upstream import assignment
from twin.events import Events, InstancesChanged, ParametersChanged
from twin.machine.addresses import Address
from twin.machine.files import write_json
from twin.parameters import Parameters

__all__ = ["Upstreams"]


class Upstreams:
    """The files, and the loop that writes them anew."""

    def __init__(self, folder: Path, instances: Instances, parameters: Parameters, events: Events) -> None:
        self._folder = folder  # alone in it: Envoy watches all of it
        self._instances = instances
        self._parameters = parameters
        self._written: dict[str, frozenset[Address]] = {}  # by service id
        self._version = 0
        self._changed = asyncio.Event()
        events.subscribe(InstancesChanged, lambda event: self._changed.set())
        events.subscribe(ParametersChanged, self._change)

    def file(self, service_id: str) -> Path:
        """Where the addresses of a service are, from now on."""
        if service_id not in self._written:
            self._write(service_id)
        return self._path(service_id)

    def _change(self, event: ParametersChanged) -> None:
        self._parameters = event.parameters

    async def run(self) -> None:
        """Write what has changed, until cancelled: `endpoint_propagation` seconds later the client proxies know."""
        while True:
            self._changed.clear()
            self.write()  # first of all: where it has failed, it is still to be done
            await self._changed.wait()
            await asyncio.sleep(self._parameters.endpoint_propagation)

    def write(self) -> None:
        """Let the client proxies know what is so now."""
        for service_id in list(self._written):
            self._write(service_id)

    def _write(self, service_id: str) -> None:
        addresses = self._instances.addresses(service_id)
        if self._written.get(service_id) == addresses:
            return
        self._version += 1
        self._folder.mkdir(parents=True, exist_ok=True)
        hosts = assignment(service_id, sorted(addresses, key=str))
        kind = "config.endpoint.v3.ClusterLoadAssignment"
        write_json(self._path(service_id), envoy.discovery_response(kind, str(self._version), [hosts]))
        self._written[service_id] = addresses

    def _path(self, service_id: str) -> Path:
        return self._folder / f"{service_id}.json"
