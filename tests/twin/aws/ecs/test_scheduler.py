"""What the scheduler does, told by whole services in virtual time."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from tests.twin.aws.ecs.world import NAMESPACE, Subnets, World, service, task_definition
from twin.aws.ecs.model import HealthStatus, RolloutState, StopCode, Task, TaskStatus
from twin.aws.ecs.scheduler import backoff, circuit_breaker_threshold
from twin.parameters import Parameters

OLD = "arn:aws:ecs:eu-west-2:123456789012:task-definition/shop:1"
NEW = "arn:aws:ecs:eu-west-2:123456789012:task-definition/shop:2"


def zones(world: World) -> list[str]:
    return sorted(task.zone for task in world.running)


def revisions(world: World) -> list[int]:
    return [task.deployment.task_definition.revision for task in world.running]


def test_a_new_service_reaches_its_desired_count_in_all_zones(world: World) -> None:
    world.start(desiredCount=4)
    world.advance()

    assert zones(world) == ["eu-west-2a", "eu-west-2a", "eu-west-2b", "eu-west-2b"]
    first, *others = world.events()
    assert first == f"has started 4 tasks: {' '.join(f'(task {task.id})' for task in world.running)}."
    assert others == [
        f"(deployment {world.service.primary.id}) deployment completed.",
        "has reached a steady state.",
    ]


def test_a_deployment_is_complete_when_its_tasks_are_healthy_not_when_they_run(world: World) -> None:
    world.start()
    world.advance(4)
    assert (len(world.running), world.service.primary.rollout_state) == (3, RolloutState.IN_PROGRESS)

    world.advance(10)
    assert [d.rollout_state for d in world.service.deployments] == [RolloutState.COMPLETED]


def test_without_a_health_check_a_task_counts_after_the_running_grace() -> None:
    world = World(parameters=Parameters(running_grace=40))
    world.call("CreateCluster", {"clusterName": "shop"})
    container = {k: v for k, v in task_definition()["containerDefinitions"][0].items() if k != "healthCheck"}
    world.call("RegisterTaskDefinition", task_definition(containerDefinitions=[container]))
    world.start(taskDefinition="shop:1")

    world.advance(40)
    assert [d.rollout_state for d in world.service.deployments] == [RolloutState.IN_PROGRESS]
    world.advance(5)
    assert [d.rollout_state for d in world.service.deployments] == [RolloutState.COMPLETED]


@pytest.mark.parametrize(
    ("minimum", "maximum", "fewest", "most"), [(100, 200, 4, 8), (50, 100, 2, 4), (50, 150, 2, 6), (0, 100, 0, 4)]
)
def test_a_rolling_deployment_stays_between_minimum_and_maximum(
    world: World, minimum: int, maximum: int, fewest: int, most: int
) -> None:
    world.start(
        desiredCount=4,
        deploymentConfiguration={"minimumHealthyPercent": minimum, "maximumPercent": maximum},
    )
    world.advance()
    world.call("RegisterTaskDefinition", task_definition())
    world.update(taskDefinition="shop:2")

    healthy, all_tasks = [], []
    for _ in range(120):
        world.advance(1)
        wanted = [task for task in world.tasks.alive.values() if task.is_wanted]
        healthy.append(sum(task.health is HealthStatus.HEALTHY for task in wanted))
        all_tasks.append(len(wanted))

    assert (min(healthy), max(all_tasks)) == (fewest, most)
    assert revisions(world) == [2, 2, 2, 2]
    assert [d.task_definition.arn for d in world.service.deployments] == [NEW]


def test_a_task_that_exits_is_replaced_in_its_zone(world: World) -> None:
    world.start()
    world.advance()
    lost = world.running[0]

    world.tasks.crash(lost)
    world.advance()

    assert lost.stop_code is StopCode.ESSENTIAL_CONTAINER_EXITED
    assert zones(world) == ["eu-west-2a", "eu-west-2a", "eu-west-2b"]


def test_an_unhealthy_task_is_replaced_before_it_is_stopped(world: World) -> None:
    world.start()
    world.advance()
    sick = world.running[0]

    world.tasks.set_health(sick, HealthStatus.UNHEALTHY)
    world.advance(4)
    assert (sick.is_wanted, len(world.running)) == (True, 4)
    world.advance()

    assert (sick.stop_code, sick.stopped_reason) == (
        StopCode.SERVICE_SCHEDULER_INITIATED,
        "Task failed container health checks",
    )
    assert f"(task {sick.id}) failed container health checks." in world.events()
    assert len(world.running) == 3


def test_what_is_unhealthy_before_it_runs_is_no_reason_to_replace_a_task(world: World) -> None:
    """A task that is held until it is HEALTHY may fail its checks first: containers-roadmap issue 2379."""
    world.start(desiredCount=1)
    world.advance(1)
    (starting,) = world.tasks.alive.values()
    world.tasks.set_health(starting, HealthStatus.UNHEALTHY)
    world.advance(1)
    assert starting.is_wanted
    world.tasks.set_health(starting, HealthStatus.HEALTHY)
    world.advance()

    assert world.running == [starting]
    assert world.service.primary.failed_tasks == 0


def test_containers_that_wait_for_health_are_pending_until_the_task_activates(world: World) -> None:
    definition = task_definition()
    definition["containerDefinitions"] += [
        {"name": "hold", "image": "shop:1", "essential": False, "dependsOn": [on("app", "HEALTHY")]},
        {"name": "after", "image": "shop:1", "essential": False, "dependsOn": [on("hold", "START")]},
        {"name": "beside", "image": "shop:1", "essential": False, "dependsOn": [on("app", "START")]},
    ]
    world.call("RegisterTaskDefinition", definition)
    world.start(desiredCount=1, taskDefinition="shop:1")

    def statuses() -> dict[str, str]:
        (task,) = world.ecs.tasks.values()
        task.container.last_status = "RUNNING"
        (told,) = world.call("DescribeTasks", {"cluster": "shop", "tasks": [task.id]})["tasks"]
        return {container["name"]: container["lastStatus"] for container in told["containers"]}

    world.advance(1)
    (task,) = world.ecs.tasks.values()
    assert task.held_by == ["hold", "after"]
    assert task.held_for == 3 * 3600
    assert statuses() == {"app": "RUNNING", "hold": "PENDING", "after": "PENDING", "beside": "RUNNING"}
    world.advance(10)
    assert set(statuses().values()) == {"RUNNING"}


def on(name: str, condition: str) -> dict[str, str]:
    return {"containerName": name, "condition": condition}


def test_in_the_grace_period_an_unhealthy_task_stays(world: World) -> None:
    world.tasks.unhealthy.add(OLD)
    world.start(desiredCount=1, healthCheckGracePeriodSeconds=30)
    world.advance(10)
    (sick,) = world.running
    assert sick.health is HealthStatus.UNHEALTHY

    while world.now < sick.steps["RUNNING"] + 29:
        world.advance(1)
        assert world.running == [sick]
        assert world.service.primary.rollout_state is RolloutState.IN_PROGRESS
    # Then it is replaced like any other, and another is started first.
    world.advance(5)
    assert len(world.running) == 2
    # A change of it makes no deployment.
    before = world.service.primary
    assert world.update(healthCheckGracePeriodSeconds=300) is before


def test_where_there_is_no_room_unhealthy_tasks_are_replaced_one_at_a_time(world: World) -> None:
    world.start(deploymentConfiguration={"minimumHealthyPercent": 0, "maximumPercent": 100})
    world.advance()
    for task in world.running:
        world.tasks.set_health(task, HealthStatus.UNHEALTHY)

    fewest = 3
    for _ in range(90):
        world.advance(1)
        fewest = min(fewest, len([task for task in world.tasks.alive.values() if task.is_wanted]))

    assert fewest == 2
    assert [task.health for task in world.running] == [HealthStatus.HEALTHY] * 3


def test_scaling_out_and_in_keeps_the_zones_even(world: World) -> None:
    world.start()
    world.advance()
    oldest = {task.id for task in world.running}

    world.update(desiredCount=7)
    world.advance()
    assert zones(world).count("eu-west-2a") in (3, 4)
    assert len(world.service.deployments) == 1

    world.update(desiredCount=2)
    world.advance()
    assert zones(world) == ["eu-west-2a", "eu-west-2b"]
    assert {task.id for task in world.running} <= oldest
    reason = f"Scaling activity initiated by (deployment {world.service.primary.id})"
    assert {task.stopped_reason for task in world.tasks_with(TaskStatus.STOPPED)} == {reason}


def test_a_second_deployment_overtakes_the_first(world: World) -> None:
    world.start()
    world.advance()
    for _ in range(2):
        world.call("RegisterTaskDefinition", task_definition())
    world.update(taskDefinition="shop:2")
    world.advance(2)
    world.update(taskDefinition="shop:3")
    assert len(world.service.deployments) == 3
    world.advance()

    assert revisions(world) == [3, 3, 3]
    statuses = [
        brief["status"]
        for brief in world.call("ListServiceDeployments", {"cluster": "shop", "service": "shop"})["serviceDeployments"]
    ]
    assert statuses == ["SUCCESSFUL", "STOPPED", "SUCCESSFUL"]


def test_the_circuit_breaker_rolls_back(world: World) -> None:
    world.start()
    world.advance()
    good = world.service.primary
    world.call("RegisterTaskDefinition", task_definition())
    world.tasks.cannot_start.add(NEW)
    failed = world.update(taskDefinition="shop:2")
    (brief,) = world.call("ListServiceDeployments", {"cluster": "shop", "service": "shop", "status": ["IN_PROGRESS"]})[
        "serviceDeployments"
    ]
    arn = brief["serviceDeploymentArn"]

    fewest = 3
    newest = [world.service.newest]
    for _ in range(120):
        world.advance(1)
        fewest = min(fewest, len(world.running))
        if newest[-1] != world.service.newest:
            newest.append(world.service.newest)

    assert (fewest, revisions(world)) == (3, [1, 1, 1])
    assert newest[:2] == [[failed], [world.service.primary, failed]]
    assert newest[-1] == [world.service.primary]
    back = world.service.primary
    assert (failed.rollout_state, failed.rollout_state_reason, failed.failed_tasks) == (
        RolloutState.FAILED,
        "ECS deployment circuit breaker: tasks failed to start.",
        3,
    )
    assert (back.task_definition.arn, back.rollout_state) == (OLD, RolloutState.COMPLETED)
    at = world.events().index(f"(deployment {failed.id}) deployment failed: tasks failed to start.")
    assert world.events()[at + 1] == f"rolling back to deployment {good.id}."
    (described,) = world.call("DescribeServiceDeployments", {"serviceDeploymentArns": [arn]})["serviceDeployments"]
    assert described["status"] == "ROLLBACK_SUCCESSFUL"
    assert described["deploymentCircuitBreaker"] == {"status": "TRIGGERED", "failureCount": 3, "threshold": 3}
    assert described["rollback"]["serviceRevisionArn"].endswith(f"service-revision/shop/shop/{good.revision}")


def offer_spot(world: World) -> None:
    providers = {"capacityProviders": ["FARGATE", "FARGATE_SPOT"], "defaultCapacityProviderStrategy": []}
    world.call("PutClusterCapacityProviders", {"cluster": "shop", **providers})


def test_a_rollback_restores_all_that_was_deployed_and_later_updates_start_from_it(world: World) -> None:
    world.start(platformVersion="1.4.0")
    offer_spot(world)
    world.advance()
    good = world.service.primary
    before = world.call("DescribeServices", {"cluster": "shop", "services": ["shop"]})["services"][0]
    world.call("RegisterTaskDefinition", task_definition())
    world.tasks.cannot_start.add(NEW)

    failed = world.update(
        taskDefinition="shop:2",
        networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-a"]}},
        serviceConnectConfiguration={
            "enabled": True,
            "namespace": "shop",
            "services": [{"portName": "http", "discoveryName": "renamed", "clientAliases": [{"port": 80}]}],
        },
        capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
        platformVersion="1.3.0",
        healthCheckGracePeriodSeconds=9,
        deploymentConfiguration={"maximumPercent": 150},
    )
    world.advance(120)

    back = world.service.primary
    assert failed.rolled_back_by is back
    assert back.service_connect_resources == good.service_connect_resources
    assert {resource["discoveryName"] for resource in back.service_connect_resources} == {"shop-http"}
    after = world.call("DescribeServices", {"cluster": "shop", "services": ["shop"]})["services"][0]
    for name in ("networkConfiguration", "launchType", "platformVersion", "capacityProviderStrategy"):
        assert after.get(name) == before.get(name), name
    # What is no part of a deployment stays as it was updated.
    assert after["healthCheckGracePeriodSeconds"] == 9
    assert after["deploymentConfiguration"]["maximumPercent"] == 150

    next_one = world.update(forceNewDeployment=True)
    world.advance()
    assert next_one.network_configuration == good.network_configuration
    assert next_one.service_connect == good.service_connect
    assert next_one.service_connect_resources == good.service_connect_resources
    assert zones(world) == ["eu-west-2a", "eu-west-2a", "eu-west-2b"]


def test_an_old_revision_tells_its_own_request(world: World) -> None:
    world.start(platformVersion="1.3.0")
    world.advance()
    offer_spot(world)
    spot = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    world.update(
        capacityProviderStrategy=spot, platformVersion="LATEST", deploymentConfiguration={"maximumPercent": 150}
    )

    new, old = world.call("DescribeServices", {"cluster": "shop", "services": ["shop"]})["services"][0]["deployments"]
    assert (old["launchType"], old["platformVersion"], "capacityProviderStrategy" in old) == ("FARGATE", "1.3.0", False)
    assert ("launchType" in new, new["platformVersion"], new["capacityProviderStrategy"]) == (False, "1.4.0", spot)

    briefs = world.call("ListServiceDeployments", {"cluster": "shop", "service": "shop"})["serviceDeployments"]
    arns = [brief["targetServiceRevisionArn"] for brief in briefs]
    revisions = world.call("DescribeServiceRevisions", {"serviceRevisionArns": arns})["serviceRevisions"]
    assert [revision["platformVersion"] for revision in revisions] == ["1.4.0", "1.3.0"]
    assert [revision.get("capacityProviderStrategy") for revision in revisions] == [spot, None]
    arns = [brief["serviceDeploymentArn"] for brief in briefs]
    described = world.call("DescribeServiceDeployments", {"serviceDeploymentArns": arns})["serviceDeployments"]
    assert [deployment["deploymentConfiguration"]["maximumPercent"] for deployment in described] == [150, 200]


def test_tasks_that_fail_their_health_checks_open_the_circuit_breaker_too(world: World) -> None:
    world.start()
    world.advance()
    world.call("RegisterTaskDefinition", task_definition())
    world.tasks.unhealthy.add(NEW)
    failed = world.update(taskDefinition="shop:2")
    world.advance(240)

    assert failed.rollout_state is RolloutState.FAILED
    assert revisions(world) == [1, 1, 1]


def test_without_rollback_a_failed_deployment_starts_nothing_more(world: World) -> None:
    world.tasks.cannot_start.add(OLD)
    world.start(deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}})
    world.advance(120)
    assert world.service.primary.rollout_state is RolloutState.FAILED  # and there is nothing to roll back to
    tried = len(world.ecs.tasks)
    world.advance(120)
    assert len(world.ecs.tasks) == tried

    world.tasks.cannot_start.clear()
    world.update(forceNewDeployment=True)
    world.advance()
    assert len(world.running) == 3


@pytest.fixture
def failed(world: World) -> World:
    """Three tasks of the old revision run; the new one, whose tasks fail health checks, has failed."""
    world.start(deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": False}})
    world.advance()
    world.call("RegisterTaskDefinition", task_definition())
    world.tasks.unhealthy.add(NEW)
    world.update(taskDefinition="shop:2")
    while world.service.primary.rollout_state is not RolloutState.FAILED:
        world.advance(1)
    return world


def test_a_failed_deployment_leaves_the_tasks_before_it_and_keeps_none_that_is_unhealthy(failed: World) -> None:
    failed.advance(600)

    assert revisions(failed) == [1, 1, 1]
    assert [d.rollout_state for d in failed.service.deployments] == [RolloutState.FAILED, RolloutState.COMPLETED]
    sick = failed.running[0]
    failed.tasks.set_health(sick, HealthStatus.UNHEALTHY)
    failed.advance()
    assert (sick.is_wanted, len(failed.running)) == (True, 3)  # nothing may take its place


@pytest.mark.parametrize("minimum", [0, 100])
def test_a_service_whose_deployment_has_failed_is_scaled_in_and_not_out(failed: World, minimum: int) -> None:
    failed.update(deploymentConfiguration={"minimumHealthyPercent": minimum})
    counts = []
    for desired in (5, 2, 1, 0):
        failed.update(desiredCount=desired)
        failed.advance()
        counts.append((len(failed.running), len(failed.service.deployments)))

    assert counts == [(3, 2), (2, 2), (1, 2), (0, 1)]
    assert failed.service.primary.rollout_state is RolloutState.FAILED
    assert failed.tasks.alive == {}

    failed.tasks.unhealthy.clear()
    failed.update(desiredCount=2, forceNewDeployment=True)
    failed.advance()
    assert revisions(failed) == [2, 2]


def test_what_an_aborted_deployment_has_started_stays_and_makes_up_the_desired_count(world: World) -> None:
    world.start(deploymentConfiguration={"minimumHealthyPercent": 100, "maximumPercent": 150})
    world.advance()
    world.call("RegisterTaskDefinition", task_definition())
    world.update(taskDefinition="shop:2")
    world.advance(2)
    world.controller.fail(world.service, "Service deployment stopped by user.", roll_back=False)
    world.update(deploymentConfiguration={"minimumHealthyPercent": 0})
    world.advance()

    assert revisions(world) == [1, 1, 2]  # not fewer, though the minimum is 0


def test_deployments_that_have_no_task_left_are_no_longer_listed(world: World) -> None:
    world.start()
    world.advance()
    for _ in range(2):
        world.call("RegisterTaskDefinition", task_definition())
    world.tasks.cannot_start.add(NEW)
    failing = world.update(taskDefinition="shop:2")
    world.advance(5)
    world.update(taskDefinition="shop:3")
    assert failing in world.service.deployments
    world.advance(5)

    assert [d.task_definition.revision for d in world.service.deployments] == [3, 1]
    assert failing in world.service.history


def test_without_a_circuit_breaker_starts_are_held_back_ever_longer(world: World) -> None:
    world.tasks.cannot_start.add(OLD)
    world.start(desiredCount=1, deploymentConfiguration={})
    world.advance(600)

    starts = sorted(task.created_at for task in world.ecs.tasks.values())
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    assert gaps == sorted(gaps)
    assert gaps[-1] >= 60
    assert any("unable to consistently start tasks successfully" in event for event in world.events())


def test_stopping_a_service_deployment_rolls_back_or_aborts(world: World) -> None:
    world.start()
    world.advance()
    for stop_type, status in (("ABORT", "STOPPED"), ("ROLLBACK", "ROLLBACK_SUCCESSFUL")):
        world.update(forceNewDeployment=True)
        world.advance(1)
        newest = world.call("ListServiceDeployments", {"cluster": "shop", "service": "shop"})["serviceDeployments"][0]
        arn = newest["serviceDeploymentArn"]
        world.call("StopServiceDeployment", {"serviceDeploymentArn": arn, "stopType": stop_type})
        world.advance()
        (described,) = world.call("DescribeServiceDeployments", {"serviceDeploymentArns": [arn]})["serviceDeployments"]
        assert described["status"] == status
        assert len([task for task in world.running if task.is_wanted]) >= 3


def test_full_subnets_hold_back_tasks_until_there_are_addresses() -> None:
    world = World(subnets=Subnets(size=1))
    world.start(deploymentConfiguration={})
    world.advance(20)
    assert len(world.running) == 2
    assert (
        "was unable to place a task. Reason: The subnets of eu-west-2a (subnet-a) have no free addresses."
        in world.events()
    )

    world.subnets.size = 2
    world.advance(120)
    assert len(world.running) == 3


def test_the_cloud_map_service_goes_some_time_after_the_ecs_service() -> None:
    world = World(parameters=Parameters(namespace_cleanup=30))
    world.start()
    world.advance()
    world.call("DeleteService", {"cluster": "shop", "service": "shop", "force": True})

    world.advance(10)
    assert world.service.status == "INACTIVE"
    assert len(world.cloud_map.services) == 1
    world.advance(30)
    assert world.cloud_map.services == {}


def test_a_new_service_of_the_same_name_keeps_the_cloud_map_service_that_it_took_over(world: World) -> None:
    world.start()
    world.advance()
    world.call("DeleteService", {"cluster": "shop", "service": "shop", "force": True})
    world.advance(6)
    world.start(taskDefinition="shop")
    world.advance(120)

    assert list(world.cloud_map.services.values()) == [(world.cloud_map.namespaces["shop"], "shop-http")]
    assert len(world.tasks.registered) == 3


def named(*names: str) -> dict[str, Any]:
    """A Service Connect configuration with these discovery names."""
    aliases = [{"port": 80}]
    services = [{"portName": "http", "discoveryName": name, "clientAliases": aliases} for name in names]
    return {"enabled": True, "namespace": "shop", "services": services}


def names_in_cloud_map(world: World) -> set[str]:
    return {name for _, name in world.cloud_map.services.values()}


def test_a_new_service_of_the_same_name_does_not_keep_what_the_old_one_had_in_cloud_map() -> None:
    world = World(parameters=Parameters(namespace_cleanup=30))
    world.start(serviceConnectConfiguration=named("old", "shared"))
    world.advance()
    world.call("DeleteService", {"cluster": "shop", "service": "shop", "force": True})
    world.advance(10)
    assert world.service.status == "INACTIVE"

    world.start(taskDefinition="shop:1", serviceConnectConfiguration=named("new", "shared"))
    world.advance(10)
    assert names_in_cloud_map(world) == {"old", "shared", "new"}
    world.advance(30)
    assert names_in_cloud_map(world) == {"shared", "new"}


def test_the_clean_up_leaves_what_another_service_uses() -> None:
    world = World(parameters=Parameters(namespace_cleanup=30))
    world.start()
    world.advance()
    world.call("DeleteService", {"cluster": "shop", "service": "shop", "force": True})
    world.advance(10)
    world.call("CreateService", service(serviceName="heir"))
    world.advance(60)
    assert names_in_cloud_map(world) == {"shop-http"}

    # Of two that had it, the one that went last decides when.
    world.call("DeleteService", {"cluster": "shop", "service": "heir", "force": True})
    world.advance(10)
    world.call("CreateService", service(serviceName="heir"))
    world.call("DeleteService", {"cluster": "shop", "service": "heir", "force": True})
    world.advance(26)
    assert names_in_cloud_map(world) == {"shop-http"}
    world.advance(20)
    assert names_in_cloud_map(world) == set()
    assert world.ecs.clean_ups == []


def test_a_clean_up_that_fails_is_reported_and_the_others_are_done(caplog: pytest.LogCaptureFixture) -> None:
    world = World(parameters=Parameters(namespace_cleanup=0))
    world.start()
    world.call("CreateService", service(serviceName="other", serviceConnectConfiguration=named("other")))
    world.cloud_map.services.clear()  # by somebody else
    world.cloud_map.create_service(NAMESPACE, "kept")
    for name in ("shop", "other"):
        world.call("DeleteService", {"cluster": "shop", "service": name, "force": True})
    world.advance(20)

    assert [record.getMessage() for record in caplog.records] == ["the clean-up of Cloud Map failed"] * 2
    caplog.clear()
    assert world.ecs.clean_ups == []
    assert names_in_cloud_map(world) == {"kept"}


def test_an_error_in_one_service_is_reported_and_the_others_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    start = world.tasks.start

    def fail_for_shop(task: Task) -> None:
        if task.service_name == "shop":
            raise OverflowError("port must be 0-65535")
        start(task)

    monkeypatch.setattr(world.tasks, "start", fail_for_shop)
    world.start(deploymentConfiguration={})
    world.call("CreateService", service(serviceName="other", serviceConnectConfiguration={"enabled": False}))
    world.advance(120)

    other = world.ecs.services["shop", "other"]
    assert [task.last_status for task in world.ecs.tasks_of(other)] == [TaskStatus.RUNNING] * 3
    assert {record.getMessage() for record in caplog.records} == {"the service shop failed"}
    assert {str(record.exc_info[1]) for record in caplog.records if record.exc_info} == {"port must be 0-65535"}
    caplog.clear()
    assert (world.ecs.tasks_of(world.service), len(world.subnets.used)) == ([], 3)
    assert world.service.primary.failed_tasks < 20  # held back like any start that fails

    monkeypatch.undo()
    world.advance(120)
    assert len(world.running) == 3


async def loop_for_a_moment(world: World) -> None:
    running = asyncio.create_task(world.controller.run())
    await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()


def test_the_loop_outlives_an_error(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world.start()
    monkeypatch.setattr(world.tasks, "start", lambda task: 1 / 0)

    asyncio.run(loop_for_a_moment(world))

    assert [record.exc_info and record.exc_info[0] for record in caplog.records] == [ZeroDivisionError]
    caplog.clear()


@pytest.mark.parametrize(
    ("kind", "value", "thresholds"),
    [
        ("BOUNDED_PERCENT", 50, [3, 3, 3, 13, 200]),
        ("BOUNDED_PERCENT", 100, [3, 3, 6, 25, 200]),
        ("UNBOUNDED_PERCENT", 50, [1, 1, 3, 13, 500]),
        ("UNBOUNDED_PERCENT", 10, [1, 1, 1, 3, 100]),
        ("COUNT", 7, [7, 7, 7, 7, 7]),
        ("COUNT", 300, [300, 300, 300, 300, 300]),
    ],
)
def test_thresholds_of_the_circuit_breaker(kind: str, value: int, thresholds: list[int]) -> None:
    configuration = {"type": kind, "value": value}
    assert [circuit_breaker_threshold(configuration, count) for count in (0, 1, 6, 25, 1000)] == thresholds


def test_the_circuit_breaker_counts_to_the_threshold_that_it_is_given(world: World) -> None:
    threshold = {"type": "COUNT", "value": 5}
    breaker = {"enable": True, "rollback": False, "thresholdConfiguration": threshold}
    world.tasks.cannot_start.add(OLD)
    world.start(desiredCount=1, deploymentConfiguration={"deploymentCircuitBreaker": breaker})
    world.advance(240)

    assert len(world.ecs.tasks) == world.service.primary.failed_tasks == 5
    assert world.service.primary.rollout_state is RolloutState.FAILED
    (brief,) = world.call("ListServiceDeployments", {"cluster": "shop", "service": "shop"})["serviceDeployments"]
    arns = [brief["serviceDeploymentArn"]]
    (described,) = world.call("DescribeServiceDeployments", {"serviceDeploymentArns": arns})["serviceDeployments"]
    assert described["deploymentCircuitBreaker"] == {"status": "TRIGGERED", "failureCount": 5, "threshold": 5}
    assert described["deploymentConfiguration"]["deploymentCircuitBreaker"] == breaker


@pytest.mark.parametrize(("reset", "failed"), [(None, False), (True, False), (False, True)])
def test_a_healthy_task_between_resets_the_count_of_failures_unless_that_is_off(
    world: World, reset: bool | None, failed: bool
) -> None:
    breaker = {"enable": True, "rollback": False} | ({} if reset is None else {"resetOnHealthyTask": reset})
    world.start(desiredCount=1, deploymentConfiguration={"deploymentCircuitBreaker": breaker})

    deployment = world.service.primary

    def fail_all_until(failed_tasks: int, but: Task | None = None) -> None:
        for _ in range(60):
            if deployment.failed_tasks == failed_tasks:
                return
            world.advance(1)
            for task in world.running:
                if task.is_wanted and task is not but:
                    world.tasks.set_health(task, HealthStatus.UNHEALTHY)
        pytest.fail(f"{deployment.failed_tasks} failed tasks")

    fail_all_until(2)
    world.service.desired_count = 2  # so that one healthy task does not complete the deployment
    world.advance(4)
    healthy = next(task for task in world.running if task.health is HealthStatus.UNKNOWN)
    world.tasks.set_health(healthy, HealthStatus.HEALTHY)
    left = 0 if reset is not False else 2
    assert deployment.failed_tasks == left
    fail_all_until(left + 1, but=healthy)
    world.advance(1)

    assert (deployment.rollout_state is RolloutState.FAILED) is failed


def test_numbers_of_the_developer_guide() -> None:
    assert [circuit_breaker_threshold(None, count) for count in (1, 6, 25, 1000)] == [3, 3, 13, 200]
    assert [backoff(failed) for failed in (0, 2, 3, 4, 5, 20)] == [0, 0, 1, 2, 4, 60]
