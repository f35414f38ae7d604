"""CloudWatch's metrics: what the twin has counted, and what PutMetricData brought, as the API gives them.

moto compares dimensions in the order in which they are given, and reads no expression. A metric is the one with exactly
the dimensions that are asked for. Periods begin at the whole minute in which StartTime lies. Percentiles are of no
statistic set, so there are none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.cloudwatch.exceptions import InvalidParameterValue, ValidationError
from moto.cloudwatch.models import CloudWatchBackend, MetricAggregatedDatum, MetricDatum, MetricDatumBase, Statistics

from twin.aws.alarms import compute
from twin.aws.metrics import STATISTICS, Datum, Key, Metrics, key

__all__ = ["complete"]

_UNITS = {
    "CPUUtilization": "Percent",
    "MemoryUtilization": "Percent",
    "ProcessedBytes": "Bytes",
    "TargetProcessedBytes": "Bytes",
    "TargetResponseTime": "Milliseconds",
}
_NOTHING = Metrics()

Series = list[tuple[datetime, Datum]]
Json = dict[str, Any]


def _key(namespace: str, name: str, dimensions: Iterable[Json]) -> Key:
    return key(namespace, name, {each["Name"]: each["Value"] for each in dimensions})


def _key_of(datum: MetricDatumBase) -> Key:
    return key(datum.namespace, datum.name, {each.name or "": each.value or "" for each in datum.dimensions})


def _unit(name: str) -> str:
    return _UNITS.get(name, "Count")


def _counts(backend: Any) -> Metrics:
    """Those of the twin: each account and Region has its own."""
    return getattr(backend, "counts", _NOTHING)


def _series(backend: Any, metric: Key, start: datetime, end: datetime, period: int, unit: str | None) -> Series:
    """A metric's samples, period by period from the minute of *start*, without those that have none."""
    if period < 1:
        raise InvalidParameterValue("The parameter Period must be a whole number of seconds, 1 or more.")
    first = _utc(start).replace(second=0, microsecond=0)
    found: dict[datetime, Datum] = {}

    def add(at: datetime, datum: Datum) -> None:
        begins = first + timedelta(seconds=(at - first).total_seconds() // period * period)
        found[begins] = found[begins] + datum if begins in found else datum

    for each in backend.metric_data:
        at = _utc(each.timestamp)
        if first <= at < _utc(end) and unit in (None, each.unit) and _key_of(each) == metric:
            add(at, _datum(each))
    if unit in (None, _unit(metric[1])):
        for minute, cells in list(_counts(backend).minutes.get(metric, ())):
            at = datetime.fromtimestamp(60 * minute, UTC)
            if first <= at < _utc(end):
                for datum in list(cells.values()):
                    add(at, datum)
    return sorted(found.items())


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _datum(put: MetricDatumBase) -> Datum:
    if isinstance(put, MetricAggregatedDatum):
        return Datum(put.sum, put.sample_count, put.min, put.max)
    assert isinstance(put, MetricDatum)
    return Datum.of(put.value)


def _get_metric_data(
    self: Any, queries: Sequence[Json], start_time: datetime, end_time: datetime, scan_by: str = "TimestampDescending"
) -> list[Json]:
    if _utc(start_time) >= _utc(end_time):
        raise ValidationError("The parameter StartTime must be less than the parameter EndTime.")
    values: dict[str, dict[datetime, float]] = {}
    for query in queries:
        if stat := query.get("MetricStat"):
            metric, period = stat["Metric"], int(stat["Period"])
            wanted = _key(metric["Namespace"], metric["MetricName"], metric.get("Dimensions", []))
            series = _series(self, wanted, start_time, end_time, period, stat.get("Unit"))
            values[query["Id"]] = dict(_statistic(series, stat["Stat"]))
    for query in queries:
        if "MetricStat" not in query:
            values[query["Id"]] = _computed(query["Expression"], values)
    return [
        {
            "id": query["Id"],
            "label": query.get("Label") or _label(query),
            "timestamps": (moments := sorted(values[query["Id"]], reverse=scan_by != "TimestampAscending")),
            "values": [values[query["Id"]][moment] for moment in moments],
            "status_code": "Complete",
        }
        for query in queries
        if query.get("ReturnData", True)
    ]


def _label(query: Json) -> str:
    return str(query["MetricStat"]["Metric"]["MetricName"]) if "MetricStat" in query else str(query["Id"])


def _statistic(series: Series, name: str) -> Iterator[tuple[datetime, float]]:
    for moment, datum in series:
        value = datum.statistic(name) if name in STATISTICS else None
        if value is not None:
            yield moment, value


def _computed(expression: str, values: Mapping[str, Mapping[datetime, float]]) -> dict[datetime, float]:
    found = {}
    for moment in {moment for series in values.values() for moment in series} or {datetime.min}:
        try:
            value = compute(expression, {name: series.get(moment) for name, series in values.items()})
        except ValueError as error:
            raise ValidationError(f"The twin computes no expression with {error}: {expression}") from None
        if value is not None and moment > datetime.min.replace(tzinfo=moment.tzinfo):
            found[moment] = value
    return found


def _get_metric_statistics(
    self: Any,
    namespace: str,
    metric_name: str,
    start_time: datetime,
    end_time: datetime,
    period: int,
    stats: list[str],
    dimensions: Sequence[Json],
    unit: str | None = None,
) -> list[Statistics]:
    if _utc(start_time) >= _utc(end_time):
        raise InvalidParameterValue("The parameter StartTime must be less than the parameter EndTime.")
    metric = _key(namespace, metric_name, dimensions)
    found = []
    for moment, datum in _series(self, metric, start_time, end_time, period, unit):
        one = Statistics(stats, moment, unit or _unit_of(self, metric))
        one.metric_data = [
            MetricAggregatedDatum(
                namespace, metric_name, datum.least, datum.most, datum.samples, datum.total, [], moment, one.unit
            )
        ]
        found.append(one)
    return found


def _unit_of(backend: Any, metric: Key) -> str:
    put = (each.unit for each in backend.metric_data if _key_of(each) == metric)
    return next(put, _unit(metric[1])) or "None"


def _get_filtered_metrics(
    self: Any, metric_name: str | None, namespace: str | None, dimensions: Sequence[Json]
) -> list[MetricDatumBase]:
    """Each metric once, that has a value and the dimensions of the filters, whatever others it has."""
    counted = [metric for metric, minutes in list(_counts(self).minutes.items()) if minutes]
    keys = dict.fromkeys([*counted, *map(_key_of, self.get_all_metrics())])
    return [
        MetricDatumBase(space, name, [{"Name": of, "Value": value} for of, value in own], None)
        for space, name, own in keys
        if namespace in (None, space) and metric_name in (None, name) and _has(dict(own), dimensions)
    ]


def _has(own: Mapping[str, str], filters: Iterable[Json]) -> bool:
    return all(each["Name"] in own and each.get("Value") in (None, own[each["Name"]]) for each in filters)


def complete() -> None:
    """Put them on moto's class."""
    CloudWatchBackend.get_metric_data = _get_metric_data
    CloudWatchBackend.get_metric_statistics = _get_metric_statistics
    CloudWatchBackend.get_filtered_metrics = _get_filtered_metrics
