from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from load.errors import ResultsUnwritable
from load.groups.counts import Counts
from load.results import TimelineRow, read_run
from load.traffic.recorder import Recorder


class Feed:
    """A recorder with a started test, the counts that it is given, and what it says."""

    def __init__(self, folder: Path) -> None:
        self.counts = Counts()
        self.said = list[str]()
        self.recorder = Recorder(folder, self.said.append)
        self.recorder.prepare({"target": "http://a", "users": 1})
        self.recorder.start(1000.25, {"users": 2})

    def count(self, now: float, host: str, status: int) -> None:
        """One request."""
        self.counts.admit(host, "", now)
        self.counts.record([now, host, status, not 0 < status < 400, 1.0])

    def progress(self, now: float = math.inf) -> None:
        """What the plugin does every second."""
        self.recorder.append(*self.counts.take(now if math.isinf(now) else int(now)))
        self.recorder.replace(self.counts.groups())

    def complete(self, now: float, **more: Any) -> None:
        """What the plugin does at the end."""
        self.progress()
        self.recorder.complete(now, more)


def meta(folder: Path) -> dict[str, Any]:
    """run.json."""
    said: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return said


def test_seconds_that_are_complete_are_appended_while_the_test_runs(tmp_path: Path) -> None:
    feed = Feed(tmp_path / "run")
    feed.count(1000.5, "alpha", 200)
    feed.count(1001.5, "alpha", 200)
    feed.progress(1001.9)
    assert read_run(tmp_path / "run").timeline == (TimelineRow(1000, "alpha", 200, 1),)
    feed.count(1001.95, "beta", 200)
    feed.progress(1002.1)
    run = read_run(tmp_path / "run")
    assert run.timeline[1:] == (TimelineRow(1001, "alpha", 200, 1), TimelineRow(1001, "beta", 200, 1))
    assert [row.hostname for row in run.hosts] == ["alpha", "beta"]
    assert run.meta == {"format": 2, "target": "http://a", "users": 2, "start": 1000.25, "complete": False}


def test_late_counts_complete_the_files_anew(tmp_path: Path) -> None:
    feed = Feed(tmp_path / "run")
    feed.count(1000.5, "alpha", 200)
    feed.recorder.end(1002.0)
    feed.complete(1006.1, workers_lost=[])
    feed.count(1001.5, "alpha", 503)
    feed.count(1000.6, "alpha", 200)
    feed.complete(1008.0, workers_lost=[])
    assert (meta(tmp_path / "run")["requests"], meta(tmp_path / "run")["failures"]) == (3, 1)
    assert meta(tmp_path / "run")["duration_s"] == 1.75
    run = read_run(tmp_path / "run")
    assert run.timeline == (TimelineRow(1000, "alpha", 200, 2), TimelineRow(1001, "alpha", 503, 1))
    assert [(row.second, row.requests) for row in run.latency] == [(1000, 2), (1001, 1)]


def test_a_reset_starts_the_files_anew(tmp_path: Path) -> None:
    feed = Feed(tmp_path / "run")
    feed.count(1000.5, "alpha", 200)
    feed.progress(1002.0)
    feed.counts.clear()
    feed.recorder.reset(1002.5)
    feed.count(1003.5, "alpha", 200)
    feed.progress(1005.0)
    assert read_run(tmp_path / "run").timeline == (TimelineRow(1003, "alpha", 200, 1),)
    feed.complete(1005.0)
    assert meta(tmp_path / "run")["requests"] == 1
    assert meta(tmp_path / "run")["resets"] == [1002.5]
    assert [row.second for row in read_run(tmp_path / "run").latency] == [1003]


def test_each_test_has_a_folder_of_its_own(tmp_path: Path) -> None:
    recorder = Feed(tmp_path / "run").recorder
    recorder.prepare({})
    assert recorder.path == tmp_path / "run-2"
    recorder.prepare({})
    assert recorder.path == tmp_path / "run-2"


