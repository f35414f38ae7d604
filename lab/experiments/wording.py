"""Findings in plain words, for the terminal and the report."""

from __future__ import annotations

from collections.abc import Mapping

from lab.experiments.catalogue import DIRECT, LOAD_BALANCER
from lab.experiments.findings import Findings, Period
from lab.experiments.study import Study
from load.results import Run

__all__ = [
    "BESIDE",
    "answer",
    "failures_in_words",
    "flaws",
    "missed_rate",
    "period_in_words",
    "periods_table",
    "times_in_words",
]


_LEFT = {DIRECT: "Cloud Map", LOAD_BALANCER: "the target group"}  # where each way looks for tasks
_ASKED = 0.98  # of the rate that was asked for, below which it is said

BESIDE = (
    "A service with a load balancer keeps each task that leaves for the target group's deregistration delay before it "
    "is stopped, which also serves the requests that still come through Cloud Map: what clients see without any load "
    "balancer is measured on a stack that has none."
)
"""What must be known to read both ways side by side."""


def answer(findings: Mapping[str, Findings]) -> str:
    """What clients saw, in one sentence, from the findings of each arm."""
    direct = findings[DIRECT]
    if not direct.requests:
        return "No request was answered or failed: nothing was measured."
    flaw = next((each.flaw for each in findings.values() if each.flaw), "")
    if flaw and direct.fault is None:
        return f"{flaw[0].upper()}{flaw[1:]}, so nothing was seen of it: {_failed(direct).lower()} until then."
    text = f"{_failed(direct)} {direct.experiment.when}"
    if beside := findings.get(LOAD_BALANCER):
        text += f"; through a load balancer {_failed(beside).lower()}"
    return f"{text}, but {flaw}: what came later is not known." if flaw else f"{text}."


def flaws(study: Study) -> list[str]:
    """The runs of a study that say nothing, each with the reason: `stop-task, repeat 2 (the load ended ...)`."""
    return [f"{measured.label} ({measured.flaw})" for measured in study.measured if measured.flaw]


def _failed(findings: Findings) -> str:
    failed = f"{findings.failures:,}" if findings.failures else "None"
    return f"{failed} of {findings.requests:,} requests failed"


def failures_in_words(findings: Findings) -> str:
    """Such as `81 failed (503 from the path to the tasks: 81), from 0.0 s to 1.7 s after the stop`."""
    if not findings.failures:
        return "none failed"
    causes = ", ".join(f"{cause}: {count:,}" for cause, count in findings.failures_by_cause.items())
    words = f"{findings.failures:,} failed ({causes})"
    if findings.fault and (before := findings.period("before")) and before.failures:
        words += f", of these {before.failures:,} before {findings.experiment.event}"
    if findings.fault and findings.failure_window:
        first, last = findings.failure_window
        words += f", from {first:.1f} s to {last:.1f} s after {findings.experiment.event}"
    return words


def missed_rate(run: Run) -> str | None:
    """A sentence where less than 98 % of the rate that was asked for was sent: the load was not what was planned."""
    asked, seconds = float(run.meta.get("settings", {}).get("rate") or 0), float(run.meta.get("duration_s") or 0)
    requests = sum(row.requests for row in run.timeline)
    # Each user's first request is due within an interval of its own, so the sum may be one a user short by nature.
    if not seconds or requests >= _ASKED * asked * seconds - int(run.meta.get("users") or 0):
        return None
    return (
        f"{requests / seconds:,.0f} of {asked:,g} requests/s could be sent: for more give more --users, each of whom "
        "has 256 requests under way at most, or take a faster machine."
    )


def periods_table(findings: Findings) -> tuple[list[str], list[list[str]]]:
    """Head and lines: each host's requests and their share of those with a known host, by period; failed; p99.

    A dash: it answered nothing in the period, or the period has no latencies.
    """
    periods = findings.periods
    head = ["host", *(f"{p.name} ({p.last_second - p.first_second + 1} s)" for p in periods)]

    def cell(period: Period, host: str) -> str:
        requests = period.counts.get(host, 0)
        return f"{requests:,} ({requests / sum(period.counts.values()):.1%})" if requests else "-"

    hosts = sorted({host for period in periods for host in period.counts})
    return head, [
        *([host, *(cell(period, host) for period in periods)] for host in hosts),
        ["failed", *(f"{period.failures:,}" for period in periods)],
        ["p99 ms", *("-" if period.p99_ms is None else f"{period.p99_ms:.1f}" for period in periods)],
    ]


def times_in_words(findings: Findings) -> list[str]:
    """What happened when after the fault, a sentence each; none without a fault."""
    if findings.fault is None:
        return []
    times = findings.times
    new = times.replaced_by[0] if len(times.replaced_by) == 1 else f"all {len(times.replaced_by)} new tasks"
    steps = [
        ("ECS acted", times.detect),
        (f"the last task that went was out of {_LEFT[findings.arm]}", times.deregister),
        (f"{new} served", times.replace),
        ("the split was even again", times.even),
    ]
    told = [f"{what} {seconds:.1f} s" for what, seconds in steps if seconds is not None]
    sentences = []
    if told:
        text = ", ".join(told)
        sentences.append(f"{text[0].upper()}{text[1:]} after {findings.experiment.event}.")
    if times.even is None:
        if findings.too_short:
            sentences.append("What was left of the run is too little to tell whether the split was even again.")
        else:
            sentences.append("Within the run it did not come to an even split without failures again.")
    if findings.unhealthy_answers:
        sentences.append(f"{findings.unhealthy_answers:,} requests were answered by tasks that never got healthy.")
    return sentences


def period_in_words(period: Period) -> str:
    """The verdict on a period's split."""
    span = f"{period.name.capitalize()} ({period.last_second - period.first_second + 1} s)"
    if period.judgement is None:
        return f"{span}: hosts came and went, or fewer than two answered, so there is no split to judge."
    return f"{span}: {period.judgement.explanation}"
