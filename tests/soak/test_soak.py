"""The soak itself: a short one, and that it sees what it looks for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.soak.machine import RotatedLog
from tests.soak.rounds import DEEDS, Figures, Measured, Soak
from tests.twin.aws.ecs.load import Load
from tests.twin.running import PROJECT
from twin.faults import KINDS


@pytest.mark.timeout(300)
def test_a_short_soak_finds_nothing_wrong(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.soak", "--minutes", "0.5", "--seed", "5", "--json", str(tmp_path / "json")]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads((tmp_path / "json").read_text())
    assert (figures["seed"], figures["violations"]) == (5, [])
    assert figures["rounds"] >= 1
    assert sum(figures["deeds"].values()) >= figures["rounds"]
    assert figures["requests"] > figures["in_quiet"] > 0


def test_every_kind_of_fault_is_among_the_deeds() -> None:
    names = {deed.__name__.replace("_", "-") for deed in DEEDS}

    assert set(KINDS) <= names


def test_growth_is_that_of_an_hour() -> None:
    figures = Figures(seed=1)
    for minute in range(8):
        measured = Measured(60.0 * minute, 100.0 + minute, 20, 10, 9, 14, 3, 5 + 2 * minute, 1.0)
        figures.measured.append(measured)

    growth = figures.growth()

    assert growth["memory_mb"] == 60.0
    assert growth["folders"] == 120.0
    assert growth["descriptors"] == 0.0


def test_lines_of_a_log_are_counted_over_its_rotations(tmp_path: Path) -> None:
    path, before = tmp_path / "access.log", tmp_path / "access.log.1"
    log = RotatedLog(path)
    assert log.lines() == 0
    path.write_text("1\n2\n3\n")
    assert log.lines() == 3
    for number in range(4):
        os.replace(path, before)
        path.write_text(f"{number} of a file\n" * number)
        assert log.lines() == 3 + sum(range(number + 1))


class Recorded(Soak):
    """A soak without a twin: its event log is the test's."""

    def __init__(self, events: list[dict[str, Any]], logged: int) -> None:
        self.figures, self.began, self.gateway_killed = Figures(seed=1), 0.0, False
        self.recorded, self.logged = events, logged
        self.killed: list[tuple[float, str]] = []
        self.done = [(10.0, "a deed")]

    def events(self) -> list[dict[str, Any]]:
        return self.recorded

    def access_log(self) -> int:
        return self.logged


@pytest.mark.parametrize(
    ("begun", "event", "logged", "violations"),
    [
        (11.0, {"time": 10.0, "kind": "task", "step": "SIGTERM"}, 1, []),
        (11.0, {"time": 10.0, "kind": "accident", "what": "the proxy of task 1 exited with -9"}, 1, []),
        (11.0, {"time": 10.0, "kind": "task", "step": "RUNNING"}, 1, ["a request failed without an event"]),
        (19.0, {"time": 10.0, "kind": "task", "step": "SIGTERM"}, 1, ["a request failed without an event"]),
        (21.0, {"time": 21.0, "kind": "task", "step": "SIGTERM"}, 1, ["a request failed without an event"]),  # in quiet
        (11.0, {"time": 10.0, "kind": "task", "step": "SIGTERM"}, 2, ["the access log has 2 requests, clients sent 1"]),
    ],
)
def test_a_failure_has_to_be_explained_and_sums_to_be_exact(
    begun: float, event: dict[str, Any], logged: int, violations: list[str]
) -> None:
    soak = Recorded([event], logged)
    load = Load("http://127.0.0.1:8000", 0, answers=Counter({(503, ""): 1}), spans=[(begun, begun + 0.1, False)])

    soak.check_requests([load], began=5.0, quiet=20.0, lines=0)

    assert [said.split(",")[0] if "event" in said else said for said in soak.figures.violations] == violations
    assert (soak.figures.requests, soak.figures.failed) == (1, 1)


Event = dict[str, Any]


def fault(at: float, step: str, seconds: float | None = 8) -> Event:
    return {"time": at, "kind": "fault", "step": step, "fault": "hang", "target": "1", "seconds": seconds}


def task(at: float, step: str, task: str = "1") -> Event:
    return {"time": at, "kind": "task", "step": step, "task": task}


def gateway(at: float, step: str) -> Event:
    return {"time": at, "kind": "load-balancer", "step": step}


@pytest.mark.parametrize(
    ("begun", "events", "killed", "explained"),
    [
        # The soak has killed a process; a busy twin says so later than clients know it.
        (10.2, [task(10.9, "proxy exited")], "proxy", True),
        (10.2, [task(10.9, "proxy exited")], None, False),
        (9.5, [task(10.9, "proxy exited")], "proxy", False),
        (10.2, [task(10.9, "proxy exited")], "application", False),
        (10.2, [task(16.0, "proxy exited")], "proxy", False),  # that is no notice any more
        (10.2, [], "proxy", False),
        # For as long as a process is away, and a little.
        (17.0, [task(10.9, "proxy exited"), task(18.0, "proxy restarted")], None, True),
        (17.0, [task(10.9, "proxy exited"), task(18.0, "STOPPED")], None, True),
        (17.0, [task(10.9, "proxy exited"), task(18.0, "proxy restarted", "2")], None, False),
        (16.0, [gateway(10.9, "Envoy exited"), gateway(17.0, "Envoy restarted")], None, True),
        (21.5, [gateway(10.9, "Envoy exited"), gateway(17.0, "Envoy restarted")], None, False),
        # Faults of a kind on one task that overlap.
        (15.0, [fault(10, "begins"), fault(16, "begins"), fault(18, "ends"), fault(24, "ends")], None, True),
        (22.5, [fault(10, "begins"), fault(16, "begins"), fault(18, "ends"), fault(24, "ends")], None, True),
        (9.0, [fault(10, "begins"), fault(16, "begins"), fault(18, "ends"), fault(24, "ends")], None, False),
        (29.0, [fault(10, "begins"), fault(16, "begins"), fault(18, "ends"), fault(24, "ends")], None, False),
        # While the twin stands still it says nothing.
        (12.0, [{"time": 15.0, "kind": "accident", "what": "the twin stood still for 3.5 s"}], None, True),
        (11.0, [{"time": 15.0, "kind": "accident", "what": "the twin stood still for 3.5 s"}], None, False),
    ],
)
def test_what_explains_a_failure(begun: float, events: list[Event], killed: str | None, explained: bool) -> None:
    soak = Recorded(events, 1)
    soak.killed = [(10.1, killed)] if killed else []
    load = Load("http://127.0.0.1:8000", 0, answers=Counter({(503, ""): 1}), spans=[(begun, begun + 0.1, False)])

    soak.check_requests([load], began=9.0, quiet=40.0, lines=0)

    assert bool(soak.figures.violations) is not explained
    if not explained:
        (said,) = soak.figures.violations
        assert f"{begun - 9:.2f} s after the round began (a deed at 1.00 s); the event log has " in said
