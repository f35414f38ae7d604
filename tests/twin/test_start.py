"""Why a twin that starts gives up: ECS in virtual time, whose tasks fail as each test wants."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.twin.aws.ecs.world import Subnets, World, service, task_definition
from twin.aws.ecs.model import Task
from twin.errors import StartFailed
from twin.start import until_steady, until_up, why_not_up

BREAKER_AT_ONE = {
    "deploymentCircuitBreaker": {
        "enable": True,
        "rollback": True,
        "thresholdConfiguration": {"type": "COUNT", "value": 1},
    }
}


def wait(world: World, logs: Path) -> None:
    asyncio.run(until_up(world.ecs, logs, patience=0))


def why(world: World, logs: Path) -> str:
    with pytest.raises(StartFailed) as error:
        wait(world, logs)
    return str(error.value)


def failing(world: World) -> None:
    world.tasks.cannot_start.add(world.service.primary.task_definition.arn)


def test_a_service_that_runs_is_up(tmp_path: Path) -> None:
    world = World()
    world.start()
    world.advance(10)
    for task in world.running:
        task.steps["registered"] = world.now

    wait(world, tmp_path)


def test_three_tasks_that_end_are_enough(tmp_path: Path) -> None:
    world = World()
    world.start(deploymentConfiguration={})
    failing(world)
    world.advance(2)
    assert why_not_up(world.ecs, world.service, tmp_path) is None
    world.advance(5)
    ended: list[Task] = [task for task in world.ecs.tasks.values() if task.stop_code is not None]
    (tmp_path / ended[-1].id).mkdir()
    (tmp_path / ended[-1].id / "application.log").write_text("KeyError: 'DATABASE_URL'\nERROR: startup failed\n")

    said = why(world, tmp_path)

    assert said.startswith(
        f"""Tasks do not stay up (CannotStartContainerError): the last one's output says "KeyError: 'DATABASE_URL'", """
        f"and `twin logs {ended[-1].id[:12]} --state {tmp_path.parent}` has the rest. A task gets nothing of your "
    )


def test_of_tasks_that_end_without_a_word_the_folder_of_logs_is_named(tmp_path: Path) -> None:
    world = World()
    world.start(deploymentConfiguration={})
    failing(world)
    world.advance(7)
    last = [task for task in world.ecs.tasks.values() if task.stop_code is not None][-1]
    (tmp_path / last.id).mkdir()

    assert why(world, tmp_path).endswith(f", and write nothing: see the logs in {tmp_path / last.id}.")


def test_of_tasks_that_were_killed_the_exit_code_tells_by_what(tmp_path: Path) -> None:
    world = World()
    world.start(deploymentConfiguration={})
    world.advance(4)
    for task in list(world.ecs.tasks.values()):
        task.container.exit_code, task.exited = 137, task.container
        world.tasks.crash(task)

    said = why(world, tmp_path)

    assert said == (
        "Tasks do not stay up (Essential container in task exited with code 137, as of SIGKILL). Something else sends "
        "that signal, as the system does where memory is short: find it, and start the twin anew. To try a crash use "
        "`twin fault crash TASK`."
    )


def test_a_circuit_breaker_at_one_ends_the_start_with_its_first_task(tmp_path: Path) -> None:
    world = World()
    world.start(desiredCount=1, deploymentConfiguration=BREAKER_AT_ONE)
    failing(world)
    world.advance(10)

    said = why(world, tmp_path)

    assert "circuit breaker: tasks failed to start" in said
    assert "CannotStartContainerError" in said


def test_subnets_that_are_full_end_it(tmp_path: Path) -> None:
    world = World(subnets=Subnets(size=1))
    world.start(deploymentConfiguration={})
    world.advance(15)

    said = why(world, tmp_path)

    assert said.startswith("Service shop does not come up: it was unable to place a task. Reason: The subnets of")
    assert said.endswith("Give its subnets more addresses, or want fewer tasks.")


def test_what_never_runs_ends_it_with_what_is_missing(tmp_path: Path) -> None:
    world = World()
    world.start()
    world.advance(1)

    said = why(world, tmp_path)

    assert said.startswith("For 0 s no further task has come up. Of service shop 0 of 3 tasks run (there are: ")
    assert said.count("PROVISIONING") == 3
    assert "its newest event: (service shop) has started 3 tasks" in said
    assert ".." not in said.partition(" The event log")[0]


def steady(world: World, logs: Path, disturbed: bool = False) -> None:
    asyncio.run(until_steady(world.ecs, logs, SimpleNamespace(begun=disturbed), poll=0))


def checked(world: World, **request: Any) -> None:
    """The service, whose tasks get to RUNNING and never pass the health check that they have."""
    world.start(**request)
    world.tasks.unhealthy.add(world.service.primary.task_definition.arn)


