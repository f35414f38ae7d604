"""Goodness of fit: could chance alone have spread the requests over the hosts like this?

Pearson's chi-square with both tails: the upper one asks for more spread than chance, the lower one for less. Where
hosts came and went, the differences between observed and expected are added up over the epochs, and so are their
covariances, as Mantel and Haenszel do over strata and the log-rank test over time; with one epoch that is Pearson's
statistic.

Where the chi-square distribution is only a rough approximation of the statistic's own, the tails are exact (two hosts:
binomial) or simulated. Counts are whole numbers, so near "perfectly even" the statistic has few values and the usual
rule of five expected is not enough for the lower tail; `_enough` has the table behind that.

Requests that come in runs are spread more than that by chance alone. Where their dispersion is seen, chi-square is
divided by it, and is then that of as many independent requests as they are worth. Where it is an estimate from windows,
that is F (McCullagh and Nelder 1989, section 4.5; `lab.distribution.intervals` says how it is estimated).

Power is asked about one host that gets `detect` more than its share (0.05: 5 %) while the others split the rest as
before. That is the hardest skew of its size to see: any further imbalance among the others only adds to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from lab.distribution.intervals import INDEPENDENT, Seen
from lab.distribution.presence import Exposure
from lab.imports import special
from lab.records.observations import Integers, Numbers

ALPHA = 0.05
POWER = 0.80

Method = Literal["exact", "simulated", "chi-square"]

_SEED = 1900  # of Pearson's paper; any fixed number will do: the same counts must get the same verdict every time
_NOTHING = 1e-12  # of a statistic, which one request more or less moves further
_TIE = 1e-9  # relative; the same statistic summed in another order must count as equal
_RANK = 1e-9  # eigenvalues of a correlation matrix below this are rounding


@dataclass(frozen=True)
class Goodness:
    """The statistic, its degrees of freedom, and the chance of as much (upper) or as little (lower) spread.

    Of independent requests, as if their dispersion were 1.
    """

    chi_square: float
    degrees_of_freedom: int
    upper: float
    lower: float
    method: Method


def goodness_of_fit(exposure: Exposure) -> Goodness:
    """Test the observed requests of at least two hosts; no degrees of freedom if no two were there together."""
    quadratic, freedom = _quadratic_form(exposure)
    if freedom == 0 or exposure.requests.sum() == 0:
        return Goodness(0.0, freedom, 1.0, 1.0, "exact")
    statistic = float(quadratic(exposure.observed[np.newaxis, :])[0])
    statistic = statistic if statistic > _NOTHING else 0.0
    if exposure.constant and freedom == 1:
        return Goodness(statistic, freedom, *_binomial_tails(exposure), "exact")
    if not _enough(exposure.expected[exposure.expected > 0], freedom):
        return Goodness(statistic, freedom, *_simulated_tails(statistic, exposure), "simulated")
    lower = float(special.chdtr(freedom, statistic))
    if exposure.constant and lower < 0.05:
        # As little spread as this is never less likely than these very counts.
        lower = max(lower, _multinomial(exposure.observed, exposure.shares[0]))
    return Goodness(statistic, freedom, float(special.chdtrc(freedom, statistic)), lower, "chi-square")


def upper_given(goodness: Goodness, seen: Seen) -> float:
    """The chance of as much spread of requests with the dispersion that is *seen*; never less than of independent ones.

    A dispersion of at most 1 changes nothing.
    """
    if seen.dispersion <= 1:
        return goodness.upper
    own, rest, statistic = goodness.degrees_of_freedom, seen.degrees_of_freedom, goodness.chi_square / seen.dispersion
    given = special.chdtrc(own, statistic) if math.isinf(rest) else special.fdtrc(own, rest, statistic / own)
    return max(goodness.upper, float(given))


def _multinomial(counts: Integers, shares: Numbers) -> float:
    """The chance of these very counts."""
    ways = special.gammaln(counts.sum() + 1) - special.gammaln(counts + 1).sum()
    return float(np.exp(ways + special.xlogy(counts, shares).sum()))


Quadratic = Callable[[Integers], Numbers]


def _quadratic_form(exposure: Exposure) -> tuple[Quadratic, int]:
    """(observed - expected) V^- (observed - expected), of each row of (n, k), and its degrees of freedom.

    V is the sum of the epochs' multinomial covariances.
    """
    expected = exposure.expected
    if exposure.constant:
        return lambda observed: np.asarray(((observed - expected) ** 2 / expected).sum(axis=1)), len(expected) - 1
    inverse, freedom = inverse_covariance(exposure)

    def statistic(observed: Integers) -> Numbers:
        difference = observed - expected
        form = np.asarray(np.einsum("ni,ij,nj->n", difference, inverse, difference, optimize=True))
        return np.where(form > _NOTHING, form, 0.0)  # what is exactly even, floating point has on either side of 0

    return statistic, freedom


@lru_cache(maxsize=4)  # asked for thrice of each exposure, which is equal to itself only
def inverse_covariance(exposure: Exposure) -> tuple[Numbers, int]:
    """The generalised inverse of the covariance (k, k) of the observed requests, and its rank."""
    expected = exposure.expected
    covariance = np.diag(expected) - exposure.shares.T @ (exposure.requests[:, np.newaxis] * exposure.shares)
    # As correlations, so that "nearly zero" has one meaning for all hosts.
    scale = np.sqrt(np.where(expected > 0, expected, 1.0))
    values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
    large = np.abs(values) > _RANK
    inverse = (vectors[:, large] / values[large]) @ vectors[:, large].T
    return inverse / np.outer(scale, scale), int(large.sum())


def _enough(expected: Numbers, freedom: int) -> bool:
    """Whether the chi-square distribution puts both tails near their nominal 5 % and 2.5 %.

    How often they rejected of 200,000 and more even runs (upper, lower), by requests that are expected at each host:

    hosts   5             30              100             300
        3   6.2 %, 0 %    4.8 %, 2.7 %    5.0 %, 3.3 %    5.1 %, 2.4 %
        5   4.6 %, 0.9 %  5.0 %, 2.2 %    5.0 %, 2.4 %    5.0 %, 2.5 %
       12   4.6 %, 2.3 %  5.0 %, 2.6 %    5.0 %, 2.5 %    5.0 %, 2.5 %
       30   5.0 %, 2.5 %  5.0 %, 2.5 %    5.0 %, 2.5 %    5.0 %, 2.5 %
    """
    return bool(expected.min() >= max(5.0, 500.0 / freedom))


def _binomial_tails(exposure: Exposure) -> tuple[float, float]:
    """With two hosts the statistic grows with |count - mean|, and the count is binomial."""
    requests, share = int(exposure.requests[0]), float(exposure.shares[0, 0])
    mean = requests * share
    distance = abs(int(exposure.observed[0]) - mean)
    slack = _TIE * requests

    def at_most(count: float) -> float:
        return 0.0 if count < 0 else float(special.bdtr(min(count, requests), requests, share))

    upper = at_most(math.floor(mean - distance + slack))
    upper += float(special.bdtrc(min(math.ceil(mean + distance - slack) - 1, requests), requests, share))
    lower = at_most(math.floor(mean + distance + slack)) - at_most(math.ceil(mean - distance - slack) - 1)
    return min(1.0, upper), min(1.0, lower)


def _simulated_tails(statistic: float, exposure: Exposure) -> tuple[float, float]:
    """Both tails by simulation; (b + 1) / (m + 1) keeps the stated level exactly (Davison and Hinkley 1997, 4.2)."""
    null = _null(tuple(exposure.requests.tolist()), exposure.shares.shape, exposure.shares.tobytes())
    above, below = as_far(null, statistic)
    return (above + 1) / (len(null) + 1), (below + 1) / (len(null) + 1)


@lru_cache(maxsize=8)
def _null(requests: tuple[int, ...], shape: tuple[int, int], shares: bytes) -> Numbers:
    """The statistics of simulated runs of so many *requests* by epoch, with *shares* of that *shape*."""
    expected = np.frombuffer(shares).reshape(shape)
    hosts = shape[1]
    samples = int(np.clip(600_000 // expected.size, 1_999, 19_999))
    block = max(1, 1_000_000 // hosts)
    nobody = np.zeros(hosts, dtype=np.bool_)
    # Of any counts with these sums: only those are looked at.
    counts = np.zeros(shape, dtype=np.int64)
    counts[:, 0] = requests
    quadratic, _ = _quadratic_form(Exposure(counts, expected, nobody, nobody))
    rng = np.random.default_rng(_SEED)
    found = []
    for start in range(0, samples, block):
        draws = np.zeros((min(block, samples - start), hosts), dtype=np.int64)
        for number, own in zip(requests, expected, strict=True):
            draws += rng.multinomial(number, own, size=len(draws))
        found.append(quadratic(draws))
    return np.concatenate(found)


def as_far(null: Numbers, statistic: float) -> tuple[int, int]:
    """How many of the *null* statistics are as large as the one that was seen, and how many as small."""
    above = np.count_nonzero(null >= statistic * (1 - _TIE))
    return int(above), int(np.count_nonzero(null <= statistic * (1 + _TIE)))


def chi_square(counts: Integers) -> Numbers:
    """Pearson's statistic against an even split, of each row of (n, k)."""
    even = counts.sum(axis=1, keepdims=True) / counts.shape[1]
    return np.asarray(((counts - even) ** 2 / even).sum(axis=1))


