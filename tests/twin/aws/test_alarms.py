"""States of alarms from counts by the minute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.aws.alarms import Alarm, Query, compute, evaluate, latest, unknown
from twin.aws.metrics import Key, Metrics

ERRORS: Key = ("AWS/ApiGateway", "5xx", (("ApiId", "a"),))
REQUESTS: Key = ("AWS/ApiGateway", "Count", (("ApiId", "a"),))
NOW = 6_000_030.0  # half a minute into a minute

# The stack's own.
PERCENT = Alarm(
    "5xx",
    (
        Query("errors", ERRORS, "Sum", "", False),
        Query("requests", REQUESTS, "Sum", "", False),
        Query("percent", None, "", "100 * errors / requests", True),
    ),
    "GreaterThanThreshold",
    1.0,
    60,
    5,
    3,
    "notBreaching",
)


def counted(errors: Sequence[int | None], requests: int = 1000) -> Metrics:
    """*errors* of so many *requests* in each of the last whole minutes, the newest last; None: no request came."""
    counts = Metrics()
    counts.keep([ERRORS, REQUESTS])
    for ago, number in zip(range(len(errors), 0, -1), errors, strict=True):
        if number is not None:
            counts.add(REQUESTS, requests, NOW - 60 * ago)
            counts.add(ERRORS, number, NOW - 60 * ago)
    return counts


@pytest.mark.parametrize(
    ("errors", "state"),
    [
        ([0, 0, 0, 0, 0], "OK"),
        ([0, 0, 11, 11, 11], "ALARM"),  # more than 1 % in three of five
        ([11, 0, 11, 0, 11], "ALARM"),
        ([0, 0, 0, 11, 11], "OK"),
        ([10, 10, 10, 10, 10], "OK"),  # 1 % is not more than 1 %
        ([1000, 1000, 1000, 0, 0, 0], "OK"),  # one of the three has become too old
        ([None, None, None, None, None], "OK"),  # what is missing does not breach
        ([None, 11, 11, None, 11], "ALARM"),
    ],
)
def test_the_stacks_own_alarm(errors: list[int | None], state: str) -> None:
    assert evaluate(PERCENT, counted(errors), NOW, "OK")[0] == state


def test_the_minute_that_is_not_over_does_not_count() -> None:
    counts = counted([0, 0, 0, 11, 11])
    counts.add(REQUESTS, 1000, NOW)
    counts.add(ERRORS, 1000, NOW)

    assert evaluate(PERCENT, counts, NOW, "OK")[0] == "OK"
    assert evaluate(PERCENT, counts, NOW + 60, "OK")[0] == "ALARM"


@pytest.mark.parametrize(
    ("treat", "state"),
    [("missing", "INSUFFICIENT_DATA"), ("notBreaching", "OK"), ("breaching", "ALARM"), ("ignore", "ALARM")],
)
def test_missing_data_is_treated_as_the_alarm_says(treat: str, state: str) -> None:
    assert evaluate(replace(PERCENT, treat_missing_data=treat), counted([]), NOW, "ALARM")[0] == state


def test_an_alarm_of_one_metric() -> None:
    alarm = Alarm("a", (Query("", ERRORS, "Sum"),), "GreaterThanOrEqualToThreshold", 5.0, 120, 1, 1)

    assert evaluate(alarm, counted([3, 3, 3]), NOW, "OK")[0] == "ALARM"  # two minutes a point
    assert evaluate(alarm, counted([0, 2, 2]), NOW, "OK")[0] == "OK"


@pytest.mark.parametrize(
    ("query", "why"),
    [
        (Query("", ("AWS/ECS", "CPUUtilization", ())), "keeps no metric AWS/ECS CPUUtilization"),
        (Query("", ERRORS, "p99"), "no statistic p99"),
        (Query("e", None, "", "IF(errors > 1, 1, 0)"), "more than numbers, ids"),
        (Query("e", None, "", "errors /"), "does not read"),
        (Query("e", None, "", "__import__('os')"), "more than numbers, ids"),
        (Query("e", None, "", "'a' * 9"), "more than numbers, ids"),
        (Query("e", None, "", "FILL(errors, REPEAT)"), "more than numbers, ids"),
        (Query("e", None, "", "FILL(errors)"), "more than numbers, ids"),
    ],
)
def test_what_the_twin_does_not_compute_is_named(query: Query, why: str) -> None:
    assert why in str(unknown(replace(PERCENT, queries=(query,)), counted([])))


def test_fill_takes_the_place_of_what_is_missing() -> None:
    assert compute("FILL(errors, 0) / tasks", {"errors": None, "tasks": 2.0}) == 0
    assert compute("FILL(errors, 0) / tasks", {"errors": 3.0, "tasks": 2.0}) == 1.5
    assert compute("FILL(errors, 0) / tasks", {"errors": 3.0, "tasks": None}) is None


def test_the_newest_whole_period_is_the_latest_point() -> None:
    assert latest(PERCENT, counted([0, 20]), NOW) == 2
    assert latest(PERCENT, counted([20, None]), NOW) is None


def test_the_stacks_own_alarm_is_computed() -> None:
    assert unknown(PERCENT, counted([])) is None


@given(st.lists(st.one_of(st.none(), st.integers(0, 1000)), max_size=8))
def test_an_alarm_fires_exactly_if_enough_points_breach(errors: list[int | None]) -> None:
    breaching = sum(number is not None and number > 10 for number in errors[-5:])

    assert (evaluate(PERCENT, counted(errors), NOW, "OK")[0] == "ALARM") == (breaching >= 3)
