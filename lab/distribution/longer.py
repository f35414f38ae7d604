"""Would a longer run help? Skew that is chance shrinks with 1/sqrt(requests); bias stays.

The run is cut into windows. Chi-square of the whole (the pooled one) and chi-square between the windows (heterogeneity)
are then independent under chance, and both grow alike under what only makes requests come in runs, such as sticky
connections. So their ratio, each by its degrees of freedom, is an F test of the one thing that a longer run cannot
smooth out: a difference that is there in all windows alike. A trend is tested in the same way.
(Partition of chi-square: Fisher 1925; overdispersion: McCullagh and Nelder 1989, section 4.5.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from lab.distribution.intervals import LEAST_WINDOWS, coarse, heterogeneity
from lab.distribution.wording import p_words, percent
from lab.records.observations import Integers, Windows

__all__ = ["LongerRun", "longer_run"]

_ALPHA = 0.025  # for each of two ways in which a longer run would not help
_RARE = 0.025  # each side of the 95 % interval of the skew that remains


@dataclass(frozen=True)
class LongerRun:
    """`skew` is the root mean square of the hosts' deviations from their share, as a fraction.

    `skew_by_chance` is what chance alone makes of so many requests. `remaining` is the estimate of what is left however
    long the run, `remaining_low` and `remaining_high` its 95 % interval. With windows: how many fail the test of
    evenness each by itself at 5 %, the chi-square between them, and the p-values of a difference that `stays` and of a
    `trend`; None without windows enough.
    """

    skew: float
    skew_by_chance: float
    remaining: float
    remaining_low: float
    remaining_high: float
    windows: int
    windows_uneven: int
    heterogeneity: float | None
    heterogeneity_degrees_of_freedom: int | None
    p_heterogeneity: float | None
    p_stays: float | None
    p_trend: float | None
    answer: Literal["shrinks", "stays", "drifts", "unknown"]
    explanation: str


def longer_run(
    chi_square: float, degrees_of_freedom: int, requests: int, windows: Windows | None, shares: NDArray[np.float64]
) -> LongerRun | None:
    """Judge the whole (its statistic and requests) and its windows with unchanged hosts; expected shares (k,) of these.

    None for no requests.
    """
    if requests == 0:
        return None
    table = coarse(windows, shares) if windows is not None else np.empty((0, len(shares)), dtype=np.int64)
    parts = _partition(table, shares[shares > 0]) if len(table) >= LEAST_WINDOWS else None
    inflation = max(1.0, parts.between) if parts is not None else 1.0
    remaining, low, high = _remaining(chi_square / inflation, degrees_of_freedom)
    scale = math.sqrt(inflation / requests)
    skew, by_chance = math.sqrt(chi_square / requests), math.sqrt(degrees_of_freedom / requests)
    answer = _answer(parts)
    return LongerRun(
        skew=skew,
        skew_by_chance=by_chance,
        remaining=remaining * scale,
        remaining_low=low * scale,
        remaining_high=high * scale,
        windows=len(table),
        windows_uneven=parts.uneven if parts else 0,
        heterogeneity=parts.heterogeneity if parts else None,
        heterogeneity_degrees_of_freedom=parts.freedom if parts else None,
        p_heterogeneity=parts.p_heterogeneity if parts else None,
        p_stays=parts.p_stays if parts else None,
        p_trend=parts.p_trend if parts else None,
        answer=answer,
        explanation=_explanation(answer, parts, skew, by_chance, low * scale, high * scale),
    )


@dataclass(frozen=True)
class _Partition:
    uneven: int
    heterogeneity: float
    freedom: int
    between: float
    p_heterogeneity: float
    p_stays: float
    p_trend: float


def _partition(table: Integers, shares: NDArray[np.float64]) -> _Partition:
    """Chi-square of (windows, hosts) into pooled, trend and the rest between the windows."""
    requests = table.sum(axis=1)
    hosts = len(shares)
    each = stats.chisquare(table, requests[:, np.newaxis] * shares, axis=1)
    pooled = stats.chisquare(table.sum(axis=0), requests.sum() * shares).statistic
    between_windows, freedom = heterogeneity(table, shares)
    # Linear trend over the windows: the mean score of each host (Cochran-Mantel-Haenszel; two hosts: Cochran-Armitage).
    when = np.arange(len(table)) - np.average(np.arange(len(table)), weights=requests)
    trend = float((((when @ table) ** 2) / shares).sum() / (requests @ when**2))
    rest = (between_windows - trend) / (freedom - (hosts - 1))
    between = between_windows / freedom
    return _Partition(
        uneven=int(np.count_nonzero(each.pvalue <= 0.05)),
        heterogeneity=between_windows,
        freedom=freedom,
        between=between,
        p_heterogeneity=float(stats.chi2.sf(between_windows, freedom)),
        p_stays=_f_test(pooled / (hosts - 1), between, hosts - 1, freedom),
        p_trend=_f_test(trend / (hosts - 1), rest, hosts - 1, freedom - (hosts - 1)),
    )


def _f_test(mean_square: float, rest: float, freedom: int, rest_freedom: int) -> float:
    if rest <= 0:
        return 1.0 if mean_square <= 0 else 0.0
    return float(stats.f.sf(mean_square / rest, freedom, rest_freedom))


def _remaining(chi_square: float, freedom: int) -> tuple[float, float, float]:
    """Root of the noncentrality: estimate and 95 % interval, by inverting the noncentral chi-square distribution."""
    low = high = 0.0
    if stats.chi2.cdf(chi_square, freedom) > 1 - _RARE:
        low = float(special.chndtrinc(chi_square, freedom, 1 - _RARE))
    if stats.chi2.cdf(chi_square, freedom) > _RARE:
        high = float(special.chndtrinc(chi_square, freedom, _RARE))
    return math.sqrt(max(0.0, chi_square - freedom)), math.sqrt(low), math.sqrt(high)


def _answer(parts: _Partition | None) -> Literal["shrinks", "stays", "drifts", "unknown"]:
    if parts is None:
        return "unknown"
    if parts.p_stays <= _ALPHA:
        return "stays"
    return "drifts" if parts.p_trend <= _ALPHA else "shrinks"


def _explanation(answer: str, parts: _Partition | None, skew: float, by_chance: float, low: float, high: float) -> str:
    now = f"the hosts are {percent(skew)} off their share on average (by chance alone {percent(by_chance)})"
    remain = f"between {percent(low)} and {percent(high)} would remain however long the run (95 % confidence)"
    if parts is None:
        return f"Without the time or order of the answers only this can be said: {now}; {remain}."
    if answer == "stays":
        alike = f"in all windows alike ({p_words(parts.p_stays)})"
        return f"The skew stays, so a longer run would not help: {now}, {alike}; {remain}."
    if answer == "drifts":
        return f"The shares drift, so a longer run would be no better: {now}; {p_words(parts.p_trend)} for a trend."
    tenfold = f"ten times as many requests would leave about {percent(skew / math.sqrt(10))}"
    return (
        f"The skew shrinks at least with the root of the requests, as chance does: {now}, and no part of it shows "
        f"in all windows alike ({p_words(parts.p_stays)}); {tenfold}; {remain}."
    )
