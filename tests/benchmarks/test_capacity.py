from __future__ import annotations

import pytest

from benchmarks.capacity import Costs, limits, need, table

COSTS = Costs(task=300, user=600)


@pytest.mark.parametrize(
    ("rate", "tasks", "workers"), [(10, 3, 1), (1_000, 3, 1), (100_000, 200, 100), (100_001, 201, 101)]
)
def test_tasks_and_workers_have_room_for_the_rate(rate: int, tasks: int, workers: int) -> None:
    # 300 us of a request, and 0.25 vCPU busy for 0.6 of the time: 500 requests a second in each task.
    found = need(rate, COSTS)

    assert (found.tasks, found.workers) == (tasks, workers)
    assert found.vcpu == tasks / 4
    assert found.each <= 500


def exceeded(rate: int) -> list[str]:
    return [limit.name.partition(",")[0] for limit in limits(need(rate, COSTS)) if limit.exceeded]


def test_what_breaks_first() -> None:
    assert exceeded(1_000) == []
    assert exceeded(1_001) == ["the stage's `throttle_rate`", "Cloud Map"]
    assert "API Gateway" in exceeded(10_001)
    assert "Fargate" in exceeded(100_000)


def test_the_table_marks_what_is_not_enough() -> None:
    rows = {row.split(" | ")[0].removeprefix("| "): row for row in table(COSTS, (10, 100_000)).splitlines()}

    assert rows["API Gateway, requests/s of an account"] == (
        "| API Gateway, requests/s of an account | 10 | **100,000** | 10,000 |"
    )
    assert rows["workers of the load fleet"] == "| workers of the load fleet | 1 | 100 | 100 (`load_fleet`) |"
