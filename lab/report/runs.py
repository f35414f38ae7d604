"""The part of a page that tells of one experiment: each arm's facts, pictures and numbers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from lab.distribution.analysis import Analysis, analyse
from lab.distribution.judgement import judge
from lab.distribution.observations import observe
from lab.distribution.pictures import convergence_svg, distribution_svg
from lab.errors import BadInput
from lab.experiments.findings import Findings, Period, of_period
from lab.experiments.matrix import WAYS
from lab.experiments.study import Measured
from lab.experiments.wording import BESIDE, failures_in_words, period_in_words, times_in_words
from lab.pictures import colours_of
from lab.report import html, pictures
from load.results import Run

__all__ = ["about", "details"]

_ALONE = 2  # level of the headings of a page about one run: a study says it once for all


def about(measured: Measured) -> str:
    """How much load on what, and when."""
    runs = list(measured.runs.values())
    first = runs[0]
    start = datetime.fromtimestamp(float(first.meta.get("start", 0)), UTC)
    users = sum(int(run.meta.get("users", 0)) for run in runs)
    rate = sum(findings.rate for findings in measured.findings.values())
    ways = ", half of it each way" if len(runs) > 1 else ""
    loop = ", each of whom asks again once answered" if not first.meta.get("settings", {}).get("rate") else ""
    seconds = float(first.meta.get("duration_s") or 0)
    return (
        f"{seconds:.0f} s of load with {users} users{loop}, on {first.meta.get('target')} "
        f"({rate:,.0f} requests per second{ways}), from {start:%Y-%m-%d %H:%M:%S} UTC."
    )


def details(measured: Measured, level: int) -> list[str]:
    """All that is to be shown of an experiment, under headings of this *level*."""
    seen = {host.hostname: host.first_seen for run in measured.runs.values() for host in run.hosts}
    colours = colours_of(sorted(filter(None, seen), key=seen.__getitem__))
    parts = [html.paragraph(about(measured), "facts")]
    if len(measured.runs) > 1 and level == _ALONE:
        parts.append(html.paragraph(BESIDE, "facts"))
    for arm, run in measured.runs.items():
        shown = _arm(run, measured.findings[arm], colours)
        title = f"{WAYS[arm][0].upper()}{WAYS[arm][1:]}"
        parts += shown if len(measured.runs) == 1 else [html.section(title, shown, level=level)]
    return parts


def _arm(run: Run, findings: Findings, colours: dict[str, str]) -> list[str]:
    facts = failures_in_words(findings)
    parts = [html.paragraph(" ".join([f"{facts[0].upper()}{facts[1:]}.", *times_in_words(findings)]))]
    if not run.timeline:
        return parts
    parts.append(html.figure("Requests per second by host", pictures.timeline(run, findings, colours)))
    for period in findings.periods:
        if period.judgement is not None and (analysis := _analysis(of_period(run, period))):
            picture = distribution_svg(analysis, colours)
            parts.append(html.figure(f"Split over the hosts, {period.name}", picture, _split_in_words(period)))
    if analysis := _analysis(run):
        caption = "How the split evened out, in the longest time with the same hosts"
        parts.append(html.figure(caption, convergence_svg(analysis, colours)))
    parts.append(_hosts(findings))
    if findings.failures:
        causes = [(str(cause), f"{requests:,}") for cause, requests in findings.failures_by_cause.items()]
        parts.append(html.table(("Failures", "Requests"), causes))
    return parts


def _split_in_words(period: Period) -> str:
    """As on the terminal, but with regard to how many splits a report tells of."""
    return period_in_words(replace(period, judgement=judge(period.counts, among_many=True)))


def _analysis(run: Run) -> Analysis | None:
    try:
        return analyse(observe(run))
    except BadInput:  # fewer than two hosts
        return None


def _hosts(findings: Findings) -> str:
    head = ("Host", "Zone", "Requests", "Failed", "Share", "p50 ms", "p95 ms", "p99 ms")
    rows = [
        (
            host.hostname or "(no host known)", host.availability_zone, f"{host.requests:,}", f"{host.failures:,}",
            f"{host.share:.2%}", f"{host.p50_ms:.1f}", f"{host.p95_ms:.1f}", f"{host.p99_ms:.1f}",
        )
        for host in findings.hosts
    ]  # fmt: skip
    return html.table(head, rows, text_columns=2)
