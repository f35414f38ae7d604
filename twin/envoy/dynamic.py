"""An Envoy whose listeners, routes, clusters and endpoints come from files, which are replaced while it runs.

lds.json             its listeners
rds.json             the route table `api`, if a listener asks for it
cds.json             its clusters
<cluster>.json       the endpoints of a cluster
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from twin.envoy import configuration as envoy
from twin.envoy.admin import Admin
from twin.errors import StartFailed
from twin.events import accident
from twin.machine.files import write_json
from twin.machine.process import Process, Processes
from twin.machine.rotation import move

__all__ = ["DynamicEnvoy"]

Json = dict[str, Any]

_KINDS = {
    "lds": "config.listener.v3.Listener",
    "rds": "config.route.v3.RouteConfiguration",
    "cds": "config.cluster.v3.Cluster",
}
_APPLIED_WITHIN = 2.0  # seconds for Envoy to take over a file; it takes milliseconds
_POLL = 0.005  # seconds


class DynamicEnvoy:
    """One such Envoy; *name* is that of its listener, or of what it stands for."""

    def __init__(
        self,
        name: str,
        *,
        folder: Path,
        processes: Processes,
        binary: str,
        log: Callable[..., None],
        clusters: Sequence[Json] = (),
    ) -> None:
        """
        Args:
            clusters: those that are there from the start and stay.
            log: told each change, as `log(name, step=..., ...)`.
        """
        self.name = name
        self.folder = folder
        self.files = folder / "xds"  # alone in their folder: Envoy watches all of it
        self.admin: Admin | None = None
        self._processes = processes
        self._binary = binary
        self._log = log
        self._static = clusters
        self._written: dict[str, tuple[Sequence[Json], str]] = {}  # by file: its resources and version
        self._version = 0
        self._process: Process | None = None
        self.files.mkdir(parents=True, exist_ok=True)

    async def start(self) -> None:
        """Start it with what is written.

        Raises:
            StartFailed: it does not serve.
        """
        configuration, address_file = self.folder / "bootstrap.json", self.folder / "admin"
        address_file.unlink(missing_ok=True)
        write_json(configuration, envoy.dynamic_bootstrap(self.name, self.files, self._static))
        command = envoy.command(self._binary, configuration, address_file)
        # A replaced filter chain has no reason to keep its clients for minutes; logs are read while they are written.
        command += ["--drain-strategy", "immediate", "--file-flush-interval-msec", "500"]
        log = self.folder / f"{self.name}.log"
        self._process = await self._processes.spawn(f"the {self.name}'s Envoy", command, log=log)
        self.admin = Admin(self._process, address_file)
        await self.admin.ready()
        if not await self.applied():
            raise StartFailed(f"The {self.name}'s Envoy does not take over its configuration: see {log}.")

    async def keep(self) -> None:
        """Start it anew whenever it has died or hangs, until cancelled."""
        while True:
            assert self._process is not None
            assert self.admin is not None
            code = await self.admin.exited(kill=True)
            accident(f"{self._process.name} exited with {code}")
            self._log(self.name, step="Envoy exited", code=code)
            await self.start()
            self._log(self.name, step="Envoy restarted")

    @property
    def complaints(self) -> list[str]:
        """What is wrong with it now, a sentence each."""
        return [self.admin.trouble] if self.admin is not None and self.admin.trouble else []

    async def rotate(self, log: Path) -> None:
        """Begin its access log anew if it has grown too large; no line is lost."""
        if self.admin is not None and move(log):
            await self.admin.post("/reopen_logs")

    def write(self, name: str, resources: Sequence[Json]) -> None:
        """Replace the file *name* (`lds`, `rds`, `cds` or a cluster's), unless it says so already."""
        if self._written.get(name, (None, ""))[0] == resources:
            return
        self._version += 1
        kind = _KINDS.get(name, "config.endpoint.v3.ClusterLoadAssignment")
        write_json(self.files / f"{name}.json", envoy.discovery_response(kind, str(self._version), resources))
        self._written[name] = (resources, str(self._version))  # not before: what could not be written is tried again

    def forget(self, clusters: Iterable[str]) -> None:
        """Remove the files of *clusters* that are in `cds` no longer: Envoy takes none of them over any more."""
        for name in clusters:
            self._written.pop(name, None)
            (self.files / f"{name}.json").unlink(missing_ok=True)

    async def applied(self) -> bool:
        """Wait until it has taken over every file; whether it has. True before it is started."""
        if self.admin is None or self._process is None:
            return True
        waiting = list(self._written)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_APPLIED_WITHIN):
                while self._process.returncode is None:
                    waiting = self._not_applied(await self.admin.text("/stats?filter=version_text"))
                    if not waiting:
                        return True
                    await asyncio.sleep(_POLL)
        self._log(self.name, step="not taken over", files=sorted(waiting), seconds=_APPLIED_WITHIN)
        return False

    def _not_applied(self, stats: str) -> list[str]:
        """The files whose version it does not have yet."""
        taken = dict(line.split(": ", 1) for line in stats.splitlines())
        known = {
            "cds": "cluster_manager.cds.version_text",
            "lds": "listener_manager.lds.version_text",
            "rds": f"http.{self.name}.rds.api.version_text",
        }
        return [
            name
            for name, (_, version) in self._written.items()
            if taken.get(known.get(name, f"cluster.{name}.version_text")) != f'"{version}"'
        ]
