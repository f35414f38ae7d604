"""What `lab run` shows: a live line while it runs, the findings of a run, the matrix."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from lab.experiments.findings import Findings
from lab.experiments.matrix import ARMS, layout, relative, rows
from lab.experiments.study import Measured, Study
from lab.experiments.wording import (
    failures_in_words,
    flaws,
    missed_rate,
    period_in_words,
    periods_table,
    times_in_words,
)
from lab.runner.load import Seen

__all__ = ["Progress", "print_findings", "print_matrix"]

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

    def show(self, seen: Sequence[Seen], elapsed: float) -> None:
        """Tell how far the loads are, all together."""
        line = (
            f"{min(elapsed, self._duration):3.0f} s of {self._duration:g}   {sum(s.requests for s in seen):,} requests "
            f"({sum(s.rate for s in seen):,.0f}/s)   {sum(s.failures for s in seen):,} failed   "
            f"{len(set().union(*(s.hosts for s in seen)))} hosts"
        )
        self.say(line)

    def say(self, line: str) -> None:
        """Show *line* in place of the one before, or every five seconds where the output is no terminal."""
        if self._live:
            self._live.update(Text(line))
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + _PLAIN_EVERY
            self._console.print(line, highlight=False)

    def note(self, message: str) -> None:
        """Say that something happened."""
        self._console.print(message, highlight=False)


def print_findings(console: Console, measured: Measured) -> None:
    """Of each arm the per-hostname table, the answers under it, and the hosts before, during and after."""
    for arm, findings in measured.findings.items():
        if len(measured.findings) > 1:
            console.print(f"{ARMS[arm]}:", highlight=False)
        _print_hosts(console, findings)
        rate = f"{findings.requests:,} requests in {findings.duration:.0f} s ({findings.rate:,.0f}/s)"
        console.print(f"{rate}, {failures_in_words(findings)}.", highlight=False)
        missed = missed_rate(measured.runs[arm])
        if findings.flaw:
            console.print(f"{findings.flaw[0].upper()}{findings.flaw[1:]}.", highlight=False)
        for sentence in ([missed] if missed else []) + times_in_words(findings):
            console.print(sentence, highlight=False)
        if len(findings.periods) > 1:
            _print_table(console, *periods_table(findings))
        for period in findings.periods:
            if period.judgement is not None:
                console.print(period_in_words(period), highlight=False)


def print_matrix(console: Console, study: Study) -> None:
    """A line for each experiment and setting."""
    matrix = rows(study.measured)
    for head, lines in (layout(matrix), relative(matrix)):
        _print_table(console, head, lines)
    if told := flaws(study):
        console.print(f"Not among these: {'; '.join(told)}.", highlight=False)
    for name, reason in study.left_out.items():
        console.print(f"{name} was left out: {reason}.", highlight=False)


def _print_table(console: Console, head: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    table = Table(box=None, pad_edge=False)
    for number, name in enumerate(head):
        table.add_column(name, justify="left" if number == 0 else "right")
    for line in lines:
        table.add_row(*line)
    console.print(table)


def _print_hosts(console: Console, findings: Findings) -> None:
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
