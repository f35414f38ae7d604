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
from lab.errors import BadInput
from lab.experiments.findings import Findings, Flaw, find
from lab.experiments.periods import of_period
from lab.experiments.study import Measured
from lab.experiments.turnover import Rebalancing
from lab.report.document import Table
from lab.report.pages import run_page
from lab.report.run_words import answer, failures, flaw_of, hint, load_notes, times
from load.results import HostRow, Run, TimelineRow, read_run
from tests.lab.experiments.runs import START, task, write_run

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


def test_the_zone_of_a_host_that_does_not_name_it_is_that_of_its_task() -> None:
    run = run_with_a_stop()
    hosts = tuple(each._replace(availability_zone="") if each.hostname != "a" else each for each in run.hosts)
    tasks = [{**each, "availability_zone": "eu-west-2b"} for each in run.meta["tasks"]]
    found = find(replace(run, hosts=hosts, meta={**run.meta, "tasks": tasks}))
    zones = {each.hostname: each.availability_zone for each in found.hosts}
    assert zones == {"a": "eu-west-2a", "b": "eu-west-2b", "c": "eu-west-2b", "d": "eu-west-2b", "": ""}


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


def test_failures_from_before_the_fault_are_not_in_its_window() -> None:
    run = run_with_a_stop()
    early = (TimelineRow(START + 2, "", 0, 5), *run.timeline)
    late_fault = {**run.meta, "faults": [{"kind": "stop-task", "at": START + 15.2}]}
    both = find(Run(run.path, run.meta, run.hosts, early))
    only_before = find(Run(run.path, late_fault, run.hosts, run.timeline))

    assert both.failures == 13
    assert both.failure_window == find(run).failure_window
    said = answer({"direct": replace(both, flaw=None)})
    assert said == "13 of 593 requests failed when a task was stopped, 5 of them before the stop."
    assert ", those after it from 0.0 s to 1.6 s after the stop (to the second)" in failures(both)
    assert only_before.failures == 8
    assert only_before.failure_window is None
    assert "8 of them before the stop" in answer({"direct": replace(only_before, flaw=None)})
    assert " after the stop" not in failures(only_before)


def test_causes_say_who_failed() -> None:
    found = find(run_with_a_stop()).failures_by_cause

    assert {(cause.status, cause.from_host): n for cause, n in found.items()} == {(0, False): 2, (503, False): 6}


def test_an_error_without_a_host_is_the_gateways_only_where_hosts_are_named() -> None:
    run = run_with_a_stop()
    assert " with 503 from the gateway or a proxy" in failures(find(run))
    crashed = tuple(row._replace(status=500) if row.status == 503 else row for row in run.timeline)
    assert "6 with 500 in answers that name no host" in failures(find(replace(run, timeline=crashed)))

    # A service that names its host in no answer may have said 429 or 503 itself.
    nameless = tuple(row._replace(hostname="", status=row.status or 429) for row in run.timeline)
    found = find(replace(run, timeline=nameless, hosts=(host("", 588, START + 0.1, START + 19.9, failures=8),)))
    assert "2 with 429 in answers that name no host and 6 with 503 in answers that name no host" in failures(found)
    assert not [note for note in load_notes(found) if "429" in note]


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


def test_a_task_that_got_the_name_of_the_one_that_went_is_not_taken_for_it() -> None:
    run = run_with_a_stop()
    new = task("c", START + 10.6) | {"arn": "arn:task/c2"}
    meta = {**run.meta, "tasks": [*run.meta["tasks"][:3], new]}
    renamed = tuple(row._replace(hostname="c") if row.hostname == "d" else row for row in run.timeline)
    hosts = (*run.hosts[:2], host("c", 180, START + 0.1, START + 19.9), run.hosts[4])
    found = find(replace(run, meta=meta, timeline=renamed, hosts=hosts))

    assert found.times.replace is None
    assert "first answered" not in " ".join(times(found))
    assert "last answer" not in " ".join(times(found))


def test_a_request_that_broke_off_is_no_answer_of_the_host_that_had_named_itself() -> None:
    """`c` and `d` each have one: seconds after the last answer of the one, a second before the first of the other."""
    run = run_with_a_stop()
    broken = (TimelineRow(START + 14, "c", 0, 1), TimelineRow(START + 12, "d", 0, 1))
    hosts = (
        *run.hosts[:2],
        host("c", 111, START + 0.1, START + 14.2, failures=1),
        host("d", 71, START + 12.5, START + 19.9, failures=1),
        run.hosts[4],
    )
    timeline = tuple(sorted((*run.timeline, *broken), key=lambda row: row.second))
    found = find(replace(run, hosts=hosts, timeline=timeline))

    assert "c gave its last answer after 0.6 s at most." in " ".join(times(found))
    assert found.times.replace == pytest.approx(2.6)
    assert found.stop is not None
    assert found.stop.served_on == pytest.approx(0.5)


