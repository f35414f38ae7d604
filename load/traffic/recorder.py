"""From counts to the folder of a run: made before the load, appended to every second, completed at the end.

Knows nothing of Locust; times are seconds since the Unix epoch and passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from load import results
from load.errors import LoadError
from load.groups.rows import GroupRow, LatencyRow, SecondRow
from load.rate import counted_seconds
from load.results import TimelineRow

__all__ = ["Recorder"]


@dataclass(slots=True)
class _Run:
    path: Path
    description: Mapping[str, Any]
    start: float | None = None
    begun: float | None = None
    end: float | None = None
    resets: list[float] = field(default_factory=list)
    # What is not in the files yet, and how many requests timeline.csv has.
    timeline: list[TimelineRow] = field(default_factory=list)
    latency: list[LatencyRow] = field(default_factory=list)
    written: int = 0
    hosts: Sequence[GroupRow] = field(default_factory=list)


class Recorder:
    """Writes what it is given into one folder for each run.

    `folder` is that of the first run; without one, and for later runs, a name is found. `say` tells the user of a
    failure, once; the measuring goes on, and what could not be written is written later.
    """

    def __init__(self, folder: Path | None, say: Callable[[str], None]) -> None:
        # By what could not be written.
        self._failures: dict[str, str] = {}
        self._folder = folder
        self._say = say
        self._run: _Run | None = None
        self._runs = 0

    @property
    def failure(self) -> str | None:
        """Why a file is not as it should be."""
        return next(iter(self._failures.values()), None)

    @property
    def path(self) -> Path | None:
        """The folder of the run that goes on, or of the last one."""
        return self._run.path if self._run else None

    @property
    def counted(self) -> tuple[float, float] | None:
        """From when until when the requests of a run whose load has ended were counted."""
        run = self._run
        if run is None or run.start is None or run.end is None:
            return None
        return run.end - counted_seconds(run.end - (run.begun or run.start), run.end, run.resets), run.end

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
        run = self._run
        assert run is not None
        run.start = now
        run.description = {"start": round(now, 3), **description}
        self._write("run.json", partial(results.update_meta, run.path, run.description))

    def begin(self, now: float) -> None:
        """The load begins, with the first users: on a busy machine some time after the start of the test."""
        if self._run is not None and self._run.start is not None:
            self._run.begun = now

    def end(self, now: float) -> None:
        """The load ends: no further request is sent, those under way may be answered."""
        if self._run is not None and self._run.start is not None and self._run.end is None:
            self._run.end = now

    def append(self, seconds: Sequence[SecondRow], latency: Sequence[LatencyRow]) -> None:
        """Add to timeline.csv and latency.csv what was not given before."""
        if (run := self._run) and run.start:
            run.timeline += [TimelineRow(*row[:4]) for row in seconds]
            run.latency += latency
            self._write("timeline.csv", partial(self._flush, run))

    def replace(self, rows: Sequence[GroupRow]) -> None:
        """Write hostnames.csv."""
        if (run := self._run) and run.start:
            run.hosts = rows
            self._write("hostnames.csv", partial(results.write_hosts, run.path, run.hosts))

    def reset(self, now: float) -> None:
        """The counts were cleared, and the run starts anew."""
        if (run := self._run) and run.start:
            run.resets.append(round(now, 3))
            run.timeline, run.latency, run.written = [], [], 0
            self._write("timeline.csv", partial(results.write_latency, run.path, []))
            self._write("timeline.csv", partial(results.write_timeline, run.path, []))

    def complete(self, now: float, more: Mapping[str, Any]) -> None:
        """Complete the files of the run, with `more` in run.json; again, where more was appended since.

        Each is written, also where another of them cannot be; complete is what has all of them.
        """
        run = self._run
        if run is None or run.start is None:
            return  # the next run waits for its start, and this came too late for the last
        failures: list[str] = []

        def attempt(action: Callable[[], object]) -> None:
            try:
                action()
            except LoadError as error:
                failures.append(str(error))

        if not run.path.exists():
            attempt(partial(results.create_run, run.path))
            attempt(partial(results.update_meta, run.path, run.description))
            if run.written and not failures:
                failures.append(
                    f"{run.path} was removed during the run and is made again, without {run.written:,} requests of "
                    "timeline.csv, which are lost: the run stays incomplete."
                )
        attempt(partial(results.write_hosts, run.path, run.hosts))
        attempt(partial(self._flush, run))
        end = run.end or now
        meta = {
            "end": round(end, 3),
            "duration_s": round(end - (run.begun or run.start), 3),
            "resets": run.resets,
            **more,
        }
        if not failures:
            # With totals, a reader holds the files to them.
            requests, failed = (sum(counts) for counts in zip((0, 0), *(host[2:4] for host in run.hosts), strict=True))
            meta |= {"requests": requests, "failures": failed, "complete": True}
        attempt(partial(results.update_meta, run.path, meta))
        if failures and not self._failures:
            self._say(failures[0])
        self._failures = {"the end": failures[0]} if failures else {}

    def _flush(self, run: _Run) -> None:
        if run.latency:
            results.append_latency(run.path, run.latency)
            run.latency = []
        # The last of the three: it is what a follower of the run looks at.
        if run.timeline:
            results.append_timeline(run.path, run.timeline)
            run.written += sum(row.requests for row in run.timeline)
            run.timeline = []

    def _write(self, what: str, action: Callable[[], None]) -> None:
        try:
            action()
            self._failures.pop(what, None)
        except LoadError as error:
            if not self._failures:
                self._say(str(error))
            self._failures[what] = str(error)
