"""What was read about a distribution: counts, and windows of time, order and zones where the source has them.

Of requests counted by caller and upstream, `hops` has those of each hop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lab.errors import BadInput
from lab.records.run import presence_of, record_of
from load.results import OTHER_HOSTS, UNKNOWN_HOST, Run

Unit = Literal["seconds", "requests"]
Integers = NDArray[np.int64]
Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]

_HOSTS = "load.traffic.answers:"  # the keys of --group-by that are hosts


@dataclass(frozen=True, eq=False)
class Observations:
    """What was read, and how."""

    source: str
    taken_for: str  # what the source was taken for
    lines: int
    counts: Mapping[str, int]  # by hostname, "" for requests whose host is not known
    zones: Mapping[str, str] = field(default_factory=dict)
    windows: Windows | None = None  # columns as in `counts` without "", and so are those of the order
    sequence: Sequence | None = None
    notes: tuple[str, ...] = ()  # what was left aside and why
    # From when to when each host was there, in seconds since the Unix epoch, where the source says so.
    presence: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    settle: float | None = None  # seconds until the users of that have learned of a change, where they are known
    latency_variance: float | None = None  # s^2; None where latencies are not known
    run: Run | None = None  # that it is of


def host_of(name: str) -> str:
    """The host that a row of a table is about; the row of the hosts beyond the limit is about no known one."""
    return UNKNOWN_HOST if name == OTHER_HOSTS else name


def weights_of(observations: Observations, given: Mapping[str, float]) -> dict[str, float]:
    """*given* by the hosts that were read, whose names may be given up to their first dot, as pages show them.

    Raises BadInput: there is no such host, or more than one.
    """
    found = {}
    for name, weight in given.items():
        fits = [name] if name in observations.counts else [h for h in observations.counts if h.split(".")[0] == name]
        if len(fits) != 1 or not name:
            there = ", ".join(sorted(filter(None, observations.counts))[:5])
            raise BadInput(
                f"--weights {name}={weight:g}: {'several hosts' if fits else 'no host'} of {observations.source} "
                f"{'have' if fits else 'has'} that name: give one such as {there}. A host that got nothing stands in a "
                "list with 0 requests."
            )
        found[fits[0]] = weight
    return found


_NOTABLE = 0.01  # of the answers of hosts


def observe(run: Run) -> Observations:
    """Take the counts of a run from its hosts, and when they were from its timeline."""
    counts: Counter[str] = Counter()
    for row in run.hosts:
        counts[host_of(row.hostname)] += row.requests
    number = {host: index for index, host in enumerate(host for host in counts if host)}
    known = [(r.second, number[r.hostname], r.requests) for r in run.timeline if r.hostname in number and r.requests]
    counter = WindowCounter("seconds", 1)
    if known:
        counter.add(*np.array(known, dtype=np.int64).T)
    beyond = "Hosts beyond the limit of the run were not counted apart, so they are left out."
    answered = sum(row.requests for row in run.hosts if row.hostname)
    failed = sum(row.failures for row in run.hosts if row.hostname)
    told = f"Of {answered:,} answers of hosts {failed:,} were failures, which are counted as any other."
    notes = [told] if failed and failed >= _NOTABLE * answered else []
    record = record_of(run)
    assumed = (record.experiment.assumed or {}).get("discovery_ttl")
    key = record.settings.group_by or _HOSTS
    by = "" if key.startswith(_HOSTS) else f", counted by {key}"
    return Observations(
        source=str(run.path),
        taken_for=f"the results of a run{by}",
        lines=len(run.hosts) + 1,
        counts=counts,
        zones={host_of(row.hostname): row.availability_zone for row in run.hosts if row.availability_zone},
        windows=counter.windows(len(number)) if known else None,
        notes=(*notes, *([beyond] if any(row.hostname == OTHER_HOSTS for row in run.hosts) else [])),
        presence=presence_of(record),
        settle=float(assumed) if isinstance(assumed, float | int) and not isinstance(assumed, bool) else None,
        latency_variance=_latency_variance(run),
        run=run,
    )


def _latency_variance(run: Run) -> float | None:
    if not run.latency:
        return None
    latency, requests = np.array([(row.latency_us / 1e6, row.requests) for row in run.latency]).T
    mean = np.average(latency, weights=requests)
    return float(np.average((latency - mean) ** 2, weights=requests))


# By caller and upstream

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


# Windows

_MOST_WINDOWS = 1024
_MOST_CELLS = 4_000_000  # 32 MB
_PAIRS, _REPEATS, _FIRST_HOST = 0, 1, 2  # columns of a row while counting


@dataclass(frozen=True, eq=False)
class Windows:
    """Requests in windows of time, or of the sequence of answers."""

    unit: Unit
    width: int  # in units
    starts: Integers  # (windows,), seconds since the Unix epoch or positions in the sequence
    counts: Integers  # (windows, hosts)
    # (windows,): requests that follow another one whose host is known (on the same connection, where connections are),
    # and those of them that went to the same host again. Zero where the order within a window is not known.
    pairs: Integers
    repeats: Integers

    def columns(self, order: Integers) -> Windows:
        """The same windows with the hosts in another order; a number beyond the last is a host without requests."""
        missing = int(order.max()) + 1 - self.counts.shape[1]
        return replace(self, counts=np.pad(self.counts, ((0, 0), (0, max(0, missing))))[:, order])

    def without_order(self) -> Windows:
        """The same counts, with nothing said about the order within."""
        nothing = np.zeros_like(self.pairs)
        return replace(self, pairs=nothing, repeats=nothing)

    def rows(self, chosen: Flags) -> Windows:
        """Only the chosen windows."""
        columns = (self.starts, self.counts, self.pairs, self.repeats)
        return Windows(self.unit, self.width, *(column[chosen] for column in columns))


class WindowCounter:
    """Counts into windows; whenever there are too many, twice as wide ones take their place.

    Memory: about 1024 windows, and twice 32 MB at most.
    """

    def __init__(self, unit: Unit, width: int) -> None:
        self._unit: Unit = unit
        self._width = width
        self._parts: list[tuple[Integers, Integers]] = []  # (starts, rows as long as the hosts that were met)
        self._rows = 0

    def add(
        self,
        positions: Integers,
        hosts: Integers,
        requests: Integers | None = None,
        follows: Flags | None = None,
        repeats: Flags | None = None,
    ) -> None:
        """Count requests, (n,) each: when or where, host number, how many (1), whether a pair, whether a repeat."""
        if len(hosts) == 0:
            return
        if (positions[1:] < positions[:-1]).any():
            order = np.argsort(positions, kind="stable")
            positions, hosts = positions[order], hosts[order]
            requests = None if requests is None else requests[order]
            follows = None if follows is None else follows[order]
            repeats = None if repeats is None else repeats[order]
        columns = int(hosts.max()) + 1
        starts = self._starts(positions, columns)
        window = np.repeat(np.arange(len(starts)) * columns, np.diff(starts, append=len(positions)))
        cells = np.bincount(window + hosts, requests, minlength=len(starts) * columns)
        rows = np.zeros((len(starts), _FIRST_HOST + columns), dtype=np.int64)
        rows[:, _FIRST_HOST:] = cells.reshape(-1, columns)
        if follows is not None and repeats is not None:
            np.add.reduceat(follows, starts, out=rows[:, _PAIRS])
            np.add.reduceat(repeats, starts, out=rows[:, _REPEATS])
        self._parts.append((positions[starts], rows))
        self._rows += len(rows)
        if self._rows > 2 * _most_windows(columns):
            self._merge()

    def _starts(self, positions: Integers, hosts: int) -> Integers:
        """Where among the rising *positions* a window begins; windows widen until there are few enough."""
        while True:
            keys = positions // self._width
            starts = np.concatenate(([0], np.flatnonzero(keys[1:] != keys[:-1]) + 1))
            if len(starts) <= _most_windows(hosts):
                return starts
            self._width *= 2

    def _merge(self) -> None:
        """All parts become one."""
        columns = max(rows.shape[1] for _, rows in self._parts)
        positions = np.concatenate([positions for positions, _ in self._parts])
        table = np.concatenate([np.pad(rows, ((0, 0), (0, columns - rows.shape[1]))) for _, rows in self._parts])
        order = np.argsort(positions, kind="stable")
        starts = self._starts(positions[order], columns - _FIRST_HOST)
        self._parts = [(positions[order][starts], np.add.reduceat(table[order], starts))]
        self._rows = len(starts)

    def windows(self, hosts: int) -> Windows:
        """What was counted, in order, for so many hosts."""
        if not self._parts:
            self._parts = [(np.zeros(0, np.int64), np.zeros((0, _FIRST_HOST), np.int64))]
        elif len(self._parts) > 1:
            self._merge()
        positions, rows = self._parts[0]
        table = np.pad(rows, ((0, 0), (0, _FIRST_HOST + hosts - rows.shape[1])))
        starts = positions // self._width * self._width
        return Windows(self._unit, self._width, starts, table[:, _FIRST_HOST:], table[:, _PAIRS], table[:, _REPEATS])


def _most_windows(hosts: int) -> int:
    return max(2, min(_MOST_WINDOWS, _MOST_CELLS // hosts))


MOST_IN_MATRIX = 128
"""Hosts up to which every transition is counted; beyond, only whether a host is repeated."""

_FIRST_WIDTH = 16  # requests


@dataclass(frozen=True, eq=False)
class Sequence:
    """What the order of the answers was."""

    hosts: tuple[str, ...]  # (k)
    chains: int  # connections with at least two answers (one, where connections are not known)
    transitions: Integers | None  # (k, k), of host j next after host i; None for more than MOST_IN_MATRIX hosts


class SequenceCounter:
    """Takes in the hosts of consecutive answers, block by block."""

    def __init__(self, *, timed: bool) -> None:
        self._windows = WindowCounter("seconds", 1) if timed else WindowCounter("requests", _FIRST_WIDTH)
        # The first row is for answers that follow none.
        self._transitions: Integers | None = np.zeros((1 + MOST_IN_MATRIX, MOST_IN_MATRIX), dtype=np.int64)
        self._last = np.full(1, -1, dtype=np.int64)  # host of the last answer on each connection
        self._chained = np.zeros(1, dtype=np.bool_)
        self._taken = 0

    def add(self, hosts: Integers, seconds: Integers | None = None, connections: Integers | None = None) -> None:
        """Take in answers, (n,) each: host number from 0, the second where timed, connection number from 0."""
        if len(hosts) == 0:
            return
        if connections is None:
            before = np.concatenate((self._last, hosts[:-1]))
            self._last = hosts[-1:].copy()
            self._chained[0] |= self._taken + len(hosts) > 1
        else:
            before = self._before_on_connection(hosts, connections)
        follows = before >= 0
        positions = seconds if seconds is not None else np.arange(self._taken, self._taken + len(hosts))
        self._windows.add(positions, hosts, follows=follows, repeats=before == hosts)
        self._taken += len(hosts)
        if hosts.max() >= MOST_IN_MATRIX:
            self._transitions = None
        if self._transitions is not None:
            cells = (before + 1) * MOST_IN_MATRIX + hosts
            self._transitions += np.bincount(cells, minlength=self._transitions.size).reshape(self._transitions.shape)

    def _before_on_connection(self, hosts: Integers, connections: Integers) -> Integers:
        missing = int(connections.max()) + 1 - len(self._last)
        if missing > 0:  # at least twice as many, so that they are seldom copied
            more = max(missing, len(self._last))
            self._last = np.pad(self._last, (0, more), constant_values=-1)
            self._chained = np.pad(self._chained, (0, more))
        by_connection = np.argsort(connections, kind="stable")
        connection, host = connections[by_connection], hosts[by_connection]
        first = np.concatenate(([True], connection[1:] != connection[:-1]))
        last = np.concatenate((first[1:], [True]))
        sorted_before = np.where(first, self._last[connection], np.roll(host, 1))
        self._last[connection[last]] = host[last]
        self._chained[connection[sorted_before >= 0]] = True
        before = np.empty_like(sorted_before)
        before[by_connection] = sorted_before
        return before

    def result(self, names: list[str]) -> tuple[Windows, Sequence]:
        """The windows and the order, for hosts of these names, by their numbers."""
        size = len(names)
        transitions = None if self._transitions is None else self._transitions[1 : 1 + size, :size].copy()
        return self._windows.windows(size), Sequence(tuple(names), int(self._chained.sum()), transitions)
