"""Requests, failures and latency per group, and per second: pure, in memory that grows with groups alone.

One `Counts` holds one process's share of a run. Distributed, each worker drains its own into a report, and the
master merges the reports: the sums are those that one process would have counted. Seconds are given out once, by
`take`, to be written; the last WINDOW of them stay for the charts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, cast

from load.groups.evenness import EvenPart, EvenParts
from load.groups.latency import buckets_of, coarser, percentiles
from load.groups.rows import NO_ANSWER, NO_GROUP, OTHER_GROUPS, GroupRow, LatencyRow, SecondRow

__all__ = ["MAX_GROUPS", "WINDOW", "Counts"]

MAX_GROUPS = 1000
"""Groups counted each by itself: a table that can still be read."""

WINDOW = 120
"""Seconds that stay after they were taken: those of the charts."""

Statuses = dict[tuple[str, int, bool], int]
"""Requests by group, status and whether they failed."""

Between = Callable[[], object]
"""Called between two steps of what takes long."""


_AT_ONCE = 4  # seconds, a millisecond or two with a thousand groups


def _go_on() -> None:
    """No pause."""


@dataclass(slots=True)
class _Group:
    detail: str
    first_seen: float
    last_seen: float
    requests: int = 0
    failures: int = 0
    latencies: dict[int, int] = field(default_factory=dict)


class Counts:
    """Counts of one process, or of all workers together.

    Times are seconds since the Unix epoch; the second of a request is the one in which its answer was complete.
    `unfinished` is the number of requests that were sent and then ended with the load, before an answer or a failure:
    they are in no other count. `admitted` has the groups that are counted each by itself, each by its name, and
    `ungrouped` the requests for which no group is known, by status.
    """

    def __init__(self, max_groups: int = MAX_GROUPS) -> None:
        self.max_groups = max_groups
        self.admitted: dict[str, str] = {}
        self.clear()

    def clear(self) -> None:
        """Forget everything, as where a test starts."""
        self._order: dict[str, None] = {}
        self._failing: dict[str, None] = {}
        self.reset()

    def reset(self) -> None:
        """Forget everything but the order in which groups and their failures came: a test's charts go by it."""
        self.unfinished = 0
        self.ungrouped = Counter[int]()
        self.admitted.clear()
        self._groups: dict[str, _Group] = {}
        # What `take` has not given out yet, and what it has, both by second.
        self._seconds: dict[int, Statuses] = {}
        self._latencies: dict[int, Counter[int]] = {}
        self._taken: dict[int, Statuses] = {}
        self._taken_latencies: dict[int, dict[int, int]] = {}
        self._even, self._even_before = EvenParts(), 0
        self._first: int | None = None
        self._last = -1

    def admit(self, group: str, detail: str, now: float) -> str:
        """Make room for a group that is seen for the first time, and give the name that it is to be counted under.

        Beyond the limit it goes with the others.
        """
        if group not in self._groups and group != NO_GROUP and len(self._groups) >= self.max_groups:
            group, detail = OTHER_GROUPS, ""
        if group not in self._groups:
            self._groups[group] = _Group(detail, now, now)
            self._order.setdefault(group)
        if group != OTHER_GROUPS:
            self.admitted[group] = group
        return group

    def record(self, noted: Sequence[Any]) -> None:
        """Count these requests, of which those of a group are in the order in which they ended.

        Of each, one after another: when it ended, its group ("" where none is known), its status (of HTTP, or a number
        below 100), whether it failed, and its latency in ms, or None. As many requests at a time as there are: one by
        one takes several times as long. KeyError: `admit` the groups first.
        """
        times, groups, statuses, failures = (noted[column::5] for column in range(4))
        buckets = buckets_of(noted[4::5])
        start = 0
        for second, run in groupby(map(int, times)):
            part = slice(start, start := start + len(list(run)))
            self._see(second)
            self._record(second, groups[part], statuses[part], failures[part], buckets[part])
        for group, now in dict(zip(groups, times, strict=True)).items():
            self._groups[group].last_seen = now

    def _record(
        self,
        second: int,
        groups: Sequence[str],
        statuses: Sequence[int],
        failures: Sequence[bool],
        buckets: Sequence[int | None],
    ) -> None:
        counts = self._seconds.setdefault(second, {})
        for (group, status, failed), requests in Counter(zip(groups, statuses, failures, strict=True)).items():
            self._groups[group].requests += requests
            if failed:
                self._groups[group].failures += requests
                self._failing.setdefault(group)
            if status < (400 if failed else 100):
                status = NO_ANSWER  # it has none of HTTP, or one that broke off, or that the locustfile refused
            if group == NO_GROUP:
                self.ungrouped[status] += requests
            _add(counts, {(group, status, failed): requests})
        of_second = self._latencies.setdefault(second, Counter())
        of_second.update(cast(Sequence[int], buckets))
        of_second.pop(cast(int, None), None)
        by_group = {group: self._groups[group].latencies for group in set(groups)}
        for group, bucket in zip(groups, buckets, strict=True):
            if bucket is not None:
                of = by_group[group]
                of[bucket] = of.get(bucket, 0) + 1

    def _see(self, second: int) -> None:
        self._first = second if self._first is None else min(self._first, second)
        self._last = max(self._last, second)

    def drain(self) -> dict[str, Any]:
        """What was counted since the last call, in msgpack's types, for `merge`; nothing of it stays."""
        report = {
            "groups": [
                [name, g.detail, g.first_seen, g.last_seen, g.requests, g.failures, g.latencies]
                for name, g in self._groups.items()
            ],
            "seconds": [
                [second, *key, requests] for second, counts in self._seconds.items() for key, requests in counts.items()
            ],
            "latency": list(self._latencies.items()),
            "unfinished": self.unfinished,
        }
        self.clear()
        return report

    def merge(self, report: dict[str, Any]) -> int:
        """Add what `drain` gave in another process, and return how many requests that were, without the unfinished."""
        merged = 0
        for name, detail, first_seen, last_seen, requests, failures, latencies in report["groups"]:
            name = self.admit(name, detail, first_seen)
            group = self._groups[name]
            group.first_seen = min(group.first_seen, first_seen)
            group.last_seen = max(group.last_seen, last_seen)
            group.requests += requests
            merged += requests
            group.failures += failures
            if failures:
                self._failing.setdefault(name)
            _add(group.latencies, latencies)
        for second, name, status, failed, requests in report["seconds"]:
            self._see(second)
            if name == NO_GROUP:
                self.ungrouped[status] += requests
            key = (name if name in self._groups else OTHER_GROUPS, status, failed)
            counts = self._seconds.setdefault(second, {})
            counts[key] = counts.get(key, 0) + requests
        for second, buckets in report["latency"]:
            _add(self._latencies.setdefault(second, Counter()), buckets)
        self.unfinished += report["unfinished"]
        return merged

    def take(self, before: float = math.inf) -> tuple[list[SecondRow], list[LatencyRow]]:
        """What ended in the seconds before `before` and was not taken yet, sorted; rows of a second may come again.

        Requests whose latency is not known are not in the second list.
        """
        seconds = [second for second in sorted(self._seconds) if second < before]
        rows, latency = [], []
        for second in seconds:
            counts = self._seconds.pop(second)
            rows += _rows(second, counts)
            _add(self._taken.setdefault(second, {}), counts)
            if buckets := coarser(self._latencies.pop(second, {})):
                latency += [LatencyRow(second, *bucket) for bucket in sorted(buckets.items())]
                _add(self._taken_latencies.setdefault(second, {}), buckets)
        self._forget(self._last - WINDOW)
        return rows, latency

    def _forget(self, before: int) -> None:
        """Let go of the seconds that the charts no longer show; how even they were is added up."""
        old = sorted(second for second in self._taken if second < before)
        # Of a worker that was away for minutes; the seconds around them are added up already.
        late = [second for second in old if second < self._even_before]
        if len(old) > len(late):
            seconds = {second: _by_group(self._taken[second]) for second in old[len(late) :]}
            self._even.add(seconds, self._seen(), self._last)
            self._even_before = before
        for second in old:
            del self._taken[second]
            self._taken_latencies.pop(second, None)

    def _seen(self) -> dict[str, tuple[int, int]]:
        return {
            name: (int(group.first_seen), int(group.last_seen))
            for name, group in self._groups.items()
            if name not in (NO_GROUP, OTHER_GROUPS)
        }

    @property
    def requests(self) -> int:
        """All requests that were answered or failed."""
        return sum(group.requests for group in self._groups.values())

    @property
    def failures(self) -> int:
        """All failures counted."""
        return sum(group.failures for group in self._groups.values())

    @property
    def folded(self) -> bool:
        """Whether there were more groups than are counted each by itself."""
        return OTHER_GROUPS in self._groups

    def groups(self, between: Between = _go_on) -> list[GroupRow]:
        """A row for each group, by name; other groups and no group come last.

        A thousand take 20 ms. `between` is called between two of them, and others may count and clear meanwhile.
        """
        rows, total = [], self.requests
        for name in sorted(self._groups, key=lambda name: (name in (OTHER_GROUPS, NO_GROUP), name)):
            if group := self._groups.get(name):
                p50, p95, p99 = percentiles(group.latencies, (50, 95, 99))
                counted = (group.detail, group.requests, group.failures, group.requests / total)
                rows.append(GroupRow(name, *counted, p50, p95, p99, group.first_seen, group.last_seen))
            between()
        return rows

    @property
    def names(self) -> list[str]:
        """The known groups in the order in which they came here first, which no later one and no reset changes."""
        return _known(self._order)

    @property
    def failing_names(self) -> list[str]:
        """The known groups that failed, in the order in which their first failures came here."""
        return _known(self._failing)

    def window(self, start: int, before: int) -> list[SecondRow]:
        """Requests by second, group and status, sorted, of the seconds start <= second < before that are still here."""
        rows = []
        for second in range(start, before):
            counts = dict(self._taken.get(second, {}))
            _add(counts, self._seconds.get(second, {}))
            rows += _rows(second, counts)
        return rows

    def latencies(self, start: int, before: int) -> dict[int, dict[int, int]]:
        """Requests by second and bucket (SECOND_BITS), of the seconds start <= second < before that are still here."""
        found = {}
        for second in range(start, before):
            buckets = dict(self._taken_latencies.get(second, {}))
            _add(buckets, coarser(self._latencies.get(second, {})))
            if buckets:
                found[second] = buckets
        return found

    def even_parts(self, between: Between = _go_on) -> dict[str, EvenPart]:
        """How far each known group is from its even part over the time in which it was there: `EvenParts`.

        `between` is as with `groups`, between some seconds of the last WINDOW.
        """
        even, seen, end = self._even.copy(), self._seen(), self._last
        # Those that are not taken yet are added up at once: `take` would add them to the others.
        current = {second: _by_group(counts) for second, counts in self._seconds.items()}
        for second, counts in current.items():
            _add(counts, _by_group(self._taken.get(second, {})))
        taken = {second: counts for second, counts in self._taken.items() if second not in current}
        order = sorted({*taken, *current})
        for first in range(0, len(order), _AT_ONCE):
            piece = order[first : first + _AT_ONCE]
            even.add({at: current[at] if at in current else _by_group(taken[at]) for at in piece}, seen, end)
            between()
        return even.parts()

    @property
    def span(self) -> tuple[int, int] | None:
        """The first and the last second in which a request ended."""
        return None if self._first is None else (self._first, self._last)


def _known(groups: Iterable[str]) -> list[str]:
    return [group for group in groups if group not in (NO_GROUP, OTHER_GROUPS)]


def _rows(second: int, counts: Statuses) -> list[SecondRow]:
    merged: dict[tuple[str, int], list[int]] = {}
    for (group, status, failed), requests in counts.items():
        both = merged.setdefault((group, status), [0, 0])
        both[0] += requests
        both[1] += requests if failed else 0
    return [SecondRow(second, *key, *both) for key, both in sorted(merged.items())]


def _by_group(counts: Statuses) -> dict[str, int]:
    """Of the known groups alone."""
    found: dict[str, int] = {}
    for (group, _, _), requests in counts.items():
        if group not in (NO_GROUP, OTHER_GROUPS):
            found[group] = found.get(group, 0) + requests
    return found


def _add(counts: dict[Any, int], more: dict[Any, int]) -> None:
    for key, count in more.items():
        counts[key] = counts.get(key, 0) + count
