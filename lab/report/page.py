"""report.html: the answer on top, then the pictures, then every number."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from lab.errors import BadInput
from lab.experiments.findings import Findings
from lab.experiments.terminal import failures_in_words, period_in_words, replacement_in_words
from lab.report import pictures
from load.results import Run

__all__ = ["render", "write_report"]

_STYLE = Path(__file__).with_name("report.css")


def write_report(run: Run, findings: Findings) -> Path:
    """Write report.html into the run's folder; its path.

    Raises:
        BadInput: it cannot be written.
    """
    path = run.path / "report.html"
    temporary = path.with_name(".report.html.new")
    try:
        temporary.write_text(render(run, findings), encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise BadInput(
            f"{path} cannot be written ({error.strerror}): free some space and run `lab report {run.path}`."
        ) from None
    return path


def render(run: Run, findings: Findings) -> str:
    """The page as text. It loads nothing from elsewhere."""
    title = findings.fault.kind if findings.fault else "baseline"
    sections = [
        f"<h1>{escape(_answer(findings))}</h1>",
        f'<p class="facts">{escape(_facts(run, findings))}</p>',
        _figure("Requests per second by host", pictures.timeline(run, findings)) if run.timeline else "",
        *(
            _figure(
                f"Split over the hosts, {period.name}", pictures.distribution(period, findings), period_in_words(period)
            )
            for period in findings.periods
            if len(period.counts) > 1
        ),
        _hosts(findings),
        _failures(findings) if findings.failures else "",
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}: what clients saw</title>\n<style>\n{_STYLE.read_text()}</style>\n</head>\n<body>\n"
        + "\n".join(section for section in sections if section)
        + "\n</body>\n</html>\n"
    )


def _answer(findings: Findings) -> str:
    what = {"stop-task": "a task was stopped"}.get(findings.fault.kind, findings.fault.kind) if findings.fault else ""
    if not findings.requests:
        return "No request was answered or failed: nothing was measured."
    share = f"{findings.failures:,} of {findings.requests:,} requests failed"
    counted = f"None of {findings.requests:,} requests failed" if not findings.failures else share
    return f"{counted} when {what}." if what else f"{counted}."


def _facts(run: Run, findings: Findings) -> str:
    start = datetime.fromtimestamp(float(run.meta.get("start", 0)), UTC)
    facts = [
        f"{findings.duration:.0f} s of load with {run.meta.get('users')} users on {run.meta.get('target')} "
        f"({findings.rate:,.0f} requests per second), from {start:%Y-%m-%d %H:%M:%S} UTC",
    ]
    if findings.fault:
        facts += [failures_in_words(findings), replacement_in_words(findings)]
    return ". ".join(fact[0].upper() + fact[1:] for fact in facts) + "."


def _figure(caption: str, svg: str, text: str = "") -> str:
    below = f"<p>{escape(text)}</p>\n" if text else ""
    return f"<figure>\n<figcaption>{escape(caption)}</figcaption>\n{below}{svg}</figure>"


def _hosts(findings: Findings) -> str:
    head = ("Host", "Zone", "Requests", "Failed", "Share", "p50 ms", "p95 ms", "p99 ms")
    rows = [
        (
            host.hostname or "(no host known)", host.availability_zone, f"{host.requests:,}", f"{host.failures:,}",
            f"{host.share:.2%}", f"{host.p50_ms:.1f}", f"{host.p95_ms:.1f}", f"{host.p99_ms:.1f}",
        )
        for host in findings.hosts
    ]  # fmt: skip
    return "<h2>What each host got</h2>\n" + _table(head, rows)


def _failures(findings: Findings) -> str:
    rows = [(str(status) if status else "no answer", f"{n:,}") for status, n in findings.failures_by_status.items()]
    return "<h2>Failures by status</h2>\n" + _table(("Status", "Requests"), rows)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    def line(tag: str, cells: tuple[str, ...]) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "\n".join(line("td", row) for row in rows)
    return f'<div class="wide"><table>\n<thead>{line("th", head)}</thead>\n<tbody>\n{body}\n</tbody>\n</table></div>'
