"""Goodness of fit: could chance alone have spread the requests over the hosts like this?

Pearson's chi-square with both tails: the upper one asks for more spread than chance, the lower one for less. Where the
chi-square distribution is only a rough approximation of the statistic's own, the tails are exact (two hosts: binomial)
or simulated. Two counts can be nearer to even than any lattice point of the approximation allows for, so the usual
"five expected" is not enough for the lower tail; docs/statistics.md has the table behind `_enough_for_chi_square`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

__all__ = ["Goodness", "goodness_of_fit"]

_SEED = 20110711  # any fixed number: the same counts must get the same verdict every time
_TIE = 1e-9  # relative; the same statistic summed in another order must count as equal


@dataclass(frozen=True)
class Goodness:
    """Pearson's statistic, its degrees of freedom, and the chance of as much (upper) or as little (lower) spread."""

    chi_square: float
    degrees_of_freedom: int
    upper: float
    lower: float
    method: Literal["exact", "simulated", "chi-square"]


def goodness_of_fit(observed: NDArray[np.int64], shares: NDArray[np.float64]) -> Goodness:
    """Test counts (k,) against expected shares (k,) that are positive and sum to 1; k is at least 2."""
    requests = int(observed.sum())
    expected = requests * shares
    if requests == 0:
        return Goodness(0.0, len(observed) - 1, 1.0, 1.0, "exact")
    statistic = float(stats.chisquare(observed, expected).statistic)
    freedom = len(observed) - 1
    if freedom == 1:
        return Goodness(statistic, freedom, *_binomial_tails(observed, shares), "exact")
    if _enough_for_chi_square(expected):
        upper = float(stats.chi2.sf(statistic, freedom))
        # Counts are whole, so as little spread as this is never less likely than these very counts.
        lower = float(max(stats.chi2.cdf(statistic, freedom), stats.multinomial.pmf(observed, requests, shares)))
        return Goodness(statistic, freedom, upper, lower, "chi-square")
    return Goodness(statistic, freedom, *_simulated_tails(statistic, requests, shares), "simulated")


def _enough_for_chi_square(expected: NDArray[np.float64]) -> bool:
    """Whether both tails are within a tenth of their nominal 5 % and 2.5 %."""
    return bool(expected.min() >= max(5.0, 500.0 / (len(expected) - 1)))


def _binomial_tails(observed: NDArray[np.int64], shares: NDArray[np.float64]) -> tuple[float, float]:
    """With two hosts the statistic grows with |count - mean|, and the count is binomial."""
    requests, share = int(observed.sum()), float(shares[0])
    mean = requests * share
    distance = abs(int(observed[0]) - mean)
    slack = _TIE * requests
    binomial = stats.binom(requests, share)
    upper = binomial.cdf(np.floor(mean - distance + slack)) + binomial.sf(np.ceil(mean + distance - slack) - 1)
    lower = binomial.cdf(np.floor(mean + distance + slack)) - binomial.cdf(np.ceil(mean - distance - slack) - 1)
    return min(1.0, float(upper)), min(1.0, float(lower))


def _simulated_tails(statistic: float, requests: int, shares: NDArray[np.float64]) -> tuple[float, float]:
    """Both tails by simulation; (b + 1) / (m + 1) keeps the stated level exactly (Davison and Hinkley 1997, 4.2)."""
    samples = int(np.clip(2_000_000 // len(shares), 1_999, 99_999))
    block = max(1, 1_000_000 // len(shares))
    rng = np.random.default_rng(_SEED)
    above = below = 0
    for start in range(0, samples, block):
        draws = rng.multinomial(requests, shares, size=min(block, samples - start))
        null = stats.chisquare(draws, requests * shares, axis=1).statistic
        above += int(np.count_nonzero(null >= statistic * (1 - _TIE)))
        below += int(np.count_nonzero(null <= statistic * (1 + _TIE)))
    return (above + 1) / (samples + 1), (below + 1) / (samples + 1)
