"""When schedules are due, and which are refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.aws.schedules import last_due, parse

SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def last(expression: str, until: str, zone: str = "UTC", after: datetime = SINCE) -> str | None:
    """The last moment until then, in UTC."""
    found = parse(expression, zone).due(after, moment(until), SINCE)
    return None if found is None else found.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


@pytest.mark.parametrize(
    ("expression", "until", "found"),
    [
        ("at(2026-11-29T22:00:00)", "2026-11-29T21:59:59", None),
        ("at(2026-11-29T22:00:00)", "2026-11-29T22:00:00", "2026-11-29T22:00:00"),
        ("rate(1 minute)", "2026-01-01T00:00:59", None),
        ("rate(1 minute)", "2026-01-01T00:05:01", "2026-01-01T00:05:00"),
        ("rate(12 hours)", "2026-01-02T13:00:00", "2026-01-02T12:00:00"),
        ("rate(7 days)", "2026-01-08T00:00:00", "2026-01-08T00:00:00"),
        ("cron(30 6 ? * MON *)", "2026-11-29T12:00:00", "2026-11-23T06:30:00"),
        ("cron(30 6 ? * 2 *)", "2026-11-29T12:00:00", "2026-11-23T06:30:00"),
        ("cron(0 10 * * ? *)", "2026-11-29T09:59:59", "2026-11-28T10:00:00"),
        ("cron(0 18 ? * MON-FRI *)", "2026-11-29T12:00:00", "2026-11-27T18:00:00"),
        ("cron(0/15 * * * ? *)", "2026-11-29T12:20:00", "2026-11-29T12:15:00"),
        ("cron(5,35 14 * * ? *)", "2026-11-29T14:34:00", "2026-11-29T14:05:00"),
        ("cron(0/10 8-17/3 * * ? *)", "2026-11-29T13:00:00", "2026-11-29T11:50:00"),
        ("cron(0 0 L * ? *)", "2026-03-30T12:00:00", "2026-02-28T00:00:00"),
        ("cron(0 0 1W * ? *)", "2026-08-30T00:00:00", "2026-08-03T00:00:00"),  # the 1st is a Saturday
        ("cron(0 0 15W * ? *)", "2026-08-30T00:00:00", "2026-08-14T00:00:00"),  # the 15th is a Saturday
        ("cron(0 0 29W * ? *)", "2026-11-30T00:00:00", "2026-11-30T00:00:00"),  # the 29th is a Sunday
        ("cron(0 0 31W * ? *)", "2026-06-01T00:00:00", "2026-05-29T00:00:00"),  # so is the last of May
        ("cron(0 0 31W * ? *)", "2026-12-30T00:00:00", "2026-10-30T00:00:00"),  # November has none
        ("cron(0 9 ? * 3#2 *)", "2026-11-29T00:00:00", "2026-11-10T09:00:00"),  # the second Tuesday
        ("cron(0 9 ? * 1#5 *)", "2026-11-30T00:00:00", "2026-11-29T09:00:00"),
        ("cron(0 9 ? * 6L *)", "2026-11-29T00:00:00", "2026-11-27T09:00:00"),  # the last Friday
        ("cron(0 9 ? * L *)", "2026-11-29T00:00:00", "2026-11-28T09:00:00"),  # Saturday
        ("cron(0 0 1 JAN,JUL ? *)", "2026-11-29T00:00:00", "2026-07-01T00:00:00"),
        ("cron(0 0 1 jul ? 2025)", "2026-11-29T00:00:00", None),
        ("cron(0 0 1 7 ? 2026-2027)", "2026-11-29T00:00:00", "2026-07-01T00:00:00"),
        ("cron(0 0 30 2 ? *)", "2026-11-29T00:00:00", None),
    ],
)
def test_the_last_moment(expression: str, until: str, found: str | None) -> None:
    assert last(expression, until) == found


@pytest.mark.parametrize(
    ("expression", "zone", "until", "found"),
    [
        ("cron(0 9 * * ? *)", "America/New_York", "2026-07-01T15:00:00", "2026-07-01T13:00:00"),
        ("cron(0 9 * * ? *)", "America/New_York", "2026-12-01T15:00:00", "2026-12-01T14:00:00"),
        ("at(2026-07-01T09:00:00)", "Europe/London", "2026-07-01T15:00:00", "2026-07-01T08:00:00"),
        ("cron(0 0 ? * MON *)", "Asia/Tokyo", "2026-11-29T16:00:00", "2026-11-29T15:00:00"),
        # Clocks go from 1:00 to 2:00 on March 29, and from 2:00 to 1:00 on October 25.
        ("cron(30 1 * * ? *)", "Europe/London", "2026-03-29T12:00:00", "2026-03-28T01:30:00"),
        ("cron(30 1 * * ? *)", "Europe/London", "2026-10-25T12:00:00", "2026-10-25T00:30:00"),
    ],
)
def test_in_a_time_zone(expression: str, zone: str, until: str, found: str) -> None:
    assert last(expression, until, zone) == found


@given(st.integers(0, 59), st.integers(0, 23), st.integers(0, 400_000))
def test_each_moment_is_found_once_however_often_one_looks(minute: int, hour: int, more: int) -> None:
    schedule, begin = parse(f"cron({minute} {hour} * * ? *)"), SINCE + timedelta(minutes=more)
    looks = [begin + timedelta(hours=each) for each in range(49)]
    found = [schedule.due(after, until, SINCE) for after, until in pairwise(looks)]

    assert [(each.hour, each.minute) for each in found if each] == [(hour, minute)] * 2


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("tomorrow", "none of at"),
        ("at(2026-02-30T00:00:00)", "no moment"),
        ("at(2026-02-28)", "none of at"),
        ("rate(0 minutes)", "none of at"),
        ("rate(1 minutes)", "singular"),
        ("rate(5 minute)", "singular"),
        ("rate(1 week)", "none of at"),
        ("cron(0 10 * * ?)", "5 fields"),
        ("cron(0 10 * * * *)", r"needs \? as day"),
        ("cron(0 10 ? * ? *)", r"needs \? as day"),
        ("cron(0 10 1 * 2 *)", r"needs \? as day"),
        ("cron(60 10 * * ? *)", "'60' is no minutes of cron: give 0 to 59"),
        ("cron(0 24 * * ? *)", "'24' is no hours"),
        ("cron(0 10 0 * ? *)", "'0' is no day of month"),
        ("cron(0 10 * 13 ? *)", "'13' is no month of cron: give 1 to 12 or a name"),
        ("cron(0 10 * JANUARY ? *)", "'JANUARY' is no month"),
        ("cron(0 10 ? * 8 *)", "'8' is no day of week"),
        ("cron(0 10 ? * 2#6 *)", "after # comes 1 to 5"),
        ("cron(0 10 ? * 3#1,6#3 *)", "after # comes 1 to 5, and no other day"),
        ("cron(0 10 * * ? 2200)", "'2200' is no year"),
        ("cron(30-10 10 * * ? *)", "a range rises"),
        ("cron(0/0 10 * * ? *)", "a step is 1 or more"),
        ("cron(0,, 10 * * ? *)", "'' is no minutes"),
        ("cron(W 10 W * ? *)", "'W' is no minutes"),
        ("cron(0 10 W * ? *)", "'' is no day of month"),
    ],
)
def test_what_is_no_schedule(expression: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse(expression)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "", "x" * 5_000])
def test_what_is_no_time_zone(zone: str) -> None:
    with pytest.raises(ValueError, match="no time zone that this machine knows"):
        parse("rate(1 day)", zone)


@pytest.mark.parametrize(
    ("expression", "start", "end", "after", "until", "found"),
    [
        ("rate(1 minute)", None, None, 1_000, 1_059, None),
        ("rate(1 minute)", None, None, 1_000, 1_200, 1_180),
        ("rate(1 minute)", 1_100, None, 1_000, 1_099, None),
        ("rate(1 minute)", 1_100, None, 1_000, 1_100, 1_100),  # at its start time
        ("rate(1 minute)", 1_100, None, 1_100, 1_100, None),  # which was then
        ("rate(1 minute)", 1_100, None, 1_000, 1_170, 1_160),
        ("rate(1 minute)", None, 1_130, 1_000, 9_000, 1_120),
        ("rate(1 minute)", None, 1_130, 1_130, 9_000, None),
        ("cron(0 0 1 1 ? *)", 1_100, None, 1_000, 9_000, 1_100),
        ("at(1970-01-01T01:00:00)", 1_100, None, 1_000, 3_599, None),
        ("at(1970-01-01T01:00:00)", 1_100, None, 1_000, 3_600, 3_600),
        ("at(1970-01-01T01:00:00)", 3_700, None, 1_000, 9_000, None),
    ],
)
def test_start_and_end(
    expression: str, start: float | None, end: float | None, after: float, until: float, found: float | None
) -> None:
    due = last_due(expression, "UTC", put=1_000, start=start, end=end, after=after, until=until)
    assert due == found
