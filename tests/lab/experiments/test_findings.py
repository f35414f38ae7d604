from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.errors import BadInput
from lab.experiments.findings import Flaw, find
from lab.report.run_words import answer, failures, flaw_of, load_notes, times
from load.results import Run, TimelineRow
from tests.lab.experiments.runs import START, task
from tests.lab.experiments.stops import AT, host, run_with_a_stop


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


def test_requests_without_an_end_are_in_the_answer() -> None:
    run = run_with_a_stop()
    quiet = tuple(row for row in run.timeline if row.status == 200)
    found = find(replace(run, timeline=quiet, meta={**run.meta, "unfinished": 98, "complete": True}))
    assert answer({"direct": found}).startswith("None of 580 requests failed and 98 more had no end yet")


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


def test_answers_of_tasks_that_never_got_healthy_are_counted() -> None:
    run = run_with_a_stop()
    events = [{"at": START + 18, "message": "(service x) (task d) failed container health checks."}]

    assert find(Run(run.path, {**run.meta, "events": events}, run.hosts, run.timeline)).unhealthy_answers == 70
    assert find(run).unhealthy_answers == 0


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
