"""The order of the answers, taken in as it passes: counts, windows, and which host follows which.

Memory grows with hosts and connections, never with answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lab.distribution.windows import Integers, WindowCounter, Windows

__all__ = ["MOST_IN_MATRIX", "Sequence", "SequenceCounter"]

MOST_IN_MATRIX = 128
"""Hosts up to which every transition is counted; beyond, only whether a host is repeated."""

_FIRST_WIDTH = 16  # requests


@dataclass(frozen=True, eq=False)
class Sequence:
    """What the order of the answers of `hosts` (k) was.

    `chains` are the connections with at least two answers (one, where connections are not known). `transitions` (k, k)
    counts answers of host j that came next after one of host i, None for more than MOST_IN_MATRIX hosts.
    """

    hosts: tuple[str, ...]
    chains: int
    transitions: Integers | None


class SequenceCounter:
    """Takes in the hosts of consecutive answers, block by block."""

    def __init__(self, *, timed: bool) -> None:
        self._windows = WindowCounter("seconds", 1) if timed else WindowCounter("requests", _FIRST_WIDTH)
        self._transitions: Integers | None = np.zeros((MOST_IN_MATRIX, MOST_IN_MATRIX), dtype=np.int64)
        self._last = np.full(1, -1, dtype=np.int64)
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
            cells = before[follows] * MOST_IN_MATRIX + hosts[follows]
            self._transitions += np.bincount(cells, minlength=MOST_IN_MATRIX**2).reshape(self._transitions.shape)

    def _before_on_connection(self, hosts: Integers, connections: Integers) -> Integers:
        missing = int(connections.max()) + 1 - len(self._last)
        if missing > 0:
            self._last = np.concatenate((self._last, np.full(max(missing, len(self._last)), -1)))
            self._chained = np.concatenate((self._chained, np.zeros(max(missing, len(self._chained)), np.bool_)))
        by_connection = np.argsort(connections, kind="stable")
        connection, host = connections[by_connection], hosts[by_connection]
        first = np.concatenate(([True], connection[1:] != connection[:-1]))
        last = np.concatenate((first[1:], [True]))
        sorted_before = np.concatenate(([-1], host[:-1]))
        sorted_before[first] = self._last[connection[first]]
        self._last[connection[last]] = host[last]
        self._chained[connection[sorted_before >= 0]] = True
        before = np.empty_like(sorted_before)
        before[by_connection] = sorted_before
        return before

    def result(self, names: list[str]) -> tuple[Windows, Sequence]:
        """The windows and the order, for hosts of these names, by their numbers."""
        size = len(names)
        transitions = None if self._transitions is None else self._transitions[:size, :size].copy()
        return self._windows.windows(size), Sequence(tuple(names), int(self._chained.sum()), transitions)
