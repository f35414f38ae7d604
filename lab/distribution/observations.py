"""What was read about a distribution: counts, and time, order and zones where the source has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from lab.distribution.sequence import Sequence
from lab.distribution.windows import WindowCounter, Windows
from lab.errors import BadInput
from load.answers import UNKNOWN_HOST
from load.hostnames import OTHER_HOSTS
from load.results import Run

__all__ = ["Observations", "host_of", "observe"]


@dataclass(frozen=True, eq=False)
class Observations:
    """`counts` by hostname, with "" for requests whose host is not known; columns of the rest are in the order of
    `counts` without "". `taken_for` says what the source was taken for, `lines` how long it is, `notes` what was left
    aside and why."""

    source: str
    taken_for: str
    lines: int
    counts: Mapping[str, int]
    zones: Mapping[str, str] = field(default_factory=dict)
    windows: Windows | None = None
    sequence: Sequence | None = None
    notes: tuple[str, ...] = ()


def host_of(name: str) -> str:
    """The host that a row of a table is about; the row of the hosts beyond the limit is about no known one."""
    return UNKNOWN_HOST if name == OTHER_HOSTS else name


def observe(run: Run) -> Observations:
    """Take the counts of a run from its hosts, and when they were from its timeline.

    Raises BadInput for a negative count, with its line.
    """
    counts: dict[str, int] = {}
    zones: dict[str, str] = {}
    for line, row in enumerate(run.hosts, start=2):
        if row.requests < 0:
            raise BadInput(f"{run.path / 'hostnames.csv'}, line {line}: {row.requests} requests is negative")
        host = host_of(row.hostname)
        counts[host] = counts.get(host, 0) + row.requests
        if row.availability_zone:
            zones[host] = row.availability_zone
    number = {host: index for index, host in enumerate(host for host in counts if host)}
    known = [row for row in run.timeline if row.hostname in number and row.requests > 0]
    windows = None
    if known:
        counter = WindowCounter("seconds", 1)
        counter.add(
            np.array([row.second for row in known], dtype=np.int64),
            np.array([number[row.hostname] for row in known], dtype=np.int64),
            np.array([row.requests for row in known], dtype=np.int64),
        )
        windows = counter.windows(len(number))
    notes = (
        ("Hosts beyond the limit of the run were not counted apart, so they are left out.",)
        if any(row.hostname == OTHER_HOSTS for row in run.hosts)
        else ()
    )
    return Observations(str(run.path), "the results of a run", len(run.hosts) + 1, counts, zones, windows, None, notes)
