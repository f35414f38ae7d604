"""RunTask in virtual time: tasks that are no service's."""

from __future__ import annotations

from typing import Any

import pytest

from tests.twin.aws.ecs.world import World, service, task_definition
from twin.aws.ecs.errors import ClientException, InvalidParameterException

Json = dict[str, Any]
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-a", "subnet-b"]}}


@pytest.fixture
def shop(world: World) -> World:
    """A cluster, and an active task definition `shop:1`."""
    world.call("CreateCluster", {"clusterName": "shop"})
    world.call("RegisterTaskDefinition", task_definition())
    return world


def run(world: World, **more: Any) -> Json:
    request = {"cluster": "shop", "taskDefinition": "shop", "networkConfiguration": NETWORK, **more}
    return dict(world.call("RunTask", request))


def described(world: World, task: Json) -> Json:
    (found,) = world.call("DescribeTasks", {"cluster": "shop", "tasks": [task["taskArn"]]})["tasks"]
    return dict(found)


def test_tasks_run_end_and_are_not_replaced(shop: World) -> None:
    answer = run(shop, count=2, startedBy="cron", tags=[{"key": "team", "value": "a"}])

    assert answer["failures"] == []
    one, other = answer["tasks"]
    assert {one["availabilityZone"], other["availabilityZone"]} == {"eu-west-2a", "eu-west-2b"}
    assert (one["group"], one["startedBy"], one["tags"]) == ("family:shop", "cron", [{"key": "team", "value": "a"}])
    shop.advance(10)
    assert described(shop, one)["lastStatus"] == "RUNNING"
    assert len(shop.call("ListTasks", {"cluster": "shop", "startedBy": "cron"})["taskArns"]) == 2

    shop.tasks.crash(shop.ecs.tasks[one["taskArn"].rpartition("/")[2]])
    shop.call("StopTask", {"cluster": "shop", "task": other["taskArn"]})
    shop.advance(60)

    assert described(shop, one)["stopCode"] == "EssentialContainerExited"
    assert described(shop, other)["stopCode"] == "UserInitiated"
    assert shop.call("ListTasks", {"cluster": "shop"})["taskArns"] == []
    assert shop.subnets.used == set()


def test_they_are_none_of_a_service_s(shop: World) -> None:
    shop.call("CreateService", service())
    shop.advance(60)
    (before,) = shop.call("DescribeServices", {"cluster": "shop", "services": ["shop"]})["services"]

    (task,) = run(shop, group="batch")["tasks"]
    shop.advance(60)

    (after,) = shop.call("DescribeServices", {"cluster": "shop", "services": ["shop"]})["services"]
    assert (after["runningCount"], after["desiredCount"]) == (before["runningCount"], before["desiredCount"])
    assert described(shop, task)["group"] == "batch"
    of_service = shop.call("ListTasks", {"cluster": "shop", "serviceName": "shop"})["taskArns"]
    assert task["taskArn"] not in of_service


def test_one_that_cannot_start_is_stopped(shop: World) -> None:
    (task,) = run(shop)["tasks"]
    shop.tasks.cannot_start.add(task["taskDefinitionArn"])
    shop.advance(30)

    assert described(shop, task)["stopCode"] == "TaskFailedToStart"


def test_overrides_are_told(shop: World) -> None:
    name = task_definition()["containerDefinitions"][0]["name"]
    override = {"name": name, "command": ["migrate"], "environment": [{"name": "A", "value": "1"}]}

    (task,) = run(shop, overrides={"containerOverrides": [override]})["tasks"]

    assert task["overrides"]["containerOverrides"] == [override]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"count": 11}, "between 1 and 10"),
        ({"networkConfiguration": {}}, "Network Configuration must be provided"),
        ({"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-none"]}}}, "subnet-none"),
        ({"launchType": "EC2"}, "launch type EC2"),
        ({"overrides": {"containerOverrides": [{"name": "none"}]}}, "Override for container named none"),
        ({"placementStrategy": [{"type": "random"}]}, "placementStrategy"),
    ],
)
def test_what_ecs_refuses(shop: World, more: Json, says: str) -> None:
    with pytest.raises(InvalidParameterException, match=says):
        run(shop, **more)
    assert shop.ecs.tasks == {}


def test_a_definition_that_is_none_is_refused(shop: World) -> None:
    with pytest.raises(ClientException):
        run(shop, taskDefinition="none")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ({"environment": [{"name": "A", "value": "a\0"}]}, "variable A must have a text without NUL"),
        ({"environment": [{"name": "A=B", "value": ""}]}, "'A=B' is no name of an environment variable"),
        ({"command": ["a\0"]}, "command must have words without NUL"),
        ({"command": ["\udc00"]}, "of whole characters"),
        ({"command": ["a" * 8192]}, "at most 8192 characters"),
    ],
)
def test_overrides_are_what_a_process_can_have(shop: World, override: Json, words: str) -> None:
    name = shop.ecs.task_definitions["shop"][0].containers[0]["name"]
    with pytest.raises(InvalidParameterException, match=words):
        run(shop, overrides={"containerOverrides": [{"name": name, **override}]})
