"""The pages of the other questions: a split of one's own, a simulated gateway, two studies, what agrees with AWS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from lab.distribution.gateway import Policy
from lab.distribution.intervals import Share
from lab.distribution.judgement import Analysis, LongerRun, Zones
from lab.experiments.catalogue import EXPERIMENTS
from lab.experiments.figures import FIGURES
from lab.experiments.findings import find
from lab.experiments.study import Study
from lab.records.observations import Hops, Observations
from lab.records.run import TaskRecord, record_of
from lab.report import run_words, split_words, study_words, words
from lab.report.document import Document, Heading, Part, Sentence, Table
from lab.report.split_words import bound, evidence
from lab.report.words import p_words, percent, spread

if TYPE_CHECKING:
    from lab.distribution.policies import Band, Likeness, Simulation
    from lab.experiments.calibration import Calibration
    from lab.experiments.compare import Comparison

_MOST_ROWS = 40  # hosts in a table
_STRIP = 25  # characters


# lab run --list


def experiments_page() -> Document:
    """What each experiment does, how long its load lasts, and whether it can be done on AWS."""
    lines, values, reasons = [], [], dict[str, list[str]]()
    for each in EXPERIMENTS.values():
        on_aws = None if each.not_on_aws else each.seconds_on_aws
        on_twin = f"{each.seconds:g}{' + D' if each.outlasts else ''}"
        lines.append([each.name, each.sentence, on_twin, "no" if on_aws is None else f"{on_aws:g}"])
        names = ("name", "sentence", "seconds", "outlasts", "not_on_aws")
        values.append({**{name: getattr(each, name) for name in names}, "seconds_on_aws": on_aws})
        if each.not_on_aws:
            reasons.setdefault(each.not_on_aws, []).append(each.name)
    parts: list[Part] = [
        Table(("experiment", "what happens", "s on the twin", "s on AWS"), lines, text_columns=2),
        "D: as long as old tasks serve on: drain_seconds, and the deregistration delay of a target group.",
        *(f"`lab run` does not do {words.joined(own)} on AWS: {reason}." for reason, own in reasons.items()),
    ]
    return Document("", parts, {"experiments": values})


# lab drain-task


def drained_page(task: TaskRecord, waited: float, service_ids: Sequence[str]) -> Document:
    """The task that was stopped after it had left Cloud Map's services: each step was told as it was taken."""
    values = {
        "task": task.arn,
        "host": task.hostname,
        "availability_zone": task.availability_zone,
        "deregistered_from": list(service_ids),
        "waited_s": waited,
    }
    return Document("", [], values)


# lab distribution


def with_load_notes(observations: Observations) -> Observations:
    """With what was amiss with the load, where they are those of a run."""
    if observations.run is None:
        return observations
    run = observations.run
    record = record_of(run)
    cut = "complete" in record.model_fields_set and not record.complete
    notes = [run_words.unfinished(run)] if cut else run_words.load_notes(find(run))
    return replace(observations, notes=(*observations.notes, *notes))


def distribution_page(analysis: Analysis) -> Document:
    """Shares, order, time and zones of one split."""
    return Document(bound(analysis.judgement), list(_distribution(analysis)), analysis.as_dict())


