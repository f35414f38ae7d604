"""What workers took with them, or could not deliver: pure.

A worker says once a second how many requests it has counted, and every few seconds it reports them. So of one that is
gone the master knows how many it had counted and not reported, but for those after its last word. They have no bound:
its rate may have risen, and when it ended is not known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["LostWorker", "Workers"]


@dataclass(frozen=True, slots=True)
class LostWorker:
    """A worker of which so many requests are in no count.

    That is all where only reports did not arrive, or could not be read. A worker that is gone was last heard of at
    `last_heard`, and what it counted after that comes on top; for one that is there it is None.
    """

    worker: str
    last_report: float
    last_heard: float | None
    requests: int


@dataclass(slots=True)
class _Worker:
    last_report: float
    last_heard: float
    loaded: bool = True
    readable: bool = True
    asked: float = 0.0
    arrived: int = 0
    reported: int = 0
    counted: int = 0


class Workers:
    """The workers of a run, by Locust's client id; times in seconds since the Unix epoch."""

    def __init__(self) -> None:
        self._workers: dict[str, _Worker] = {}

    def start(self, workers: Iterable[str], now: float) -> None:
        """A test starts on these workers."""
        self._workers = {worker: _Worker(now, now) for worker in workers}

    def count(self, worker: str, now: float, counted: int) -> None:
        """The worker has users, and has counted so many requests in this test, reported or not."""
        entry = self._of(worker, now)
        entry.loaded = entry.readable
        entry.counted = counted

    def report(self, worker: str, now: float, arrived: int, reported: int, loaded: bool, asked: float = 0.0) -> None:
        """A report of `arrived` requests came in.

        The worker has `reported` so many in this test, and is `loaded` while it has users, so that more is to come.
        `asked` is when the master had asked for one, as far as the worker knew when it sent this.
        """
        entry = self._of(worker, now)
        entry.last_report = now
        entry.loaded, entry.asked = loaded, asked
        entry.arrived += arrived
        entry.reported = max(entry.reported, reported)
        entry.counted = reported  # no more than that: its counts may have been reset since it said so

    def report_without(self, worker: str, now: float, requests: int) -> None:
        """A report came in that has `requests`, but says nothing of their groups, or in a form that cannot be read."""
        entry = self._of(worker, now)
        entry.last_report = now
        entry.loaded = entry.readable = False  # nobody knows, and nothing of it is waited for
        entry.reported += requests

    def _of(self, worker: str, now: float) -> _Worker:
        entry = self._workers.setdefault(worker, _Worker(now, now))
        entry.last_heard = now
        return entry

    def unreported(self, before: float) -> list[str]:
        """The workers that have users, as far as is known, and sent their last report before `before`."""
        return [name for name, entry in self._workers.items() if entry.loaded and entry.last_report < before]

    def unanswered(self, asked: float) -> list[str]:
        """The workers that have users and have sent no report since they were asked for one at `asked`.

        One that was under way then may come in later, so it is not of when it comes in.
        """
        return [name for name, entry in self._workers.items() if entry.loaded and entry.asked < asked]

    def lost(self, before: float) -> list[LostWorker]:
        """Those of `unreported`, and those whose reports did not all arrive."""
        gone = set(self.unreported(before))
        found = []
        for name, entry in self._workers.items():
            known = max(entry.reported, entry.counted if name in gone else 0)
            requests = max(0, known - entry.arrived)
            if name in gone or requests:
                last_heard = round(entry.last_heard, 3) if name in gone else None
                found.append(LostWorker(name, round(entry.last_report, 3), last_heard, requests))
        return found
