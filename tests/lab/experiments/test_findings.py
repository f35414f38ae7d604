from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.experiments.findings import find
from load.results import HostRow, Run, TimelineRow

START = 1_000_000
HOSTS = ("a", "b", "c")


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
    fault = {"kind": "stop-task", "at": at, "task": "arn:task/c", "hostname": "c"}
    return Run(Path("results/x"), {"duration_s": 20.0, "faults": [fault]}, hosts, tuple(timeline))


def test_failures_by_status_and_their_window() -> None:
    findings = find(run_with_a_stop())

    assert findings.requests == sum(h.requests for h in findings.hosts)
    assert findings.failures == 8
    assert findings.failures_by_status == {0: 2, 503: 6}
    assert findings.failure_window == pytest.approx((0.0, 1.6))
    assert findings.rate == pytest.approx(findings.requests / 20)


def test_failures_that_begin_in_a_later_second() -> None:
    window = find(run_with_a_stop(at=START + 8.9)).failure_window
    assert window == pytest.approx((1.1, 3.1))


def test_the_replacement_is_the_host_that_came_after_the_fault() -> None:
    findings = find(run_with_a_stop())

    assert findings.replaced_by == "d"
    assert findings.replaced_after == pytest.approx(2.8)


def test_periods_hold_whole_seconds_in_which_the_hosts_stayed_the_same() -> None:
    before, after = find(run_with_a_stop()).periods

    assert (before.first_second, before.last_second) == (START, START + 9)
    assert before.counts == {"a": 100, "b": 100, "c": 100}
    assert (after.first_second, after.last_second) == (START + 15, START + 19)
    assert after.counts == {"a": 50, "b": 50, "d": 50}
    assert before.judgement is not None
    assert before.judgement.requests == 300


def test_without_a_fault_the_whole_run_is_one_period() -> None:
    run = run_with_a_stop()
    findings = find(
        Run(run.path, {"duration_s": 20.0}, run.hosts[:2], tuple(r for r in run.timeline if r.hostname in ("a", "b")))
    )

    assert [period.name for period in findings.periods] == ["whole run"]
    assert findings.failure_window is None
    assert (findings.fault, findings.replaced_by, findings.replaced_after) == (None, None, None)


def test_one_host_has_no_split_to_judge() -> None:
    rows = tuple(TimelineRow(START + i, "a", 200, 5) for i in range(3))
    findings = find(Run(Path("x"), {"duration_s": 3.0}, (host("a", 15, START, START + 2),), rows))

    assert findings.periods[0].judgement is None


def test_a_run_without_a_request() -> None:
    findings = find(Run(Path("x"), {}, (), ()))

    assert (findings.requests, findings.failures, findings.periods, findings.rate) == (0, 0, (), 0.0)


rows = st.lists(
    st.builds(
        TimelineRow,
        second=st.integers(START, START + 30),
        hostname=st.sampled_from(["", *HOSTS]),
        status=st.sampled_from([0, 200, 204, 404, 503]),
        requests=st.integers(1, 1000),
    ),
    unique_by=lambda row: (row.second, row.hostname, row.status),
)


@given(rows, st.floats(START, START + 30))
def test_sums_are_exact_and_nothing_is_counted_in_two_periods(timeline: list[TimelineRow], at: float) -> None:
    meta: dict[str, Any] = {"faults": [{"kind": "stop-task", "at": at, "task": "t", "hostname": "a"}]}
    findings = find(Run(Path("x"), meta, (), tuple(sorted(timeline, key=lambda row: row.second))))

    assert findings.requests == sum(row.requests for row in timeline)
    assert findings.failures == sum(row.requests for row in timeline if row.status in (0, 404, 503))
    spans = [(p.first_second, p.last_second) for p in findings.periods]
    assert all(a[1] < b[0] for a, b in pairwise(spans))