def _distribution(analysis: Analysis) -> Iterator[Part]:
    judgement, order = analysis.judgement, analysis.judgement.dependence
    yield evidence(judgement, analysis.p_adjusted("hosts"))
    if analysis.shown("regular"):
        p_value = split_words.p_of(judgement, judgement.p_value_lower, analysis.p_adjusted("regular"))
        yield f"More regular than random choice: so little spread has {p_value}."
    parts = None if analysis.longer_run is None else analysis.longer_run.parts
    if parts is not None and analysis.shown("drifts"):
        p_value = split_words.p_of(judgement, parts.p_trend, analysis.p_adjusted("drifts"))
        yield f"The shares drift ({p_value} for a trend)."
    elif parts is not None and (analysis.shown("windows") or parts.p_between <= judgement.level):
        often = f"vary over time, {parts.heterogeneity / parts.degrees_of_freedom:.3g} times as much as by chance"
        if parts.late and analysis.shown("windows"):
            yield f"The shares {often}."
        else:
            yield f"The answers {often}: the shares do, or a task that paused answered late."
    if order is not None and analysis.shown("order"):
        often = "more" if order.p_sticky < order.p_in_turn else "less"
        yield f"The host of the answer before comes again {often} often than random choice makes it."
    yield Sentence(f"{analysis.source}: taken for {analysis.taken_for}.", "facts")
    yield from analysis.notes
    shown = words.furthest(analysis.shares, _MOST_ROWS)
    some = f"The {len(shown)} of {len(analysis.shares):,} hosts that are furthest off:"
    yield _shares("host", shown, some if len(shown) < len(analysis.shares) else "")
    if judgement.unknown_host:
        yield f"{judgement.unknown_host:,} more requests have no known host; they are left out of the test."
    yield split_words.left_out(judgement)
    yield (
        f"Chi-square {judgement.chi_square:.2f} on {judgement.degrees_of_freedom} degrees of freedom, dispersion "
        f"{judgement.dispersion:.3g} (chance: 1), Cramér's V {judgement.cramers_v:.3g}, "
        f"{p_words(judgement.p_value_independent)} for as much spread, {p_words(judgement.p_value_lower)} for as "
        f"little ({judgement.method})."
    )
    if judgement.p_value > judgement.p_value_independent:
        yield (
            f"Both p are of independent requests. With the overdispersion that order or windows show "
            f"({judgement.dispersion_seen:.3g} times the variance of independent requests) it is "
            f"{p_words(judgement.p_value)} for as much spread."
        )
    if order is not None:
        yield (
            f"Order: {order.repeats:,} of {order.pairs:,} answers repeat the host of the one before, "
            f"{order.expected_repeats:,.0f} by chance; {p_words(order.p_sticky)} for so many, "
            f"{p_words(order.p_in_turn)} for so few."
        )
    if order is not None and order.matrix is not None:
        yield (
            f"Transition matrix against independence: chi-square {order.matrix.chi_square:.2f} on "
            f"{order.matrix.degrees_of_freedom} degrees of freedom, {p_words(order.matrix.p_value)}."
        )
    if analysis.longer_run is not None:
        yield from _longer(analysis.longer_run, judgement.detect, judgement.requests - judgement.left_out)
    if analysis.zones is not None:
        yield from _zones(analysis, analysis.zones)
    family = f"{len(analysis.tested)} tests were made; what they show is shown at 5 % for all of them together (Holm)."
    yield Sentence(family, "facts")


