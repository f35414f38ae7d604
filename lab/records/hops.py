"""Requests counted by caller and upstream, taken apart by hop: who was asked, and whom each of them called."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from lab.records.observations import Observations
from load.results import UNKNOWN_HOST

_BETWEEN = " > "  # as load.traffic.answers.pair has it
_NOT_KNOWN = "?"


@dataclass(frozen=True, eq=False)
class Hops:
    """What each hop got.

    callers: by the host that was asked. upstreams: for each of them, by the host that it called. crossed: requests
    that a caller sent to an upstream in another zone, of `located`, those whose zones are both known.
    """

    callers: Observations
    upstreams: dict[str, Observations]
    crossed: int
    located: int


def hops(observations: Observations) -> Hops | None:
    """The hops of requests counted by pair, `caller > upstream`; None where a host is not one."""
    named = [host for host in observations.counts if host]
    sides = {host: pair for host in named if (pair := _parted(host))}
    if not named or len(sides) < len(named):
        return None
    located = crossed = 0
    for host, text in observations.zones.items():
        zones = _parted(text)
        if zones and all(zones):
            located += observations.counts[host]
            crossed += observations.counts[host] if zones[0] != zones[1] else 0
    return Hops(
        _by(observations, {host: caller for host, (caller, _) in sides.items()}, observations.source, 0),
        {
            caller: _by(
                observations,
                {host: upstream for host, (by, upstream) in sides.items() if by == caller},
                f"{observations.source}, of {caller}",
                1,
            )
            for caller in dict.fromkeys(caller for caller, _ in sides.values() if caller)
        },
        crossed,
        located,
    )


def _parted(text: str) -> tuple[str, str] | None:
    first, between, second = text.partition(_BETWEEN)
    return (_known(first), _known(second)) if between else None


def _known(name: str) -> str:
    return UNKNOWN_HOST if name == _NOT_KNOWN else name


def _by(observations: Observations, of: dict[str, str], source: str, side: int) -> Observations:
    """Those pairs that *of* has, added up by what it gives for each; its zone is one *side* of the pair's."""
    counts: Counter[str] = Counter()
    zones: dict[str, str] = {}
    for pair, host in of.items():
        counts[host] += observations.counts[pair]
        zone = _parted(observations.zones.get(pair, ""))
        if host and zone and zone[side]:
            zones[host] = zone[side]
    windows = observations.windows
    if windows is not None:
        columns = [pair for pair in observations.counts if pair]
        hosts = [host for host in counts if host]
        matrix = np.zeros((len(columns), len(hosts)), dtype=np.int64)
        for row, pair in enumerate(columns):
            if of.get(pair):
                matrix[row, hosts.index(of[pair])] = 1
        windows = replace(windows, counts=windows.counts @ matrix).without_order()
    return replace(observations, source=source, counts=counts, zones=zones, windows=windows, sequence=None, presence={})