def test_a_new_task_whose_every_request_broke_off_answered_nothing() -> None:
    run = run_with_a_stop()
    timeline = tuple(row._replace(status=0) if row.hostname == "d" else row for row in run.timeline)
    assert "d came and answered nothing." in times(find(replace(run, timeline=timeline)))


def test_requests_without_an_end_are_in_the_answer() -> None:
    run = run_with_a_stop()
    quiet = tuple(row for row in run.timeline if row.status == 200)
    found = find(replace(run, timeline=quiet, meta={**run.meta, "unfinished": 98, "complete": True}))
    assert answer({"direct": found}).startswith("None of 580 requests failed and 98 more had no end yet")


def test_times_from_what_ecs_and_cloud_map_told() -> None:
    found = find(run_with_a_stop())
    times = found.times

    assert times.detect == pytest.approx(0.1)
    assert times.deregister == pytest.approx(0.3)
    assert times.replace == pytest.approx(2.8)
    assert (found.stopped, found.replacements, found.unserved) == (("c",), ("d",), ())


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


@pytest.mark.parametrize("left", [1, 2, 30])
@pytest.mark.parametrize("lingers", [False, True])
def test_a_task_that_comes_as_the_load_ends_is_not_taken_for_one_that_was_stopped(left: int, lingers: bool) -> None:
    """Random choice of two hosts once `c` has gone, and of three when `d` comes, *left* s before the load ends."""
    rng = np.random.default_rng(10 * left + lingers)
    base = run_with_a_stop()
    end = START + 20 + left
    reasons: list[str] = []
    for _ in range(20):
        timeline = [row for row in base.timeline if row.second <= START + 10 and row.status == 200]
        for second in range(START + 11, end):
            hosts = ["a", "b", *(["d"] if second >= end - left else []), *(["c"] if lingers else [])]
            counts = rng.multinomial(rng.poisson(100), [1 / len(hosts)] * len(hosts)).tolist()
            timeline += [TimelineRow(second, name, 200, n) for name, n in sorted(zip(hosts, counts, strict=True)) if n]
        found = find(replace(base, timeline=tuple(timeline))).even_again
        reasons.append(found.reason if found else "none")

    expected = "other-hosts" if lingers else "too-few" if left < 3 else "reached"
    assert reasons.count(expected) >= (19 if expected == "reached" else 20)


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


@pytest.mark.parametrize(
    ("rate", "users", "missed"),
    [("40", 1, True), ("30", 1, False), ("31", 1, True), ("31", 20, False), ("", 1, False)],
)
def test_a_rate_that_was_missed_is_told(rate: str, users: int, missed: bool) -> None:
    run = run_with_a_stop()
    requests = sum(row.requests for row in run.timeline)
    assert requests == 588
    notes = load_notes(find(Run(run.path, {**run.meta, "settings": {"rate": rate}, "users": users}, (), run.timeline)))

    assert bool(notes) == missed
    if notes:
        assert notes[0].startswith(f"{requests / 20:,.0f} of {float(rate):g} requests/s could be sent, ")
        assert f" About {20 * float(rate) - requests:,.0f} requests that were due " in notes[0]


def test_what_was_never_sent_is_the_number_that_the_terminal_says_of_the_same_run() -> None:
    run = run_with_a_stop()
    meta = {**run.meta, "settings": {"rate": 6000}, "duration_s": 19.9995, "due": 120_000}
    findings = find(Run(run.path, meta, (), run.timeline))
    assert findings.due == 120_000
    assert " About 119,412 requests that were due were never sent " in load_notes(findings)[0]


def test_what_did_not_happen_has_no_time() -> None:
    run = run_with_a_stop()
    meta = {**run.meta, "tasks": [task("c", START - 60)], "discovery": [{"at": START, "instances": None}]}
    found = find(Run(run.path, meta, run.hosts, run.timeline))

    assert (found.times.detect, found.times.deregister, found.times.replace) == (None, None, None)
    assert (found.stopped, found.replacements) == ((), ())


