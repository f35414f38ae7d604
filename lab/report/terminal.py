"""Writes a Document to a terminal or a pipe, and shows how a run goes on."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Literal, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table as Columns
from rich.text import Text

from lab.printable import printable
from lab.report.document import Document, Heading, Sentence, Table

_PLAIN_WIDTH = 10_000  # columns: where the output is no terminal nothing is wrapped
_WHOLE = 20  # characters of a cell that is not wrapped
_PLAIN_EVERY = 5.0  # seconds between lines where the output is no terminal


class _Console(Console):
    """Whatever text is printed on it, or in a table, is printable."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text), **options)


def new_console(*, stderr: bool = False) -> Console:
    """Standard output or error, without colours of its own, and lines without an end where it is no terminal."""
    console = _Console(highlight=False, markup=False, emoji=False, stderr=stderr)
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
            console.print(_columns(part, console.width))


def _say(console: Console, text: str, style: str = "") -> None:
    console.print(text, style=style or None, soft_wrap=not console.is_terminal)


def _columns(table: Table, width: int) -> Columns:
    """Where there is no room for it on one line, heads are folded; cells only where there is no room even so."""
    rows = [[printable(cell) for cell in row] for row in table.rows]  # as long as they will be
    table = replace(table, head=[printable(head) for head in table.head], rows=rows)
    shown = [number for number in range(len(table.head)) if number not in table.only_page]
    longest = {number: max((len(row[number]) for row in table.rows), default=0) for number in shown}
    heads = {number: table.head[number] for number in shown}
    wide = sum(max(longest[number], len(heads[number])) + 2 for number in shown) <= width
    widths: dict[int, int] = {}
    if not wide:
        words = {number: max(map(len, _words(head)), default=0) for number, head in heads.items()}
        heads = {number: textwrap.fill(head, max(1, longest[number], words[number])) for number, head in heads.items()}
        least = sum(max(min(longest[number], _WHOLE), words[number]) + 1 for number in shown)
        if least > width:
            widths = _widths(table, shown, width)
    columns = Columns(box=None, pad_edge=False, padding=(0, 2 if wide else 1, 0, 0))
    for number in shown:
        is_text = number < table.text_columns or number in table.only_terminal or longest[number] > _WHOLE
        is_whole = longest[number] <= _WHOLE and (wide or least <= width)
        justify: Literal["left", "right"] = "left" if is_text else "right"
        columns.add_column(
            Text(heads[number]), justify=justify, overflow="fold", no_wrap=is_whole, width=widths.get(number)
        )
    for row in table.rows:
        columns.add_row(*(row[number] for number in shown))
    return columns


def _widths(table: Table, shown: Sequence[int], width: int) -> dict[int, int]:
    """Of each column that is *shown*: no word is broken, and what needs least is whole; none without the room."""
    cells = {number: [word for row in table.rows for word in row[number].split()] for number in shown}
    widths = {number: max(map(len, [*own, *_words(table.head[number]), ""])) for number, own in cells.items()}
    room = width + 1 - sum(each + 1 for each in widths.values())
    if room < 0:
        return {}
    needs = {number: max(0, *(len(row[number]) - widths[number] for row in table.rows)) for number in shown}
    for number in sorted(shown, key=needs.__getitem__):
        more = min(needs[number], room)
        widths[number] += more
        room -= more
    return widths


def _words(head: str) -> list[str]:
    """What a head may be broken into, at hyphens too."""
    return head.replace("-", "- ").split()


class Progress(ExitStack):
    """One line that is drawn anew on a terminal, and a line every five seconds elsewhere."""

    def __init__(self, console: Console, duration: float) -> None:
        super().__init__()
        self._console = console
        self._duration = duration
        self._live = Live(console=console, transient=True, refresh_per_second=4) if console.is_terminal else None
        self._next = time.monotonic()
        self._said = ""

    def __enter__(self) -> Self:
        if self._live:
            self.enter_context(self._live)
        return super().__enter__()

    def show(self, elapsed: float, requests: int, rate: float, failures: int, hosts: int) -> None:
        """Say how far the loads are, all together: seconds, requests and their rate, failures, hosts that answered."""
        self.say(
            f"{min(elapsed, self._duration):3.0f} s of {self._duration:g}   {requests:,} requests ({rate:,.0f}/s)   "
            f"{failures:,} failed   {hosts} hosts"
        )

    def say(self, line: str) -> None:
        """Show *line* in place of the one before; elsewhere, where it is another one, every five seconds."""
        if self._live:
            self._live.update(Text(printable(line), overflow="ellipsis", no_wrap=True))
        elif line != self._said and time.monotonic() >= self._next:
            self._said = line
            self._next = time.monotonic() + _PLAIN_EVERY
            self._console.print(line, highlight=False, soft_wrap=True)

    def note(self, message: str) -> None:
        """Say that something happened."""
        self._console.print(message, highlight=False, soft_wrap=True)
