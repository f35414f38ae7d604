"""Power: how many requests it takes to see a skew of interest.

The skew of interest is one host that gets `detect` more than its share (0.05: 5 %) while the others split the rest as
before. That is the hardest skew of its size to see: any further imbalance among the others only adds to it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

__all__ = ["ALPHA", "POWER", "noncentrality", "requests_needed", "skew_visible"]

ALPHA = 0.05
POWER = 0.80


def noncentrality(degrees_of_freedom: int) -> float:
    """The noncentral chi-square's parameter at which the upper test at ALPHA has POWER (Cohen 1988, chapter 7)."""
    critical = stats.chi2.isf(ALPHA, degrees_of_freedom)
    return float(special.chndtrinc(critical, degrees_of_freedom, 1 - POWER))


def requests_needed(shares: NDArray[np.float64], detect: float) -> int:
    """Requests after which a skew of `detect` at any one host shows with POWER; shares (k,) sum to 1.

    A host with share q that gets q (1 + d) has the noncentrality n d^2 q / (1 - q), so the smallest share decides; for
    k equal hosts this is n d^2 / (k - 1).
    """
    smallest = float(shares.min())
    return math.ceil(noncentrality(len(shares) - 1) * (1 - smallest) / (smallest * detect**2))


def skew_visible(shares: NDArray[np.float64], requests: int) -> float:
    """The skew of one host that so many requests show with POWER; infinite for none."""
    if requests == 0:
        return math.inf
    smallest = float(shares.min())
    return math.sqrt(noncentrality(len(shares) - 1) * (1 - smallest) / (smallest * requests))
