"""The hosts files of tasks: the endpoints that each may call, and the names of Cloud Map's DNS namespaces.

A name of a service with A records has the addresses of its instances, in random order, as Route 53 answers
(https://docs.aws.amazon.com/cloud-map/latest/api/API_DnsConfig.html, MULTIVALUE): programs use the first. A file is
changed in its place, for it is mounted where it is; no resolver caches it, so a change is there at once.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from twin.aws.ecs.ports import Instances
from twin.events import Events, InstancesChanged, report
from twin.machine import hosts

__all__ = ["HostsFiles"]

_MOST_ADDRESSES = 8  # of one answer


class HostsFiles:
    """Those of all tasks, which change with Cloud Map."""

    def __init__(self, instances: Instances, events: Events) -> None:
        """*instances* is Cloud Map."""
        self._instances = instances
        self._written: dict[Path, tuple[Sequence[tuple[str, str]], str]] = {}
        events.subscribe(InstancesChanged, lambda event: self._write_all())

    def write(self, file: Path, endpoints: Sequence[tuple[str, str]]) -> None:
        """Write *file*, and keep it current as long as it is there; *endpoints* are pairs of a name and its address."""
        text = self._text(endpoints)
        file.write_text(text)
        self._written[file] = endpoints, text

    def _write_all(self) -> None:
        for file, (endpoints, before) in list(self._written.items()):
            text = self._text(endpoints)
            if sorted(text.split("\n")) == sorted(before.split("\n")):  # the same, whatever its order
                continue
            try:
                with file.open("r+") as opened:
                    # Never shorter, in one call: nobody reads the end of what was there before.
                    opened.write(text + "\n" * (len(before) - len(text)))
            except FileNotFoundError:  # its task is gone
                del self._written[file]
                continue
            except OSError as error:
                report(f"the hosts file {file}", error)
                continue
            self._written[file] = endpoints, text.ljust(len(before), "\n")

    def _text(self, endpoints: Sequence[tuple[str, str]]) -> str:
        found = self._instances.dns_names() or {}
        names = [
            (name, address)
            for name, addresses in found.items()
            for address in random.sample(sorted(addresses or ()), min(len(addresses or ()), _MOST_ADDRESSES))
        ]
        return hosts.text([*endpoints, *names])