def test_a_load_balancer_lets_go_of_a_task_when_the_events_say_so() -> None:
    run = run_with_a_stop()
    meta = {**run.meta, "experiment": {"name": "stop-task", "arm": "alb"}}
    told = [
        {"at": START + 10.3, "message": "(service x) has stopped 1 running tasks: (task c)."},
        {"at": START + 11.4, "message": "(service x) deregistered 1 targets in (target-group t)"},
    ]

    silent = find(Run(run.path, meta, run.hosts, run.timeline))
    assert silent.times.deregister is None
    assert "out of" not in " ".join(times(silent))
    found = find(Run(run.path, {**meta, "events": told}, run.hosts, run.timeline))
    assert found.times.deregister == pytest.approx(1.0)
    assert "out of the target group after 1.0 s" in " ".join(times(found))


def run_with_zones_evened_out() -> Run:
    """After the stop ECS makes `e` for another zone, and stops `d` for it; some requests fail for a second."""
    run = run_with_a_stop()
    reason = "Availability-zone rebalancing initiated by (deployment ecs-svc/1)"
    moved = {**task("d", START + 10.6, stopping_at=START + 16.2), "stopped_reason": reason}
    told = [
        {
            "at": START + 14.5,
            "message": "(service x) is not AZ balanced with 3 tasks in a. AZ Rebalancing in progress.",
        },
        {"at": START + 14.5, "message": "(service x) has started 1 tasks in b to AZ Rebalance: (task e)."},
        {
            "at": START + 16.2,
            "message": "(service x) has stopped 1 running tasks in a due to AZ rebalancing: (task d).",
        },
        {"at": START + 16.2, "message": "(service x) deregistered 1 targets in (target-group t)"},
    ]
    tasks = [*run.meta["tasks"][:3], moved, task("e", START + 14.5)]
    timeline = [row for row in run.timeline if row.hostname != "d" or row.second <= START + 16]
    timeline += [TimelineRow(second, "e", 200, 10) for second in range(START + 15, START + 20)]
    timeline += [TimelineRow(START + 17, "", 503, 5)]
    hosts = (*run.hosts, host("e", 50, START + 15.1, START + 19.9))
    return Run(run.path, {**run.meta, "tasks": tasks, "events": told}, hosts, tuple(sorted(timeline)))


def test_a_task_that_moved_to_another_zone_is_neither_the_events_nor_its_replacement() -> None:
    run = run_with_zones_evened_out()
    plain, found = find(run_with_a_stop()), find(run)

    assert found.flaw is plain.flaw
    assert (found.stopped, found.replacements) == (("c",), ("d",))
    assert (found.times, found.stop) == (plain.times, plain.stop)
    assert found.rebalancing == Rebalancing(("e",), ("d",), START + 16.2 - (START + 10.4))
    assert found.failed_since_move == 5
    assert (
        "Then ECS evened out the zones by itself (availabilityZoneRebalancing): e came, and d was stopped after 5.8 s; "
        "5 requests failed from then on."
    ) in times(found)
    assert answer({"direct": replace(found, flaw=None)}).endswith(
        ", 5 of them once ECS stopped a task to even out the zones."
    )
    tables = [
        part
        for part in run_page(Measured(run.path, {"direct": run}, {"direct": found})).parts
        if isinstance(part, Table)
    ]
    roles = {row[0]: row[1] for row in tables[0].rows if row[0] in "abcde"}
    assert roles == {"a": "", "b": "", "c": "gone", "d": "gone", "e": "new"}


def test_of_a_move_that_had_not_come_to_its_stop_when_the_load_ended_nothing_is_said() -> None:
    run = run_with_zones_evened_out()
    left = [each for each in run.meta["tasks"] if each["arn"] != "arn:task/d"]
    meta = {**run.meta, "tasks": [*left, task("d", START + 10.6)], "events": run.meta["events"][:2]}
    found = find(Run(run.path, meta, run.hosts, run.timeline))

    assert (found.rebalancing, found.replacements) == (None, ("d",))
    assert "zones" not in " ".join([*times(found), answer({"direct": found})])


def test_a_target_that_goes_for_the_zones_is_not_the_stopped_tasks() -> None:
    run = run_with_zones_evened_out()
    before = [{"at": START + 11.4, "message": "(service x) deregistered 1 targets in (target-group t)"}]
    meta = {**run.meta, "experiment": {"name": "stop-task", "arm": "alb"}, "events": [*before, *run.meta["events"]]}
    assert find(Run(run.path, meta, run.hosts, run.timeline)).times.deregister == pytest.approx(1.0)


