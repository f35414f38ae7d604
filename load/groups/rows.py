"""The rows in which counts are given, by group, by second, by latency; and their text as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any, NamedTuple

__all__ = [
    "NO_ANSWER",
    "NO_GROUP",
    "OTHER_GROUPS",
    "GroupRow",
    "LatencyRow",
    "SecondRow",
    "cell",
    "csv_of",
    "groups_csv",
    "is_failure",
]

NO_GROUP = ""
"""The group of everything for which none is known."""

OTHER_GROUPS = "(other)"
"""The row that takes every group beyond the limit."""

NO_ANSWER = 0
"""The status of a request that no complete answer came to, or one that the locustfile refused."""


def is_failure(status: int) -> bool:
    """Whether a request with this status failed: no complete answer came (0), or the status is 400 or higher."""
    return not 0 < status < 400


class GroupRow(NamedTuple):
    """What one group got; latencies in ms, times in seconds since the Unix epoch, `share` of all requests (0 to 1).

    `detail` is a second text from the group's first answer, "" where none was asked for. Failures are Locust's.
    """

    group: str
    detail: str
    requests: int
    failures: int
    share: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    first_seen: float
    last_seen: float


class SecondRow(NamedTuple):
    """Requests that ended in one second (since the Unix epoch) in one group with one status, and those that failed."""

    second: int
    group: str
    status: int
    requests: int
    failures: int


class LatencyRow(NamedTuple):
    """Requests that ended in one second with one latency: the lower edge of its bucket, in microseconds.

    `load.groups.latency.percentiles` with SECOND_BITS takes them, added up over the seconds that are asked about.
    """

    second: int
    latency_us: int
    requests: int


def groups_csv(rows: Iterable[tuple[Any, ...]], noun: str, detail_noun: str) -> str:
    """A header and a line for each row, of GroupRow's columns; the detail has one where it has a noun."""
    nouns = [noun, detail_noun] if detail_noun else [noun]
    lines: list[list[object]] = [[*(each.replace(" ", "_") for each in nouns), *GroupRow._fields[2:]]]
    for row in rows:
        requests, failures, share, *rest = row[2:]
        names = map(cell, row[: len(nouns)])
        lines.append([*names, requests, failures, f"{share:.6f}", *(f"{value:.3f}" for value in rest)])
    return csv_of(lines)


def cell(text: str) -> str:
    """The text, so that no spreadsheet takes it for a formula: whoever answers a request writes it."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def csv_of(lines: Iterable[Iterable[object]]) -> str:
    """The lines' text, each with a newline at its end."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()
