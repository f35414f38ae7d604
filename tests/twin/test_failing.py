"""Which deployments are said to fail: ECS in virtual time, whose tasks end as each test wants."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.twin.aws.ecs.world import World, task_definition
from twin.failing import Failing, failing, warning

BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


def found(world: World, logs: Path) -> list[Failing]:
    return list(failing(world.ecs, logs).values())


def rolled_out(logs: Path, **service: Any) -> World:
    """A service that runs, and a new revision of it whose tasks cannot start."""
    world = World()
    world.start(**service)
    world.advance(60)
    assert found(world, logs) == []
    world.call("RegisterTaskDefinition", task_definition())
    world.update(taskDefinition="shop:2")
    world.tasks.cannot_start.add(world.service.primary.task_definition.arn)
    return world


def test_a_revision_that_does_not_start_is_found_while_the_former_one_serves(tmp_path: Path) -> None:
    world = rolled_out(tmp_path, deploymentConfiguration={})
    world.advance(1)
    assert found(world, tmp_path) == []
    world.advance(9)
    last = [task for task in world.ecs.tasks.values() if task.stop_code is not None][-1]
    (tmp_path / last.id).mkdir()
    (tmp_path / last.id / "application.log").write_text("starting\nno module\n")

    (each,) = found(world, tmp_path)

    assert (each.revision, each.serving, each.last_output) == ("shop:2", ("shop:1",), "no module")
    assert str(each) == (
        f"shop: {each.ended} tasks of shop:2 in a row have ended by themselves: CannotStartContainerError; the "
        f"last one's output says 'no module', and `twin logs {last.id[:12]} --state {tmp_path.parent}` has the rest. "
        "Tasks of before (shop:1) serve meanwhile."
    )
    assert failing(world.ecs, Path(".twin/tasks").resolve())[last.deployment.id].logs == f"twin logs {last.id[:12]}"


def test_a_deployment_of_the_same_revision_is_told_by_when_it_began(tmp_path: Path) -> None:
    world = World()
    world.start(deploymentConfiguration={})
    world.advance(60)
    world.update(forceNewDeployment=True)  # as --reload does
    world.tasks.cannot_start.add(world.service.primary.task_definition.arn)
    world.advance(10)

    (each,) = found(world, tmp_path)

    began = time.strftime("%H:%M:%S", time.localtime(world.service.primary.created_at))
    assert f"shop: {each.ended} tasks of the deployment of {began} (shop:1, as before) in a row have ended" in str(each)
    assert str(each).endswith(" Tasks of before serve meanwhile.")


def test_a_task_that_becomes_healthy_ends_the_row(tmp_path: Path) -> None:
    world = rolled_out(tmp_path, deploymentConfiguration={})
    world.advance(10)
    assert found(world, tmp_path)

    world.tasks.cannot_start.clear()
    world.advance(300)

    assert found(world, tmp_path) == []


def test_a_deployment_that_was_rolled_back_is_said_until_the_next(tmp_path: Path) -> None:
    world = rolled_out(tmp_path, deploymentConfiguration=BREAKER)
    world.advance(120)
    assert world.service.primary.task_definition.revision == 1

    (each,) = found(world, tmp_path)
    assert each.revision == "shop:2"

    world.update(forceNewDeployment=True)
    assert found(world, tmp_path) == []


@pytest.mark.parametrize(("every", "said"), [(0.0, ["2", "3", "4", "5"]), (3600.0, ["2"])])
def test_it_is_said_again_after_a_while_and_only_if_further_tasks_have_ended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, every: float, said: list[str]
) -> None:
    world = rolled_out(tmp_path, deploymentConfiguration={})
    world.advance(10)
    ((identifier, found),) = failing(world.ecs, tmp_path).items()
    looks = iter([{identifier: replace(found, task=task, ended=int(task))} for task in "2233445"])
    monkeypatch.setattr("twin.failing._AGAIN", every)
    monkeypatch.setattr("twin.failing.failing", lambda *_: next(looks))

    with pytest.raises(RuntimeError, match="StopIteration"):  # after the last look
        asyncio.run(warning(world.ecs, tmp_path, poll=0))

    assert [record.getMessage().split()[1] for record in caplog.records if "shop: " in record.getMessage()] == said