def test_a_task_that_is_still_in_cloud_map_is_not_deregistered() -> None:
    run = run_with_a_stop()
    meta = {**run.meta, "discovery": [{"at": START - 1, "instances": ["a", "b", "c"]}]}

    assert find(Run(run.path, meta, run.hosts, run.timeline)).times.deregister is None


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


def test_answers_of_tasks_that_never_got_healthy_are_counted() -> None:
    run = run_with_a_stop()
    events = [{"at": START + 18, "message": "(service x) (task d) failed container health checks."}]

    assert find(Run(run.path, {**run.meta, "events": events}, run.hosts, run.timeline)).unhealthy_answers == 70
    assert find(run).unhealthy_answers == 0


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


def test_a_run_without_a_request() -> None:
    findings = find(Run(Path("x"), {}, (), ()))

    assert (findings.requests, findings.failures, findings.periods, findings.rate) == (0, 0, (), 0.0)


@pytest.mark.parametrize(
    ("meta", "flaw", "said"),
    [
        ({"complete": True}, "", "8 of 588 requests failed when a task was stopped."),
        (
            {"complete": True, "settings": {"run_time_s": 30}},
            "the load ended after 20 of 30 s",
            "The load ended after 20 of 30 s, so this run does not show all of the stop: 8 of 588 requests failed "
            "until then.",
        ),
        (
            {
                "complete": False,
                "interrupted": True,
                "settings": {"run_time_s": 30},
                "faults": [],
                "experiment": {"name": "stop-task"},
            },
            "the load was interrupted after 20 of 30 s",
            "The load was interrupted after 20 of 30 s, so this run says nothing of it: 8 of 588 requests failed "
            "until then.",
        ),
        (
            {"complete": False, "duration_s": None},
            "the load did not come to its end",
            "The load did not come to its end, so this run does not show all of the stop: 8 of 588 requests failed "
            "until then.",
        ),
        (
            {"complete": False, "faults": [], "experiment": {"name": "stop-task"}},
            "the load ended before the stop",
            "The load ended before the stop, so this run says nothing of it: 8 of 588 requests failed until then.",
        ),
    ],
)
def test_a_load_that_ended_early_proves_nothing(meta: dict[str, Any], flaw: str, said: str) -> None:
    run = run_with_a_stop()
    findings = find(Run(run.path, {**run.meta, **meta}, run.hosts, run.timeline))

    assert flaw_of(findings) == flaw
    assert answer({"direct": findings}) == said
    assert findings.duration == 20


AT = START + 10.4
OLD, GONE = task("a", START - 60), task("c", START - 60, stopping_at=AT + 0.1)
NEW_REVISION = {"task_definition": "arn:aws:ecs:eu-west-2:1:task-definition/x:2"}


@pytest.mark.parametrize(
    ("name", "fault", "tasks", "flaw"),
    [
        ("stop-task", {"tasks": ["arn:task/c"]}, [OLD, GONE], None),
        ("stop-task", {"tasks": ["arn:task/a"]}, [OLD, GONE], Flaw.OLD_TASKS_STAYED),
        ("rollout", {"tasks": ["arn:task/a", "arn:task/c"]}, [OLD, GONE], Flaw.OLD_TASKS_STAYED),
        ("rollout", {"tasks": ["arn:task/c"]}, [task("c", START - 60, stopping_at=START + 30)], Flaw.OLD_TASKS_STAYED),
        ("rollout", {"tasks": ["arn:task/c"]}, [GONE, task("d", AT + 1)], None),
        ("bad-rollout", {"detail": "x:2"}, [OLD, task("d", AT + 1) | NEW_REVISION], Flaw.NOT_ROLLED_BACK),
        ("bad-rollout", {"detail": "x:2"}, [OLD], Flaw.NOT_ROLLED_BACK),
        ("bad-rollout", {"detail": "x:2"}, [OLD, task("d", AT + 1, stopping_at=AT + 5) | NEW_REVISION], None),
        ("drain-task", {"tasks": ["arn:task/c"]}, [OLD, GONE], None),
        ("drain-task", {"tasks": ["arn:task/a"]}, [OLD, GONE], Flaw.OLD_TASKS_STAYED),
        ("scale-out", {}, [OLD], Flaw.NEW_TASKS_MISSING),
        ("scale-out", {}, [OLD, task("d", AT + 1)], None),
        ("scale-in", {}, [OLD], Flaw.OLD_TASKS_STAYED),
        ("scale-in", {}, [OLD, GONE], None),
        ("hang", {"until": AT + 80}, [OLD], Flaw.FAULT_GOES_ON),
        ("unready", {"until": AT + 5}, [OLD], None),
        ("stop-task", {"tasks": ["arn:task/a"]}, [], None),  # what ECS has to say is missing
    ],
)
def test_a_run_that_ends_before_its_event_has_run_its_course_says_so(
    name: str, fault: dict[str, Any], tasks: list[dict[str, Any]], flaw: Flaw | None
) -> None:
    run = run_with_a_stop()
    meta = {
        **run.meta,
        "complete": True,
        "end": START + 20.0,
        "experiment": {"name": name},
        "faults": [{"kind": name, "at": AT, **fault}],
        "tasks": tasks,
    }
    findings = find(Run(run.path, meta, run.hosts, run.timeline))

    assert findings.flaw is flaw
    assert ("load ended before" in answer({"direct": findings})) == (flaw is not None)


