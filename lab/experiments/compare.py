"""Do two sets of runs differ, or the two ways of one set? Pure.

What one event costs varies from run to run: a cache is caught at another moment, a burst of requests fails together. So
the run is the unit, never the request. Of each experiment two things are tested by exact permutation of the runs (of
the signs of the differences, where two ways saw the same event): the seconds of traffic that failed, and how many of
the runs came to an outcome, such as an even split again, which is Fisher's test. Both together are one test (the
smallest of their p-values, by its own permutation distribution: Westfall and Young 1993), and the experiments are
adjusted by Holm: that any experiment is shown where there is no difference at all has a chance of 5 % at most.

All other figures are described by the interval of their difference (Welch), without a verdict.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lab.distribution.goodness import holm
from lab.errors import BadInput
from lab.experiments.catalogue import DIRECT, LOAD_BALANCER
from lab.experiments.figures import FIGURES, PRIMARY, Compared
from lab.experiments.study import Row, Spread, Study, rows

__all__ = ["Comparison", "Difference", "Outcome", "compare", "compare_ways"]

ALPHA = 0.05
_POWER = 0.8
_MOST = 50_000  # arrangements that are looked at one by one; of more, so many are drawn
_SEED = 1  # the same files give the same answer
_SAME_RATE = 0.1  # rates that differ by no more are taken for the same
_COMMON = "detect_s"  # what ECS does is the same for both ways

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """How many of the runs on either side came to a figure at all."""

    figure: str
    first: int
    second: int


@dataclass(frozen=True)
class Difference:
    """The second less the first, on average, with its 95 % interval; None where there are too few runs for one."""

    figure: str
    first: Spread | None
    second: Spread | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Comparison:
    """One experiment at one setting, on either side.

    `arm` is empty where the ways are compared with each other. `first` and `second`: seconds of traffic that failed,
    run by run; `rates`: requests per second on either side, and `rates_differ` by more than a tenth. `p_value` is of
    the experiment alone, `p_adjusted` for all experiments of the page (Holm); `shown`: whether it is 0.05 at most.
    `repeats_needed`: runs on each side (pairs) with which a complete separation would have been shown, and
    `would_show`: the difference in seconds of traffic that these runs would have shown with 80 % power, None where
    there are too few of them for any, or where they do not vary, so that nothing tells what chance makes.
    """

    experiment: str
    setting: Mapping[str, float]
    arm: str
    first: tuple[float, ...]
    second: tuple[float, ...]
    rates: tuple[float, float]
    p_value: float
    outcomes: tuple[Outcome, ...]
    differences: tuple[Difference, ...]
    paired: bool = False
    p_adjusted: float = 1.0
    shown: bool = False
    repeats_needed: int = 0
    would_show: float | None = None
    failed_seconds: tuple[Spread, Spread] = field(init=False)

    def __post_init__(self) -> None:
        unit = FIGURES[PRIMARY].unit
        object.__setattr__(self, "failed_seconds", (Spread.of(self.first, unit), Spread.of(self.second, unit)))

    @property
    def rates_differ(self) -> bool:
        """Whether one rate is more than a tenth above the other: then the runs differ in more than what is compared."""
        return max(self.rates) > (1 + _SAME_RATE) * min(self.rates)


def compare(first: Study, second: Study) -> list[Comparison]:
    """Every experiment that both have, at every setting and on every way.

    Raises:
        BadInput: they have none in common, or one has no run that says anything.
    """
    for study in (first, second):
        _require_whole(study)
    pairs = _pairs(rows(first.measured), rows(second.measured))
    if not pairs:
        raise BadInput(f"{first.folder} and {second.folder} have no experiment in common: there is nothing to compare.")
    return _all_adjusted([_compared(a, b) for a, b in pairs])


def compare_ways(study: Study) -> list[Comparison]:
    """The way through Cloud Map with that through the load balancer, in the same runs.

    Raises:
        BadInput: no run has both ways, or none says anything.
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
    return _all_adjusted([_compared(ways[DIRECT], ways[LOAD_BALANCER], paired=True) for ways in by_setting.values()])


def _require_whole(study: Study) -> None:
    if all(measured.flaw for measured in study.measured):
        why = f" ({study.measured[0].flaw})" if study.measured else ""
        raise BadInput(f"{study.folder} has no run that says anything{why}: run it again.")


def _pairs(first: Sequence[Row], second: Sequence[Row]) -> list[tuple[Row, Row]]:
    """By experiment, way and setting; where each has but one setting, it need not be the same."""
    whole = all(len({tuple(sorted(row.parameters.items())) for row in side}) == 1 for side in (first, second))

    def key(row: Row) -> tuple[object, ...]:
        return (row.experiment.name, row.arm, () if whole else tuple(sorted(row.parameters.items())))

    others = {key(row): row for row in second}
    return [(row, others[key(row)]) for row in first if key(row) in others]


def _compared(first: Row, second: Row, *, paired: bool = False) -> Comparison:
    a, b = _values(first, PRIMARY), _values(second, PRIMARY)
    named = [name for name, figure in FIGURES.items() if figure.compared is Compared.OUTCOME]
    came = [
        ([v is not None for v in first.values(name)], [v is not None for v in second.values(name)]) for name in named
    ]
    differing = [(x, y) for x, y in came if any(x + y) and not all(x + y)]
    columns = [(a, b), *(([float(v) for v in x], [float(v) for v in y]) for x, y in differing)]
    return Comparison(
        experiment=first.experiment.name,
        setting=first.parameters if first.parameters == second.parameters else {},
        arm="" if paired else first.arm,
        first=tuple(a),
        second=tuple(b),
        rates=(_rate(first), _rate(second)),
        p_value=_signs(columns) if paired else _permutation(columns),
        outcomes=tuple(Outcome(name, sum(x), sum(y)) for name, (x, y) in zip(named, came, strict=True)),
        differences=tuple(_difference(first, second, name, paired) for name in _described(first, second, paired)),
        paired=paired,
    )


