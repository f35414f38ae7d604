"""What CloudWatch has of the twin's own metrics: numbers by the minute. Pure.

API Gateway's developer guide, "Working with metrics for HTTP APIs", and ECS's, "Amazon ECS CloudWatch metrics", have
their names and dimensions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

__all__ = ["STATISTICS", "Datum", "Key", "Metrics", "key"]

# Namespace, metric name, dimensions in order of their names.
Key = tuple[str, str, tuple[tuple[str, str], ...]]

KEPT = 180  # minutes
MINUTE = 60
STATISTICS = ("Sum", "SampleCount", "Average", "Minimum", "Maximum")


def key(namespace: str, name: str, dimensions: Mapping[str, str]) -> Key:
    """The one key of a metric, however its dimensions are ordered."""
    return namespace, name, tuple(sorted(dimensions.items()))


@dataclass(frozen=True)
class Datum:
    """A statistic set: the total of so many samples, the least and the most of them."""

    total: float
    samples: float
    least: float
    most: float

    @classmethod
    def of(cls, value: float) -> Datum:
        """That of one sample."""
        return cls(value, 1, value, value)

    def __add__(self, other: Datum) -> Datum:
        return Datum(
            self.total + other.total,
            self.samples + other.samples,
            min(self.least, other.least),
            max(self.most, other.most),
        )

    def statistic(self, name: str) -> float | None:
        """One of STATISTICS; None without a sample."""
        if not self.samples:
            return None
        values = (self.total, self.samples, self.total / self.samples, self.least, self.most)
        return dict(zip(STATISTICS, values, strict=True))[name]


@dataclass
class Metrics:
    """Samples by the minute, of the last hours. What is kept may have no value yet."""

    minutes: dict[Key, deque[tuple[int, dict[str, Datum]]]] = field(default_factory=dict)

    def keep(self, keys: Iterable[Key]) -> None:
        """These metrics are the twin's, whether they have a value or not."""
        for each in keys:
            self.minutes.setdefault(each, deque(maxlen=KEPT))

    def put(self, metric: Key, datum: Datum, now: float) -> None:
        """Samples of the minute of *now*, beside those that it has."""
        cells = self._cells(metric, now)
        cells[""] = cells[""] + datum if "" in cells else datum

    def add(self, metric: Key, value: float, now: float, source: str = "") -> None:
        """*value* more in the minute of *now*: each *source* has one sample a minute, all that it has counted."""
        cells = self._cells(metric, now)
        cells[source] = Datum.of((cells[source].total if source in cells else 0) + value)

    def level(self, metric: Key, value: float, now: float, source: str = "") -> None:
        """How many there are at *now*: each *source* has one sample a minute, the highest of them."""
        cells = self._cells(metric, now)
        cells[source] = Datum.of(max(value, cells[source].total if source in cells else value))

    def _cells(self, metric: Key, now: float) -> dict[str, Datum]:
        minute = int(now // MINUTE)
        self.keep([metric])
        points = self.minutes[metric]
        if not points or points[-1][0] < minute:
            points.append((minute, {}))
        return points[-1][1]

    def over(self, metric: Key, start: float, period: float) -> Datum | None:
        """All samples of the whole minutes in *period* seconds from *start*; None if there are none."""
        first, last = int(start // MINUTE), int((start + period) // MINUTE)
        found = None
        for minute, cells in self.minutes.get(metric, ()):
            for datum in cells.values() if first <= minute < last else ():
                found = found + datum if found else datum
        return found

    def value(self, metric: Key, start: float, period: int, statistic: str = "Sum") -> float | None:
        """A statistic over *period* seconds from *start*; None if nothing was recorded."""
        datum = self.over(metric, start, period)
        return None if datum is None else datum.statistic(statistic)
