"""What each host got, as text: for the table in the terminal, and for others that show the same columns."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.table import Table

from load.answers import UNKNOWN_HOST
from load.hostnames import OTHER_HOSTS
from load.results import HostRow

__all__ = ["COLUMNS", "cells", "deviations", "print_table", "shown_name"]

COLUMNS = ("hostname", "zone", "requests", "share", "vs even", "failures", "p50 ms", "p95 ms", "p99 ms")

# Where no terminal says how wide it is, the longest names of Fargate still fit.
_WIDTH = 140

_MOST_ROWS = 50


def shown_name(row: HostRow) -> str:
    """The hostname, or what stands for none."""
    return row.hostname or "(no host known)"


def deviations(rows: Sequence[HostRow]) -> list[float | None]:
    """How far each host is from an even split among the known hosts: 0.1 means 10 % more than its even part.

    None for the rows of no host and of other hosts.
    """
    known = [row.hostname not in (UNKNOWN_HOST, OTHER_HOSTS) for row in rows]
    total = sum(row.requests for row, is_known in zip(rows, known, strict=True) if is_known)
    return [
        row.requests * sum(known) / total - 1 if is_known else None for row, is_known in zip(rows, known, strict=True)
    ]


def cells(row: HostRow, deviation: float | None) -> tuple[str, ...]:
    """The texts of a row, one for each of COLUMNS."""
    return (
        shown_name(row),
        row.availability_zone,
        f"{row.requests:,}",
        f"{row.share:.1%}",
        "" if deviation is None else f"{deviation:+z.1%}",
        f"{row.failures:,}",
        *(f"{ms:.1f}" for ms in (row.p50_ms, row.p95_ms, row.p99_ms)),
    )


def print_table(rows: Sequence[HostRow], notes: Sequence[str] = (), file: TextIO | None = None) -> None:
    """Print a line for each host, their sum and the notes, to stderr unless told otherwise."""
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
        for row, deviation in list(zip(rows, deviations(rows), strict=True))[:_MOST_ROWS]:
            table.add_row(*cells(row, deviation))
        console.print(table)
        if len(rows) > _MOST_ROWS:
            console.print(f"... and {len(rows) - _MOST_ROWS} more hosts, all in hostnames.csv")
    else:
        console.print("No requests were made.")
    for note in notes:
        console.print(note, markup=False)
