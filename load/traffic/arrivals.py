"""When requests are due in an open loop, and which path each asks for: pure, with the randomness passed in."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

__all__ = ["Arrivals", "PathMix"]


class Arrivals:
    """Requests that are due every `interval` seconds, whether or not the one before was answered.

    The first is due at a random moment of the first interval, so that many such sources do not beat in time.
    """

    def __init__(self, interval: float, start: float, rng: random.Random) -> None:
        self.interval = interval
        self._first = start + rng.random() * interval
        self._count = 0

    @property
    def due(self) -> float:
        """When the next request is due, on the clock of `start`; never rounded by what came before."""
        return self._first + self._count * self.interval

    def next(self) -> float:
        """When the next request is due; the one after it is the next from now on."""
        due = self.due
        self._count += 1
        return due

    def pace(self, interval: float, now: float) -> None:
        """Go on at another interval: what is left until the next request grows or shrinks with it.

        So sources that become more or fewer, and share one rate, keep their sum, and stay as far apart as they were.
        """
        if interval != self.interval:
            left = self.due - now
            self._first, self._count = now + (left * interval / self.interval if left > 0 else left), 0
            self.interval = interval


class PathMix:
    """Paths, each as often as its weight says."""

    def __init__(self, paths: Sequence[tuple[str, float]], rng: random.Random) -> None:
        self._paths = [path for path, _ in paths]
        self._cumulative = list(itertools.accumulate(weight for _, weight in paths))
        self._rng = rng

    def choose(self) -> str:
        """The path of the next request."""
        if len(self._paths) == 1:
            return self._paths[0]
        return self._rng.choices(self._paths, cum_weights=self._cumulative)[0]
