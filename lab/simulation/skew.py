"""How skewed a gateway is, over many runs and over many numbers of requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lab.simulation.gateway import Gateway, Policy
from lab.simulation.sampling import Numbers, chi_square, max_deviation, sample

__all__ = ["Band", "Curve", "Skew", "curves", "points", "skew"]

_CELLS, _FEWEST = 20_000_000, 10  # numbers that are drawn at most, and runs whatever it takes
_CURVE_CELLS = 2_000_000  # for each point of a curve
_MOST_RUNS = 1000
_POINTS = 11  # of a curve


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


def skew(gateway: Gateway, requests: int, rng: np.random.Generator) -> Skew:
    """The skew of as many simulated runs as take about a second, a few seconds for the largest gateways."""
    runs = _affordable(gateway, _CELLS, _FEWEST)
    counts = sample(gateway, requests, runs, rng)
    return Skew(runs, _band(max_deviation(counts)), _band(chi_square(counts) / (gateway.tasks - 1)))


def points(gateway: Gateway, requests: int) -> list[int]:
    """Numbers of requests for a curve, up to *requests*, evenly on a logarithmic scale."""
    first = max(1, min(10 * gateway.tasks, requests // 100))
    return [int(point) for point in np.unique(np.geomspace(first, requests, _POINTS).round())]


def curves(gateway: Gateway, points: Sequence[int], rng: np.random.Generator) -> list[Curve]:
    """All policies with the parameters of one gateway, at each number of requests."""
    found = []
    for policy in Policy:
        one = replace(gateway, policy=policy)
        runs = _affordable(one, _CURVE_CELLS, 1)
        bands = tuple(_band(max_deviation(sample(one, requests, runs, rng))) for requests in points)
        found.append(Curve(policy, tuple(points), bands))
    return found


def _affordable(gateway: Gateway, cells: int, fewest: int) -> int:
    each = gateway.tasks * (gateway.front_ends if gateway.policy is Policy.ROUND_ROBIN else 1)
    return int(np.clip(cells // each, fewest, _MOST_RUNS))


def _band(values: Numbers) -> Band:
    low, median, high = np.quantile(values, (0.025, 0.5, 0.975))
    return Band(float(low), float(median), float(high))
