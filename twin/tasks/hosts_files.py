"""The hosts files of tasks: the endpoints that each may call, and the names of Cloud Map's DNS namespaces.

A name of a service with A records has the addresses of its instances, in random order, as Route 53 answers
(https://docs.aws.amazon.com/cloud-map/latest/api/API_DnsConfig.html, MULTIVALUE): programs use the first. A file is
changed in its place, for it is mounted where it is; no resolver caches it, so a change is there at once.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from twin.aws.ecs.ports import Instances
from twin.events import Events, InstancesChanged, report
from twin.machine import hosts

__all__ = ["HostsFiles"]

Names = Mapping[str, Sequence[str]]  # with the addresses of their instances

_MOST_ADDRESSES = 8  # of one answer


class HostsFiles:
    """Those of all tasks, which change with Cloud Map."""

    def __init__(self, instances: Instances, events: Events) -> None:
        """*instances* is Cloud Map."""
        self._instances = instances
        self._written: dict[Path, tuple[Sequence[tuple[str, str]], Names, int]] = {}  # by its file; and how long it is
        events.subscribe(InstancesChanged, lambda event: self._write_all())

    def write(self, file: Path, endpoints: Sequence[tuple[str, str]]) -> None:
        """Write *file*, and keep it current as long as it is there; *endpoints* are pairs of a name and its address."""
        names = self._names()
        text = _text(endpoints, names)
        file.write_text(text)
        self._written[file] = endpoints, names, len(text)

    def _write_all(self) -> None:
        names = self._names()
        for file, (endpoints, before, length) in list(self._written.items()):
            if names == before:
                continue
            text = _text(endpoints, names)
            try:
                with file.open("r+") as opened:
                    # Never shorter, in one call: nobody reads the end of what was there before.
                    opened.write(text.ljust(length, "\n"))
            except FileNotFoundError:  # its task is gone
                del self._written[file]
                continue
            except OSError as error:
                report(f"the hosts file {file}", error)
                continue
            self._written[file] = endpoints, names, max(length, len(text))

    def _names(self) -> Names:
        found = self._instances.dns_names() or {}
        return {name: sorted(addresses or ()) for name, addresses in found.items()}


def _text(endpoints: Sequence[tuple[str, str]], names: Names) -> str:
    chosen = [
        (name, address)
        for name, addresses in names.items()
        for address in random.sample(addresses, min(len(addresses), _MOST_ADDRESSES))
    ]
    return hosts.text([*endpoints, *chosen])
