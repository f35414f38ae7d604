"""Requests by window: stretches of seconds or of the sequence, so many at most however long the run was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Unit", "WindowCounter", "Windows"]

Unit = Literal["seconds", "requests"]
Integers = NDArray[np.int64]

_MOST_WINDOWS = 1024
_MOST_CELLS = 4_000_000  # 32 MB
_PAIRS, _REPEATS, _FIRST_HOST = 0, 1, 2  # columns of a row while counting


@dataclass(frozen=True, eq=False)
class Windows:
    """Requests `counts` (windows, hosts) in windows of `width` units that begin at `starts` (windows,).

    `starts` are seconds since the Unix epoch or positions in the sequence. Of the requests of a window, `pairs` follow
    another one whose host is known (on the same connection, where connections are), and `repeats` of these went to
    the same host again; both are zero where the order within a window is not known.
    """

    unit: Unit
    width: int
    starts: Integers
    counts: Integers
    pairs: Integers
    repeats: Integers

    def columns(self, order: Integers) -> Windows:
        """The same windows with the hosts in another order; a number beyond the last is a host without requests."""
        missing = int(order.max()) + 1 - self.counts.shape[1]
        counts = np.pad(self.counts, ((0, 0), (0, max(0, missing))))
        return Windows(self.unit, self.width, self.starts, counts[:, order], self.pairs, self.repeats)

    def without_order(self) -> Windows:
        """The same counts, with nothing said about the order within."""
        nothing = np.zeros_like(self.pairs)
        return Windows(self.unit, self.width, self.starts, self.counts, nothing, nothing)

    def rows(self, chosen: NDArray[np.bool_]) -> Windows:
        """Only the chosen windows."""
        return Windows(
            self.unit,
            self.width,
            self.starts[chosen],
            self.counts[chosen],
            self.pairs[chosen],
            self.repeats[chosen],
        )


class WindowCounter:
    """Counts into windows; whenever there are too many, twice as wide ones take their place.

    Memory: at most 1024 windows and 32 MB.
    """

    def __init__(self, unit: Unit, width: int) -> None:
        self._unit: Unit = unit
        self._width = width
        self._rows: dict[int, Integers] = {}

    def add(
        self,
        positions: Integers,
        hosts: Integers,
        requests: Integers | None = None,
        follows: NDArray[np.bool_] | None = None,
        repeats: NDArray[np.bool_] | None = None,
    ) -> None:
        """Count requests, (n,) each: when or where, host number, how many (1), whether a pair, whether a repeat."""
        if len(hosts) == 0:
            return
        keys, window = _numbered(positions // self._width)
        columns = int(hosts.max()) + 1
        cells = np.bincount(window * columns + hosts, requests, minlength=len(keys) * columns)
        rows = np.zeros((len(keys), _FIRST_HOST + columns), dtype=np.int64)
        rows[:, _FIRST_HOST:] = cells.reshape(len(keys), columns)
        if follows is not None and repeats is not None:
            rows[:, _PAIRS] = np.bincount(window[follows], minlength=len(keys))
            rows[:, _REPEATS] = np.bincount(window[repeats], minlength=len(keys))
        for key, row in zip(keys.tolist(), rows, strict=True):
            self._add_row(key, row)
        while len(self._rows) > max(2, min(_MOST_WINDOWS, _MOST_CELLS // columns)):
            self._widen()

    def _add_row(self, key: int, row: Integers) -> None:
        present = self._rows.get(key)
        if present is None:
            self._rows[key] = row
        elif len(present) >= len(row):
            present[: len(row)] += row
        else:
            row[: len(present)] += present
            self._rows[key] = row

    def _widen(self) -> None:
        narrow, self._rows = self._rows, {}
        self._width *= 2
        for key, row in narrow.items():
            self._add_row(key // 2, row)

    def windows(self, hosts: int) -> Windows:
        """What was counted, in order, for so many hosts."""
        keys = sorted(self._rows)
        table = np.zeros((len(keys), _FIRST_HOST + hosts), dtype=np.int64)
        for row, key in zip(table, keys, strict=True):
            row[: len(self._rows[key])] = self._rows[key]
        starts = np.array(keys, dtype=np.int64) * self._width
        return Windows(self._unit, self._width, starts, table[:, _FIRST_HOST:], table[:, _PAIRS], table[:, _REPEATS])


def _numbered(keys: Integers) -> tuple[Integers, Integers]:
    """The distinct keys, and for each key its number among them; without sorting where the keys come in order."""
    new = keys[1:] != keys[:-1]
    first = np.concatenate(([0], np.flatnonzero(new) + 1))
    distinct = keys[first]
    if (distinct[1:] > distinct[:-1]).all():
        return distinct, np.repeat(np.arange(len(first)), np.diff(first, append=len(keys)))
    return np.unique(keys, return_inverse=True)
