"""CloudWatch: alarms, which roll deployments back."""

from __future__ import annotations

from twin.stack.call import Call

__all__ = ["WATCHING"]

_QUERY = "metric_query.metric"

WATCHING = {
    "aws_cloudwatch_metric_alarm": Call(
        "cloudwatch",
        "PutMetricAlarm",
        rename={
            "metric_query": "Metrics",
            _QUERY: "MetricStat",
            f"{_QUERY}.namespace": "Metric.Namespace",
            f"{_QUERY}.metric_name": "Metric.MetricName",
            f"{_QUERY}.dimensions": "Metric.Dimensions",
        },
        derived={"id": "{alarm_name}", "arn": "arn:aws:cloudwatch:{region}:{account_id}:alarm:{alarm_name}"},
    ),
}
