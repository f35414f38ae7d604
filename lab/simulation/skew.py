"""How skewed a gateway is, over many runs and over many numbers of requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lab.simulation.gateway import Gateway, Policy
from lab.simulation.sampling import Numbers, chi_square, max_deviation, sample

__all__ = ["Band", "Curve", "Skew", "affordable_runs", "curves", "skew"]

_MOST_CELLS = 20_000_000


@dataclass(frozen=True)
class Band:
    """What the middle run shows, and between what 95 % of the runs are."""

    low: float
    median: float
    high: float


@dataclass(frozen=True)
class Skew:
    """The largest deviation of a task from an even split, and the dispersion (chi-square by degrees of freedom)."""

    runs: int
    max_deviation: Band
    dispersion: Band


@dataclass(frozen=True)
class Curve:
    """The largest deviation of a task after so many requests, for one policy."""

    policy: Policy
    requests: tuple[int, ...]
    max_deviation: tuple[Band, ...]


def skew(gateway: Gateway, requests: int, runs: int, rng: np.random.Generator) -> Skew:
    """The skew of `runs` simulated runs."""
    counts = sample(gateway, requests, runs, rng)
    return Skew(runs, _band(max_deviation(counts)), _band(chi_square(counts) / (gateway.tasks - 1)))


def curves(gateway: Gateway, points: Sequence[int], most_runs: int, rng: np.random.Generator) -> list[Curve]:
    """All policies with the parameters of one gateway, at each number of requests."""
    found = []
    for policy in Policy:
        one = replace(gateway, policy=policy)
        runs = min(most_runs, affordable_runs(one))
        bands = tuple(_band(max_deviation(sample(one, requests, runs, rng))) for requests in points)
        found.append(Curve(policy, tuple(points), bands))
    return found


def affordable_runs(gateway: Gateway) -> int:
    """Runs that are simulated in about a second."""
    cells = gateway.tasks * (gateway.front_ends if gateway.policy is Policy.ROUND_ROBIN else 1)
    return int(np.clip(_MOST_CELLS // cells, 2, 1000))


def _band(values: Numbers) -> Band:
    low, median, high = np.quantile(values, (0.025, 0.5, 0.975))
    return Band(float(low), float(median), float(high))
