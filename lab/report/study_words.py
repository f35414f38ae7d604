"""What the lab says of several runs, of two sets of them, and of a calibration: each sentence once."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from lab.experiments.catalogue import DIRECT, GATEWAY, Experiment
from lab.experiments.findings import Findings
from lab.experiments.study import Ending, Measured, Row, Study
from lab.report.run_words import SERVE_ON, failed_before, flaw_of, spared, throttled
from lab.report.words import THROUGH, WAYS, capital, drain, joined, lost_seconds, p_words

if TYPE_CHECKING:  # each takes a tenth of a second, and most pages are about neither
    from lab.experiments.calibration import Assumption, Calibration, Candidate
    from lab.experiments.compare import Comparison


MATRIX = (
    "Times are seconds after the event: when requests began to fail and when they ceased, to the second; when the"
    " split over the hosts was even again; when ECS began to stop or to start a task; when the last stopped task "
    "was out of Cloud Map, or of the load balancer's target group; when the last new task first answered. A dash:"
    " it did not happen in the run, or there is no such thing in it. Even again is late by chance now and then, "
    "in up to a fifth of simulated runs."
)


def lost_shows(events: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """The picture of what each event lost, for those who cannot see it."""
    told = []
    for event, own in events.items():
        ways = [f"{f'{name} ' if len(own) > 1 else ''}{lost_seconds(found)}" for name, found in own.items()]
        told.append(f"{event}: {', '.join(ways)}")
    return f"Bars of the seconds of traffic that failed. {'; '.join(told)}."


COMPARED = (
    "Seconds of traffic: failed requests by the rate that was sent. The run is the unit; p is adjusted for all "
    "experiments here, and a difference is shown at 5 %."
)


def comparison_subject(each: Comparison) -> str:
    """Such as `stop-task, discovery_ttl 5`."""
    return _at_setting(each.experiment, each.setting)


def _at_setting(experiment: str, setting: Mapping[str, float]) -> str:
    return ", ".join([experiment, *(f"{name} {value:g}" for name, value in setting.items())])


NOT_COMPARED = (
    "What passed by the load balancer is no measurement of going without: its tasks are kept for the target group's "
    "deregistration delay too. Compare with a study of a stack without one: lab compare A B"
)
"""Of events that keep tasks for a load balancer, why its two ways are not compared."""


def way_of(arm: str, *, beside: bool) -> str:
    """As the head of a column; *beside*: past the load balancer of the stack."""
    return f"{WAYS[arm]}{ON_ONE if beside and arm == DIRECT else ''}"


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
    """A sentence for each experiment whose two sides were not sent the same."""
    return [
        f"{comparison_subject(each)}: {each.rates[0]:,.0f} and {each.rates[1]:,.0f} requests/s were sent, so more than "
        "one thing is compared."
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


def load_notes(measured: Sequence[Measured], matrix: Sequence[Row], parts: Sequence[Study] = ()) -> list[str]:
    """What was amiss with the loads of several runs, of which *matrix* has the rows; *parts*: of these studies."""
    found = [(each.label, findings) for each in measured for findings in each.findings.values()]
    missed = "; ".join(dict.fromkeys(label for label, findings in found if findings.missed_rate))
    refused, before = (sum(count(findings) for _, findings in found) for count in (throttled, failed_before))
    told = {
        (differ := loads_that_differ(parts)): differ,
        f"Sent less than was asked for: {missed}.": missed,
        (slow := slow_before(matrix)): slow,
        f"{refused:,} of what failed is the stage's limit (429), whatever happened to the tasks.": refused,
        f"{before:,} of what failed had failed before the event.": before,
    }
    return [sentence for sentence, is_so in told.items() if is_so]


def loads_that_differ(parts: Sequence[Study]) -> str:
    """Of studies that were put together, what differs in their loads and numbers of tasks; "" where nothing does.

    How long a load was is compared of one event on one way to a service with one drain: each sets how long it takes.
    """
    own = [(part, _load(part)) for part in parts]
    values: dict[object, set[str]] = {}
    for _, load in own:
        for key, value in load.items():
            values.setdefault(key, set()).add(value)
    told: dict[str, list[str]] = {}
    for part, load in own:
        if differing := list(dict.fromkeys(value for key, value in load.items() if len(values[key]) > 1)):
            told.setdefault(", ".join(differing), []).append(part.folder.name)
    groups = [f"{load} in {joined(names)}" for load, names in told.items()]
    return f"Measured under different conditions: {'; '.join(groups)}." if groups else ""


def _load(study: Study) -> dict[object, str]:
    """What there is to say of the loads of a study, by what must be alike elsewhere."""
    told: dict[object, set[str]] = {}
    for each in study.measured:
        for arm, found in each.findings.items():
            asked = "a closed loop" if found.asked_rate is None else f"{found.asked_rate:,g} requests/s"
            told.setdefault("rate", set()).add(asked)
            told.setdefault("users", set()).add(f"{found.users:,} users")
            event = each.name, each.hop, arm, len(each.findings), each.drain
            told.setdefault(event, set()).add(f"{found.planned or found.duration:.0f} s of {each.name}")
        if each.record.tasks:
            told.setdefault("tasks", set()).add(f"{each.record.tasks_at_start} tasks")
    return {key: " or ".join(sorted(values)) for key, values in told.items()}


def slow_before(matrix: Sequence[Row]) -> str:
    """The rows whose requests were slow before anything happened, beside the others; "" where there is none."""
    known = [(row, found.median) for row in matrix if (found := row.figures.get("p99_before_ms"))]
    usual = statistics.median([p99 for _, p99 in known]) if known else 0.0
    slow = [
        f"{_at_setting(row.experiment.name, row.parameters)} {THROUGH[row.arm]} ({p99:,.0f} ms)"
        for row, p99 in known
        if p99 > max(_SLOW, _MUCH_SLOWER * usual)
    ]
    if not slow:
        return ""
    limit = f"p99 above {_SLOW:g} ms and {_MUCH_SLOWER:g} times the median of all, {usual:,.0f} ms"
    return f"Slow before anything happened ({limit}): {joined(slow)}. Something else was at work; repeat it."


_SLOW, _MUCH_SLOWER = 100.0, 5.0  # ms, and times as slow as the others


def swept(matrix: Sequence[Row]) -> list[str]:
    """The names of the settings that differ between rows, `drain_seconds` too where services differ in them."""
    names = list(dict.fromkeys(name for row in matrix for name in row.parameters))
    differ = len({(row.drain, row.ending) for row in matrix if row.ending}) > 1
    return [*names, DRAIN] if differ and DRAIN not in names else names


def setting(name: str, row: Row) -> str:
    """The value of what was swept, with what the application was seen to do; a dash for none."""
    value = row.setting(name)
    if value is None:
        return "-"
    return f"{value:g}{_MEANING[row.ending, value > 0]}" if name == DRAIN and row.ending else f"{value:g}"


DRAIN = "drain_seconds"
_MEANING = {
    (Ending.AS_SET, False): ": ends at once", (Ending.AS_SET, True): ": serves on",
    (Ending.AT_ONCE, True): ": ends at once", (Ending.SOONER, True): ": ends sooner",
    (Ending.LATER, False): ": runs on", (Ending.LATER, True): ": runs on for longer",
}  # fmt: skip


def luck(measured: Sequence[Measured]) -> str:
    """The runs that may have lost nothing by luck, where no repeat of them did either; "" where there is none."""
    repeats: dict[tuple[object, ...], list[Measured]] = {}
    for each in measured:
        if not each.flaw:
            key = each.name, tuple(sorted(each.parameters.items())), each.drain, each.ending
            repeats.setdefault(key, []).append(each)
    lossless = [own for own in repeats.values() if not any(each.findings[DIRECT].failures for each in own)]
    lucky = [own[0].label for own in lossless if any(map(spared, own))]
    if not lucky:
        return ""
    return (
        f"This may be luck: {'; '.join(lucky)} lost none, and a task ended before the gateway's list of it would have "
        "expired at another age. `--repeat 6` shows how many requests such a stop may lose."
    )


def not_followed(measured: Sequence[Measured]) -> str:
    """That a service does not follow its drain_seconds, and what to do; "" where that was not seen."""
    seen = [each for each in measured if each.ending and not each.flaw]
    astray = [each for each in seen if each.ending in (Ending.AT_ONCE, Ending.SOONER)]
    if not astray:
        return ""
    how = "at once" if all(each.ending is Ending.AT_ONCE for each in astray) else "sooner"
    at_once = [
        each for each in seen if each.ending is Ending.AT_ONCE or (each.ending is Ending.AS_SET and not each.drain)
    ]
    settings = sorted({each.drain or 0.0 for each in seen if DRAIN in each.parameters})
    if len(settings) > 1 and at_once == seen:
        told = joined([f"{value:g}" for value in settings])
        return (
            f"The service ended at once at every drain_seconds ({told}): it does not read DRAIN_SECONDS, so these "
            f"settings are repeats of each other. {SERVE_ON}"
        )
    drains = joined([f"{value:g}" for value in sorted({each.drain or 0.0 for each in astray})])
    who = (
        "The service"
        if all(each.ending in (Ending.AT_ONCE, Ending.SOONER) for each in seen if each.drain)
        else "A service"
    )
    return f"{who} ended {how}, though drain_seconds was {drains}: it does not follow DRAIN_SECONDS. {SERVE_ON}"


def column(row: Row) -> str:
    """The way to the tasks, what the application does on SIGTERM, and what else was swept."""
    way = way_of(row.arm, beside=row.beside)
    told = [f"tasks of {row.hop}{ON_ONE if row.beside else ''}" if row.arm == DIRECT and row.hop != GATEWAY else way]
    if row.ending or row.drain or DRAIN in row.parameters:
        told.append(drain(row.drain or 0.0, row.ending))
    told += [f"{name} {value:g}" for name, value in row.parameters.items() if name != DRAIN]
    return ", ".join(told)


ON_ONE = ", on a stack with one"
"""Beside the way that passes by a load balancer."""

AT_LEAST = "*"
"""Beside a number of failed requests, and the last of them, where the load ended before all was seen."""


def counted_until(found: Sequence[Findings]) -> str:
    """How long the load went on after each event, and what AT_LEAST means if it is there; "" without events."""
    after: dict[str, list[float]] = {}
    for each in found:
        if each.after is not None:
            after.setdefault(each.experiment.event, []).append(each.after)
    if not after:
        return ""
    text = f"The load went on for {joined([f'{_span(own)} after {event}' for event, own in after.items()])}."
    ended = {
        "before the tasks did that were stopped": any(each.unended for each in found),
        "while requests failed": any(each.fails_to_the_end for each in found),
    }
    if not any(ended.values()):
        known = [each.went_on is not None for each in found if each.experiment.outlasts]
        return f"{text[:-1]}; tasks that were stopped on purpose had ended by then." if known and all(known) else text
    how = " or ".join(how for how, is_so in ended.items() if is_so)
    return (
        f"{text} Where a number has a {AT_LEAST}, the load ended {how}: "
        "what clients see after that is not measured, and the number is the least."
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
    if calibration.candidates:
        lines += _balancing_words(calibration)
        if calibration.front_ends:
            low, high = calibration.front_ends
            least = "any number" if low is None else f"{low:,}"
            lines.append(
                f"Front ends, if it is round robin: {least} to {high:,}, for each may go through one order of the "
                "tasks or be given a new one at each discovery, which AWS does not document."
            )
    else:
        lines.append("Balancing: too few requests; run baseline.")
    if calibration.unused:
        lines.append(
            f"Left out of the balancing: {', '.join(calibration.unused)} (too few requests while the hosts were the "
            "same, without the seconds in which front ends may not yet know of one that came or went)."
        )
    return lines


def _balancing_words(calibration: Calibration) -> list[str]:
    """Which policies are compatible at 5 %, which are not, and how often that is wrong."""
    own: dict[tuple[bool, str], list[Candidate]] = {}
    for each in calibration.candidates:
        own.setdefault((each.compatible, each.policy), []).append(each)
    told: dict[bool, list[str]] = {True: [], False: []}
    for (compatible, policy), found in own.items():
        p_value = p_words(max(each.p_value for each in found))
        if len(found) > 1:
            p_value = p_value.replace("p = ", "p up to ")
        parameters = ", ".join(str(each.parameter) for each in found if each.parameter is not None)
        told[compatible].append(
            f"{policy} ({_PARAMETER[policy]} {parameters}; {p_value})" if parameters else f"{policy} ({p_value})"
        )
    of = f"{calibration.requests:,} requests"
    if calibration.stretches > 1:
        of += f", {calibration.stretches} stretches of unchanged hosts as one test"
    agreeing = (
        f"compatible at 5 %: {_either(told[True])}"
        if told[True]
        else "no policy that is simulated is compatible at 5 %"
    )
    lines = [f"Balancing: {agreeing}. From {of}."]
    if told[False]:
        lines.append(
            f"Not compatible at 5 %: {'; '.join(told[False])}. On one page in twenty the gateway's own policy is "
            "among these by chance; another run tells."
        )
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
