"""Each dimension of a line at its edge."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.costs import lines
from lab.costs.lines import Line, lcus, mixed_steps, nlcus, steps
from lab.costs.options import OPTIONS, PUBLIC_ALB, SERVICE_CONNECT, bill, option_named
from lab.costs.prices import PriceBook
from lab.costs.quantities import Requests
from lab.costs.scenario import GB, KB, METER_BOTH, METER_LARGER, METER_REQUEST, Scenario

ONE = Decimal(1)
TINY = Scenario(request_bytes=Decimal(0), response_bytes=Decimal(0))


def of(name: str, scenario: Scenario, prices: PriceBook) -> dict[str, Line]:
    return {line.item: line for line in bill(option_named(name), scenario, prices).lines}


@pytest.mark.parametrize(
    ("kb", "count"),
    [("0", 1), ("512", 1), ("512.001", 2), ("1024", 2), ("1024.001", 3), ("10240", 20)],
)
def test_an_http_api_counts_a_request_for_every_512_kb(kb: str, count: int, prices: PriceBook) -> None:
    scenario = Scenario(response_bytes=Decimal(kb) * KB)
    assert steps(scenario) == count
    assert steps(replace(TINY, request_bytes=Decimal(kb) * KB)) == count
    assert of("service-connect", scenario, prices)["HTTP API requests"].quantity == Requests(scenario.requests * count)
    assert of("rest-nlb", scenario, prices)["REST API requests"].quantity == Requests(scenario.requests)


@pytest.mark.parametrize(("metering", "count"), [(METER_REQUEST, 1), (METER_LARGER, 2), (METER_BOTH, 3)])
def test_what_an_http_api_meters_is_assumed(metering: Decimal, count: int, prices: PriceBook) -> None:
    scenario = Scenario(request_bytes=500 * KB, response_bytes=600 * KB, http_api_metering=metering)
    line = of("service-connect", scenario, prices)["HTTP API requests"]
    assert line.quantity == Requests(scenario.requests * count)
    assert line.assumed == f"steps of 512 KB: {count} for each request"
    # Where it makes no difference nothing is assumed.
    small = replace(scenario, request_bytes=12 * KB, response_bytes=500 * KB)
    assert of("service-connect", small, prices)["HTTP API requests"].assumed == ""
    assert "REST API requests" in of("rest-nlb", scenario, prices)


@pytest.mark.parametrize("metering", [METER_REQUEST, METER_LARGER, METER_BOTH])
@given(data=st.data())
@settings(deadline=None, max_examples=50)
def test_steps_of_mixed_payloads_lie_where_their_means_say(metering: Decimal, data: st.DataObject) -> None:
    sizes = st.integers(0, 10 * 2**20).map(Decimal)
    payloads = data.draw(st.lists(st.tuples(sizes, sizes), min_size=1, max_size=6))
    each = [Scenario(request_bytes=up, response_bytes=down, http_api_metering=metering) for up, down in payloads]
    number = len(payloads)
    mean = replace(
        each[0],
        request_bytes=sum((up for up, _ in payloads), Decimal(0)) / number,
        response_bytes=sum((down for _, down in payloads), Decimal(0)) / number,
    )
    low, high = mixed_steps(mean)
    tolerance = Decimal("1e-20")
    assert low - tolerance <= sum((steps(one) for one in each), Decimal(0)) / number <= high + tolerance
    assert steps(mean) <= high


def test_lcu_new_connections() -> None:
    assert lcus(TINY, Decimal(25), ONE) == 1
    assert lcus(TINY, Decimal(25), Decimal("0.5")) == Decimal("0.5")


def test_lcu_active_connections() -> None:
    # 25 new ones a second that last 120 s are 3,000 at any time: from there on the active ones count.
    assert lcus(replace(TINY, connection_seconds=Decimal(120)), Decimal(25), ONE) == 1
    assert lcus(replace(TINY, connection_seconds=Decimal(121)), Decimal(25), ONE) == Decimal(121) / 120


def test_lcu_data() -> None:
    # One new connection a request is 1 GB in 90,000 requests, 11.65 KB of request and response.
    at_the_edge = replace(TINY, response_bytes=GB / 90_000)
    assert lcus(at_the_edge, Decimal(25), ONE) == pytest.approx(1)
    assert lcus(replace(at_the_edge, request_bytes=GB / 90_000), Decimal(25), ONE) == pytest.approx(2)
    assert lines.alb_threshold_bytes(TINY, ONE) == pytest.approx(GB / 90_000)


def test_lcu_rule_evaluations() -> None:
    # Ten rules are free; with one connection for each thousand requests only the rules are left.
    few = Decimal("0.001")
    assert lcus(replace(TINY, listener_rules=10), Decimal(1000), few) == 1000 * few / 25
    assert lcus(replace(TINY, listener_rules=11), Decimal(1000), few) == 1
    assert lcus(replace(TINY, listener_rules=12), Decimal(1000), few) == 2


def test_nlcu_dimensions() -> None:
    assert nlcus(TINY, Decimal(800), ONE) == 1
    assert nlcus(replace(TINY, connection_seconds=Decimal(125)), Decimal(800), ONE) == 1
    assert nlcus(replace(TINY, connection_seconds=Decimal(250)), Decimal(800), ONE) == 2
    assert nlcus(replace(TINY, response_bytes=GB / 3600), ONE, ONE) == pytest.approx(1)
    assert lines.nlb_threshold_bytes(TINY, ONE) == pytest.approx(GB / 3600 / 800)


def test_capacity_units_are_counted_hour_by_hour(prices: PriceBook) -> None:
    # The same requests in a day: twelve quiet hours and twelve busy ones use as many units as an even day.
    even = Scenario(rates=(Decimal(10),))
    uneven = Scenario(rates=(Decimal(0), Decimal(20)))
    assert of("public-alb", even, prices)["ALB capacity units"].cost == (
        of("public-alb", uneven, prices)["ALB capacity units"].cost
    )


def test_lattice_has_300_000_free_requests_an_hour(prices: PriceBook) -> None:
    item = "Lattice requests beyond the free ones"
    free = Decimal(300_000) / 3600
    assert of("lattice", Scenario(rates=(free,)), prices)[item].quantity.value == 0
    more = of("lattice", Scenario(rates=(free + 1,)), prices)[item]
    assert more.quantity.value == pytest.approx(3600 * 730)
    assert more.cost.value == pytest.approx(Decimal(3600 * 730) / 10**6 / 10)
    # Free requests of a quiet hour are lost: half a day at twice the rate has more to pay.
    peaks = of("lattice", Scenario(rates=(Decimal(0), free * 2)), prices)[item]
    assert peaks.quantity.value == pytest.approx(300_000 * 365)


def test_lattice_without_its_entry_and_with_it(prices: PriceBook) -> None:
    entry = bill(option_named("lattice"), Scenario(), prices)
    alone = bill(option_named("lattice"), Scenario(lattice_entry=Decimal(0)), prices)
    assert "entry from the internet is added" in entry.notes[0]
    assert "without an entry" in alone.notes[0]
    assert (entry.total - alone.total).value == sum(
        (line.cost.value for line in entry.lines if line.assumed.startswith("entry added")), Decimal(0)
    )


def test_the_service_connect_share_costs_only_where_the_size_rises(prices: PriceBook) -> None:
    held = of("service-connect", Scenario(), prices)
    assert held["Service Connect share: vCPU"].cost.value == held["Service Connect share: memory"].cost.value == 0
    risen = of("service-connect", Scenario(proxy="on-top", tasks=1), prices)
    assert risen["Service Connect share: vCPU"].cost.value == Decimal("0.25") * 730 * Decimal("0.04656")
    assert risen["Service Connect share: memory"].cost.value == Decimal("0.5") * 730 * Decimal("0.00511")


BETWEEN = "between zones, both directions"


@pytest.mark.parametrize(
    ("name", "to"), [("service-connect", "task"), ("internal-nlb", "NLB node"), ("rest-nlb", "NLB node")]
)
def test_between_zones_is_billed_in_both_directions(name: str, to: str, prices: PriceBook) -> None:
    scenario = Scenario(azs=3)
    line = of(name, scenario, prices)[BETWEEN]
    crossed = scenario.requests * scenario.exchanged_bytes / GB * 2 / 3
    assert line.cost.value == pytest.approx(crossed * 2 / 100)
    assert line.assumed.startswith(f"API Gateway's choice of a zone's {to}: 0.67")
    assert of(name, Scenario(azs=1), prices)[BETWEEN].cost.value == 0


def test_an_alb_crosses_zones_free_of_charge_unless_assumed_otherwise(prices: PriceBook) -> None:
    free, billed = Scenario(), Scenario(alb_cross_az_share=Decimal("0.5"))
    assert of("internal-alb", free, prices)[BETWEEN].cost.value == 0
    assert of("internal-alb", billed, prices)[BETWEEN].cost == of("internal-nlb", free, prices)[BETWEEN].cost
    # Clients on the internet have no zone.
    for name in ("public-alb", "lattice"):
        assert BETWEEN not in of(name, billed, prices)


def test_each_way_over_zones_has_a_switch_of_its_own(prices: PriceBook) -> None:
    none = Decimal(0)
    near = Scenario(nlb_cross_az_share=none)
    assert of("internal-nlb", near, prices)[BETWEEN].cost.value == 0
    assert of("service-connect", near, prices)[BETWEEN].cost.value > 0
    near = Scenario(cross_az_share=none)
    assert of("service-connect", near, prices)[BETWEEN].cost.value == 0
    assert of("rest-nlb", near, prices)[BETWEEN].cost.value > 0


def test_the_ways_out_of_the_tasks(prices: PriceBook) -> None:
    def network(way: str) -> dict[str, Decimal]:
        scenario = Scenario(network=way)  # type: ignore[arg-type]
        return {
            item: line.cost.value
            for item, line in of("service-connect", scenario, prices).items()
            if line.group == "private network" or item == "endpoints of the proxy"
        }

    assert network("endpoints") == {
        "interface endpoints": Decimal("48.18"),
        "data through endpoints": 0,
        "endpoints of the proxy": Decimal("16.06"),
    }
    assert network("nat") == {
        "NAT gateway hours": Decimal("36.50"),
        "public IPv4 of NAT gateways": Decimal("3.65"),
        "data through NAT": 0,
    }
    assert network("public") == {"public IPv4 of tasks": 3 * Decimal("3.65")}
    assert network("none") == {}


def test_logs_metrics_and_image(prices: PriceBook) -> None:
    scenario = Scenario(insights=True, images_kept=5, image_mb=Decimal(512), log_retention_days=60)
    found = of("service-connect", scenario, prices)
    gigabytes = scenario.requests * 400 / GB
    assert found["log ingestion"].cost.value == pytest.approx((gigabytes - 5) * Decimal("0.5985"))
    assert found["log storage"].cost.value == pytest.approx(gigabytes * 2 * Decimal("0.0315"))
    assert found["Container Insights"].cost.value == Decimal("0.07") * (36 + 3 * 20)
    assert "number of metrics" in found["Container Insights"].assumed
    assert found["image in ECR"].cost.value == Decimal("0.25")


def test_quotas_of_api_gateway_are_said_where_it_is_used(prices: PriceBook) -> None:
    over = Scenario(rates=(Decimal(10_001),), response_bytes=Decimal(10 * 2**20 + 1))
    for option in OPTIONS:
        notes = " ".join(bill(option, over, prices).notes)
        assert ("at most 10 MB" in notes) == option.gateway
        assert ("10,000 requests/s" in notes) == option.gateway
    at_the_edge = Scenario(rates=(Decimal(10_000),), response_bytes=Decimal(10 * 2**20))
    assert bill(SERVICE_CONNECT, at_the_edge, prices).notes == ()


def test_an_idle_service_costs_what_stands_there(prices: PriceBook) -> None:
    idle = Scenario(rates=(Decimal(0),))
    assert (
        bill(PUBLIC_ALB, idle, prices).total.value
        == Decimal("19.3158")
        + Decimal("7.30")
        + Decimal("48.18")
        + (3 * (Decimal("0.25") * 730 * Decimal("0.04656") + Decimal("0.5") * 730 * Decimal("0.00511")))
        + Decimal(60 * 20) / 1024 / 10
    )
