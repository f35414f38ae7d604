"""THE list of figures: what is read off a run, in which unit, under which heading, and whether it is compared. Pure.

A new figure is one entry here and one test: matrix.csv, the matrix, `--json` and `lab compare` take it from here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from lab.experiments.findings import Findings


class Compared(StrEnum):
    """What `lab compare` makes of a figure."""

    NOT = "not"
    PRIMARY = "primary"  # tested
    OUTCOME = "outcome"  # tested: how many of the runs came to it
    INTERVAL = "interval"  # described: the interval of the difference, without a verdict


@dataclass(frozen=True)
class Figure:
    """`of` gives the number in `unit` ("": a count), None where a run did not come to it."""

    name: str
    unit: str
    heading: str
    of: Callable[[Findings], float | None]
    compared: Compared = Compared.NOT


def _p99(findings: Findings, period: str) -> float | None:
    return found.p99_ms if (found := findings.period(period)) else None


_TABLE = (
    Figure("requests", "", "requests", lambda f: f.requests),
    Figure("failures", "", "failed", lambda f: f.failures),
    Figure("unfinished", "", "unfinished", lambda f: f.unfinished),
    Figure("failed_seconds", "s", "s of traffic", lambda f: f.failed_seconds, Compared.PRIMARY),
    Figure("failed_percent", "%", "failed %", lambda f: 100 * f.failed_share),
    Figure("unhealthy_answers", "", "from unhealthy tasks", lambda f: f.unhealthy_answers),
    Figure("failures_from_s", "s", "from s", lambda f: f.failure_window[0] if f.failure_window else None),
    Figure("failures_to_s", "s", "to s", lambda f: f.failure_window[1] if f.failure_window else None),
    Figure("detect_s", "s", "ECS acts s", lambda f: f.times.detect, Compared.INTERVAL),
    Figure("deregister_s", "s", "left s", lambda f: f.times.deregister, Compared.INTERVAL),
    Figure("register_s", "s", "in Cloud Map s", lambda f: f.times.register),
    Figure("replace_s", "s", "replaced s", lambda f: f.times.replace, Compared.OUTCOME),
    Figure(
        "even_again_s", "s", "even again s", lambda f: f.even_again.seconds if f.even_again else None, Compared.OUTCOME
    ),
    Figure("p99_ms", "ms", "p99 ms", lambda f: _p99(f, "whole run"), Compared.INTERVAL),  # where nothing happened
    Figure("p99_before_ms", "ms", "p99 before ms", lambda f: _p99(f, "before"), Compared.INTERVAL),
    Figure("p99_during_ms", "ms", "p99 during ms", lambda f: _p99(f, "during"), Compared.INTERVAL),
)

FIGURES: Mapping[str, Figure] = {figure.name: figure for figure in _TABLE}
PRIMARY = next(figure.name for figure in _TABLE if figure.compared is Compared.PRIMARY)


def figures(findings: Findings) -> dict[str, float | None]:
    """The figures of one run and way, by their names; None: it did not come to that."""
    return {name: figure.of(findings) for name, figure in FIGURES.items()}
