"""The alarms of target tracking policies, as Application Auto Scaling makes them in CloudWatch.

AlarmHigh fires when three minutes are above the target, AlarmLow when fifteen are below 90 percent of it; with
DisableScaleIn there is no AlarmLow. Predefined metrics: API reference, `PredefinedMetricSpecification`. Assumed: the
numbers of data points and the 90 percent, which are those of the alarms that users show, and the dimensions of
ALBRequestCountPerTarget.
"""

from __future__ import annotations

import uuid
from typing import Any

from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.backends import get_backend
from moto.cloudwatch.models import Dimension, Metric, MetricDataQuery, MetricStat

__all__ = ["alarms_of", "check"]

Json = dict[str, Any]

_OF_ECS = {
    "ECSServiceAverageCPUUtilization": "CPUUtilization",
    "ECSServiceAverageMemoryUtilization": "MemoryUtilization",
}
_OF_A_BALANCER = "ALBRequestCountPerTarget"
_HIGH = ("AlarmHigh", "GreaterThanThreshold", 3, 1.0)
_LOW = ("AlarmLow", "LessThanThreshold", 15, 0.9)
_ADJUSTMENTS = ("ChangeInCapacity", "PercentChangeInCapacity", "ExactCapacity")


def check(kind: str | None, configuration: Json | None) -> None:
    """Refuse the configuration of a policy of ECS that says nothing to scale by.

    Raises:
        AWSValidationException: it does not; the text says what it lacks.
    """
    given = configuration or {}
    if kind == "StepScaling":
        if given.get("AdjustmentType") not in _ADJUSTMENTS or not given.get("StepAdjustments"):
            raise AWSValidationException(f"StepScaling needs StepAdjustments, and an AdjustmentType of {_ADJUSTMENTS}.")
    elif kind == "TargetTrackingScaling":
        specifications = [given.get(f"{each}MetricSpecification") for each in ("Predefined", "Customized")]
        if given.get("TargetValue", 0) <= 0 or sum(map(bool, specifications)) != 1:
            raise AWSValidationException(
                "TargetTrackingScaling needs a TargetValue above 0, and a predefined or a customized metric."
            )
        predefined = (specifications[0] or {}).get("PredefinedMetricType", _OF_A_BALANCER)
        if predefined not in (*_OF_ECS, _OF_A_BALANCER):
            raise AWSValidationException(f"{predefined} is no predefined metric of a service of ECS.")
        label = (specifications[0] or {}).get("ResourceLabel", "")
        if specifications[0] and predefined == _OF_A_BALANCER and "/targetgroup/" not in label:
            raise AWSValidationException(f"{_OF_A_BALANCER} needs a ResourceLabel of a load balancer and target group.")


def alarms_of(policy: Any, account: str, region: str) -> list[Any]:
    """Make the alarms of a target tracking policy of ECS."""
    cloudwatch = get_backend("cloudwatch")[account][region]
    configuration = policy.target_tracking_scaling_policy_configuration
    metric = _metric(policy.resource_id, configuration)
    return [
        cloudwatch.put_metric_alarm(
            name=f"TargetTracking-{policy.resource_id}-{kind}-{uuid.uuid4()}",
            comparison_operator=comparison,
            evaluation_periods=periods,
            threshold=configuration["TargetValue"] * share,
            description=f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy.policy_arn}.",
            alarm_actions=[policy.policy_arn],
            **metric,
        )
        for kind, comparison, periods, share in ([_HIGH] if configuration.get("DisableScaleIn") else [_HIGH, _LOW])
    ]


def _metric(resource: str, configuration: Json) -> Json:
    """What the alarms of a policy look at, as moto takes it."""
    customized = configuration.get("CustomizedMetricSpecification") or {}
    if customized.get("Metrics"):
        nothing: Json = {"namespace": None, "metric_name": None, "statistic": None, "period": None, "dimensions": []}
        return {**nothing, "metric_data_queries": [_query(each) for each in customized["Metrics"]]}
    if customized:
        names = ("Namespace", "MetricName", "Statistic", "Dimensions")
        namespace, name, statistic, dimensions = (customized.get(each) or [] for each in names)
    else:
        predefined = configuration["PredefinedMetricSpecification"]
        if predefined["PredefinedMetricType"] == _OF_A_BALANCER:
            balancer, _, group = predefined["ResourceLabel"].partition("/targetgroup/")
            namespace, name, statistic = "AWS/ApplicationELB", "RequestCountPerTarget", "Sum"
            where = {"LoadBalancer": balancer, "TargetGroup": f"targetgroup/{group}"}
        else:
            _, cluster, service = resource.split("/")
            namespace, name, statistic = "AWS/ECS", _OF_ECS[predefined["PredefinedMetricType"]], "Average"
            where = {"ClusterName": cluster, "ServiceName": service}
        dimensions = [{"Name": name, "Value": value} for name, value in where.items()]
    found = {"namespace": namespace, "metric_name": name, "statistic": statistic, "dimensions": dimensions}
    return {**found, "period": 60, "metric_data_queries": []}


def _query(given: Json) -> MetricDataQuery:
    """A query of a customized metric, over minutes."""
    stat = None
    if "MetricStat" in given:
        metric = given["MetricStat"]["Metric"]
        dimensions = [Dimension(each["Name"], each["Value"]) for each in metric.get("Dimensions", [])]
        stat = MetricStat(
            Metric(metric["MetricName"], metric["Namespace"], dimensions), 60, given["MetricStat"]["Stat"], None
        )
    returns = given.get("ReturnData", True)
    return MetricDataQuery(given["Id"], given.get("Label"), None, returns, given.get("Expression"), stat)
