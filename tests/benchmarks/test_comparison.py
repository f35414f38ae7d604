"""The rule for what got slower, on runs whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.comparison import compare
from benchmarks.figure import Figure

FIGURES = 6
NOISE = 0.05  # of a ratio, and every tenth turn a neighbour takes another half of it


def run(rng: np.random.Generator, factor: float = 1.0, turns: int = 10, better: str = "less") -> list[Figure]:
    """Figures of which the first is *factor* times what it was."""
    found = []
    for number in range(FIGURES):
        ratios = np.exp(rng.normal(0.0, NOISE, turns)) * np.where(rng.random(turns) < 0.1, 1.5, 1.0)
        ours = tuple((ratios * (factor if number == 0 else 1.0)).tolist())
        found.append(Figure(str(number), "", "", "s", better, ours, (1.0,) * turns))  # type: ignore[arg-type]
    return found


def test_where_nothing_changed_hardly_any_comparison_names_something() -> None:
    rng = np.random.default_rng(25)
    false = sum(any(change.slower or change.faster for change in compare(run(rng), run(rng))) for _ in range(200))

    assert false <= 7  # 1 % of 200 are 2; more than 7 have a chance of 0.1 % then


@pytest.mark.parametrize(("better", "factor"), [("less", 1.3), ("more", 1 / 1.3)])
def test_what_is_a_third_slower_is_named_and_nothing_else(better: str, factor: float) -> None:
    rng = np.random.default_rng(26)
    named = [
        [change.name for change in compare(run(rng, better=better), run(rng, factor, better=better)) if change.slower]
        for _ in range(60)
    ]

    assert sum(names == ["0"] for names in named) >= 50


def test_what_got_faster_is_not_slower() -> None:
    rng = np.random.default_rng(27)
    first, *others = compare(run(rng), run(rng, 0.5))

    assert (first.faster, first.slower) == (True, False)
    assert first.worse_by == pytest.approx(-0.5, abs=0.1)
    assert not any(change.slower or change.faster for change in others)


def test_less_than_a_twentieth_is_no_change_however_well_it_is_known() -> None:
    rng = np.random.default_rng(28)
    first, *_ = compare(run(rng, turns=3000), run(rng, 1.04, turns=3000))

    assert (first.slower, first.faster) == (False, False)


def test_few_turns_tell_nothing() -> None:
    old = Figure("a", "", "", "s", "less", (1.0, 1.0), (1.0, 1.0))
    new = Figure("a", "", "", "s", "less", (9.0, 9.0, 9.0), (1.0, 1.0, 1.0))

    assert [(change.slower, change.faster) for change in compare([old], [new])] == [(None, None)]


def test_turns_without_noise_are_compared_too() -> None:
    old = Figure("a", "", "", "s", "less", (1.0,) * 3, (1.0,) * 3)
    new = Figure("a", "", "", "s", "less", (2.0,) * 3, (1.0,) * 3)

    assert [change.slower for change in compare([old], [new])] == [True]
    assert [change.slower for change in compare([old], [old])] == [False]


def test_only_what_is_in_both_runs_is_compared() -> None:
    a = Figure("a", "", "", "s", "less", (1.0,), (1.0,))
    b = Figure("b", "", "", "s", "less", (1.0,), (1.0,))

    assert [change.name for change in compare([a], [b, a])] == ["a"]
