"""Application Auto Scaling on a real twin, where a minute counts a second: real load, and tasks that start and stop."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.twin.aws.ecs.load import Load
from tests.twin.running import RunningTwin, TwinFactory, wait_until
from twin.remote import ask

NAMES = {"cluster": "serviceconnect", "services": ["serviceconnect"]}
TARGET = {
    "ServiceNamespace": "ecs",
    "ResourceId": "service/serviceconnect/serviceconnect",
    "ScalableDimension": "ecs:service:DesiredCount",
}
OF_THE_SERVICE = [
    {"Name": "ClusterName", "Value": "serviceconnect"},
    {"Name": "ServiceName", "Value": "serviceconnect"},
]


@pytest.fixture(scope="module")
def twin(start_twin: TwinFactory) -> RunningTwin:
    return start_twin("--scaling-period", "1", "--proxy-drain", "0")


def described(twin: RunningTwin) -> dict[str, Any]:
    return dict(twin.client("ecs").describe_services(**NAMES)["services"][0])


def causes(twin: RunningTwin) -> list[str]:
    """Of the scaling activities, the oldest first."""
    found = twin.client("application-autoscaling").describe_scaling_activities(**TARGET)["ScalingActivities"]
    return [each["Cause"] for each in reversed(found)]


@pytest.mark.timeout(300)
def test_a_service_scales_out_under_load_and_in_without(twin: RunningTwin) -> None:
    scaling = twin.client("application-autoscaling")
    scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=4)
    scaling.put_scaling_policy(
        **TARGET,
        PolicyName="cpu",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 10.0,  # low, so that a busy machine reaches it too
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
            "ScaleInCooldown": 60,  # a second
        },
    )
    with Load(twin.gateway_url, connections=4):
        wait_until(lambda: described(twin)["runningCount"] == 4, "four tasks run", 60)
    wait_until(lambda: described(twin)["runningCount"] == 1, "one task is left", 120)

    told = causes(twin)
    assert "AlarmHigh" in told[0]
    assert "AlarmLow" in told[-1]
    assert told[-1].endswith(" in state ALARM triggered policy cpu")
    assert "Successfully set desired count to 4. Waiting for change" in twin.says("events")
    assert "policy cpu" not in str(ask(twin.running, "gateway")["left_out"])


def test_processor_and_memory_are_read_as_other_metrics_are(twin: RunningTwin) -> None:
    now = datetime.now(UTC)

    def points(metric: str) -> Any:
        return twin.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/ECS",
            MetricName=metric,
            Dimensions=OF_THE_SERVICE,
            StartTime=now - timedelta(hours=2),
            EndTime=now + timedelta(hours=2),
            Period=4 * 3600,
            Statistics=["Average", "Minimum", "Maximum"],
        )["Datapoints"]

    wait_until(lambda: points("CPUUtilization"), "there is a sample", 20)
    for metric in ("CPUUtilization", "MemoryUtilization"):
        (point,) = points(metric)
        assert point["Unit"] == "Percent"
        assert 0 < point["Average"] <= point["Maximum"] <= 100


def test_a_scheduled_action_is_performed(twin: RunningTwin) -> None:
    scaling = twin.client("application-autoscaling")
    scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=4)
    soon = datetime.now(UTC) + timedelta(seconds=2)
    scaling.put_scheduled_action(
        **TARGET,
        ScheduledActionName="peak",
        Schedule=f"at({soon:%Y-%m-%dT%H:%M:%S})",
        ScalableTargetAction={"MinCapacity": 2, "MaxCapacity": 2},
    )
    wait_until(lambda: described(twin)["runningCount"] == 2, "two tasks run", 30)
    wait_until(
        lambda: scaling.describe_scaling_activities(**TARGET)["ScalingActivities"][0]["StatusCode"] == "Successful",
        "it is told",
    )
    assert "scheduled action name peak was triggered" in causes(twin)
