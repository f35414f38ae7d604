from __future__ import annotations

import pytest

from lab.errors import BadInput
from lab.experiments.actions import ACTIONS
from lab.experiments.catalogue import EXPERIMENTS, chosen


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
        "baseline", "stop-task", "rollout", "bad-rollout", "scale-out", "scale-in",
    ]  # fmt: skip
    assert {e.name for e in impossible} == set(EXPERIMENTS) - {e.name for e in todo}
    assert all(experiment.seconds_on_aws >= experiment.seconds for experiment in todo)


def test_what_cannot_be_done_on_aws_is_refused_by_its_name_with_the_reason() -> None:
    with pytest.raises(BadInput, match="crash cannot be done on AWS: no call of the AWS API reaches into a task"):
        chosen(["stop-task", "crash"], on_aws=True)


def test_a_name_that_is_none() -> None:
    with pytest.raises(BadInput, match=r"no experiment 'stop': choose from baseline, stop-task, .* or all"):
        chosen(["stop"], on_aws=False)


def test_the_full_matrix_on_a_twin_leaves_a_third_of_a_quarter_of_an_hour_for_its_waits() -> None:
    assert sum(experiment.seconds for experiment in EXPERIMENTS.values()) <= 12 * 60


@pytest.mark.parametrize(
    ("name", "duration", "after"),
    [("stop-task", 30, 15), ("stop-task", 240, 60), ("hang", 100, 20), ("rollout", 45, 15), ("rollout", 600, 20)],
)
def test_it_happens_half_way_or_earlier_where_it_lasts(name: str, duration: float, after: float) -> None:
    assert EXPERIMENTS[name].happens_after(duration) == after
