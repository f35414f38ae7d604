"""The log groups, declared so that they have a retention and go with the stack."""

from __future__ import annotations

from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from constructs import Construct

from serviceconnect.settings.service import ServiceSettings

__all__ = ["Logs"]


class Logs(Construct):
    """One log group for the service, one for its proxies, one for API Gateway's access log."""

    def __init__(self, scope: Construct, id: str, settings: ServiceSettings) -> None:
        super().__init__(scope, id)
        self.service = self._group("service", settings.log_group_name, settings)
        self.proxy = self._group("proxy", f"{settings.log_group_name}/service-connect", settings)
        # The prefix spares the account's one resource policy for log delivery, which has a limited size.
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html
        self.access = self._group("access", f"/aws/vendedlogs/apigateway/{settings.name}", settings)

    def _group(self, id: str, name: str, settings: ServiceSettings) -> CloudwatchLogGroup:
        return CloudwatchLogGroup(self, id, name=name, retention_in_days=settings.log_retention_days)