def test_a_failure_is_said_once_and_made_good_when_there_is_room_again(tmp_path: Path) -> None:
    feed = Feed(tmp_path / "run")
    feed.count(1000.5, "alpha", 200)
    feed.progress(1002.0)
    (tmp_path / "run").rename(tmp_path / "away")
    for second in (1003, 1004):
        feed.count(second - 0.5, "alpha", 200)
        feed.progress(second)
    assert len(feed.said) == 1
    assert "cannot be written" in feed.said[0]
    assert feed.recorder.failure is not None
    (tmp_path / "away").rename(tmp_path / "run")
    feed.progress(1005.0)
    assert feed.recorder.failure is None
    run = read_run(tmp_path / "run")
    assert run.timeline == tuple(TimelineRow(second, "alpha", 200, 1) for second in (1000, 1002, 1003))
    assert sum(row.requests for row in run.latency) == run.hosts[0].requests == 3


def test_a_folder_that_cannot_be_made_is_an_error_before_the_test(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ResultsUnwritable):
        Recorder(tmp_path / "file", print).prepare({})


def test_a_folder_that_was_removed_is_made_again_at_the_end_and_says_what_it_lost(tmp_path: Path) -> None:
    feed = Feed(tmp_path / "run")
    feed.count(1000.5, "alpha", 200)
    feed.progress(1002.0)
    shutil.rmtree(tmp_path / "run")
    feed.count(1003.5, "alpha", 503)
    feed.complete(1004.0, workers_lost=[])
    assert "cannot be written" in feed.said[0]
    run = read_run(tmp_path / "run")
    assert (run.meta["complete"], run.meta["users"], run.meta["format"]) == (False, 2, 2)
    assert "requests" not in run.meta
    assert run.hosts[0].requests == 2
    assert [(row.second, row.requests) for row in run.timeline] == [(1003, 1)]
    assert feed.recorder.failure == (
        f"{tmp_path / 'run'} was removed during the run and is made again, without 1 requests of timeline.csv, which "
        "are lost: the run stays incomplete."
    )


def test_a_file_that_was_removed_is_not_begun_in_its_middle(tmp_path: Path) -> None:
    feed = Feed(tmp_path / "run")
    (tmp_path / "run" / "timeline.csv").unlink()
    feed.count(1000.5, "alpha", 200)
    feed.complete(1002.0)
    assert "timeline.csv (no such file or directory)" in feed.said[0]
    assert meta(tmp_path / "run")["complete"] is False
    assert not (tmp_path / "run" / "timeline.csv").exists()


def test_each_file_is_written_where_another_cannot_be(tmp_path: Path) -> None:
    feed = Feed(tmp_path / "run")
    feed.count(1000.5, "alpha", 200)
    (tmp_path / "run" / "timeline.csv").unlink()
    (tmp_path / "run" / "timeline.csv").mkdir()
    feed.recorder.end(1002.0)
    feed.complete(1002.0, unfinished=3)
    assert feed.recorder.failure == feed.said[0]
    assert "timeline.csv (is a directory)" in feed.said[0]
    assert "alpha" in (tmp_path / "run" / "hostnames.csv").read_text()
    written = meta(tmp_path / "run")
    assert (written["complete"], written["duration_s"], written["unfinished"]) == (False, 1.75, 3)
    assert "requests" not in written


def test_the_load_ends_before_its_last_answers_come(tmp_path: Path) -> None:
    feed = Feed(tmp_path / "run")
    feed.recorder.end(1010.25)
    feed.count(1040.5, "", 0)
    feed.recorder.end(1041.0)
    feed.complete(1041.0)
    written = meta(tmp_path / "run")
    assert (written["end"], written["duration_s"], written["requests"]) == (1010.25, 10.0, 1)


def test_a_load_lasts_from_its_first_users_on(tmp_path: Path) -> None:
    feed = Feed(tmp_path / "run")
    feed.recorder.begin(1001.5)
    feed.recorder.end(1010.25)
    assert feed.recorder.counted == (1001.5, 1010.25)
    feed.complete(1010.5)
    written = meta(tmp_path / "run")
    assert (written["start"], written["end"], written["duration_s"]) == (1000.25, 1010.25, 8.75)
