"""`lab table`: events against ways and settings, with the failed requests of each; studies of several begin with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.experiments.catalogue import EXPERIMENTS, LOAD_BALANCER
from lab.experiments.findings import Findings
from lab.experiments.study import Measured, Row, Spread, Study, rows
from lab.report import run_words, study_words, words
from lab.report.document import Document, Part, Sentence, Table
from lab.report.words import spread

_TITLE = "Failed requests, and how many seconds of traffic that is"

Columns = Mapping[str, Mapping[str, Sequence[Findings]]]
"""By way and setting the findings of each experiment."""


def table_page(studies: Sequence[Study]) -> Document:
    """Failed requests, and the seconds of traffic that they are."""
    runs = [measured for study in studies for measured in study.measured]
    matrix = rows(runs)
    found = columns(matrix)
    times = max((len(each) for cells in found.values() for each in cells.values()), default=0)
    each = "single runs" if times <= 1 else f"up to {times} runs each, as the median (least to most)"
    where = "".join(dict.fromkeys(map(run_words.measured_on, runs)))
    parts: list[Part] = [
        failed_table(found),
        f"{where}{words.capital(each)}: {_load_of(runs)}.",
        counted_until(found),
        without_sigterm(matrix),
        Sentence(study_words.not_followed(runs), "warning"),
        Sentence(study_words.luck(runs), "warning"),
        run_words.beside(runs),
        Sentence(study_words.unused(studies, "In none of this"), "warning"),
        *(
            Sentence(text, "warning")
            for text in study_words.load_notes(runs, matrix, studies[0].parts if len(studies) == 1 else studies)
        ),
    ]
    values = [
        {"experiment": name, "column": head, "runs": len(each), "failures": [findings.failures for findings in each],
         "requests": [findings.requests for findings in each],
         "failed_seconds": [findings.failed_seconds for findings in each]}
        for head, cells in found.items() for name, each in cells.items()
    ]  # fmt: skip
    return Document(_TITLE, parts, {"cells": values})


def columns(matrix: Sequence[Row]) -> Columns:
    """Of those of *matrix*, in its order, but for a load balancer, which comes last."""
    found: dict[str, dict[str, list[Findings]]] = {}
    for row in sorted(matrix, key=lambda row: (row.arm == LOAD_BALANCER, row.beside)):
        found.setdefault(study_words.column(row), {}).setdefault(row.experiment.name, []).extend(row.findings)
    return found


def failed_table(found: Columns, *, detail: bool = False) -> Table:
    """A line for each event; with a caption where it is a *detail* of another page."""
    lines = []
    for name in EXPERIMENTS:
        if any(name in cells for cells in found.values()):
            failed = [_failed(cells[name]) if name in cells else "-" for cells in found.values()]
            lines.append([words.capital(EXPERIMENTS[name].when), *failed])
    return Table(["", *found], lines, f"{_TITLE}:" if detail else "", detail=detail)


def counted_until(found: Columns) -> str:
    """How long the loads went on, and what a mark means; "" without events."""
    return study_words.counted_until([each for cells in found.values() for own in cells.values() for each in own])


def without_sigterm(matrix: Sequence[Row]) -> str:
    """That the drain does not matter, where an event that gives no warning is in columns that differ by it alone."""
    drains: dict[tuple[object, ...], set[object]] = {}
    for row in matrix:
        if row.experiment.unwarned:
            others = [(name, value) for name, value in row.parameters.items() if name != study_words.DRAIN]
            where = (row.experiment.name, row.arm, row.beside, row.hop, *others)
            drains.setdefault(where, set()).add((row.drain, row.ending))
    alike = {name for (name, *_), own in drains.items() if len(own) > 1}
    return study_words.without_sigterm([each for each in EXPERIMENTS.values() if each.name in alike])


def _failed(found: Sequence[Findings]) -> str:
    """Such as `75 (0.8 s)`; with repeats `75 (60 to 90), 0.8 (0.6 to 0.9) s`; with AT_LEAST."""
    failed = Spread.of([findings.failures for findings in found], "")
    seconds = Spread.of([findings.failed_seconds for findings in found], "s")
    unended = study_words.AT_LEAST if any(each.unended or each.fails_to_the_end for each in found) else ""
    if not failed.high:
        return f"none{unended}"
    told = f"{spread(failed)}, {spread(seconds)} s" if failed.count > 1 else f"{spread(failed)} ({spread(seconds)} s)"
    return told + unended


def _load_of(runs: Sequence[Measured]) -> str:
    rates = [findings.rate for measured in runs for findings in measured.findings.values()]
    low, high = f"{min(rates, default=0):,.0f}", f"{max(rates, default=0):,.0f}"
    ways = " by each way" if any(len(measured.runs) > 1 for measured in runs) else ""
    return f"{low if low == high else f'{low} to {high}'} requests/s{ways}"
