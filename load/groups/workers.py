"""What workers that stopped reporting took with them: pure.

A worker sends what it counted every few seconds. What it had not sent when it died nobody knows: it is at most what
it did in the time between two reports.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["LostWorker", "Workers"]


@dataclass(frozen=True, slots=True)
class LostWorker:
    """A worker whose last report was not its final one; `requests` is the number in the fullest of its reports."""

    worker: str
    last_report: float
    requests: int


@dataclass(slots=True)
class _Worker:
    last_report: float
    loaded: bool = True
    fullest: int = 0


class Workers:
    """The workers of a run, by Locust's client id; times in seconds since the Unix epoch."""

    def __init__(self) -> None:
        self._workers: dict[str, _Worker] = {}

    def start(self, workers: Iterable[str], now: float) -> None:
        """A test starts on these workers."""
        self._workers = {worker: _Worker(now) for worker in workers}

    def report(self, worker: str, now: float, requests: int, loaded: bool) -> None:
        """A report came in; `loaded` says that the worker has users, so that more is to come."""
        entry = self._workers.setdefault(worker, _Worker(now))
        entry.last_report, entry.loaded = now, loaded
        entry.fullest = max(entry.fullest, requests)

    def lost(self, before: float) -> list[LostWorker]:
        """The workers that had users in their last report, and sent it before `before`."""
        return [
            LostWorker(name, worker.last_report, worker.fullest)
            for name, worker in self._workers.items()
            if worker.loaded and worker.last_report < before
        ]
