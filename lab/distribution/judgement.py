"""The verdict on a distribution of requests over hosts, with the numbers behind it."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lab.distribution.goodness import Goodness, goodness_of_fit
from lab.distribution.power import ALPHA, POWER, requests_needed, skew_visible
from lab.errors import BadInput

__all__ = ["Judgement", "Verdict", "judge"]

Verdict = Literal["uneven", "round-robin", "random", "too-few"]

LOWER_ALPHA = 0.025
_LARGEST = 2**53  # counts are compared as floating-point numbers, which are exact up to here


@dataclass(frozen=True)
class Judgement:
    """Is it even? `explanation` says it in one sentence; the rest are the numbers behind it.

    `requests` are those with a known host, `unknown_host` those without. `p_value` is the chance of at least this much
    spread, `p_value_lower` of at most this much; `method` says how both were found. `dispersion` is chi-square by its
    degrees of freedom: about 1 under random choice, 0 under perfect round robin. `max_deviation` is the largest
    |count / expected - 1| over the hosts, at `furthest_host`. `cramers_v` runs from 0 (even) to 1 (all at one host).
    `requests_needed` would show one host `detect` off its share with 80 % power.
    """

    requests: int
    unknown_host: int
    hosts: int
    chi_square: float
    degrees_of_freedom: int
    p_value: float
    p_value_lower: float
    method: Literal["exact", "simulated", "chi-square"]
    dispersion: float
    max_deviation: float
    furthest_host: str
    cramers_v: float
    detect: float
    requests_needed: int
    verdict: Verdict
    explanation: str


def judge(counts: Mapping[str, int], *, weights: Mapping[str, float] | None = None, detect: float = 0.05) -> Judgement:
    """Judge the requests that each host answered.

    counts: requests by hostname. The key "" means that no host is known: left out of the test, but counted. A host that
        should have answered and did not belongs in here with 0.
    weights: the expected ratio between hosts, 1 where not given. A host named only here counts as 0.
    detect: the skew of interest as a fraction; see `lab.distribution.power`.
    Raises BadInput for fewer than two hosts, a count that is negative or not whole, an unusable weight or skew.
    """
    known, unknown = _checked_counts(counts, weights or {})
    if not 0 < detect <= 1:
        raise BadInput(f"a skew of {detect:g} cannot be looked for: give more than 0 % and at most 100 %")
    # One order for all: sums of floating-point numbers depend on it, and a verdict must not.
    hosts = sorted(known, key=lambda host: (known[host][1], known[host][0], host))
    observed = np.array([known[host][0] for host in hosts], dtype=np.int64)
    weight = np.array([known[host][1] for host in hosts], dtype=np.float64)
    shares = weight / weight.sum()

    goodness = goodness_of_fit(observed, shares)
    requests = int(observed.sum())
    needed = requests_needed(shares, detect)
    verdict = _verdict(goodness, requests, needed)
    expected = requests * shares
    deviation = observed / expected - 1 if requests else np.zeros(len(hosts))
    furthest = int(np.argmax(np.abs(deviation)))
    return Judgement(
        requests=requests,
        unknown_host=unknown,
        hosts=len(hosts),
        chi_square=goodness.chi_square,
        degrees_of_freedom=goodness.degrees_of_freedom,
        p_value=goodness.upper,
        p_value_lower=goodness.lower,
        method=goodness.method,
        dispersion=goodness.chi_square / goodness.degrees_of_freedom,
        max_deviation=float(abs(deviation[furthest])),
        furthest_host=hosts[furthest],
        cramers_v=_cramers_v(goodness, requests, shares),
        detect=detect,
        requests_needed=needed,
        verdict=verdict,
        explanation=_explanation(
            verdict, goodness, requests, shares, needed, detect, hosts[furthest], deviation[furthest]
        ),
    )


def _checked_counts(
    counts: Mapping[str, int], weights: Mapping[str, float]
) -> tuple[dict[str, tuple[int, float]], int]:
    for host, weight in weights.items():
        if not (math.isfinite(weight) and weight > 0):
            raise BadInput(f"the weight {weight:g} of host {host!r} is not a positive number")
    known: dict[str, tuple[int, float]] = {host: (0, weight) for host, weight in weights.items()}
    unknown = 0
    for host, count in counts.items():
        try:
            number = operator.index(count)
        except TypeError:
            raise BadInput(f"the count {count!r} of host {host!r} is not a whole number") from None
        if number < 0:
            raise BadInput(f"the count {number} of host {host!r} is negative: counts start at 0")
        if host:
            known[host] = (number, weights.get(host, 1.0))
        else:
            unknown = number
    if len(known) < 2:
        only = f"only one host ({next(iter(known))})" if known else "no host"
        raise BadInput(f"{only} answered: evenness needs at least two hosts to compare")
    if sum(count for count, _ in known.values()) >= _LARGEST:
        raise BadInput(f"the counts add up to more than {_LARGEST:,}, which is beyond exact arithmetic")
    return known, unknown


def _verdict(goodness: Goodness, requests: int, needed: int) -> Verdict:
    """A rejection always wins over too few requests: what is seen is seen."""
    if goodness.upper <= ALPHA:
        return "uneven"
    if goodness.lower <= LOWER_ALPHA:
        return "round-robin"
    return "random" if requests >= needed else "too-few"


def _cramers_v(goodness: Goodness, requests: int, shares: NDArray[np.float64]) -> float:
    """The root of chi-square by the largest it could be, all requests at the host of the smallest share."""
    if requests == 0:
        return 0.0
    smallest = float(shares.min())
    return min(1.0, math.sqrt(goodness.chi_square / (requests * (1 - smallest) / smallest)))


def _explanation(
    verdict: Verdict,
    goodness: Goodness,
    requests: int,
    shares: NDArray[np.float64],
    needed: int,
    detect: float,
    furthest: str,
    deviation: float,
) -> str:
    numbers = f"chi-square {goodness.chi_square:.2f} on {goodness.degrees_of_freedom} "
    numbers += "degree of freedom" if goodness.degrees_of_freedom == 1 else "degrees of freedom"
    hosts = f"{len(shares)} hosts"
    off = f"{furthest} is {_percent(abs(deviation))} {'above' if deviation > 0 else 'below'} its share"
    if verdict == "uneven":
        return (
            f"Uneven: {requests:,} requests are spread over {hosts} more unevenly than chance explains "
            f"({numbers}, p = {goodness.upper:.2g}); {off}."
        )
    if verdict == "round-robin":
        return (
            f"Round robin: {requests:,} requests are spread over {hosts} more evenly than random choice would "
            f"({numbers}, p = {goodness.lower:.2g} for so little)."
        )
    if verdict == "random":
        return (
            f"Random: {requests:,} requests are spread over {hosts} as random choice would ({numbers}, "
            f"p = {goodness.upper:.2g}), and {needed:,} are enough to see a host {_percent(detect)} off its share "
            f"with {_percent(POWER)} power."
        )
    seen = skew_visible(shares, requests)
    visible = f"; these show only a host {_percent(seen)} off" if seen <= 1 else ""
    return (
        f"Too few requests to say: {requests:,} over {hosts} are no more uneven than chance explains ({numbers}, "
        f"p = {goodness.upper:.2g}), but it takes {needed:,} to see a host {_percent(detect)} off its share with "
        f"{_percent(POWER)} power{visible}."
    )


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.3g} %"
