"""What `lab run` shows: a live line while it runs, and the findings as tables."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from lab.experiments.findings import Findings, Period
from lab.experiments.load import Seen

__all__ = ["Progress", "failures_in_words", "period_in_words", "print_findings", "replacement_in_words"]

_PLAIN_EVERY = 5.0  # seconds between lines where the output is no terminal


class Progress:
    """One line that is drawn anew on a terminal, and a line every five seconds elsewhere."""

    def __init__(self, console: Console, duration: float) -> None:
        self._console = console
        self._duration = duration
        self._live = Live(console=console, transient=True, refresh_per_second=4) if console.is_terminal else None
        self._next = time.monotonic()

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, seen: Seen, elapsed: float) -> None:
        """Tell how far it is."""
        line = (
            f"{min(elapsed, self._duration):3.0f} s of {self._duration:g}   {seen.requests:,} requests "
            f"({seen.rate:,.0f}/s)   {seen.failures:,} failed   {len(seen.hosts)} hosts"
        )
        if self._live:
            self._live.update(Text(line))
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + _PLAIN_EVERY
            self._console.print(line, highlight=False)

    def note(self, message: str) -> None:
        """Say that something happened."""
        self._console.print(message, highlight=False)


def print_findings(console: Console, findings: Findings) -> None:
    """The per-hostname table, and the answers under it."""
    table = Table(box=None, pad_edge=False)
    for name in ("host", "zone"):
        table.add_column(name, no_wrap=True)
    for name in ("requests", "failed", "share", "p50 ms", "p99 ms"):
        table.add_column(name, justify="right", no_wrap=True)
    for host in findings.hosts:
        table.add_row(
            host.hostname or "(no host known)",
            host.availability_zone,
            f"{host.requests:,}",
            f"{host.failures:,}",
            f"{host.share:.1%}",
            f"{host.p50_ms:.1f}",
            f"{host.p99_ms:.1f}",
        )
    console.print(table)
    rate = f"{findings.requests:,} requests in {findings.duration:.0f} s ({findings.rate:,.0f}/s)"
    console.print(f"{rate}, {failures_in_words(findings)}.", highlight=False)
    if findings.fault:
        console.print(replacement_in_words(findings) + ".", highlight=False)
    for period in findings.periods:
        console.print(period_in_words(period), highlight=False)


def failures_in_words(findings: Findings) -> str:
    """Such as `81 failed (503: 81), from 0.0 s to 1.7 s after the stop`."""
    if not findings.failures:
        return "none failed"
    causes = ", ".join(f"{status or 'no answer'}: {count:,}" for status, count in findings.failures_by_status.items())
    words = f"{findings.failures:,} failed ({causes})"
    if findings.fault and findings.failure_window:
        first, last = findings.failure_window
        words += f", from {first:.1f} s to {last:.1f} s after the stop"
    return words


def replacement_in_words(findings: Findings) -> str:
    """When the task that took the place of the stopped one served."""
    assert findings.fault is not None
    if findings.replaced_after is None:
        return f"No replacement of {findings.fault.hostname} served within the run"
    return f"The replacement {findings.replaced_by} served {findings.replaced_after:.1f} s after the stop"


def period_in_words(period: Period) -> str:
    """The verdict on a period's split."""
    span = f"{period.name} ({period.last_second - period.first_second + 1} s)"
    if period.judgement is None:
        return f"{span}: fewer than two hosts answered, so there is no split to judge."
    return f"{span}: {period.judgement.explanation}"
