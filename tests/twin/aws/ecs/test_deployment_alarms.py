"""Deployments that alarms of CloudWatch fail, in virtual time.

Rules: developer guide, "How CloudWatch alarms detect Amazon ECS deployment failures".
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.twin.aws.ecs.world import World, faults_of_answer, task_definition
from twin.aws.ecs.model import Deployment, RolloutState
from twin.parameters import Parameters

BREAKER = {"enable": True, "rollback": True}


def alarms(rollback: bool = True, enable: bool = True) -> dict[str, Any]:
    return {"alarmNames": ["errors", "latency"], "enable": enable, "rollback": rollback}


def configuration(**changes: bool) -> dict[str, Any]:
    return {"deploymentCircuitBreaker": BREAKER, "alarms": alarms(**changes)}


@pytest.fixture
def world() -> World:
    """A service that is steady and has alarms; a deployment is watched for five minutes after it has settled."""
    world = World(parameters=Parameters(alarm_bake=300))
    world.start(deploymentConfiguration=configuration())
    world.advance(400)
    assert world.service.primary.rollout_state is RolloutState.COMPLETED
    return world


def deploy(world: World, **request: Any) -> Deployment:
    world.call("RegisterTaskDefinition", task_definition())
    return world.update(taskDefinition="shop", **request)


def described(world: World, index: int = 0) -> Any:
    """DescribeServiceDeployments of the newest, or of an earlier one."""
    briefs = world.call("ListServiceDeployments", {"cluster": "shop", "service": "shop"})["serviceDeployments"]
    answer = world.call(
        "DescribeServiceDeployments", {"serviceDeploymentArns": [briefs[index]["serviceDeploymentArn"]]}
    )
    assert faults_of_answer("DescribeServiceDeployments", answer) == []
    return answer["serviceDeployments"][0]


def test_an_alarm_during_a_deployment_rolls_it_back(world: World) -> None:
    good = world.service.primary
    bad = deploy(world)
    world.advance(8)
    assert described(world)["alarms"] == {
        "status": "MONITORING",
        "alarmNames": ["errors", "latency"],
        "triggeredAlarmNames": [],
    }

    world.alarms.add("errors")
    world.advance(1)
    back = world.service.primary
    assert bad.rollout_state is RolloutState.FAILED
    assert (back.returns_to, back.task_definition) == (good, good.task_definition)
    assert f"(deployment {bad.id}) deployment failed: alarm detected." in world.events()
    told = described(world)
    assert told["status"] == "ROLLBACK_IN_PROGRESS"
    assert told["alarms"]["status"] == "TRIGGERED"
    assert told["alarms"]["triggeredAlarmNames"] == ["errors"]

    # It fires on, and the rollback is none the worse for it: an alarm that fires at the start is not heeded.
    world.advance(120)
    assert back.rollout_state is RolloutState.COMPLETED
    assert {task.deployment for task in world.running} == {back}
    assert described(world)["status"] == "ROLLBACK_SUCCESSFUL"


def test_a_deployment_that_has_settled_is_watched_for_the_bake_time(world: World) -> None:
    good = world.service.primary
    bad = deploy(world)
    world.advance(100)
    (listed,) = world.service.deployments
    assert (listed, bad.rollout_state) == (bad, RolloutState.IN_PROGRESS)
    assert world.events()[-1] == "has reached a steady state."

    world.alarms.add("latency")
    world.advance(100)
    assert bad.rollout_state is RolloutState.FAILED
    assert world.service.primary.returns_to is good


def test_after_the_bake_time_it_is_complete_and_no_longer_watched(world: World) -> None:
    new = deploy(world)
    world.advance(400)
    assert new.rollout_state is RolloutState.COMPLETED
    assert described(world)["alarms"]["status"] == "MONITORING_COMPLETE"

    world.alarms.add("errors")
    world.advance(10)
    assert world.service.primary is new
    assert described(world)["status"] == "SUCCESSFUL"


def test_without_a_bake_time_it_is_complete_as_soon_as_it_has_settled() -> None:
    world = World()
    world.start(deploymentConfiguration=configuration())
    world.advance(20)

    assert world.service.primary.rollout_state is RolloutState.COMPLETED


def test_an_alarm_that_fires_at_the_start_is_not_heeded_in_that_deployment(world: World) -> None:
    world.alarms.add("errors")
    fix = deploy(world)
    world.advance(5)
    assert described(world)["alarms"]["status"] == "DISABLED"
    world.alarms.clear()
    world.advance(5)
    world.alarms.add("latency")  # none of them, for the whole of the deployment
    world.advance(100)

    assert fix.rollout_state is RolloutState.COMPLETED


def test_without_rollback_the_deployment_has_failed_and_starts_nothing(world: World) -> None:
    bad = deploy(world, deploymentConfiguration=configuration(rollback=False))
    world.advance(5)
    world.alarms.add("errors")
    world.advance(60)

    assert world.service.primary is bad
    assert (bad.rollout_state, described(world)["status"]) == (RolloutState.FAILED, "STOPPED")
    assert world.events().count("has begun") == 0


def test_alarms_that_are_not_enabled_do_nothing(world: World) -> None:
    new = deploy(world, deploymentConfiguration=configuration(enable=False))
    world.advance(5)
    world.alarms.add("errors")
    world.advance(60)

    assert new.rollout_state is RolloutState.COMPLETED


def test_the_first_deployment_has_nothing_to_go_back_to() -> None:
    world = World()
    world.start(deploymentConfiguration=configuration())
    world.advance(2)
    world.alarms.add("errors")
    world.advance(5)

    assert world.service.primary.rollout_state is RolloutState.FAILED
    assert len(world.service.history) == 1
