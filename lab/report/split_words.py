"""What the lab says of how even a split is: each sentence once; a bound, then evidence, then what would be seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.distribution.gateway import Gateway, Policy
from lab.distribution.goodness import ALPHA
from lab.distribution.intervals import Share
from lab.distribution.judgement import Analysis, Judgement
from lab.report.words import MOST_DRAWN, capital, furthest, joined, p_words, percent, short, uncapital


def split(periods: Mapping[str, Judgement], adjusted: Mapping[str, float]) -> str:
    """How even the splits of a run were, by period: bounds, then evidence, then what would have been seen.

    adjusted: the p-value of each for all the tests of the page.
    """
    shown = sorted(name for name, p_value in adjusted.items() if p_value <= ALPHA)
    known = {name: own for name, own in periods.items() if own.bound is not None}
    if not known:
        return ""
    bounded = {name: own for name, own in known.items() if name in shown or not _is_noise(own)}
    text = ""
    if bounded:
        limits = [f"{percent(own.bound or 0)}{_when(name)}" for name, own in bounded.items()]
        limits[0] = limits[0].replace(" %", " % off its share", 1)
        text = f"No host is more than {joined(limits)} ({_confidence(list(bounded.values()))})."
    too_few = [f"{own.requests - own.left_out:,}{_when(name)}" for name, own in known.items() if name not in bounded]
    if too_few:
        text += (
            f" Too few requests to say that no host is more than {percent(_WIDEST)} off its share: {joined(too_few)}."
        )
    for name, own in known.items():
        if 2 * own.left_out > own.requests:
            judged = f"{own.requests - own.left_out:,} of the {own.requests:,} requests{_when(name)}"
            text += f" Judged are {judged}: the others came while a host came or went{_within(own)}."
    for name in shown:
        own = periods[name]
        text += f" Uneven{_when(name)}: {_off(own)} ({p_of(own, own.p_value, adjusted[name])})."
    if len(shown) < len(known):
        rest = " otherwise" if shown else ""
        even = [own for name, own in known.items() if name not in shown]
        text += f" Not shown to be uneven{rest}.{_would_show(even)}{_one_of(even[0])}."
    for name, own in known.items():
        if name not in shown:
            text += _in_runs(own, _when(name))
    return text.strip()


def splits(judgements: Sequence[Judgement], shown: int) -> str:
    """Of runs in which nothing happened: of how many there is evidence at the page's level, and what each allows."""
    known = [own for own in judgements if own.bound is not None]
    if not known:
        return ""
    each = "the one split" if len(known) == 1 else f"{len(known)} splits (at 5 % for all together)"
    text = f"Unevenness is shown in {shown or 'none'} of {each}"
    bounds = [own.bound or 0 for own in known if not _is_noise(own)]
    if not bounds:
        return f"{text}, with too few requests to say that no host is more than {percent(_WIDEST)} off its share."
    low, high = percent(min(bounds)), percent(max(bounds))
    limit = high if low == high else f"{low.removesuffix(' %')} to {high}"
    alone = ", each by itself" if len(bounds) > 1 else ""
    some = f" in {len(bounds)} of them" if len(bounds) < len(known) else ""
    return f"{text}; no host is more than {limit} off its share{some} ({_confidence(known)}{alone})."


_WIDEST = 0.25  # off its share


def _is_noise(judgement: Judgement) -> bool:
    """Whether the bound is so wide because the requests are few, and says no more than that."""
    visible = judgement.skew_visible
    return (judgement.bound or 0) > _WIDEST and (visible is None or visible > _WIDEST)


def _when(period: str) -> str:
    """A run in which nothing happened has one period only, which goes without saying."""
    return "" if period == "whole run" else f" {period}"


def split_numbers(name: str, judgement: Judgement, p_adjusted: float) -> str:
    """The numbers behind what is said of a split."""
    freedom = judgement.degrees_of_freedom
    requests = judgement.requests - judgement.left_out
    if not requests:
        return f"{capital(name)}: {left_out(judgement).strip()}"
    return (
        f"{capital(name)}: {requests:,} requests over {judgement.hosts:,} hosts, chi-square {judgement.chi_square:.2f} "
        f"on {freedom} degree{'s' if freedom > 1 else ''} of freedom, "
        f"{p_of(judgement, judgement.p_value, p_adjusted)}{_given(judgement)}; "
        f"of {judgement.requests_needed:,} requests a host {percent(judgement.detect)} off would be seen in four runs "
        f"of five{_one_of(judgement)}{'; ' if judgement.left_out else '.'}{left_out(judgement)}"
    )


def bound(judgement: Judgement, what: str = "host") -> str:
    """What was measured: how far off its share any host may be."""
    if judgement.bound is None:
        return f"No request was answered by a known {what}."
    return f"No {what} is more than {percent(judgement.bound)} off its share ({_confidence([judgement])})."


def hop_title(who: str, what: str, analyses: Sequence[Analysis]) -> str:
    """Whether a hop is even, such as `Each caller spreads more regularly than chance: no upstream is 0.2 % off.`"""
    uneven = [analysis for analysis in analyses if analysis.evidence]
    furthest = percent(max(analysis.judgement.max_deviation for analysis in uneven or analyses))
    if uneven:
        # Of several callers, those of which it is shown.
        some = who if len(uneven) == len(analyses) else f"{len(uneven)} of {len(analyses)} callers"
        spreads = "spreads" if some == who or len(uneven) == 1 else "spread"
        return f"{some} {spreads} unevenly: one {what} is {furthest} off its share."
    if all(analysis.shown("regular") for analysis in analyses):
        return f"{who} spreads more regularly than chance: no {what} is more than {furthest} off its share."
    return f"{who}: no {what} is shown to be off its share; the furthest is {furthest}."