@pytest.mark.parametrize(("made", "flaw"), [(-16, None), (-14, Flaw.NOT_SLOW), (0.3, Flaw.NOT_SLOW)])
def test_a_slow_start_of_a_service_that_starts_at_once_is_none(made: float, flaw: Flaw | None) -> None:
    """Host d answers first at second 12; its task was made so many seconds before the event or after it."""
    run = run_with_a_stop()
    first = next(each.first_seen for each in run.hosts if each.hostname == "d")
    meta = {
        **run.meta,
        "complete": True,
        "end": START + 20.0,
        "experiment": {"name": "slow-start"},
        "faults": [{"kind": "slow-start", "at": START - 20.0, "tasks": ["arn:task/c"]}],
        "tasks": [GONE | {"created_at": START - 60.0}, task("d", first + made)],
    }
    findings = find(Run(run.path, meta | {"start": START - 30.0}, run.hosts, run.timeline))

    assert findings.flaw is flaw
    assert ("START_SECONDS were over" in answer({"direct": findings})) == (flaw is not None)


def test_how_long_a_new_task_was_in_cloud_map_before_it_answered() -> None:
    run = run_with_a_stop()
    findings = find(run)
    assert findings.times.register == pytest.approx(1.5)
    (story, *_) = times(findings)
    assert "d, its replacement, first answered after 2.8 s" in story  # the gateway's cache may be as old

    early = [*run.meta["discovery"][:1], {"at": START + 10.5, "instances": ["a", "b", "c", "d"]}]
    late = (*run.hosts[:3], host("d", 20, START + 18.6, START + 19.9), run.hosts[4])
    findings = find(Run(run.path, {**run.meta, "discovery": early}, late, run.timeline))
    assert "d, its replacement, was in Cloud Map after 0.1 s and first answered after 8.2 s" in times(findings)[0]

    never = find(Run(run.path, {**run.meta, "discovery": run.meta["discovery"][:2]}, run.hosts, run.timeline))
    assert never.times.register is None


def test_a_replacement_that_answered_nothing_is_named() -> None:
    run = run_with_a_stop()
    meta = {**run.meta, "tasks": [*run.meta["tasks"], task("e", AT + 0.3)]}
    findings = find(Run(run.path, meta, run.hosts, run.timeline))

    assert (findings.replacements, findings.unserved, findings.times.replace) == (("d", "e"), ("e",), None)
    assert "e came and answered nothing." in times(findings)


@pytest.mark.parametrize(
    ("stopping_at", "listens_at", "used_for", "found"),
    [
        (AT + 8, START + 13.2, None, 11),  # 3 in each of two seconds, then 5
        (AT + 8, START + 10.9, None, 3),
        (AT + 1.2, START + 13.2, None, 3),  # what fails after it is due to the stop
        (AT, START + 13.2, None, 0),
        (AT, START + 13.2, 0.2, 5),  # or no more, once the stopped one is in no list
        (AT, START + 13.2, 5.0, 0),
    ],
)
def test_failures_while_new_tasks_are_in_cloud_map_and_have_not_answered(
    stopping_at: float, listens_at: float, used_for: float | None, found: int
) -> None:
    run = run_with_a_stop()
    (fault,) = run.meta["faults"]
    tasks = [task("a", START - 60), task("c", START - 60, stopping_at=stopping_at), task("d", AT + 0.1)]
    hosts = tuple(row._replace(first_seen=listens_at) if row.hostname == "d" else row for row in run.hosts)
    discovery = [
        {"at": START, "instances": ["a", "c"]},
        {"at": AT + 0.05, "instances": ["a", "c", "d"]},
        {"at": stopping_at + 0.1, "instances": ["a", "d"]},
    ]
    meta = {**run.meta, "tasks": tasks, "discovery": discovery, "faults": [{**fault, "kind": "rollout"}]}
    meta["experiment"] = {"name": "rollout", "arm": "direct", "assumed": {"discovery_ttl": used_for}}
    timeline = (*run.timeline, TimelineRow(int(listens_at), "d", 200, 1), TimelineRow(START + 12, "", 503, 5))
    rollout = find(Run(run.path, meta, hosts, timeline))

    assert rollout.too_soon == found
    told = hint(Measured(run.path, {"direct": run}, {"direct": rollout}))
    assert ("503 from the stop on" in told) is (stopping_at < AT + 8)  # else nothing failed after it
    assert (f"{found} failed while new tasks were in Cloud Map and had answered nothing yet" in told) is bool(found)
    assert find(run).too_soon == 0  # of a stop, after which nothing tells one cause from the other