def p_values_even(counts: Integers) -> Numbers:
    """The chance of at least this much spread by the chi-square distribution, of each row of (n, k)."""
    return np.asarray(special.chdtrc(counts.shape[1] - 1, chi_square(counts)))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """The p-values of one family, adjusted so that any level holds for all of them at once (Holm 1979)."""
    order = np.argsort(p_values)
    adjusted = np.empty(len(order))
    adjusted[order] = np.maximum.accumulate(np.asarray(p_values)[order] * np.arange(len(order), 0, -1))
    return tuple(np.minimum(adjusted, 1.0).tolist())


@lru_cache
def noncentrality(degrees_of_freedom: int, alpha: float = ALPHA, rest: float = math.inf) -> float:
    """The noncentral parameter at which the upper test at alpha has POWER (Cohen 1988, chapter 7).

    That of chi-square, or of F where the dispersion is an estimate on *rest* degrees of freedom.
    """
    if math.isinf(rest):
        critical = special.chdtri(degrees_of_freedom, alpha)
        return float(special.chndtrinc(critical, degrees_of_freedom, 1 - POWER))
    critical = special.fdtri(degrees_of_freedom, rest, 1 - alpha)
    # The inverse is good to four digits, and a straight line through two points near it to seven.
    near = special.ncfdtrinc(degrees_of_freedom, rest, 1 - POWER, critical) * np.array([1.0001, 0.9999])
    return float(np.interp(1 - POWER, special.ncfdtr(degrees_of_freedom, rest, near, critical), near))


def requests_needed(
    exposure: Exposure, degrees_of_freedom: int, detect: float, alpha: float = ALPHA, seen: Seen = INDEPENDENT
) -> int:
    """Requests after which a skew of `detect` at any one host shows with POWER, with the dispersion that is *seen*."""
    return math.ceil(_worth(degrees_of_freedom, alpha, seen) / (_information(exposure) * detect**2))


def skew_visible(exposure: Exposure, degrees_of_freedom: int, alpha: float = ALPHA, seen: Seen = INDEPENDENT) -> float:
    """The skew of one host that the requests of this run show with POWER; infinite for no requests."""
    requests = int(exposure.requests.sum())
    if requests == 0:
        return math.inf
    return math.sqrt(_worth(degrees_of_freedom, alpha, seen) / (_information(exposure) * requests))


def _worth(degrees_of_freedom: int, alpha: float, seen: Seen) -> float:
    """The noncentrality that as many independent requests have where the test by `upper_given` has POWER.

    Of another such run the dispersion may be seen to be above 1 though it was not here, so an estimate is always F's.
    """
    return noncentrality(degrees_of_freedom, alpha, seen.degrees_of_freedom) * seen.dispersion


@lru_cache(maxsize=4)
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
