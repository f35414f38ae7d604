"""Runs on paper: what Locust, ECS and Cloud Map would have written, for tests of what is made of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from lab.experiments.study import Measured, Study
from lab.report.html import write_report
from lab.report.pages import run_page, study_page
from load.groups.latency import bucket_of, coarser
from load.results import (
    HostRow,
    LatencyRow,
    TimelineRow,
    create_run,
    update_meta,
    write_hosts,
    write_latency,
    write_timeline,
)

START = 1_000_000
HOSTS = ("alpha", "beta", "gamma")
_CALM, _BUSY = (next(iter(coarser({bucket_of(ms): 1}))) for ms in (5.0, 20.0))


def task(
    name: str, created_at: float, *, stopping_at: float | None = None, health: str = "HEALTHY", runs_on: float = 0.5
) -> dict[str, Any]:
    """A task as run.json has it; its host has the name of the task. It runs on for some seconds after its stop."""
    return {
        "arn": f"arn:task/{name}",
        "hostname": name,
        "availability_zone": "eu-west-2a",
        "task_definition": "arn:task-definition/x:1",
        "last_status": "RUNNING" if stopping_at is None else "STOPPED",
        "desired_status": "RUNNING" if stopping_at is None else "STOPPED",
        "health": health,
        "created_at": created_at,
        "started_at": created_at + 1,
        "stopping_at": stopping_at,
        "execution_stopped_at": None if stopping_at is None else stopping_at + runs_on,
        "stopped_at": None if stopping_at is None else stopping_at + runs_on + 0.5,
        "stop_code": None,
        "stopped_reason": None,
    }


def write_run(
    folder: Path,
    rng: np.random.Generator,
    *,
    name: str = "stop-task",
    arm: str = "direct",
    seconds: int = 30,
    at: float | None = 10.4,
    lingers: float = 0.0,
    drain: float = 0.0,
    rate: int = 300,
    repeat: int = 1,
    parameters: dict[str, float] | None = None,
) -> Path:
    """Write the folder of a run in which `gamma` leaves Cloud Map *at* that second, and `delta` takes its place.

    For *lingers* seconds more gamma is sent its share: it answers for *drain* seconds, and then nobody does (503). It
    ends within the load.
    """
    moments = np.sort(rng.uniform(0, seconds, rate * seconds))
    picks = rng.integers(0, 6, len(moments))  # six is divided by two and by three
    counts: Counter[tuple[int, str, int]] = Counter()
    latency: Counter[tuple[int, int]] = Counter()
    seen: dict[str, tuple[float, float]] = {}
    for moment, pick in zip(map(float, moments), map(int, picks), strict=True):
        hosts: tuple[str, ...] = HOSTS
        if at is not None and moment > at + lingers:
            hosts = ("alpha", "beta", "delta") if moment > at + 3 else ("alpha", "beta")
        host, status, now = hosts[pick % len(hosts)], 200, START + moment
        if host == "gamma" and at is not None and moment > at + drain:
            host, status = "", 503
        counts[int(now), host, status] += 1
        latency[int(now), _CALM if at is None or moment < at else _BUSY] += 1
        seen[host] = (seen.get(host, (now, now))[0], now)
    requests, failures = Counter[str](), Counter[str]()
    for (_, host, status), number in counts.items():
        requests[host] += number
        failures[host] += number if status >= 400 else 0
    total = requests.total()
    rows = [
        HostRow(h, "eu-west-2a" if h else "", requests[h], failures[h], requests[h] / total, 1.0, 2.0, 3.0, *seen[h])
        for h in sorted(requests, key=lambda host: (host == "", host))
    ]
    create_run(folder)
    write_hosts(folder, rows)
    write_timeline(folder, [TimelineRow(*key, number) for key, number in sorted(counts.items())])
    write_latency(folder, [LatencyRow(*key, number) for key, number in sorted(latency.items())])
    what = {
        "name": name,
        "arm": arm,
        "parameters": parameters or {},
        "repeat": repeat,
        "task": {"drain_seconds": drain},
    }
    meta: dict[str, Any] = {
        "target": "http://127.0.0.1:8000", "users": 4, "start": float(START), "end": float(START + seconds),
        "duration_s": float(seconds), "requests": total, "failures": failures.total(), "complete": True,
        "experiment": what, "faults": [], "tasks": [], "events": [], "discovery": [],
    }  # fmt: skip
    if at is not None:
        moment = START + at
        meta |= {
            "faults": [
                {"kind": name, "at": moment, "until": None, "tasks": ["arn:task/gamma"], "hostnames": ["gamma"]}
            ],
            "tasks": [
                task("alpha", START - 60),
                task("beta", START - 60),
                task("gamma", START - 60, stopping_at=moment, runs_on=max(0.5, min(drain, seconds - at - 0.1))),
                task("delta", moment + 0.2),
            ],
            "discovery": [
                {"at": START - 1, "instances": ["alpha", "beta", "gamma"]},
                {"at": moment + 0.05, "instances": ["alpha", "beta"]},
            ],
        }
    update_meta(folder, meta)
    return folder


def cut_short(folder: Path, *, after_event: bool = False) -> Path:
    """Make of a run one of 60 s whose load was ended early, before anything happened unless *after_event*."""
    update_meta(folder, {"complete": False, "settings": {"run_time_s": 60}} | ({} if after_event else {"faults": []}))
    return folder


def written(subject: Measured | Study) -> Path:
    """The report.html of a run or a study."""
    page = run_page(subject) if isinstance(subject, Measured) else study_page(subject)
    return write_report(page, subject.folder)