def test_the_age_of_the_gateways_list_at_the_event_is_told() -> None:
    run = run_with_a_stop()
    (fault,) = run.meta["faults"]
    meta = {**run.meta, "faults": [{**fault, "discovery_age_s": 2.34}]}

    told = times(find(Run(run.path, meta, run.hosts, run.timeline)))
    assert told[0] == "At the stop the gateway's list of tasks was 2.3 s old, by chance."
    assert told[1].startswith("After the stop: ECS acted")
    assert times(find(run))[0].startswith("After the stop: ECS acted")


def test_answers_that_name_no_host_say_nothing_of_hosts() -> None:
    run = run_with_a_stop()
    unnamed = tuple(row._replace(hostname="") for row in run.timeline)
    findings = find(Run(run.path, run.meta, (host("", 588, START + 0.1, START + 19.9, failures=8),), unnamed))

    assert load_notes(findings) == [
        "No answer named its host in `x-hostname`, so how the requests were spread is not known: let the service send "
        "it, or start the twin with --name-tasks."
    ]
    assert times(findings) == ["After the stop: ECS acted after 0.1 s; c was out of Cloud Map after 0.3 s."]
    assert findings.failures == 8

    tasks = [{**one, "hostname": f"{one['hostname']}.eu-west-2.compute.internal"} for one in run.meta["tasks"]]
    meta = {**run.meta, "tasks": tasks, "faults": [{**run.meta["faults"][0], "hostnames": [tasks[2]["hostname"]]}]}
    findings = find(Run(run.path, meta, (host("", 588, START + 0.1, START + 19.9, failures=8),), unnamed))
    assert times(findings) == ["After the stop: ECS acted after 0.1 s; c was out of Cloud Map after 0.3 s."]


def test_requests_that_the_stage_throttled_are_not_the_events() -> None:
    run = run_with_a_stop()
    throttled = (*run.timeline, TimelineRow(START + 2, "", 429, 30))
    hosts = (*run.hosts, host("", 30, START + 2, START + 3, failures=30))

    assert load_notes(find(Run(run.path, run.meta, hosts, throttled))) == [
        "30 failed because the stage admits no more (429), whatever happened to the tasks: give a smaller --rate, or "
        "set throttle_rate and throttle_burst."
    ]


def test_where_some_answers_name_their_host_or_none_came_there_is_no_such_note() -> None:
    run = run_with_a_stop()
    assert load_notes(find(run)) == []
    failed = tuple(TimelineRow(second, "", 503, 4) for second in range(START, START + 20))
    assert load_notes(find(Run(run.path, run.meta, (host("", 80, START, START + 19, failures=80),), failed))) == []


def test_requests_under_way_are_counted_and_a_reset_is_no_missed_rate() -> None:
    run = run_with_a_stop()
    settings = {"rate": 30, "run_time_s": 20}
    meta = {**run.meta, "end": START + 20.0, "unfinished": 12, "users": 1, "settings": settings}
    findings = find(Run(run.path, meta, run.hosts, run.timeline))
    assert (findings.unfinished, findings.rate, findings.missed_rate) == (12, 30.0, False)
    assert findings.failed_seconds == pytest.approx(8 / 30)
    assert load_notes(findings)[0].startswith("12 more requests were under way")

    later = tuple(row for row in run.timeline if row.second >= START + 10)
    after = {**meta, "unfinished": 0, "resets": [START + 10.0], "settings": {"rate": 28, "run_time_s": 20}}
    findings = find(Run(run.path, after, run.hosts, later))
    assert findings.duration == 10.0
    assert not findings.missed_rate
    assert load_notes(findings) == ["Locust's statistics were reset during the run: only what came after is counted."]


