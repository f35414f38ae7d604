"""What `twin ps` says of a task's revision."""

from __future__ import annotations

import pytest

from twin.listing import _revision


@pytest.mark.parametrize(
    ("started_by", "status", "rolling", "shown"),
    [
        ("ecs-svc/1", "RUNNING", None, "shop:2"),
        ("ecs-svc/1", "RUNNING", "ecs-svc/2", "shop:2 old"),
        ("ecs-svc/2", "RUNNING", "ecs-svc/2", "shop:2 new"),
        ("ecs-svc/1", "STOPPED", "ecs-svc/2", "shop:2"),
    ],
)
def test_a_deployment_has_two_sides(started_by: str, status: str, rolling: str | None, shown: str) -> None:
    task = {
        "taskDefinitionArn": "arn:aws:ecs:eu-west-2:123456789012:task-definition/shop:2",
        "group": "service:shop",
        "startedBy": started_by,
        "lastStatus": status,
    }
    assert _revision(task, {"service:shop": rolling}) == shown


def test_a_task_of_no_service_has_one() -> None:
    assert _revision({"taskDefinitionArn": "task-definition/job:7", "lastStatus": "RUNNING"}, {}) == "job:7"
