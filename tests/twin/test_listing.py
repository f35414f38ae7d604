"""What `twin ps` says of a task's revision, and of services with fewer tasks than they want."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from twin.listing import _console, _item, _lacking, _notes, _revision, _sides, _table


@pytest.mark.parametrize(
    ("started_by", "status", "states", "shown"),
    [
        ("ecs-svc/1", "RUNNING", ["COMPLETED"], "shop:2"),
        ("ecs-svc/1", "RUNNING", ["COMPLETED", "IN_PROGRESS"], "shop:2 old"),
        ("ecs-svc/2", "RUNNING", ["COMPLETED", "IN_PROGRESS"], "shop:2 new"),
        ("ecs-svc/1", "STOPPED", ["COMPLETED", "IN_PROGRESS"], "shop:2"),
        ("ecs-svc/2", "RUNNING", ["COMPLETED", "FAILED"], "shop:2 failed"),
        ("ecs-svc/2", "RUNNING", ["COMPLETED", "FAILED", "IN_PROGRESS"], "shop:2 failed"),
        ("ecs-svc/2", "RUNNING", ["COMPLETED", "IN_PROGRESS", "IN_PROGRESS"], "shop:2 superseded"),
    ],
)
def test_tasks_that_serve_and_those_of_a_failed_deployment_are_told_apart(
    started_by: str, status: str, states: list[str], shown: str
) -> None:
    """states: the rollout's of each deployment, the first first."""
    task = {
        "taskDefinitionArn": "arn:aws:ecs:eu-west-2:123456789012:task-definition/shop:2",
        "group": "service:shop",
        "startedBy": started_by,
        "lastStatus": status,
    }
    deployments = [
        {"id": f"ecs-svc/{number}", "status": "PRIMARY" if number == len(states) else "ACTIVE", "rolloutState": state}
        for number, state in enumerate(states, 1)
    ]
    assert _revision(task, _sides([{"deployments": deployments}])) == shown


def test_brackets_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    _console().print('under [programs."shop/hold"]')
    assert capsys.readouterr().out == 'under [programs."shop/hold"]\n'


def test_nothing_that_tasks_and_stacks_say_tells_the_terminal_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    hostile, shown = "\x1b]0;PWN\x07\nX\ud800", r"\x1b]0;PWN\x07\nX\ud800"
    task = {
        "taskArn": "task/1", "taskDefinitionArn": "task-definition/job:7", "lastStatus": "STOPPED",
        "healthStatus": "UNKNOWN", "availabilityZone": "eu-west-2a", "stoppedReason": hostile,
        "attachments": [{"details": [{"name": "privateDnsName", "value": "ip-10-0-0-4"}]}],
    }  # fmt: skip
    console = _console()
    console.print(_table([], [task], {}, "requests", {}, 200, stopped=True))
    for note in _notes([], [], {"failing": [{"text": hostile}], "complaints": [hostile], "programs_error": hostile}):
        console.print(note)
    _item(console, hostile)
    lines = capsys.readouterr().out.splitlines()
    assert [line.endswith(shown) for line in lines] == [False, *[True] * 5]


def test_a_task_of_no_service_has_one() -> None:
    assert _revision({"taskDefinitionArn": "task-definition/job:7", "lastStatus": "RUNNING"}, {}) == "job:7"


def moment(second: int) -> datetime:
    return datetime(2026, 1, 1, 12, 0, second, tzinfo=UTC)


def service(name: str, running: int, desired: int, *events: tuple[int, str], status: str = "ACTIVE") -> dict[str, Any]:
    said = [{"createdAt": moment(second), "message": f"(service {name}) {message}"} for second, message in events]
    counts = {"runningCount": running, "desiredCount": desired}
    return {"serviceName": name, "clusterArn": "cluster/shop", "status": status, "events": said, **counts}


def stopped(group: str, second: int, reason: str, cluster: str = "cluster/shop") -> dict[str, Any]:
    task = {"clusterArn": cluster, "group": f"service:{group}", "stoppedAt": moment(second), "stoppedReason": reason}
    return {"lastStatus": "STOPPED", **task}


def test_a_service_with_fewer_tasks_than_it_wants_is_a_line_with_the_last_reason() -> None:
    services = [
        service("orders", 3, 3),
        service("mailer", 0, 1),
        service("starting", 1, 2),
        service("crowded", 1, 2, (9, "was unable to place a task."), (1, "has started 1 tasks: (task a).")),
        service("deleted", 0, 1, status="INACTIVE"),
    ]
    tasks = [
        {"lastStatus": "RUNNING", "clusterArn": "cluster/shop", "group": "service:mailer"},
        stopped("mailer", 5, "no program"),
        stopped("mailer", 2, "before"),
        stopped("mailer", 8, "of another cluster", "cluster/other"),
        stopped("crowded", 7, "Scaling activity"),
        stopped("orders", 7, "twin stop"),
    ]
    gateway = {
        "failing": [{"text": "..."}],
        "complaints": ["Tasks become UNHEALTHY."],
        "programs_error": "twin.toml is no TOML.",
    }

    assert [str(line) for line in _notes(services, tasks, gateway)] == [
        "mailer: 0 of 1 tasks run: no program",
        "starting: 1 of 2 tasks run",
        "crowded: 1 of 2 tasks run: (service crowded) was unable to place a task.",
        "...",
        "Tasks become UNHEALTHY.",
        "No task can start: twin.toml is no TOML.",
    ]
    assert _lacking(services, tasks)[1] == {"service": "starting", "running": 1, "desired": 2, "reason": None}
    assert _notes(services[:1], tasks, {"failing": [], "complaints": [], "programs_error": None}) == []
