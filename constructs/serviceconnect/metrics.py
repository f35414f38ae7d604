"""CloudWatch's metrics of this path: those that API Gateway, Service Connect and ECS report for its traffic.

Service Connect's metrics by `TargetDiscoveryName` (HTTP codes, response times) count only what comes from other Service
Connect tasks, so API Gateway's requests are not in them.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["ApiSources", "Metric", "Sources"]


@dataclass(frozen=True)
class Metric:
    """A metric of *namespace* by *dimensions*, taken as *stat* over a period."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    stat: str


@dataclass(frozen=True)
class ApiSources:
    """Whose metrics: names and ids, which may be references."""

    api_id: str
    stage: str

    def gateway(self, name: str, stat: str) -> Metric:
        """A metric of the HTTP API."""
        return Metric("AWS/ApiGateway", name, {"ApiId": self.api_id, "Stage": self.stage}, stat)


@dataclass(frozen=True)
class Sources(ApiSources):
    """The service's too."""

    cluster: str
    service: str
    discovery_name: str
    throttles_namespace: str

    def ecs(self, name: str, stat: str) -> Metric:
        """A metric of the tasks."""
        return Metric("AWS/ECS", name, {"ClusterName": self.cluster, "ServiceName": self.service}, stat)

    def connect(self, name: str, stat: str) -> Metric:
        """A metric of the tasks' Service Connect proxies."""
        dimensions = {
            "ClusterName": self.cluster,
            "ServiceName": self.service,
            "DiscoveryName": self.discovery_name,
        }
        return Metric("AWS/ECS", name, dimensions, stat)

    def running(self) -> Metric:
        """The number of running tasks: each reports its CPU once a minute, so it is the count of samples in a minute.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service_utilization.html
        """
        return self.ecs("CPUUtilization", "SampleCount")

    def throttled(self) -> Metric:
        """Requests that were answered with 429; HTTP APIs have no metric of it, so alarms.py takes it from the log."""
        return Metric(self.throttles_namespace, "Throttled", {}, "Sum")
