"""Before, during and after an event, and since when the split is even again."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.distribution.recovery import EvenAgain
from lab.experiments.findings import Findings, find
from lab.experiments.periods import of_period
from lab.report.run_words import times
from load.results import Run, TimelineRow, read_run
from tests.lab.experiments.runs import START, task, write_run
from tests.lab.experiments.stops import host, run_with_a_stop

HOSTS = ("a", "b", "c")


def test_where_nobody_answers_in_the_end_it_is_said_why_the_split_is_not_even() -> None:
    run = run_with_a_stop()
    kept = tuple(row for row in run.timeline if row.second < START + 10)
    failing = tuple(TimelineRow(second, "", 503, 30) for second in range(START + 10, START + 20))
    found = find(replace(run, timeline=kept + failing))

    assert found.even_again == EvenAgain(None, "failures", None)
    assert "A request failed in the last 3 s of the load" in " ".join(times(found))


def test_a_failure_after_the_split_was_even_is_not_told_as_an_uneven_split() -> None:
    run = run_with_a_stop()
    timeline = (*run.timeline, TimelineRow(START + 14, "", 503, 1))
    said = " ".join(times(find(replace(run, timeline=tuple(sorted(timeline, key=lambda row: row.second))))))
    assert re.search(
        r"Even again 4\.6 s after the stop \([^)]+\): from then on no request failed and no unevenness is", said
    )


def even_again_s(findings: Findings) -> float | None:
    return findings.even_again.seconds if findings.even_again else None


def changed(run: Run, **of_rows: Any) -> Run:
    """The run with its last seconds as *of_rows* says: requests by host, for each second from START + 14 on."""
    kept = tuple(row for row in run.timeline if row.second < START + 14)
    ending = (
        TimelineRow(second, name, 200, n) for second in range(START + 14, START + 20) for name, n in of_rows.items()
    )
    return Run(run.path, run.meta, run.hosts, (*kept, *ending))


@pytest.mark.parametrize(
    ("requests", "even", "words"),
    [
        ({"a": 10, "b": 10, "d": 10}, True, "Even again "),
        ({"a": 1, "b": 1, "d": 1}, False, "Too little load was left to say whether the split evened out"),
        ({"a": 40, "b": 60, "d": 50}, False, "The split had not evened out"),
        ({"a": 10, "b": 10, "c": 10}, False, "A task that was stopped still answered when the load ended"),
    ],
)
def test_even_again_takes_enough_requests_of_tasks_that_stay(requests: dict[str, int], even: bool, words: str) -> None:
    findings = find(changed(run_with_a_stop(), **requests))

    assert (even_again_s(findings) is not None) == even
    assert words in " ".join(times(findings))


def test_two_seconds_are_too_few_to_be_even_again() -> None:
    run = run_with_a_stop()
    short = tuple(row for row in run.timeline if row.second <= START + 13)
    assert even_again_s(find(Run(run.path, run.meta, run.hosts, short))) is None
    longer = tuple(row for row in run.timeline if row.second <= START + 15)
    assert even_again_s(find(Run(run.path, run.meta, run.hosts, longer))) == pytest.approx(2.8)  # d's first answer


@pytest.mark.parametrize("seen", [START + 13.2, START + 14.9])
def test_it_is_not_even_again_before_the_last_host_that_came_has_answered(seen: float) -> None:
    run = run_with_a_stop()
    hosts = tuple(host._replace(first_seen=seen) if host.hostname == "d" else host for host in run.hosts)
    findings = find(replace(run, hosts=hosts))

    assert findings.times.replace == pytest.approx(seen - START - 10.4)
    assert even_again_s(findings) == pytest.approx(seen - START - 10.4)
    assert findings.even_again is not None
    assert findings.even_again.resolution_s == find(run).even_again.resolution_s  # type: ignore[union-attr]


def random_run(rng: np.random.Generator, hosts: int, rate: int, seconds: int = 30, *, records: bool = True) -> Run:
    """Random choice throughout; half-way the first host goes, and another takes its place three seconds later."""
    names, half = [f"host-{number:02}" for number in range(hosts)], seconds // 2
    timeline = []
    for second in range(seconds):
        there = names[second >= half :] + ["new"] * (second >= half + 3)
        counts = rng.multinomial(rng.poisson(rate), [1 / len(there)] * len(there)).tolist()
        timeline += [
            TimelineRow(START + second, name, 200, n) for name, n in sorted(zip(there, counts, strict=True)) if n
        ]
    at = float(START + half)
    tasks = [task(name, START - 60, stopping_at=at if name == names[0] else None) for name in names]
    meta = {
        "complete": True,
        "duration_s": seconds,
        "faults": [{"kind": "stop-task", "at": at}],
        "tasks": [*tasks, task("new", at + 0.1)] if records else [],
    }
    return Run(Path("x"), meta, (), tuple(timeline))


@pytest.mark.parametrize(("rate", "runs"), [(100, 300), (600, 150)])
def test_even_again_is_hardly_ever_missing_where_it_is(rate: int, runs: int) -> None:
    rng = np.random.default_rng(1)
    times = [even_again_s(find(random_run(rng, 3, rate))) for _ in range(runs)]

    assert sum(seconds is None for seconds in times) <= runs / 20
    assert np.median([seconds for seconds in times if seconds is not None]) == pytest.approx(3.5, abs=0.6)


def recovering_run(rng: np.random.Generator, truth: int, rate: int, after: int) -> Run:
    """At 15 s `c` goes and nobody fails; `d` comes 2 s later and gets half its share until *truth* s after the stop."""
    timeline = []
    for second in range(15 + after):
        weights = {"a": 1.0, "b": 1.0, "c": 1.0} if second < 15 else {"a": 1.0, "b": 1.0}
        if second >= 17:
            weights["d"] = 1.0 if second >= 15 + truth else 0.5
        total = sum(weights.values())
        counts = rng.multinomial(rng.poisson(rate), [weight / total for weight in weights.values()])
        timeline += [
            TimelineRow(START + second, name, 200, int(n)) for name, n in zip(weights, counts, strict=True) if n
        ]
    at = START + 15.0
    meta = {
        "complete": True,
        "end": START + 15.0 + after,
        "duration_s": 15.0 + after,
        "faults": [{"kind": "stop-task", "at": at, "tasks": ["arn:task/c"]}],
        "tasks": [
            task("a", START - 60),
            task("b", START - 60),
            task("c", START - 60, stopping_at=at),
            task("d", at + 1),
        ],
    }
    return Run(Path("x"), meta, (), tuple(timeline))


@pytest.mark.parametrize("after", [30, 120])
@pytest.mark.parametrize("truth", [2, 6, 10])
def test_even_again_is_the_truth_within_its_resolution(truth: int, after: int) -> None:
    rng = np.random.default_rng(100 * truth + after)
    found = [find(recovering_run(rng, truth, 300, after)).even_again for _ in range(40)]
    reached = [each for each in found if each is not None and each.seconds is not None]

    if after - truth >= 20:
        assert len(reached) >= 38
    resolution = np.median([each.resolution_s for each in reached if each.resolution_s is not None])
    assert np.median([each.seconds for each in reached if each.seconds is not None]) == pytest.approx(
        truth, abs=resolution
    )


@pytest.mark.parametrize("records", [True, False])
def test_a_host_that_gets_no_request_for_seconds_is_there_all_the_same(records: bool) -> None:
    rng = np.random.default_rng(2)
    for _ in range(5):
        found = find(random_run(rng, 12, 10, 600, records=records))
        assert found.period("after") is not None
        assert even_again_s(found) is not None


@pytest.mark.parametrize("records", [True, False])
def test_of_few_requests_it_is_said_that_they_are_too_few(records: bool) -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        found = find(random_run(rng, 12, 10, records=records))
        assert even_again_s(found) is None
        assert "Too little load was left to say whether the split evened out" in " ".join(times(found))


def test_periods_hold_whole_seconds_and_their_failures() -> None:
    before, during, after = find(run_with_a_stop()).periods

    assert (before.first_second, before.last_second) == (START, START + 9)
    assert before.counts == {"a": 100, "b": 100, "c": 100}
    assert before.failures == 0
    assert (during.first_second, during.last_second, during.failures) == (START + 10, START + 13, 8)
    assert during.judgement is None
    assert (after.first_second, after.last_second) == (START + 14, START + 19)
    assert after.counts == {"a": 60, "b": 60, "d": 60}
    assert before.judgement is not None
    assert before.judgement.requests == 300


def test_latency_before_and_during(tmp_path: Path) -> None:
    found = find(read_run(write_run(tmp_path / "run", np.random.default_rng(1), at=10.0, lingers=2.0)))
    before, during = found.period("before"), found.period("during")

    assert before is not None
    assert during is not None
    assert before.p99_ms == pytest.approx(5.0, rel=0.04)
    assert during.p99_ms == pytest.approx(20.0, rel=0.04)


def test_a_run_that_fails_to_its_end_never_settles() -> None:
    run = run_with_a_stop()
    findings = find(Run(run.path, run.meta, run.hosts, (*run.timeline, TimelineRow(START + 19, "zz", 503, 1))))

    assert [period.name for period in findings.periods] == ["before", "during"]
    assert even_again_s(findings) is None


def test_a_period_as_a_run_of_its_own() -> None:
    run = run_with_a_stop()
    before = find(run).periods[0]
    part = of_period(run, before)

    assert {host.hostname: host.requests for host in part.hosts} == before.counts
    assert sum(host.share for host in part.hosts) == pytest.approx(1)


def test_without_a_fault_the_whole_run_is_one_period() -> None:
    run = run_with_a_stop()
    findings = find(
        Run(run.path, {"duration_s": 20.0}, run.hosts[:2], tuple(r for r in run.timeline if r.hostname in ("a", "b")))
    )

    assert [period.name for period in findings.periods] == ["whole run"]
    assert findings.failure_window is None
    assert findings.fault is None
    assert even_again_s(findings) is None


def test_one_host_has_no_split_to_judge() -> None:
    rows = tuple(TimelineRow(START + i, "a", 200, 5) for i in range(3))
    findings = find(Run(Path("x"), {"duration_s": 3.0}, (host("a", 15, START, START + 2),), rows))

    assert findings.periods[0].judgement is None


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
def test_sums_are_exact_and_every_request_is_in_one_period(timeline: list[TimelineRow], at: float) -> None:
    meta: dict[str, Any] = {"faults": [{"kind": "stop-task", "at": at}]}
    findings = find(Run(Path("x"), meta, (), tuple(sorted(timeline, key=lambda row: row.second))))

    assert findings.requests == sum(row.requests for row in timeline)
    assert findings.failures == sum(row.requests for row in timeline if row.status in (0, 404, 503))
    assert findings.failures == sum(findings.failures_by_cause.values()) == sum(findings.failures_by_status.values())
    assert findings.failures == sum(period.failures for period in findings.periods)
    assert sum(sum(period.counts.values()) for period in findings.periods) == sum(
        row.requests for row in timeline if row.hostname
    )
    spans = [(p.first_second, p.last_second) for p in findings.periods]
    assert all(a[1] < b[0] for a, b in pairwise(spans))
