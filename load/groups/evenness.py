"""How far each group is from its even part, counted over the time in which it was there: pure.

In each second the requests of all known groups are divided evenly among the groups that were there: from a group's
first request to its last. A group that came or went during the run got only a part of its share around that moment,
because whoever spreads the requests need not learn of it at once, so these seconds are left out for all groups.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import NormalDist

__all__ = ["SETTLE", "EvenPart", "EvenParts"]

SETTLE = 5
"""Seconds left out after a group's first request and before its last."""

# A group that is first seen so many seconds after the first request of all was there from the start; so with the last.
_EDGE = 2


@dataclass(frozen=True, slots=True)
class EvenPart:
    """How far one group is from its even part, both as fractions of it: 0.1 means 10 % more.

    `chance` is how far the furthest of all groups is, 19 times of 20, where each request goes to a group at random and
    independently of the others. That is of one look: who looks again and again at a run sees it exceeded more often.
    """

    deviation: float
    chance: float


@dataclass(slots=True)
class _Sums:
    observed: int = 0
    expected: float = 0.0
    variance: float = 0.0


Seen = Mapping[str, tuple[int, int]]
"""The first and the last second of each group so far."""


@dataclass(slots=True)
class EvenParts:
    """Sums of a run whose seconds are added in order, and need not stay."""

    _sums: dict[str, _Sums] = field(default_factory=dict)
    # Who is there, with what an even part came to when it came: a part, and its variance, are the same for all.
    _there: dict[str, tuple[float, float]] = field(default_factory=dict)
    _part: float = 0.0
    _variance: float = 0.0
    _start: int | None = None
    _settled: int = 0

    def copy(self) -> EvenParts:
        """The sums so far, to be continued apart."""
        return replace(self, _sums={group: replace(of) for group, of in self._sums.items()}, _there=dict(self._there))

    def add(self, seconds: Mapping[int, Mapping[str, int]], seen: Seen, end: int) -> None:
        """Add the requests of each second and group, in order; `seen` has each group that is known until second `end`.

        One that was not seen from one of these seconds to `end` is gone; if it comes back, it is there from then on.
        """
        if self._start is None:
            self._start = min(seconds, default=end)
            early = self._start + _EDGE
            self._there = {group: (0.0, 0.0) for group, (first, _) in seen.items() if first <= early}
        leaving: dict[int, list[str]] = {}
        for group, (_, last) in seen.items():
            if last < end - _EDGE:
                leaving.setdefault(last, []).append(group)
        for second, counts in seconds.items():
            for group in counts:
                if group not in self._there:
                    self._there[group] = (self._part, self._variance)
                    self._settled = second + SETTLE
            if second >= self._settled and not any(ahead in leaving for ahead in range(second, second + SETTLE)):
                self._divide(counts)
            for group in leaving.get(second, ()):
                self._leave(group)

    def _divide(self, counts: Mapping[str, int]) -> None:
        groups = len(self._there)
        if groups < 2:
            return
        part = sum(counts.values()) / groups
        self._part += part
        self._variance += part * (1 - 1 / groups)
        for group, requests in counts.items():
            self._sums.setdefault(group, _Sums()).observed += requests

    def _leave(self, group: str) -> None:
        if group not in self._there:
            return
        part, variance = self._there.pop(group)
        sums = self._sums.setdefault(group, _Sums())
        sums.expected += self._part - part
        sums.variance += self._variance - variance

    def parts(self) -> dict[str, EvenPart]:
        """Each group's EvenPart, without the groups that were never beside others."""
        totals = {group: (sums.observed, sums.expected, sums.variance) for group, sums in self._sums.items()}
        for group, (part, variance) in self._there.items():
            observed, expected, summed = totals.get(group, (0, 0.0, 0.0))
            totals[group] = observed, expected + self._part - part, summed + self._variance - variance
        compared = {group: of for group, of in totals.items() if of[1] > 0}
        # Two sides, and any of the groups; of two groups one has too many where the other has too few, so it is one.
        z = NormalDist().inv_cdf(1 - 0.05 / 2 / (len(compared) if len(compared) > 2 else 1))
        return {
            group: EvenPart(observed / expected - 1, z * math.sqrt(variance) / expected)
            for group, (observed, expected, variance) in compared.items()
        }
