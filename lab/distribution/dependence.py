"""Serial dependence: does the next answer come from the same host more often than chance, or less often?

Counts alone cannot tell the order in which hosts answered. Given the counts, all orders are equally likely if every
request is sent independently, and the number of answers that repeat the host of the one before has then a known mean
and variance: the runs test for several categories (Mood 1940), here for any number of connections (the join count
statistic of Cliff and Ord 1981, on paths). The whole transition matrix is tested against independence as well
(Anderson and Goodman 1957); it also sees orders that repeat no host more or less often.

Counts cannot tell two hosts in turn from chance when their number is odd: 501 and 500 have p = 0.0504 for so little
spread. If a part r of the answers of k equal hosts sticks, 6.18 / ((k - 1) r^2) answers show it with 80 % power at 5 %:
309 for 3 hosts and a tenth. With connections known, consecutive means consecutive on one connection. Without, the lines
of many connections are interleaved, and stickiness of each can be hidden: forty sticky connections look independent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence as Listing
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from lab.imports import special
from lab.records.observations import Integers, Sequence, Windows

_ENOUGH = 5.0  # expected repeats and changes below which the normal distribution is no approximation


@dataclass(frozen=True)
class Matrix:
    """The transition matrix against independence; `rows[i][j]` counts answers of host j next after host i."""

    hosts: tuple[str, ...]
    rows: tuple[tuple[int, ...], ...]
    chi_square: float
    degrees_of_freedom: int
    p_value: float
    cramers_v: float


@dataclass(frozen=True)
class Dependence:
    """How often the host of the answer before comes again."""

    pairs: int  # consecutive answers
    repeats: int  # of these, from one host
    expected_repeats: float  # by chance
    p_sticky: float  # the chance of at least so many repeats
    p_in_turn: float  # of at most so many
    run_length: float  # mean number of answers from one host in a row
    expected_run_length: float
    dispersion: float  # answers for each independent draw of a host: 1 under chance, L where it is drawn for L
    matrix: Matrix | None  # None where hosts came or went, or are too many


def dependence(windows: Windows, sequence: Sequence, whole: bool) -> Dependence | None:
    """Test the order of answers in windows with unchanged hosts; `whole` if these are all windows. None: too few."""
    counts = windows.counts.sum(axis=0)
    pairs, repeats = int(windows.pairs.sum()), int(windows.repeats.sum())
    if counts.sum() < 4 or pairs < 2:
        return None
    chains = min(sequence.chains, pairs)
    mean, variance = repeat_moments([int(count) for count in counts], pairs, chains)
    if min(mean, pairs - mean) < _ENOUGH or variance <= 0:
        return None
    deviation = math.sqrt(variance)
    sticky = float(special.ndtr((mean + 0.5 - repeats) / deviation))
    in_turn = float(special.ndtr((repeats + 0.5 - mean) / deviation))
    return Dependence(
        pairs=pairs,
        repeats=repeats,
        expected_repeats=mean,
        p_sticky=sticky,
        p_in_turn=in_turn,
        run_length=pairs / max(1, pairs - repeats),
        expected_run_length=pairs / (pairs - mean),
        # A change of host is a draw, and so are the first of each chain and the draws that met the same host again.
        dispersion=(pairs + chains) / (chains + (pairs - repeats) * pairs / (pairs - mean)),
        matrix=_matrix(sequence.hosts, sequence.transitions) if whole and sequence.transitions is not None else None,
    )


def repeat_moments(counts: Listing[int], pairs: int, chains: int) -> tuple[float, float]:
    """Mean and variance of the repeats among `pairs` neighbours on `chains` paths, over all orders of the counts.

    Two pairs either share an answer (pairs - chains times) or not; three and four answers are then from one host, or
    two and two, with the probabilities of drawing without replacement. Exact, for at least four answers.
    """
    total = sum(counts)
    twos = [n * (n - 1) for n in counts]
    two = Fraction(sum(twos), total * (total - 1))
    three = Fraction(sum(n * (n - 1) * (n - 2) for n in counts), total * (total - 1) * (total - 2))
    within = sum(n * (n - 1) * (n - 2) * (n - 3) for n in counts)
    across = sum(twos) ** 2 - sum(n * n for n in twos)
    four = Fraction(within + across, total * (total - 1) * (total - 2) * (total - 3))
    sharing = 2 * (pairs - chains)
    mean = pairs * two
    variance = mean + sharing * three + (pairs * (pairs - 1) - sharing) * four - mean**2
    return float(mean), float(variance)


def _matrix(hosts: tuple[str, ...], transitions: Integers) -> Matrix | None:
    """Pearson's chi-square of the transition counts; None where an expected count is below five."""
    seen = (transitions.sum(axis=0) > 0) & (transitions.sum(axis=1) > 0)
    table = transitions[np.ix_(seen, seen)]
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / max(1, table.sum())
    if len(table) < 2 or expected.min() < _ENOUGH:
        return None
    chi_square, freedom = float(((table - expected) ** 2 / expected).sum()), (len(table) - 1) ** 2
    return Matrix(
        hosts=hosts,
        rows=tuple(tuple(row) for row in transitions.tolist()),
        chi_square=chi_square,
        degrees_of_freedom=freedom,
        p_value=float(special.chdtrc(freedom, chi_square)),
        cramers_v=math.sqrt(chi_square / int(table.sum()) / (len(table) - 1)),
    )
