"""An ARN is taken as a whole: that of another Region, account, kind or cluster is none of ours; boto3 asks."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.twin.aws.ecs.world import World

SERVICE = "arn:aws:ecs:eu-west-2:123456789012:service/shop/shop"
FOREIGN = [
    ("arn:aws:ecs:us-east-1:123456789012:{}", "Identifier is for us-east-1. Your accessing endpoint is eu-west-2"),
    ("arn:aws:ecs:eu-west-2:210987654321:{}", "Identifier is for account 210987654321"),
    ("arn:aws:sqs:eu-west-2:123456789012:{}", "Invalid identifier"),
]


def calls(arn: str, task: str) -> list[tuple[str, dict[str, Any]]]:
    return [
        ("describe_clusters", {"clusters": [arn.format("cluster/shop")]}),
        ("list_tasks", {"cluster": arn.format("cluster/shop")}),
        ("describe_services", {"cluster": "shop", "services": [arn.format("service/shop/shop")]}),
        ("update_service", {"cluster": "shop", "service": arn.format("service/shop/shop"), "desiredCount": 0}),
        ("describe_tasks", {"cluster": "shop", "tasks": [arn.format(f"task/shop/{task}")]}),
        ("stop_task", {"cluster": "shop", "task": arn.format(f"task/shop/{task}")}),
        ("describe_task_definition", {"taskDefinition": arn.format("task-definition/shop:1")}),
    ]


@pytest.mark.parametrize(("arn", "why"), FOREIGN)
def test_a_foreign_arn_is_refused(ecs: Any, world: World, arn: str, why: str) -> None:
    world.start()
    world.advance(5)

    for operation, request in calls(arn, world.running[0].id):
        with pytest.raises(ClientError) as error:
            getattr(ecs, operation)(**request)
        assert error.value.response["Error"]["Code"] == "InvalidParameterException", operation
        assert why in error.value.response["Error"]["Message"], operation
    assert world.service.desired_count == len(world.running) == 3


def test_our_own_arn_is_found(ecs: Any, world: World) -> None:
    world.start()
    world.advance(5)

    for operation, request in calls("arn:aws:ecs:eu-west-2:123456789012:{}", world.running[0].id):
        answer = getattr(ecs, operation)(**request)
        assert not answer.get("failures"), operation


def test_an_arn_of_another_cluster_or_kind_is_refused(ecs: Any, world: World) -> None:
    world.start()
    ecs.create_cluster(clusterName="other")

    with pytest.raises(ClientError, match=r"Identifier is for cluster shop\. Your cluster is other"):
        ecs.describe_services(cluster="other", services=[SERVICE])
    with pytest.raises(ClientError, match="is not the ARN of a task"):
        ecs.describe_tasks(cluster="shop", tasks=[SERVICE])
