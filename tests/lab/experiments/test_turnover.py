"""The tasks that an event takes away and brings, and when."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lab.experiments.findings import Findings, find
from lab.experiments.study import Measured
from lab.experiments.turnover import Rebalancing
from lab.report.document import Table
from lab.report.pages import run_page
from lab.report.run_words import answer, hint, times
from load.results import Run, TimelineRow
from tests.lab.experiments.runs import START, task
from tests.lab.experiments.stops import AT, host, run_with_a_stop


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


def test_times_from_what_ecs_and_cloud_map_told() -> None:
    found = find(run_with_a_stop())
    times = found.times

    assert times.detect == pytest.approx(0.1)
    assert times.deregister == pytest.approx(0.3)
    assert times.replace == pytest.approx(2.8)
    assert (found.stopped, found.replacements, found.unserved) == (("c",), ("d",), ())


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
