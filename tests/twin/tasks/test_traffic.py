"""What a proxy's statistics say for CloudWatch."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

from twin.aws.ecs.model import Endpoint, Task
from twin.tasks.traffic import Statistics, counted

TASK = cast(Task, SimpleNamespace(id="t", service_name="caller", cluster=SimpleNamespace(name="mesh")))
SHOP = Endpoint("shop", 8080, "shop", "srv-1", "mesh", "shop")
OWN = {"ClusterName": "mesh", "ServiceName": "caller"}
TIMES = "cluster.shop-8080.upstream_rq_time"


def stats(values: Mapping[str, float], times: Mapping[tuple[float, float], int] | None = None) -> Statistics:
    entries: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in values.items()]
    totals = [{"lower_bound": low, "width": width, "count": count} for (low, width), count in (times or {}).items()]
    return Statistics.read({"stats": [*entries, {"histograms": {"details": [{"name": TIMES, "totals": totals}]}}]})


def found(now: Statistics, before: Statistics, *, protocol: str = "http", targets: int = 3) -> dict[Any, Any]:
    values = counted(TASK, ["web"], protocol, [("shop-8080", SHOP, targets)], now, before)
    return {(each.metric, tuple(each.dimensions.items())): each for each in values}


def by(
    name: str, of: str = "DiscoveryName", value: str = "web", **more: str
) -> tuple[str, tuple[tuple[str, str], ...]]:
    return name, ((of, value), *more.items())


def to_shop(name: str, **more: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    return by(name, "TargetDiscoveryName", "shop", **more)


EMPTY = stats({})


def test_what_comes_in_is_by_the_tasks_own_discovery_name() -> None:
    prefix = "http.ingress.downstream_"
    now = stats(
        {prefix + "rq_total": 30, prefix + "cx_total": 4, prefix + "cx_active": 2, prefix + "cx_rx_bytes_total": 9}
    )
    values = found(now, stats({prefix + "rq_total": 10}))
    for more in ({}, OWN):
        assert values[by("RequestCount", **more)].total == 20
        assert values[by("NewConnectionCount", **more)].total == 4
        assert values[by("ProcessedBytes", **more)].total == 9
        level = values[by("ActiveConnectionCount", **more)]
        assert (level.total, level.is_level) == (2, True)
    assert {each.source for each in values.values() if not each.is_shared} == {"t"}
    assert by("GrpcRequestCount") not in values
    assert found(now, EMPTY, protocol="grpc")[by("GrpcRequestCount")].total == 30


def test_what_goes_out_is_by_the_targets() -> None:
    prefix = "cluster.shop-8080.upstream_"
    now = stats(
        {prefix + "rq_total": 30, prefix + "rq_2xx": 20, prefix + "rq_5xx": 10, prefix + "cx_tx_bytes_total": 7}
    )
    values = found(now, EMPTY)
    for more in ({}, OWN):
        assert values[to_shop("HTTPCode_Target_2XX_Count", **more)].total == 20
        assert values[to_shop("HTTPCode_Target_5XX_Count", **more)].total == 10
        assert values[to_shop("HTTPCode_Target_4XX_Count", **more)].total == 0
        assert values[to_shop("TargetProcessedBytes", **more)].total == 7
        share = values[to_shop("RequestCountPerTarget", **more)]
        assert (share.total, share.source) == (10, "")
    assert to_shop("RequestCountPerTarget") not in found(now, EMPTY, targets=0)


def test_latencies_are_those_that_came_since() -> None:
    before = stats({}, {(1, 0.1): 5, (10, 1): 1})
    now = stats({}, {(1, 0.1): 7, (10, 1): 2, (150, 10): 1})
    time = found(now, before)[to_shop("TargetResponseTime")]
    assert (time.samples, time.least, time.most) == (4, 1, 160)
    assert time.total == 2 * 1.05 + 10.5 + 155
    assert to_shop("TargetResponseTime") not in found(now, now)


def test_a_restarted_proxy_counts_anew() -> None:
    name = "http.ingress.downstream_rq_total"
    assert found(stats({name: 3}), stats({name: 100}))[by("RequestCount")].total == 3
    anew = found(stats({}, {(1, 0.1): 2}), stats({}, {(1, 0.1): 9}))
    assert anew[to_shop("TargetResponseTime")].samples == 2


def test_a_port_without_a_protocol_has_connections_and_bytes_alone() -> None:
    now = stats({"tcp.ingress.downstream_cx_total": 4, "cluster.application.upstream_cx_active": 1})
    values = found(now, EMPTY, protocol="tcp")
    assert values[by("NewConnectionCount")].total == 4
    assert values[by("ActiveConnectionCount")].total == 1
    assert {metric for metric, ((of, _), *_) in values if of == "DiscoveryName"} == {
        "NewConnectionCount",
        "ActiveConnectionCount",
        "ProcessedBytes",
    }
    of_tcp = Endpoint("db", 5432, "db", "srv-2", "mesh", "db", protocol="tcp")
    sent = counted(TASK, [], "tcp", [("db-5432", of_tcp, 2)], stats({"cluster.db-5432.upstream_rq_total": 9}), EMPTY)
    assert {each.metric for each in sent} == {"TargetProcessedBytes"}
