"""Is it even? What the requests that each host answered allow, and what they are evidence of.

The null hypothesis is random choice: each request goes to one of the hosts that are there, with equal chances (or with
those of `weights`), whatever happened before. What is said first is a bound, as a null hypothesis is never shown to
hold; then evidence against it. Requests that come in runs are spread more than random choice makes it and may favour
no host: where that is seen, only what goes beyond it is evidence of unevenness. All that one page could assert is one
family of tests, at 5 % in all (Holm), and numbers of requests are counted for the level that a test of the page has.

Would a longer run help? A skew that is chance shrinks with 1/sqrt(requests); a lasting one stays. The run (its longest
epoch) is cut into windows. Chi-square of the whole (the pooled one) and chi-square between the windows (heterogeneity)
are independent under chance, and both grow alike under what only makes requests come in runs, such as sticky
connections. So their ratio, each by its degrees of freedom, is an F test of the one thing that a longer run cannot
smooth out: a difference that is there in all windows alike. A trend is tested in the same way. (Partition of
chi-square: Fisher 1925; overdispersion: McCullagh and Nelder 1989, section 4.5.) That the test finds nothing does not
say that nothing stays. So the answer is then either a bound, or the number of requests with which a host that is
`detect` off its share would have been found.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from lab.distribution.dependence import Dependence, dependence
from lab.distribution.goodness import (
    ALPHA,
    Goodness,
    Method,
    goodness_of_fit,
    holm,
    noncentrality,
    requests_needed,
    skew_visible,
    upper_given,
)
from lab.distribution.intervals import (
    INDEPENDENT,
    MOST_WINDOWS,
    Partition,
    Seen,
    Share,
    bound,
    dispersion_seen,
    partition,
    shares,
)
from lab.distribution.presence import Exposure, NotTogether, Subject, expose
from lab.errors import BadInput
from lab.records.observations import Observations

DETECT = 0.05
"""The skew of interest, where none is given."""

What = Literal[
    "hosts",  # more spread over the hosts than random choice makes
    "regular",  # less
    "order",  # more or fewer repeats of the host of the answer before
    "transitions",  # an order that depends on it in any way
    "windows",  # shares that vary over time more than random choice makes them, and late answers where known
    "stays",  # a difference in all windows alike, beyond what varies between them
    "drifts",  # a trend
    "zones",  # spread over the zones
    "within",  # over the hosts of a zone
]


@dataclass(frozen=True)
class Judgement:
    """How even it is, in numbers. Of the fractions, 0.05 is 5 %; chances are those under random choice."""

    requests: int  # with a known host
    unknown_host: int  # requests without
    left_out: int  # of the known ones, answered while a host came or went, or within `settle` seconds of that
    settle: float | None  # None: times are not known
    hosts: int
    bound: float | None  # the largest deviation of any host that the data allow (95 %); None for no requests
    dispersion_seen: float | None  # which bound, p-value and power allow for; None: as if requests are independent
    dispersion_freedom: float | None  # degrees of freedom of its estimate; None: it is none, as of the order
    chi_square: float
    degrees_of_freedom: int
    p_value: float  # the chance of at least this much spread, with the dispersion that is seen
    p_value_independent: float  # the same if requests were independent
    p_value_lower: float  # of at most this much, if they were
    method: Method  # how the last two were found
    dispersion: float  # chi-square by its degrees of freedom: 1 under random choice, 0 under perfect round robin
    max_deviation: float  # the largest |requests / expected - 1|
    furthest_host: str  # which has it
    furthest_deviation: float  # with its sign
    cramers_v: float  # from 0 (even) to 1 (all at one host)
    detect: float  # the skew of interest
    level: float  # of one test
    requests_needed: int  # that show one host `detect` off its share with 80 % power in a test at `level`
    skew_visible: float | None  # what these requests show so; None if there are none
    dependence: Dependence | None  # None where the order of the answers is not known

    @property
    def tests(self) -> int:
        """Of how many tests at 5 % together the one at `level` is."""
        return round(ALPHA / self.level)

    def one_of(self, tests: int) -> Judgement:
        """As one of so many tests at 5 % together: what would be seen, and the requests that it takes."""
        rest = math.inf if self.dispersion_freedom is None else self.dispersion_freedom
        own, visible = self.degrees_of_freedom, self.skew_visible
        more = noncentrality(own, ALPHA / tests, rest) / noncentrality(own, self.level, rest)
        return replace(
            self,
            level=ALPHA / tests,
            requests_needed=math.ceil(more * self.requests_needed),
            skew_visible=None if visible is None else math.sqrt(more) * visible,
        )


def judge(observations: Observations) -> Judgement:
    """Judge how evenly the requests are spread over the hosts: a single test at 5 %.

    Raises BadInput for fewer than two hosts at a time.
    """
    subject = expose(observations)
    return _required(_judged(subject, DETECT, dispersion_seen(partition(subject.exposure))))


def _required(judgement: Judgement | None) -> Judgement:
    if judgement is None:
        raise NotTogether("no two hosts were there at the same time: evenness needs at least two hosts to compare")
    return judgement


def _judged(subject: Subject, detect: float, seen: Seen | None, found: Dependence | None = None) -> Judgement | None:
    """Judge what is observed of the hosts against what is expected; None where no two were there at the same time."""
    if not 0 < detect <= 1:
        raise BadInput(f"a skew of {detect:g} cannot be looked for: give more than 0 % and at most 100 %")
    exposure = subject.exposure
    goodness = goodness_of_fit(exposure)
    freedom = goodness.degrees_of_freedom
    if freedom == 0:
        return None
    given = seen or INDEPENDENT
    visible = skew_visible(exposure, freedom, ALPHA, given)
    rows = shares(exposure, subject.hosts, seen)
    furthest = max(rows, key=lambda row: abs(row.deviation))
    return Judgement(
        requests=int(exposure.requests.sum()) + exposure.left_out,
        unknown_host=subject.unknown,
        left_out=exposure.left_out,
        settle=exposure.settle,
        hosts=len(rows),
        bound=bound(rows),
        dispersion_seen=None if seen is None else seen.dispersion,
        dispersion_freedom=None if math.isinf(given.degrees_of_freedom) else given.degrees_of_freedom,
        chi_square=goodness.chi_square,
        degrees_of_freedom=freedom,
        p_value=upper_given(goodness, given),
        p_value_independent=goodness.upper,
        p_value_lower=goodness.lower,
        method=goodness.method,
        dispersion=goodness.chi_square / freedom,
        max_deviation=abs(furthest.deviation),
        furthest_host=furthest.host,
        furthest_deviation=furthest.deviation,
        cramers_v=_cramers_v(goodness, exposure),
        detect=detect,
        level=ALPHA,
        requests_needed=requests_needed(exposure, freedom, detect, ALPHA, given),
        skew_visible=visible if math.isfinite(visible) else None,
        dependence=found,
    )


def _cramers_v(goodness: Goodness, exposure: Exposure) -> float:
    """The root of chi-square by the largest it could be: all requests at the host of the smallest share."""
    requests = exposure.requests.sum()
    if requests == 0:
        return 0.0
    expected = exposure.expected
    smallest = float(expected[expected > 0].min() / requests)
    return min(1.0, math.sqrt(goodness.chi_square / (requests * (1 - smallest) / smallest)))


@dataclass(frozen=True)
class Zone:
    """The share of one zone, and the judgement on the hosts within it (None for a single host)."""

    zone: str
    hosts: int
    share: Share
    within: Judgement | None


@dataclass(frozen=True)
class Zones:
    """Answers do not say where requests came in, so `crossed` supposes that a host is picked without regard to it."""

    zones: tuple[Zone, ...]
    between: Judgement | None  # the zones against the hosts that they have; None for a single zone
    crossed: float  # the share of requests that were answered in another zone than they came in by
    entry: Mapping[str, float]  # the shares of requests that come in by each zone
    entry_assumed: bool  # nothing was said about it, so evenly over the zones

    def one_of(self, tests: int) -> Zones:
        """As `Judgement.one_of`, all of them."""
        zones = (replace(zone, within=zone.within and zone.within.one_of(tests)) for zone in self.zones)
        return replace(self, zones=tuple(zones), between=self.between and self.between.one_of(tests))


def by_zone(
    subject: Subject,
    zone_of: Mapping[str, str],
    detect: float,
    entry: Mapping[str, float] | None = None,
    seen: Seen | None = None,
) -> Zones | None:
    """Judge zones and the hosts in each; hosts whose zone is not known are left out. None if no zone is known.

    entry: ratio of the requests that come in by each zone. seen: the dispersion of the hosts' requests, which is taken
    to be that of the zones'. Raises BadInput for a ratio that is not positive.
    """
    located = np.array([bool(zone_of.get(host)) for host in subject.hosts])
    if not located.any():
        return None
    hosts = [host for host in subject.hosts if zone_of.get(host)]
    names = sorted({zone_of[host] for host in hosts})
    groups = np.array([names.index(zone_of[host]) for host in hosts])
    exposure = subject.exposure.only(located)
    grouped = exposure.grouped(groups, len(names))
    zones = []
    for number, share in enumerate(shares(grouped, names, seen)):
        members = [host for host, group in zip(hosts, groups, strict=True) if group == number]
        within = _judged(Subject(members, exposure.only(groups == number), 0), detect, seen)
        zones.append(Zone(share.host, len(members), share, within))
    split = _fractions(entry or dict.fromkeys(names, 1.0))
    total = sum(zone.share.requests for zone in zones)
    stayed = sum(split.get(zone.zone, 0.0) * zone.share.requests for zone in zones)
    return Zones(
        zones=tuple(zones),
        between=_judged(Subject(names, grouped, 0), detect, seen),
        crossed=1 - stayed / total if total else 0.0,
        entry=split,
        entry_assumed=not entry,
    )


def _fractions(ratios: Mapping[str, float]) -> dict[str, float]:
    for zone, ratio in ratios.items():
        if not 0 < ratio < math.inf:
            raise BadInput(f"the weight {ratio:g} of zone {zone} is not a positive number")
    return {zone: ratio / sum(ratios.values()) for zone, ratio in ratios.items()}


# Would a longer run help?

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


_THROUGHOUT = 1.3  # times as many requests, for it has to be there without any half of the run too: by simulation


def longer_run(
    exposure: Exposure, parts: Partition | None, judgement: Judgement, shown: Collection[str]
) -> LongerRun | None:
    """Answer from the bound and from what the page has `shown` of "stays" and "drifts"; None for no requests."""
    requests = int(exposure.requests.sum())
    if requests == 0:
        return None
    freedom, detect, level, limit = judgement.degrees_of_freedom, judgement.detect, judgement.level, judgement.bound
    within: Answer = "within" if limit is not None and limit <= detect else "cannot-tell"
    # Shares that drift are off on the whole too, but not in all windows alike: the stronger evidence decides.
    drifts = parts is not None and "drifts" in shown and ("stays" not in shown or parts.p_trend <= parts.p_stays)
    answer: Answer = "drifts" if drifts else "stays" if "stays" in shown else within
    # How many more requests the F test takes than chi-square, with the dispersion that is seen.
    ratio = noncentrality(freedom, level, freedom * (MOST_WINDOWS - 1)) / noncentrality(freedom, level)
    dispersion = 1.0 if parts is None else max(1.0, parts.heterogeneity / parts.degrees_of_freedom)
    return LongerRun(
        answer=answer if parts else "unknown",
        skew=math.sqrt(judgement.chi_square / requests),
        skew_by_chance=math.sqrt(freedom / requests),
        bound=limit,
        requests_needed=math.ceil(requests_needed(exposure, freedom, detect, level) * ratio * dispersion * _THROUGHOUT),
        parts=parts,
    )


# All of a page


@dataclass(frozen=True)
class Tested:
    """One thing that a page could assert: its p-value, and adjusted for all that the page tests; `shown` at 5 %."""

    what: What
    p_value: float
    p_adjusted: float
    shown: bool
    zone: str = ""


@dataclass(frozen=True, eq=False)
class Analysis:
    """All that can be said about what was read, and the `subject` that it is about; `shares` by host name.

    `tested` is the family of all tests that were made, at 5 % together.
    """

    source: str
    taken_for: str
    notes: tuple[str, ...]
    judgement: Judgement
    tested: tuple[Tested, ...]
    shares: tuple[Share, ...]
    longer_run: LongerRun | None
    zones: Zones | None
    subject: Subject

    def shown(self, what: What, zone: str = "") -> bool:
        """Whether there is evidence of it."""
        return self.p_adjusted(what, zone) <= ALPHA

    def p_adjusted(self, what: What, zone: str = "") -> float:
        """For all that the page tests; 1 for what is not tested."""
        found = (each.p_adjusted for each in self.tested if each.what == what and each.zone == zone)
        return next(found, 1.0)

    @property
    def evidence(self) -> bool:
        """Whether there is evidence that the requests are spread unevenly over the hosts."""
        return self.shown("hosts")

    @property
    def is_uneven(self) -> bool:
        """Whether there is evidence of it on the whole, in all windows alike, or of shares that drift."""
        return self.evidence or self.shown("stays") or self.shown("drifts")

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: the judgement's at the top, then the rest by name."""
        limit = self.judgement.bound
        return {
            "source": self.source,
            "taken_for": self.taken_for,
            "notes": list(self.notes),
            "bound_percent": None if limit is None else 100 * limit,
            "evidence": self.evidence,
            **asdict(self.judgement),
            "tested": [asdict(each) for each in self.tested],
            "shares": [asdict(share) for share in self.shares],
            "longer_run": None if self.longer_run is None else asdict(self.longer_run),
            "zones": None if self.zones is None else asdict(self.zones),
        }


