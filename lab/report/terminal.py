"""Writes a Document to a terminal or a pipe, and shows how a run goes on."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table as Columns
from rich.text import Text

from lab.report.document import Document, Heading, Sentence, Table

__all__ = ["Progress", "new_console", "write"]

_PLAIN_WIDTH = 10_000  # columns: where the output is no terminal nothing is wrapped
_PLAIN_EVERY = 5.0  # seconds between lines where the output is no terminal


def new_console(*, stderr: bool = False) -> Console:
    """Standard output or error, without colours of its own, and lines without an end where it is no terminal."""
    console = Console(highlight=False, markup=False, stderr=stderr)
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    return console


def write(document: Document, console: Console) -> None:
    """Print the title and all parts but details and pictures."""
    if document.title:
        console.print(document.title, style="bold", soft_wrap=not console.is_terminal)
    below = 0  # the level of a heading whose section is left out
    for part in document.parts:
        if isinstance(part, Heading):
            if not below or part.level <= below:
                below = part.level if part.detail else 0
                if not below:
                    console.print()
                    _say(console, part.text, "bold")
        elif below:
            continue
        elif isinstance(part, Sentence) and part.text and not part.detail:
            _say(console, part.text, "bold" if part.kind == "warning" else "")
        elif isinstance(part, Table) and not part.detail:
            if part.caption:
                _say(console, part.caption)
            console.print(_columns(part))


def _say(console: Console, text: str, style: str = "") -> None:
    console.print(text, style=style or None, soft_wrap=not console.is_terminal)


def _columns(table: Table) -> Columns:
    columns = Columns(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    shown = [number for number in range(len(table.head)) if number not in table.only_page]
    for number in shown:
        is_text = number < table.text_columns or number in table.only_terminal
        columns.add_column(table.head[number], justify="left" if is_text else "right", overflow="fold")
    for row in table.rows:
        columns.add_row(*(row[number] for number in shown))
    return columns


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

    def show(self, elapsed: float, requests: int, rate: float, failures: int, hosts: int) -> None:
        """Say how far the loads are, all together: seconds, requests and their rate, failures, hosts that answered."""
        self.say(
            f"{min(elapsed, self._duration):3.0f} s of {self._duration:g}   {requests:,} requests ({rate:,.0f}/s)   "
            f"{failures:,} failed   {hosts} hosts"
        )

    def say(self, line: str) -> None:
        """Show *line* in place of the one before, or every five seconds where the output is no terminal."""
        if self._live:
            self._live.update(Text(line))
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + _PLAIN_EVERY
            self._console.print(line, highlight=False, soft_wrap=True)

    def note(self, message: str) -> None:
        """Say that something happened."""
        self._console.print(message, highlight=False, soft_wrap=True)
