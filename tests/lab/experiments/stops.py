"""A run with a stop on paper, whose every count is known."""

from __future__ import annotations

from pathlib import Path

from load.results import HostRow, Run, TimelineRow
from tests.lab.experiments.runs import START, task


def host(name: str, requests: int, first: float, last: float, failures: int = 0) -> HostRow:
    return HostRow(name, "eu-west-2a" if name else "", requests, failures, 0.0, 1.0, 2.0, 3.0, first, last)


def run_with_a_stop(at: float = START + 10.4) -> Run:
    """Ten requests a second and host; `c` is stopped, fails for two seconds without a host, and `d` takes its place."""
    timeline = []
    for second in range(START, START + 20):
        timeline += [TimelineRow(second, name, 200, 10) for name in "ab"]
        if second <= START + 10:
            timeline.append(TimelineRow(second, "c", 200, 10))
        if second in (START + 10, START + 11):
            timeline.append(TimelineRow(second, "", 503, 3))
            timeline.append(TimelineRow(second, "", 0, 1))
        if second >= START + 13:
            timeline.append(TimelineRow(second, "d", 200, 10))
    hosts = (
        host("a", 200, START + 0.1, START + 19.9),
        host("b", 200, START + 0.1, START + 19.9),
        host("c", 110, START + 0.1, START + 10.6),
        host("d", 70, START + 13.2, START + 19.9),
        host("", 8, START + 10.5, START + 11.9, failures=8),
    )
    meta = {
        "duration_s": 20.0,
        "requests": sum(row.requests for row in timeline),
        "faults": [{"kind": "stop-task", "at": at, "until": None, "tasks": ["arn:task/c"], "hostnames": ["c"]}],
        "tasks": [
            task("a", START - 60),
            task("b", START - 60),
            task("c", START - 60, stopping_at=at + 0.1),
            task("d", at + 0.2),
        ],
        "discovery": [
            {"at": START - 1, "instances": ["a", "b", "c"]},
            {"at": at + 0.3, "instances": ["a", "b"]},
            {"at": at + 1.5, "instances": ["a", "b", "d"]},
        ],
        "events": [],
    }
    return Run(Path("results/x"), meta, hosts, tuple(timeline))


AT = START + 10.4
