from __future__ import annotations

import pytest

from lab.errors import BadInput
from lab.experiments.catalogue import EXPERIMENTS, SLOW_START, Experiment, chosen, fitting, require_duration
from lab.runner.actions import ACTIONS
from twin.parameters import Parameters


def test_every_event_has_an_action() -> None:
    assert set(ACTIONS) == {name for name, experiment in EXPERIMENTS.items() if experiment.has_event}


def test_all_on_a_twin_is_all_and_begins_with_the_baseline() -> None:
    todo, impossible = chosen(["all"], on_aws=False)

    assert [experiment.name for experiment in todo] == list(EXPERIMENTS)
    assert todo[0].name == "baseline"
    assert impossible == []


def test_all_on_aws_leaves_out_what_cannot_be_done_there() -> None:
    todo, impossible = chosen(["all"], on_aws=True)

    assert [experiment.name for experiment in todo] == [
        "baseline", "stop-task", "drain-task", "rollout", "slow-start", "bad-rollout", "scale-out", "scale-in",
    ]  # fmt: skip
    assert {e.name for e in impossible} == set(EXPERIMENTS) - {e.name for e in todo}
    assert all(experiment.seconds_on_aws >= experiment.seconds for experiment in todo)


def test_what_cannot_be_done_on_aws_is_refused_by_its_name_with_the_reason() -> None:
    with pytest.raises(BadInput, match="`lab run` does not do crash on AWS: it reaches into no task"):
        chosen(["stop-task", "crash"], on_aws=True)


def test_a_name_that_is_none() -> None:
    with pytest.raises(BadInput, match=r"no experiment 'stop': choose from baseline, stop-task, .* or all"):
        chosen(["stop"], on_aws=False)


def test_a_service_that_is_too_small_is_refused_by_name_and_left_out_of_all() -> None:
    def left_out(zones: list[str]) -> dict[str, str]:
        todo, reasons = fitting(list(EXPERIMENTS.values()), ["all"], zones)
        assert {experiment.name for experiment in todo} == set(EXPERIMENTS) - set(reasons)
        return reasons

    assert left_out(["a", "b", "a"]) == {}
    assert left_out(["a", "a"]) == {
        "az-loss": "it takes tasks in 2 Availability Zones or more, and all are in a",
    }
    assert set(left_out(["a"])) == {"drain-task", "scale-in", "az-loss"}
    with pytest.raises(
        BadInput,
        match="scale-in cannot be done on this service: it takes 2 tasks or more, and the service has 1; scale",
    ):
        fitting([EXPERIMENTS["baseline"], EXPERIMENTS["scale-in"]], ["baseline", "scale-in"], ["a"])


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_the_least_duration_shows_the_event_the_fault_and_what_waits_for_a_timeout(experiment: Experiment) -> None:
    least = experiment.least_duration
    drain = " and those that its old tasks take to end" if experiment.outlasts else ""
    own = f"leave it out for the {experiment.seconds:g} s that are its own{drain}\\.$"
    after = (experiment.fault_lasts or 0.0) + experiment.shows_after + (30 if experiment.times_out else 0)

    assert least <= experiment.seconds
    if experiment.has_event:
        assert experiment.happens_after(least) + after <= least
        with pytest.raises(
            BadInput, match=f"before {experiment.name} has run its course: give {least:g} or more, or {own}"
        ):
            require_duration([EXPERIMENTS["baseline"], experiment], least - 1)
    require_duration([experiment], least)


def test_the_failures_of_a_lost_zone_end_before_the_fault_does() -> None:
    """They last 86 s on a twin with the default health check: 55 s until its tasks are gone, and a timeout of 30 s."""
    assert (EXPERIMENTS["az-loss"].fault_lasts or 0) > 86 + 10


def test_the_full_matrix_on_a_twin_leaves_three_of_seventeen_minutes_for_its_waits() -> None:
    assert sum(experiment.seconds for experiment in EXPERIMENTS.values()) <= 14 * 60


def test_a_slow_start_is_registered_before_it_listens() -> None:
    """Else nothing would be shown: a twin registers a task that does not listen after its registration wait."""
    assert Parameters().registration_wait + 5 <= SLOW_START


@pytest.mark.parametrize(
    ("name", "duration", "after"),
    [
        ("stop-task", 30, 15),
        ("stop-task", 240, 60),
        ("stop-task", 12, 4),
        ("hang", 140, 20),
        ("rollout", 45, 15),
        ("rollout", 600, 20),
    ],
)
def test_it_happens_half_way_or_earlier_where_it_lasts_or_the_load_is_short(
    name: str, duration: float, after: float
) -> None:
    assert EXPERIMENTS[name].happens_after(duration) == after


@pytest.mark.parametrize("name", ["hang", "az-loss"])
def test_what_lasts_is_watched_until_the_last_request_that_it_holds_has_ended(name: str) -> None:
    """ECS acts 44 s after, and the gateway gives up a request after 30 s; then the split is seen for some seconds."""
    experiment = EXPERIMENTS[name]

    assert experiment.fault_lasts is not None
    ended = max(experiment.fault_lasts, 44) + 30
    assert experiment.happens_after(experiment.seconds) + ended <= experiment.seconds - 10


def test_a_load_outlasts_the_tasks_that_are_stopped() -> None:
    stop_task = EXPERIMENTS["stop-task"].outlasting(20, 5)
    assert stop_task.seconds - stop_task.happens_after(stop_task.seconds) == 20 + 8
    assert stop_task.happens_after(40) == 12
    assert EXPERIMENTS["crash"].outlasting(20, 5) is EXPERIMENTS["crash"]


def test_a_load_outlasts_the_list_of_the_gateway() -> None:
    crash = EXPERIMENTS["crash"].outlasting(0, 40)
    assert crash.seconds - crash.happens_after(crash.seconds) >= 40 + 3
    assert crash.seconds == EXPERIMENTS["crash"].seconds + 35
    assert EXPERIMENTS["stop-task"].outlasting(20, 40).seconds == EXPERIMENTS["stop-task"].seconds + 35
    assert EXPERIMENTS["baseline"].outlasting(20, 40) is EXPERIMENTS["baseline"]
