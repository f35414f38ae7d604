"""Alarms: errors that clients see, requests that were refused, tasks that are missing."""

from __future__ import annotations

from cdktf import ITerraformDependable
from cdktf_cdktf_provider_aws.cloudwatch_log_metric_filter import (
    CloudwatchLogMetricFilter,
    CloudwatchLogMetricFilterMetricTransformation,
)
from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import (
    CloudwatchMetricAlarm,
    CloudwatchMetricAlarmMetricQuery,
    CloudwatchMetricAlarmMetricQueryMetric,
)
from constructs import Construct

from serviceconnect.metrics import ApiSources, Metric, Sources
from serviceconnect.settings.operations import OperationsSettings

__all__ = ["Alarms"]

PERIOD = 60


class Alarms(Construct):
    """Three alarms, which notify the settings' topic if there is one: `errors` at once, the others by `watch_...`.

    The services' deployments are rolled back by the first, so it is there before the service.
    """

    def __init__(self, scope: Construct, id: str, settings: OperationsSettings, sources: ApiSources) -> None:
        super().__init__(scope, id)
        self._settings = settings
        self._topic = topic = [settings.alarm_topic_arn] if settings.alarm_topic_arn else None
        self.errors = CloudwatchMetricAlarm(
            self,
            "errors",
            alarm_name=f"{settings.name}-5xx",
            alarm_description="More than 1 % of the answers are 5xx, in 3 of 5 minutes.",
            comparison_operator="GreaterThanThreshold",
            threshold=1,
            evaluation_periods=5,
            datapoints_to_alarm=3,
            treat_missing_data="notBreaching",
            metric_query=[
                _query("errors", sources.gateway("5xx", "Sum")),
                _query("requests", sources.gateway("Count", "Sum")),
                CloudwatchMetricAlarmMetricQuery(
                    id="percent", expression="100 * errors / requests", label="5xx in percent", return_data=True
                ),
            ],
            alarm_actions=topic,
            ok_actions=topic,
        )

    def watch_requests(self, sources: Sources, access_log_name: str) -> None:
        """Make the alarm of refused requests."""
        settings, topic = self._settings, self._topic
        throttled = sources.throttled()
        CloudwatchLogMetricFilter(
            self,
            "throttled",
            name=f"{settings.name}-throttled",
            log_group_name=access_log_name,
            # The access log writes the status as text.
            pattern='{ $.status = "429" }',
            metric_transformation=CloudwatchLogMetricFilterMetricTransformation(
                namespace=throttled.namespace, name=throttled.name, value="1"
            ),
        )
        CloudwatchMetricAlarm(
            self,
            "throttles",
            alarm_name=f"{settings.name}-throttles",
            alarm_description="API Gateway answered requests with 429.",
            comparison_operator="GreaterThanThreshold",
            threshold=0,
            evaluation_periods=1,
            treat_missing_data="notBreaching",
            namespace=throttled.namespace,
            metric_name=throttled.name,
            statistic=throttled.stat,
            period=PERIOD,
            alarm_actions=topic,
            ok_actions=topic,
        )

    def watch_tasks(
        self, scope: Construct, settings: OperationsSettings, sources: Sources, rolled_out: ITerraformDependable
    ) -> None:
        """Make the alarm of a service's missing tasks in *scope*; before *rolled_out* there are too few."""
        running = sources.running()
        wanted = settings.desired_count if settings.autoscaling == "off" else settings.autoscaling_minimum
        CloudwatchMetricAlarm(
            scope,
            "tasks",
            alarm_name=f"{settings.name}-tasks",
            alarm_description=f"Fewer than {wanted} tasks run, for 5 minutes.",
            comparison_operator="LessThanThreshold",
            threshold=wanted,
            evaluation_periods=5,
            # Without a task there is no metric.
            treat_missing_data="breaching",
            namespace=running.namespace,
            metric_name=running.name,
            dimensions=running.dimensions,
            statistic=running.stat,
            period=PERIOD,
            alarm_actions=self._topic,
            ok_actions=self._topic,
            depends_on=[rolled_out],
        )


def _query(id: str, metric: Metric) -> CloudwatchMetricAlarmMetricQuery:
    return CloudwatchMetricAlarmMetricQuery(
        id=id,
        metric=CloudwatchMetricAlarmMetricQueryMetric(
            namespace=metric.namespace,
            metric_name=metric.name,
            dimensions=metric.dimensions,
            stat=metric.stat,
            period=PERIOD,
        ),
        return_data=False,
    )
