"""What workers took with them, or could not deliver: pure.

A worker sends what it counted every few seconds, and with it how many requests it has reported so far. So the master
knows exactly what is missing of the reports, and of a worker that is gone how long it was there without one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["LostWorker", "Workers"]

HEARTBEAT = 1.0
"""Seconds between two heartbeats of a worker: Locust's."""


@dataclass(frozen=True, slots=True)
class LostWorker:
    """A worker of whose requests some are in no count: `requests` at most, of `seconds` of its load.

    Of reports that did not arrive, or that could not be read, the number is exact. What a worker did after its last
    report it did until its last heartbeat or within a second of it; it is no more than at the highest rate of any
    second that it reported, or that any worker reported where it had reported none.
    """

    worker: str
    last_report: float
    seconds: float
    requests: int


@dataclass(slots=True)
class _Worker:
    last_report: float
    last_heartbeat: float
    loaded: bool = True
    readable: bool = True
    highest: int = 0
    arrived: int = 0
    reported: int = 0


class Workers:
    """The workers of a run, by Locust's client id; times in seconds since the Unix epoch."""

    def __init__(self) -> None:
        self._workers: dict[str, _Worker] = {}

    def start(self, workers: Iterable[str], now: float) -> None:
        """A test starts on these workers."""
        self._workers = {worker: _Worker(now, now) for worker in workers}

    def heartbeat(self, worker: str, now: float, running: bool) -> None:
        """The worker lives, and is `running` users, whatever its last report said: it may have joined since."""
        entry = self._workers.setdefault(worker, _Worker(now, now)) if running else self._workers.get(worker)
        if entry is not None:
            entry.last_heartbeat = now
            entry.loaded = entry.loaded or (running and entry.readable)

    def report(self, worker: str, now: float, arrived: int, reported: int, highest: int, loaded: bool) -> None:
        """A report of `arrived` requests came in, `highest` of them in one second.

        The worker has `reported` so many in this test, and is `loaded` while it has users, so that more is to come.
        """
        entry = self._workers.setdefault(worker, _Worker(now, now))
        entry.last_report = entry.last_heartbeat = now
        entry.loaded = loaded
        entry.highest = max(entry.highest, highest)
        entry.arrived += arrived
        entry.reported = max(entry.reported, reported)

    def report_without(self, worker: str, now: float, requests: int) -> None:
        """A report came in that has `requests`, but says nothing of their groups, or in a form that cannot be read."""
        entry = self._workers.setdefault(worker, _Worker(now, now))
        entry.last_report = entry.last_heartbeat = now
        entry.loaded = entry.readable = False  # nobody knows, and nothing of it is waited for
        entry.reported += requests

    def unreported(self, before: float) -> list[str]:
        """The workers that had users in their last report, and sent it before `before`."""
        return [name for name, entry in self._workers.items() if entry.loaded and entry.last_report < before]

    def lost(self, before: float) -> list[LostWorker]:
        """Those of `unreported`, and those whose reports did not all arrive."""
        gone = set(self.unreported(before))
        of_any = max((entry.highest for entry in self._workers.values()), default=0)
        found = []
        for name, entry in self._workers.items():
            seconds = entry.last_heartbeat + HEARTBEAT - entry.last_report if name in gone else 0.0
            missing = max(0, entry.reported - entry.arrived)
            if name in gone or missing:
                requests = missing + math.ceil(seconds * (entry.highest or of_any))
                found.append(LostWorker(name, round(entry.last_report, 3), round(seconds, 3), requests))
        return found
