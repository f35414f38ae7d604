"""The table in the terminal: what each host got."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.table import Table

from load.answers import UNKNOWN_HOST
from load.hostnames import OTHER_HOSTS
from load.results import HostRow

__all__ = ["deviation", "print_table"]

# Where no terminal says how wide it is, the longest names of Fargate still fit.
_WIDTH = 140


def deviation(row: HostRow, rows: Sequence[HostRow]) -> float | None:
    """How far a host is from an even split among the known hosts: 0.1 means 10 % more than its even part.

    None for the rows of no host and of other hosts.
    """
    if row.hostname in (UNKNOWN_HOST, OTHER_HOSTS):
        return None
    known = [other.requests for other in rows if other.hostname not in (UNKNOWN_HOST, OTHER_HOSTS)]
    return row.requests * len(known) / sum(known) - 1


def print_table(rows: Sequence[HostRow], file: TextIO | None = None) -> None:
    """Print one line for each host and their sum, to stderr unless told otherwise."""
    file = file or sys.stderr
    if not rows:
        print("No requests were made.", file=file)
        return
    table = Table(title="Requests by hostname", title_justify="left", show_footer=len(rows) > 1)
    total, failures = sum(row.requests for row in rows), sum(row.failures for row in rows)
    table.add_column("hostname", footer="all", overflow="fold")
    table.add_column("zone")
    for title, footer in [
        ("requests", f"{total:,}"),
        ("share", ""),
        ("vs even", ""),
        ("failures", f"{failures:,}"),
        ("p50 ms", ""),
        ("p95 ms", ""),
        ("p99 ms", ""),
    ]:
        table.add_column(title, footer=footer, justify="right", no_wrap=True)
    for row in rows:
        difference = deviation(row, rows)
        table.add_row(
            row.hostname or "(no host known)",
            row.availability_zone,
            f"{row.requests:,}",
            f"{row.share:.1%}",
            "" if difference is None else f"{difference:+.1%}",
            f"{row.failures:,}",
            f"{row.p50_ms:.1f}",
            f"{row.p95_ms:.1f}",
            f"{row.p99_ms:.1f}",
        )
    Console(file=file, width=None if file.isatty() else _WIDTH, highlight=False).print(table)