def hops_page(hops: Hops, analyses: Mapping[str, Analysis]) -> Document:
    """Requests by caller and upstream: the gateway over the callers ("" of *analyses*), and each caller over its
    upstreams. A hop without two hosts at the same time has no analysis."""
    lines, values = [], []
    names = words.short(hops.upstreams)
    for caller, observed in {"": hops.callers, **hops.upstreams}.items():
        who, over = ("the gateway", "callers") if not caller else (names[caller], "upstreams")
        requests, hosts = sum(observed.counts.values()), sum(map(bool, observed.counts))
        analysis = analyses.get(caller)
        values.append({"hop": over, "caller": caller or None, **(analysis.as_dict() if analysis else {})})
        if analysis is None:
            lines.append([who, over, f"{requests:,}", f"{hosts}", "-", "-", "-", "-", "no two at a time"])
            continue
        own = analysis.judgement
        even = "uneven" if analysis.evidence else "more regular than chance" if analysis.shown("regular") else "-"
        off = [f"{own.max_deviation:.2%}", "-" if own.bound is None else f"{own.bound:.2%}"]
        tails = f"{analysis.p_adjusted('hosts'):.2g}, {analysis.p_adjusted('regular'):.2g}"
        lines.append([who, over, f"{requests:,}", f"{hosts}", *off, f"{own.dispersion:.3g}", tails, even])
    head = (
        "from",
        "over",
        "requests",
        "hosts",
        "furthest off",
        "at most",
        "dispersion",
        "p as much, as little",
        "shown",
    )
    tests = sum(len(analysis.tested) for analysis in analyses.values())
    parts: list[Part] = [
        Table(head, lines, text_columns=2),
        Sentence(f"{hops.callers.source}: taken for {hops.callers.taken_for}, by caller and upstream.", "facts"),
        Sentence(
            "Dispersion is 1 under random choice and 0 under perfect round robin; `at most` holds with 95 % "
            f"confidence. {tests} tests were made; p is adjusted for all of them together, and shown is what has at "
            "most 0.05 (Holm).",
            "facts",
        ),
        *hops.callers.notes,
    ]
    if hops.located:
        share = hops.crossed / hops.located
        parts.append(f"{hops.crossed:,} of {hops.located:,} calls ({share:.1%}) went to another Availability Zone.")
    title = " ".join(
        split_words.hop_title(*part)
        for part in (("The gateway", "caller", [analyses[""]] if "" in analyses else []),
                     ("Each caller", "upstream", [own for caller, own in analyses.items() if caller]))
        if part[2]
    )  # fmt: skip
    return Document(
        title or "No hop has two hosts at the same time.",
        parts,
        {"hops": values, "calls": hops.located, "calls_to_another_zone": hops.crossed},
    )


def _shares(what: str, shares: Sequence[Share], caption: str = "") -> Table:
    widest = max((abs(end) for share in shares for end in words.deviation_ends(share)), default=0.0) or 1.0
    names = words.short(share.host for share in shares)
    lines = [
        [
            names[share.host] + (" (joined)" if share.joined else "") + (" (left)" if share.left else ""),
            f"{share.requests:,}",
            f"{share.share:.2%}",
            f"{share.low:.2%} to {share.high:.2%}",
            f"{share.deviation:+.2%}",
            _strip(words.deviation_ends(share), share.deviation, widest),
        ]
        for share in shares
    ]
    head = (what, "requests", "share", "95 % interval", "vs even", f"{-widest:+.0%} to {widest:+.0%}".center(_STRIP))
    return Table(head, lines, caption, only_terminal=(5,))


def _strip(ends: tuple[float, float], value: float, widest: float) -> str:
    """A picture of characters: the interval and the value on a scale from minus to plus *widest*, with zero marked."""
    low, zero, high, at = (
        round((min(max(number / widest, -1.0), 1.0) + 1) / 2 * (_STRIP - 1))
        for number in (ends[0], 0.0, ends[1], value)
    )
    cells = ["─" if low <= number <= high else " " for number in range(_STRIP)]
    cells[zero] = "│" if cells[zero] == " " else "┼"
    cells[at] = "●"
    return "".join(cells)


def _longer(run: LongerRun, detect: float, requests: int) -> Iterator[Part]:
    off = f"a host that stays {percent(detect)} off in all windows alike"
    cannot_tell = (
        f"Cannot tell yet: the requests are too few to show or to exclude {off}."
        if run.requests_needed > requests
        else f"Cannot tell: in four of five such runs {off} would be seen, and this one shows none, but the bound does "
        "not exclude it."
    )
    stays, trend = (p_words(run.parts.p_stays), p_words(run.parts.p_trend)) if run.parts else ("", "")
    answer = {
        "stays": f"A longer run would not help: the same difference is in all windows alike ({stays}).",
        "drifts": f"A longer run need not help: the shares drift ({trend}).",
        "within": f"It would change little: no host is more than {percent(run.bound or 0)} off (95 % confidence).",
        "cannot-tell": cannot_tell,
        "unknown": "Without the time or the order of the answers, or enough of them, it cannot be told.",
    }[run.answer]
    yield Heading("Would a longer run help?")
    yield (
        f"{answer} The hosts are {percent(run.skew)} off their share on average (root mean square; of independent "
        f"requests chance alone makes it {percent(run.skew_by_chance)})."
    )
    if run.parts is not None:
        beyond = f" ({p_words(run.parts.p_windows)} beyond what late answers can make)" if run.parts.late else ""
        yield (
            f"Windows: {run.parts.uneven} of {run.parts.windows} are uneven each by itself at 5 %, "
            f"{run.parts.windows / 20:.2g} by chance; {p_words(run.parts.p_between)} for the differences between them"
            f"{beyond}, {trend} for a trend."
        )


