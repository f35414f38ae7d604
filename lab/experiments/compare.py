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
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from lab.distribution.goodness import ALPHA, POWER, holm
from lab.errors import BadInput
from lab.experiments.catalogue import CLIENT_PROXY, DIRECT, EXPERIMENTS, LOAD_BALANCER
from lab.experiments.figures import FIGURES, PRIMARY, Compared
from lab.experiments.study import Row, Spread, Study, rows
from lab.imports import special
from lab.records.observations import Integers, Numbers

_MOST = 50_000  # arrangements that are looked at one by one; of more, so many are drawn
_SEED = 1  # the same files give the same answer
_SAME_RATE = 0.1  # rates that differ by no more are taken for the same
_COMMON = "detect_s"  # what ECS does is the same for both ways
_OUTCOMES = [name for name, figure in FIGURES.items() if figure.compared is Compared.OUTCOME]

Columns = Sequence[tuple[Sequence[float], Sequence[float]]]  # (first, second) of each thing that is tested


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
    """One experiment at one setting, on either side."""

    experiment: str
    setting: Mapping[str, float]
    ways: tuple[str, str]  # of either side; alike but where they are compared with each other
    beside: bool  # whether the way without a load balancer is that past the one of its stack
    first: tuple[float, ...]  # seconds of traffic that failed, run by run
    second: tuple[float, ...]
    rates: tuple[float, float]  # requests per second that were sent
    p_value: float  # of the experiment alone
    p_adjusted: float  # for all experiments of the page (Holm)
    shown: bool  # at 5 %
    outcomes: tuple[Outcome, ...]
    differences: tuple[Difference, ...]
    paired: bool
    repeats_needed: int  # runs on each side (pairs) with which a complete separation would have been shown
    # Seconds of traffic that these runs would have shown with 80 % power; None where there are too few of them for any,
    # or where they do not vary, so that nothing tells what chance makes.
    would_show: float | None

    @property
    def failed_seconds(self) -> tuple[Spread, Spread]:
        """On either side."""
        unit = FIGURES[PRIMARY].unit
        return Spread.of(self.first, unit), Spread.of(self.second, unit)

    @property
    def rates_differ(self) -> bool:
        """Whether one rate is more than a tenth above the other: then the runs differ in more than what is compared."""
        return max(self.rates) > (1 + _SAME_RATE) * min(self.rates)


def compare(first: Study, second: Study) -> list[Comparison]:
    """Every experiment that both have, at every setting and on every way.

    Of a stack without a load balancer and one with it: the one without, and what passed through the load balancer.
    What passed by it is no measurement of going without.

    Raises BadInput where they have none in common, or one has no run that says anything, or runs of several services.
    """
    for study in (first, second):
        _require_whole(study)
    one, other = _of_one(first), _of_one(second)
    across = {_load_balanced(one), _load_balanced(other)} == {True, False}
    if across:
        one, other = ([row for row in side if not row.beside] for side in (one, other))
    pairs = _pairs(one, other, ways=across)
    if not pairs:
        raise BadInput(_nothing_in_common(first, second))
    return _compared(pairs, paired=False)


def _of_one(study: Study) -> list[Row]:
    """Its rows, without what passed by the load balancer of another stack than that of the same experiment without one.

    Raises BadInput: runs at one setting are of several services, or of some that end in other ways.
    """
    found = rows(study.measured)
    alone = {row.experiment.name for row in found if row.arm == DIRECT and not row.beside}
    kept = [row for row in found if not row.beside or row.experiment.name not in alone]
    if len({(row.experiment.name, row.arm, tuple(row.parameters.items())) for row in kept}) < len(kept):
        raise BadInput(
            f"{study.folder} has runs of several services, or of some that end in other ways, at the same setting: "
            "compare the studies of one service each."
        )
    return kept


def _load_balanced(found: Sequence[Row]) -> bool | None:
    """Whether all of *found* are of a stack with a load balancer; False: none; None: some, or of a client proxy."""
    told = {None if row.arm == CLIENT_PROXY else row.beside or row.arm == LOAD_BALANCER for row in found}
    return told.pop() if len(told) == 1 else None


def _nothing_in_common(first: Study, second: Study) -> str:
    """Why, and what can be done with them."""
    both = f"{first.folder} and {second.folder}"
    names = [name for name in EXPERIMENTS if all(any(m.name == name for m in s.measured) for s in (first, second))]
    if not names:
        return f"{both} have no experiment in common: there is nothing to compare."
    told = []
    for study in (first, second):
        found = rows(study.measured)
        settings = [" ".join(f"{name} {value:g}" for name, value in row.parameters.items()) for row in found]
        ways = ", ".join(dict.fromkeys(row.arm for row in found))
        told.append(f"{study.folder}: {', '.join(dict.fromkeys(filter(None, settings))) or 'nothing swept'} ({ways})")
    return (
        f"{both} have {', '.join(names)} in common, but at no setting and way that both have: {'; '.join(told)}. "
        "`lab table` sets them beside each other; to compare one setting, run it as a study of its own, or make one of "
        "its runs with `lab report RUN...`."
    )


