"""Confidence intervals of the hosts' shares that all hold at once, and the bound on the skew that follows from them.

Goodman's intervals (Technometrics 7, 1965): Wilson's score interval for each host at the level 1 - alpha / hosts. They
are for independent requests. Requests that come in runs carry less: with a dispersion of D, n of them say as much as n
/ D independent ones. D is taken to be what is seen, at least 1 (quasi-likelihood: McCullagh and Nelder 1989, section
4.5):

- between windows: chi-square of the heterogeneity by its degrees of freedom. As D is then an estimate, the quantile is
  Student's, with these degrees of freedom, in place of the normal one;
- in the order: requests for each independent draw of a host (`Dependence.dispersion`), which also sees connections that
  are tied to one host for longer than a window.

What neither shows, such as runs on connections that are not told apart in a short run, is not allowed for.

Windows are of when requests were answered, not sent: while a task pauses, its answers wait for a later window. So
random choice too makes answers that vary between windows, and the shares are shown to vary only by what goes beyond
that. At one moment the square of the answers that are late is on average at most rate^2 times the variance of the
latencies (two requests are late together at most as long as the older one is), and each end of a window moves that
many. Those of a run may be more than on average, but more than twenty times as many in at most one run of twenty
(Markov's inequality). The dispersion is not made less by them, for that might make intervals too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lab.distribution.dependence import Dependence
from lab.distribution.presence import Exposure
from lab.imports import special
from lab.records.observations import Integers, Numbers, Windows

CONFIDENCE = 0.95
MOST_WINDOWS = 32  # enough for the estimate, and few enough for each to outlast runs of answers
_LEAST_WINDOWS = 4
_EXPECTED = 5.0  # requests at every host in every window
_ROUNDING = 1e-15  # of a share, which rounding makes of exactly equal ones
_LATE = 20  # times what late answers make on average


@dataclass(frozen=True)
class Partition:
    """Chi-square of the longest epoch in parts: of the windows alike (pooled), between them, and of a trend."""

    windows: int  # of the run
    uneven: int  # which fail a test of evenness at 5 % each by itself
    heterogeneity: float  # chi-square between the windows
    degrees_of_freedom: int  # of that
    late: float  # of that, what late answers alone can make; 0 where latencies are not known
    p_between: float  # of as much heterogeneity
    p_windows: float  # of as much beyond `late`
    p_stays: float  # of as large a difference in all windows alike; 1 where one half of the run has most of it
    p_trend: float  # of as large a trend


def partition(exposure: Exposure, latency_variance: float = 0.0) -> Partition | None:
    """None where neither time nor order is known, and for fewer than two hosts or four windows.

    latency_variance: in s^2.
    """
    longest = exposure.longest
    if longest is None:
        return None
    expected = exposure.shares[int(exposure.requests.argmax())]
    table = coarse(longest, expected)
    expected = expected[expected > 0]
    windows, own = len(table), len(expected) - 1
    if windows < _LEAST_WINDOWS or own < 1:
        return None

    def chi_square(counts: Integers) -> Numbers:
        even = counts.sum(axis=-1, keepdims=True) * expected
        return np.asarray(((counts - even) ** 2 / even).sum(axis=-1))

    def f_test(statistic: float, rest: float, freedom: int) -> float:
        if rest <= 0:
            return 1.0 if statistic <= 0 else 0.0
        return float(special.fdtrc(own, freedom, statistic / own / (rest / freedom)))

    each, pooled, requests = chi_square(table), float(chi_square(table.sum(axis=0))), table.sum(axis=1)
    between, freedom = max(0.0, float(each.sum()) - pooled), (windows - 1) * own
    # Both ends of each window, of which the requests are rate * width.
    late = _LATE * 2 * int(requests.sum()) * latency_variance * (windows / (len(longest.starts) * longest.width)) ** 2
    # Linear trend over the windows: the mean score of each host (Cochran-Mantel-Haenszel; two hosts: Cochran-Armitage).
    when = np.arange(windows) - np.average(np.arange(windows), weights=requests)
    trend = float((((when @ table) ** 2) / expected).sum() / (requests @ when**2))
    return Partition(
        windows=windows,
        uneven=int(np.count_nonzero(special.chdtrc(own, each) <= 1 - CONFIDENCE)),
        heterogeneity=between,
        degrees_of_freedom=freedom,
        late=late,
        p_between=float(special.chdtrc(freedom, between)),
        p_windows=float(special.chdtrc(freedom, max(0.0, between - late))),
        p_stays=f_test(pooled, between, freedom) if _is_throughout(table, expected) else 1.0,
        p_trend=f_test(trend, between - trend, freedom - own),
    )


def _is_throughout(table: Integers, expected: Numbers) -> bool:
    """Whether the difference of the whole is there, half as large or larger, without any half of the windows (n, k).

    Windows that follow each other need not be independent: a host that is away for a third of the run makes the whole
    differ by more than windows do from each other, and is no difference that stays.
    """

    def difference(counts: Integers) -> Numbers:
        total = counts.sum(axis=0)
        return np.asarray(total / max(1, total.sum()) - expected)

    half = len(table) // 2
    whole = difference(table) / expected
    rests = [
        np.concatenate([table[:at], table[at + half :]]) for at in (0, (len(table) - half) // 2, len(table) - half)
    ]
    return all(float(difference(rest) @ whole) >= 0.5 * float(difference(table) @ whole) for rest in rests)


def coarse(windows: Windows, expected: Numbers, most: int = MOST_WINDOWS) -> Integers:
    """Neighbouring windows put together: at most so many, (n, hosts present), each with _EXPECTED at every host."""
    counts = windows.counts[:, expected > 0]
    requests = counts.sum(axis=1)
    size = max(requests.sum() / most, _EXPECTED / expected[expected > 0].min())
    number = ((np.cumsum(requests) - requests) // size).astype(np.int64)
    _, group = np.unique(number, return_inverse=True)
    table = np.zeros((int(group.max(initial=-1)) + 1, counts.shape[1]), dtype=np.int64)
    np.add.at(table, group, counts)
    if len(table) > 1 and table[-1].sum() < size / 2:
        table[-2] += table[-1]
        table = table[:-1]
    return table


@dataclass(frozen=True)
class Seen:
    """The dispersion that is seen, at least 1, and the degrees of freedom of its estimate (infinite from the order)."""

    dispersion: float
    degrees_of_freedom: float


INDEPENDENT = Seen(1.0, math.inf)


def dispersion_seen(parts: Partition | None, found: Dependence | None = None) -> Seen | None:
    """What windows and order of the longest epoch show; None where neither is known, or they are too few."""
    seen = [] if found is None else [Seen(found.dispersion, math.inf)]
    if parts is not None:
        seen.append(Seen(parts.heterogeneity / parts.degrees_of_freedom, parts.degrees_of_freedom))
    most = max(seen, key=lambda each: each.dispersion, default=None)
    return most and Seen(max(1.0, most.dispersion), most.degrees_of_freedom)


@dataclass(frozen=True)
class Share:
    """What one host got of the requests in its own time, as fractions with 95 % confidence for all hosts together.

    `deviation` is requests / expected requests - 1.
    """

    host: str
    requests: int
    share: float
    low: float
    high: float
    expected_share: float
    deviation: float
    joined: bool
    left: bool


def shares(exposure: Exposure, hosts: list[str], seen: Seen | None = None) -> list[Share]:
    """The share of each of the hosts (k), in the order given."""
    own_time = exposure.requests @ (exposure.shares > 0)
    total, expected = np.maximum(own_time, 1), exposure.expected
    low, high = _wilson(exposure.observed, own_time, len(hosts), seen or INDEPENDENT)
    deviation = np.where(expected > 0, exposure.observed / np.where(expected > 0, expected, 1.0) - 1, 0.0)
    deviation[np.abs(deviation) < _ROUNDING] = 0.0
    columns = (
        exposure.observed, exposure.observed / total, low, high, expected / total, deviation,
        exposure.joined, exposure.left,
    )  # fmt: skip
    return [Share(*row) for row in zip(hosts, *(column.tolist() for column in columns), strict=True)]


def _wilson(observed: Integers, requests: Integers, hosts: int, seen: Seen) -> tuple[Numbers, Numbers]:
    """Both ends for each host (k,); from 0 to 1 for one that had no requests to get."""
    tail = (1 - CONFIDENCE) / hosts / 2
    freedom = seen.degrees_of_freedom
    quantile = -float(special.ndtri(tail) if math.isinf(freedom) else special.stdtrit(freedom, tail))
    weight = quantile**2 * seen.dispersion
    n = np.maximum(requests, 1).astype(np.float64)
    p = observed / n
    middle = (p + weight / (2 * n)) / (1 + weight / n)
    half = np.sqrt(weight * (p * (1 - p) / n + weight / (4 * n**2))) / (1 + weight / n)
    # Without requests all is possible, and rounding must not exclude what was seen.
    return np.where(observed == 0, 0.0, middle - half), np.where(observed == requests, 1.0, middle + half)


def bound(rows: Sequence[Share]) -> float | None:
    """The largest deviation of any host from its share that the intervals allow; None for no requests."""
    expected = [row for row in rows if row.expected_share > 0]
    if not any(row.requests for row in rows):
        return None
    return max(max(row.high / row.expected_share - 1, 1 - row.low / row.expected_share) for row in expected)
