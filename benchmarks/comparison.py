"""What got slower between two runs, by more than noise.

The rule: a figure is worse if its ratio is at least 5 % worse than it was, and the turns of both runs tell that apart
from no difference. That is Yuen's test of the logarithms of the ratios: Welch's, with a fifth of the turns cut off at
either end, since what disturbs a turn disturbs it a lot. Its level is 1 % for all figures of a comparison (Holm).
The 5 % are for what differs between two runs of the same code and not between the turns of one: addresses, caches,
neighbours. Figures of fewer than three turns are not compared.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scipy import stats

from benchmarks.figure import Figure
from lab.distribution.goodness import holm

__all__ = ["Change", "compare"]

_LEVEL = 0.01
_LEAST_CHANGE = 0.05
_LEAST_TURNS = 3
_CUT = 0.2


@dataclass(frozen=True)
class Change:
    """One figure in two runs.

    Attributes:
        worse_by: the part by which the ratio is worse; below 0: better.
        slower: whether it is by more than noise.
        faster: whether it is better, by the same rule; None for both: too few turns.
    """

    name: str
    old: float
    new: float
    worse_by: float
    slower: bool | None
    faster: bool | None


def compare(old: Iterable[Figure], new: Iterable[Figure]) -> list[Change]:
    """What became of the figures that are in both, in the order of *new*."""
    before = {figure.name: figure for figure in old}
    pairs = [(before[figure.name], figure) for figure in new if figure.name in before]
    tested = [pair for pair in pairs if min(len(each.ours) for each in pair) >= _LEAST_TURNS]
    adjusted = holm([_p_value(a.ratios, b.ratios) for a, b in tested])
    told_apart = {a.name: p_value <= _LEVEL for (a, _), p_value in zip(tested, adjusted, strict=True)}
    return [_change(a, b, told_apart.get(a.name)) for a, b in pairs]


def _change(old: Figure, new: Figure, significant: bool | None) -> Change:
    factor = new.ratio / old.ratio if new.better == "less" else old.ratio / new.ratio
    slower, faster = factor >= 1 + _LEAST_CHANGE, factor <= 1 / (1 + _LEAST_CHANGE)
    return Change(
        new.name,
        old.ratio,
        new.ratio,
        factor - 1,
        None if significant is None else significant and slower,
        None if significant is None else significant and faster,
    )


def _p_value(a: Sequence[float], b: Sequence[float]) -> float:
    """Of Yuen's test, both sides."""
    logs = [[math.log(each) for each in ratios] for ratios in (a, b)]
    if all(len(set(each)) == 1 for each in logs):  # no noise at all
        return 0.0 if logs[0][0] != logs[1][0] else 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # turns that hardly differ
        return float(stats.ttest_ind(*logs, equal_var=False, trim=_CUT).pvalue)