def compare_ways(study: Study) -> list[Comparison]:
    """The way through Cloud Map with that through the load balancer or the client proxy, in the same runs.

    Without the events of a stack with a load balancer that keep tasks for it, which both ways then have.

    Raises BadInput where no run has both ways, or none says anything, or all are of such events.
    """
    _require_whole(study)
    both, other = _both_ways(study)
    pairs = _pairs([row for row in both if row.arm == DIRECT], [row for row in both if row.arm == other], ways=True)
    if not pairs:
        raise BadInput(
            f"{study.folder} has runs of one way only: name a second folder to compare it with, or run on a stack with "
            "a load balancer beside (SC_COMPARISON=true), or with --hop upstream; --by compares two values of a sweep."
        )
    fair = [pair for pair in pairs if not _is_kept(pair[0])]
    if not fair:
        raise BadInput(
            f"{study.folder} has only events in which ECS may stop tasks that serve. What passed by the load balancer "
            "is no measurement of going without: its tasks are kept for the target group's deregistration delay. Run "
            "them on a stack without one as well, and compare the two studies: lab compare A B."
        )
    return _compared(fair, paired=True)


def kept(study: Study) -> list[str]:
    """The events that `compare_ways` leaves out of *study*."""
    return list(dict.fromkeys(row.experiment.name for row in _both_ways(study)[0] if _is_kept(row)))


def _both_ways(study: Study) -> tuple[list[Row], str]:
    """The rows of the runs that have two ways, and the second of these."""
    other = LOAD_BALANCER if any(LOAD_BALANCER in each.findings for each in study.measured) else CLIENT_PROXY
    return rows([measured for measured in study.measured if {DIRECT, other} <= set(measured.findings)]), other


def _is_kept(row: Row) -> bool:
    """Whether its tasks were kept for a target group, though the requests passed by the load balancer."""
    return row.beside and row.experiment.keeps_tasks


def settings_of(study: Study, name: str, values: Sequence[float]) -> dict[str, Study]:
    """The runs of *study* at each of two *values* of what was swept, by their names; of two there are, none is given.

    On a twin both met the gateway's list at the same ages. `compare` does not reckon with it, and so shows no more.

    Raises BadInput: there are no two such values, or two settings were swept.
    """
    if grid := next((each.parameters for each in study.measured if len(each.parameters) > 1), None):
        raise BadInput(f"--by is for a sweep of one setting, and {study.folder} is a grid of {' and '.join(grid)}.")
    there = sorted({each.parameters[name] for each in study.measured if name in each.parameters})
    chosen = values or there
    if len(set(chosen)) != 2 or not set(chosen) <= set(there):
        known = ", ".join(f"{value:g}" for value in there) or "none"
        raise BadInput(
            f"--by takes two values of a sweep, as drain_seconds=0,20: of {name} {study.folder} has {known}."
        )
    at = {value: tuple(each for each in study.measured if each.parameters.get(name) == value) for value in chosen}
    return {f"{name} {value:g}": replace(study, measured=measured) for value, measured in at.items()}


def _require_whole(study: Study) -> None:
    if all(measured.flaw for measured in study.measured):
        why = f" ({study.measured[0].flaw})" if study.measured else ""
        raise BadInput(f"{study.folder} has no run that says anything{why}: run it again.")


def _pairs(first: Sequence[Row], second: Sequence[Row], *, ways: bool = False) -> list[tuple[Row, Row]]:
    """By experiment, setting and, but where *ways* are compared, way; where each has but one setting, it need not be
    the same."""
    whole = all(len({tuple(sorted(row.parameters.items())) for row in side}) == 1 for side in (first, second))

    def key(row: Row) -> tuple[object, ...]:
        arm, setting = "" if ways else (row.arm, row.beside), () if whole else tuple(sorted(row.parameters.items()))
        return row.experiment.name, arm, setting

    others = {key(row): row for row in second}
    return [(row, others[key(row)]) for row in first if key(row) in others]


def _compared(pairs: Sequence[tuple[Row, Row]], *, paired: bool) -> list[Comparison]:
    p_values = [_p_value(first, second, paired) for first, second in pairs]
    return [
        Comparison(
            experiment=first.experiment.name,
            setting=first.parameters if first.parameters == second.parameters else {},
            ways=(first.arm, second.arm),
            beside=first.beside,
            first=tuple(_values(first, PRIMARY)),
            second=tuple(_values(second, PRIMARY)),
            rates=(_rate(first), _rate(second)),
            p_value=p_value,
            p_adjusted=p_adjusted,
            shown=p_adjusted <= ALPHA,
            outcomes=tuple(Outcome(name, *map(sum, _came(first, second, name))) for name in _OUTCOMES),
            differences=tuple(_difference(first, second, name, paired) for name in _described(first, second, paired)),
            paired=paired,
            repeats_needed=_repeats_needed(len(pairs), paired),
            would_show=_would_show(_values(first, PRIMARY), _values(second, PRIMARY), paired, len(pairs)),
        )
        for (first, second), p_value, p_adjusted in zip(pairs, p_values, holm(p_values), strict=True)
    ]