def analyse(
    observations: Observations,
    *,
    weights: Mapping[str, float] | None = None,
    detect: float = DETECT,
    entry: Mapping[str, float] | None = None,
    settle: float | None = None,
) -> Analysis:
    """Judge what was read, in every way that a page does.

    weights, settle: see `expose`. detect: the skew of interest as a fraction, see `lab.distribution.goodness`. entry:
    see `by_zone`. Raises BadInput for fewer than two hosts at a time, and for a number of these that is unusable.
    """
    try:
        return _analysed(expose(observations, weights, settle), observations, detect, entry)
    except BadInput as error:
        raise type(error)(f"{observations.source}, lines 1 to {observations.lines}: {error}") from None


def together(analyses: list[Analysis]) -> list[Analysis]:
    """Those of one page: all that they test is one family."""
    p_values = [each.p_value for analysis in analyses for each in analysis.tested]
    adjusted, number = iter(holm(p_values)), len(p_values)
    return [
        replace(
            analysis,
            judgement=analysis.judgement.one_of(number),
            zones=analysis.zones and analysis.zones.one_of(number),
            tested=tuple(replace(each, p_adjusted=(p := next(adjusted)), shown=p <= ALPHA) for each in analysis.tested),
        )
        for analysis in analyses
    ]


def _analysed(
    subject: Subject, observations: Observations, detect: float, entry: Mapping[str, float] | None
) -> Analysis:
    exposure = subject.exposure
    found = None
    if observations.sequence is not None and exposure.longest is not None:
        whole = exposure.constant and exposure.left_out == 0
        found = dependence(exposure.longest, observations.sequence, whole)
    parts = partition(exposure, observations.latency_variance or 0.0)
    seen = dispersion_seen(parts, found)

    tests: list[tuple[What, float, str]] = []
    if found is not None:
        tests.append(("order", min(1.0, 2 * min(found.p_sticky, found.p_in_turn)), ""))
        if found.matrix is not None:
            tests.append(("transitions", found.matrix.p_value, ""))
    if parts is not None:
        tests += [("windows", parts.p_windows, ""), ("stays", parts.p_stays, ""), ("drifts", parts.p_trend, "")]
    judgement = _required(_judged(subject, detect, seen, found))
    tests += [("hosts", judgement.p_value, ""), ("regular", judgement.p_value_lower, "")]
    zones = by_zone(subject, observations.zones, detect, entry, seen)
    if zones is not None:
        if zones.between is not None:
            tests.append(("zones", zones.between.p_value, ""))
        tests += [("within", zone.within.p_value, zone.zone) for zone in zones.zones if zone.within is not None]
    number = len(tests)
    adjusted = zip(tests, holm([p_value for _, p_value, _ in tests]), strict=True)
    tested = tuple(Tested(what, p_value, p, p <= ALPHA, zone) for (what, p_value, zone), p in adjusted)
    shown = {each.what for each in tested if each.shown}
    judgement = judgement.one_of(number)
    return Analysis(
        source=observations.source,
        taken_for=observations.taken_for,
        notes=observations.notes,
        judgement=judgement,
        tested=tested,
        shares=tuple(sorted(shares(exposure, subject.hosts, seen), key=lambda share: share.host)),
        longer_run=longer_run(exposure, parts, judgement, shown),
        zones=zones and zones.one_of(number),
        subject=subject,
    )
