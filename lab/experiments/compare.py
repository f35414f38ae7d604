"""Do two sets of runs differ by more than chance, or the two ways of one set? Pure.

What one event costs varies from run to run: a cache is caught at another moment, a burst of requests fails together.
So figures of runs with an event are compared over repeats, by a permutation test; the two ways of one run saw the same
event, so they are compared in pairs. Without enough repeats for it to find
anything, Fisher's test on the requests can still say that a difference is no more than chance; that it is more, it can
say only of runs in which nothing happened, where each request stands for itself.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy import stats

from lab.errors import BadInput
from lab.experiments.catalogue import DIRECT, LOAD_BALANCER
from lab.experiments.matrix import Row, rows
from lab.experiments.study import FIGURES, Study, figures

__all__ = ["Comparison", "Verdict", "compare", "compare_ways"]

ALPHA = 0.05
_RESAMPLES = 9_999  # of the permutations, where there are more
_SEED = 1  # the same files give the same answer
_FAILED = "failed_percent"
_COMPARED = (_FAILED, *(name for name, unit in FIGURES.items() if unit in ("s", "ms")))
_COMMON = "detect_s"  # what ECS does is the same for both ways


class Verdict(StrEnum):
    """What can be said of a difference."""

    DIFFERENT = "more than chance"
    CHANCE = "no more than chance"
    UNKNOWN = "cannot be told"


@dataclass(frozen=True)
class Comparison:
    """A figure of one experiment at one setting in both.

    `arm` is empty where the ways are compared with each other; `p_value` is adjusted for all tests made
    (Benjamini-Hochberg); `reason` says why it cannot be told, and is empty where it can.
    """

    experiment: str
    setting: Mapping[str, float]
    arm: str
    figure: str
    first: str
    second: str
    test: str = ""
    p_value: float | None = None
    verdict: Verdict = Verdict.UNKNOWN
    reason: str = ""

    @property
    def subject(self) -> str:
        """Such as `stop-task, discovery_ttl 5`."""
        return ", ".join([self.experiment, *(f"{name} {value:g}" for name, value in self.setting.items())])


def compare(first: Study, second: Study) -> list[Comparison]:
    """Every figure that both came to, of every experiment that both have.

    Raises:
        BadInput: they have none in common, or in one no load came to its end.
    """
    for study in (first, second):
        _require_whole(study)
    pairs = _pairs(rows(first.measured), rows(second.measured))
    if not pairs:
        raise BadInput(f"{first.folder} and {second.folder} have no experiment in common: there is nothing to compare.")
    return _all_judged([_compared(a, b, figure) for a, b in pairs for figure in _in_both(a, b)])


def compare_ways(study: Study) -> list[Comparison]:
    """Every figure of the way through Cloud Map with that through the load balancer, in the same runs.

    Raises:
        BadInput: no run has both ways, or no load came to its end.
    """
    _require_whole(study)
    by_setting: dict[tuple[object, ...], dict[str, Row]] = {}
    for row in rows([measured for measured in study.measured if {DIRECT, LOAD_BALANCER} <= set(measured.findings)]):
        by_setting.setdefault((row.experiment.name, tuple(row.parameters.items())), {})[row.arm] = row
    if not by_setting:
        raise BadInput(
            f"{study.folder} has runs of one way only: name a second folder to compare it with, or run on a stack with "
            "a load balancer beside (SC_COMPARISON=true)."
        )
    return _all_judged(
        [
            _compared(ways[DIRECT], ways[LOAD_BALANCER], figure, paired=True)
            for ways in by_setting.values()
            for figure in _in_both(ways[DIRECT], ways[LOAD_BALANCER])
            if figure != _COMMON
        ]
    )


def _require_whole(study: Study) -> None:
    if all(measured.flaw for measured in study.measured):
        why = f" ({study.measured[0].flaw})" if study.measured else ""
        raise BadInput(f"{study.folder} has no run that says anything{why}: run it again.")


def _pairs(first: Sequence[Row], second: Sequence[Row]) -> list[tuple[Row, Row]]:
    """By experiment, arm and setting; where each has but one setting, it need not be the same."""
    whole = all(len({tuple(sorted(row.parameters.items())) for row in side}) == 1 for side in (first, second))

    def key(row: Row) -> tuple[object, ...]:
        return (row.experiment.name, row.arm, () if whole else tuple(sorted(row.parameters.items())))

    others = {key(row): row for row in second}
    return [(row, others[key(row)]) for row in first if key(row) in others]


def _in_both(first: Row, second: Row) -> list[str]:
    return [figure for figure in _COMPARED if figure in first.figures and figure in second.figures]


def _compared(first: Row, second: Row, figure: str, *, paired: bool = False) -> Comparison:
    comparison = Comparison(
        experiment=first.experiment.name,
        setting=first.parameters if first.parameters == second.parameters else {},
        arm="" if paired else first.arm,
        figure=figure,
        first=str(first.figures[figure]),
        second=str(second.figures[figure]),
    )
    a, b = _values(first, figure), _values(second, figure)
    if paired:
        both = [(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
        a, b = [x for x, _ in both], [y for _, y in both]
    left, right = [value for value in a if value is not None], [value for value in b if value is not None]
    if _finds_something(len(left), len(right), paired=paired):
        return replace(
            comparison, test="paired" if paired else "permutation", p_value=_permutation(left, right, paired)
        )
    fewest = next(n for n in itertools.count(1) if _finds_something(n, n, paired=paired))
    have = f"{len(left)} pairs" if paired else f"{len(left)} and {len(right)} repeats"
    comparison = replace(comparison, reason=f"of {have} where {fewest} {'pairs' if paired else 'each'} would tell")
    if figure == _FAILED:
        return replace(comparison, test="Fisher", p_value=_fisher(first, second))
    return comparison


def _finds_something(first: int, second: int, *, paired: bool) -> bool:
    """Whether a two-sided permutation test could: it never finds less than twice the share of one arrangement.

    With fewer repeats than these it could say "chance" only, once several figures are tested.
    """
    arrangements = 2**first if paired else math.comb(first + second, first)
    return 2 / arrangements <= ALPHA / len(_COMPARED)


def _all_judged(found: list[Comparison]) -> list[Comparison]:
    tested = [number for number, each in enumerate(found) if each.p_value is not None]
    if tested:
        adjusted = stats.false_discovery_control([found[number].p_value for number in tested])
        for number, p_value in zip(tested, adjusted, strict=True):
            found[number] = _judged(found[number], float(p_value))
    return found


def _judged(comparison: Comparison, p_value: float) -> Comparison:
    if p_value > ALPHA:
        verdict = Verdict.CHANCE
    elif comparison.test == "Fisher" and comparison.experiment != "baseline":
        verdict = Verdict.UNKNOWN
    else:
        verdict = Verdict.DIFFERENT
    reason = comparison.reason if verdict is Verdict.UNKNOWN else ""
    return replace(comparison, p_value=p_value, verdict=verdict, reason=reason)


def _values(row: Row, figure: str) -> list[float | None]:
    return [figures(findings)[figure] for findings in row.findings]


def _permutation(a: Sequence[float], b: Sequence[float], paired: bool) -> float:
    if list(a) == list(b) or len({*a, *b}) == 1:
        return 1.0

    def difference(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        return np.asarray(np.mean(x, axis=axis) - np.mean(y, axis=axis))

    result = stats.permutation_test(
        (a, b),
        difference,
        permutation_type="samples" if paired else "independent",
        vectorized=True,
        n_resamples=_RESAMPLES,
        random_state=np.random.default_rng(_SEED),
    )
    return float(result.pvalue)


def _fisher(first: Row, second: Row) -> float:
    def counts(row: Row) -> Mapping[bool, int]:
        failed = sum(findings.failures for findings in row.findings)
        return {True: failed, False: sum(findings.requests for findings in row.findings) - failed}

    a, b = counts(first), counts(second)
    return float(stats.fisher_exact([[a[True], a[False]], [b[True], b[False]]]).pvalue)
