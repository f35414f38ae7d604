"""Autoscaling of the number of tasks by target tracking."""

from __future__ import annotations

from cdktf_cdktf_provider_aws.appautoscaling_policy import (
    AppautoscalingPolicy,
)
from cdktf_cdktf_provider_aws.appautoscaling_policy import (
    AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration as TargetTracking,
)
from cdktf_cdktf_provider_aws.appautoscaling_policy import (
    AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecification as Customized,
)
from cdktf_cdktf_provider_aws.appautoscaling_policy import (
    AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationMetrics as Query,
)
from cdktf_cdktf_provider_aws.appautoscaling_policy import (
    AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationMetricsMetricStat as Stat,
)
from cdktf_cdktf_provider_aws.appautoscaling_policy import (
    AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationMetricsMetricStatMetric as StatMetric,  # noqa: E501
)
from cdktf_cdktf_provider_aws.appautoscaling_policy import (
    AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationMetricsMetricStatMetricDimensions as Dimension,  # noqa: E501
)
from cdktf_cdktf_provider_aws.appautoscaling_policy import (
    AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecification as Predefined,
)
from cdktf_cdktf_provider_aws.appautoscaling_target import AppautoscalingTarget
from constructs import Construct

from serviceconnect.metrics import Metric, Sources
from serviceconnect.service import Service
from serviceconnect.settings.operations import OperationsSettings

__all__ = ["Scaling"]


class Scaling(Construct):
    """Hold the tasks' CPU, or the requests a minute for each task, near the settings' target."""

    def __init__(
        self, scope: Construct, id: str, settings: OperationsSettings, service: Service, sources: Sources
    ) -> None:
        super().__init__(scope, id)
        target = AppautoscalingTarget(
            self,
            "target",
            service_namespace="ecs",
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=f"service/{service.cluster.name}/{service.name}",
            min_capacity=settings.autoscaling_minimum,
            max_capacity=settings.autoscaling_maximum,
        )
        cpu = settings.autoscaling == "cpu"
        AppautoscalingPolicy(
            self,
            "policy",
            name=f"{settings.name}-{settings.autoscaling}",
            policy_type="TargetTrackingScaling",
            service_namespace=target.service_namespace,
            scalable_dimension=target.scalable_dimension,
            resource_id=target.resource_id,
            target_tracking_scaling_policy_configuration=TargetTracking(
                target_value=settings.autoscaling_target,
                # Out at once, in slowly: a task that stops may cost requests on this path.
                scale_out_cooldown=60,
                scale_in_cooldown=300,
                predefined_metric_specification=Predefined(predefined_metric_type="ECSServiceAverageCPUUtilization")
                if cpu
                else None,
                customized_metric_specification=None if cpu else requests_for_each_task(sources),
            ),
        )


def requests_for_each_task(sources: Sources) -> Customized:
    """Requests a minute for each task, for which there is no predefined metric without a load balancer."""
    return Customized(
        metrics=[
            _query("requests", sources.connect("RequestCount", "Sum")),
            _query("tasks", sources.running()),
            # Without traffic there is no RequestCount, and without a value nothing is ever scaled in.
            Query(id="each", expression="FILL(requests, 0) / tasks", return_data=True),
        ]
    )


def _query(id: str, metric: Metric) -> Query:
    dimensions = [Dimension(name=name, value=value) for name, value in metric.dimensions.items()]
    stat = Stat(
        metric=StatMetric(namespace=metric.namespace, metric_name=metric.name, dimensions=dimensions), stat=metric.stat
    )
    return Query(id=id, metric_stat=stat, return_data=False)
