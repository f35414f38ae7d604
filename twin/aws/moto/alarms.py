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

from twin.aws.alarms import Alarm, Query, evaluate, latest, unknown
from twin.aws.metrics import MINUTE, Datum, Key, Metrics, key
from twin.aws.moto.stores import locked
from twin.aws.scaling import Judgement
from twin.events import AlarmsChanged, Counted, Events, Measured, ParametersChanged, PeriodEnded
from twin.gaps import Gap
from twin.parameters import Parameters

__all__ = ["Alarms", "complete"]

_POLL = 5.0  # seconds
_GATEWAY, _ECS, _ELB = "AWS/ApiGateway", "AWS/ECS", "AWS/ApplicationELB"


class Gateway(Protocol):
    """What serves the APIs."""

    async def answers(self) -> Mapping[tuple[str, str], Mapping[str, int]]:
        """By API and stage, the metrics of HTTP APIs since it started: `Count`, `4xx`, `5xx`."""


class Balancers(Protocol):
    """What serves the load balancers."""

    async def requests(self) -> Mapping[tuple[str, str], tuple[int, int]]:
        """By load balancer and target group, by ARN: the requests since it started, and the targets that get some."""


class Alarms:
    """The alarms of one account and Region, and what is counted for them.

    States are computed with an alarm-bake above 0: else what one experiment loses rolls back the next one's deployment.
    """

    def __init__(
        self,
        account: str,
        region: str,
        gateway: Gateway,
        balancers: Balancers,
        parameters: Parameters,
        events: Events,
    ) -> None:
        self._gateway = gateway
        self._balancers = balancers
        self._parameters = parameters
        self._events = events
        self._backend: Any = get_backend("cloudwatch")[account][region]
        self._counts = self._backend.counts = Metrics()  # GetMetricData has them too
        self._periods = Metrics()  # the same for scaling policies, where each period counts as a minute
        self._period = 0  # the number of the one that goes on
        self._before: dict[tuple[str, str], Mapping[str, int]] = {}  # the last answers of gateway and load balancers
        self._asking = asyncio.Lock()
        events.subscribe(ParametersChanged, self._change)
        events.subscribe(Counted, lambda event: self.note(event, time.time()))
        events.subscribe(Measured, lambda event: self.measure(event, time.time()))
        events.subscribe(PeriodEnded, lambda event: self._ask())

    @property
    def work(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """What goes on by itself, by name."""
        return {"the alarms": self.run}

    def _change(self, event: ParametersChanged) -> None:
        if event.parameters.scaling_period != self._parameters.scaling_period:
            self._periods = Metrics()  # those of one length say nothing in another
        self._parameters = event.parameters

    async def run(self) -> None:
        """Compute the states from what was counted, until cancelled."""
        while True:
            await self._ask()
            if self.evaluate(time.time()):
                self._events.publish(AlarmsChanged())
            await asyncio.sleep(_POLL)

    async def _ask(self) -> None:
        """Take over what the gateway and the load balancers have counted."""
        async with self._asking:  # else the older of two answers could be taken for that of an Envoy that began anew
            self.count(await self._gateway.answers(), time.time())
            self.count_targets(await self._balancers.requests(), time.time())

    @locked
    def names(self) -> frozenset[str]:
        """Those of all."""
        return frozenset(self._backend.alarms)

    @property
    def gaps(self) -> list[Gap]:
        """The alarms whose state the twin does not compute."""
        idle = None if self._parameters.alarm_bake > 0 else "states are computed with an alarm-bake above 0 alone"
        why = [
            (alarm.name, unknown(alarm, self._counts) or (None if scales else idle)) for alarm, scales in self._all()
        ]
        own = "so its state is the one that SetAlarmState gives it"
        return [Gap(f"alarm {name}", "", f"{reason}, {own}") for name, reason in why if reason]

    @locked
    def _all(self) -> list[tuple[Alarm, bool]]:
        """Each, and whether it scales something."""
        return [(_read(each), _scales(each)) for each in self._backend.alarms.values()]

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
            more = self._more((api, stage), metrics)
            for dimensions in ({"ApiId": api}, {"ApiId": api, "Stage": stage}):
                keys = {name: key(_GATEWAY, name, dimensions) for name in more}
                self._keep(keys.values())
                if requests := more["Count"]:
                    for name, metric in keys.items():
                        number = more[name]
                        self._put(metric, Datum(number, requests, number == requests, number > 0), now)

    def count_targets(self, requests: Mapping[tuple[str, str], tuple[int, int]], now: float) -> None:
        """Take over what the load balancers have counted since they started: requests, and healthy targets."""
        for (balancer, group), (total, targets) in requests.items():
            more = self._more((balancer, group), {"Count": total})["Count"]
            of_group = {"TargetGroup": group.rpartition(":")[2]}
            of_both = {**of_group, "LoadBalancer": balancer.partition(":loadbalancer/")[2]}
            for dimensions in (of_group, of_both):
                metric = key(_ELB, "RequestCountPerTarget", dimensions)
                self._keep([metric])
                if more and targets:
                    self._add(metric, more / targets, now)

    def _more(self, source: tuple[str, str], metrics: Mapping[str, int]) -> dict[str, int]:
        """By how much the counts of a source have risen; they begin anew with an Envoy that was restarted."""
        before = self._before.get(source, {})
        self._before[source] = metrics
        if metrics["Count"] < before.get("Count", 0):
            before = {}
        return {name: total - before.get(name, 0) for name, total in metrics.items()}

    def note(self, event: Counted, now: float) -> None:
        """Take over what a proxy of Service Connect has counted until *now*, in seconds."""
        metric = key(_ECS, event.metric, event.dimensions)
        self._keep([metric])
        if event.is_level:
            self._counts.level(metric, event.total, now, event.source)
            self._periods.level(metric, event.total, self.now, event.source)
        elif event.samples > 1:
            self._put(metric, Datum(event.total, event.samples, event.least, event.most), now)
        elif event.total:
            self._add(metric, event.total, now, event.source)

    def measure(self, event: Measured, now: float) -> None:
        """Take over what a task has used until *now*, in seconds: a sample of the time before."""
        metric, share = key(_ECS, event.metric, event.dimensions), event.minutes
        self._keep([metric])
        if share:
            datum = Datum(event.value * share, share, event.value, event.value)
            self._put(metric, datum, now - share * MINUTE / 2)

    @property
    def now(self) -> float:
        """When the period that goes on began, in seconds of scaling: each counts as a minute."""
        return float(MINUTE * self._period)

    @property
    def _factor(self) -> float:
        """How many periods a minute has: what is counted in one is told as if it went on for a minute."""
        return MINUTE / self._parameters.scaling_period

    def _keep(self, metrics: Collection[Key]) -> None:
        self._counts.keep(metrics)
        self._periods.keep(metrics)

    def _put(self, metric: Key, datum: Datum, now: float) -> None:
        more = Datum(datum.total * self._factor, datum.samples * self._factor, datum.least, datum.most)
        self._counts.put(metric, datum, now)
        self._periods.put(metric, more, self.now)

    def _add(self, metric: Key, value: float, now: float, source: str = "") -> None:
        self._counts.add(metric, value, now, source)
        self._periods.add(metric, value * self._factor, self.now, source)

    @locked
    def end_period(self) -> dict[str, Judgement]:
        """Begin the next period of scaling, and judge the alarms that scale, by name, by those that are over."""
        self._period += 1
        judged, changed = {}, False
        for each in self._backend.alarms.values():
            if _scales(each):
                alarm = _read(each)
                value = None
                if not unknown(alarm, self._counts):
                    value = latest(alarm, self._periods, self.now)
                    changed |= self._enter(each, *evaluate(alarm, self._periods, self.now, each.state_value))
                judged[alarm.name] = Judgement(alarm.name, each.state_value == "ALARM", value, alarm.threshold)
        if changed:
            self._events.publish(AlarmsChanged())
        return judged

    @locked
    def evaluate(self, now: float) -> bool:
        """Compute the states anew; whether one has changed."""
        changed = False
        if self._parameters.alarm_bake <= 0:
            return changed
        for each in self._backend.alarms.values():
            alarm = _read(each)
            if not _scales(each) and not unknown(alarm, self._counts):
                changed |= self._enter(each, *evaluate(alarm, self._counts, now, each.state_value))
        return changed

    def _enter(self, alarm: Any, state: str, reason: str) -> bool:
        """Give moto's alarm this state; whether it is another one."""
        if state == alarm.state_value:
            return False
        alarm.update_state(reason, json.dumps({"evaluatedBy": "twin"}), state)
        del alarm.history[:-100]
        return True


def _fires(alarm: Any) -> bool:
    return bool(alarm.state_value == "ALARM")


def _scales(alarm: Any) -> bool:
    """Whether a scaling policy is its action."""
    return any(":scalingPolicy:" in action for action in alarm.alarm_actions)


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
