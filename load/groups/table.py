"""What each host got, as text: for the table in the terminal, and for others that show the same columns."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

from rich.console import Console
from rich.table import Table

from load.groups.evenness import EvenPart
from load.groups.rows import HostRow

__all__ = ["COLUMNS", "cells", "print_table", "shown_name"]

COLUMNS = ("hostname", "zone", "requests", "share", "vs even", "failures", "p50 ms", "p95 ms", "p99 ms")

# Where no terminal says how wide it is, the longest names of Fargate still fit.
_WIDTH = 140

_MOST_ROWS = 50


def shown_name(row: HostRow) -> str:
    """The hostname, or what stands for none."""
    return row.hostname or "(no host known)"


def cells(row: HostRow, even: EvenPart | None) -> tuple[str, ...]:
    """The texts of a row, one for each of COLUMNS; `even` None where there is nothing to compare the host with."""
    return (
        shown_name(row),
        row.availability_zone,
        f"{row.requests:,}",
        f"{row.share:.1%}",
        "" if even is None else f"{even.deviation:+z.1%}",
        f"{row.failures:,}",
        *(f"{ms:.1f}" for ms in (row.p50_ms, row.p95_ms, row.p99_ms)),
    )


def print_table(
    rows: Sequence[HostRow], even: Mapping[str, EvenPart], notes: Sequence[str] = (), file: TextIO | None = None
) -> None:
    """Print a line for each host, their sum and the notes, to `file` or stderr; `even` is by hostname."""
    file = file or sys.stderr
    console = Console(file=file, width=None if file.isatty() else _WIDTH, highlight=False, soft_wrap=True)
    if rows:
        total, failures = sum(row.requests for row in rows), sum(row.failures for row in rows)
        footers = {"hostname": "all", "requests": f"{total:,}", "failures": f"{failures:,}"}
        table = Table(title="Requests by hostname", title_justify="left", show_footer=len(rows) > 1)
        for column in COLUMNS:
            is_text = column in ("hostname", "zone")
            table.add_column(
                column,
                footer=footers.get(column, ""),
                justify="left" if is_text else "right",
                overflow="fold",
                no_wrap=not is_text,
            )
        for row in rows[:_MOST_ROWS]:
            table.add_row(*cells(row, even.get(row.hostname)))
        console.print(table)
        if len(rows) > _MOST_ROWS:
            console.print(f"... and {len(rows) - _MOST_ROWS} more hosts, all in hostnames.csv")
    else:
        console.print("No requests were made.")
    for note in notes:
        console.print(note, markup=False)
