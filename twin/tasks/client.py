"""A task as a client: which endpoints of Service Connect it may call, and how its application reaches them by name.

As on ECS, by a hosts file: each task has an `/etc/hosts` of its own in which a name is the address where the task's
proxy listens. A machine that allows no mount namespaces has two other ways: values of the container's environment that
name an endpoint name its listener instead, and HTTP_PROXY is a listener that knows the endpoints by name. Names of
Cloud Map's DNS namespaces are in the hosts files alone.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twin.aws.ecs.model import Endpoint
from twin.aws.ecs.ports import Instances
from twin.events import Events, ParametersChanged
from twin.gaps import Gap
from twin.machine import hosts
from twin.machine.addresses import Address
from twin.machine.machine import Machine
from twin.parameters import Parameters
from twin.tasks import egress
from twin.tasks.egress import Call
from twin.tasks.hosts_files import HostsFiles
from twin.tasks.upstreams import Upstreams

__all__ = ["Client", "Clients", "rewritten"]

Json = dict[str, Any]

_PROBE = ("twin-probe", "127.0.0.77")  # a name, and an address that it has in no other hosts file
_RESOLVE = f"import socket, sys; sys.exit(socket.gethostbyname({_PROBE[0]!r}) != {_PROBE[1]!r})"
_NOT_PROXIED = "localhost,127.0.0.0/8,127.0.0.1,169.254.170.2"  # the last: ECS's credentials
_HTTP_PROXY_PORT = 8000


@dataclass(frozen=True)
class Client:
    """What a task has as a client: the endpoints that it may call, and its proxy's listeners and clusters for them."""

    calls: Sequence[Call] = ()
    listeners: Sequence[Json] = ()
    clusters: Sequence[Json] = ()
    hosts: Path | None = None  # its hosts file; None: it has none
    http_proxy: Address | None = None  # where HTTP_PROXY leads; None: every endpoint is reached by the hosts file
    rewritten: Sequence[Call] = field(default=())  # those that the environment must name

    def command(self, words: Sequence[str]) -> list[str]:
        """The command that runs *words* in the task: with its names."""
        return hosts.command(self.hosts, words) if self.hosts else list(words)

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """A container's environment as it is *given*, with listeners in place of endpoints where there must be."""
        offered = _http_proxy(self.http_proxy) if self.http_proxy else {}
        return {**offered, **rewritten(given, self.rewritten)}


class Clients:
    """Makes the client side of tasks."""

    def __init__(self, machine: Machine, instances: Instances, parameters: Parameters, events: Events) -> None:
        """*instances* is Cloud Map; *parameters* are those at first, ParametersChanged brings others."""
        self.upstreams = Upstreams(machine.folder / "upstreams", instances, parameters, events)
        self._instances = instances
        self._hosts_files = HostsFiles(instances, events)
        self._processes = machine.processes
        self._addresses = machine.addresses
        self._parameters = parameters
        self._folder = machine.folder / "hosts"  # where it tries whether this machine allows hosts files
        events.subscribe(ParametersChanged, self._change)
        self._allowed: bool | None = None
        self._asking = asyncio.Lock()
        self._calls_made = False  # whether a task may call an endpoint
        self._other_ports: set[str] = set()  # endpoints that a listener has another port for

    def _change(self, event: ParametersChanged) -> None:
        self._parameters = event.parameters

    @property
    def gaps(self) -> list[Gap]:
        """How names differ from AWS's here."""
        instead = "values of its environment that name an endpoint name a listener instead, and HTTP_PROXY is set"
        none = "without hosts files of a task's own" if not self._parameters.hosts_files else None
        if self._allowed is False:
            none = "this machine allows no hosts file of a task's own"
        names = (self._instances.dns_names() or {}).items()
        srv = "it has no A records, and nothing answers for others: DiscoverInstances finds its instances"
        gaps = [Gap("Cloud Map", name, srv) for name, addresses in names if addresses is None]
        if none is not None:
            gaps += (
                Gap("Cloud Map", name, f"{none}, so no task resolves it") for name, found in names if found is not None
            )
            return [*gaps, *([Gap("Service Connect", "names", f"{none}: {instead}")] if self._calls_made else [])]
        return gaps + [
            Gap("Service Connect", endpoint, f"a listener on its port needs CAP_NET_BIND_SERVICE: {instead}")
            for endpoint in sorted(self._other_ports)
        ]

    async def of(self, endpoints: Iterable[Endpoint], folder: Path) -> Client:
        """The client side of a task that may call *endpoints*; its files go to *folder*."""
        parameters = self._parameters
        calls = [Call(endpoint, self._addresses.allocate_or_above(endpoint.port)) for endpoint in endpoints]
        self._calls_made = self._calls_made or bool(calls)
        if not calls and self._instances.dns_names() is None:
            return Client()
        by_hosts = parameters.hosts_files and await self._allows_hosts_files()
        others = [call for call in calls if not by_hosts or call.address.port != call.endpoint.port]
        listeners = [egress.listener(call, parameters) for call in calls]
        clusters = [egress.cluster(call, self.upstreams.file(call.endpoint.service_id), parameters) for call in calls]
        http_proxy = None
        if others:
            self._other_ports |= {str(call.endpoint) for call in others} if by_hosts else set()
            http_proxy = self._addresses.allocate(_HTTP_PROXY_PORT)
            listener, cluster = egress.http_proxy(http_proxy, calls, parameters)
            listeners, clusters = [*listeners, listener], [*clusters, cluster]
        file = None
        if by_hosts:
            file = folder / "hosts"
            self._hosts_files.write(file, [(call.endpoint.name, call.address.host) for call in calls])
        return Client(calls, listeners, clusters, file, http_proxy, others)

    async def _allows_hosts_files(self) -> bool:
        """Whether a program can have a hosts file of its own here. It is tried: no setting says it on all machines."""
        async with self._asking:
            if self._allowed is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                file = self._folder / "hosts"
                file.write_text(hosts.text([_PROBE]))
                resolve = hosts.command(file, [sys.executable, "-I", "-S", "-c", _RESOLVE])
                process = await self._processes.spawn(
                    "a try of a hosts file", resolve, env={}, log=self._folder / "hosts.log"
                )
                self._allowed = await process.wait() == 0
            return self._allowed


def rewritten(environment: Mapping[str, str], calls: Iterable[Call]) -> dict[str, str]:
    """*environment* with the addresses of listeners in place of endpoints: `NAME:PORT`, `http://NAME` of port 80, and
    values that are a name and nothing else, where the listener has the endpoint's port."""
    made = dict(environment)
    for call in calls:
        endpoint, address = call.endpoint, call.address
        name = re.escape(endpoint.name)
        forms = [rf"(?<![\w.-]){name}:{endpoint.port}(?!\d)"]
        if endpoint.port == 80:
            forms.append(rf"(?<=://){name}(?![\w.:-])")
        named = re.compile("|".join(forms))
        for variable, value in made.items():
            if value == endpoint.name and address.port == endpoint.port:
                made[variable] = address.host
            else:
                made[variable] = named.sub(str(address), value)
    return made


def _http_proxy(address: Address) -> dict[str, str]:
    """The variables that send plain HTTP through the proxy at *address*."""
    # curl reads http_proxy in lowercase alone. Node, from version 24 on, reads either if it is told to.
    names = dict.fromkeys(("http_proxy", "HTTP_PROXY"), f"http://{address}")
    return {**names, **dict.fromkeys(("no_proxy", "NO_PROXY"), _NOT_PROXIED), "NODE_USE_ENV_PROXY": "1"}
