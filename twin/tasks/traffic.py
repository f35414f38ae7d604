"""Service Connect's metrics: what the proxies of tasks have counted, as CloudWatch has it.

A proxy counts what comes in by its own discovery name, whoever sends it, and what its application sends to others, by
`TargetDiscoveryName`: so the latter has no requests of API Gateway. Names, dimensions and units are those of ECS's
developer guide, "Amazon ECS CloudWatch metrics". Assumed: `ServiceName` and `ClusterName` beside a
`TargetDiscoveryName` are the caller's; codes and times of a target are those that the caller's proxy sees, with what
the target's own proxy answers, and what the caller's answers where a target does not; a proxy reports every 15 s, as
the agent is configured [sc-agent], and the minute of the report is the one that it counts for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from twin.aws.ecs.model import Endpoint, Task
from twin.aws.ecs.ports import Instances
from twin.events import Counted, Events
from twin.tasks.egress import Call

__all__ = ["INTERVAL", "STATISTICS", "Traffic", "counted"]

Json = dict[str, Any]

INTERVAL = 15.0  # seconds
_LOOKED_AT = (
    r"^((http|tcp)\.ingress\.downstream_(rq_total|cx_total|cx_active|cx_rx_bytes_total)"
    r"|cluster\..+\.upstream_(rq_.xx|rq_total|rq_time|cx_tx_bytes_total|cx_active))$"
)
STATISTICS = f"/stats?format=json&histogram_buckets=detailed&filter={quote(_LOOKED_AT)}"
"""Where Envoy's admin interface has those that are looked at."""
_CODES = {f"HTTPCode_Target_{code}XX_Count": f"upstream_rq_{code}xx" for code in (2, 3, 4, 5)}

Bucket = tuple[float, float]  # the lower bound of a latency in ms, and how much wider it goes


@dataclass(frozen=True)
class Statistics:
    """What an Envoy has counted since it started: counters and gauges, and requests by latency, by name."""

    values: Mapping[str, float]
    latencies: Mapping[str, Mapping[Bucket, int]]

    @classmethod
    def read(cls, stats: Json) -> Statistics:
        """From the answer of its admin interface to `/stats?format=json&histogram_buckets=detailed`."""
        entries = stats.get("stats", [])
        details = [each for entry in entries for each in entry.get("histograms", {}).get("details", [])]
        return cls(
            {entry["name"]: entry["value"] for entry in entries if "value" in entry},
            {each["name"]: {(b["lower_bound"], b["width"]): b["count"] for b in each["totals"]} for each in details},
        )

    def value(self, name: str) -> float:
        return self.values.get(name, 0)

    def more(self, name: str, before: Statistics) -> float:
        """By how much a counter has risen; it begins anew with an Envoy that was restarted."""
        now, then = self.value(name), before.value(name)
        return now - then if now >= then else now

    def slower(self, name: str, before: Statistics) -> dict[Bucket, int]:
        """Requests by latency that have come since."""
        now, then = self.latencies.get(name, {}), before.latencies.get(name, {})
        if sum(now.values()) < sum(then.values()):
            then = {}
        return {bucket: more for bucket, count in now.items() if (more := count - then.get(bucket, 0)) > 0}


_NONE = Statistics({}, {})


def counted(
    task: Task,
    served: Sequence[str],
    protocol: str,
    calls: Iterable[tuple[str, Endpoint, int]],
    now: Statistics,
    before: Statistics = _NONE,
) -> Iterator[Counted]:
    """What the proxy of *task* has counted between two readings.

    Args:
        served: the discovery names under which Cloud Map has it.
        protocol: the `appProtocol` of its port, else tcp.
        calls: what its application may call: the name of Envoy's cluster, the endpoint, and how many tasks it has.
    """
    http = protocol != "tcp"
    ingress = "http.ingress.downstream" if http else "tcp.ingress.downstream"
    active = f"{ingress}_cx_active" if http else "cluster.application.upstream_cx_active"
    for name in served:
        level = Counted("ActiveConnectionCount", now.value(active), is_level=True)
        risen = {
            "NewConnectionCount": now.more(f"{ingress}_cx_total", before),
            "ProcessedBytes": now.more(f"{ingress}_cx_rx_bytes_total", before),
        }
        if http:
            risen["RequestCount"] = now.more(f"{ingress}_rq_total", before)
        if protocol == "grpc":
            risen["GrpcRequestCount"] = risen["RequestCount"]
        yield from _by(task, {"DiscoveryName": name}, [level, *_more(risen)])
    for cluster, endpoint, targets in calls:
        found = _sent(f"cluster.{cluster}.", endpoint, targets, now, before)
        yield from _by(task, {"TargetDiscoveryName": endpoint.discovery_name}, found)


def _more(risen: Mapping[str, float]) -> Iterator[Counted]:
    return (Counted(metric, total) for metric, total in risen.items())


def _sent(prefix: str, endpoint: Endpoint, targets: int, now: Statistics, before: Statistics) -> Iterator[Counted]:
    """What was sent to an endpoint, and came back."""
    yield from _more({"TargetProcessedBytes": now.more(f"{prefix}upstream_cx_tx_bytes_total", before)})
    if not endpoint.is_http:
        return
    yield from _more({metric: now.more(f"{prefix}{name}", before) for metric, name in _CODES.items()})
    if targets and (requests := now.more(f"{prefix}upstream_rq_total", before)):
        yield Counted("RequestCountPerTarget", requests / targets, is_shared=True)
    if latencies := now.slower(f"{prefix}upstream_rq_time", before):
        total = sum((least + width / 2) * count for (least, width), count in latencies.items())
        least, most = min(bucket[0] for bucket in latencies), max(sum(bucket) for bucket in latencies)
        yield Counted("TargetResponseTime", total, samples=sum(latencies.values()), least=least, most=most)


def _by(task: Task, name: Mapping[str, str], found: Iterable[Counted]) -> Iterator[Counted]:
    """Each by the dimensions that CloudWatch has it by: the name alone, and with the task's service and cluster."""
    own = {"ClusterName": task.cluster.name, "ServiceName": task.service_name}
    for each in found:
        for dimensions in (name, {**name, **own}):
            yield replace(each, dimensions=dimensions, source="" if each.is_shared else task.id)


class Traffic:
    """Publishes what each proxy has counted since it was read last."""

    def __init__(self, instances: Instances, events: Events) -> None:
        self._instances = instances
        self._events = events
        self._before: dict[str, Statistics] = {}  # by task id

    def read(self, task: Task, served: Sequence[str], protocol: str, calls: Sequence[Call], stats: Json) -> None:
        """Take over *stats* of a task's proxy, as its admin interface gives them; the rest is as in `counted`."""
        if not stats:  # it does not answer
            return
        now = Statistics.read(stats)
        before, self._before[task.id] = self._before.get(task.id, _NONE), now
        of = [(call.name, call.endpoint, len(self._instances.addresses(call.endpoint.service_id))) for call in calls]
        for each in counted(task, served, protocol, of, now, before):
            self._events.publish(each)

    def forget(self, task: Task) -> None:
        """It has stopped."""
        self._before.pop(task.id, None)
