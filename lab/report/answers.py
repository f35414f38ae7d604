"""The pages of the other questions: a split of one's own, a simulated gateway, two studies, what agrees with AWS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from lab.distribution.gateway import Gateway, Policy
from lab.distribution.intervals import Share
from lab.distribution.judgement import Analysis, Zones
from lab.distribution.longer import LongerRun
from lab.distribution.policies import Band, Candidate, Likeness, Simulation
from lab.experiments.calibration import Calibration
from lab.experiments.catalogue import EXPERIMENTS, LOAD_BALANCER
from lab.experiments.compare import Comparison
from lab.experiments.figures import FIGURES
from lab.experiments.findings import Findings
from lab.experiments.study import Measured, Spread, Study
from lab.report.document import Document, Heading, Part, Sentence, Table
from lab.report.words import (
    BESIDE,
    COMPARED,
    WAYS,
    bound,
    calibration_words,
    capital,
    column,
    comparison_answer,
    comparison_of,
    comparison_subject,
    deviation_ends,
    evidence,
    failed_and_seconds,
    flaws,
    furthest,
    joined,
    left_out,
    measured_on,
    p_words,
    percent,
    rates_that_differ,
    short,
    spread,
)

__all__ = [
    "calibration_page",
    "comparison_page",
    "distribution_page",
    "experiments_page",
    "simulation_page",
    "table_page",
]

_MOST_ROWS = 40  # hosts in a table
_STRIP = 25  # characters


# lab table


def table_page(studies: Sequence[Study]) -> Document:
    """Events against ways and settings: failed requests, and the seconds of traffic that they are.

    What came through Cloud Map on a stack with a load balancer is left out where a stack without one is there: its
    tasks are kept for the target group's deregistration delay, so that it is no measurement of going without.
    """
    runs = [measured for study in studies for measured in study.measured]
    is_alone = any(len(measured.runs) == 1 for measured in runs)
    found: dict[str, dict[str, list[Findings]]] = {}
    for measured in runs:
        for arm, findings in measured.findings.items():
            if not measured.flaw and (arm == LOAD_BALANCER or len(measured.runs) == 1 or not is_alone):
                cells = found.setdefault(column(measured, arm), {})
                cells.setdefault(findings.experiment.name, []).append(findings)
    names = list(dict.fromkeys(name for cells in found.values() for name in cells))
    rows = [
        [capital(EXPERIMENTS[name].when), *(_failed(cells[name]) if name in cells else "-" for cells in found.values())]
        for name in names
    ]
    times = max((len(each) for cells in found.values() for each in cells.values()), default=0)
    each = "single runs" if times <= 1 else f"up to {times} runs each, as the median (least to most)"
    where = "".join(dict.fromkeys(map(measured_on, runs)))
    told = [text for study in studies for text in flaws(study)]
    parts: list[Part] = [
        Table(["", *found], rows),
        Sentence(f"{where}{capital(each)}: {_load_of(runs)}."),
        Sentence("" if is_alone else BESIDE),
        *([Sentence(f"In none of this: {'; '.join(told)}.", "warning")] if told else []),
    ]
    values = [
        {"experiment": name, "column": head, "runs": len(each), "failures": [findings.failures for findings in each],
         "requests": [findings.requests for findings in each],
         "failed_seconds": [findings.failed_seconds for findings in each]}
        for head, cells in found.items() for name, each in cells.items()
    ]  # fmt: skip
    return Document("Failed requests, and how many seconds of traffic that is", parts, {"cells": values})


def _failed(found: Sequence[Findings]) -> str:
    failures = Spread.of([findings.failures for findings in found], "")
    return failed_and_seconds(failures, Spread.of([findings.failed_seconds for findings in found], "s"))


def _load_of(runs: Sequence[Measured]) -> str:
    rates = [findings.rate for measured in runs for findings in measured.findings.values()]
    low, high = f"{min(rates, default=0):,.0f}", f"{max(rates, default=0):,.0f}"
    return f"{low if low == high else f'{low} to {high}'} requests/s each way"


# lab run --list


def experiments_page() -> Document:
    """What each experiment does, how long its load lasts, and whether it can be done on AWS."""
    lines = [
        [e.name, e.sentence, f"{e.seconds:g}", "no" if e.not_on_aws else f"{e.seconds_on_aws:g}"]
        for e in EXPERIMENTS.values()
    ]
    reasons = dict.fromkeys(e.not_on_aws for e in EXPERIMENTS.values() if e.not_on_aws)
    names = {reason: [e.name for e in EXPERIMENTS.values() if e.not_on_aws == reason] for reason in reasons}
    values = [
        {
            "name": e.name,
            "sentence": e.sentence,
            "seconds": e.seconds,
            "seconds_on_aws": None if e.not_on_aws else e.seconds_on_aws,
            "not_on_aws": e.not_on_aws,
        }
        for e in EXPERIMENTS.values()
    ]
    parts: list[Part] = [
        Table(("experiment", "what happens", "s on the twin", "s on AWS"), lines, text_columns=2),
        *(Sentence(f"Not on AWS: {joined(own)} ({reason}).") for reason, own in names.items()),
    ]
    return Document("", parts, {"experiments": values})


# lab distribution


def distribution_page(analysis: Analysis) -> Document:
    """Shares, order, time and zones of one split."""
    judgement = analysis.judgement
    shown = furthest(analysis.shares, _MOST_ROWS)
    some = f"The {len(shown)} of {len(analysis.shares):,} hosts that are furthest off:"
    parts: list[Part] = [Sentence(evidence(judgement, shown=analysis.evidence))]
    if analysis.shown("regular"):
        regular = f"More regular than random choice: {p_words(judgement.p_value_lower)} for so little spread."
        parts.append(Sentence(regular))
    if judgement.dispersion_seen is not None and analysis.shown("windows"):
        varies = f"The shares vary over time, {judgement.dispersion_seen:.3g} times as much as by chance."
        parts.append(Sentence(varies))
    if analysis.shown("order") and judgement.dependence is not None:
        sticky = judgement.dependence.p_sticky < judgement.dependence.p_in_turn
        often = "more" if sticky else "less"
        order_shown = f"The host of the answer before comes again {often} often than random choice makes it."
        parts.append(Sentence(order_shown))
    parts += [
        Sentence(f"{analysis.source}: taken for {analysis.taken_for}.", "facts"),
        *map(Sentence, analysis.notes),
        _shares("host", shown, some if len(shown) < len(analysis.shares) else ""),
    ]
    if judgement.unknown_host:
        unknown = f"{judgement.unknown_host:,} more requests have no known host; they are left out of the test."
        parts.append(Sentence(unknown))
    spread = (
        f"Chi-square {judgement.chi_square:.2f} on {judgement.degrees_of_freedom} degrees of freedom, dispersion "
        f"{judgement.dispersion:.3g} (chance: 1), Cramér's V {judgement.cramers_v:.3g}, {p_words(judgement.p_value)} "
        f"for as much spread, {p_words(judgement.p_value_lower)} for as little ({judgement.method})."
    )
    parts += [Sentence(left_out(judgement)), Sentence(spread)]
    order = judgement.dependence
    if order is not None:
        repeats = (
            f"Order: {order.repeats:,} of {order.pairs:,} answers repeat the host of the one before, "
            f"{order.expected_repeats:,.0f} by chance; {p_words(order.p_sticky)} for so many, "
            f"{p_words(order.p_in_turn)} for so few."
        )
        parts.append(Sentence(repeats))
    if order is not None and order.matrix is not None:
        matrix = order.matrix
        independence = (
            f"Transition matrix against independence: chi-square {matrix.chi_square:.2f} on "
            f"{matrix.degrees_of_freedom} degrees of freedom, {p_words(matrix.p_value)}."
        )
        parts.append(Sentence(independence))
    if analysis.longer_run is not None:
        parts += _longer(analysis.longer_run, judgement.detect, judgement.requests - judgement.left_out)
    if analysis.zones is not None:
        parts += _zones(analysis, analysis.zones)
    family = f"{len(analysis.tested)} tests were made; what they show is shown at 5 % for all of them together (Holm)."
    return Document(bound(judgement), [*parts, Sentence(family, "facts")], analysis.as_dict())


def _shares(what: str, shares: Sequence[Share], caption: str = "") -> Table:
    widest = max((abs(end) for share in shares for end in deviation_ends(share)), default=0.0) or 1.0
    names = short(share.host for share in shares)
    lines = [
        [
            names[share.host] + (" (joined)" if share.joined else "") + (" (left)" if share.left else ""),
            f"{share.requests:,}",
            f"{share.share:.2%}",
            f"{share.low:.2%} to {share.high:.2%}",
            f"{share.deviation:+.2%}",
            strip(deviation_ends(share), share.deviation, widest),
        ]
        for share in shares
    ]
    head = (what, "requests", "share", "95 % interval", "vs even", f"{-widest:+.0%} to {widest:+.0%}".center(_STRIP))
    return Table(head, lines, caption, only_terminal=(5,))


def strip(ends: tuple[float, float], value: float, widest: float) -> str:
    """A picture of characters: the interval and the value on a scale from minus to plus *widest*, with zero marked."""

    def place(number: float) -> int:
        return round((min(max(number / widest, -1.0), 1.0) + 1) / 2 * (_STRIP - 1))

    cells = [" "] * _STRIP
    for number in range(place(ends[0]), place(ends[1]) + 1):
        cells[number] = "─"
    cells[place(0.0)] = "│" if cells[place(0.0)] == " " else "┼"
    cells[place(value)] = "●"
    return "".join(cells)


def _cannot_tell(run: LongerRun, requests: int, detect: float) -> str:
    """With how many requests it could be told, or that these are as many and showed nothing."""
    if run.requests_needed > requests:
        show = (
            f"{run.requests_needed:,} requests would show a host that stays {percent(detect)} off, four times of five"
        )
        return f"Cannot tell yet: {show}."
    show = f"four of five such runs would have shown a host that stays {percent(detect)} off"
    return f"Cannot tell: {show}, and this one shows none, but the bound does not exclude it."


def _longer(run: LongerRun, detect: float, requests: int) -> list[Part]:
    now = (
        f"The hosts are {percent(run.skew)} off their share on average (root mean square; chance alone makes it "
        f"{percent(run.skew_by_chance)})."
    )
    answer = {
        "stays": "A longer run would not help: the same difference is in all windows alike "
        f"({p_words(run.parts.p_stays) if run.parts else ''}).",
        "drifts": f"A longer run would not help: the shares drift ({p_words(run.parts.p_trend) if run.parts else ''}).",
        "within": f"It would change little: no host is more than {percent(run.bound or 0)} off (95 % confidence).",
        "cannot-tell": _cannot_tell(run, requests, detect),
        "unknown": "Without the time or the order of the answers, or enough of them, it cannot be told.",
    }[run.answer]
    parts: list[Part] = [Heading("Would a longer run help?"), Sentence(f"{answer} {now}")]
    if run.parts is not None:
        windows = (
            f"Windows: {run.parts.uneven} of {run.parts.windows} are uneven each by itself at 5 %, "
            f"{run.parts.windows / 20:.2g} by chance; {p_words(run.parts.p_windows)} for the differences "
            f"between them, {p_words(run.parts.p_trend)} for a trend."
        )
        parts.append(Sentence(windows))
    return parts


def _zones(analysis: Analysis, zones: Zones) -> list[Part]:
    parts: list[Part] = [Heading("By Availability Zone"), _shares("zone", [zone.share for zone in zones.zones])]
    if zones.between is not None:
        between = evidence(zones.between, shown=analysis.shown("zones"), what="zone")
        parts.append(Sentence(f"{bound(zones.between, 'zone')} {between}"))
    parts += [
        Sentence(f"Within {zone.zone}: {bound(zone.within)} {evidence(zone.within, shown=shown)}")
        for zone, shown in ((zone, analysis.shown("within", zone.zone)) for zone in zones.zones)
        if zone.within is not None
    ]
    entry = ", ".join(f"{zone} {percent(fraction)}" for zone, fraction in zones.entry.items())
    supposed = "supposing that requests come in evenly" if zones.entry_assumed else "with requests that come in"
    crossed = (
        f"Crossed zones: {percent(zones.crossed)} of the requests, {supposed} by zone ({entry}) and that the host is "
        "picked without regard to it."
    )
    return [*parts, Sentence(crossed)]


# lab simulate


def simulation_page(result: Simulation | Likeness) -> Document:
    """What a gateway would do, or which policies a measured run is compatible with."""
    parts = _simulation(result) if isinstance(result, Simulation) else _likeness(result)
    return Document("", parts, asdict(result))


_PARAMETERS = {
    Policy.RANDOM: "",
    Policy.ROUND_ROBIN: "front ends",
    Policy.LEAST_REQUEST: "requests in flight at each front end",
    Policy.STICKY: "requests of a connection",
}


def _simulation(result: Simulation) -> list[Part]:
    gateway = result.gateway
    parts: list[Part] = [Sentence(f"{gateway.policy}: {_gateway(gateway)}, {result.requests:,} requests.")]
    if gateway.policy is Policy.LEAST_REQUEST and result.requests < 20 * gateway.in_flight * gateway.front_ends:
        few = "With so few requests for those in flight the spread is less than this says: the start is left out."
        parts.append(Sentence(few))
    lines = [
        ["task furthest off its share", *_band(result.skew.max_deviation, percents=True)],
        ["dispersion (chance: 1)", *_band(result.skew.dispersion)],
    ]
    table = Table(("", "median", "95 % of them"), lines, f"{result.skew.runs:,} runs:")
    one = f"One run: {bound(result.run)} {evidence(result.run, shown=result.run.p_value <= result.run.level)}"
    return [*parts, Sentence(one), table]


def _gateway(gateway: Gateway) -> str:
    words = f"{gateway.tasks:,} tasks, {gateway.front_ends:,} front end{'s' if gateway.front_ends > 1 else ''}"
    if gateway.policy is Policy.LEAST_REQUEST:
        words += f", {gateway.in_flight:,} requests in flight at each"
    if gateway.policy is Policy.STICKY:
        words += f", {gateway.run_length:,} requests a connection"
    return words


def _likeness(result: Likeness) -> list[Part]:
    run = result.measured
    part = "" if run.whole else " (its longest stretch with unchanged hosts)"
    about = (
        f"{result.source}{part}: {run.requests:,} requests over {run.tasks:,} tasks, chi-square {run.chi_square:.2f}, "
        f"dispersion {run.chi_square / (run.tasks - 1):.3g}. Would a policy spread requests like this?"
    )
    lines = []
    for policy in Policy:
        mine = [candidate for candidate in result.candidates if candidate.policy is policy]
        yes = ", ".join(_value(candidate) for candidate in mine if candidate.compatible)
        no = ", ".join(_value(candidate) for candidate in mine if not candidate.compatible)
        lines.append([policy.value, _PARAMETERS[policy], yes, no])
    return [Sentence(about), Table(("policy", "parameter", "compatible", "not compatible"), lines, text_columns=4)]


def _value(candidate: Candidate) -> str:
    if candidate.parameter is None:
        return f"p = {candidate.p_value:.2g}"
    return f"{candidate.parameter:,}"


def _band(band: Band, percents: bool = False) -> tuple[str, str]:
    low, median, high = (percent(v) if percents else f"{v:.3g}" for v in (band.low, band.median, band.high))
    return median, f"{low} to {high}"


# lab compare, lab calibrate


def comparison_page(found: Sequence[Comparison], studies: Sequence[Study]) -> Document:
    """Two studies beside each other, or the two ways of one."""
    both = len(studies) > 1
    heads = ("A", "B") if both else tuple(WAYS.values())
    head = ("experiment", *(["way"] if both else []), *(f"{side}: s of traffic" for side in heads), "p", "difference")
    lines = []
    for each in found:
        way = [WAYS[each.arm]] if both else []
        p_value = f"{each.p_adjusted:.2g}"
        lines.append([comparison_subject(each), *way, *map(spread, each.failed_seconds), p_value, comparison_of(each)])
    parts: list[Part] = [
        *_not_used(studies),
        Table(head, lines, text_columns=2 if both else 1),
        Sentence(COMPARED, "facts"),
        *(Sentence(text, "warning") for text in rates_that_differ(found)),
        _differences(found, heads, both),
    ]
    answer = comparison_answer(found)
    return Document(answer, parts, {"answer": answer, "experiments": [_compared(each) for each in found]})


def _differences(found: Sequence[Comparison], heads: Sequence[str], both: bool) -> Table:
    """The other figures, each with the interval of its difference."""
    lines = [
        [
            comparison_subject(each),
            *([WAYS[each.arm]] if both else []),
            FIGURES[difference.figure].heading,
            *("-" if side is None else spread(side) for side in (difference.first, difference.second)),
            "-" if difference.low is None else f"{difference.low:+,.1f} to {difference.high:+,.1f}",
        ]
        for each in found
        for difference in each.differences
    ]
    head = ("experiment", *(["way"] if both else []), "figure", *heads, "95 % interval of the difference")
    return Table(head, lines, text_columns=3 if both else 2)


def _compared(each: Comparison) -> dict[str, Any]:
    return {
        "experiment": each.experiment,
        "parameters": dict(each.setting),
        "way": each.arm or None,
        "failed_seconds": [list(each.first), list(each.second)],
        "p_value": each.p_value,
        "p_adjusted": each.p_adjusted,
        "shown": each.shown,
        "would_show": each.would_show,
        "repeats_needed": each.repeats_needed,
        "rates": list(each.rates),
        "rates_differ": each.rates_differ,
        "outcomes": [asdict(outcome) for outcome in each.outcomes],
        "differences": [asdict(difference) for difference in each.differences],
    }


def calibration_page(calibration: Calibration, studies: Sequence[Study]) -> Document:
    """Which assumed parameters agree with the runs."""
    return Document("", [*_not_used(studies), *map(Sentence, calibration_words(calibration))], asdict(calibration))


def _not_used(studies: Sequence[Study]) -> list[Part]:
    told = [flaw for study in studies for flaw in flaws(study)]
    return [Sentence(f"Left out: {'; '.join(told)}.")] if told else []