@pytest.mark.parametrize(
    ("other", "flaw"),
    [
        (task("b", START - 60, stopping_at=START + 9.9), Flaw.DISTURBED),
        (task("e", START + 9.9), Flaw.DISTURBED),
        (task("b", START - 60, stopping_at=START - 1.0), None),
        (task("b", START - 60, stopping_at=START + 12.0), None),
    ],
)
def test_two_causes_are_not_told_as_one_event(other: dict[str, Any], flaw: Flaw | None) -> None:
    """Such as an application that is killed right before the stop."""
    run = run_with_a_stop()
    tasks = [*run.meta["tasks"], other]
    meta = {**run.meta, "complete": True, "start": float(START), "end": START + 20.0, "tasks": tasks}

    assert find(Run(run.path, meta, run.hosts, run.timeline)).flaw is flaw


HEALTH = {"stopped_reason": "Task failed container health checks"}


@pytest.mark.parametrize(
    ("name", "tasks", "unhealthy"),
    [
        ("stop-task", [task("b", START - 60, health="UNHEALTHY")], ("b",)),
        ("stop-task", [task("b", START - 60, stopping_at=START + 3.0) | HEALTH], ("b",)),
        ("stop-task", [task("b", START - 60, stopping_at=START + 12.0, health="UNHEALTHY") | HEALTH], ("b",)),
        ("stop-task", [task("e", AT + 1, stopping_at=START + 18.0) | HEALTH], ("e",)),
        # Before the load; on its way for another reason; the task of the event itself.
        ("stop-task", [task("b", START - 60, stopping_at=START - 3.0) | HEALTH], ()),
        ("scale-in", [task("b", START - 60, stopping_at=START + 12.0, health="UNHEALTHY")], ()),
        ("hang", [task("c", START - 60, stopping_at=START + 18.0, health="UNHEALTHY") | HEALTH], ()),
        # Of a revision that never gets healthy, or does so late.
        ("bad-rollout", [task("e", AT + 1, stopping_at=START + 18.0) | HEALTH | NEW_REVISION], ()),
        ("slow-start", [task("e", AT + 1, health="UNHEALTHY")], ()),
        ("rollout", [task("e", AT + 1, health="UNHEALTHY")], ("e",)),
    ],
)
def test_tasks_that_fail_health_checks_by_themselves_are_told_and_leave_no_headline(
    name: str, tasks: list[dict[str, Any]], unhealthy: tuple[str, ...]
) -> None:
    run = run_with_a_stop()
    names = {each["arn"] for each in tasks}
    tasks = [each for each in run.meta["tasks"] if each["arn"] not in names] + tasks
    fault = {**run.meta["faults"][0], "kind": name, "detail": "x:2"}
    what = {"complete": True, "start": float(START), "end": START + 20.0, "tasks": tasks, "faults": [fault]}
    findings = find(Run(run.path, {**run.meta, **what}, run.hosts, run.timeline))

    assert findings.unhealthy == unhealthy
    assert (findings.flaw is Flaw.UNHEALTHY) == bool(unhealthy)
    if unhealthy:
        event = findings.experiment.event
        assert answer({"direct": findings}) == (
            f"A task failed health checks meanwhile, for which ECS replaces tasks, so this run is no measurement of "
            f"{event}: 8 of 588 requests failed."
        )
        assert f"not by what was done here: {unhealthy[0]}. " in load_notes(findings)[-1]


def test_a_baseline_whose_tasks_fail_health_checks_is_none() -> None:
    run = run_with_a_stop()
    tasks = [task(name, START - 60, health="UNHEALTHY") for name in "ab"]
    meta = {**run.meta, "complete": True, "end": START + 20.0, "tasks": tasks, "faults": []}
    findings = find(Run(run.path, meta, run.hosts, run.timeline))

    assert answer({"direct": findings}) == (
        "2 tasks failed health checks meanwhile, for which ECS replaces tasks, so this run is no baseline: 8 of 588 "
        "requests failed."
    )
    assert "not by what was done here: a and b. " in load_notes(findings)[-1]


def stubborn(run: Run, ends: float | None, **more: Any) -> Findings:
    """Of a task `c` that SIGTERM does not end, and that has so many seconds after its stop; stopTimeout is 8 s."""
    stops = AT + 0.1
    gone = task("c", START - 60, stopping_at=stops, runs_on=ends or 0.0)
    gone |= {"stop_code": "UserInitiated"} | more
    if ends is None:
        gone["execution_stopped_at"] = None
    tasks = [gone if each["hostname"] == "c" else each for each in run.meta["tasks"]]
    what = {"name": "stop-task", "task": {"drain_seconds": 2.0, "stop_timeout": 8.0}}
    meta = {**run.meta, "complete": True, "end": START + 20.0, "tasks": tasks, "experiment": what}
    return find(Run(run.path, meta, run.hosts, run.timeline))


