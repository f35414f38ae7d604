"""The headline of several runs: what each event lost, without a ranking; and the rule of a sweep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from lab.experiments.catalogue import EXPERIMENTS
from lab.experiments.findings import Findings
from lab.experiments.study import Ending, Row, Spread, read_measured
from lab.report.headline import rule, study_answer
from tests.lab.experiments.runs import write_run


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    folder = write_run(tmp_path_factory.mktemp("results") / "run", np.random.default_rng(1), seconds=15)
    return read_measured(folder).findings["direct"]


def row(
    found: Findings, name: str, *failures: int, arm: str = "direct", drain: float | None = None, beside: bool = False
) -> Row:
    """Of as many runs as there are numbers of *failures*, at 100 requests a second, which end as drain_seconds say."""
    own = tuple(
        replace(found, experiment=EXPERIMENTS[name], arm=arm, failures=number, unended=()) for number in failures
    )
    figures = {"failed_seconds": Spread.of([number / 100 for number in failures], "s")}
    parameters = {} if drain is None else {"drain_seconds": drain}
    ending = None if arm == "alb" or drain is None else Ending.AS_SET
    return Row(EXPERIMENTS[name], arm, parameters, figures, own, drain, ending, beside)


def test_ways_and_settings_are_told_of_planned_events_and_of_the_others(found: Findings) -> None:
    """A crash is the same whatever the application does on SIGTERM."""
    matrix = [
        row(found, name, number, arm=arm, drain=drain)
        for arm, drain, numbers in (
            ("direct", 0.0, (147, 34, 15)),
            ("direct", 20.0, (0, 0, 23)),
            ("alb", 0.0, (0, 0, 1)),
        )
        for name, number in zip(("stop-task", "rollout", "crash"), numbers, strict=True)
    ]
    said = (
        "Single runs. In planned events (stop-task, rollout), 34 to 147 requests failed without a load balancer if the "
        "application ends at once, none if it serves on for 20 s, and none through the load balancer. When an "
        "application crashed, 15 to {} requests failed without a load balancer, and 1 through the load balancer."
    )
    assert study_answer(matrix) == said.format(23)
    # On a stack with a load balancer a crash that passes by it is one without.
    assert study_answer([*matrix, row(found, "crash", 177, beside=True)]) == said.format(177)


def test_where_all_lost_nothing_it_is_said_once(found: Findings) -> None:
    both = [row(found, name, 0, 0, arm=arm) for name in ("stop-task", "rollout") for arm in ("direct", "alb")]
    assert study_answer(both) == "2 runs each. In planned events (stop-task, rollout), no request failed."
    assert study_answer(both[::2]) == "2 runs each: without a load balancer no request failed in 2 events."


def test_a_request_without_an_end_is_not_lost_and_not_answered(found: Findings) -> None:
    def swept(failures: int, unfinished: int) -> list[Row]:
        one = replace(row(found, "stop-task", failures).findings[0], unfinished=unfinished)
        return [
            replace(row(found, "stop-task", failures), parameters={"discovery_ttl": ttl}, findings=(one,))
            for ttl in TTLS
        ]

    assert "each of 4 settings lost requests" in study_answer(swept(3, 0))
    assert "of none of 4 settings it is known that it lost no request" in study_answer(swept(0, 1))
    assert "4 of 4 settings lost no request" in study_answer(swept(0, 0))


def test_of_repeats_the_least_and_the_most_are_told(found: Findings) -> None:
    matrix = [row(found, "stop-task", 149, 7, 120), row(found, "rollout", 99, 99, 99), row(found, "crash", 0, 0, 1)]
    assert study_answer(matrix) == (
        "3 runs each: without a load balancer 7 to 149 requests failed when a task was stopped, 99 during a rollout, "
        "and up to 1 when an application crashed."
    )
    assert study_answer(matrix[:1]) == (
        "3 runs, together: without a load balancer 276 of "
        f"{3 * found.requests:,} requests failed when a task was stopped (0.1 to 1.5 s of traffic a run)."
    )


def test_of_many_events_there_is_a_range(found: Findings) -> None:
    numbers = {"stop-task": 5, "drain-task": 0, "rollout": 90, "scale-in": 3, "crash": 15, "hang": 1748}
    assert study_answer([row(found, name, number) for name, number in numbers.items()]) == (
        "Single runs. In 4 planned events, up to 90 requests failed without a load balancer. In unplanned events "
        "(crash, hang), 15 to 1,748 requests failed without a load balancer."
    )


def test_columns_of_other_events_are_not_set_side_by_side(found: Findings) -> None:
    matrix = [row(found, "stop-task", 5), row(found, "crash", 7), row(found, "stop-task", 0, arm="alb")]
    assert study_answer(matrix) == (
        f"Single runs: without a load balancer 2 of 2 events lost requests; through the load balancer none of "
        f"{found.requests:,} requests failed when a task was stopped."
    )


def test_what_is_counted_is_said(found: Findings) -> None:
    """Of two events at several settings, of which not all are known, there are more rows than events."""
    settings = [{"discovery_ttl": 0.0}, {"discovery_ttl": 5.0}, {"front_ends": 1.0}, {"front_ends": 9.0}]
    lost = {"stop-task": (0, 5, 5, 5), "crash": (5, 5, 5, 5)}
    matrix = [
        replace(row(found, name, failures), parameters=setting)
        for name, numbers in lost.items()
        for failures, setting in zip(numbers, settings, strict=True)
    ]
    assert study_answer([*matrix, replace(row(found, "crash", 0), parameters={"stop_timeout": 2.0})]) == (
        "Single runs: without a load balancer 7 of 9 pairs of event and setting lost requests."
    )
    assert study_answer(matrix[:4]) == "Single runs: without a load balancer 3 of 4 settings lost requests."


TTLS, DRAINS = (0.0, 1.0, 10.0, 30.0), (0.0, 5.0, 20.0)


@pytest.mark.parametrize(
    ("is_lossless", "said"),
    [
        (lambda ttl, drain: drain >= 5 and ttl <= 10, "discovery_ttl of 0 to 10 with drain_seconds of 5 to 20"),
        (
            lambda ttl, drain: (drain >= 5 and ttl <= 10) or ttl == 0,
            "drain_seconds of 5 to 20 with discovery_ttl of 0 to 10, and drain_seconds 0 with discovery_ttl 0",
        ),
        (lambda ttl, drain: drain == 20, "every discovery_ttl with drain_seconds 20"),
        (lambda ttl, drain: ttl in (1, 10), "discovery_ttl of 1 to 10 with every drain_seconds"),
        (lambda ttl, drain: ttl in (0, 10) and drain in (0, 20), ""),
        (lambda ttl, drain: False, ""),
    ],
)
def test_a_grid(is_lossless: Callable[[float, float], bool], said: str) -> None:
    lossless: dict[tuple[float, ...], bool] = {
        (ttl, drain): is_lossless(ttl, drain) for ttl, drain in product(TTLS, DRAINS)
    }

    assert rule(["discovery_ttl", "drain_seconds"], lossless) == said


def test_a_grid_that_lacks_a_setting_has_no_rule() -> None:
    lossless: dict[tuple[float, ...], bool] = {(ttl, drain): drain > 0 for ttl, drain in product(TTLS, DRAINS)}
    del lossless[10.0, 5.0]

    assert rule(["discovery_ttl", "drain_seconds"], lossless) == ""


@pytest.mark.parametrize(("good", "said"), [({5.0, 20.0}, "drain_seconds of 5 to 20"), ({0.0, 20.0}, ""), (set(), "")])
def test_one_name(good: set[float], said: str) -> None:
    assert rule(["drain_seconds"], {(drain,): drain in good for drain in DRAINS}) == said
