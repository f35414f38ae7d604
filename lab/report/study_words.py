"""What the lab says of several runs, of two sets of them, and of a calibration: each sentence once."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from lab.experiments.catalogue import DIRECT, GATEWAY, LOAD_BALANCER, UPSTREAM, Experiment
from lab.experiments.findings import Findings
from lab.experiments.study import Measured, Row, Study
from lab.report.run_words import flaw_of
from lab.report.words import THROUGH, WAYS, capital, drain, joined, lost_seconds

if TYPE_CHECKING:  # each takes a tenth of a second, and most pages are about neither
    from lab.experiments.calibration import Assumption, Calibration
    from lab.experiments.compare import Comparison


MATRIX = (
    "Times are seconds after the event: when requests began to fail and when they ceased; when the split over the "
    "hosts was even again; when ECS began to stop or to start a task; when the last stopped task was out of Cloud "
    "Map; when the last new task first answered. A dash: it did not happen in the run, or there is no such thing in "
    "it. Even again is late by chance now and then, in up to a fifth of simulated runs."
)


def lost_shows(events: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """The picture of what each event lost, for those who cannot see it."""
    told = []
    for event, own in events.items():
        ways = [f"{f'{name} ' if len(own) > 1 else ''}{lost_seconds(found)}" for name, found in own.items()]
        told.append(f"{event}: {', '.join(ways)}")
    return f"Bars of the seconds of traffic that failed. {'; '.join(told)}."


COMPARED = (
    "Seconds of traffic: failed requests by the rate. The run is the unit; p is adjusted for all experiments here, "
    "and a difference is shown at 5 %."
)


def comparison_subject(each: Comparison) -> str:
    """Such as `stop-task, discovery_ttl 5`."""
    return ", ".join([each.experiment, *(f"{name} {value:g}" for name, value in each.setting.items())])


def comparison_answer(found: Sequence[Comparison]) -> str:
    """What two sets of runs show of a difference, in one sentence."""
    different = [comparison_subject(each) for each in found if each.shown]
    if not different:
        return f"No difference is shown in {len(found)} experiment{'s' if len(found) > 1 else ''}."
    rest = len(found) - len(different)
    return f"They differ in {joined(different)}{f'; in {rest} more no difference is shown' if rest else ''}."


def comparison_of(each: Comparison) -> str:
    """What the runs show, or what they would have shown."""
    if each.shown:
        return "shown"
    if each.would_show is not None:
        return f"not shown; one of {each.would_show:.1f} s would have been, four times of five"
    if min(len(each.first), len(each.second)) >= each.repeats_needed:
        return "not shown; the runs of a side are alike, so what would have been shown is not known"
    what = "pairs" if each.paired else "runs on each side"
    return f"not shown; it takes {each.repeats_needed} {what} to show any"


def rates_that_differ(found: Sequence[Comparison]) -> list[str]:
    """A sentence for each experiment whose two sides were not asked the same."""
    return [
        f"{comparison_subject(each)}: the rates differ ({each.rates[0]:,.0f} and {each.rates[1]:,.0f} requests/s), so "
        "more than one thing is compared."
        for each in found
        if each.rates_differ
    ]


def flaws(study: Study) -> list[str]:
    """The runs of a study that say nothing, each with the reason: `stop-task, repeat 2 (the load ended ...)`."""
    found = [(measured, flaw_of(each)) for measured in study.measured for each in measured.findings.values()]
    return list(dict.fromkeys(f"{measured.label} ({flaw})" for measured, flaw in found if flaw))


def unused(studies: Sequence[Study], where: str) -> str:
    """Of *where* some runs are not a part, and why; empty if all are."""
    told = [flaw for study in studies for flaw in flaws(study)]
    return f"{where}: {'; '.join(told)}." if told else ""


def slow_before(matrix: Sequence[Row]) -> str:
    """The rows whose requests were slow before anything happened, beside the others; "" where there is none."""
    known = [(row, found.median) for row in matrix if (found := row.figures.get("p99_before_ms"))]
    usual = statistics.median([p99 for _, p99 in known]) if known else 0.0
    slow = [
        f"{row.experiment.name} {THROUGH[row.arm]} ({p99:,.0f} ms)"
        for row, p99 in known
        if p99 > max(_SLOW, _MUCH_SLOWER * usual)
    ]
    if not slow:
        return ""
    others = f"p99 before the event is {usual:,.0f} ms in the median of all"
    return f"Slow before anything happened, where {others}: {joined(slow)}. Something else was at work; repeat it."


_SLOW, _MUCH_SLOWER = 100.0, 5.0  # ms, and times as slow as the others


def swept(matrix: Sequence[Row]) -> list[str]:
    """The names of the settings that differ between rows."""
    return list(dict.fromkeys(name for row in matrix for name in row.parameters))


def setting(name: str, value: float | None) -> str:
    """The value of what was swept, with what it means for the application; a dash for none."""
    if value is None:
        return "-"
    meaning = (": serves on" if value else ": ends at once") if name == "drain_seconds" else ""
    return f"{value:g}{meaning}"


def column(measured: Measured, arm: str) -> str:
    """The way to the tasks, what the application does on SIGTERM, and what else was swept."""
    hop = measured.record.experiment.hop
    told = [f"tasks of {hop}" if arm == DIRECT and hop not in (GATEWAY, UPSTREAM) else WAYS[arm]]
    if arm == DIRECT and LOAD_BALANCER in measured.runs:
        told.append("on a stack with one")
    if measured.drain is not None:
        told.append(drain(measured.drain))
    told += [f"{name} {value:g}" for name, value in measured.parameters.items() if name != "drain_seconds"]
    return ", ".join(told)


UNENDED = "*"
"""Beside a number of failed requests that does not have those of the end of a task."""


def counted_until(found: Sequence[Findings]) -> str:
    """How long the load went on after each event, and what UNENDED means if it is there; "" without events."""
    after: dict[str, list[float]] = {}
    for each in found:
        if each.after is not None:
            after.setdefault(each.experiment.event, []).append(each.after)
    if not after:
        return ""
    text = f"The load went on for {joined([f'{_span(own)} after {event}' for event, own in after.items()])}."
    if not any(each.unended for each in found):
        known = [each.went_on is not None for each in found if each.experiment.outlasts]
        return f"{text[:-1]}; tasks that were stopped on purpose had ended by then." if known and all(known) else text
    return (
        f"{text} Where a number has a {UNENDED}, the load ended before the tasks did that were stopped: what clients "
        "see of their end is not measured."
    )


def without_sigterm(events: Sequence[Experiment]) -> str:
    """Of *events* in columns that differ only in what the application does on SIGTERM; "" for none."""
    if not events:
        return ""
    names = joined([each.name for each in events])
    return (
        f"{capital(names)}: no SIGTERM comes before requests fail, so serving on changes nothing: columns that differ "
        "in that alone differ by chance."
    )


_ALIKE = 2.0  # seconds: no load was asked to be so much longer than another


def _span(seconds: Sequence[float]) -> str:
    """Such as `8 to 9 s`, or `11 s or more`; not rounded up, for nothing is known of what comes later."""
    low, high = math.floor(min(seconds)), math.floor(max(seconds))
    if max(seconds) - min(seconds) > _ALIKE:
        return f"{low} s or more"
    return f"{low if low == high else f'{low} to {high}'} s"


def calibration_words(calibration: Calibration) -> list[str]:
    """What agrees, what cannot be told apart, and what would tell it."""
    leaving, lifetime = calibration.leaving, calibration.leaving.lifetime
    seen = "no task was seen to be stopped on purpose; run stop-task or scale-in."
    if lifetime:
        within = f"{lifetime.low:.1f} s to {lifetime.high:.1f} s with 95 % confidence"
        seen = f"{within} (tasks that left: {lifetime.windows})."
    elif leaving.windows:
        seen = (
            "not to be seen, for no request failed, and retries over connections that are not reused would hide that "
            "as well as a lifetime near 0."
        )
    lines = [f"Cache lifetime (discovery_ttl): {seen}"]
    if leaving.windows:
        together = _either(map(_assumption, leaving.assumptions)) or "nothing that the twin can be set to"
        lines.append(f"Connections and retries: {together}.")
        if len(leaving.assumptions) > 1 and not calibration.drains:
            lines.append("Tasks that serve on after SIGTERM tell more: lab run stop-task --sweep drain_seconds=10")
    if calibration.balancing:
        policies = [
            f"{policy} ({_PARAMETER[policy]} {', '.join(parameters)})" if any(parameters) else policy
            for policy, parameters in calibration.balancing.items()
        ]
        lines.append(f"Balancing: {_either(policies)}, from {calibration.requests:,} requests.")
        if calibration.front_ends:
            low, high = calibration.front_ends
            least = "any number" if low is None else f"{low:,}"
            lines.append(
                f"Front ends, if it is round robin: {least} to {high:,}, for each may go through one order of the "
                "tasks or be given a new one at each discovery, which AWS does not document."
            )
    elif calibration.requests:
        lines.append(f"Balancing: no policy that is simulated spreads requests like these {calibration.requests:,}.")
    else:
        lines.append("Balancing: too few requests; run baseline.")
    return lines


def _either(options: Iterable[str]) -> str:
    told = list(options)
    return "; or ".join(told) + (", which these runs cannot tell apart" if len(told) > 1 else "")


_PARAMETER = {
    "round-robin": "independent orders", "least-request": "requests in flight", "sticky": "requests of a connection",
}  # fmt: skip


def _assumption(assumption: Assumption) -> str:
    reused = "reused" if assumption.reuse_connections else "not reused"
    return f"connections to tasks {reused}, {'one retry or more' if assumption.retries else 'no retry'}"
