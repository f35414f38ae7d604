"""The matrix: for each experiment, setting and arm, each figure over its repeats. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.experiments.catalogue import DIRECT, LOAD_BALANCER, Experiment
from lab.experiments.findings import Findings
from lab.experiments.study import FIGURES, Measured, figures

__all__ = ["ARMS", "WAYS", "Row", "Spread", "layout", "relative", "rows"]

ARMS = {DIRECT: "Cloud Map", LOAD_BALANCER: "load balancer"}
WAYS = {DIRECT: "through Cloud Map", LOAD_BALANCER: "through the load balancer"}
"""How the gateway finds the tasks, by arm: as the head of a column, and in a sentence."""

# Columns of the matrix in words, and their figures.
_CLIENTS = (
    ("failed", "failures"),
    ("from s", "failures_from_s"),
    ("to s", "failures_to_s"),
    ("even again s", "even_s"),
)
_RELATIVE = (("failed %", "failed_percent"), ("p99 before ms", "p99_before_ms"), ("p99 during ms", "p99_during_ms"))
_FORMS = {"": "{:,.0f}", "%": "{:.3g}", "s": "{:.1f}", "ms": "{:.0f}"}  # by unit
_SERVICE = (("ECS acts s", "detect_s"), ("left Cloud Map s", "deregister_s"), ("replaced s", "replace_s"))


@dataclass(frozen=True)
class Spread:
    """A figure over `count` repeats: the median with the lowest and the highest."""

    low: float
    median: float
    high: float
    count: int
    unit: str = ""

    @classmethod
    def of(cls, values: Sequence[float], unit: str) -> Spread:
        """The spread of one value or more."""
        return cls(min(values), statistics.median(values), max(values), len(values), unit)

    def __str__(self) -> str:
        low, median, high = (_FORMS[self.unit].format(value) for value in (self.low, self.median, self.high))
        return median if low == high else f"{median} ({low} to {high})"


@dataclass(frozen=True)
class Row:
    """One experiment on one arm with one setting; `figures` has those that any of its runs came to."""

    experiment: Experiment
    arm: str
    parameters: Mapping[str, float]
    figures: Mapping[str, Spread]
    findings: tuple[Findings, ...]

    @property
    def runs(self) -> int:
        """How many repeats it is of."""
        return len(self.findings)


def rows(measured: Sequence[Measured]) -> list[Row]:
    """The matrix, in the order in which experiments and settings were first run; the arms of one follow each other.

    Runs that say nothing, because their load ended too early, are not in it.
    """
    grouped: dict[tuple[str, tuple[tuple[str, float], ...]], dict[str, list[Findings]]] = {}
    for each in measured:
        if each.flaw:
            continue
        arms = grouped.setdefault((each.name, tuple(sorted(each.parameters.items()))), {})
        for findings in each.findings.values():
            arms.setdefault(findings.arm, []).append(findings)
    return [
        Row(found[0].experiment, arm, dict(parameters), _spreads(found), tuple(found))
        for (_, parameters), arms in grouped.items()
        for arm, found in arms.items()
    ]


def _spreads(found: Sequence[Findings]) -> dict[str, Spread]:
    values = [figures(findings) for findings in found]
    known = {name: [value for row in values if (value := row[name]) is not None] for name in FIGURES}
    return {name: Spread.of(numbers, FIGURES[name]) for name, numbers in known.items() if numbers}


Table = tuple[list[str], list[list[str]]]  # head and lines


def layout(matrix: Sequence[Row]) -> Table:
    """The matrix as text: requests, failures and times on each way, then what ECS and Cloud Map did."""
    return _layout(matrix, (("requests", "requests"), *_CLIENTS), _SERVICE)


def relative(matrix: Sequence[Row]) -> Table:
    """The rest of the matrix: failures in percent, and latencies."""
    return _layout(matrix, _RELATIVE, ())


def _layout(matrix: Sequence[Row], clients: Sequence[tuple[str, str]], service: Sequence[tuple[str, str]]) -> Table:
    swept = list(dict.fromkeys(name for row in matrix for name in row.parameters))
    arms = list(dict.fromkeys(row.arm for row in matrix))
    by_line: dict[tuple[str, tuple[float, ...]], dict[str, Row]] = {}
    for row in matrix:
        by_line.setdefault((row.experiment.name, tuple(row.parameters[name] for name in swept)), {})[row.arm] = row
    head = ["experiment", *swept]
    for arm in arms:
        way = f"{ARMS[arm]}: " if len(arms) > 1 else ""
        head += [f"{way}{clients[0][0]}", *(title for title, _ in clients[1:])]
    head += [title for title, _ in service]
    lines = []
    for (name, setting), ways in by_line.items():
        line = [name, *(f"{value:g}" for value in setting)]
        for arm in arms:
            line += [_in_words(ways.get(arm), figure) for _, figure in clients]
        lines.append([*line, *(_in_words(next(iter(ways.values())), figure) for _, figure in service)])
    return head, lines


def _in_words(row: Row | None, figure: str) -> str:
    """A cell: `-` where no run came to it, `in 2 of 5` where only some did."""
    spread = row.figures.get(figure) if row else None
    if row is None or spread is None:
        return "-"
    some = f", in {spread.count} of {row.runs}" if spread.count < row.runs else ""
    return f"{spread}{some}"
