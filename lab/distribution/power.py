"""Power: how many requests it takes to see a skew of interest.

The skew of interest is one host that gets `detect` more than its share (0.05: 5 %) while the others split the rest as
before. That is the hardest skew of its size to see: any further imbalance among the others only adds to it.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special, stats

from lab.distribution.exposure import Exposure
from lab.distribution.goodness import inverse_covariance

__all__ = ["ALPHA", "POWER", "noncentrality", "requests_needed", "skew_visible"]

ALPHA = 0.05
POWER = 0.80


def noncentrality(degrees_of_freedom: int, alpha: float = ALPHA) -> float:
    """The noncentral chi-square's parameter at which the upper test at alpha has POWER (Cohen 1988, chapter 7)."""
    critical = stats.chi2.isf(alpha, degrees_of_freedom)
    return float(special.chndtrinc(critical, degrees_of_freedom, 1 - POWER))


def requests_needed(exposure: Exposure, degrees_of_freedom: int, detect: float, alpha: float = ALPHA) -> int:
    """Requests after which a skew of `detect` at any one host shows with POWER."""
    return math.ceil(noncentrality(degrees_of_freedom, alpha) / (_information(exposure) * detect**2))


def skew_visible(exposure: Exposure, degrees_of_freedom: int, alpha: float = ALPHA) -> float:
    """The skew of one host that the requests of this run show with POWER; infinite for no requests."""
    requests = int(exposure.requests.sum())
    if requests == 0:
        return math.inf
    return math.sqrt(noncentrality(degrees_of_freedom, alpha) / (_information(exposure) * requests))


def _information(exposure: Exposure) -> float:
    """Noncentrality for each request and squared skew, at the host where a skew is hardest to see.

    In one epoch a host with share q that gets q (1 + d) has the noncentrality n d^2 q / (1 - q), so the smallest share
    decides; for k equal hosts this is n d^2 / (k - 1). Where hosts came and went, those that had company for less than
    half of the requests are left aside: a host of a few seconds can never be measured well.
    """
    if exposure.constant:
        smallest = float(exposure.shares.min())
        return smallest / (1 - smallest)
    together = (exposure.shares > 0) & (exposure.shares < 1)
    gain = np.where(together, exposure.requests[:, np.newaxis] * exposure.shares, 0.0)
    loss = gain / np.where(together, 1 - exposure.shares, 1.0)
    shift = -(loss.T @ exposure.shares)  # row i: what the hosts lose or gain when host i gets twice its share
    np.fill_diagonal(shift, gain.sum(axis=0))
    inverse, _ = inverse_covariance(exposure)
    requests = exposure.requests.sum()
    by_host = np.einsum("ij,jk,ik->i", shift, inverse, shift) / requests
    in_company = exposure.requests @ together
    stayed = in_company >= min(requests / 2, in_company.max())
    return float(by_host[stayed].min())
