"""The log groups, declared so that they have a retention and go with the stack."""

from __future__ import annotations

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from constructs import Construct

from serviceconnect.settings.service import ServiceSettings

__all__ = ["Logs", "ServiceLogs"]


class ServiceLogs(Construct):
    """Log groups of a service and its proxies."""

    def __init__(self, scope: Construct, id: str, settings: ServiceSettings) -> None:
        super().__init__(scope, id)
        self.service = self._group("service", settings.log_group_name, settings)
        self.proxy = self._group("proxy", f"{settings.log_group_name}/service-connect", settings)

    def _group(self, id: str, name: str, settings: ServiceSettings) -> CloudwatchLogGroup:
        return CloudwatchLogGroup(self, id, name=name, retention_in_days=settings.log_retention_days)


class Logs(ServiceLogs):
    """Those of the stack's first service, API Gateway's access log, and Container Insights' where that is on."""

    def __init__(self, scope: Construct, id: str, settings: ServiceSettings) -> None:
        super().__init__(scope, id, settings)
        # The prefix spares the account's one resource policy for log delivery, which has a limited size.
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html
        self.access = self._group("access", f"/aws/vendedlogs/apigateway/{settings.name}", settings)
        # ECS makes it by itself where it is not, for good and without a retention.
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Container-Insights-reference-performance-logs-ECS.html
        self.insights = []
        if settings.container_insights != "disabled":
            name = f"/aws/ecs/containerinsights/{settings.name}/performance"
            group = self._group("insights", name, settings)
            # When it is turned off, the cluster has to know before the group goes.
            group.lifecycle = TerraformResourceLifecycle(create_before_destroy=True)
            self.insights.append(group)
