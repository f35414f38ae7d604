"""The dashboard: the request's way from API Gateway through the proxies to the tasks."""

from __future__ import annotations

import json
from collections.abc import Sequence

from cdktf_cdktf_provider_aws.cloudwatch_dashboard import CloudwatchDashboard
from constructs import Construct

from serviceconnect.metrics import Metric, Sources
from serviceconnect.settings.common import CommonSettings

__all__ = ["Dashboard"]

# The dashboard's grid has 24 columns: three widgets a row.
WIDTH, HEIGHT, COLUMNS = 8, 6, 3


class Dashboard(Construct):
    """One page of graphs, a row each for gateway, Service Connect and tasks."""

    def __init__(self, scope: Construct, id: str, settings: CommonSettings, sources: Sources) -> None:
        super().__init__(scope, id)
        CloudwatchDashboard(
            self,
            "dashboard",
            dashboard_name=f"{settings.name}-{settings.region}",
            dashboard_body=json.dumps(body(settings.region, sources)),
        )


def body(region: str, sources: Sources) -> dict[str, object]:
    """The dashboard in CloudWatch's own structure.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
    """
    graphs: list[tuple[str, Sequence[Metric]]] = [
        ("Requests and errors", [sources.gateway(name, "Sum") for name in ("Count", "4xx", "5xx")]),
        (
            "Latency: whole, and of the integration",
            [sources.gateway(name, stat) for name in ("Latency", "IntegrationLatency") for stat in ("p50", "p99")],
        ),
        ("Throttled requests", [sources.throttled()]),
        ("Requests at the proxies", [sources.connect("RequestCount", "Sum")]),
        (
            "Connections at the proxies",
            [sources.connect(name, "Sum") for name in ("ActiveConnectionCount", "NewConnectionCount")],
        ),
        ("Bytes at the proxies", [sources.connect("ProcessedBytes", "Sum")]),
        ("Running tasks", [sources.running()]),
        ("CPU in percent", [sources.ecs("CPUUtilization", stat) for stat in ("Average", "Maximum")]),
        ("Memory in percent", [sources.ecs("MemoryUtilization", stat) for stat in ("Average", "Maximum")]),
    ]
    return {
        "widgets": [
            {
                "type": "metric",
                "x": WIDTH * (number % COLUMNS),
                "y": HEIGHT * (number // COLUMNS),
                "width": WIDTH,
                "height": HEIGHT,
                "properties": {
                    "title": title,
                    "region": region,
                    "view": "timeSeries",
                    "period": 60,
                    "metrics": [_row(metric) for metric in metrics],
                },
            }
            for number, (title, metrics) in enumerate(graphs)
        ]
    }


def _row(metric: Metric) -> list[object]:
    dimensions = [part for pair in metric.dimensions.items() for part in pair]
    return [metric.namespace, metric.name, *dimensions, {"stat": metric.stat}]