@pytest.mark.parametrize("breaker", [{}, BREAKER_AT_ONE], ids=["no circuit breaker", "circuit breaker"])
def test_tasks_that_never_pass_their_health_check_end_it_with_what_the_check_says(
    tmp_path: Path, breaker: dict[str, Any]
) -> None:
    world = World()
    checked(world, deploymentConfiguration=breaker)
    world.advance(20)
    unhealthy = [task for task in world.ecs.tasks.values() if task.unhealthy_because]
    for task in unhealthy:
        (tmp_path / task.id).mkdir()
        (tmp_path / task.id / "health.log").write_text("connecting\n404 Not Found\n")

    with pytest.raises(StartFailed) as error:
        steady(world, tmp_path)

    said = str(error.value)
    assert said.startswith(f"Service shop does not come up: its tasks run, {len(unhealthy)} of them have failed their ")
    assert "and none has passed (Task failed container health checks); the last output of the check is '404 " in said
    assert "health.log; docs/own-service.md says what a health check must be." in said


def test_tasks_that_fail_their_health_check_on_purpose_end_nothing(tmp_path: Path) -> None:
    world = World()
    checked(world, deploymentConfiguration={})
    world.advance(20)

    steady(world, tmp_path, disturbed=True)


@pytest.mark.parametrize("is_checked", [True, False], ids=["health check", "none"])
def test_tasks_that_run_and_then_end_by_themselves_end_it_before_one_was_healthy(
    tmp_path: Path, is_checked: bool
) -> None:
    world = running(is_checked)
    for task in world.running:
        world.tasks.crash(task)
    world.advance(1)

    with pytest.raises(StartFailed, match="Tasks do not stay up"):
        steady(world, tmp_path)


def test_tasks_that_cannot_start_end_nothing_while_one_of_the_first_runs(tmp_path: Path) -> None:
    """As on a disk that is full since."""
    world = running(is_checked=True)
    failing(world)
    for task in world.running[:2]:
        world.tasks.crash(task)
    world.advance(3)
    assert world.service.primary.ended_in_a_row >= 3

    asyncio.run(until_steady(world.ecs, tmp_path, AtTheSecondLook(), poll=0))


@pytest.mark.parametrize("is_checked", [True, False], ids=["health check", "none"])
def test_tasks_that_end_by_themselves_later_end_nothing(tmp_path: Path, is_checked: bool) -> None:
    world = running(is_checked)
    world.advance(60)
    for task in world.running:
        world.tasks.crash(task)
    world.advance(1)

    steady(world, tmp_path)


def test_tasks_of_a_second_deployment_end_nothing_while_those_of_the_first_run(tmp_path: Path) -> None:
    world = running(is_checked=False)
    world.call("RegisterTaskDefinition", task_definition())
    world.update(taskDefinition="shop:2")
    world.tasks.cannot_start.add(world.service.primary.task_definition.arn)
    world.advance(10)
    assert world.service.primary.ended_in_a_row > 2

    asyncio.run(until_steady(world.ecs, tmp_path, AtTheSecondLook(), poll=0))


class AtTheSecondLook:
    """Faults that begin after one look at the services."""

    def __init__(self) -> None:
        self._looks = iter((False, True))

    @property
    def begun(self) -> bool:
        return next(self._looks)


def running(is_checked: bool) -> World:
    """The service, whose first tasks have just got to RUNNING."""
    world = World()
    definition = task_definition()
    if not is_checked:
        del definition["containerDefinitions"][0]["healthCheck"]
    world.call("CreateCluster", {"clusterName": "shop"})
    world.call("RegisterTaskDefinition", definition)
    world.call("CreateService", service(deploymentConfiguration={}))
    world.advance(3)
    assert len(world.running) == 3
    return world


def test_a_service_whose_tasks_pass_their_health_check_is_steady(tmp_path: Path) -> None:
    world = World()
    checked(world)
    world.tasks.unhealthy.clear()
    world.advance(20)

    steady(world, tmp_path)
    assert world.service.last_completed is world.service.primary


def test_tasks_that_wait_for_their_health_are_waited_for_as_long(tmp_path: Path) -> None:
    world = World()
    definition = task_definition()
    definition["containerDefinitions"][0]["startTimeout"] = 2
    definition["containerDefinitions"].append(
        {
            "name": "hold",
            "image": "shop:1",
            "essential": False,
            "dependsOn": [{"containerName": "app", "condition": "HEALTHY"}],
        }
    )
    world.call("RegisterTaskDefinition", definition)
    world.start(taskDefinition="shop:1")
    world.advance(1)

    assert why(world, tmp_path).startswith("For 2 s no further task has come up.")
