"""The AWS CLI's and boto3's waiters: they do not pass too early, and they do pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import WaiterError

from tests.twin.aws.ecs.world import World

Aws = Callable[..., str]
SHOP = ("--cluster", "shop")


def test_services_stable_waits_for_an_update(ecs: Any, world: World) -> None:
    world.start()
    world.advance()
    stable = ecs.get_waiter("services_stable")
    at_once = {"Delay": 0, "MaxAttempts": 1}
    stable.wait(cluster="shop", services=["shop"], WaiterConfig=at_once)

    for change in ({"forceNewDeployment": True}, {"desiredCount": 5}, {"desiredCount": 1}):
        ecs.update_service(cluster="shop", service="shop", **change)
        with pytest.raises(WaiterError):
            stable.wait(cluster="shop", services=["shop"], WaiterConfig=at_once)
        world.advance()
        stable.wait(cluster="shop", services=["shop"], WaiterConfig=at_once)


def test_the_aws_cli_deploys_scales_and_deletes(aws: Aws, world: World) -> None:
    world.start()
    world.advance()
    aws("ecs", "wait", "services-stable", *SHOP, "--services", "shop")

    update = (
        "ecs",
        "update-service",
        *SHOP,
        "--service",
        "shop",
        "--query",
        "service.[desiredCount, deployments[].status]",
    )
    assert json.loads(aws(*update, "--force-new-deployment")) == [3, ["PRIMARY", "ACTIVE"]]
    world.advance()
    assert json.loads(aws(*update, "--desired-count", "4")) == [4, ["PRIMARY"]]
    world.advance()
    arns = json.loads(aws("ecs", "list-tasks", *SHOP, "--query", "taskArns"))
    assert len(arns) == 4

    aws("ecs", "stop-task", *SHOP, "--task", arns[0], "--reason", "to see")
    world.advance()
    aws("ecs", "wait", "tasks-stopped", *SHOP, "--tasks", arns[0])
    aws("ecs", "delete-service", *SHOP, "--service", "shop", "--force")
    world.advance()
    aws("ecs", "wait", "services-inactive", *SHOP, "--services", "shop")
