from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from lab.costs.options import PUBLIC_ALB, SERVICE_CONNECT, bill, option_named
from lab.costs.prices import PriceBook
from lab.costs.scenario import Scenario
from lab.costs.sensitivity import sensitivities


def test_the_inputs_are_ordered_by_how_far_they_move_the_answer(prices: PriceBook) -> None:
    found = sensitivities(Scenario(), prices, PUBLIC_ALB)
    swings = [each.swing.value for each in found]
    assert swings == sorted(swings, reverse=True)
    assert found[0].name == "requests per second"
    assert {each.name for each in found} >= {
        "response bytes",
        "request bytes",
        "new connections per request",
        "tasks",
        "task size",
        "architecture",
        "availability zones",
        "network of the tasks",
        "proxy's share of the task",
    }


def test_a_variant_is_the_bill_of_the_changed_scenario(prices: PriceBook) -> None:
    scenario = Scenario()
    (rate,) = (each for each in sensitivities(scenario, prices, PUBLIC_ALB) if each.name == "requests per second")
    doubled = scenario.at_rate(Decimal(20))
    total = bill(SERVICE_CONNECT, doubled, prices).total
    assert rate.value == "10"
    assert [variant.value for variant in rate.variants] == ["5", "20"]
    assert rate.variants[1].total == total
    assert rate.variants[1].difference == total - bill(PUBLIC_ALB, doubled, prices).total


def test_the_option_compared_with_decides_the_order(prices: PriceBook) -> None:
    # Both pay for API Gateway's requests, so the rate no longer comes first.
    found = sensitivities(Scenario(), prices, option_named("internal-alb"))
    assert found[0].name != "requests per second"


def test_inputs_at_their_ends_have_no_variant_beyond(prices: PriceBook) -> None:
    ends = Scenario(azs=6, tasks=1, cpu=16384, memory=122880, app_log_bytes=Decimal(0))
    found = {each.name: each for each in sensitivities(ends, prices, PUBLIC_ALB)}
    assert [variant.value for variant in found["availability zones"].variants] == ["5"]
    assert [variant.value for variant in found["tasks"].variants] == ["2"]
    assert [variant.value for variant in found["task size"].variants] == ["8192 CPU units with 61440 MiB"]
    assert "application's log bytes per request" not in found
    assert "proxy's share of the task" not in found


def test_no_variant_is_larger_than_what_is_possible(prices: PriceBook) -> None:
    heavy = Scenario(response_bytes=Decimal(6 * 2**20))
    (size,) = (each for each in sensitivities(heavy, prices, PUBLIC_ALB) if each.name == "response bytes")
    assert [variant.value for variant in size.variants] == ["3,145,730"]


def test_idle_traffic_has_nothing_to_halve(prices: PriceBook) -> None:
    idle = replace(Scenario(), rates=(Decimal(0),))
    (rate,) = (each for each in sensitivities(idle, prices, PUBLIC_ALB) if each.name == "requests per second")
    assert rate.swing.value == 0
