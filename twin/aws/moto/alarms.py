"""CloudWatch's alarms on moto's store: their states, and the metrics from which the twin computes some of them.

An alarm whose metrics the twin does not keep has the state that SetAlarmState gives it, for moto computes none.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Protocol

from moto.backends import get_backend
from moto.cloudwatch.models import CloudWatchBackend

from twin.aws.alarms import Alarm, Query, evaluate, unknown
from twin.aws.metrics import Datum, Metrics, key
from twin.aws.moto.stores import locked
from twin.events import AlarmsChanged, Counted, Events, ParametersChanged
from twin.gaps import Gap
from twin.parameters import Parameters

__all__ = ["Alarms", "complete"]

_POLL = 5.0  # seconds
_GATEWAY, _ECS = "AWS/ApiGateway", "AWS/ECS"


class Gateway(Protocol):
    """What serves the APIs."""

    async def answers(self) -> Mapping[tuple[str, str], Mapping[str, int]]:
        """By API and stage, the metrics of HTTP APIs since it started: `Count`, `4xx`, `5xx`."""


class Alarms:
    """The alarms of one account and Region, and what is counted for them.

    States are computed with an alarm-bake above 0: else what one experiment loses rolls back the next one's deployment.
    """

    def __init__(self, account: str, region: str, gateway: Gateway, parameters: Parameters, events: Events) -> None:
        self._gateway = gateway
        self._parameters = parameters
        self._events = events
        events.subscribe(ParametersChanged, self._change)
        self._backend: Any = get_backend("cloudwatch")[account][region]
        self._counts = self._backend.counts = Metrics()  # GetMetricData has them too
        events.subscribe(Counted, lambda event: self.note(event, time.time()))
        self._before: dict[tuple[str, str], Mapping[str, int]] = {}  # the last answer of the gateway

    @property
    def work(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """What goes on by itself, by name."""
        return {"the alarms": self.run}

    def _change(self, event: ParametersChanged) -> None:
        self._parameters = event.parameters

    async def run(self) -> None:
        """Compute the states from what the gateway has answered, until cancelled."""
        while True:
            self.count(await self._gateway.answers(), time.time())
            if self.evaluate(time.time()):
                self._events.publish(AlarmsChanged())
            await asyncio.sleep(_POLL)

    @locked
    def names(self) -> frozenset[str]:
        """Those of all."""
        return frozenset(self._backend.alarms)

    @property
    def gaps(self) -> list[Gap]:
        """The alarms whose state the twin does not compute."""
        idle = None if self._parameters.alarm_bake > 0 else "states are computed with an alarm-bake above 0 alone"
        why = [(alarm.name, unknown(alarm, self._counts) or idle) for alarm in self._all()]
        own = "so its state is the one that SetAlarmState gives it"
        return [Gap(f"alarm {name}", "", f"{reason}, {own}") for name, reason in why if reason]

    @locked
    def _all(self) -> list[Alarm]:
        return [_read(each) for each in self._backend.alarms.values()]

    @locked
    def firing(self, names: Collection[str]) -> frozenset[str]:
        """Which of *names* are in ALARM; one that is not there is not."""
        return frozenset(each.name for each in self._backend.alarms.values() if each.name in names and _fires(each))

    def count(self, answers: Mapping[tuple[str, str], Mapping[str, int]], now: float) -> None:
        """Take over what the gateway has counted since it started. A minute without a request has no data.

        Args:
            answers: by API and stage, the metrics of HTTP APIs: `Count`, `4xx`, `5xx`.
            now: seconds.
        """
        for (api, stage), metrics in answers.items():
            before = self._before.get((api, stage), {})
            self._before[api, stage] = metrics
            if metrics["Count"] < before.get("Count", 0):  # another Envoy has begun
                before = {}
            more = {name: total - before.get(name, 0) for name, total in metrics.items()}
            for dimensions in ({"ApiId": api}, {"ApiId": api, "Stage": stage}):
                keys = {name: key(_GATEWAY, name, dimensions) for name in more}
                self._counts.keep(keys.values())
                if requests := more["Count"]:
                    for name, metric in keys.items():
                        number = more[name]
                        self._counts.put(metric, Datum(number, requests, number == requests, number > 0), now)

    def note(self, event: Counted, now: float) -> None:
        """Take over what a proxy of Service Connect has counted until *now*, in seconds."""
        metric = key(_ECS, event.metric, event.dimensions)
        self._counts.keep([metric])
        if event.is_level:
            self._counts.level(metric, event.total, now, event.source)
        elif event.samples > 1:
            self._counts.put(metric, Datum(event.total, event.samples, event.least, event.most), now)
        elif event.total:
            self._counts.add(metric, event.total, now, event.source)

    @locked
    def evaluate(self, now: float) -> bool:
        """Compute the states anew; whether one has changed."""
        changed = False
        if self._parameters.alarm_bake <= 0:
            return changed
        for each in self._backend.alarms.values():
            alarm = _read(each)
            if unknown(alarm, self._counts):
                continue
            state, reason = evaluate(alarm, self._counts, now, each.state_value)
            if state != each.state_value:
                each.update_state(reason, json.dumps({"evaluatedBy": "twin"}), state)
                del each.history[:-100]
                changed = True
        return changed


def _fires(alarm: Any) -> bool:
    return bool(alarm.state_value == "ALARM")


def _read(alarm: Any) -> Alarm:
    """moto's alarm as the twin's."""
    if alarm.metric_data_queries:
        queries = tuple(_query(each) for each in alarm.metric_data_queries)
        periods = [each.metric_stat.period for each in alarm.metric_data_queries if each.metric_stat]
        period = int(periods[0]) if periods else 60
    else:
        dimensions = {each.name: each.value for each in alarm.dimensions}
        metric = key(alarm.namespace or "", alarm.metric_name or "", dimensions)
        queries = (Query("", metric, alarm.statistic or ""),)
        period = int(alarm.period or 60)
    evaluation_periods = int(alarm.evaluation_periods or 1)
    return Alarm(
        name=alarm.name,
        queries=queries,
        comparison=alarm.comparison_operator,
        threshold=float(alarm.threshold or 0),
        period=period,
        evaluation_periods=evaluation_periods,
        datapoints_to_alarm=int(alarm.datapoints_to_alarm or evaluation_periods),
        treat_missing_data=alarm.treat_missing_data or "missing",
    )


def _query(query: Any) -> Query:
    returns = str(query.return_data).lower() != "false"
    if query.metric_stat is None:
        return Query(query.id, None, "", query.expression or "", returns)
    metric = query.metric_stat.metric
    dimensions = {each.name: each.value for each in metric.dimensions}
    return Query(query.id, key(metric.namespace, metric.metric_name, dimensions), query.metric_stat.stat, "", returns)


def _put_metric_alarm(self: Any, *arguments: Any, **named: Any) -> Any:
    """moto's, but that an alarm which is there keeps its state: CloudWatch changes it in place."""
    name = named.get("name") or (arguments[0] if arguments else "")
    before = self.alarms.get(name)
    alarm = _PUT(self, *arguments, **named)
    if before is None:
        alarm.state_value = "INSUFFICIENT_DATA"
    else:
        for member in ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history"):
            setattr(alarm, member, getattr(before, member))
    return alarm


_PUT = CloudWatchBackend.put_metric_alarm


def complete() -> None:
    """Put it on moto's class."""
    CloudWatchBackend.put_metric_alarm = _put_metric_alarm
