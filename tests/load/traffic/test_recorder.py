from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from load.errors import ResultsUnwritable
from load.groups.counts import Counts
from load.results import TimelineRow, read_run
from load.traffic.recorder import Recorder


def recorder_in(folder: Path, delay: int = 0) -> tuple[Recorder, Counts, list[str]]:
    """A recorder with a started test, its counts, and what it says."""
    counts, said = Counts(), list[str]()
    recorder = Recorder(counts, folder, delay, said.append)
    recorder.prepare({"target": "http://a", "users": 1})
    recorder.start(1000.25, {"users": 2})
    return recorder, counts, said


def count(counts: Counts, now: float, host: str, status: int) -> None:
    """One request."""
    counts.admit(host, "", now)
    counts.record(now, host, status, 1.0)


def meta(folder: Path) -> dict[str, Any]:
    """run.json."""
    said: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return said


def test_seconds_that_are_complete_are_appended_while_the_test_runs(tmp_path: Path) -> None:
    recorder, counts, _ = recorder_in(tmp_path / "run")
    count(counts, 1000.5, "alpha", 200)
    count(counts, 1001.5, "alpha", 200)
    recorder.progress(1001.9)
    assert read_run(tmp_path / "run").timeline == (TimelineRow(1000, "alpha", 200, 1),)
    count(counts, 1001.95, "beta", 200)
    recorder.progress(1002.1)
    run = read_run(tmp_path / "run")
    assert run.timeline[1:] == (TimelineRow(1001, "alpha", 200, 1), TimelineRow(1001, "beta", 200, 1))
    assert [row.hostname for row in run.hosts] == ["alpha", "beta"]
    assert run.meta == {"format": 2, "target": "http://a", "users": 2, "start": 1000.25, "complete": False}


def test_late_counts_complete_the_files_anew(tmp_path: Path) -> None:
    recorder, counts, _ = recorder_in(tmp_path / "run", delay=4)
    count(counts, 1000.5, "alpha", 200)
    recorder.stop(1002.0)
    assert recorder.pending(1006.0)
    assert recorder.over(1006.1)
    assert recorder.complete(1006.1, {"workers_lost": []})
    assert not recorder.complete(1007.0, {})
    count(counts, 1001.5, "alpha", 503)
    assert not recorder.complete(1008.0, {"workers_lost": []})
    assert meta(tmp_path / "run")["requests"] == 2
    assert meta(tmp_path / "run")["duration_s"] == 1.75
    assert len(read_run(tmp_path / "run").timeline) == 2


def test_a_reset_starts_a_run_anew_but_leaves_one_that_is_over(tmp_path: Path) -> None:
    recorder, counts, _ = recorder_in(tmp_path / "run")
    count(counts, 1000.5, "alpha", 200)
    recorder.progress(1002.0)
    counts.clear()
    recorder.reset(1002.5)
    count(counts, 1003.5, "alpha", 200)
    recorder.progress(1005.0)
    assert read_run(tmp_path / "run").timeline == (TimelineRow(1003, "alpha", 200, 1),)
    recorder.stop(1005.0)
    recorder.complete(1005.0, {})
    counts.clear()
    recorder.reset(1006.0)
    recorder.progress(1007.0)
    assert meta(tmp_path / "run")["requests"] == 1
    assert meta(tmp_path / "run")["resets"] == [1002.5]
    assert [row.second for row in read_run(tmp_path / "run").latency] == [1003]
    assert recorder.path is None


def test_latencies_are_on_disk_once_and_no_longer_in_memory(tmp_path: Path) -> None:
    recorder, counts, _ = recorder_in(tmp_path / "run")
    for second in range(1000, 1010):
        count(counts, second + 0.5, "alpha", 200)
        recorder.progress(second + 1.0)
    assert counts.latency() == []
    count(counts, 1010.5, "alpha", 200)
    recorder.stop(1010.6)
    recorder.complete(1010.7, {})
    latency = read_run(tmp_path / "run").latency
    assert [(row.second, row.requests) for row in latency] == [(second, 1) for second in range(1000, 1011)]
    assert counts.latency() == []


def test_each_test_has_a_folder_of_its_own(tmp_path: Path) -> None:
    recorder, _, _ = recorder_in(tmp_path / "run")
    recorder.prepare({})
    assert recorder.path == tmp_path / "run-2"
    recorder.prepare({})
    assert recorder.path == tmp_path / "run-2"


def test_a_failure_is_said_once_and_made_good_when_there_is_room_again(tmp_path: Path) -> None:
    recorder, counts, said = recorder_in(tmp_path / "run")
    count(counts, 1000.5, "alpha", 200)
    recorder.progress(1002.0)
    (tmp_path / "run").rename(tmp_path / "away")
    recorder.progress(1003.0)
    recorder.progress(1004.0)
    assert len(said) == 1
    assert "cannot be written" in said[0]
    assert recorder.failure is not None
    (tmp_path / "away").rename(tmp_path / "run")
    recorder.progress(1005.0)
    assert recorder.failure is None
    assert read_run(tmp_path / "run").timeline == (TimelineRow(1000, "alpha", 200, 1),)


def test_a_folder_that_cannot_be_made_is_an_error_before_the_test(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    recorder = Recorder(Counts(), tmp_path / "file", 0, print)
    with pytest.raises(ResultsUnwritable):
        recorder.prepare({})


def test_a_folder_that_was_removed_is_made_again_at_the_end(tmp_path: Path) -> None:
    recorder, counts, said = recorder_in(tmp_path / "run")
    count(counts, 1000.5, "alpha", 200)
    recorder.progress(1002.0)
    shutil.rmtree(tmp_path / "run")
    recorder.progress(1003.0)
    count(counts, 1003.5, "alpha", 503)
    recorder.stop(1004.0)
    recorder.complete(1004.0, {"workers_lost": []})
    assert recorder.failure is None
    assert "cannot be written" in said[0]
    assert said[1:] == [
        f"{tmp_path / 'run'} was removed during the run and is made again, without latency.csv, which is lost."
    ]
    run = read_run(tmp_path / "run")
    assert (run.meta["complete"], run.meta["requests"], run.meta["users"], run.meta["format"]) == (True, 2, 2, 2)
    assert [(row.second, row.requests) for row in run.timeline] == [(1000, 1), (1003, 1)]
    assert not (tmp_path / "run" / "latency.csv").exists()


def test_each_file_is_written_where_another_cannot_be(tmp_path: Path) -> None:
    recorder, counts, said = recorder_in(tmp_path / "run")
    count(counts, 1000.5, "alpha", 200)
    counts.unfinished = 3
    (tmp_path / "run" / "timeline.csv").unlink()
    (tmp_path / "run" / "timeline.csv").mkdir()
    recorder.stop(1002.0)
    recorder.complete(1002.0, {"workers_lost": []})
    assert recorder.failure == said[0]
    assert "timeline.csv (is a directory)" in said[0]
    assert "alpha" in (tmp_path / "run" / "hostnames.csv").read_text()
    written = meta(tmp_path / "run")
    assert (written["complete"], written["duration_s"], written["unfinished"]) == (False, 1.75, 3)
    assert "requests" not in written


def test_the_load_ends_before_its_last_answers_come(tmp_path: Path) -> None:
    recorder, counts, _ = recorder_in(tmp_path / "run")
    recorder.end(1010.25)
    count(counts, 1040.5, "", 0)
    recorder.end(1041.0)
    recorder.stop(1041.0)
    recorder.complete(1041.0, {})
    written = meta(tmp_path / "run")
    assert (written["end"], written["duration_s"], written["requests"]) == (1010.25, 10.0, 1)
