"""The numbers of the tab and of the charts, as JSON has them: pure."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from datetime import tzinfo
from typing import Any

from load.groups.counts import WINDOW, Between, Counts
from load.groups.evenness import SETTLE, EvenPart
from load.groups.latency import SECOND_BITS, percentiles
from load.groups.rows import NO_GROUP, OTHER_GROUPS, GroupRow
from load.groups.table import clock, shown_name

__all__ = ["chart_data", "tab_rows"]

_SHORTEST_WINDOW = 30

_MOST_ROWS = 500
"""As many as Locust's own tables show."""

_MOST_SERIES = 40


def tab_rows(
    rows: Sequence[GroupRow], even: Mapping[str, EvenPart], noun: str, zone: tzinfo | None = None
) -> list[dict[str, Any]]:
    """The rows of the tab; `even` is by group. A percentage is None without any group beside it."""

    def percent(fraction: float | None) -> float | None:
        return None if fraction is None else round(fraction * 100, 6)

    return [
        {
            "group": shown_name(row.group, noun),
            "detail": row.detail,
            "requests": row.requests,
            "share": percent(row.share),
            "vs_even": percent(even[row.group].deviation if row.group in even else None),
            "chance": percent(even[row.group].chance if row.group in even else None),
            "failures": row.failures,
            "p50_ms": round(row.p50_ms, 1),
            "p95_ms": round(row.p95_ms, 1),
            "p99_ms": round(row.p99_ms, 1),
            "first_seen": clock(row.first_seen, zone),
            "last_seen": clock(row.last_seen, zone),
        }
        for row in rows[:_MOST_ROWS]
    ]


def _role(row: GroupRow, first: int, last: int) -> str:
    """What a group is in a run whose first and last answers came in these seconds: it stays, has stopped, or is new."""
    if row.group in (NO_GROUP, OTHER_GROUPS):
        return "other"
    if row.last_seen < last - SETTLE:
        return "stopped"
    return "new" if row.first_seen > first + SETTLE else "stays"


def _places(order: Sequence[str], of: Container[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(order) if name in of}


def chart_data(
    counts: Counts,
    rows: Sequence[GroupRow],
    even: Mapping[str, EvenPart],
    noun: str,
    before: int,
    since: int,
    between: Between,
    zone: tzinfo | None = None,
    *,
    running: bool,
) -> dict[str, Any]:
    """What the charts show of the last WINDOW seconds, since <= second < before; `rows` and `even` are of one moment.

    While the test is `running` the last is before `before`; then it is the last in which requests ended. `first` is the
    first in which some did, as a rule a part of one (None: none did). `requests` and `failures` have, for each of the
    largest groups and for the others together, those of each second, and `latency` the 50th, 95th and 99th percentile
    of each in ms (None: no answer). `places` and `failing_places` have where these groups are in the order of all first
    requests, and of all first failures. `between` is called between two seconds.
    """
    largest = sorted((row for row in rows if row.group != NO_GROUP), key=lambda row: -row.requests)[:_MOST_SERIES]
    names = sorted(row.group for row in largest if row.group != OTHER_GROUPS)
    if sum(row.group != NO_GROUP for row in rows) > len(names):
        names.append(OTHER_GROUPS)
    if any(row.group == NO_GROUP for row in rows):
        names.append(NO_GROUP)
    first, last = counts.span or (before, before)
    end = before
    if not running:
        # The load rarely ends with a second, and a part of one would look like a collapse.
        part = last > first and not any(row.failures for row in counts.window(last, last + 1))
        end = min(before, last if part else last + 1)
    start = max(end - WINDOW, min(first, end - _SHORTEST_WINDOW), since)
    requests, failures = ({name: [0] * max(0, end - start) for name in names} for _ in range(2))
    for second in range(start, end):
        for ended in counts.window(second, second + 1):
            # A group that came after `rows` were computed is in the next ones.
            if (name := ended.group if ended.group in requests else OTHER_GROUPS) in requests:
                requests[name][second - start] += ended.requests
                failures[name][second - start] += ended.failures
        between()
    buckets = counts.latencies(start, end)
    return {
        "groups": [
            {**shown, "role": _role(row, first, last)}
            for shown, row in zip(tab_rows(rows, even, noun, zone), rows, strict=False)
        ],
        "known_groups": sum(row.group not in (NO_GROUP, OTHER_GROUPS) for row in rows),
        "first": first if counts.span else None,
        "start": start,
        "seconds": max(0, end - start),
        "requests": {shown_name(name, noun): series for name, series in requests.items()},
        "failures": {shown_name(name, noun): series for name, series in failures.items()},
        "places": _places(counts.names, requests),
        "failing_places": _places(counts.failing_names, requests),
        "latency": [
            [round(ms, 1) for ms in percentiles(buckets[second], (50, 95, 99), SECOND_BITS)]
            if second in buckets
            else None
            for second in range(start, end)
        ],
        "window": WINDOW,
        # Those of the rows, so that what is on one screen adds up.
        "total_requests": sum(row.requests for row in rows),
        "total_failures": sum(row.failures for row in rows),
    }