def test_of_a_task_that_runs_on_it_is_said_when_it_is_killed_and_which_load_reaches_that() -> None:
    run = run_with_a_stop()
    assert times(stubborn(run, None))[-1] == (
        "When the load ended, 9 s after the stop, c still ran: what clients see of the end of it is not measured. "
        "SIGTERM had not ended it by then, and drain_seconds is 2. ECS sends it SIGKILL 8 s after SIGTERM "
        "(stopTimeout); `--duration 40` lasts until then."
    )
    event = {"at": AT + 0.2, "message": "(service x) deregistered 1 targets in (target-group y)"}
    kept = replace(run, meta={**run.meta, "events": [event]})  # from SIGTERM, for how long is not known
    assert times(stubborn(kept, None))[-1].endswith(" is not measured.")


@pytest.mark.parametrize(
    ("ends", "more", "killed"),
    [
        (8.2, {"exit_codes": {"app": 137, "ecs-service-connect-x": 137}}, ["app"]),
        (8.2, {"exit_codes": {"app": 0, "ecs-service-connect-x": 137}}, []),
        (2.0, {"exit_codes": {"app": 137}}, []),  # it killed itself, on SIGTERM
        (8.2, {"exit_codes": {"app": 137}, "stop_code": "EssentialContainerExited"}, []),
        (8.2, {}, []),  # an older run
    ],
)
def test_a_task_that_sigkill_ended_is_told(ends: float, more: dict[str, Any], killed: list[str]) -> None:
    run = run_with_a_stop()
    late = tuple(TimelineRow(START + second, "", 503, 4) for second in (16, 18, 19))  # it is killed in second 18
    findings = stubborn(replace(run, timeline=(*run.timeline, *late)), ends, **more)
    assert [each.container for each in findings.killed] == killed
    told = [sentence for sentence in times(findings) if "SIGKILL" in sentence]
    assert told == [
        "c did not end on SIGTERM: killed (SIGKILL, exit code 137) 8.2 s after the stop began, for stopTimeout is 8 s; "
        "8 requests failed within a second of it. It has to serve on and then to end: 'Serve on after SIGTERM' in "
        "docs/own-service.md of the project serviceconnect."
    ] * len(killed)


def test_what_the_twin_lost_is_no_finding() -> None:
    run = run_with_a_stop()
    accident = {"at": START + 5.0, "what": "the gateway's Envoy exited with code -9"}
    meta = {**run.meta, "complete": True, "end": START + 20.0, "accidents": [accident]}
    findings = find(Run(run.path, meta, run.hosts, run.timeline))

    assert findings.flaw is Flaw.ACCIDENT
    assert "so this run is no measurement of the stop: 8 of 588 requests failed." in answer({"direct": findings})
    assert "the gateway's Envoy exited with code -9" in " ".join(load_notes(findings))


def test_lost_workers_are_said() -> None:
    run = run_with_a_stop()
    lost = [
        {"worker": "w1", "last_report": START + 3.0, "requests": 40},
        {"worker": "w2", "last_report": START + 3.0, "last_heard": START + 5.0, "requests": 60},
    ]
    findings = find(Run(run.path, {**run.meta, "workers_lost": lost}, run.hosts, run.timeline))

    assert load_notes(findings)[0].startswith(
        "2 of Locust's processes did not report all that they sent: 100 requests, as far as it is known,"
    )


def test_of_a_load_that_was_killed_the_timeline_has_the_duration() -> None:
    run = run_with_a_stop()
    meta = {key: value for key, value in run.meta.items() if key not in ("duration_s", "requests")}
    assert find(Run(run.path, {**meta, "complete": False}, run.hosts, run.timeline)).duration == 20.0


@pytest.mark.parametrize(
    "meta",
    [
        {"experiment": {"name": "meteor"}},
        {"faults": [{"kind": "meteor", "at": START}]},
        {"experiment": {"name": "baseline"}, "faults": [{"kind": "meteor", "at": START}]},
    ],
)
def test_an_experiment_that_is_not_known_is_refused(meta: dict[str, Any]) -> None:
    with pytest.raises(
        BadInput, match=r"run\.json is of an experiment 'meteor', and this version knows baseline, stop"
    ):
        find(Run(Path("x"), meta, (), ()))


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
