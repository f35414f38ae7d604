"""Application Auto Scaling by boto3, and what it does to services: ECS is in virtual time."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.twin.aws.ecs.world import World
from tests.twin.aws.moto.conftest import Client
from twin.aws.moto.scaling import Scaling

Json = dict[str, Any]

TARGET = {
    "ServiceNamespace": "ecs",
    "ResourceId": "service/shop/shop",
    "ScalableDimension": "ecs:service:DesiredCount",
}
MINUTELY = {"ScheduledActionName": "peak", "Schedule": "rate(1 minute)"}


@pytest.fixture
def world() -> World:
    """A service of three tasks that run."""
    world = World()
    world.start()
    world.advance()
    return world


@pytest.fixture
def scaling(client: Client, world: World) -> Scaling:
    return Scaling(world.context, world.bus)


@pytest.fixture
def aws(client: Client, scaling: Scaling) -> Any:
    """boto3's client."""
    return client("application-autoscaling")


def activities(aws: Any, **more: Any) -> list[tuple[str, str, str]]:
    """Description, cause and status of each, the oldest first."""
    found = aws.describe_scaling_activities(ServiceNamespace="ecs", **more)["ScalingActivities"]
    return [(each["Description"], each["Cause"], each["StatusCode"]) for each in reversed(found)]


def refused(code: str, why: str) -> Any:
    return pytest.raises(ClientError, match=rf"\({code}\).*{why}")


@pytest.mark.parametrize(
    ("least", "most", "count", "cause"),
    [(1, 2, 2, "maximum capacity was set to 2"), (5, 9, 5, "minimum capacity was set to 5")],
)
def test_a_registration_brings_the_count_into_the_range(
    aws: Any, world: World, scaling: Scaling, least: int, most: int, count: int, cause: str
) -> None:
    aws.register_scalable_target(**TARGET, MinCapacity=least, MaxCapacity=most)

    assert world.service.desired_count == count
    assert activities(aws) == [(f"Setting desired count to {count}.", cause, "InProgress")]
    scaling.settle()
    assert activities(aws)[0][2] == "InProgress"
    world.advance()
    scaling.settle()
    (done,) = aws.describe_scaling_activities(**TARGET)["ScalingActivities"]
    said = f"Successfully set desired count to {count}. Change successfully fulfilled by ecs."
    assert (done["StatusCode"], done["StatusMessage"]) == ("Successful", said)
    assert done["EndTime"] >= done["StartTime"]


def test_a_count_in_the_range_stays(aws: Any, world: World) -> None:
    aws.register_scalable_target(**TARGET, MinCapacity=3, MaxCapacity=3)
    assert (world.service.desired_count, activities(aws)) == (3, [])


def test_a_scheduled_action_sets_the_range_and_the_count(aws: Any, scaling: Scaling, world: World) -> None:
    aws.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=4)
    aws.put_scheduled_action(**TARGET, **MINUTELY, ScalableTargetAction={"MinCapacity": 5, "MaxCapacity": 8})
    now = time.time()

    scaling.act(now, now + 50)
    assert world.service.desired_count == 3
    scaling.act(now + 50, now + 61)
    assert world.service.desired_count == 5
    (target,) = aws.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (5, 8)
    triggered = "scheduled action name peak was triggered"
    assert activities(aws) == [
        ("Setting min capacity to 5 and max capacity to 8.", triggered, "Successful"),
        ("Setting desired count to 5.", "minimum capacity was set to 5", "InProgress"),
    ]
    assert scaling.gaps == []


def test_a_second_action_overrides_what_is_in_progress(aws: Any, scaling: Scaling, world: World) -> None:
    aws.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=9)
    aws.put_scheduled_action(**TARGET, **MINUTELY, ScalableTargetAction={"MaxCapacity": 2})
    now = time.time()
    scaling.act(now, now + 61)
    aws.put_scheduled_action(**TARGET, **MINUTELY, ScalableTargetAction={"MaxCapacity": 1})
    scaling.act(now + 61, now + 121)

    assert world.service.desired_count == 1
    assert [(cause, status) for what, cause, status in activities(aws) if "desired" in what] == [
        ("maximum capacity was set to 2", "Overridden"),
        ("maximum capacity was set to 1", "InProgress"),
    ]


def test_the_other_end_of_the_range_stays_and_a_range_that_is_none_fails(
    aws: Any, scaling: Scaling, world: World
) -> None:
    aws.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=4)
    aws.put_scheduled_action(**TARGET, **MINUTELY, ScalableTargetAction={"MinCapacity": 5})
    now = time.time()
    scaling.act(now, now + 61)

    (failed,) = aws.describe_scaling_activities(**TARGET)["ScalingActivities"]
    said = "Failed to set min capacity to 5. The minimum would be 5, the maximum 4."
    assert (failed["StatusCode"], failed["StatusMessage"]) == ("Failed", said)
    assert world.service.desired_count == 3


def test_scheduled_scaling_is_suspended(aws: Any, scaling: Scaling, world: World) -> None:
    suspended = {"ScheduledScalingSuspended": True}
    aws.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=4, SuspendedState=suspended)
    aws.put_scheduled_action(**TARGET, **MINUTELY, ScalableTargetAction={"MaxCapacity": 2})
    now = time.time()
    scaling.act(now, now + 61)

    assert (world.service.desired_count, activities(aws)) == (3, [])


def test_what_ecs_refuses_is_an_activity_that_failed(aws: Any, world: World) -> None:
    aws.register_scalable_target(**TARGET, MinCapacity=1_000_000, MaxCapacity=1_000_000)

    (failed,) = aws.describe_scaling_activities(**TARGET)["ScalingActivities"]
    assert failed["StatusCode"] == "Failed"
    assert failed["StatusMessage"].startswith("Failed to set desired count to 1000000. Reason: desiredCount is 1000000")
    assert world.service.desired_count == 3


