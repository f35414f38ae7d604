from __future__ import annotations

import pytest

from benchmarks.figure import Figure, Goal, measure


def figure(
    ours: tuple[float, ...], theirs: tuple[float, ...], goal: Goal | None = None, better: str = "less"
) -> Figure:
    return Figure("name", "ours", "theirs", "s", better, ours, theirs, goal)  # type: ignore[arg-type]


def test_variants_take_turns_and_the_first_turn_is_not_counted() -> None:
    order: list[str] = []

    def variant(name: str) -> float:
        order.append(name)
        return float(len(order))

    found = measure({"a": lambda: variant("a"), "b": lambda: variant("b")}, turns=2)

    assert order == ["a", "b", "a", "b", "a", "b"]
    assert found == {"a": [3.0, 5.0], "b": [4.0, 6.0]}


def test_ratios_are_of_the_same_turn() -> None:
    # The machine was ten times as slow in the second turn, for both.
    found = figure((1.0, 10.0, 1.2), (2.0, 20.0, 2.0))

    assert found.ratios == [0.5, 0.5, 0.6]
    assert found.ratio == 0.5
    assert found.spread == pytest.approx((0.5, 0.55))
    assert (found.value, found.reference, found.difference) == (1.2, 2.0, -1.0)


def test_one_turn_has_no_spread() -> None:
    assert figure((1.0,), (4.0,)).spread == (0.25, 0.25)


@pytest.mark.parametrize(
    ("goal", "better", "met"),
    [
        (None, "less", None),
        (Goal("ratio", 0.5), "less", True),
        (Goal("ratio", 0.49), "less", False),
        (Goal("ratio", 0.5), "more", True),
        (Goal("ratio", 0.51), "more", False),
        (Goal("value", 2.0), "less", True),
        (Goal("value", 1.9), "less", False),
        (Goal("difference", -2.0), "less", True),
        (Goal("difference", -2.1), "less", False),
    ],
)
def test_a_goal_bounds_what_it_is_of_from_its_side(goal: Goal | None, better: str, met: bool | None) -> None:
    assert figure((2.0,), (4.0,), goal, better).met is met


@pytest.mark.parametrize(("ours", "theirs"), [((), ()), ((1.0,), ()), ((1.0,), (1.0, 2.0))])
def test_a_figure_has_turns_and_as_many_of_either(ours: tuple[float, ...], theirs: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="turns"):
        figure(ours, theirs)
