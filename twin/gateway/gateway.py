"""The gateway's Envoy: serves the API as the endpoint has it, and finds instances with DiscoverInstances.

What the API is, is read from the endpoint whenever it has changed; where the instances are, is asked every
`discovery_ttl` seconds. Envoy reads all of it from files, so nothing is restarted and no request is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from twin import envoy
from twin.admin import Admin
from twin.aws import Aws
from twin.errors import StartFailed
from twin.files import write_json
from twin.gateway.access_log import unknown_variables
from twin.gateway.discovery import discover
from twin.gateway.issuer import NoKeys, fetch_keys
from twin.gateway.listener import AUTHORIZATION_CLUSTER, listener
from twin.gateway.model import Api, CloudMapService, Integration, JwtAuthorizer
from twin.gateway.reading import read_api
from twin.gateway.routes import clusters_of, table
from twin.network import Address
from twin.parameters import Parameters
from twin.process import Process, Processes

__all__ = ["Gateway"]

_APPLIED_WITHIN = 2.0  # seconds for Envoy to take over a file; it takes milliseconds
_POLL = 0.005  # seconds
# With discovery_ttl 0 each change is passed on at once; this is for what changes without ECS's doing.
_LEAST_INTERVAL = 0.5  # seconds
_KEYS_STAY = 7200.0  # seconds for which an issuer's keys are used [apigw, JWT authorizers]


class Gateway:
    """The gateway's Envoy and the loop that keeps its files current."""

    def __init__(
        self,
        *,
        address: Address,
        folder: Path,
        processes: Processes,
        envoy_binary: str,
        aws: Aws,
        authorization: Address,
        issuer_url: str | None,
        listener_address: Callable[[str], Address | None],
        parameters: Callable[[], Parameters],
        log: Callable[..., None],
    ) -> None:
        """
        Args:
            aws: the endpoint.
            authorization: who checks the signatures of AWS_IAM.
            issuer_url: where the JWT authorizers' issuer is on this machine; None: at its own address.
            listener_address: where the listener of a load balancer, by its ARN, is on this machine.
            parameters: the twin's parameters as they are now.
            log: told each change, as `log("gateway", step=..., ...)`.
        """
        self.address = address
        self.access_log = folder / "access.log"
        self.admin: Admin | None = None
        self._folder = folder
        self._files = folder / "xds"  # alone in their folder: Envoy watches all of it
        self._processes = processes
        self._envoy_binary = envoy_binary
        self._aws = aws
        self._authorization = authorization
        self._issuer_url = issuer_url
        self._listener_address = listener_address
        self._parameters = parameters
        self._log = log
        self._api = Api()
        self._instances: dict[str, frozenset[Address]] = {}  # by integration id
        self._clusters: dict[str, dict[str, Any]] = {}  # as in cds.json, by name
        # Authorizers stay known when no route asks them any more: a table that is being replaced may.
        self._authorizers: dict[str, JwtAuthorizer] = {}
        self._keys: dict[str, tuple[float, str]] = {}  # by authorizer id: when fetched, and what
        self._written: dict[str, tuple[Any, str]] = {}  # by file: its resources and version
        self._version = 0
        self._busy = asyncio.Lock()
        self._process: Process | None = None

    @property
    def instances(self) -> frozenset[Address]:
        """All addresses that the gateway sends requests to."""
        return frozenset(address for found in self._instances.values() for address in found)

    @property
    def left_out(self) -> list[str]:
        """What the API asks for and the twin does not do."""
        formats = [stage.access_log_format for stage in self._api.stages if stage.access_log_format]
        variables = sorted({name for text in formats for name in unknown_variables(text)})
        return [*self._api.left_out, *(f"access log, {name}: always `-`" for name in variables)]

    async def requests(self) -> dict[str, int]:
        """How many requests each address has got since Envoy started, by its text."""
        answer = await self.admin.json("/clusters?format=json") if self.admin else {}
        counts: dict[str, int] = {}
        for status in answer.get("cluster_statuses", []):
            for host in status.get("host_statuses", []) if status["name"] in self._clusters else []:
                where = host["address"]["socket_address"]
                address = f"{where['address']}:{where['port_value']}"
                total = next((int(stat.get("value", 0)) for stat in host["stats"] if stat["name"] == "rq_total"), 0)
                counts[address] = counts.get(address, 0) + total
        return counts

    async def start(self) -> None:
        """Start Envoy with what the API is now.

        Raises:
            StartFailed: Envoy does not serve.
        """
        self._files.mkdir(parents=True, exist_ok=True)
        await self.configure()
        await self._start_envoy()

    async def keep(self) -> None:
        """Start Envoy anew whenever it has died, until cancelled."""
        while True:
            assert self._process is not None
            code = await self._process.wait()
            self._log("gateway", step="Envoy exited", code=code)
            await self._start_envoy()
            self._log("gateway", step="Envoy restarted")

    async def run(self) -> None:
        """Ask Cloud Map every `discovery_ttl` seconds, until cancelled."""
        while True:
            await asyncio.sleep(max(self._parameters().discovery_ttl, _LEAST_INTERVAL))
            if self._wants_keys():
                await self.configure()
            else:
                await self.discover()

    async def configure(self) -> None:
        """Read the API anew, and serve it as it is now."""
        async with self._busy:
            self._api = await asyncio.to_thread(read_api, self._aws)
            self._authorizers |= {authorizer.id: authorizer for authorizer in self._api.authorizers}
            await self._fetch_keys()
            await self._discover()
            await self._publish()

    async def discover(self) -> None:
        """Ask where the instances are, and wait until Envoy sends requests there and nowhere else."""
        async with self._busy:
            if await self._discover():
                await self._applied()

    async def changed(self) -> None:
        """Instances were registered or deregistered: nothing is cached with `discovery_ttl` 0, so ask now."""
        if self._parameters().discovery_ttl == 0:
            await self.discover()

    async def _start_envoy(self) -> None:
        configuration, address_file = self._folder / "bootstrap.json", self._folder / "admin"
        address_file.unlink(missing_ok=True)
        endpoint = envoy.static_cluster(AUTHORIZATION_CLUSTER, [self._authorization], idle_timeout=1)
        write_json(configuration, envoy.dynamic_bootstrap("gateway", self._files, [endpoint]))
        command = envoy.command(self._envoy_binary, configuration, address_file)
        # A replaced filter chain has no reason to keep its clients for minutes; the log is read while it is written.
        command += ["--drain-strategy", "immediate", "--file-flush-interval-msec", "500"]
        self._process = await self._processes.spawn("the gateway", command, log=self._folder / "gateway.log")
        self.admin = Admin(self._process, address_file)
        await self.admin.ready()
        if not await self._applied():
            raise StartFailed(f"The gateway does not take over its configuration: see {self._process.log}.")

    def _wants_keys(self) -> bool:
        oldest = time.monotonic() - _KEYS_STAY
        return any(self._keys.get(authorizer.id, (oldest, ""))[0] <= oldest for authorizer in self._api.authorizers)

    async def _fetch_keys(self) -> None:
        """Fetch the keys that are missing or old; old ones stay when the issuer does not answer."""
        now = time.monotonic()
        for authorizer in self._api.authorizers:
            if authorizer.id in self._keys and now - self._keys[authorizer.id][0] < _KEYS_STAY:
                continue
            try:
                keys = await asyncio.to_thread(fetch_keys, self._issuer_url or authorizer.issuer)
            except NoKeys as error:
                self._log("gateway", step="no keys for JWT", reason=str(error))
                continue
            self._keys[authorizer.id] = (now, keys)

    async def _discover(self) -> bool:
        """Whether the instances of an integration have changed.

        When Cloud Map does not answer, they stay as they were (assumed).
        """
        changed = False
        for integration in self._api.integrations:
            try:
                found = await self._find(integration)
            except (BotoCoreError, ClientError) as error:
                self._log("gateway", step="discovery failed", reason=str(error))
                continue
            if found != self._instances.get(integration.id):
                changed = True
                self._instances[integration.id] = found
                self._log("gateway", step="instances", integration=integration.id, addresses=sorted(map(str, found)))
                self._write_endpoints(integration, clusters_of(integration, self._front_ends()))
        return changed

    async def _find(self, integration: Integration) -> frozenset[Address]:
        match integration.target:
            case CloudMapService() as service:
                return await asyncio.to_thread(discover, self._aws, service)
            case balancer:
                address = self._listener_address(balancer.arn)
                return frozenset([address] if address else [])

    def _front_ends(self) -> int:
        return self._parameters().front_ends

    async def _publish(self) -> None:
        """Write what has changed, so that at no moment something refers to what is not there."""
        parameters, before = self._parameters(), self._clusters
        self._clusters = {}
        for integration in self._api.integrations:
            names = clusters_of(integration, parameters.front_ends)
            self._write_endpoints(integration, names)
            self._clusters |= {
                name: envoy.eds_cluster(name, parameters, self._files / f"{name}.json") for name in names
            }
        self._write_clusters({**before, **self._clusters})
        await self._applied()
        keys = {identifier: keys for identifier, (_, keys) in self._keys.items()}
        self._write(
            "lds",
            "config.listener.v3.Listener",
            [
                listener(
                    self.address,
                    self._api,
                    authorizers=list(self._authorizers.values()),
                    route_source=envoy.file_source(self._files / "rds.json"),
                    keys=keys,
                    access_log=self.access_log,
                )
            ],
        )
        await self._applied()
        routes = table(
            self._api,
            front_ends=parameters.front_ends,
            connect_retries=parameters.connect_retries,
            keyless=self._authorizers.keys() - keys.keys(),
        )
        self._write("rds", "config.route.v3.RouteConfiguration", [routes])
        await self._applied()
        self._write_clusters(self._clusters)
        for name in before.keys() - self._clusters.keys():
            self._forget(name)

    def _write_clusters(self, clusters: dict[str, dict[str, Any]]) -> None:
        self._write("cds", "config.cluster.v3.Cluster", list(clusters.values()))

    def _write_endpoints(self, integration: Integration, clusters: Iterable[str]) -> None:
        addresses = sorted(self._instances.get(integration.id, ()), key=str)
        for name in clusters:
            assignment = envoy.load_assignment(name, addresses)
            self._write(name, "config.endpoint.v3.ClusterLoadAssignment", [assignment])

    def _write(self, name: str, kind: str, resources: Sequence[dict[str, Any]]) -> None:
        """Replace the file *name*, unless it says so already."""
        if self._written.get(name, (None, ""))[0] == resources:
            return
        self._version += 1
        self._written[name] = (resources, str(self._version))
        write_json(self._files / f"{name}.json", envoy.discovery_response(kind, str(self._version), resources))

    def _forget(self, cluster: str) -> None:
        del self._written[cluster]
        (self._files / f"{cluster}.json").unlink()

    async def _applied(self) -> bool:
        """Wait until Envoy has taken over every file; whether it has."""
        if self.admin is None:
            return True
        waiting: dict[str, str] = {}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_APPLIED_WITHIN):
                while True:
                    waiting = self._not_applied(await self.admin.text("/stats?filter=version_text"))
                    if not waiting:
                        return True
                    await asyncio.sleep(_POLL)
        self._log("gateway", step="not taken over", files=sorted(waiting), seconds=_APPLIED_WITHIN)
        return False

    def _not_applied(self, stats: str) -> dict[str, str]:
        """The files whose version Envoy does not have yet."""
        taken = dict(line.split(": ", 1) for line in stats.splitlines())
        expected = {name: version for name, (_, version) in self._written.items()}
        return {name: version for name, version in expected.items() if taken.get(_stat(name)) != f'"{version}"'}


def _stat(name: str) -> str:
    """Envoy's name for the version of a file that it has."""
    known = {
        "cds": "cluster_manager.cds.version_text",
        "lds": "listener_manager.lds.version_text",
        "rds": "http.gateway.rds.api.version_text",
    }
    return known.get(name, f"cluster.{name}.version_text")