def test_activities_come_in_pages(aws: Any) -> None:
    for count in (4, 5, 6):
        aws.register_scalable_target(**TARGET, MinCapacity=count, MaxCapacity=9)
    one = aws.describe_scaling_activities(**TARGET, MaxResults=2)
    rest = aws.describe_scaling_activities(**TARGET, MaxResults=2, NextToken=one["NextToken"])

    found = [each["Description"][-2] for each in one["ScalingActivities"] + rest["ScalingActivities"]]
    assert found == ["6", "5", "4"]
    assert "NextToken" not in rest
    assert activities(aws, ResourceId="service/shop/other") == []


def test_scheduled_actions_go_with_their_target(aws: Any) -> None:
    aws.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=4)
    aws.put_scheduled_action(**TARGET, **MINUTELY, ScalableTargetAction={"MaxCapacity": 2})
    aws.deregister_scalable_target(**TARGET)
    assert aws.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"] == []


def test_what_is_refused(aws: Any) -> None:
    with refused("ValidationException", "A new scalable target needs MinCapacity and MaxCapacity"):
        aws.register_scalable_target(**TARGET, MinCapacity=1)
    with refused("ValidationException", "MinCapacity 5 must be from 0 to MaxCapacity, which is 4"):
        aws.register_scalable_target(**TARGET, MinCapacity=5, MaxCapacity=4)
    with refused("ObjectNotFoundException", "No scalable target is registered for ServiceNamespace ecs"):
        aws.put_scheduled_action(**TARGET, **MINUTELY)
    with refused("ObjectNotFoundException", "No scalable target is registered"):
        aws.put_scaling_policy(**TARGET, PolicyName="cpu", PolicyType="TargetTrackingScaling")
    aws.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=4)
    with refused("ValidationException", "MinCapacity 5 must be from 0"):
        aws.register_scalable_target(**TARGET, MinCapacity=5)
    with refused("ValidationException", "cron has 5 fields"):
        aws.put_scheduled_action(**TARGET, ScheduledActionName="peak", Schedule="cron(0 22 * * ?)")
    with refused("ValidationException", "no time zone"):
        aws.put_scheduled_action(**TARGET, **MINUTELY, Timezone="Mars/Olympus")
    with refused("ValidationException", "MinCapacity 3 must be from 0 to MaxCapacity, which is 2"):
        aws.put_scheduled_action(**TARGET, **MINUTELY, ScalableTargetAction={"MinCapacity": 3, "MaxCapacity": 2})
    with refused("ObjectNotFoundException", "no scheduled action peak"):
        aws.delete_scheduled_action(**TARGET, ScheduledActionName="peak")


def test_an_action_that_is_put_again_keeps_its_schedule(aws: Any) -> None:
    aws.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=4)
    aws.put_scheduled_action(**TARGET, **MINUTELY)
    aws.put_scheduled_action(**TARGET, ScheduledActionName="peak", ScalableTargetAction={"MaxCapacity": 2})
    (action,) = aws.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"]
    assert (action["Schedule"], action["ScalableTargetAction"]) == ("rate(1 minute)", {"MaxCapacity": 2})


def test_alarms_of_a_policy_go_with_it_and_with_its_target(aws: Any, client: Client) -> None:
    def alarms() -> int:
        return len(client("cloudwatch").describe_alarms()["MetricAlarms"])

    def put(value: float) -> str:
        metric = {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}
        tracking = {"TargetValue": value, "PredefinedMetricSpecification": metric}
        policy = {"PolicyName": "cpu", "PolicyType": "TargetTrackingScaling", **TARGET}
        put = aws.put_scaling_policy(**policy, TargetTrackingScalingPolicyConfiguration=tracking)
        return str(put["PolicyARN"])

    aws.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=4)
    assert put(50) == put(60)
    assert alarms() == 2
    (policy,) = aws.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]
    assert policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 60
    aws.deregister_scalable_target(**TARGET)
    assert alarms() == 0
    assert aws.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"] == []


def test_a_scalable_target_has_tags(aws: Any) -> None:
    arn = aws.register_scalable_target(
        **TARGET,
        MinCapacity=1,
        MaxCapacity=4,
        Tags={"team": "web", "tier": "front"},
    )["ScalableTargetARN"]
    aws.tag_resource(ResourceARN=arn, Tags={"team": "till"})
    aws.untag_resource(ResourceARN=arn, TagKeys=["tier"])

    assert aws.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"team": "till"}
    with pytest.raises(aws.exceptions.ResourceNotFoundException):
        aws.list_tags_for_resource(ResourceARN=arn + "x")


def test_what_has_no_effect_is_told(aws: Any, scaling: Scaling) -> None:
    aws.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=4)
    metric = {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}
    aws.put_scaling_policy(
        **TARGET,
        PolicyName="cpu",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={"TargetValue": 50, "PredefinedMetricSpecification": metric},
    )
    table = {
        "ServiceNamespace": "dynamodb",
        "ResourceId": "table/orders",
        "ScalableDimension": "dynamodb:table:ReadCapacityUnits",
    }
    aws.register_scalable_target(**table, MinCapacity=1, MaxCapacity=4)
    aws.put_scheduled_action(**table, **MINUTELY)

    assert [(gap.where, gap.what) for gap in scaling.gaps] == [
        ("scalable target service/shop/shop", "policy cpu"),
        ("scalable target table/orders", "scheduled action peak"),
    ]