def evidence(judgement: Judgement, p_adjusted: float, what: str = "host") -> str:
    """Whether it is shown to be uneven; if not, what would have been seen.

    p_adjusted: for all the tests of the page.
    """
    if p_adjusted <= ALPHA:
        return f"Uneven: {_off(judgement)} ({p_of(judgement, judgement.p_value, p_adjusted)})."
    needed = ""
    if judgement.skew_visible is None or judgement.skew_visible > judgement.detect:
        needed = f", and of {judgement.requests_needed:,} requests one {percent(judgement.detect)} off"
    seen = f"{_would_show([judgement], what)}{needed}"
    if judgement.tests > 1:
        seen = f" So tested, {uncapital(seen.strip())}"
    return f"Not shown to be uneven ({p_of(judgement, judgement.p_value, p_adjusted)}).{seen}.{_in_runs(judgement)}"


def p_of(judgement: Judgement, p_value: float, p_adjusted: float) -> str:
    """A p-value, and adjusted for all the tests of the page: `p = 0.047; 0.33 as one of 7 tests`."""
    together = f"; {p_words(p_adjusted).removeprefix('p = ')} as one of {judgement.tests} tests"
    return f"{p_words(p_value)}{together if judgement.tests > 1 else ''}"


def _one_of(judgement: Judgement) -> str:
    """Beside what would be seen: of how many tests at 5 % together, for that moves it."""
    return f" (as one of {judgement.tests} tests)" if judgement.tests > 1 else ""


def _in_runs(judgement: Judgement, when: str = "") -> str:
    """Of a split that is not shown to be uneven, and would be if requests were independent; empty for others."""
    if judgement.dispersion_seen is None or judgement.p_value_independent > judgement.level:
        return ""
    much = f" Independent requests would seldom be spread so much{when} ({p_words(judgement.p_value_independent)}); "
    if judgement.dispersion_seen < _HARDLY:
        return f"{much}answers in runs are, which so few windows do not exclude."
    return f"{much}answers in runs are, and these are seen to be spread {judgement.dispersion_seen:.3g} times as much."


_HARDLY = 1.5  # times the variance of independent requests, which explains no p-value


def _given(judgement: Judgement) -> str:
    """What a p-value allows for beside chance."""
    if judgement.p_value == judgement.p_value_independent:
        return ""
    return f" given an overdispersion of {judgement.dispersion_seen:.3g}"


def _off(judgement: Judgement) -> str:
    more = "more" if judgement.furthest_deviation > 0 else "fewer"
    host = short([judgement.furthest_host])[judgement.furthest_host]
    return f"{host} got {percent(judgement.max_deviation)} {more} requests than its share"


def _would_show(judgements: Sequence[Judgement], what: str = "host") -> str:
    seen = [own.skew_visible for own in judgements if own.skew_visible is not None and own.skew_visible <= 1]
    if len(seen) < len(judgements):
        return " So few requests would hardly show any"
    return f" A {what} {percent(max(seen))} off its share would be seen in four runs of five"


def _confidence(judgements: Sequence[Judgement]) -> str:
    independent = any(own.dispersion_seen is None for own in judgements)
    return f"95 % confidence{', if requests are independent' if independent else ''}"


def left_out(judgement: Judgement) -> str:
    """What of a split was not judged, and why; empty if nothing."""
    if not judgement.left_out:
        return ""
    return f"{judgement.left_out:,} requests are left out, answered while a host came or went{_within(judgement)}."


def _within(judgement: Judgement) -> str:
    return f" or within {judgement.settle:g} s of that" if judgement.settle else ""


def deviations_show(splits: Mapping[str, Sequence[Share]]) -> str:
    """The picture of deviations, for those who cannot see it."""
    told = []
    for name, shares in splits.items():
        names = short(share.host for share in shares)
        hosts = [f"{names[share.host]} {100 * share.deviation:+.1f} %" for share in furthest(shares, MOST_DRAWN)]
        told.append(f"{name}: {', '.join(hosts)}")
    return f"How far each host is off its share. {'; '.join(told)}."


def deviations_title(splits: Mapping[str, Sequence[Share]]) -> str:
    """The caption of the deviations of one split or of several."""
    hosts = len({share.host for shares in splits.values() for share in shares})
    some = f": the {MOST_DRAWN} of {hosts:,} that are furthest off" if hosts > MOST_DRAWN else ""
    moved = any(row.joined or row.left for shares in splits.values() for row in shares)
    return f"How far each host is off its share{', in its own time' if moved else ''}{some}"


def convergence_title(analysis: Analysis) -> str:
    """The caption of the deviations against the requests so far."""
    stretch = "" if analysis.subject.exposure.constant else ", in the longest stretch with the same hosts"
    return f"How far each host is off its share as requests add up{stretch}"


def gateway_words(gateway: Gateway) -> str:
    """A simulated gateway, with what counts for its policy."""
    text = f"{gateway.tasks:,} tasks, {gateway.front_ends:,} front end{'s' if gateway.front_ends > 1 else ''}"
    if gateway.policy is Policy.LEAST_REQUEST:
        text += f", {gateway.in_flight:,} requests in flight at each"
    return text + (f", {gateway.run_length:,} requests a connection" if gateway.policy is Policy.STICKY else "")
