"""Examples worked by hand, to the cent, and each dimension of a line at its edge."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.costs import bill as bill_module
from lab.costs.bill import (
    GROUPS,
    PUBLIC_ALB,
    SERVICE_CONNECT,
    WAYS,
    WITH_SHARE,
    Line,
    Way,
    bill,
    lcus_beside_data,
    mixed_steps,
    nlcus_beside_data,
    steps,
    way_named,
)
from lab.costs.prices import UNITS, PriceBook
from lab.costs.scenario import GB, HOURS, KB, METER_BOTH, METER_LARGER, METER_REQUEST, Network, Scenario
from lab.costs.study import break_even
from lab.errors import BadInput

D = Decimal
ONE, CENT, TENTH = D(1), D("0.01"), D("0.1")
TINY = Scenario(request_bytes=D(0), response_bytes=D(0))
BETWEEN = "between zones, both directions"


def of(name: str, scenario: Scenario, prices: PriceBook) -> dict[str, Line]:
    return {line.item: line for line in bill(way_named(name), scenario, prices).lines}


@pytest.mark.parametrize(
    ("addresses", "fixed", "millions", "rate"),
    [(0, "19.32", "18.1", "6.9"), (2, "26.62", "25.0", "9.5"), (3, "30.27", "28.4", "10.8")],
)
def test_http_api_without_a_load_balancer_against_a_public_alb(
    exposure_only: Scenario, prices: PriceBook, addresses: int, fixed: str, millions: str, rate: str
) -> None:
    scenario = exposure_only.replace(load_balancer_addresses=addresses)
    idle = bill(PUBLIC_ALB, scenario.at_rate(D(0)), prices)
    assert idle.of("load balancer").quantize(CENT) == D(fixed)

    (point,) = break_even(scenario, prices, SERVICE_CONNECT, [PUBLIC_ALB])
    assert point.at.quantize(TENTH) == D(rate)
    assert (point.at * 3600 * HOURS / 10**6).quantize(TENTH) == D(millions)
    assert (point.cheaper_below, point.cheaper_above) == (SERVICE_CONNECT, PUBLIC_ALB)
    assert bill(PUBLIC_ALB, scenario.at_rate(point.at), prices).total == pytest.approx(point.usd, rel=D("1e-20"))


def test_the_internal_alb_by_hand(prices: PriceBook) -> None:
    # Fixed: the ALB's 19.3158 less the proxy's endpoints of 16.06. For each request/s and month Service Connect has
    # half of the 11 KB cross zones at 0.02 a GB, and the ALB its capacity units: the data, where half of the requests
    # open a connection, and one connection of 25 a second where all do.
    gigabytes = D(11) * KB * 3600 * HOURS / GB
    zones = gigabytes * D("0.01")
    for share, units in (("0.5", gigabytes), ("1", HOURS / 25)):
        rate = (D("19.3158") - D("16.06")) / (zones - units * D("0.0084"))
        scenario = Scenario(gateway_connections_per_request=D(share))
        (point,) = break_even(scenario, prices, SERVICE_CONNECT, [way_named("internal-alb")])
        assert point.at == pytest.approx(rate)
        assert rate.quantize(TENTH) == {"0.5": D("73.8"), "1": D("107.1")}[share]


@pytest.mark.parametrize(("architecture", "usd"), [("X86_64", "8.73"), ("ARM64", "6.98")])
def test_the_proxys_share_for_a_task_and_month(prices: PriceBook, architecture: Any, usd: str) -> None:
    # 256 CPU units and 64 MiB by themselves, as Fargate does not sell them.
    kind = "fargate_x86" if architecture == "X86_64" else "fargate_arm"
    cost = prices[f"{kind}_vcpu"].cost(HOURS / 4) + prices[f"{kind}_memory"].cost(HOURS / 16)
    assert cost.quantize(CENT) == D(usd)
    # What it sells instead is the next size.
    scenario = Scenario(tasks=1, architecture=architecture)
    more = bill(WITH_SHARE, scenario, prices).total - bill(SERVICE_CONNECT, scenario, prices).total
    assert more == prices[f"{kind}_vcpu"].cost(HOURS / 4) + prices[f"{kind}_memory"].cost(HOURS / 2)


@pytest.mark.parametrize(("azs", "usd"), [(2, "48.18"), (3, "72.27")])
def test_three_endpoints(prices: PriceBook, azs: int, usd: str) -> None:
    assert bill(PUBLIC_ALB, Scenario(azs=azs), prices).of("private network").quantize(CENT) == D(usd)


def test_the_ways_out_of_the_tasks(prices: PriceBook) -> None:
    def network(way: Any) -> dict[str, Decimal]:
        lines = of("service-connect", Scenario(network=way), prices)
        return {i: x.usd for i, x in lines.items() if x.group == "private network" or i == "endpoints of the proxy"}

    assert network("endpoints") == {
        "interface endpoints": D("48.18"),
        "data through endpoints": 0,
        "endpoints of the proxy": D("16.06"),
    }
    assert network("nat") == {
        "NAT gateway hours": D("36.50"),
        "public IPv4 of NAT gateways": D("3.65"),
        "data through NAT": 0,
    }
    assert network("public") == {"public IPv4 of tasks": 3 * D("3.65")}
    assert network("none") == {}


def test_cloud_map_is_free_under_service_connect_and_billed_alone(prices: PriceBook) -> None:
    assert not [item for item in of("service-connect", Scenario(), prices) if "Cloud Map" in item]
    found = of("cloud-map", Scenario(front_ends=D(10), discovery_cache_seconds=D(5)), prices)
    assert found["Cloud Map resources"].usd == 3 * D("0.11")
    assert found["hosted zone of the namespace"].usd == D("0.5")
    # Ten front ends, each asking every five seconds.
    assert found["Cloud Map discovery calls"].amount == 2 * 3600 * 730
    assert found["Cloud Map discovery calls"].usd == D("5.256") * D("1.1")
    assert found["Cloud Map discovery calls"].assumed == ("front_ends", "discovery_cache_seconds", "cloud_map_call")


def test_discovery_calls_do_not_grow_with_the_requests(prices: PriceBook) -> None:
    one, many = (of("cloud-map", Scenario().at_rate(D(rate)), prices) for rate in (1, 1000))
    assert one["Cloud Map discovery calls"].usd == many["Cloud Map discovery calls"].usd > 0


SHARED = {
    "ALB hours",
    "NLB hours",
    "public IPv4 of the load balancer",
    "entry: NLB hours",
    "entry: public IPv4 of the load balancer",
    "entry: proxy tasks: vCPU",
    "entry: proxy tasks: memory",
    "endpoints of the proxy",
    "interface endpoints",
    "NAT gateway hours",
    "public IPv4 of NAT gateways",
    "hosted zone of the namespace",
}


@pytest.mark.parametrize("network", ["endpoints", "nat"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_services_of_a_vpc_share_what_stands_there_whatever_the_way(
    prices: PriceBook, way: Way, network: Network
) -> None:
    alone, shared = (of(way.name, Scenario(network=network, services=each), prices) for each in (1, 4))
    for item, line in alone.items():
        assert shared[item].usd * 4 == (line.usd if item in SHARED else line.price.cost(line.amount * 4)), item


def test_services_of_a_vpc_go_through_the_tiers_of_a_price_together(prices: PriceBook) -> None:
    busy = Scenario(services=10).at_rate(D(300))
    line = of("service-connect", busy, prices)["HTTP API requests"]
    millions = D(300) * 3600 * 730 * 10 / 10**6
    assert line.usd == (300 * D("1.16") + (millions - 300) * D("1.044")) / 10
    assert line.kinks == (300 / millions,)
    assert line.assumed == ("http_api@300000000",)
    # Alone it is in the first tier.
    assert of("service-connect", Scenario().at_rate(D(30)), prices)["HTTP API requests"].assumed == ()
    assert of("service-connect", busy.at_rate(D(30)), prices)["HTTP API requests"].assumed == line.assumed


def test_tasks_in_public_subnets_have_addresses_and_no_endpoints(prices: PriceBook) -> None:
    private, public = (
        bill(way_named(f"service-connect{end}"), Scenario(), prices).total for end in ("", "-public-tasks")
    )
    assert private - public == D("64.24") - 3 * D("3.65")
    # Where the tasks are there anyway, or their way out is paid for, it is no other way.
    for network, offered in (("endpoints", True), ("nat", True), ("public", False), ("none", False)):
        assert way_named("public-alb-public-tasks").offered(Scenario(network=network)) is offered  # type: ignore[arg-type]


def test_cloudfront_bills_requests_and_egress_and_no_address(prices: PriceBook) -> None:
    scenario = Scenario().at_rate(D(100))
    found = of("cloudfront-alb", scenario, prices)
    assert found["CloudFront requests"].usd == (scenario.requests - 10**7) / 10**6 * D("1.2")
    gigabytes = scenario.requests * 10 * KB / GB
    assert found["CloudFront egress"].usd == (gigabytes - 1024) * D("0.085")
    assert not {"internet egress", "public IPv4 of the load balancer"} & set(found)


def test_the_rest_api_over_vpc_link_v2_needs_no_nlb(prices: PriceBook) -> None:
    found = of("rest-alb", Scenario(), prices)
    assert {"REST API requests", "ALB hours"} <= set(found)
    assert not [item for item in found if "NLB" in item]


@pytest.mark.parametrize(
    ("kb", "count"), [("0", 1), ("512", 1), ("512.001", 2), ("1024", 2), ("1024.001", 3), ("10240", 20)]
)
def test_an_http_api_counts_a_request_for_every_512_kb(kb: str, count: int, prices: PriceBook) -> None:
    scenario = Scenario(response_bytes=D(kb) * KB)
    assert steps(scenario) == count
    assert steps(TINY.replace(request_bytes=D(kb) * KB)) == count
    assert of("service-connect", scenario, prices)["HTTP API requests"].amount == scenario.requests * count
    assert of("rest-nlb", scenario, prices)["REST API requests"].amount == scenario.requests


@pytest.mark.parametrize(("metering", "count"), [(METER_REQUEST, 1), (METER_LARGER, 2), (METER_BOTH, 3)])
def test_what_an_http_api_meters_is_assumed(metering: int, count: int, prices: PriceBook) -> None:
    scenario = Scenario(request_bytes=500 * KB, response_bytes=600 * KB, http_api_metering=metering)
    line = of("service-connect", scenario, prices)["HTTP API requests"]
    assert (line.amount, line.assumed) == (scenario.requests * count, ("http_api_metering",))
    # Where it makes no difference nothing is assumed.
    small = scenario.replace(request_bytes=12 * KB, response_bytes=500 * KB)
    assert of("service-connect", small, prices)["HTTP API requests"].assumed == ()


@pytest.mark.parametrize("metering", [METER_REQUEST, METER_LARGER, METER_BOTH])
@given(data=st.data())
@settings(deadline=None, max_examples=50)
def test_steps_of_mixed_payloads_lie_where_their_means_say(metering: int, data: st.DataObject) -> None:
    sizes = st.integers(0, 10 * 2**20).map(Decimal)
    payloads = data.draw(st.lists(st.tuples(sizes, sizes), min_size=1, max_size=6))
    each = [Scenario(request_bytes=up, response_bytes=down, http_api_metering=metering) for up, down in payloads]
    number = len(payloads)
    mean = each[0].replace(
        request_bytes=sum((up for up, _ in payloads), D(0)) / number,
        response_bytes=sum((down for _, down in payloads), D(0)) / number,
    )
    low, high = mixed_steps(mean)
    tolerance = D("1e-20")
    assert low - tolerance <= sum((steps(one) for one in each), D(0)) / number <= high + tolerance
    assert steps(mean) <= high


def lcus(scenario: Scenario, rate: int, connections: Decimal, prices: PriceBook) -> Decimal:
    scenario = scenario.replace(rates=(D(rate),), connections_per_request=connections)
    return of("public-alb", scenario, prices)["ALB capacity units"].amount / HOURS


def test_lcu_dimensions_at_their_edge(prices: PriceBook) -> None:
    assert lcus(TINY, 25, ONE, prices) == 1
    assert lcus(TINY, 25, D("0.5"), prices) == D("0.5")
    # 25 new ones a second that last 120 s are 3,000 at any time: from there on the active ones count.
    assert lcus(TINY.replace(connection_seconds=D(120)), 25, ONE, prices) == 1
    assert lcus(TINY.replace(connection_seconds=D(121)), 25, ONE, prices) == pytest.approx(D(121) / 120)
    # One new connection a request is 1 GB in 90,000 requests, 11.65 KB of request and response.
    at_the_edge = TINY.replace(response_bytes=GB / 90_000)
    assert lcus(at_the_edge, 25, ONE, prices) == pytest.approx(1)
    assert lcus(at_the_edge.replace(request_bytes=GB / 90_000), 25, ONE, prices) == pytest.approx(2)


def test_lcu_rule_evaluations() -> None:
    # Ten rules are free; with one connection for each thousand requests only the rules are left.
    few = D("0.001")
    assert lcus_beside_data(TINY.replace(listener_rules=10), few) * 1000 == 1000 * few / 25
    assert lcus_beside_data(TINY.replace(listener_rules=11), few) * 1000 == 1
    assert lcus_beside_data(TINY.replace(listener_rules=12), few) * 1000 == 2


def test_nlcu_dimensions(prices: PriceBook) -> None:
    assert nlcus_beside_data(TINY, ONE) * 800 == 1
    assert nlcus_beside_data(TINY.replace(connection_seconds=D(125)), ONE) * 800 == 1
    assert nlcus_beside_data(TINY.replace(connection_seconds=D(250)), ONE) * 800 == 2
    data = TINY.replace(response_bytes=GB / 3600, rates=(ONE,))
    assert of("internal-nlb", data, prices)["NLB capacity units"].amount / HOURS == pytest.approx(1)


def test_capacity_units_are_counted_hour_by_hour(prices: PriceBook) -> None:
    # The same requests in a day: twelve quiet hours and twelve busy ones use as many units as an even day.
    even, uneven = (of("public-alb", Scenario(rates=rates), prices) for rates in ((D(10),), (D(0), D(20))))
    assert even["ALB capacity units"].usd == uneven["ALB capacity units"].usd


def test_lattice_has_300_000_free_requests_an_hour(prices: PriceBook) -> None:
    item = "Lattice requests beyond the free ones"
    free = D(300_000) / 3600
    assert of("lattice", Scenario().at_rate(free), prices)[item].amount == 0
    more = of("lattice", Scenario().at_rate(free + 1), prices)[item]
    assert more.amount == pytest.approx(3600 * 730)
    assert more.usd == pytest.approx(D(3600 * 730) / 10**6 * D("0.11"))
    # Free requests of a quiet hour are lost: half a day at twice the rate has more to pay.
    peaks = of("lattice", Scenario().replace(rates=(D(0), free * 2)), prices)[item]
    assert peaks.amount == pytest.approx(300_000 * 365)


def test_lattice_comes_with_an_entry_from_the_internet(prices: PriceBook) -> None:
    found = of("lattice", Scenario(azs=3), prices)
    assert found["entry: public IPv4 of the load balancer"].usd == 3 * D("3.65")
    assert found["entry: proxy tasks: vCPU"].amount == 3 * HOURS / 4


def test_the_share_rises_where_a_task_has_more_than_500_requests_a_second(prices: PriceBook) -> None:
    quiet, busy = (of(WITH_SHARE.name, Scenario(tasks=2).at_rate(D(rate)), prices) for rate in (1000, 1001))
    assert quiet["proxy's share: vCPU"].amount == 2 * HOURS / 4
    # 256 + 512 CPU units are held by a task of 1,024.
    assert busy["proxy's share: vCPU"].amount == 2 * HOURS * 3 / 4
    assert not WITH_SHARE.offered(Scenario(cpu=16384, memory=122880))


@pytest.mark.parametrize("name", ["service-connect", "cloud-map", "internal-nlb", "rest-nlb"])
def test_between_zones_is_billed_in_both_directions(name: str, prices: PriceBook) -> None:
    scenario = Scenario(azs=3)
    line = of(name, scenario, prices)[BETWEEN]
    crossed = scenario.requests * scenario.exchanged_bytes / GB * 2 / 3
    assert line.usd == pytest.approx(crossed * 2 / 100)
    assert line.assumed == ("cross_az_share",)
    assert of(name, Scenario(azs=1), prices)[BETWEEN].usd == 0


def test_an_alb_crosses_zones_free_of_charge_unless_assumed_otherwise(prices: PriceBook) -> None:
    free, billed = Scenario(), Scenario(alb_cross_az_share=D("0.5"))
    for name in ("internal-alb", "rest-alb"):
        assert of(name, free, prices)[BETWEEN].usd == 0
        assert of(name, billed, prices)[BETWEEN].usd == of("internal-nlb", free, prices)[BETWEEN].usd
    # Clients on the internet have no zone.
    for name in ("public-alb", "cloudfront-alb", "lattice"):
        assert BETWEEN not in of(name, billed, prices)


def test_logs_metrics_and_image(prices: PriceBook) -> None:
    scenario = Scenario(insights=True, images_kept=5, image_mb=D(512), log_retention_days=60)
    found = of("service-connect", scenario, prices)
    gigabytes = scenario.requests * 400 / GB
    assert found["log ingestion"].usd == pytest.approx((gigabytes - 5) * D("0.5985"))
    assert found["log storage"].usd == pytest.approx(gigabytes * 2 * D("0.0315"))
    assert found["Container Insights"].usd == D("0.077") * (36 + 3 * 20)
    assert found["Container Insights"].assumed == ("insights_metrics_per_task", "insights_metric")
    assert found["image in ECR"].usd == D("0.25")


def test_payloads_above_10_mb_do_not_fit_through_api_gateway() -> None:
    edge, over = (Scenario(response_bytes=D(10 * 2**20) + more) for more in (0, 1))
    for way in WAYS:
        assert way.carries(edge)
        assert way.carries(over) is not way.gateway


def test_an_idle_service_costs_what_stands_there(prices: PriceBook) -> None:
    tasks = 3 * (D("0.25") * 730 * D("0.04656") + D("0.5") * 730 * D("0.00511"))
    fixed = D("19.3158") + D("7.30") + D("48.18") + D(60 * 20) / 1024 / 10
    assert bill(PUBLIC_ALB, Scenario().at_rate(D(0)), prices).total == fixed + tasks


def test_the_endpoints_decide_more_than_the_balancer(prices: PriceBook) -> None:
    lines = of("service-connect", Scenario(), prices)
    assert lines["interface endpoints"].usd + lines["endpoints of the proxy"].usd == D("64.24")
    assert of("public-alb", Scenario(), prices)["ALB hours"].usd == D("19.3158")


def test_the_ways_and_the_lines_of_the_file_fit_each_other() -> None:
    content = json.loads((Path(bill_module.__file__).with_name("bill.json")).read_text())
    of_lines = {line["trait"] for line in content["lines"]}
    of_ways = {trait for way in content["ways"].values() for trait in way["traits"]}

    assert of_ways - of_lines == {"gateway", "public tasks"}  # what bill.py asks for by name
    assert of_lines - of_ways == set()
    assert {line["group"] for line in content["lines"]} == set(GROUPS)
    prices = {line["price"] for line in content["lines"]} - {"fargate_vcpu", "fargate_memory"}
    assert prices | {name for name in UNITS if name.startswith("fargate_")} == set(UNITS)


def test_a_way_that_there_is_not() -> None:
    with pytest.raises(BadInput, match="there is no way 'a'; choose one of service-connect, "):
        way_named("a")