def _described(first: Row, second: Row, paired: bool) -> list[str]:
    return [
        name
        for name, figure in FIGURES.items()
        if figure.compared is not Compared.NOT
        and (name in first.figures or name in second.figures)
        and not (paired and name == _COMMON)
    ]


def _values(row: Row, figure: str) -> list[float]:
    return [value for value in row.values(figure) if value is not None]


def _rate(row: Row) -> float:
    return statistics.median(findings.rate for findings in row.findings)


def _difference(first: Row, second: Row, figure: str, paired: bool) -> Difference:
    low = high = None
    if paired:
        both = zip(first.values(figure), second.values(figure), strict=True)
        changes = [y - x for x, y in both if x is not None and y is not None]
        if len(changes) > 1:
            low, high = _interval(
                statistics.mean(changes), statistics.variance(changes) / len(changes), len(changes) - 1
            )
    else:
        a, b = _values(first, figure), _values(second, figure)
        if len(a) > 1 and len(b) > 1:
            parts = statistics.variance(a) / len(a), statistics.variance(b) / len(b)
            squares = parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1)
            freedom = sum(parts) ** 2 / squares if squares else len(a) + len(b) - 2
            low, high = _interval(statistics.mean(b) - statistics.mean(a), sum(parts), freedom)
    return Difference(figure, first.figures.get(figure), second.figures.get(figure), low, high)


def _interval(middle: float, variance: float, freedom: float) -> tuple[float, float]:
    width = float(stats.t.ppf(1 - ALPHA / 2, freedom)) * math.sqrt(variance)
    return middle - width, middle + width


# Tests


def _permutation(columns: Sequence[tuple[Sequence[float], Sequence[float]]]) -> float:
    """Of which side a run is of, for (first, second) of each thing that is tested."""
    values = np.array([[*a, *b] for a, b in columns], dtype=np.float64)
    size, total = len(columns[0][0]), values.shape[1]
    if math.comb(total, size) <= _MOST:
        chosen = np.array(list(itertools.combinations(range(total), size)))
    else:
        rng = np.random.default_rng(_SEED)
        drawn = np.argsort(rng.random((_MOST - 1, total)), axis=1)[:, :size]
        chosen = np.concatenate((np.arange(size)[np.newaxis, :], drawn))
    sums = values[:, chosen].sum(axis=2)
    means = sums / size - (values.sum(axis=1, keepdims=True) - sums) / (total - size)
    return _smallest(np.abs(means))


def _signs(columns: Sequence[tuple[Sequence[float], Sequence[float]]]) -> float:
    """Of which way is which in each pair."""
    changes = np.array([np.subtract(b, a) for a, b in columns], dtype=np.float64)
    pairs = changes.shape[1]
    if 2**pairs <= _MOST:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=pairs)))
    else:
        drawn = np.random.default_rng(_SEED).choice((1.0, -1.0), (_MOST - 1, pairs))
        signs = np.concatenate((np.ones((1, pairs)), drawn))
    return _smallest(np.abs(changes @ signs.T))


def _smallest(statistic: Numbers) -> float:
    """The p-value of the smallest p-value; *statistic* (things, arrangements), of which the first is what was seen."""
    exact = np.round(statistic / np.maximum(statistic.max(axis=1, keepdims=True), 1e-300), 9)
    arrangements = exact.shape[1]
    ranks = np.array([arrangements - np.searchsorted(np.sort(row), row, side="left") for row in exact])
    smallest = ranks.min(axis=0)
    return float(np.count_nonzero(smallest <= smallest[0]) / arrangements)


def _all_adjusted(found: Sequence[Comparison]) -> list[Comparison]:
    adjusted = holm([each.p_value for each in found])
    return [
        replace(
            each,
            p_adjusted=float(p),
            shown=bool(p <= ALPHA),
            repeats_needed=_repeats_needed(len(found), each.paired),
            would_show=_would_show(each, len(found)),
        )
        for each, p in zip(found, adjusted, strict=True)
    ]


def _least_p(first: int, second: int, paired: bool) -> float:
    """Of two arrangements in all of them: no two-sided test finds less."""
    return 2 / (2**first if paired else math.comb(first + second, first))


def _repeats_needed(experiments: int, paired: bool) -> int:
    return next(n for n in itertools.count(1) if _least_p(n, n, paired) * experiments <= ALPHA)


def _would_show(each: Comparison, experiments: int) -> float | None:
    """As if the runs were normally spread, at the level of the first step of Holm's adjustment."""
    first, second = len(each.first), len(each.second)
    if _least_p(first, second, each.paired) * experiments > ALPHA:
        return None
    if each.paired:
        changes = [y - x for x, y in zip(each.first, each.second, strict=True)]
        variance, freedom = statistics.variance(changes) / first, first - 1
    else:
        variance = statistics.variance(each.first) / first + statistics.variance(each.second) / second
        freedom = first + second - 2
    if not variance:
        return None
    level = float(stats.t.ppf(1 - ALPHA / experiments / 2, freedom)) + float(stats.t.ppf(_POWER, freedom))
    return level * math.sqrt(variance)
