"""The matrix of several runs as tables of a page."""

from __future__ import annotations

from collections.abc import Sequence

from lab.experiments.matrix import ARMS, Row, Spread
from lab.report import html

__all__ = ["tables"]

# Heads of columns, and the figures under them.
_CLIENTS = (
    ("requests", "requests"),
    ("failed", "failures"),
    ("first failure", "failures_from_s"),
    ("last failure", "failures_to_s"),
    ("even again", "even_s"),
)
_SERVICE = (("ECS acts", "detect_s"), ("left Cloud Map", "deregister_s"), ("replaced", "replace_s"))
_RELATIVE = (("failed %", "failed_percent"), ("p99 before ms", "p99_before_ms"), ("p99 during ms", "p99_during_ms"))
_FORMS = {"": "{:,.0f}", "%": "{:.3g}", "s": "{:.1f}", "ms": "{:,.1f}"}  # by unit, as in the rest of the page

_Columns = Sequence[tuple[str, str]]


def tables(matrix: Sequence[Row]) -> list[str]:
    """Requests, failures and times of each way and what ECS and Cloud Map did; failures in percent, and latencies."""
    return [_table(matrix, _CLIENTS, _SERVICE), _table(matrix, _RELATIVE, ())]


def _table(matrix: Sequence[Row], clients: _Columns, service: _Columns) -> str:
    swept = list(dict.fromkeys(name for row in matrix for name in row.parameters))
    arms = list(dict.fromkeys(row.arm for row in matrix))
    by_line: dict[tuple[str, tuple[float, ...]], dict[str, Row]] = {}
    for row in matrix:
        by_line.setdefault((row.experiment.name, tuple(row.parameters[name] for name in swept)), {})[row.arm] = row
    columns = [*(title for title, _ in clients)] * len(arms) + [title for title, _ in service]
    lines = []
    for (name, setting), ways in by_line.items():
        cells = [_cell(ways.get(arm), figure) for arm in arms for _, figure in clients]
        cells += [_cell(next(iter(ways.values())), figure) for _, figure in service]
        lines.append([name, *(f"{value:g}" for value in setting), *cells])
    over = [("", 1 + len(swept)), *((ARMS[arm], len(clients)) for arm in arms)]
    if service:
        over.append(("the service", len(service)))
    return html.table(["experiment", *swept, *columns], lines, over=over if len(arms) > 1 else ())


def _cell(row: Row | None, figure: str) -> str:
    """A dash where no run came to it, `in 2 of 5` where only some did."""
    spread = row.figures.get(figure) if row else None
    if row is None or spread is None:
        return "-"
    some = f", in {spread.count} of {row.runs}" if spread.count < row.runs else ""
    return f"{_in_words(spread)}{some}"


def _in_words(spread: Spread) -> str:
    low, median, high = (_FORMS[spread.unit].format(value) for value in (spread.low, spread.median, spread.high))
    # A narrow column breaks before the parenthesis, not inside of it.
    return median if low == high else f"{median} " + f"({low} to {high})".replace(" ", "\xa0")
