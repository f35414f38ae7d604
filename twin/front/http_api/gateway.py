"""The gateway's Envoy: serves the APIs as the endpoint has them, and finds instances with DiscoverInstances.

What the APIs are, is read from the endpoint whenever it has changed; where the instances are, is asked every
`discovery_ttl` seconds. Envoy reads all of it from files, so nothing is restarted and no request is lost.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from twin.aws.api_urls import ApiUrls
from twin.aws.client import Aws
from twin.envoy import configuration as envoy
from twin.envoy.dynamic import DynamicEnvoy
from twin.envoy.upstream import Upstream
from twin.events import ApiChanged, Events, InstancesChanged, ParametersChanged, report
from twin.front.http_api.access_log import unknown_variables
from twin.front.http_api.discovery import Instances, discover
from twin.front.http_api.issuer import fetch_keys
from twin.front.http_api.keys import IssuerKeys
from twin.front.http_api.listener import ANSWERS, AUTHORIZATION_CLUSTER, listener
from twin.front.http_api.model import Api, CloudMapService, Integration, JwtAuthorizer
from twin.front.http_api.reading import read_apis
from twin.front.http_api.routes import clusters_of, hosts_of, table
from twin.gaps import Gap
from twin.machine.addresses import Address
from twin.machine.machine import Machine
from twin.parameters import Parameters

__all__ = ["Gateway"]

# With discovery_ttl 0 each change is passed on at once; this is for what changes without ECS's doing.
_LEAST_INTERVAL = 0.5  # seconds
_ANSWERED = re.compile(rf"{ANSWERS}\.total\.api\.(?P<api>.+)\.stage\.(?P<stage>.+)\.status\.(?P<status>\d+)")
# An API that never stops changing is served as it was read last.
_MOST_READS = 20


class Listeners(Protocol):
    """The listeners of load balancers."""

    def address(self, listener_arn: str) -> Address | None:
        """Where a listener is on this machine; None if it is not served."""

    def is_encrypted(self, listener_arn: str) -> bool:
        """Whether that listener is one of HTTPS or TLS."""


class Gateway:
    """The gateway's Envoy and the loop that keeps its files current."""

    def __init__(
        self,
        urls: ApiUrls,
        machine: Machine,
        aws: Aws,
        listeners: Listeners,
        parameters: Parameters,
        events: Events,
        *,
        authorization: Address,
        issuer_url: str | None,
    ) -> None:
        """
        Args:
            urls: where the APIs are on this machine.
            aws: the endpoint.
            parameters: those at first; ParametersChanged brings others.
            authorization: who checks the signatures of AWS_IAM.
            issuer_url: where the JWT authorizers' issuer is on this machine; None: at its own address.
        """
        self.address = urls.first
        self._api_urls = urls
        folder = machine.folder / "gateway"
        self._access_log = folder / "access.log"
        self._log_of_envoy = folder / "gateway.log"
        self._envoy = DynamicEnvoy(
            "gateway",
            folder=folder,
            processes=machine.processes,
            binary=machine.envoy,
            log=events.log,
            clusters=[Upstream(AUTHORIZATION_CLUSTER, [authorization], idle_timeout=1).cluster()],
        )
        self._aws = aws
        self._listeners = listeners
        self._parameters = parameters
        self._log = events.log
        self._apis: tuple[Api, ...] = ()
        self._instances: dict[str, Instances] = {}  # by integration id
        self._discovered = 0.0  # when Cloud Map was last asked, on the monotonic clock
        self._stale = False  # whether Envoy's file lacks what was discovered, because it could not be written
        self._unusable: frozenset[str] = frozenset()  # ids of instances that have been told
        self._clusters: dict[str, dict[str, Any]] = {}  # as in cds.json, by name
        self._replaced: Counter[str] = Counter()  # requests by address that clusters got which others have replaced
        self._authorizers: dict[str, JwtAuthorizer] = {}  # by id: those that the served route table may ask
        self._keys = IssuerKeys(
            lambda issuer: fetch_keys(issuer_url or issuer),
            changed=self._serve_keys,
            log=events.log,
        )
        self._refused = ""  # why Envoy does not take over what is written; empty: it does
        self._log_read = 0  # bytes of Envoy's log, from when it last had taken over everything
        self._busy = asyncio.Lock()
        self._discovery = ThreadPoolExecutor(1, "discovery")  # its own: whatever else waits, instances are found
        self._api_has_changed = asyncio.Event()  # since it was last read, or while
        events.subscribe(ApiChanged, self._on_api_changed)
        events.subscribe(InstancesChanged, self._on_instances_changed)
        events.subscribe(ParametersChanged, self._on_parameters_changed)

    @property
    def gaps(self) -> list[Gap]:
        """What the APIs ask for and the twin does not do."""
        formats = [stage.access_log_format for api in self._apis for stage in api.stages if stage.access_log_format]
        variables = sorted({name for text in formats for name in unknown_variables(text)})
        refused = [Gap("the latest changes", "refused by Envoy", self._refused)] if self._refused else []
        unusable = [
            Gap(f"instance {name}", "", "it has no IPv4 address with a port") for name in sorted(self._unusable)
        ]
        logs = [Gap("access log", name, "always `-`") for name in variables]
        return [*refused, *(gap for api in self._apis for gap in api.gaps), *unusable, *logs]

    @property
    def complaints(self) -> list[str]:
        """What is amiss with its Envoy, a sentence each."""
        return self._envoy.complaints

    @property
    def urls(self) -> list[tuple[str, str]]:
        """The APIs, and where each is on this machine."""
        return [(f"API {api.name} ({api.id})", self._api_urls.url(api.id)) for api in self._apis]

    async def answers(self) -> dict[tuple[str, str], dict[str, int]]:
        """By API and stage, what CloudWatch counts of its answers since Envoy started: `Count`, `4xx` and `5xx`."""
        if not self._envoy.admin:
            return {}
        counted = await self._envoy.admin.json(f"/stats?format=json&filter=^{ANSWERS}%5C.")
        counts = {(api.id, stage.name): {"Count": 0, "4xx": 0, "5xx": 0} for api in self._apis for stage in api.stages}
        for stat in counted.get("stats", []):
            if (match := _ANSWERED.fullmatch(stat["name"])) and (found := counts.get((match["api"], match["stage"]))):
                found["Count"] += stat["value"]
                if (kind := f"{match['status'][0]}xx") in found:
                    found[kind] += stat["value"]
        return counts

    async def requests(self) -> dict[str, int]:
        """How many requests each address that is used has got since Envoy started, by its text.

        Those that a cluster got in the moment in which it was replaced are not counted.
        """
        return {
            address: self._replaced[address] + count for address, count in (await self._got(self._clusters)).items()
        }

    async def _got(self, clusters: Collection[str]) -> Counter[str]:
        """The requests of these clusters by address, since Envoy has each."""
        answer = await self._envoy.admin.json("/clusters?format=json") if self._envoy.admin else {}
        counts: Counter[str] = Counter()
        for status in answer.get("cluster_statuses", []):
            for host in status.get("host_statuses", []) if status["name"] in clusters else []:
                where = host["address"]["socket_address"]
                address = f"{where['address']}:{where['port_value']}"
                counts[address] += next((int(s.get("value", 0)) for s in host["stats"] if s["name"] == "rq_total"), 0)
        return counts

    async def _make_clusters_anew(self) -> dict[str, dict[str, Any]]:
        """The clusters as they are to be; what those of before got that will be replaced is kept."""
        made = self._make_clusters()
        self._replaced += await self._got([name for name in self._clusters if made.get(name) != self._clusters[name]])
        return made

    @property
    def work(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """What goes on by itself once it has started, by name."""
        return {"discovery": self.run, "the API's changes": self.follow, "the gateway's Envoy": self.keep}

    async def start(self) -> None:
        """Start Envoy with what the API is now.

        Raises:
            StartFailed: Envoy does not serve.
        """
        await self.configure()
        async with self._busy:
            await self._envoy.start()
        await self._keys.asked()

    async def keep(self) -> None:
        """Start Envoy anew whenever it has died or hangs, until cancelled."""
        await self._envoy.keep()

    async def run(self) -> None:
        """Ask Cloud Map every `discovery_ttl` seconds, until cancelled."""
        while True:
            # In steps: how long an answer is used may change meanwhile, with a parameter or a new integration.
            left = self._discovered + max(self._lifetime(), _LEAST_INTERVAL) - time.monotonic()
            if left > 0:
                await asyncio.sleep(min(left, _LEAST_INTERVAL))
            else:
                await self._survive(self.discover())

    def age(self, seconds: float) -> None:
        """Let the answers of DiscoverInstances that are used be so many seconds old, and expire accordingly."""
        self._discovered = time.monotonic() - seconds

    def _lifetime(self) -> float:
        """Seconds for which the last answers of DiscoverInstances are used: one without instances is not (assumed)."""
        all_have_some = all(self._instances_of(integration).addresses for integration in self._integrations)
        return self._parameters.discovery_ttl if all_have_some else 0.0

    def _on_api_changed(self, event: ApiChanged) -> None:
        self._api_has_changed.set()

    async def _on_parameters_changed(self, event: ParametersChanged) -> None:
        self._parameters = event.parameters
        await self.configure()

    async def follow(self) -> None:
        """Serve the API as it is after each change, until cancelled."""
        while True:
            await self._api_has_changed.wait()
            await self._survive(self.configure())

    async def configure(self) -> None:
        """Read the API anew, and serve it as it is now."""
        async with self._busy:
            try:
                self._apis = await self._read()
            except (BotoCoreError, ClientError) as error:  # a resource may go while it is read; what goes is told again
                self._log("gateway", step="API not read", reason=str(error))
                return
            self._api_urls.keep({api.id for api in self._apis})
            # Envoy still asks the authorizers of before until it has taken over the new route table.
            self._keys.want(_issuers(*self._asked, *self._authorizers.values()))
            await self._discover()
            await self._publish()
            self._keys.want(_issuers(*self._asked))

    async def _serve_keys(self) -> None:
        """An issuer has given its keys."""

        async def serve() -> None:
            async with self._busy:
                await self._publish()

        await self._survive(serve())

    async def discover(self) -> None:
        """Ask where the instances are, and wait until Envoy sends requests there and nowhere else."""
        async with self._busy:
            self._stale |= await self._discover()
            if self._stale:
                self._clusters = await self._make_clusters_anew()
                self._envoy.write("cds", list(self._clusters.values()))
                await self._taken_over()
                self._stale = False

    async def _on_instances_changed(self, event: InstancesChanged) -> None:
        """Where no answer is cached, ask now."""
        if self._lifetime() == 0:
            await self._survive(self.discover())

    async def _survive(self, work: Awaitable[None]) -> None:
        """Do it; where it fails, what is served stays as it was until the next change."""
        try:
            await work
        except Exception as error:
            report("the gateway's configuration", error)

    async def _read(self) -> tuple[Api, ...]:
        """The APIs as they are at one moment: it takes several calls, so what changes meanwhile is read again."""
        for _ in range(_MOST_READS):
            self._api_has_changed.clear()
            apis = await asyncio.to_thread(read_apis, self._aws)
            if not self._api_has_changed.is_set():
                break
        return apis

    @property
    def _integrations(self) -> list[Integration]:
        return [integration for api in self._apis for integration in api.integrations]

    @property
    def _asked(self) -> list[JwtAuthorizer]:
        """The authorizers that a route asks."""
        return [authorizer for api in self._apis for authorizer in api.authorizers]

    async def _discover(self) -> bool:
        """Whether the instances of an integration have changed.

        When Cloud Map does not answer, they stay as they were (assumed).
        """
        changed = False
        self._discovered = time.monotonic()
        for integration in self._integrations:
            try:
                found = await self._find(integration)
            except (BotoCoreError, ClientError) as error:
                self._log("gateway", step="discovery failed", reason=str(error))
                continue
            before = self._instances.get(integration.id)
            self._instances[integration.id] = found
            if before is None or found.addresses != before.addresses:
                changed = True
                addresses = sorted(map(str, found.addresses))
                self._log("gateway", step="instances", integration=integration.id, addresses=addresses)
        told, self._unusable = self._unusable, self._unusable_instances()
        if new := self._unusable - told:
            self._log("gateway", step="instances without address", instances=sorted(new))
        return changed

    def _unusable_instances(self) -> frozenset[str]:
        return frozenset().union(*(self._instances_of(integration).unusable for integration in self._integrations))

    async def _find(self, integration: Integration) -> Instances:
        match integration.target:
            case CloudMapService() as service:
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._discovery, discover, self._aws, service)
            case balancer:
                address = self._listeners.address(balancer.arn)
                return Instances(frozenset([address] if address else []))

    async def _publish(self) -> None:
        """Write what has changed, so that at no moment something refers to what is not there."""
        before, self._clusters = self._clusters, await self._make_clusters_anew()
        authorizers = {authorizer.id: authorizer for authorizer in self._asked}
        self._envoy.write("cds", list({**before, **self._clusters}.values()))
        # What was refused may have been so for an authorizer that is gone now.
        gone = {} if self._refused else self._authorizers
        # More keys may come meanwhile: this round does with these.
        asked = {**gone, **authorizers}
        keys = {name: text for name, a in asked.items() if (text := self._keys.of(a.issuer))}
        self._write_listener(asked, keys)
        await self._taken_over()
        parameters = self._parameters
        routes = table(
            self._apis,
            self._hosts(),
            front_ends=parameters.front_ends,
            connect_retries=parameters.connect_retries,
            keyless=authorizers.keys() - keys.keys(),
        )
        self._envoy.write("rds", [routes])
        await self._taken_over()
        self._authorizers = authorizers
        self._write_listener(authorizers, keys)
        self._envoy.write("cds", list(self._clusters.values()))
        await self._taken_over()

    def _hosts(self) -> dict[str, list[str]]:
        """Under which names each API is served, by its id; where the first has gone, the next is in its place."""
        addresses = {api.id: self._api_urls.address(api.id) for api in self._apis}
        first = next(
            (name for name, address in addresses.items() if address == self.address), next(iter(addresses), "")
        )
        region = self._aws.region
        return {name: hosts_of(name, address, region, is_first=name == first) for name, address in addresses.items()}

    def _write_listener(self, authorizers: Mapping[str, JwtAuthorizer], keys: Mapping[str, str]) -> None:
        make = partial(
            listener,
            apis=self._apis,
            authorizers=list(authorizers.values()),
            route_source=envoy.file_source(self._envoy.files / "rds.json"),
            keys=keys,
            access_log=self._access_log,
            timeout_status=self._parameters.timeout_status,
        )
        others = {api.id: self._api_urls.address(api.id) for api in self._apis}
        further = [make(f"gateway-{name}", address) for name, address in others.items() if address != self.address]
        self._envoy.write("lds", [make("gateway", self.address), *further])

    async def _taken_over(self) -> None:
        """Wait until Envoy has taken over what is written, or has had its time; `gaps` tells what it refused."""
        if await self._envoy.applied():
            self._refused = ""
            self._log_read = self._log_of_envoy.stat().st_size if self._log_of_envoy.exists() else 0
        else:
            self._refused = self._reason()

    def _reason(self) -> str:
        """What Envoy's log says of the last configuration that it refused: the end, for all of it may come before."""
        with self._log_of_envoy.open("rb") as log:
            log.seek(self._log_read if self._log_of_envoy.stat().st_size >= self._log_read else 0)  # it was emptied
            entries = re.split(r"^\[\d{4}-", log.read().decode(errors="replace"), flags=re.MULTILINE)
        told = [entry.partition("rejected: ")[2].split("\n") for entry in entries if "rejected: " in entry]
        return [line for line in told[-1] if line][-1].removeprefix(": ") if told else f"see {self._log_of_envoy}"

    async def rotate_log(self) -> None:
        """Begin the access log anew if it has grown too large."""
        await self._envoy.rotate(self._access_log)

    def _make_clusters(self) -> dict[str, dict[str, Any]]:
        parameters = self._parameters
        policy, idle_timeout = parameters.balancing.name, 60 if parameters.reuse_connections else None
        return {
            name: Upstream(
                *(name, sorted(self._instances_of(integration).addresses, key=str), policy, idle_timeout),
                more=self._transport(integration),
            ).cluster()
            for integration in self._integrations
            for name in clusters_of(integration, parameters.front_ends)
        }

    def _transport(self, integration: Integration) -> dict[str, Any]:
        """To a listener of HTTPS by TLS; no certificate is checked, for the twin's are nobody's."""
        target = integration.target
        if isinstance(target, CloudMapService) or not self._listeners.is_encrypted(target.arn):
            return {}
        return {"transport_socket": envoy.tls("UpstreamTlsContext")}

    def _instances_of(self, integration: Integration) -> Instances:
        return self._instances.get(integration.id, Instances())


def _issuers(*authorizers: JwtAuthorizer) -> set[str]:
    return {authorizer.issuer for authorizer in authorizers}
