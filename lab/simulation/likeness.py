"""Which policies are compatible with a measured run: is its spread one that they would make?

The measured chi-square is compared with those of simulated runs of as many requests and tasks. The order of the answers
is not looked at, and policies that the spread cannot tell apart are equally compatible.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from lab.distribution.exposure import Exposure
from lab.errors import BadInput
from lab.simulation.gateway import Gateway, Policy
from lab.simulation.sampling import chi_square, max_deviation, sample

__all__ = ["Candidate", "Measured", "compare", "measured", "p_value"]

ALPHA = 0.05

_GRID = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_MOST_CELLS = 1_000_000


@dataclass(frozen=True)
class Measured:
    """The longest stretch of a run with unchanged hosts; `whole` if that is all of it."""

    requests: int
    tasks: int
    chi_square: float
    max_deviation: float
    whole: bool


@dataclass(frozen=True)
class Candidate:
    """A policy and its parameter, with the chance of a spread as far from its middle as the measured one.

    `parameter` is the number of front ends for round robin, of requests in flight for least request, of requests of a
    connection for sticky; None for random choice.
    """

    policy: Policy
    parameter: int | None
    p_value: float
    compatible: bool


def measured(exposure: Exposure) -> Measured:
    """What is compared; BadInput for expected weights, which no policy here has, or a stretch with one host only."""
    longest = int(exposure.requests.argmax())
    there = exposure.shares[longest] > 0
    shares, counts = exposure.shares[longest][there], exposure.counts[longest][there]
    if not np.allclose(shares, shares[0]):
        raise BadInput("only runs with equal weights can be compared with the simulated policies")
    if len(counts) < 2 or counts.sum() == 0:
        raise BadInput("the longest stretch with unchanged hosts has fewer than two of them: nothing to compare")
    return Measured(
        int(counts.sum()),
        len(counts),
        float(chi_square(counts[np.newaxis, :])[0]),
        float(max_deviation(counts[np.newaxis, :])[0]),
        exposure.constant and exposure.left_out == 0,
    )


def compare(run: Measured, rng: np.random.Generator) -> list[Candidate]:
    """Every policy, over a grid of its parameter, against the measured run."""
    found = []
    for gateway, parameter in _candidates(run):
        probability = p_value(run, gateway, rng)
        found.append(Candidate(gateway.policy, parameter, probability, probability > ALPHA))
    return found


def p_value(run: Measured, gateway: Gateway, rng: np.random.Generator) -> float:
    """The chance that a gateway spreads as many requests at least as far from the usual, to either side."""
    cells = run.tasks * (gateway.front_ends if gateway.policy is Policy.ROUND_ROBIN else 1)
    runs = int(np.clip(_MOST_CELLS // cells, 99, 4_999))
    null = chi_square(sample(gateway, run.requests, runs, rng))
    above = int(np.count_nonzero(null >= run.chi_square * (1 - 1e-9)))
    below = int(np.count_nonzero(null <= run.chi_square * (1 + 1e-9)))
    return min(1.0, 2 * (min(above, below) + 1) / (runs + 1))


def _candidates(run: Measured) -> Iterator[tuple[Gateway, int | None]]:
    base = Gateway(tasks=run.tasks)
    yield replace(base, policy=Policy.RANDOM), None
    for value in _GRID:
        if value <= run.requests:
            yield replace(base, policy=Policy.ROUND_ROBIN, front_ends=value), value
    for value in _GRID:
        # Before a front end has many more requests behind it than in flight, its start is still to be seen.
        if 20 * value <= run.requests:
            yield replace(base, policy=Policy.LEAST_REQUEST, in_flight=value), value
    for value in _GRID[1:]:
        if 2 * value <= run.requests:
            yield replace(base, policy=Policy.STICKY, run_length=value), value
