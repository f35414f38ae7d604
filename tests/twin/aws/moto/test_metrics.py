"""CloudWatch's metrics by boto3: what is put there and what the twin has counted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.backends import get_backend

from tests.twin.aws.moto.conftest import REGION, Client
from twin.aws.metrics import Datum, Metrics, key

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
NAMED = [{"Name": "DiscoveryName", "Value": "shop"}]
WHOLE = [{"Name": "ServiceName", "Value": "s"}, {"Name": "DiscoveryName", "Value": "shop"}]


@pytest.fixture
def cloudwatch(client: Client) -> Iterator[Any]:
    """With what two proxies have counted in three minutes, and what somebody has put."""
    backend: Any = get_backend("cloudwatch")["123456789012"][REGION]
    backend.counts = counts = Metrics()
    for minute, number in enumerate((10, 20, 30)):
        at = NOW.timestamp() + 60 * minute
        for source in "ab":
            counts.add(key("AWS/ECS", "RequestCount", {"DiscoveryName": "shop"}), number, at, source)
        whole = {"DiscoveryName": "shop", "ServiceName": "s"}
        counts.put(key("AWS/ECS", "TargetResponseTime", whole), Datum(100.0, 10, 2.0, 40.0), at)
    counts.keep([key("AWS/ECS", "HTTPCode_Target_5XX_Count", {"TargetDiscoveryName": "shop"})])
    found = client("cloudwatch")
    found.put_metric_data(
        Namespace="Own",
        MetricData=[
            {"MetricName": "m", "Dimensions": WHOLE, "Value": value, "Timestamp": NOW, "Unit": "Bytes"}
            for value in (1.0, 2.0)
        ],
    )
    yield found
    del backend.counts


def ask(cloudwatch: Any, *queries: dict[str, Any], minutes: int = 3, **more: Any) -> list[dict[str, Any]]:
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=queries,
        StartTime=NOW + timedelta(seconds=30),
        EndTime=NOW + timedelta(minutes=minutes),
        **more,
    )
    return list(answer["MetricDataResults"])


def query(
    of: str, name: str, stat: str, dimensions: Any, *, period: int = 60, space: str = "AWS/ECS"
) -> dict[str, Any]:
    metric = {"Namespace": space, "MetricName": name, "Dimensions": dimensions}
    return {"Id": of, "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}}


@pytest.mark.parametrize(
    ("stat", "values"),
    [("Sum", [60, 40, 20]), ("Average", [30, 20, 10]), ("SampleCount", [2, 2, 2]), ("Maximum", [30, 20, 10])],
)
def test_counts_by_the_minute_the_newest_first(cloudwatch: Any, stat: str, values: list[float]) -> None:
    (found,) = ask(cloudwatch, query("a", "RequestCount", stat, NAMED))
    assert found["Values"] == values
    assert found["Timestamps"] == [NOW + timedelta(minutes=minute) for minute in (2, 1, 0)]  # StartTime rounded down
    assert (
        ask(cloudwatch, query("a", "RequestCount", stat, NAMED), ScanBy="TimestampAscending")[0]["Values"]
        == values[::-1]
    )


def test_a_period_of_minutes(cloudwatch: Any) -> None:
    assert ask(cloudwatch, query("a", "RequestCount", "Sum", NAMED, period=120))[0]["Values"] == [60, 60]


@pytest.mark.parametrize("dimensions", [WHOLE, WHOLE[::-1]])
def test_dimensions_in_any_order_and_all_of_them(cloudwatch: Any, dimensions: Any) -> None:
    (found,) = ask(cloudwatch, query("a", "TargetResponseTime", "Average", dimensions))
    assert found["Values"] == [10.0] * 3
    (put,) = ask(cloudwatch, query("a", "m", "Sum", dimensions, space="Own"))
    assert put["Values"] == [3.0]
    for fewer in (NAMED, []):
        assert ask(cloudwatch, query("a", "TargetResponseTime", "Average", fewer))[0]["Values"] == []


def test_expressions(cloudwatch: Any) -> None:
    requests = {**query("r", "RequestCount", "Sum", NAMED), "ReturnData": False}
    time = {**query("t", "TargetResponseTime", "SampleCount", WHOLE), "ReturnData": False}
    (found,) = ask(cloudwatch, {"Id": "e", "Expression": "100 * t / r", "Label": "share"}, requests, time)
    assert (found["Label"], found["Values"]) == ("share", pytest.approx([100 / 6, 25, 50]))
    with pytest.raises(ClientError, match="The twin computes no expression with"):
        ask(cloudwatch, {"Id": "e", "Expression": "IF(r > 1, 1, 0)"}, requests)


def test_there_are_no_percentiles(cloudwatch: Any) -> None:
    assert ask(cloudwatch, query("a", "TargetResponseTime", "p99", WHOLE))[0]["Values"] == []


def test_statistics(cloudwatch: Any) -> None:
    asked = {"StartTime": NOW, "EndTime": NOW + timedelta(minutes=2), "Period": 60}
    points = cloudwatch.get_metric_statistics(
        Namespace="AWS/ECS",
        MetricName="TargetResponseTime",
        Dimensions=WHOLE,
        Statistics=["Average", "Maximum"],
        **asked,
    )["Datapoints"]
    assert [(p["Timestamp"], p["Average"], p["Maximum"], p["Unit"]) for p in points] == [
        (NOW, 10.0, 40.0, "Milliseconds"),
        (NOW + timedelta(minutes=1), 10.0, 40.0, "Milliseconds"),
    ]
    (put,) = cloudwatch.get_metric_statistics(
        Namespace="Own", MetricName="m", Dimensions=WHOLE, Statistics=["Sum"], **asked
    )["Datapoints"]
    assert (put["Sum"], put["Unit"]) == (3.0, "Bytes")


def test_a_metric_is_listed_once_it_has_a_value_and_once(cloudwatch: Any) -> None:
    listed = cloudwatch.list_metrics()["Metrics"]
    assert sorted(each["MetricName"] for each in listed) == ["RequestCount", "TargetResponseTime", "m"]

    def names(**filters: Any) -> list[str]:
        return sorted(each["MetricName"] for each in cloudwatch.list_metrics(**filters)["Metrics"])

    assert names(Namespace="AWS/ECS") == ["RequestCount", "TargetResponseTime"]
    assert names(Dimensions=[{"Name": "ServiceName"}]) == ["TargetResponseTime", "m"]
    assert names(MetricName="m", Dimensions=[{"Name": "ServiceName", "Value": "t"}]) == []


@pytest.mark.parametrize("operation", ["get_metric_data", "get_metric_statistics"])
def test_what_is_refused(cloudwatch: Any, operation: str) -> None:
    asked: dict[str, Any] = {"StartTime": NOW, "EndTime": NOW}
    if operation == "get_metric_data":
        asked["MetricDataQueries"] = [query("a", "RequestCount", "Sum", NAMED)]
    else:
        asked |= {"Namespace": "AWS/ECS", "MetricName": "RequestCount", "Period": 60, "Statistics": ["Sum"]}
    with pytest.raises(ClientError, match="StartTime must be less than"):
        getattr(cloudwatch, operation)(**asked)
