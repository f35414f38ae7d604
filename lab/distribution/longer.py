"""Would a longer run help? A skew that is chance shrinks with 1/sqrt(requests); a lasting one stays.

The run (its longest epoch) is cut into windows. Chi-square of the whole (the pooled one) and chi-square between the
windows (heterogeneity) are independent under chance, and both grow alike under what only makes requests come in runs,
such as sticky connections. So their ratio, each by its degrees of freedom, is an F test of the one thing that a longer
run cannot smooth out: a difference that is there in all windows alike. A trend is tested in the same way.
(Partition of chi-square: Fisher 1925; overdispersion: McCullagh and Nelder 1989, section 4.5.)

That the test finds nothing does not say that nothing stays. So the answer is then either a bound, or the number of
requests with which a host that is `detect` off its share would have been found.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from lab.distribution.goodness import noncentrality, requests_needed
from lab.distribution.intervals import MOST_WINDOWS, Partition
from lab.distribution.presence import Exposure

Answer = Literal[
    "stays",  # a difference is there in all windows alike
    "drifts",  # the shares have a trend
    "within",  # neither is shown, and no host is more than the bound off, which is at most the skew of interest
    "cannot-tell",  # neither is shown
    "unknown",  # neither time nor order is known, or they are too short
]


@dataclass(frozen=True)
class LongerRun:
    """What a longer run would change. Fractions of a host's share."""

    answer: Answer
    skew: float  # root mean square of the hosts' deviations from their share
    skew_by_chance: float  # what chance makes of it with so many independent requests
    bound: float | None
    requests_needed: int  # in all, to find a lasting skew of interest with 80 % power
    parts: Partition | None  # None where the answer is "unknown"


def longer_run(
    exposure: Exposure,
    parts: Partition | None,
    chi_square: float,
    degrees_of_freedom: int,
    limit: float | None,
    detect: float,
    level: float,
    shown: Collection[str],
) -> LongerRun | None:
    """Answer from the bound and from what the page has `shown` of "stays" and "drifts"; None for no requests.

    detect: the skew of interest. level: that of one test of the page.
    """
    requests = int(exposure.requests.sum())
    if requests == 0:
        return None
    within: Answer = "within" if limit is not None and limit <= detect else "cannot-tell"
    # Shares that drift are off on the whole too, but not in all windows alike: the stronger evidence decides.
    drifts = parts is not None and "drifts" in shown and ("stays" not in shown or parts.p_trend <= parts.p_stays)
    answer: Answer = "drifts" if drifts else "stays" if "stays" in shown else within
    return LongerRun(
        answer=answer if parts else "unknown",
        skew=math.sqrt(chi_square / requests),
        skew_by_chance=math.sqrt(degrees_of_freedom / requests),
        bound=limit,
        requests_needed=_needed(exposure, parts, degrees_of_freedom, detect, level),
        parts=parts,
    )


def _needed(exposure: Exposure, parts: Partition | None, freedom: int, detect: float, level: float) -> int:
    """Requests with which the F test finds a lasting skew of `detect` with POWER, given the dispersion that is seen."""
    dispersion = 1.0 if parts is None else max(1.0, parts.heterogeneity / parts.degrees_of_freedom)
    ratio = noncentrality(freedom, level, freedom * (MOST_WINDOWS - 1)) / noncentrality(freedom, level)
    return math.ceil(requests_needed(exposure, freedom, detect, level) * ratio * dispersion)
