"""The verdict on a distribution of requests over hosts, with the numbers behind it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lab.distribution import wording
from lab.distribution.dependence import Dependence, dependence
from lab.distribution.exposure import SETTLE, Exposure, Stay
from lab.distribution.goodness import Goodness, Method, goodness_of_fit
from lab.distribution.intervals import Seen, bound, dispersion_seen, shares
from lab.distribution.power import ALPHA, requests_needed, skew_visible
from lab.distribution.subject import expose
from lab.distribution.wording import Verdict
from lab.errors import BadInput
from lab.records.observations import Sequence, Windows

__all__ = ["Judgement", "Verdict", "judge", "judge_exposure", "order_of"]

_LOWER_ALPHA = 0.025
_ALPHA_AMONG_MANY = (
    0.001  # of either tail: a matrix has some thirty splits, of which chance alone would make two uneven
)


@dataclass(frozen=True)
class Judgement:
    """Is it even? `explanation` says it in one sentence; the rest are the numbers behind it.

    `bound` is the largest deviation of any host from its share that the data allow with 95 % confidence, as a fraction;
    None for no requests. It allows for `dispersion_seen`; where that is None, as neither time nor order tells it, the
    bound holds only if requests are independent. `requests` are those with a known host, `unknown_host` those without;
    `left_out` of the known ones were answered while a host came or went, or within `settle` seconds of that (None:
    times are not known). `p_value` is the chance of at least this much spread, `p_value_lower` of at most this much;
    `method` says how both were found. `dispersion` is chi-square by its degrees of freedom: about 1 under random
    choice, 0 under perfect round robin. `max_deviation` is the largest |requests / expected - 1| over the hosts, at
    `furthest_host`. `cramers_v` runs from 0 (even) to 1 (all at one host). `requests_needed` would show one host
    `detect` off its share with 80 % power; `skew_visible` is what these requests show, None if there are none.
    `dependence` is None where the order of the answers is not known.
    """

    requests: int
    unknown_host: int
    left_out: int
    settle: float | None
    hosts: int
    bound: float | None
    dispersion_seen: float | None
    chi_square: float
    degrees_of_freedom: int
    p_value: float
    p_value_lower: float
    method: Method
    dispersion: float
    max_deviation: float
    furthest_host: str
    cramers_v: float
    detect: float
    requests_needed: int
    skew_visible: float | None
    dependence: Dependence | None
    verdict: Verdict
    explanation: str


def judge(
    counts: Mapping[str, int],
    *,
    weights: Mapping[str, float] | None = None,
    detect: float = 0.05,
    windows: Windows | None = None,
    sequence: Sequence | None = None,
    presence: Mapping[str, Stay] | None = None,
    settle: float = SETTLE,
    among_many: bool = False,
) -> Judgement:
    """Judge the requests that each host answered.

    counts: requests by hostname. The key "" means that no host is known: left out of the test, but counted. A host that
        should have answered and did not belongs in here with 0.
    weights: the expected ratio between hosts, 1 where not given. A host named only here counts as 0.
    detect: the skew of interest as a fraction; see `lab.distribution.power`.
    windows: the same requests over time, a column for each host of `counts` but ""; then hosts that joined or left
        part-way are judged over their own time.
    sequence: the order of the answers, with the windows that were counted with it. presence: from when to when each
    host was there, in the windows' unit, as the run's records say; of a host that is not
        in it, the answers say so.
    settle: seconds to leave out around each arrival and departure; without times nothing can be.
    among_many: it is one of many judgements that are read together, so "uneven" and "more regular than chance" take
        p < 0.001.
    Raises BadInput for fewer than two hosts at a time, a count that is negative or not whole, an unusable weight or
    skew.
    """
    subject = expose(counts, weights, windows, presence, settle)
    found = order_of(subject.exposure, sequence)
    return judge_exposure(
        subject.exposure,
        subject.hosts,
        detect,
        subject.unknown,
        found,
        seen=dispersion_seen(subject.exposure, found),
        among_many=among_many,
    )


def order_of(exposure: Exposure, sequence: Sequence | None) -> Dependence | None:
    """What the order of the answers says, in the longest epoch; None where it is not known or too short."""
    if sequence is None or exposure.longest is None:
        return None
    whole = exposure.constant and exposure.left_out == 0
    return dependence(exposure.longest, sequence, ALPHA, whole)


def judge_exposure(
    exposure: Exposure,
    hosts: list[str],
    detect: float,
    unknown: int = 0,
    found: Dependence | None = None,
    what: str = "host",
    *,
    seen: Seen | None = None,
    among_many: bool = False,
) -> Judgement:
    """Judge what is observed of `hosts` (k) against what is expected of them; `what` they are is said in words."""
    if not 0 < detect <= 1:
        raise BadInput(f"a skew of {detect:g} cannot be looked for: give more than 0 % and at most 100 %")
    goodness = goodness_of_fit(exposure)
    freedom = goodness.degrees_of_freedom
    if freedom == 0:
        raise BadInput("no two hosts were there at the same time: evenness needs at least two hosts to compare")
    requests = int(exposure.requests.sum())
    alpha, lower_alpha = (_ALPHA_AMONG_MANY, _ALPHA_AMONG_MANY) if among_many else (ALPHA, _LOWER_ALPHA)
    needed = requests_needed(exposure, freedom, detect, alpha)
    visible = skew_visible(exposure, freedom, alpha)
    expected = exposure.expected
    deviation = np.where(expected > 0, exposure.observed / np.where(expected > 0, expected, 1.0) - 1, 0.0)
    furthest = int(np.argmax(np.abs(deviation)))
    enough = requests >= needed
    verdict = _verdict(goodness, found, enough, alpha, lower_alpha)
    return Judgement(
        requests=requests + exposure.left_out,
        unknown_host=unknown,
        left_out=exposure.left_out,
        settle=exposure.settle,
        hosts=len(hosts),
        bound=bound(shares(exposure, hosts, seen)),
        dispersion_seen=None if seen is None else seen.dispersion,
        chi_square=goodness.chi_square,
        degrees_of_freedom=freedom,
        p_value=goodness.upper,
        p_value_lower=goodness.lower,
        method=goodness.method,
        dispersion=goodness.chi_square / freedom,
        max_deviation=float(abs(deviation[furthest])),
        furthest_host=hosts[furthest],
        cramers_v=_cramers_v(goodness, exposure),
        detect=detect,
        requests_needed=needed,
        skew_visible=visible if math.isfinite(visible) else None,
        dependence=found,
        verdict=verdict,
        explanation=wording.explain(
            verdict,
            goodness,
            found,
            requests=requests,
            hosts=len(hosts),
            furthest=hosts[furthest],
            deviation=float(deviation[furthest]),
            needed=needed,
            detect=detect,
            visible=visible,
            what=what,
            among_many=among_many,
        ),
    )


def _verdict(goodness: Goodness, found: Dependence | None, enough: bool, alpha: float, lower_alpha: float) -> Verdict:
    """A rejection always wins over too few requests: what is seen is seen."""
    if goodness.upper <= alpha:
        return "uneven"
    # With the order known there are two ways to see less than chance, and they share the false alarms.
    less = goodness.lower if found is None else 2 * min(goodness.lower, found.p_in_turn)
    if less <= lower_alpha:
        return "round-robin"
    return "random" if enough else "too-few"


def _cramers_v(goodness: Goodness, exposure: Exposure) -> float:
    """The root of chi-square by the largest it could be: all requests at the host of the smallest share."""
    requests = exposure.requests.sum()
    if requests == 0:
        return 0.0
    expected = exposure.expected
    smallest = float(expected[expected > 0].min() / requests)
    return min(1.0, math.sqrt(goodness.chi_square / (requests * (1 - smallest) / smallest)))
