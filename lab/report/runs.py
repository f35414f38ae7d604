"""The part of a page that tells of one experiment: each arm's facts, pictures and numbers."""

from __future__ import annotations

from datetime import UTC, datetime

from lab.distribution.analysis import Analysis, analyse
from lab.distribution.pictures import convergence_svg, convergence_title, distribution_svg, distribution_title
from lab.distribution.wording import percent
from lab.errors import BadInput
from lab.experiments.findings import Findings, of_period
from lab.experiments.matrix import WAYS
from lab.experiments.study import Measured
from lab.experiments.wording import BESIDE, failures_in_words, missed_rate, period_in_words, times_in_words
from lab.pictures import colours_of
from lab.records.observations import observe
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
    parts = [
        html.paragraph(missed_rate(run) or "", "missed"),
        html.paragraph(" ".join([f"{facts[0].upper()}{facts[1:]}.", *times_in_words(findings)])),
    ]
    if not run.timeline:
        return parts
    parts.append(html.figure("Requests per second by host", pictures.timeline(run, findings, colours)))
    for period in findings.periods:
        if period.judgement is not None and (analysis := _analysis(of_period(run, period))):
            caption = f"{distribution_title(analysis)}, {period.name}"
            parts.append(html.figure(caption, distribution_svg(analysis, colours), period_in_words(period)))
    if analysis := _analysis(run):
        parts.append(html.figure(convergence_title(analysis), convergence_svg(analysis, colours)))
    if len(findings.periods) > 1:
        parts.append(_periods(findings))
    parts.append(_hosts(findings))
    if findings.failures:
        causes = [(str(cause), f"{requests:,}") for cause, requests in findings.failures_by_cause.items()]
        parts.append(html.table(("Failures", "Requests"), causes))
    return parts


def _analysis(run: Run) -> Analysis | None:
    try:
        return analyse(observe(run))
    except BadInput:  # fewer than two hosts
        return None


def _periods(findings: Findings) -> str:
    """Each host's requests and their share of those with a known host; what failed, of all requests; p99."""
    periods = findings.periods
    totals = [sum(period.counts.values()) for period in periods]
    rows = []
    for host in sorted({host for period in periods for host in period.counts}):
        row = [host]
        for period, total in zip(periods, totals, strict=True):
            requests = period.counts.get(host, 0)
            row += [f"{requests:,}", percent(requests / total)] if requests else ["-", "-"]
        rows.append(row)
    failed, p99 = ["failed"], ["p99 ms"]
    for period in periods:
        failed += [f"{period.failures:,}", ""]
        p99 += ["-" if period.p99_ms is None else f"{period.p99_ms:,.1f}", ""]
    over = [("", 1), *((f"{p.name} ({p.last_second - p.first_second + 1} s)", 2) for p in periods)]
    return html.table(["Host", *["Requests", "Share"] * len(periods)], [*rows, failed, p99], over=over)


def _hosts(findings: Findings) -> str:
    head = ("Host", "Zone", "Requests", "Failed", "Share", "p50 ms", "p95 ms", "p99 ms")
    rows = [
        (
            host.hostname or "(no host known)", host.availability_zone, f"{host.requests:,}", f"{host.failures:,}",
            percent(host.share), f"{host.p50_ms:,.1f}", f"{host.p95_ms:,.1f}", f"{host.p99_ms:,.1f}",
        )
        for host in findings.hosts
    ]  # fmt: skip
    return html.table(head, rows, text_columns=2)
