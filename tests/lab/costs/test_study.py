"""What is assumed, with its range; where two ways cost the same."""

from __future__ import annotations

from decimal import Decimal

import pytest

from lab.costs.bill import PUBLIC_ALB, SERVICE_CONNECT, WAYS, WITH_SHARE, bill, way_named
from lab.costs.prices import PriceBook
from lab.costs.scenario import Scenario
from lab.costs.study import Crossing, Study, assume, assumptions, break_even, crossings, total_range
from lab.errors import BadInput

D = Decimal
INTERNAL_ALB = way_named("internal-alb")


def test_every_default_lies_in_the_middle_of_its_range_but_one(prices: PriceBook) -> None:
    for each in assumptions(Scenario(), prices):
        middles = {(each.low + each.high) / 2, (each.low * each.high).sqrt()}  # of numbers, and of their sizes
        # AWS says of EC2 instances what is assumed here of a VPC link, so that its low end is the likely one.
        assert each.value in middles or each.name == "alb_cross_az_share", each.name


def test_with_three_zones_an_even_spread_is_assumed(prices: PriceBook) -> None:
    (share,) = (each for each in assumptions(Scenario(azs=3), prices) if each.name == "cross_az_share")
    assert (share.value, share.low, share.high) == (D(2) / 3, D(0), D(1))
    (share,) = (each for each in assumptions(Scenario(azs=1), prices) if each.name == "cross_az_share")
    assert (share.value, share.low, share.high) == (D(0), D(0), D(0))


def test_a_quantity_is_set(prices: PriceBook) -> None:
    scenario, same = assume(["front_ends=3", "http_api_metering=2"], Scenario(), prices)
    assert scenario == Scenario(front_ends=D(3), http_api_metering=2)
    assert same is prices


