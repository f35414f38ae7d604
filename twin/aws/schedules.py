"""When scheduled actions of Application Auto Scaling are due: `at(...)`, `rate(...)` and `cron(...)`. Pure.

Sources: `PutScheduledAction` in the API reference; Application Auto Scaling's user guide, "Schedule recurring scaling
actions using cron expressions", which leaves the syntax to EventBridge's user guide, "Cron expressions reference"; what
happens when clocks change: EventBridge Scheduler's user guide. Assumed: a rate counts from the action's start time, or
from when it was put, and is first due one interval later; `nL` in the day of the week is the last such day of a month.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

__all__ = ["last_due", "parse"]

_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
_RATE = re.compile(r"rate\(([1-9]\d{0,8}) (minute|hour|day)(s?)\)")
_CRON = re.compile(r"cron\((.*)\)")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_RANGES = {  # of the fields, in their order
    "minutes": (0, 59),
    "hours": (0, 23),
    "day of month": (1, 31),
    "month": (1, 12),
    "day of week": (1, 7),
    "year": (1970, 2199),
}


def last_due(
    expression: str, zone: str, *, put: float, start: float | None, end: float | None, after: float, until: float
) -> float | None:
    """When a scheduled action was due last after *after* and until *until*; all in seconds.

    Args:
        put: when the action was put.
        start, end: it is due at its start time too, and never before it, nor after its end time [user guide].
    """
    since = put if start is None else start
    until = until if end is None else min(until, end)
    if until < since:
        return None
    moments = [datetime.fromtimestamp(each, UTC) for each in (max(after, since), until, since)]
    if last := parse(expression, zone).due(*moments):
        return last.timestamp()
    return start if start is not None and after < start and not _AT.fullmatch(expression) else None


class _Schedule(Protocol):
    """When something is due, in a time zone."""

    def due(self, after: datetime, until: datetime, since: datetime) -> datetime | None:
        """The last moment after *after*, and not after *until*, at which it is; all of them aware.

        Args:
            since: when it began, from which a rate counts.
        """


@lru_cache(1_024)
def parse(expression: str, zone: str = "UTC") -> _Schedule:
    """The schedule of an *expression*, such as `cron(0 22 ? * MON-FRI *)`, in the time zone with that name.

    Raises:
        ValueError: it is none, or there is no such time zone; the text says why.
    """
    try:
        info = ZoneInfo(zone)
    except (LookupError, OSError, ValueError):
        raise ValueError(f"{zone!r} is no time zone that this machine knows: give one such as Europe/London") from None
    if match := _AT.fullmatch(expression):
        try:
            return _At(datetime.fromisoformat(match[1]).replace(tzinfo=info))
        except ValueError as error:
            raise ValueError(f"{expression} is no moment: {error}") from None
    if match := _RATE.fullmatch(expression):
        if (match[1] == "1") is bool(match[3]):
            raise ValueError(f"{expression}: the unit is singular for 1, and else plural")
        return _Rate(timedelta(**{f"{match[2]}s": int(match[1])}))
    if match := _CRON.fullmatch(expression):
        return _cron(match[1].split(), info)
    raise ValueError(f"{expression} is none of at(yyyy-mm-ddThh:mm:ss), rate(value unit) and cron(six fields)")


@dataclass(frozen=True)
class _At:
    moment: datetime

    def due(self, after: datetime, until: datetime, since: datetime) -> datetime | None:
        return self.moment if after < self.moment <= until else None


@dataclass(frozen=True)
class _Rate:
    interval: timedelta

    def due(self, after: datetime, until: datetime, since: datetime) -> datetime | None:
        last = since + (until - since) // self.interval * self.interval
        return last if last > max(after, since) else None


@dataclass(frozen=True)
class _Cron:
    minutes: frozenset[int]
    hours: frozenset[int]
    months: frozenset[int]
    years: frozenset[int]
    has: Callable[[date], bool]  # whether its field of days has it
    zone: ZoneInfo

    def due(self, after: datetime, until: datetime, since: datetime) -> datetime | None:
        day = until.astimezone(self.zone).date()
        while day >= after.astimezone(self.zone).date():
            if day.year in self.years and day.month in self.months and self.has(day):
                for hour in sorted(self.hours, reverse=True):
                    for minute in sorted(self.minutes, reverse=True):
                        moment = datetime.combine(day, time(hour, minute), self.zone).astimezone(UTC)
                        # What clocks skip never comes, what they repeat comes once.
                        is_there = moment.astimezone(self.zone).time() == time(hour, minute)
                        if is_there and after < moment <= until:
                            return moment
            day -= timedelta(days=1)
        return None


def _cron(fields: list[str], zone: ZoneInfo) -> _Cron:
    if len(fields) != len(_RANGES):
        raise ValueError(f"cron has {len(fields)} fields: give six, {', '.join(_RANGES)}")
    minutes, hours, of_month, month, of_week, year = fields
    if (of_month == "?") is (of_week == "?"):
        raise ValueError("cron needs ? as day of month or as day of week, and not as both")
    return _Cron(
        _values("minutes", minutes),
        _values("hours", hours),
        _values("month", month),
        _values("year", year),
        _of_month(of_month) if of_week == "?" else _of_week(of_week),
        zone,
    )


def _values(field: str, text: str) -> frozenset[int]:
    """The numbers of a field: values, ranges, steps, `*`."""
    least, most = _RANGES[field]
    found: set[int] = set()
    for part in text.split(","):
        base, stepped, step = part.partition("/")
        first, ranged, last = base.partition("-")
        low, high = (least, most) if base == "*" else (_number(field, first), most if stepped else None)
        high = _number(field, last) if ranged else low if high is None else high
        if low > high or (stepped and not re.fullmatch("[1-9][0-9]{0,3}", step)):
            raise ValueError(f"{part!r} is no {field} of cron: a range rises, and a step is 1 or more")
        found.update(range(low, high + 1, int(step) if stepped else 1))
    return frozenset(found)


def _number(field: str, text: str) -> int:
    names = {"month": _MONTHS, "day of week": _DAYS}.get(field, ())
    least, most = _RANGES[field]
    number = int(text) if re.fullmatch("[0-9]{1,4}", text) else -1
    if text.upper() in names:
        number = names.index(text.upper()) + 1
    if not least <= number <= most:
        raise ValueError(f"{text!r} is no {field} of cron: give {least} to {most}{' or a name' if names else ''}")
    return number


def _of_month(text: str) -> Callable[[date], bool]:
    if text == "L":
        return lambda day: day.day == _length(day)
    if text.endswith("W"):
        number = _number("day of month", text[:-1])
        return lambda day: day.day == _weekday_near(number, day)
    numbers = _values("day of month", text)
    return lambda day: day.day in numbers


def _of_week(text: str) -> Callable[[date], bool]:
    name, numbered, which = text.partition("#")
    if numbered:
        number = _number("day of week", name)
        if which not in ("1", "2", "3", "4", "5"):
            raise ValueError(f"{text!r} is no day of week of cron: after # comes 1 to 5, and no other day")
        return lambda day: _day_of_week(day) == number and (day.day + 6) // 7 == int(which)
    if text.endswith("L") and text != "L":
        number = _number("day of week", text[:-1])
        return lambda day: _day_of_week(day) == number and day.day + 7 > _length(day)
    numbers = frozenset({7}) if text == "L" else _values("day of week", text)
    return lambda day: _day_of_week(day) in numbers


def _day_of_week(day: date) -> int:
    """1 is Sunday."""
    return day.isoweekday() % 7 + 1


def _length(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _weekday_near(number: int, day: date) -> int | None:
    """The day from Monday to Friday that is nearest to that of *day*'s month; None: the month has no such day."""
    if number > _length(day):
        return None
    wanted = day.replace(day=number)
    if wanted.isoweekday() == 6:
        return number - 1 if number > 1 else 3
    if wanted.isoweekday() == 7:
        return number + 1 if number < _length(day) else number - 2
    return number
