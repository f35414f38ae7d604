"""Tasks that are uneven over the Availability Zones of a service: what ECS does about it, in virtual time."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.twin.aws.ecs.world import World, task_definition
from tests.twin.running import TwinFactory, wait_until
from twin.aws.ecs.model import HealthStatus, RolloutState, StopCode

A, B = "eu-west-2a", "eu-west-2b"
CLUSTER = "serviceconnect"  # and service


def in_zones(world: World) -> tuple[int, int]:
    """How many wanted tasks are in each zone."""
    zones = [task.zone for task in world.tasks.alive.values() if task.is_wanted]
    return zones.count(A), zones.count(B)


def lose(world: World, zone: str) -> None:
    """All tasks of *zone* end; none starts there until `world.subnets.closed` is without it."""
    world.subnets.closed = {zone}
    for task in world.running:
        if task.zone == zone:
            world.tasks.crash(task)
    world.advance()


def uneven(world: World, **request: Any) -> None:
    """A service whose tasks are all in one zone, since the other was lost and is back again."""
    world.start(**request)
    world.advance()
    lose(world, B)
    assert (in_zones(world)[1], world.service.steady) == (0, True)
    world.subnets.closed = set()


def since(world: World, events: list[str]) -> list[str]:
    return world.events()[len(events) :]


def test_tasks_move_to_a_zone_that_is_back(world: World) -> None:
    uneven(world)
    before, told = set(world.running), world.events()
    world.advance()

    assert in_zones(world) == (2, 1)
    (new,) = set(world.running) - before
    (old,) = before - set(world.running)
    assert since(world, told) == [
        f"is not AZ balanced with 3 tasks in {A}, 0 tasks in {B}. AZ Rebalancing in progress.",
        f"has started 1 tasks in {B} to AZ Rebalance: (task {new.id}).",
        f"has stopped 1 running tasks in {A} due to AZ rebalancing: (task {old.id}).",
        f"is AZ balanced with 2 tasks in {A}, 1 tasks in {B}.",
        "has reached a steady state.",
    ]
    assert (old.stop_code, old.stopped_reason) == (
        StopCode.SERVICE_SCHEDULER_INITIATED,
        f"Availability-zone rebalancing initiated by (deployment {world.service.primary.id})",
    )
    assert old.created_at == max(task.created_at for task in before)
    # No deployment came of it, and nothing more moves.
    assert len(world.service.history) == 1
    told = world.events()
    world.advance(300)
    assert (since(world, told), in_zones(world)) == ([], (2, 1))


def test_none_is_stopped_before_the_new_one_is_healthy(world: World) -> None:
    uneven(world)
    seen = []
    for _ in range(30):
        world.advance(1)
        wanted = [task for task in world.tasks.alive.values() if task.is_wanted]
        seen.append((len(wanted), sum(task.health is HealthStatus.HEALTHY for task in wanted)))

    assert min(healthy for _, healthy in seen) == 3
    assert max(wanted for wanted, _ in seen) == 4
    assert (4, 3) in seen  # one more, that is not healthy yet


def test_several_move_at_once_as_far_as_maximum_percent_leaves_room(world: World) -> None:
    uneven(world, desiredCount=6, deploymentConfiguration={"maximumPercent": 134})
    most = 0
    for _ in range(120):
        world.advance(1)
        most = max(most, sum(in_zones(world)))

    assert (in_zones(world), most) == ((3, 3), 8)
    assert sum("AZ Rebalancing in progress" in event for event in world.events()) == 2
    assert world.events().count(f"is AZ balanced with 3 tasks in {A}, 3 tasks in {B}.") == 1


def test_none_is_stopped_while_one_of_several_is_not_healthy(world: World) -> None:
    uneven(world, desiredCount=4)
    world.advance(4)
    first, second = world.service.rebalancing
    world.tasks.set_health(first, HealthStatus.HEALTHY)
    world.advance(1)
    assert (second.health, in_zones(world)) == (HealthStatus.UNKNOWN, (4, 2))

    world.advance()
    assert in_zones(world) == (2, 2)
    reasons = {task.stopped_reason for task in world.ecs.tasks.values() if task.zone == A and task.stopped_reason}
    assert reasons == {f"Availability-zone rebalancing initiated by (deployment {world.service.primary.id})"}


@pytest.mark.parametrize(("desired", "even"), [(1, (1, 0)), (2, (1, 1)), (3, (2, 1)), (4, (2, 2)), (5, (3, 2))])
def test_a_difference_of_one_is_even(world: World, desired: int, even: tuple[int, int]) -> None:
    uneven(world, desiredCount=desired)
    world.advance(120)
    assert in_zones(world) == even


def test_nothing_moves_without_it_and_turning_it_on_makes_no_deployment(world: World) -> None:
    uneven(world, availabilityZoneRebalancing="DISABLED")
    told = world.events()
    world.advance(300)
    assert (since(world, told), in_zones(world)) == ([], (3, 0))

    before = world.service.primary
    assert world.update(availabilityZoneRebalancing="ENABLED") is before
    world.advance()
    assert in_zones(world) == (2, 1)


def test_turned_off_meanwhile_it_stops(world: World) -> None:
    uneven(world)
    world.advance(1)
    assert sum(in_zones(world)) == 4
    world.update(availabilityZoneRebalancing="DISABLED")
    world.advance()

    assert in_zones(world) == (3, 0)
    assert "stopped AZ Rebalancing." in world.events()


def test_where_max_percent_leaves_no_room_for_a_task_more_nothing_moves(world: World) -> None:
    uneven(world, deploymentConfiguration={"maximumPercent": 133})
    told = world.events()
    world.advance(300)
    assert (since(world, told), in_zones(world)) == ([], (3, 0))


def test_a_deployment_comes_first_and_ends_it(world: World) -> None:
    uneven(world)
    world.advance(1)
    moving = world.service.rebalancing
    assert len(moving) == 1
    deployment = world.update(forceNewDeployment=True)
    world.advance()

    assert "stopped AZ Rebalancing." in world.events()
    assert not any("due to AZ rebalancing" in event for event in world.events())
    assert (deployment.rollout_state, in_zones(world)) == (RolloutState.COMPLETED, (2, 1))
    assert not moving[0].is_wanted


def test_while_a_deployment_is_under_way_none_begins(world: World) -> None:
    uneven(world)
    world.call("RegisterTaskDefinition", task_definition())
    world.tasks.cannot_start.add(world.ecs.task_definitions["shop"][1].arn)
    breaker = {"deploymentCircuitBreaker": {"enable": False, "rollback": False}}
    world.update(taskDefinition="shop:2", deploymentConfiguration=breaker)
    world.advance(120)
    assert not any("AZ" in event for event in world.events())


def test_a_task_that_fails_its_checks_ends_it_and_it_is_tried_again_later(world: World) -> None:
    uneven(world)
    definition = world.service.primary.task_definition.arn
    world.tasks.unhealthy.add(definition)
    told = world.events()
    world.advance(30)

    (sick,) = [
        task for task in world.ecs.tasks.values() if task.stopped_reason == "Task failed container health checks"
    ]
    assert (sick.zone, in_zones(world)) == (B, (3, 0))
    assert "stopped AZ Rebalancing." in since(world, told)
    assert sum("in progress" in event for event in since(world, told)) == 1
    assert world.service.primary.rollout_state is RolloutState.COMPLETED

    world.tasks.unhealthy.clear()
    world.advance(90)
    assert in_zones(world) == (2, 1)


def test_a_task_that_does_not_start_ends_it(world: World) -> None:
    uneven(world)
    definition = world.service.primary.task_definition.arn
    world.tasks.cannot_start.add(definition)
    tried = len(world.ecs.tasks)
    world.advance(600)

    assert in_zones(world) == (3, 0)
    assert len(world.ecs.tasks) - tried in range(8, 11)  # once a minute
    assert world.events().count("stopped AZ Rebalancing.") == len(world.ecs.tasks) - tried
    assert world.service.primary.rollout_state is RolloutState.COMPLETED


def test_a_zone_without_an_address_left_ends_it(world: World) -> None:
    uneven(world)
    world.subnets.size = 0
    told = world.events()
    world.advance(10)

    assert since(world, told)[:3] == [
        f"is not AZ balanced with 3 tasks in {A}, 0 tasks in {B}. AZ Rebalancing in progress.",
        f"is unable to place a task in {B}.",
        "stopped AZ Rebalancing.",
    ]
    assert sum("in progress" in event for event in world.events()) == 1
    world.subnets.size = 1000
    world.advance(90)
    assert in_zones(world) == (2, 1)


def test_a_task_that_ends_meanwhile_is_replaced_at_once(world: World) -> None:
    uneven(world)
    world.advance(1)
    world.tasks.crash(world.running[0])
    world.advance(1)
    assert sum(in_zones(world)) == 4  # the one that comes for the zone is not taken for its replacement

    world.advance()
    assert (in_zones(world), world.service.steady) == ((2, 1), True)


def test_scaling_meanwhile_comes_to_what_is_desired(world: World) -> None:
    uneven(world)
    world.advance(1)
    world.update(desiredCount=2)
    world.advance()
    assert in_zones(world) == (1, 1)

    lose(world, B)
    world.subnets.closed = set()
    world.advance(1)
    world.update(desiredCount=5)
    world.advance(90)
    assert sorted(in_zones(world)) == [2, 3]


def test_a_deleted_service_moves_nothing(world: World) -> None:
    uneven(world)
    world.advance(1)
    world.call("DeleteService", {"cluster": "shop", "service": "shop", "force": True})
    world.advance()
    assert (world.service.status, world.tasks.alive) == ("INACTIVE", {})


def test_an_unhealthy_task_is_replaced_in_its_own_zone(world: World) -> None:
    """Else the zones would be uneven by it, and another task had to move."""
    world.start(desiredCount=2)
    world.advance()
    for zone in (A, B):
        (sick,) = [task for task in world.running if task.zone == zone]
        world.tasks.set_health(sick, HealthStatus.UNHEALTHY)
        world.advance()
        assert (sick.is_wanted, in_zones(world)) == (False, (1, 1))
    assert not any("AZ" in event for event in world.events())


@pytest.mark.parametrize(("most", "told"), [(200, "ENABLED"), (101, "ENABLED"), (100, "DISABLED")])
def test_it_is_on_for_a_new_service_that_has_room_for_it(ecs: Any, world: World, most: int, told: str) -> None:
    world.start(deploymentConfiguration={"minimumHealthyPercent": 0, "maximumPercent": most})
    (service,) = ecs.describe_services(cluster="shop", services=["shop"])["services"]
    assert service["availabilityZoneRebalancing"] == told


def test_one_hundred_percent_with_it_are_refused(ecs: Any, world: World) -> None:
    refused = "Availability Zone Rebalancing does not support maximumPercent <= 100 % as deployment configuration."
    world.start()
    names = {"cluster": "shop", "service": "shop"}
    percents = {"minimumHealthyPercent": 0, "maximumPercent": 100}
    with pytest.raises(ClientError, match=refused) as error:
        ecs.update_service(**names, deploymentConfiguration=percents)
    assert error.value.response["Error"]["Code"] == "InvalidParameterException"

    off = ecs.update_service(**names, deploymentConfiguration=percents, availabilityZoneRebalancing="DISABLED")
    assert off["service"]["availabilityZoneRebalancing"] == "DISABLED"
    kept = ecs.update_service(**names, desiredCount=2)  # what is not given stays
    assert kept["service"]["availabilityZoneRebalancing"] == "DISABLED"
    with pytest.raises(ClientError, match=refused):
        ecs.update_service(**names, availabilityZoneRebalancing="ENABLED")


def test_tasks_of_a_twin_move_to_a_zone_that_is_back(start_twin: TwinFactory) -> None:
    twin = start_twin("--proxy-drain", "0", "--stop-timeout", "2", "--running-grace", "0")

    def running() -> dict[str, str]:
        """The zones of the tasks that run, and go on, by ARN."""
        found = [task for task in twin.tasks() if task["lastStatus"] == "RUNNING"]
        return {task["taskArn"]: task["availabilityZone"] for task in found}

    def events() -> list[str]:
        (service,) = twin.client("ecs").describe_services(cluster=CLUSTER, services=[CLUSTER])["services"]
        return [event["message"] for event in reversed(service["events"])]

    wait_until(lambda: len(running()) == 3 and "has reached a steady state" in events()[-1], "three run", 60)
    (zone,) = [zone for zone in running().values() if list(running().values()).count(zone) == 1]
    (other,) = set(running().values()) - {zone}
    (lost,) = [task for task, where in running().items() if where == zone]
    twin.says("fault", "az-down", zone, "--for", "600")
    twin.client("ecs").stop_task(cluster=CLUSTER, task=lost)
    wait_until(lambda: [*running().values()] == [other] * 3, "all three run in the other zone", 60)
    wait_until(lambda: "has reached a steady state" in events()[-1], "they are healthy", 60)
    assert not any("AZ" in message for message in events())

    before = set(running())
    twin.says("fault", "az-down", zone, "--undo")
    wait_until(lambda: any(" is AZ balanced " in message for message in events()), "the zones are even", 60)
    assert sorted(running().values()) == sorted([zone, other, other])
    (came,), (gone,) = set(running()) - before, before - set(running())
    named = {task: f"(task {task.rpartition('/')[2]})" for task in (came, gone)}
    told = [message for message in events() if " AZ " in message]
    assert len(told) == 4
    assert told[1] == f"(service {CLUSTER}) has started 1 tasks in {zone} to AZ Rebalance: {named[came]}."
    assert told[2].endswith(f" has stopped 1 running tasks in {other} due to AZ rebalancing: {named[gone]}.")
    stopped = next(task for task in twin.tasks("STOPPED") if task["taskArn"] == gone)
    assert stopped["stoppedReason"].startswith("Availability-zone rebalancing initiated by (deployment ecs-svc/")