def test_a_price_is_set_and_other_tiers_stay(prices: PriceBook) -> None:
    same, changed = assume(["http_api@300000000=1", "lattice_hour=0.03"], Scenario(), prices)
    assert same == Scenario()
    assert changed["http_api"].cost(D(301_000_000)) == 349
    assert changed["lattice_hour"].cost(D(1)) == D("0.03")


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("weather=1", "'weather' is not assumed; what is assumed: front_ends"),
        ("alb_hour=1", "'alb_hour' is not assumed"),
        ("lattice_hour", "must be NAME=NUMBER, such as lattice_hour=0.03"),
        ("lattice_hour=cheap", "must be NAME=NUMBER"),
        ("lattice_hour=-1", "must be a number from 0 to 1,000,000"),
        ("lattice_hour=inf", "must be a number from 0 to"),
        ("lattice_hour=sNaN", "must be a number from 0 to"),
        ("lattice_hour=1e300", "must be a number from 0 to"),
        ("cross_az_share=2", "cross_az_share = Decimal|cross_az_share: must be less than or equal to 1"),
        ("http_api_metering=1.5", "http_api_metering: must be a valid integer"),
        ("alb_cross_az_share=2", "alb_cross_az_share: must be less than or equal to 1"),
        ("discovery_cache_seconds=0", "discovery_cache_seconds: must be greater than or equal to 0.1"),
    ],
)
def test_a_wrong_setting_is_refused(prices: PriceBook, setting: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        assume([setting], Scenario(), prices)


def test_the_assumptions_that_a_bill_rests_on_are_named_and_no_other(prices: PriceBook) -> None:
    def names(scenario: Scenario) -> set[str]:
        return {each.name for each in Study(scenario, prices).resting_on(WAYS)}

    # Less than 300 M requests, no Container Insights, payloads below a step.
    assert not {"http_api@300000000", "insights_metric", "insights_metrics_per_task", "http_api_metering"} & names(
        Scenario()
    )
    assert {"front_ends", "cross_az_share", "nlb_nlcu", "lattice_hour"} <= names(Scenario())
    assert {"insights_metric", "insights_metrics_per_task"} <= names(Scenario(insights=True))
    assert "http_api@300000000" in names(Scenario().at_rate(D(1000)))
    assert "http_api_metering" in names(Scenario(response_bytes=D(2**20)))
    assert "cross_az_share" not in names(Scenario(azs=1))


def test_the_range_of_a_total(prices: PriceBook) -> None:
    certain = {"public-alb", "public-alb-public-tasks"}
    for way in WAYS:
        low, high = total_range(way, Scenario(), prices)
        assert low <= bill(way, Scenario(), prices).total <= high
        assert (low == high) == (way.name in certain), way.name


def test_the_range_holds_what_was_set_beyond_it(prices: PriceBook) -> None:
    scenario = Scenario(front_ends=D(5000), discovery_cache_seconds=D("0.1"))
    way = way_named("cloud-map")
    assert total_range(way, scenario, prices)[1] >= bill(way, scenario, prices).total


def test_the_range_of_a_break_even_point_holds_it(prices: PriceBook) -> None:
    study = Study(Scenario(), prices)
    (point,) = (point for point in study.rates if point.against is PUBLIC_ALB)
    low, high = study.rate_range(PUBLIC_ALB)
    assert low is not None
    assert high is not None
    assert low < point.at < high


def test_no_upper_end_where_an_assumption_leaves_no_break_even_point(prices: PriceBook) -> None:
    # Without traffic between zones Service Connect is always cheaper than with an ALB behind the API.
    low, high = Study(Scenario(), prices).rate_range(INTERNAL_ALB)
    assert low is not None
    assert high is None
    assert list(break_even(Scenario(cross_az_share=D(0)), prices, SERVICE_CONNECT, [INTERNAL_ALB])) == []


def test_nothing_crosses_where_nothing_is_different() -> None:
    assert list(crossings(lambda x: D(0), [D(1)])) == []


@pytest.mark.parametrize("services", [3, 7, 11, 18])
def test_ways_that_cost_as_much_for_each_request_do_not_cross_by_rounding(services: int, prices: PriceBook) -> None:
    scenario = Scenario(services=services)
    ways = [way for way in WAYS if way.offered(scenario)]
    points = [each.at for way in ways for each in break_even(scenario, prices, way, ways)]
    assert len(points) > 20
    assert max(points) < 100_000


def test_every_crossing_of_a_tent_is_found() -> None:
    assert list(crossings(lambda x: D(1) - abs(x - 10), [D(10)])) == [
        Crossing(D(9), rises=True),
        Crossing(D(11), rises=False),
    ]


def test_a_tent_that_only_touches_does_not_cross() -> None:
    assert list(crossings(lambda x: -abs(x - 10), [D(10)])) == []


def test_a_crossing_at_a_kink_is_found_once() -> None:
    assert list(crossings(lambda x: (x - 10) * (1 if x < 10 else 2), [D(10)])) == [Crossing(D(10), rises=True)]


def test_a_jump_over_zero_is_a_crossing_at_the_step_whichever_side_its_value_belongs_to() -> None:
    for step in (lambda x: D(-1) if x <= 4 else D(1), lambda x: D(-1) if x < 4 else D(1)):
        assert list(crossings(step, [D(4)])) == [Crossing(D(4), rises=True)]


def test_a_stretch_at_zero_is_a_crossing_where_it_begins() -> None:
    assert list(crossings(lambda x: min(x - 2, D(0)) + max(x - 5, D(0)), [D(2), D(5)])) == [Crossing(D(2), rises=True)]


def test_crossings_beyond_the_end_are_none() -> None:
    assert list(crossings(lambda x: x - 5, [D(1), D(9)], end=D(4))) == []
    assert list(crossings(lambda x: x - 5, [D(1)], end=D(6))) == [Crossing(D(5), rises=True)]


def test_the_step_of_the_proxys_share_is_found_as_one(prices: PriceBook, exposure_only: Scenario) -> None:
    # With next to no data, connections and difference in the size of twenty tasks an ALB is its hours: with the share
    # dearer at one stroke above 500 requests/s for each task, where the proxies need Fargate's next size but one.
    scenario = exposure_only.replace(
        cpu=512, memory=1024, tasks=1, request_bytes=D(0), response_bytes=D(0), gateway_connections_per_request=D(0)
    )
    scenario = scenario.replace(cpu=256, memory=512)
    (point,) = break_even(scenario, prices, WITH_SHARE, [INTERNAL_ALB])
    assert point.at == 500

    def dearer(case: Scenario) -> bool:
        with_share, alb = (bill(way, case, prices).total for way in (WITH_SHARE, INTERNAL_ALB))
        return alb < with_share

    assert not dearer(scenario.at_rate(point.at))
    assert dearer(scenario.at_rate(point.at + D("0.001")))


def test_response_sizes_break_even_too(prices: PriceBook, exposure_only: Scenario) -> None:
    # Where no zone is crossed, an HTTP API's 512 KB steps are cheaper than an ALB's GB from some size on.
    scenario = exposure_only.at_rate(D(30))
    (point,) = break_even(scenario, prices, SERVICE_CONNECT, [PUBLIC_ALB], "response_bytes")
    assert (point.cheaper_below, point.cheaper_above) == (PUBLIC_ALB, SERVICE_CONNECT)
    heavy = scenario.replace(response_bytes=point.at)
    own, alb = (bill(way, heavy, prices).total for way in (SERVICE_CONNECT, PUBLIC_ALB))
    assert abs(own - alb) < D("1e-15")


def test_a_days_profile_keeps_its_shape(prices: PriceBook) -> None:
    def first(scenario: Scenario, against: str) -> Decimal:
        return next(break_even(scenario, prices, SERVICE_CONNECT, [way_named(against)])).at

    flat, peaked = Scenario(rates=(D(1),)), Scenario(rates=(*[D(0)] * 23, D(24)))
    assert first(flat, "public-alb") == first(peaked, "public-alb")
    # Lattice's free requests are by the hour, so there the shape counts.
    assert first(flat, "lattice") != first(peaked, "lattice")


def test_what_is_not_possible_breaks_even_with_nothing(prices: PriceBook) -> None:
    limit = D(10 * 2**20)
    for field in ("request_bytes", "response_bytes"):
        edge, over = (Scenario().replace(**{field: limit + more}) for more in (0, 1))
        assert not Study(over, prices).rates
        # The edge is carried, and at a trickle it costs less than the entry of VPC Lattice.
        assert Study(edge, prices).rates
    # Two that are possible are compared whatever the size.
    heavy = Scenario(response_bytes=limit + 1)
    assert Study(heavy, prices).difference(way_named("lattice")) > 0
    # How a bill grows with the response is asked from an empty one on.
    heavier = heavy.replace(request_bytes=limit + 1)
    assert not list(break_even(heavier, prices, SERVICE_CONNECT, [PUBLIC_ALB], "response_bytes"))


def test_the_break_even_points_of_the_default_stack(prices: PriceBook) -> None:
    found = {point.against.name: round(point.at, 1) for point in Study(Scenario(), prices).rates}
    assert found == {
        "internal-alb": D("73.8"),
        "public-alb": D("3.4"),
        "cloudfront-alb": D("1.0"),
        "lattice": D("18.1"),
    }
    # With the proxy's share an ALB of one's own is cheaper at every rate.
    assert {point.against.name for point in Study(Scenario(), prices).rates_with_share} == {
        "lattice",
        "internal-nlb",
        "rest-alb",
        "rest-nlb",
    }


def test_differences_are_to_the_way_that_is_asked_for(prices: PriceBook) -> None:
    study = Study(Scenario(), prices, INTERNAL_ALB)
    assert study.difference(INTERNAL_ALB) == 0
    assert study.difference(SERVICE_CONNECT) == study.bills[SERVICE_CONNECT].total - study.bills[INTERNAL_ALB].total


def test_a_service_that_leaves_alone_saves_nothing_of_what_is_shared(prices: PriceBook) -> None:
    scenario = Scenario(rates=(D(200),), services=5)
    # It alone goes through the tiers of API Gateway's price from the first, and of the logs' price has what is free.
    own, there = ({line.item: line.usd for line in bill(way, scenario.replace(services=1), prices).lines} for way in (
        SERVICE_CONNECT, PUBLIC_ALB
    ))  # fmt: skip
    new = sum((usd for item, usd in own.items() if item not in there), D(0))
    logs = sum((own[item] - there[item] for item in own.keys() & there.keys()), D(0))
    found = Study(scenario, prices).leaving_alone
    assert found == pytest.approx(new + logs - there["ALB capacity units"], abs=D("1e-9"))
    # As many as there are: of more services each pays less of what stands there, which changes nothing.
    assert Study(scenario.replace(services=50), prices).leaving_alone == pytest.approx(found, abs=D("1e-9"))


def test_a_free_amount_of_each_hour_is_left_but_once(prices: PriceBook) -> None:
    lattice = way_named("lattice")
    scenario = Scenario(rates=(D(200),), services=2)
    saved = {line.item: line.usd for line in bill(lattice, scenario, prices).lines if not line.shared}
    paid = {line.item: line.usd for line in bill(SERVICE_CONNECT, scenario.replace(services=1), prices).lines}
    left = sum((usd for item, usd in saved.items() if item not in paid), D(0))
    same = {line.item for line in bill(lattice, scenario, prices).lines if line.item in paid and line.shared}
    kept = {line.item: line.usd for line in bill(lattice, scenario.replace(services=1), prices).lines}
    more = sum((usd - kept.get(item, D(0)) for item, usd in paid.items() if item not in same), D(0))
    assert saved["Lattice requests beyond the free ones"] > 0
    assert Study(scenario, prices, lattice).leaving_alone == pytest.approx(more - left, abs=D("1e-9"))


def test_leaving_alone_is_of_several_services_and_of_something_shared(prices: PriceBook) -> None:
    assert Study(Scenario(), prices).leaving_alone is None
    assert Study(Scenario(services=5), prices, SERVICE_CONNECT).leaving_alone is None
    assert Study(Scenario(services=5), prices, WITH_SHARE).leaving_alone is None
