"""Do two sets of runs differ by more than chance? Pure.

What one event costs varies from run to run: a cache is caught at another moment, a burst of requests fails together.
So figures of runs with an event are compared over repeats, by a permutation test. Without enough repeats for it to find
anything, Fisher's test on the requests can still say that a difference is no more than chance; that it is more, it can
say only of runs in which nothing happened, where each request stands for itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy import stats

from lab.errors import BadInput
from lab.experiments.matrix import Row, rows
from lab.experiments.study import FIGURES, Study, figures

__all__ = ["Comparison", "Verdict", "compare"]

ALPHA = 0.05
_RESAMPLES = 9_999  # of the permutations, where there are more
_SEED = 1  # the same files give the same answer
_FAILED = "failed_percent"
_COMPARED = (_FAILED, *(name for name, unit in FIGURES.items() if unit in ("s", "ms")))


class Verdict(StrEnum):
    """What can be said of a difference."""

    DIFFERENT = "more than chance"
    CHANCE = "no more than chance"
    UNKNOWN = "cannot be told"


@dataclass(frozen=True)
class Comparison:
    """A figure of one experiment and arm in both; `p_value` is adjusted for all tests made (Benjamini-Hochberg)."""

    experiment: str
    arm: str
    figure: str
    first: str
    second: str
    test: str
    p_value: float | None
    verdict: Verdict


def compare(first: Study, second: Study) -> list[Comparison]:
    """Every figure that both came to, of every experiment that both have.

    Raises:
        BadInput: they have none in common.
    """
    pairs = _pairs(rows(first.measured), rows(second.measured))
    if not pairs:
        raise BadInput(f"{first.folder} and {second.folder} have no experiment in common: there is nothing to compare.")
    found = [
        _compared(a, b, figure) for a, b in pairs for figure in _COMPARED if figure in a.figures and figure in b.figures
    ]
    tested = [number for number, each in enumerate(found) if each.p_value is not None]
    if tested:
        adjusted = stats.false_discovery_control([found[number].p_value for number in tested])
        for number, p_value in zip(tested, adjusted, strict=True):
            found[number] = _judged(found[number], float(p_value))
    return found


def _pairs(first: Sequence[Row], second: Sequence[Row]) -> list[tuple[Row, Row]]:
    """By experiment, arm and setting; where each has but one setting, it need not be the same."""
    whole = all(len({tuple(sorted(row.parameters.items())) for row in side}) == 1 for side in (first, second))

    def key(row: Row) -> tuple[object, ...]:
        return (row.experiment.name, row.arm, () if whole else tuple(sorted(row.parameters.items())))

    others = {key(row): row for row in second}
    return [(row, others[key(row)]) for row in first if key(row) in others]


def _compared(first: Row, second: Row, figure: str) -> Comparison:
    comparison = Comparison(
        first.experiment.name, first.arm, figure, str(first.figures[figure]), str(second.figures[figure]), "", None,
        Verdict.UNKNOWN,
    )  # fmt: skip
    a, b = _values(first, figure), _values(second, figure)
    # Two-sided, a permutation test finds nothing below twice the share of one arrangement: with fewer repeats than
    # these it could say "chance" only, once several figures are tested.
    if 2 / math.comb(len(a) + len(b), len(a)) <= ALPHA / len(_COMPARED):
        return replace(comparison, test="permutation", p_value=_permutation(a, b))
    if figure == _FAILED:
        return replace(comparison, test="Fisher", p_value=_fisher(first, second))
    return comparison


def _judged(comparison: Comparison, p_value: float) -> Comparison:
    if p_value > ALPHA:
        verdict = Verdict.CHANCE
    elif comparison.test == "Fisher" and comparison.experiment != "baseline":
        verdict = Verdict.UNKNOWN
    else:
        verdict = Verdict.DIFFERENT
    return replace(comparison, p_value=p_value, verdict=verdict)


def _values(row: Row, figure: str) -> list[float]:
    return [value for findings in row.findings if (value := figures(findings)[figure]) is not None]


def _permutation(a: Sequence[float], b: Sequence[float]) -> float:
    if len({*a, *b}) == 1:
        return 1.0

    def difference(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        return np.asarray(np.mean(x, axis=axis) - np.mean(y, axis=axis))

    result = stats.permutation_test(
        (a, b), difference, vectorized=True, n_resamples=_RESAMPLES, random_state=np.random.default_rng(_SEED)
    )
    return float(result.pvalue)


def _fisher(first: Row, second: Row) -> float:
    def counts(row: Row) -> Mapping[bool, int]:
        failed = sum(findings.failures for findings in row.findings)
        return {True: failed, False: sum(findings.requests for findings in row.findings) - failed}

    a, b = counts(first), counts(second)
    return float(stats.fisher_exact([[a[True], a[False]], [b[True], b[False]]]).pvalue)
