"""From counts to the folder of a run: made before the load, kept up every second, completed at the end.

Knows nothing of Locust; times are seconds since the Unix epoch and passed in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from load import results
from load.errors import LoadError
from load.groups.counts import Counts

__all__ = ["Recorder"]


@dataclass(slots=True)
class _Run:
    path: Path
    description: Mapping[str, Any]
    start: float | None = None
    end: float | None = None
    stop: float | None = None
    resets: list[float] = field(default_factory=list)
    appended_before: int | None = None
    """The seconds before this one are in timeline.csv; None: it is to be written anew."""
    completed: tuple[int, int] | None = None
    """How many requests, and unfinished ones, the completed files have; None: they are not complete."""


class Recorder:
    """Writes what `counts` holds into one folder for each run.

    `folder` is that of the first run; without one, and for later runs, a name is found. `delay` is how many seconds
    late counts may come in. `say` tells the user of a failure, once; the measuring goes on, and `failure` keeps it.
    """

    def __init__(self, counts: Counts, folder: Path | None, delay: int, say: Callable[[str], None]) -> None:
        self.counts = counts
        self.failure: str | None = None
        self._folder = folder
        self.delay = delay
        self._say = say
        self._run: _Run | None = None
        self._runs = 0

    @property
    def path(self) -> Path | None:
        """The folder of the run that goes on, or of the last one."""
        return self._run.path if self._run else None

    def prepare(self, description: Mapping[str, Any]) -> None:
        """Make the folder of the next run, unless it is there already. Raises LoadError."""
        if self._run is not None and self._run.start is None:
            return
        folder = self._folder
        if folder is not None and self._runs:
            folder = folder.with_name(f"{folder.name}-{self._runs + 1}")
        path = results.create_run(folder)
        results.update_meta(path, description)
        self._run = _Run(path, description)
        self._runs += 1

    def start(self, now: float, description: Mapping[str, Any]) -> None:
        """A test starts; `prepare` was called before."""
        assert self._run is not None
        self._run.start = now
        self._run.description = {"start": round(now, 3), **description}
        self._write(self._run, partial(results.update_meta, self._run.path, self._run.description))

    def end(self, now: float) -> None:
        """The load ends: no further request is sent, those under way may be answered."""
        if self._run is not None and self._run.start is not None and self._run.end is None:
            self._run.end = now

    def stop(self, now: float) -> None:
        """The test stopped: no request is under way; counts may still come in."""
        if self._run is not None and self._run.start is not None:
            self._run.stop = now

    def reset(self, now: float) -> None:
        """The counts were cleared: a run that goes on starts anew, the files of one that is over stay."""
        if self._run is None or self._run.start is None:
            return
        if self._run.completed is not None:
            self._run = None
        else:
            self._run.resets.append(round(now, 3))
            self._run.appended_before = None
            self._write(self._run, partial(results.write_latency, self._run.path, []))

    @property
    def resets(self) -> Sequence[float]:
        """When the counts of the run were cleared."""
        return self._run.resets if self._run else ()

    @property
    def started(self) -> bool:
        """Whether the test of the run was started."""
        return self._run is not None and self._run.start is not None

    def pending(self, now: float) -> bool:
        """Whether counts may still come in."""
        stop = self._run.stop if self._run else None
        return self.started and (stop is None or now <= stop + self.delay)

    def over(self, now: float) -> bool:
        """Whether the test stopped and its last counts are in."""
        return self.started and not self.pending(now)

    def progress(self, now: float) -> None:
        """Bring the files of a test that goes on up to date; to be called every second."""
        if self._run and self._run.start and self._run.stop is None:
            self._write(self._run, partial(self._write_progress, self._run, int(now) - self.delay))

    def complete(self, now: float, more: Mapping[str, Any]) -> bool:
        """Complete the files of the run, with `more` in run.json; False where that was done before.

        Counts that come in after it complete the files anew. A run whose test was never started stays incomplete.
        """
        run = self._run
        counted = (self.counts.requests, self.counts.unfinished)
        if run is None or run.start is None or run.completed == counted:
            return False
        first = run.completed is None
        run.completed = counted
        self._write_complete(run, now, more)
        return first

    def _write_progress(self, run: _Run, before: int) -> None:
        results.write_hosts(run.path, self.counts.hosts())
        self._append_latency(run, before)
        # The last of the three: it is what a follower of the run looks at.
        rows = self.counts.timeline(run.appended_before, before)
        if run.appended_before is None:
            results.write_timeline(run.path, rows)
        elif rows:
            results.append_timeline(run.path, rows)
        run.appended_before = before

    def _write_complete(self, run: _Run, now: float, more: Mapping[str, Any]) -> None:
        """Write each of the files, also where another of them cannot be; complete is what has all of them."""
        assert run.start is not None
        failures: list[str] = []

        def attempt(action: Callable[[], object]) -> None:
            try:
                action()
            except LoadError as error:
                failures.append(str(error))

        removed = not run.path.exists()
        if removed:
            attempt(partial(results.create_run, run.path))
            attempt(partial(results.update_meta, run.path, run.description))
        attempt(partial(results.write_hosts, run.path, self.counts.hosts()))
        attempt(partial(results.write_timeline, run.path, self.counts.timeline()))
        if removed:
            # It had the latencies of the seconds before, which are no longer in memory.
            attempt(partial(results.remove_latency, run.path))
        else:
            attempt(partial(self._append_latency, run, math.inf))
        end = run.end or run.stop or now
        meta = {
            "end": round(end, 3),
            "duration_s": round(end - run.start, 3),
            "unfinished": self.counts.unfinished,
            "resets": run.resets,
            **more,
        }
        if not failures:
            # With totals, a reader holds the files to them.
            meta |= {"requests": self.counts.requests, "failures": self.counts.failures, "complete": True}
        attempt(partial(results.update_meta, run.path, meta))
        if failures and self.failure is None:
            self._say(failures[0])
        elif removed and not failures:
            self._say(f"{run.path} was removed during the run and is made again, without latency.csv, which is lost.")
        self.failure = failures[0] if failures else None

    def _append_latency(self, run: _Run, before: float) -> None:
        # On disk they are kept; in memory they would grow with every second of a long run.
        if rows := self.counts.latency(before):
            results.append_latency(run.path, rows)
            self.counts.drop_latency(before)

    def _write(self, run: _Run, action: Callable[[], None]) -> None:
        try:
            action()
            self.failure = None
        except LoadError as error:
            run.appended_before = None
            if self.failure is None:
                self._say(str(error))
            self.failure = str(error)
