"""What policies want, and what comes of it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.aws.scaling import Capacity, Cooldown, Judgement, Wish, decide, step, track

CPU = {"TargetValue": 50.0, "ScaleOutCooldown": 60}


def high(value: float | None, *, fires: bool = True) -> Judgement:
    return Judgement("High", fires, value, 50.0)


def low(value: float | None, *, fires: bool = True) -> Judgement:
    return Judgement("Low", fires, value, 45.0)


NOT_LOW, NOT_HIGH = low(48, fires=False), high(48, fires=False)


@pytest.mark.parametrize(
    ("running", "value", "change"),
    [(3, 75, 2), (3, 51, 1), (1, 100, 1), (10, 60, 2), (3, 50.0000001, 1), (0, 75, 1), (3, 100, 3)],
)
def test_target_tracking_scales_out_in_proportion_and_rounds_up(running: int, value: float, change: int) -> None:
    assert track("cpu", CPU, running, high(value), NOT_LOW) == Wish("cpu", "High", change, 60)


@pytest.mark.parametrize(
    ("running", "value", "change"), [(6, 25, -3), (6, 26, -2), (3, 44, 0), (4, 0, -4), (0, 0, 0), (3, 100 / 3, -1)]
)
def test_it_scales_in_in_proportion_and_rounds_up(running: int, value: float, change: int) -> None:
    assert track("cpu", CPU, running, NOT_HIGH, low(value)) == Wish("cpu", "Low", change, 300)


def test_without_an_alarm_it_keeps_others_from_scaling_in_unless_it_never_does() -> None:
    assert track("cpu", CPU, 3, NOT_HIGH, NOT_LOW) == Wish("cpu", "Low", 0, 300)
    assert track("cpu", CPU, 3, high(None), low(None)) == Wish("cpu", "Low", 0, 300)
    assert track("cpu", CPU, 3, NOT_HIGH, None) is None
    assert track("cpu", CPU, 3, high(75), None) == Wish("cpu", "High", 2, 60)


STEPS = [
    {"MetricIntervalLowerBound": 0.0, "MetricIntervalUpperBound": 10.0, "ScalingAdjustment": 1},
    {"MetricIntervalLowerBound": 10.0, "ScalingAdjustment": 3},
]
STEPS_IN = [
    {"MetricIntervalUpperBound": 0.0, "MetricIntervalLowerBound": -10.0, "ScalingAdjustment": -1},
    {"MetricIntervalUpperBound": -10.0, "ScalingAdjustment": -2},
]


@pytest.mark.parametrize(
    ("steps", "value", "change"),
    [
        *((STEPS, 60, 1), (STEPS, 69.9, 1), (STEPS, 70, 3), (STEPS, 500, 3), (STEPS, 59, None), (STEPS, None, None)),
        *((STEPS_IN, 59, -1), (STEPS_IN, 50.1, -1), (STEPS_IN, 50, -2), (STEPS_IN, 0, -2), (STEPS_IN, 61, None)),
    ],
)
def test_steps_by_the_size_of_the_breach(steps: list[Any], value: float | None, change: int | None) -> None:
    configuration = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": steps, "Cooldown": 30}
    wish = step("steps", configuration, 4, [Judgement("A", False, value, 60.0), Judgement("B", True, value, 60.0)])

    assert wish == (None if change is None else Wish("steps", "B", change, 30))


@pytest.mark.parametrize(
    ("kind", "running", "adjustment", "more", "change"),
    [
        ("ExactCapacity", 4, 10, {}, 6),
        ("ExactCapacity", 4, 1, {}, -3),
        ("PercentChangeInCapacity", 10, 30, {}, 3),
        ("PercentChangeInCapacity", 127, 10, {}, 12),  # 12.7
        ("PercentChangeInCapacity", 4, 10, {}, 1),  # 0.4
        ("PercentChangeInCapacity", 4, -10, {}, -1),  # -0.4
        ("PercentChangeInCapacity", 67, -10, {}, -6),  # -6.7
        ("PercentChangeInCapacity", 4, 25, {"MinAdjustmentMagnitude": 2}, 2),
        ("PercentChangeInCapacity", 4, -25, {"MinAdjustmentMagnitude": 2}, -2),
        ("PercentChangeInCapacity", 0, 50, {}, 0),
    ],
)
def test_adjustments(kind: str, running: int, adjustment: int, more: dict[str, int], change: int) -> None:
    steps = [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": adjustment}]
    wish = step("s", {"AdjustmentType": kind, "StepAdjustments": steps, **more}, running, [Judgement("A", True, 9, 5)])

    assert wish == Wish("s", "A", change, 300)


OUT, FURTHER, IN = Wish("out", "High", 2, 60), Wish("further", "High", 3, 60), Wish("in", "Low", -2, 300)
COOLS = Cooldown(until=1_000)


@pytest.mark.parametrize(
    ("capacity", "wishes", "cooldown", "desired"),
    [
        (Capacity(3, 3, 1, 9), [], Cooldown(), None),
        (Capacity(3, 3, 1, 9), [OUT], Cooldown(), 5),
        (Capacity(3, 3, 1, 9), [OUT, FURTHER, IN], Cooldown(), 6),  # the largest
        (Capacity(3, 3, 1, 4), [OUT], Cooldown(), 4),
        (Capacity(3, 3, 1, 3), [OUT], Cooldown(), None),
        (Capacity(5, 5, 1, 3), [OUT], Cooldown(), None),  # above the most already [ecs]
        (Capacity(1, 1, 4, 9), [OUT], Cooldown(), 4),  # to the least [ecs]
        (Capacity(5, 3, 1, 9), [OUT], Cooldown(), None),  # those that run are what is scaled [ecs]
        (Capacity(3, 3, 1, 9, out_suspended=True), [OUT], Cooldown(), None),
        (Capacity(3, 3, 1, 9, is_deploying=True), [OUT], Cooldown(), 5),
        (Capacity(5, 5, 1, 9), [OUT], Cooldown(1_000, added=2), None),  # that is what was added
        (Capacity(5, 3, 1, 9), [FURTHER], Cooldown(1_000, added=2), 6),  # one more than was added
        (Capacity(5, 5, 1, 9), [OUT], Cooldown(99, added=2), 7),  # it is over
        (Capacity(5, 5, 1, 9), [OUT], COOLS, 7),  # after scaling in it stops
        (Capacity(5, 5, 1, 9), [IN], Cooldown(), 3),
        (Capacity(5, 5, 4, 9), [IN], Cooldown(), 4),
        (Capacity(5, 5, 1, 9), [IN, Wish("other", "Low", -1)], Cooldown(), 4),  # the largest
        (Capacity(5, 5, 1, 9), [IN, Wish("other", "Low", 0)], Cooldown(), None),  # one is not ready
        (Capacity(5, 5, 1, 9), [IN], COOLS, None),
        (Capacity(5, 5, 1, 9), [IN], Cooldown(1_000, added=2), None),
        (Capacity(5, 5, 1, 9, in_suspended=True), [IN], Cooldown(), None),
        (Capacity(5, 5, 1, 9, is_deploying=True), [IN], Cooldown(), None),
        (Capacity(5, 5, 6, 9), [IN], Cooldown(), None),  # below the least already [ecs]
        (Capacity(9, 9, 1, 3), [IN], Cooldown(), 3),  # to the most [ecs]
        (Capacity(1, 1, 1, 9), [IN], Cooldown(), None),
    ],
)
def test_decisions(capacity: Capacity, wishes: list[Wish], cooldown: Cooldown, desired: int | None) -> None:
    change = decide(capacity, wishes, cooldown, 100)
    assert (change and change.desired) == desired


def test_a_cooldown_begins() -> None:
    out = decide(Capacity(3, 3, 1, 9), [OUT], Cooldown(), 100)
    assert out is not None
    assert (out.wish, out.cooldown) == (OUT, Cooldown(160, added=2))
    more = decide(Capacity(5, 3, 1, 9), [FURTHER], out.cooldown, 130)
    assert more is not None
    assert more.cooldown == Cooldown(190, added=3)
    less = decide(Capacity(5, 5, 1, 9), [IN], Cooldown(), 100)
    assert less is not None
    assert less.cooldown == Cooldown(400, added=0)


@given(st.integers(1, 20), st.integers(1, 10_000), st.integers(1, 10), st.integers(10, 20))
def test_under_a_steady_load_it_settles_near_the_target(start: int, load: int, least: int, most: int) -> None:
    """*load* is the percent of one task's processor that it takes; a minute passes between two rounds."""
    desired, cooldown, counts = min(max(start, least), most), Cooldown(), []
    for minute in range(100):
        value = min(100.0, load / desired)
        wish = track("cpu", CPU, desired, high(value, fires=value > 50), low(value, fires=value < 45))
        change = decide(Capacity(desired, desired, least, most), [wish] if wish else [], cooldown, 60.0 * minute)
        if change is not None:
            desired, cooldown = change.desired, change.cooldown
        counts.append(desired)

    value = min(100.0, load / desired)
    assert len(set(counts[-50:])) == 1
    assert value <= 50 or desired == most
    assert value >= 45 or desired == least or math.ceil(desired * value / 50) == desired
