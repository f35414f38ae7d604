"""API Gateway's data plane: an Envoy that serves the API's routes and finds instances with DiscoverInstances.

What the API is, is read from the endpoint whenever it has changed; where the instances are, is asked every
`discovery_ttl` seconds. Envoy reads both from files, so nothing is restarted and no request is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from botocore.exceptions import BotoCoreError, ClientError

from twin import envoy
from twin.admin import Admin
from twin.aws import Aws
from twin.files import write_json
from twin.network import Address
from twin.parameters import Parameters
from twin.process import Process, Processes
from twin.routes import Integration, Route, envoy_routes

__all__ = ["Gateway"]

_DEFAULT_TIMEOUT_MS = 30_000  # [apigw quotas]
_MAX_RESULTS = 1000  # [cm, DiscoverInstances]
_APPLIED_WITHIN = 2.0  # seconds for Envoy to take over a file; it takes milliseconds
_POLL = 0.005  # seconds
# With discovery_ttl 0 each change is passed on at once; this is for what changes without ECS's doing.
_LEAST_INTERVAL = 0.5  # seconds


@dataclass
class _Target:
    """A Cloud Map service behind an integration, and the instances last found there."""

    namespace: str
    service: str
    query: dict[str, str]
    clusters: tuple[str, ...]
    instances: frozenset[Address] = frozenset()


@dataclass
class _Api:
    """What the gateway serves now."""

    routes: list[Route] = field(default_factory=list)
    stage: str = "$default"
    targets: dict[str, _Target] = field(default_factory=dict)  # by integration id


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
        parameters: Callable[[], Parameters],
        log: Callable[..., None],
    ) -> None:
        """
        Args:
            aws: the endpoint.
            parameters: the twin's parameters as they are now.
            log: told each change, as `log("gateway", step=..., ...)`.
        """
        self.address = address
        self._folder = folder
        self._files = folder / "xds"  # alone in their folder: Envoy watches all of it
        self._processes = processes
        self._envoy_binary = envoy_binary
        self._aws = aws
        self._parameters = parameters
        self._log = log
        self._api = _Api()
        self._version = 0
        self._busy = asyncio.Lock()
        self._process: Process | None = None
        self._admin: Admin | None = None

    @property
    def instances(self) -> frozenset[Address]:
        """All instances that the gateway sends requests to."""
        return frozenset(a for target in self._api.targets.values() for a in target.instances)

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

    async def _start_envoy(self) -> None:
        configuration, address_file = self._folder / "bootstrap.json", self._folder / "admin"
        address_file.unlink(missing_ok=True)
        write_json(configuration, envoy.gateway_bootstrap(self.address, self._files))
        self._process = await self._processes.spawn(
            "the gateway",
            envoy.command(self._envoy_binary, configuration, address_file),
            log=self._folder / "gateway.log",
        )
        admin = Admin(self._process, address_file)
        await admin.ready()
        self._admin = admin

    async def run(self) -> None:
        """Ask Cloud Map every `discovery_ttl` seconds, until cancelled."""
        while True:
            await asyncio.sleep(max(self._parameters().discovery_ttl, _LEAST_INTERVAL))
            await self.discover()

    async def configure(self) -> None:
        """Read the API anew, and everything that depends on it."""
        async with self._busy:
            self._api = await asyncio.to_thread(self._read_api)
            self._write_clusters()
            self._write_routes()
        await self.discover()

    async def discover(self) -> None:
        """Ask Cloud Map where the instances are, and wait until Envoy sends requests there and nowhere else.

        When Cloud Map does not answer, the instances stay as they were (assumed).
        """
        async with self._busy:
            changed = False
            for target in self._api.targets.values():
                try:
                    found = await asyncio.to_thread(self._discover, target)
                except (BotoCoreError, ClientError) as error:
                    self._log("gateway", step="discovery failed", reason=str(error))
                    continue
                if found != target.instances or self._version == 0:
                    changed = True
                    target.instances = found
                    self._log("gateway", step="instances", addresses=sorted(map(str, found)))
                    self._write_endpoints(target)
            if changed:
                await self._applied()

    async def changed(self) -> None:
        """Instances were registered or deregistered: nothing is cached with `discovery_ttl` 0, so ask now."""
        if self._parameters().discovery_ttl == 0:
            await self.discover()

    def _read_api(self) -> _Api:
        apis = self._aws.call("apigatewayv2", "GetApis")["Items"]
        if not apis:
            return _Api()
        api_id = apis[0]["ApiId"]
        stages = [stage["StageName"] for stage in self._of(api_id, "GetStages")]
        api = _Api(stage=stages[0] if stages else "$default")
        integrations: dict[str, Integration] = {}
        for item in self._of(api_id, "GetIntegrations"):
            target = self._target(item)
            if target is None:
                continue
            known = self._api.targets.get(item["IntegrationId"])
            target.instances = known.instances if known else frozenset()
            api.targets[item["IntegrationId"]] = target
            integrations[item["IntegrationId"]] = Integration(
                clusters=target.clusters,
                timeout=item.get("TimeoutInMillis", _DEFAULT_TIMEOUT_MS) / 1000,
                overwrite_path=(item.get("RequestParameters") or {}).get("overwrite:path") == "$request.path",
            )
        for item in self._of(api_id, "GetRoutes"):
            integration = integrations.get(item.get("Target", "").removeprefix("integrations/"))
            if integration is not None:
                api.routes.append(Route(item["RouteKey"], integration))
        return api

    def _of(self, api_id: str, operation: str) -> list[dict[str, Any]]:
        return list(self._aws.call("apigatewayv2", operation, ApiId=api_id)["Items"])

    def _target(self, integration: dict[str, Any]) -> _Target | None:
        """The Cloud Map service of a private integration; None for any other kind of URI."""
        arn, _, query = integration.get("IntegrationUri", "").partition("?")
        if ":servicediscovery:" not in arn:
            return None
        try:
            service = self._aws.call("servicediscovery", "GetService", Id=arn.rsplit("/", 1)[-1])["Service"]
            namespace = self._aws.call("servicediscovery", "GetNamespace", Id=service["NamespaceId"])["Namespace"]
        except ClientError as error:
            self._log("gateway", step="no Cloud Map service", uri=arn, reason=str(error))
            return None
        names = [f"{integration['IntegrationId']}-{i}" for i in range(self._parameters().front_ends)]
        return _Target(namespace["Name"], service["Name"], dict(parse_qsl(query)), tuple(names))

    def _discover(self, target: _Target) -> frozenset[Address]:
        answer = self._aws.call(
            "servicediscovery",
            "DiscoverInstances",
            NamespaceName=target.namespace,
            ServiceName=target.service,
            MaxResults=_MAX_RESULTS,
            QueryParameters=target.query,
        )
        attributes = [instance["Attributes"] for instance in answer["Instances"]]
        return frozenset(Address(a["AWS_INSTANCE_IPV4"], int(a["AWS_INSTANCE_PORT"])) for a in attributes)

    def _write_clusters(self) -> None:
        parameters = self._parameters()
        clusters = [
            envoy.eds_cluster(name, parameters, self._files / f"{name}.json")
            for target in self._api.targets.values()
            for name in target.clusters
        ]
        for target in self._api.targets.values():
            self._write_endpoints(target)
        self._write("cds.json", "config.cluster.v3.Cluster", clusters)

    def _write_routes(self) -> None:
        routes = envoy_routes(
            self._api.routes, stage=self._api.stage, connect_retries=self._parameters().connect_retries
        )
        forwarded = (
            f"by={self.address.host};for=%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%;host=%REQ(:AUTHORITY)%;proto=http"
        )
        table = envoy.route_configuration(routes, {"forwarded": forwarded})
        self._write("rds.json", "config.route.v3.RouteConfiguration", [table])

    def _write_endpoints(self, target: _Target) -> None:
        addresses = sorted(target.instances, key=str)
        for name in target.clusters:
            assignment = envoy.load_assignment(name, addresses)
            self._write(f"{name}.json", "config.endpoint.v3.ClusterLoadAssignment", [assignment])

    def _write(self, name: str, kind: str, resources: Sequence[dict[str, Any]]) -> None:
        self._version += 1
        write_json(self._files / name, envoy.discovery_response(kind, str(self._version), resources))

    async def _applied(self) -> None:
        """Wait until Envoy's clusters have just the instances that were found."""
        if self._admin is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_APPLIED_WITHIN):
                while not self._has_applied(await self._admin.json("/clusters?format=json")):
                    await asyncio.sleep(_POLL)
                return
        self._log("gateway", step="Envoy has not taken over the instances", seconds=_APPLIED_WITHIN)

    def _has_applied(self, clusters: dict[str, Any]) -> bool:
        serving = {
            status["name"]: {
                Address(host["address"]["socket_address"]["address"], host["address"]["socket_address"]["port_value"])
                for host in status.get("host_statuses", [])
            }
            for status in clusters.get("cluster_statuses", [])
        }
        return all(
            serving.get(name, set()) == set(target.instances)
            for target in self._api.targets.values()
            for name in target.clusters
        )
