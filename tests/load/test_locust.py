"""Locust as its users start it, in a process of its own."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from load.results import Run, read_run

Locust = Callable[..., subprocess.Popen[str]]


def locust_total(stderr: str) -> int:
    """The total of Locust's own last table."""
    return int(re.findall(r"Aggregated +(\d+) ", stderr)[0])


def only_run(tmp_path: Path) -> Run:
    """The one run in the folder of results, whose sums must agree."""
    (path,) = (tmp_path / "results").iterdir()
    run = read_run(path)
    requests = sum(row.requests for row in run.hosts)
    assert requests == sum(row.requests for row in run.timeline)
    assert requests == run.meta.get("requests", requests)
    return run


def wait_for_requests(process: subprocess.Popen[str], folder: Path) -> None:
    """Return once the timeline of a run in `folder` has rows."""
    deadline = time.monotonic() + 30
    while not any(file.read_text().count("\n") > 2 for file in folder.glob("results/*/timeline.csv")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "no requests in the timeline"
        time.sleep(0.05)


def test_a_run_leaves_its_files_and_a_table_and_stdout_pure(locust: Locust, service: str, tmp_path: Path) -> None:
    process = locust("--headless", "-H", service, "-u", "4", "-r", "4", "-t", "2s", "--json")
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    (statistics,) = json.loads(stdout)
    run = only_run(tmp_path)
    assert run.meta["requests"] == statistics["num_requests"] > 0
    assert run.meta["complete"] is True
    assert run.meta["target"] == service
    assert run.meta["users"] == 4
    assert [(row.hostname, row.availability_zone, row.failures) for row in run.hosts] == [
        ("alpha", "eu-west-2a", 0),
        ("beta", "eu-west-2b", 0),
        ("gamma", "eu-west-2c", 0),
    ]
    assert sum(row.share for row in run.hosts) == pytest.approx(1, abs=1e-5)
    assert {row.status for row in run.timeline} == {200}
    assert all(0 < row.p50_ms <= row.p95_ms <= row.p99_ms for row in run.hosts)
    assert all(f" {row.hostname} " in stderr for row in run.hosts)
    assert run.path.name in stderr


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_with_complete_files(locust: Locust, service: str, tmp_path: Path, end: int) -> None:
    process = locust("--headless", "-H", service, "-u", "8", "-r", "8")
    wait_for_requests(process, tmp_path)
    process.send_signal(end)
    _, stderr = process.communicate(timeout=60)
    run = only_run(tmp_path)
    assert run.meta["complete"] is True
    assert run.meta["requests"] == locust_total(stderr)
    assert "Traceback" not in stderr


def test_a_killed_run_leaves_valid_files(locust: Locust, service: str, tmp_path: Path) -> None:
    process = locust("--headless", "-H", service, "-u", "2", "-r", "2")
    wait_for_requests(process, tmp_path)
    process.kill()
    process.wait(10)
    (path,) = (tmp_path / "results").iterdir()
    run = read_run(path)
    assert run.meta["complete"] is False
    assert run.hosts
    assert run.timeline


def test_failures_are_counted_and_make_locust_end_with_one(locust: Locust, tmp_path: Path) -> None:
    # Nothing listens on port 1.
    process = locust("--headless", "-H", "http://127.0.0.1:1", "-u", "1", "-t", "1s")
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    run = only_run(tmp_path)
    assert [row.hostname for row in run.hosts] == [""]
    assert run.meta["requests"] == run.meta["failures"] == locust_total(stderr) > 0
    assert {row.status for row in run.timeline} == {0}


def test_the_folder_can_be_named_by_option_and_by_environment(locust: Locust, service: str, tmp_path: Path) -> None:
    arguments = ("--headless", "-H", service, "-u", "1", "-t", "1s")
    first = locust(*arguments, "--results-dir", str(tmp_path / "a" / "b"))
    second = locust(*arguments, env={"LOCUST_RESULTS_DIR": "c"})
    for process in (first, second):
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr
    assert read_run(tmp_path / "a" / "b").meta["complete"] is True
    assert read_run(tmp_path / "c").meta["complete"] is True


@pytest.mark.parametrize(
    ("folder", "limits", "reason"),
    [("/proc/results", "", "no such file or directory"), ("full", "ulimit -f 0", "file too large")],
)
def test_no_place_for_results_is_said_before_any_load(
    locust: Locust, service: str, tmp_path: Path, folder: str, limits: str, reason: str
) -> None:
    process = locust("--headless", "-H", service, "-t", "1s", "--results-dir", folder, limits=limits)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 2
    assert f"({reason}); free some space or name another folder with --results-dir." in stderr
    assert "Traceback" not in stderr
    assert "Ramping" not in stderr


def test_results_that_cannot_be_written_at_the_end_are_said(locust: Locust, service: str, tmp_path: Path) -> None:
    process = locust("--headless", "-H", service, "-u", "1")
    wait_for_requests(process, tmp_path)
    shutil.rmtree(tmp_path / "results")
    (tmp_path / "results").touch()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "cannot be written" in stderr
    assert "Requests by hostname" in stderr
    assert "Traceback" not in stderr