def _zones(analysis: Analysis, zones: Zones) -> Iterator[Part]:
    yield Heading("By Availability Zone")
    yield _shares("zone", [zone.share for zone in zones.zones])
    if zones.between is not None:
        yield f"{bound(zones.between, 'zone')} {evidence(zones.between, analysis.p_adjusted('zones'), 'zone')}"
    for zone in zones.zones:
        if zone.within is not None:
            p_adjusted = analysis.p_adjusted("within", zone.zone)
            yield f"Within {zone.zone}: {bound(zone.within)} {evidence(zone.within, p_adjusted)}"
    entry = ", ".join(f"{zone} {percent(fraction)}" for zone, fraction in zones.entry.items())
    supposed = "supposing that requests come in evenly" if zones.entry_assumed else "with requests that come in"
    yield (
        f"Crossed zones: {percent(zones.crossed)} of the requests, {supposed} by zone ({entry}) and that the host is "
        "picked without regard to it."
    )


# lab simulate


def simulation_page(result: Simulation) -> Document:
    """What a gateway would do."""
    return Document("", list(_simulation(result)), asdict(result))


def likeness_page(result: Likeness) -> Document:
    """Which policies a measured run is compatible with."""
    return Document("", list(_likeness(result)), asdict(result))


_PARAMETERS = {
    Policy.RANDOM: "",
    Policy.ROUND_ROBIN: "front ends",
    Policy.LEAST_REQUEST: "requests in flight at each front end",
    Policy.STICKY: "requests of a connection",
}


def _simulation(result: Simulation) -> Iterator[Part]:
    gateway = result.gateway
    yield f"{gateway.policy}: {split_words.gateway_words(gateway)}, {result.requests:,} requests."
    if gateway.policy is Policy.LEAST_REQUEST and result.requests < 20 * gateway.in_flight * gateway.front_ends:
        yield "With so few requests for those in flight the spread is less than this says: the start is left out."
    yield f"One run: {bound(result.run)} {evidence(result.run, result.run.p_value)}"

    def band(name: str, of: Band, form: str) -> list[str]:
        low, median, high = (percent(v) if form == "%" else f"{v:{form}}" for v in (of.low, of.median, of.high))
        return [name, median, f"{low} to {high}"]

    lines = [
        band("task furthest off its share", result.skew.max_deviation, "%"),
        band("dispersion (chance: 1)", result.skew.dispersion, ".3g"),
    ]
    yield Table(("", "median", "95 % of them"), lines, f"{result.skew.runs:,} runs:")


def _likeness(result: Likeness) -> Iterator[Part]:
    run = result.measured
    part = "" if run.whole else " (its longest stretch with unchanged hosts)"
    yield (
        f"{result.source}{part}: {run.requests:,} requests over {run.tasks:,} tasks, chi-square {run.chi_square:.2f}, "
        f"dispersion {run.chi_square / (run.tasks - 1):.3g}. Would a policy spread requests like this?"
    )
    lines = []
    for policy in Policy:
        told: dict[bool, list[str]] = {True: [], False: []}
        for each in result.candidates:
            if each.policy is policy:
                value = f"p = {each.p_value:.2g}{f' ± {each.p_error:.1g}' if each.close else ''}"
                if each.parameter is not None:
                    value = f"{each.parameter:,} ({value})" if each.close else f"{each.parameter:,}"
                told[each.compatible].append(value)
        lines.append([policy.value, _PARAMETERS[policy], ", ".join(told[True]), ", ".join(told[False])])
    yield Table(("policy", "parameter", "compatible", "not compatible"), lines, text_columns=4)
    if any(each.close for each in result.candidates):
        yield "±: two standard errors of the simulation. That p is too close to 5 % to tell which it is."
    yield "Compared is how far the requests spread, and not their order: `lab distribution` says what that shows."
    if result.least_between:
        yield (
            "Least request: the spread is least with one or two requests in flight for each task, and as at random "
            "with one or many in all."
        )
    if result.long_ones_even:
        yield (
            "Sticky: long connections are few, and chance often spreads few as evenly as can be, so that longer ones "
            "can be compatible where shorter ones are not."
        )