def _p_value(first: Row, second: Row, paired: bool) -> float:
    """Of the primary figure, and of the outcomes that some runs came to and some did not."""
    outcomes = [_came(first, second, name) for name in _OUTCOMES]
    differing = [(x, y) for x, y in outcomes if any(x + y) and not all(x + y)]
    columns: Columns = [(_values(first, PRIMARY), _values(second, PRIMARY)), *differing]
    return _signs(columns) if paired else _permutation(columns)


def _came(first: Row, second: Row, figure: str) -> tuple[list[bool], list[bool]]:
    """Which runs of either side came to the figure."""
    x, y = ([value is not None for value in side.values(figure)] for side in (first, second))
    return x, y


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
    if paired:
        both = zip(first.values(figure), second.values(figure), strict=True)
        known = [(x, y) for x, y in both if x is not None and y is not None]
        a, b = [x for x, _ in known], [y for _, y in known]
    else:
        a, b = _values(first, figure), _values(second, figure)
    low = high = None
    if min(len(a), len(b)) > 1:
        variance, freedom = _of_the_mean(a, b, paired)
        middle = statistics.mean(b) - statistics.mean(a)
        width = float(special.stdtrit(freedom, 1 - ALPHA / 2)) * math.sqrt(variance)
        low, high = middle - width, middle + width
    return Difference(figure, first.figures.get(figure), second.figures.get(figure), low, high)


def _of_the_mean(a: Sequence[float], b: Sequence[float], paired: bool) -> tuple[float, float]:
    """The variance of the difference of the means, and its degrees of freedom (Welch, where runs are not paired)."""
    if paired:
        return _variance(np.subtract(b, a)) / len(a), len(a) - 1
    parts = _variance(np.array(a)) / len(a), _variance(np.array(b)) / len(b)
    squares = parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1)
    return sum(parts), sum(parts) ** 2 / squares if squares else len(a) + len(b) - 2


def _variance(values: Numbers) -> float:
    return float(values.var(ddof=1)) if np.ptp(values) else 0.0  # and not what rounding makes of it


# Tests


def _permutation(columns: Columns) -> float:
    """Of which side a run is of."""
    values = np.array([[*a, *b] for a, b in columns], dtype=np.float64)
    size, total = len(columns[0][0]), values.shape[1]
    sums = values[:, _sides(size, total)].sum(axis=2)
    means = sums / size - (values.sum(axis=1, keepdims=True) - sums) / (total - size)
    return _smallest(np.abs(means))


@lru_cache(maxsize=8)
def _sides(size: int, total: int) -> Integers:
    """Which *size* of the runs are of the first side, (arrangements, size)."""
    if math.comb(total, size) <= _MOST:
        return np.array(list(itertools.combinations(range(total), size)))
    drawn = np.argsort(np.random.default_rng(_SEED).random((_MOST - 1, total)), axis=1)[:, :size]
    return np.concatenate((np.arange(size)[np.newaxis, :], drawn))


def _signs(columns: Columns) -> float:
    """Of which way is which in each pair."""
    # Numbers first: of outcomes, which are true or false, NumPy takes no difference.
    changes = np.array([np.subtract(b, a, dtype=np.float64) for a, b in columns])
    return _smallest(np.abs(changes @ _ways(changes.shape[1]).T))


@lru_cache(maxsize=8)
def _ways(pairs: int) -> Numbers:
    """The sign of each pair, (arrangements, pairs)."""
    if 2**pairs <= _MOST:
        return np.array(list(itertools.product((1.0, -1.0), repeat=pairs)))
    drawn = np.random.default_rng(_SEED).choice((1.0, -1.0), (_MOST - 1, pairs))
    return np.concatenate((np.ones((1, pairs)), drawn))


def _smallest(statistic: Numbers) -> float:
    """The p-value of the smallest p-value; *statistic* (things, arrangements), of which the first is what was seen."""
    exact = np.round(statistic / np.maximum(statistic.max(axis=1, keepdims=True), 1e-300), 9)
    arrangements = exact.shape[1]
    ranks = np.array([arrangements - np.searchsorted(np.sort(row), row, side="left") for row in exact])
    smallest = ranks.min(axis=0)
    return float(np.count_nonzero(smallest <= smallest[0]) / arrangements)


def _least_p(first: int, second: int, paired: bool) -> float:
    """Of two arrangements in all of them: no two-sided test finds less."""
    return 2 / (2**first if paired else math.comb(first + second, first))


def _repeats_needed(experiments: int, paired: bool) -> int:
    return next(n for n in itertools.count(1) if _least_p(n, n, paired) * experiments <= ALPHA)


def _would_show(a: Sequence[float], b: Sequence[float], paired: bool, experiments: int) -> float | None:
    """As if the runs were normally spread, at the level of the first step of Holm's adjustment."""
    if _least_p(len(a), len(b), paired) * experiments > ALPHA:
        return None
    variance, _ = _of_the_mean(a, b, paired)
    freedom = len(a) - 1 if paired else len(a) + len(b) - 2
    level = special.stdtrit(freedom, [1 - ALPHA / experiments / 2, POWER]).sum()
    return float(level) * math.sqrt(variance) if variance else None
