"""What a deployment counts as failures, when it is complete, and what it says when it cannot move."""

from __future__ import annotations

from typing import Any

import pytest

from tests.twin.aws.ecs.world import STOPS_WITHIN, World, task_definition
from twin.aws.ecs.model import HealthStatus, RolloutState, TaskStatus

BLOCKED = (
    "was unable to stop or start tasks during a deployment because of the service deployment configuration. "
    "Update the minimumHealthyPercent or maximumPercent value and try again."
)


def test_tasks_that_do_not_get_to_running_open_the_circuit(world: World) -> None:
    world.start()
    world.tasks.cannot_start.add(world.service.primary.task_definition.arn)
    world.advance(120)

    assert world.service.primary.rollout_state is RolloutState.FAILED
    assert world.service.primary.failed_tasks >= 3


def test_once_a_task_has_run_others_that_do_not_start_are_not_counted(world: World) -> None:
    world.start(desiredCount=1)
    world.advance(4)
    deployment = world.service.primary
    assert len(world.running) == 1  # and not healthy yet

    world.tasks.cannot_start.add(deployment.task_definition.arn)
    world.service.desired_count = 5
    world.advance(120)

    assert (deployment.failed_tasks, deployment.rollout_state) == (0, RolloutState.IN_PROGRESS)
    assert "is unable to consistently start tasks successfully." in world.events()


def test_tasks_that_ran_and_exit_are_replaced_and_never_open_the_circuit(world: World) -> None:
    world.start(desiredCount=1)
    deployment = world.service.primary
    for _ in range(6):
        world.advance(5)
        (task,) = [task for task in world.running if task.is_wanted]
        assert task.health is HealthStatus.UNKNOWN
        world.tasks.crash(task)

    assert (deployment.failed_tasks, deployment.rollout_state) == (0, RolloutState.IN_PROGRESS)
    assert "is unable to consistently start tasks successfully." not in world.events()


def test_failed_health_checks_open_the_circuit_in_the_second_stage(world: World) -> None:
    world.start()
    world.advance(60)
    world.call("RegisterTaskDefinition", task_definition())
    world.tasks.unhealthy.add(world.ecs.task_definitions["shop"][1].arn)
    deployment = world.update(taskDefinition="shop:2")
    world.advance(240)

    assert deployment.has_run
    assert deployment.rollout_state is RolloutState.FAILED
    assert world.service.primary.returns_to is not None


def test_a_deployment_is_complete_when_the_last_task_before_it_has_stopped(world: World) -> None:
    world.start()
    world.advance(60)
    before = world.service.primary
    deployment = world.update(forceNewDeployment=True)

    seen = []
    for _ in range(90):
        world.advance(1)
        left = [t for t in world.ecs.tasks_of(world.service) if t.deployment is before]
        stopping = any(t.last_status is not TaskStatus.STOPPED for t in left)
        seen.append((stopping, before in world.service.deployments, deployment.rollout_state, world.service.steady))
    assert (True, True, RolloutState.IN_PROGRESS, False) in seen
    assert seen[-1] == (False, False, RolloutState.COMPLETED, True)
    assert {state for stopping, _, state, _ in seen if stopping} == {RolloutState.IN_PROGRESS}
    assert all(listed or not stopping for stopping, listed, _, _ in seen)
    assert STOPS_WITHIN > 1  # or nothing of it was seen


@pytest.mark.parametrize(
    ("count", "least", "most", "blocked"),
    [
        (3, 100, 133, True),
        (3, 100, 134, False),
        (1, 50, 150, True),
        (1, 100, 199, True),
        (1, 100, 200, False),
        (1, 0, 100, False),
        (2, 100, 149, True),
        (3, 100, 300, False),
    ],
)
def test_percents_between_which_no_task_can_move_are_an_event(
    world: World, count: int, least: int, most: int, blocked: bool
) -> None:
    world.start(desiredCount=count, deploymentConfiguration={"minimumHealthyPercent": least, "maximumPercent": most})
    world.advance(60)
    assert BLOCKED not in world.events()
    deployment = world.update(forceNewDeployment=True)
    world.advance(90)

    assert (BLOCKED in world.events()) is blocked
    assert (deployment.rollout_state is RolloutState.IN_PROGRESS) is blocked
    assert world.events().count(BLOCKED) == blocked


def test_three_hundred_percent_start_twice_as_many_new_tasks_at_once(world: World) -> None:
    world.start(desiredCount=2, deploymentConfiguration={"minimumHealthyPercent": 100, "maximumPercent": 300})
    world.advance(60)
    world.update(forceNewDeployment=True)
    world.advance(1)

    assert len(world.tasks.alive) == 4  # no more than the desired count of new ones is ever needed


def test_boto3_sees_the_steady_state_said_again_every_six_hours(ecs: Any, world: World) -> None:
    world.start(desiredCount=1)
    world.advance(60)

    def said() -> list[float]:
        (service,) = ecs.describe_services(cluster="shop", services=["shop"])["services"]
        steady = [event for event in service["events"] if event["message"].endswith("has reached a steady state.")]
        return [event["createdAt"].timestamp() for event in reversed(steady)]

    (first,) = said()
    for times in (1, 2):
        world.now = said()[-1] + 6 * 3600
        world.controller.step()
        assert len(said()) == times
        world.now += 1
        world.controller.step()
        assert len(said()) == times + 1
    assert said()[-1] == first + 2 * (6 * 3600 + 1)


def described(world: World) -> Any:
    (service,) = world.call("DescribeServices", {"cluster": "shop", "services": ["shop"]})["services"]
    return service


def test_the_current_service_deployment_and_its_revisions_are_told(world: World) -> None:
    world.start()
    world.advance(60)
    world.update(forceNewDeployment=True)
    world.advance(4)

    service = described(world)
    arns = [service["currentServiceDeployment"]]
    (deployment,) = world.call("DescribeServiceDeployments", {"serviceDeploymentArns": arns})["serviceDeployments"]
    assert deployment["status"] == "IN_PROGRESS"
    new, old = service["currentServiceRevisions"]
    assert new == deployment["targetServiceRevision"]
    assert [old] == deployment["sourceServiceRevisions"]
    assert (new["requestedTaskCount"], old["requestedTaskCount"], old["runningTaskCount"]) == (3, 0, 3)


def test_a_rollback_is_part_of_the_service_deployment_that_failed(world: World) -> None:
    world.start()
    world.advance(60)
    world.call("RegisterTaskDefinition", task_definition())
    world.tasks.cannot_start.add(world.ecs.task_definitions["shop"][1].arn)
    world.update(taskDefinition="shop:2")
    began = described(world)["currentServiceDeployment"]
    for _ in range(120):
        world.advance(1)
        if world.service.primary.returns_to is not None:
            break

    assert described(world)["currentServiceDeployment"] == began