# lab compare, lab calibrate


def comparison_page(
    found: Sequence[Comparison], compared: Mapping[str, Study], left_out: Sequence[str] = ()
) -> Document:
    """Two studies, or settings of one, by their names; or the two ways of one, without events that are *left_out*."""
    both, studies = len(compared) > 1, list(compared.values())
    alike = all(len(set(each.ways)) == 1 for each in found)
    ways = [study_words.way_of(way, beside=found[0].beside) for way in found[0].ways]
    if both:
        sides = list(compared) if alike else [f"{name} ({way})" for name, way in zip(compared, ways, strict=True)]
    else:
        sides = ways
    head = ["experiment", *(["way"] if alike else [])]
    lines, others, values = [], [], []
    for each in found:
        way = [study_words.way_of(each.ways[0], beside=each.beside)] if alike else []
        subject = [study_words.comparison_subject(each), *way]
        p_value = f"{each.p_adjusted:.2g}"
        lines.append([*subject, *map(spread, each.failed_seconds), p_value, study_words.comparison_of(each)])
        values.append(_compared(each))
        for one in each.differences:  # the other figures, each with the interval of its difference
            medians = ["-" if side is None else spread(side) for side in (one.first, one.second)]
            figure = FIGURES[one.figure]
            ends = "-" if one.low is None or one.high is None else words.interval(one.low, one.high, figure.unit)
            others.append([*subject, figure.heading, *medians, ends])
    seconds = [f"{side}: s of traffic" for side in sides]
    parts: list[Part] = [
        study_words.unused(studies, "Left out"),
        Table([*head, *seconds, "p", "difference"], lines, text_columns=len(head)),
        Sentence(f"Left out: {words.joined(left_out)}. {study_words.NOT_COMPARED}" if left_out else "", "warning"),
        Sentence(study_words.COMPARED, "facts"),
        *(Sentence(text, "warning") for text in study_words.rates_that_differ(found)),
        Table([*head, "figure", *sides, "95 % interval of the difference"], others, text_columns=len(head) + 1),
    ]
    answer = study_words.comparison_answer(found)
    reasons = dict.fromkeys(left_out, study_words.NOT_COMPARED)
    return Document(answer, parts, {"answer": answer, "experiments": values, "left_out": reasons})


def _compared(each: Comparison) -> dict[str, Any]:
    names = (
        "experiment", "p_value", "p_adjusted", "shown", "would_show", "repeats_needed", "rates", "rates_differ",
    )  # fmt: skip
    return {
        **{name: getattr(each, name) for name in names},
        "parameters": dict(each.setting),
        "way": each.ways[0] if len(set(each.ways)) == 1 else None,
        "ways": list(each.ways),
        "beside": each.beside,
        "failed_seconds": [each.first, each.second],
        "outcomes": [asdict(outcome) for outcome in each.outcomes],
        "differences": [asdict(difference) for difference in each.differences],
    }


def calibration_page(calibration: Calibration, studies: Sequence[Study]) -> Document:
    """Which assumed parameters agree with the runs."""
    values = asdict(calibration) | {"balancing": calibration.balancing}
    return Document("", [study_words.unused(studies, "Left out"), *study_words.calibration_words(calibration)], values)
