from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from lab.costs.assumptions import assume, assumptions, break_even_range, effects, total_range
from lab.costs.options import OPTIONS, PUBLIC_ALB, SERVICE_CONNECT, bill
from lab.costs.prices import PriceBook
from lab.costs.quantities import Hours, Requests, Usd
from lab.costs.scenario import Scenario
from lab.errors import BadInput


def test_everything_unconfirmed_is_a_switch(prices: PriceBook) -> None:
    names = {assumption.name for assumption in assumptions(Scenario(), prices)}
    assert names >= {
        "discovery_calls_per_request",
        "http_api@300000000",
        "nlb_nlcu",
        "lattice_hour",
        "lattice_data",
        "lattice_request",
        "cloud_map_resource",
        "cloud_map_call",
        "insights_metric",
    }


def test_each_lies_within_its_range(prices: PriceBook) -> None:
    for assumption in assumptions(Scenario(), prices):
        assert assumption.low <= assumption.value <= assumption.high, assumption.name


def test_a_quantity_is_set(prices: PriceBook) -> None:
    scenario, same = assume(["discovery_calls_per_request=0.25"], Scenario(), prices)
    assert scenario == Scenario(discovery_calls_per_request=Decimal("0.25"))
    assert same == prices


def test_a_price_is_set_and_other_tiers_stay(prices: PriceBook) -> None:
    same, changed = assume(["http_api@300000000=1", "lattice_hour=0.03"], Scenario(), prices)
    assert same == Scenario()
    assert changed.http_api.cost(Requests(Decimal(301_000_000))) == Usd(Decimal(349))
    assert changed.lattice_hour.cost(Hours(Decimal(1))) == Usd(Decimal("0.03"))


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("weather=1", "'weather' is not assumed; what is assumed: discovery_calls_per_request"),
        ("lattice_hour", "must be NAME=NUMBER"),
        ("lattice_hour=cheap", "must be NAME=NUMBER"),
        ("lattice_hour=-1", "lattice_hour = -1 must be a number that is at least 0"),
        ("lattice_hour=inf", "must be a number that is at least 0"),
        ("cross_az_share=2", "cross az share = 2 must be from 0 to 1"),
        ("http_api_metering=1.5", "http api metering = 1.5 must be 0"),
        ("nlb_cross_az_share=2", "nlb cross az share = 2 must be from 0 to 1"),
        ("alb_cross_az_share=2", "alb cross az share = 2 must be from 0 to 1"),
    ],
)
def test_a_wrong_setting_is_refused(prices: PriceBook, setting: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        assume([setting], Scenario(), prices)


def test_an_effect_names_the_options_that_it_moves_and_no_other(prices: PriceBook) -> None:
    scenario = Scenario()
    found = {effect.assumption.name: effect.totals for effect in effects(scenario, prices)}
    assert set(found["discovery_calls_per_request"]) == {SERVICE_CONNECT}
    low, high = found["discovery_calls_per_request"][SERVICE_CONNECT]
    assert (high - low).value == pytest.approx(scenario.requests / 10**6)
    assert {option.letter for option in found["nlb_nlcu"]} == {"c", "e", "f"}
    assert {option.letter for option in found["nlb_cross_az_share"]} == {"c", "e"}
    assert {option.letter for option in found["alb_cross_az_share"]} == {"b"}
    # Nothing is logged about what does not matter here: less than 300 M requests, no Container Insights.
    assert not {"http_api@300000000", "insights_metric", "insights_metrics_per_task"} & set(found)


def test_container_insights_is_a_range_where_it_is_on(prices: PriceBook) -> None:
    found = {effect.assumption.name for effect in effects(Scenario(insights=True), prices)}
    assert {"insights_metric", "insights_metrics_per_task"} <= found


def test_what_an_http_api_meters_matters_only_where_the_steps_differ(prices: PriceBook) -> None:
    heavy = Scenario(response_bytes=Decimal(2**20))
    totals = {effect.assumption.name: effect.totals for effect in effects(heavy, prices)}["http_api_metering"]
    assert {option.letter for option in totals} == {"a", "b", "c"}
    low, high = totals[SERVICE_CONNECT]
    # The request alone is one step, both together are three.
    assert (high - low).value == pytest.approx(2 * heavy.requests * Decimal("1.16") / 10**6)
    assert "http_api_metering" not in {effect.assumption.name for effect in effects(Scenario(), prices)}


def test_the_range_of_a_total(prices: PriceBook) -> None:
    for option in OPTIONS:
        low, high = total_range(option, Scenario(), prices)
        total = bill(option, Scenario(), prices).total
        assert low <= total <= high
        assert (low == high) == (option is PUBLIC_ALB)


def test_the_range_of_a_break_even_point_is_that_of_the_worked_example(
    exposure_only: Scenario, free_resources: PriceBook
) -> None:
    scenario = replace(exposure_only, load_balancer_addresses=2, cross_az_share=Decimal(0), azs=1)
    low, high = break_even_range(scenario, free_resources, SERVICE_CONNECT, PUBLIC_ALB)
    assert low is not None
    assert high is not None
    assert (round(low, 1), round(high, 1)) == (Decimal("4.9"), Decimal("9.5"))


def test_no_upper_end_where_an_assumption_leaves_no_break_even_point(
    prices: PriceBook, exposure_only: Scenario
) -> None:
    # Without traffic between zones an HTTP API alone is always cheaper than with an ALB behind it.
    (against,) = (option for option in OPTIONS if option.name == "internal-alb")
    scenario = replace(exposure_only, cross_az_share=None)
    low, high = break_even_range(scenario, prices, SERVICE_CONNECT, against)
    assert low is not None
    assert high is None
