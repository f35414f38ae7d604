"""When requests are due in an open loop, and which path each asks for: pure, with the randomness passed in."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

__all__ = ["Arrivals", "PathMix"]


class Arrivals:
    """Requests at a constant rate, due every `interval` seconds whether or not the one before was answered.

    The first is due at a random moment of the first interval, so that many such sources do not beat in time.
    """

    def __init__(self, interval: float, start: float, rng: random.Random) -> None:
        self.interval = interval
        self._first = start + rng.random() * interval
        self._count = itertools.count()

    def next(self) -> float:
        """When the next request is due, on the clock of `start`; never rounded by what came before."""
        return self._first + next(self._count) * self.interval


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
