"""Application Auto Scaling by boto3, and what it does to services: ECS is in virtual time."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.twin.aws.ecs.world import World, task_definition
from tests.twin.aws.moto.conftest import REGION, Client
from twin.aws.moto.alarms import Alarms
from twin.aws.moto.scaling import Scaling
from twin.events import Counted, Measured, ParametersChanged

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


class Fronts:
    """A gateway and load balancers that answer nobody."""

    async def answers(self) -> dict[tuple[str, str], dict[str, int]]:
        return {}

    async def requests(self) -> dict[tuple[str, str], tuple[int, int]]:
        return {}


@pytest.fixture
def alarms(client: Client, world: World) -> Alarms:
    return Alarms("123456789012", REGION, Fronts(), Fronts(), world.parameters, world.bus)


@pytest.fixture
def scaling(alarms: Alarms, world: World) -> Scaling:
    return Scaling(world.context, alarms, world.parameters, world.bus)


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
    put_policy(aws, **CPU)
    steps = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [{"ScalingAdjustment": 1}]}
    aws.put_scaling_policy(**TARGET, PolicyName="steps", PolicyType="StepScaling", StepScalingPolicyConfiguration=steps)
    table = {
        "ServiceNamespace": "dynamodb",
        "ResourceId": "table/orders",
        "ScalableDimension": "dynamodb:table:ReadCapacityUnits",
    }
    aws.register_scalable_target(**table, MinCapacity=1, MaxCapacity=4)
    aws.put_scheduled_action(**table, **MINUTELY)

    assert [(gap.where, gap.what, gap.why) for gap in scaling.gaps] == [
        ("scalable target service/shop/shop", "policy steps", "no alarm has it as its action, so it scales nothing"),
        ("scalable target table/orders", "scheduled action peak", "the twin scales services of ECS alone"),
    ]


# Policies


CPU: Json = {
    "TargetValue": 50.0,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
}
NEVER = {"enable": False, "rollback": False}
OF_THE_SERVICE = {"ClusterName": "shop", "ServiceName": "shop"}


def put_policy(aws: Any, name: str = "cpu", **configuration: Any) -> str:
    policy = {"PolicyName": name, "PolicyType": "TargetTrackingScaling", **TARGET}
    return str(aws.put_scaling_policy(**policy, TargetTrackingScalingPolicyConfiguration=configuration)["PolicyARN"])


@pytest.fixture
def scaled(aws: Any, world: World, scaling: Scaling) -> Scaling:
    """A target of 1 to 9 tasks."""
    aws.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=9)
    return scaling


def periods(world: World, scaling: Scaling, number: int, *events: object) -> list[int]:
    """So many periods of scaling, in each of which all of these happen; the desired count after each."""
    counts = []
    for _ in range(number):
        for event in events:
            world.bus.publish(event)
        world.advance()
        scaling.scale()
        counts.append(world.service.desired_count)
    return counts


def cpu(value: float, minutes: float = 1.0) -> Measured:
    return Measured("CPUUtilization", value, minutes, OF_THE_SERVICE)


def described(client: Client) -> list[Json]:
    """The alarms, AlarmHigh first."""
    found = client("cloudwatch").describe_alarms()["MetricAlarms"]
    return sorted(found, key=lambda alarm: alarm["EvaluationPeriods"])


def test_a_service_scales_out_after_three_points_and_in_after_fifteen_and_its_cooldown(
    aws: Any, client: Client, world: World, scaled: Scaling
) -> None:
    put_policy(aws, **CPU, ScaleOutCooldown=60, ScaleInCooldown=120)

    assert periods(world, scaled, 5, cpu(80), cpu(70), cpu(90)) == [3, 3, 5, 8, 9]
    high, low = described(client)
    assert (high["StateValue"], low["StateValue"]) == ("ALARM", "OK")
    cause = f"monitor alarm {high['AlarmName']} in state ALARM triggered policy cpu"
    assert activities(aws)[0] == ("Setting desired count to 5.", cause, "Overridden")
    assert periods(world, scaled, 14, cpu(20)) == [9] * 14
    assert periods(world, scaled, 4, cpu(20)) == [4, 4, 2, 2]
    assert described(client)[1]["StateValue"] == "ALARM"


def test_without_data_nothing_is_scaled(aws: Any, client: Client, world: World, scaled: Scaling) -> None:
    put_policy(aws, **CPU)
    periods(world, scaled, 2, cpu(10))
    assert periods(world, scaled, 20) == [3] * 20
    assert {alarm["StateValue"] for alarm in described(client)} == {"INSUFFICIENT_DATA"}


def test_no_scale_in_during_a_deployment(aws: Any, world: World, scaled: Scaling) -> None:
    put_policy(aws, **CPU)
    periods(world, scaled, 14, cpu(10))
    arn = world.call("RegisterTaskDefinition", task_definition())["taskDefinition"]["taskDefinitionArn"]
    world.tasks.unhealthy.add(arn)  # so it goes on
    world.update(taskDefinition=arn, deploymentConfiguration={"deploymentCircuitBreaker": NEVER})

    assert periods(world, scaled, 3, cpu(10)) == [3, 3, 3]
    world.tasks.unhealthy.clear()
    world.advance(300)
    assert world.service.primary.rollout_state == "COMPLETED"
    assert periods(world, scaled, 1, cpu(10)) == [1]


def test_suspended_until_it_is_not(aws: Any, world: World, scaled: Scaling) -> None:
    put_policy(aws, **CPU)
    suspended = {"DynamicScalingOutSuspended": True, "DynamicScalingInSuspended": True}
    aws.register_scalable_target(**TARGET, SuspendedState=suspended)
    assert periods(world, scaled, 4, cpu(90)) == [3] * 4
    aws.register_scalable_target(**TARGET, SuspendedState=dict.fromkeys(suspended, False))
    assert periods(world, scaled, 1, cpu(90)) == [6]


def test_of_two_policies_the_larger_capacity(aws: Any, world: World, scaled: Scaling) -> None:
    memory = {"PredefinedMetricType": "ECSServiceAverageMemoryUtilization"}
    put_policy(aws, **CPU)
    put_policy(aws, "memory", TargetValue=40.0, PredefinedMetricSpecification=memory)
    used = Measured("MemoryUtilization", 39, 1.0, OF_THE_SERVICE)

    assert periods(world, scaled, 16, cpu(10), used) == [3] * 16  # memory is not ready
    used = Measured("MemoryUtilization", 60, 1.0, OF_THE_SERVICE)
    assert periods(world, scaled, 3, cpu(10), used) == [3, 3, 5]


def test_a_short_period_counts_as_a_minute(aws: Any, client: Client, world: World, scaled: Scaling) -> None:
    metric = {
        "Namespace": "AWS/ECS",
        "MetricName": "RequestCount",
        "Dimensions": [{"Name": "DiscoveryName", "Value": "shop"}],
        "Statistic": "Sum",
    }
    put_policy(aws, "requests", TargetValue=600.0, CustomizedMetricSpecification=metric)
    put_policy(aws, **CPU)
    world.bus.publish(ParametersChanged(world.parameters.changed(["scaling-period=5"])))
    requests = Counted("RequestCount", 80, dimensions={"DiscoveryName": "shop"}, source="a")

    assert periods(world, scaled, 3, cpu(10, 5 / 60), requests)[-1] == 5  # 960 a minute: 1.6 times the target
    (minute,) = client("cloudwatch").get_metric_data(
        MetricDataQueries=[
            {
                "Id": "tasks",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/ECS",
                        "MetricName": "CPUUtilization",
                        "Dimensions": [{"Name": name, "Value": value} for name, value in OF_THE_SERVICE.items()],
                    },
                    "Period": 4 * 3600,
                    "Stat": "SampleCount",
                },
            }
        ],
        StartTime=time.time() - 7_200,
        EndTime=time.time() + 7_200,
    )["MetricDataResults"]
    assert minute["Values"] == [pytest.approx(0.25)]  # a quarter of a minute of one task


def test_a_metric_of_several_with_fill(aws: Any, world: World, scaled: Scaling) -> None:
    def query(of: str, name: str, stat: str, dimensions: dict[str, str]) -> Json:
        named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
        metric = {"Namespace": "AWS/ECS", "MetricName": name, "Dimensions": named}
        return {"Id": of, "MetricStat": {"Metric": metric, "Stat": stat}, "ReturnData": False}

    queries = [
        query("requests", "RequestCount", "Sum", {"DiscoveryName": "shop"}),
        query("tasks", "CPUUtilization", "SampleCount", OF_THE_SERVICE),
        {"Id": "each", "Expression": "FILL(requests, 0) / tasks", "ReturnData": True},
    ]
    put_policy(aws, "requests", TargetValue=100.0, CustomizedMetricSpecification={"Metrics": queries})
    requests = Counted("RequestCount", 450, dimensions={"DiscoveryName": "shop"}, source="a")

    assert periods(world, scaled, 3, requests, cpu(1), cpu(1), cpu(1)) == [3, 3, 5]
    assert periods(world, scaled, 20, *[cpu(1)] * 5)[-1] == 1  # no request comes any more


def test_a_step_policy_by_an_alarm_of_ones_own(aws: Any, client: Client, world: World, scaled: Scaling) -> None:
    steps = [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 2}]
    configuration = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": steps, "Cooldown": 60}
    put = {"PolicyName": "steps", "PolicyType": "StepScaling", "StepScalingPolicyConfiguration": configuration}
    arn = aws.put_scaling_policy(**TARGET, **put)["PolicyARN"]
    client("cloudwatch").put_metric_alarm(
        AlarmName="busy",
        Namespace="AWS/ECS",
        MetricName="CPUUtilization",
        Dimensions=[{"Name": name, "Value": value} for name, value in OF_THE_SERVICE.items()],
        Statistic="Average",
        Period=60,
        EvaluationPeriods=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        Threshold=70,
        AlarmActions=[arn],
    )
    assert aws.put_scaling_policy(**TARGET, **put)["PolicyARN"] == arn

    assert periods(world, scaled, 3, cpu(69)) == [3, 3, 3]
    assert periods(world, scaled, 2, cpu(70)) == [5, 7]
    assert activities(aws)[0][1] == "monitor alarm busy in state ALARM triggered policy steps"


def test_the_alarms_of_a_policy(aws: Any, client: Client, scaled: Scaling) -> None:
    arn = put_policy(aws, **CPU)
    high, low = described(client)
    for alarm, kind, comparison, periods, threshold in (
        (high, "High", "GreaterThanThreshold", 3, 50),
        (low, "Low", "LessThanThreshold", 15, 45),
    ):
        assert alarm["AlarmName"].startswith(f"TargetTracking-service/shop/shop-Alarm{kind}-")
        assert (alarm["ComparisonOperator"], alarm["EvaluationPeriods"]) == (comparison, periods)
        assert (alarm["Threshold"], alarm["MetricName"], alarm["AlarmActions"]) == (threshold, "CPUUtilization", [arn])
    assert put_policy(aws, **CPU | {"TargetValue": 60.0, "DisableScaleIn": True}) == arn
    (alarm,) = described(client)
    assert alarm["Threshold"] == 60
    (policy,) = aws.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]
    assert policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 60
    assert [each["AlarmName"] for each in policy["Alarms"]] == [alarm["AlarmName"]]
    aws.deregister_scalable_target(**TARGET)
    assert described(client) == []
    assert aws.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"] == []


def test_requests_of_a_load_balancer(aws: Any, world: World, scaled: Scaling, alarms: Alarms) -> None:
    balancer = f"arn:aws:elasticloadbalancing:{REGION}:123456789012:loadbalancer/app/web/50dc6c495c0c9188"
    group = f"arn:aws:elasticloadbalancing:{REGION}:123456789012:targetgroup/shop/943f017f100becff"
    label = "app/web/50dc6c495c0c9188/targetgroup/shop/943f017f100becff"
    metric = {"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": label}
    put_policy(aws, TargetValue=100.0, PredefinedMetricSpecification=metric)
    counts = []
    for total in (450, 900, 1_350):
        alarms.count_targets({(balancer, group): (total, 3)}, time.time())
        counts += periods(world, scaled, 1)
    assert counts == [3, 3, 5]  # 150 for each target: 1.5 times as many as wanted


@pytest.mark.parametrize(
    ("configuration", "why"),
    [
        ({"TargetValue": 50.0}, "needs a TargetValue above 0, and a predefined or a customized metric"),
        ({**CPU, "TargetValue": 0}, "needs a TargetValue above 0"),
        ({**CPU, "CustomizedMetricSpecification": {"MetricName": "m"}}, "a predefined or a customized"),
        (
            {"TargetValue": 50, "PredefinedMetricSpecification": {"PredefinedMetricType": "EC2SpotFleetRequest"}},
            "EC2SpotFleetRequest is no predefined metric of a service of ECS",
        ),
        (
            {"TargetValue": 50, "PredefinedMetricSpecification": {"PredefinedMetricType": "ALBRequestCountPerTarget"}},
            "needs a ResourceLabel",
        ),
    ],
)
def test_policies_that_are_refused(aws: Any, scaled: Scaling, configuration: Json, why: str) -> None:
    with refused("ValidationException", why):
        put_policy(aws, **configuration)
    with refused("ValidationException", "StepScaling needs StepAdjustments"):
        aws.put_scaling_policy(
            **TARGET, PolicyName="s", PolicyType="StepScaling", StepScalingPolicyConfiguration={"Cooldown": 1}
        )


def test_alarms_that_scale_are_computed_from_the_beginning(aws: Any, scaled: Scaling, alarms: Alarms) -> None:
    put_policy(aws, **CPU)
    assert {gap.why for gap in alarms.gaps} == {
        "the twin keeps no metric AWS/ECS CPUUtilization with these dimensions, so its state is the one that "
        "SetAlarmState gives it"
    }
    alarms.measure(cpu(0, minutes=0), time.time())
    assert alarms.gaps == []
