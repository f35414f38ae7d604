"""The same by availability zone, and how many requests crossed from one zone to another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lab.distribution.intervals import Seen, Share, shares
from lab.distribution.judgement import Judgement, judge_exposure
from lab.distribution.subject import Subject
from lab.errors import BadInput

__all__ = ["Zone", "Zones", "by_zone"]


@dataclass(frozen=True)
class Zone:
    """The share of one zone, and the judgement on the hosts within it (None for a single host)."""

    zone: str
    hosts: int
    share: Share
    within: Judgement | None


@dataclass(frozen=True)
class Zones:
    """`between` judges the zones against the hosts that they have, None for a single zone.

    `crossed` is the share of requests that were answered in another zone than they came in by, given the shares of
    requests that come in by each zone (`entry`). Answers do not say where they came in, so this supposes that the
    host is picked without regard to it. `entry_assumed`: nothing was said about it, so evenly over the zones.
    """

    zones: tuple[Zone, ...]
    between: Judgement | None
    crossed: float
    entry: Mapping[str, float]
    entry_assumed: bool


def by_zone(
    subject: Subject,
    zone_of: Mapping[str, str],
    detect: float,
    entry: Mapping[str, float] | None = None,
    seen: Seen | None = None,
) -> Zones | None:
    """Judge zones and the hosts in each; hosts whose zone is not known are left out. None if no zone is known.

    seen: the dispersion of the hosts' requests, which is taken to be that of the zones'.
    entry: ratio of the requests that come in by each zone. Raises BadInput for one that is not positive.
    """
    located = np.array([bool(zone_of.get(host)) for host in subject.hosts])
    if not located.any():
        return None
    hosts = [host for host in subject.hosts if zone_of.get(host)]
    names = sorted({zone_of[host] for host in hosts})
    groups = np.array([names.index(zone_of[host]) for host in hosts])
    exposure = subject.exposure.only(located)
    grouped = exposure.grouped(groups, len(names))
    zones = []
    for number, share in enumerate(shares(grouped, names, seen)):
        members = [host for host, group in zip(hosts, groups, strict=True) if group == number]
        inside = exposure.only(groups == number)
        together = len(members) > 1 and bool(((inside.shares > 0).sum(axis=1) > 1).any())
        zones.append(
            Zone(
                share.host,
                len(members),
                share,
                judge_exposure(inside, members, detect, seen=seen) if together else None,
            )
        )
    split = _fractions(entry or dict.fromkeys(names, 1.0))
    total = sum(zone.share.requests for zone in zones)
    stayed = sum(split.get(zone.zone, 0.0) * zone.share.requests for zone in zones) / total if total else 0.0
    return Zones(
        zones=tuple(zones),
        between=judge_exposure(grouped, names, detect, what="zone", seen=seen) if len(names) > 1 else None,
        crossed=1 - stayed if total else 0.0,
        entry=split,
        entry_assumed=not entry,
    )


def _fractions(ratios: Mapping[str, float]) -> dict[str, float]:
    for zone, ratio in ratios.items():
        if not 0 < ratio < float("inf"):
            raise BadInput(f"the weight {ratio:g} of zone {zone} is not a positive number")
    return {zone: ratio / sum(ratios.values()) for zone, ratio in ratios.items()}
