"""What holds for every scenario."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import assume as given_that
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lab.costs.bill import GATEWAY_PAYLOAD_BYTES, GROUPS, SERVICE_CONNECT, WAYS, Way, bill
from lab.costs.prices import PriceBook, load_prices
from lab.costs.scenario import KB, Scenario
from lab.costs.study import assumptions, break_even, crossings, rate_kinks, response_size_kinks, total_range
from serviceconnect.settings.service import FARGATE_MEMORY

PRICES = load_prices("eu-west-2")

# How long a case takes says nothing about the model.
unhurried = settings(deadline=None, max_examples=50)

ways = st.sampled_from(WAYS)


def decimals(low: str, high: str, places: int = 3) -> st.SearchStrategy[Decimal]:
    return st.decimals(Decimal(low), Decimal(high), places=places)


rates = st.one_of(decimals("0", "1", 6), decimals("0", "20000"))
sizes = st.one_of(decimals("0", "20"), decimals("0", "10240")).map(lambda kb: kb * KB)
task_sizes = st.sampled_from([(cpu, memory) for cpu, memories in FARGATE_MEMORY.items() for memory in memories])


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    cpu, memory = draw(task_sizes)
    return Scenario(
        rates=tuple(draw(st.lists(rates, min_size=1, max_size=4))),
        request_bytes=draw(sizes),
        response_bytes=draw(sizes),
        connections_per_request=draw(decimals("0", "2")),
        connection_seconds=draw(decimals("0", "600")),
        listener_rules=draw(st.integers(0, 100)),
        tasks=draw(st.integers(1, 50)),
        cpu=cpu,
        memory=memory,
        architecture=draw(st.sampled_from(["X86_64", "ARM64"])),
        azs=draw(st.integers(1, 6)),
        network=draw(st.sampled_from(["endpoints", "nat", "public", "none"])),
        gateway_log_bytes=draw(decimals("0", "2000")),
        proxy_log_bytes=draw(decimals("0", "2000")),
        app_log_bytes=draw(decimals("0", "2000")),
        insights=draw(st.booleans()),
        front_ends=draw(decimals("1", "500")),
        services=draw(st.integers(1, 20)),
        gateway_connections_per_request=draw(decimals("0", "1")),
        http_api_metering=draw(st.integers(0, 2)),
    )


def total(way: Way, scenario: Scenario) -> Decimal:
    return bill(way, scenario, PRICES).total


@given(scenarios(), ways)
@unhurried
def test_the_lines_add_up_to_the_total_and_none_is_negative(scenario: Scenario, way: Way) -> None:
    found = bill(way, scenario, PRICES)
    assert found.total == sum(line.usd for line in found.lines) == found.of(*GROUPS)
    assert all(line.usd >= 0 for line in found.lines)
    assert len({line.item for line in found.lines}) == len(found.lines)


@given(scenarios(), ways, st.lists(rates, min_size=4, max_size=4))
@unhurried
def test_cost_never_falls_when_the_rate_grows(scenario: Scenario, way: Way, more: list[Decimal]) -> None:
    grown = tuple(rate + plus for rate, plus in zip(scenario.rates, more, strict=False))
    assert total(way, scenario.replace(rates=grown)) >= total(way, scenario)


@given(scenarios(), ways, sizes, sizes, decimals("0", "2"))
@unhurried
def test_cost_never_falls_when_payloads_or_connections_grow(
    scenario: Scenario, way: Way, request: Decimal, response: Decimal, connections: Decimal
) -> None:
    grown = scenario.replace(
        request_bytes=scenario.request_bytes + request,
        response_bytes=scenario.response_bytes + response,
        connections_per_request=scenario.connections_per_request + connections,
    )
    assert total(way, grown) >= total(way, scenario)


@given(scenarios(), ways, st.integers(1, 50))
@unhurried
def test_cost_never_falls_when_tasks_are_added(scenario: Scenario, way: Way, more: int) -> None:
    # While the proxies' greater share is not at stake: more tasks have less to do each.
    given_that(max(scenario.rates) <= scenario.busy_rate)
    assert total(way, scenario.replace(tasks=scenario.tasks + more)) >= total(way, scenario)


@given(scenarios(), ways)
@unhurried
def test_the_assumptions_bound_the_total(scenario: Scenario, way: Way) -> None:
    low, high = total_range(way, scenario, PRICES)
    assert low <= total(way, scenario) <= high


@given(scenarios(), ways)
@unhurried
def test_no_assumption_lowers_a_total_as_it_grows(scenario: Scenario, way: Way) -> None:
    for assumption in assumptions(scenario, PRICES):
        low = bill(way, *assumption.set(assumption.low, (scenario, PRICES))).total
        high = bill(way, *assumption.set(assumption.high, (scenario, PRICES))).total
        assert low <= high


@given(scenarios(), ways, st.data())
@unhurried
def test_a_bill_is_a_straight_line_in_the_rate_between_two_kinks(
    scenario: Scenario, way: Way, data: st.DataObject
) -> None:
    given_that(scenario.mean_rate > 0)
    edges = [Decimal(0), *sorted(rate_kinks(scenario, PRICES, way)), Decimal(10**7)]
    start = data.draw(st.integers(0, len(edges) - 2))
    _straight(lambda rate: total(way, scenario.at_rate(rate)), edges[start], edges[start + 1])


@given(scenarios(), ways, st.data())
@unhurried
def test_a_bill_is_a_straight_line_in_the_response_size_between_two_kinks(
    scenario: Scenario, way: Way, data: st.DataObject
) -> None:
    kinks = {kink for kink in response_size_kinks(scenario, PRICES) if 0 < kink < GATEWAY_PAYLOAD_BYTES}
    edges = [Decimal(0), *sorted(kinks), GATEWAY_PAYLOAD_BYTES]
    start = data.draw(st.integers(0, len(edges) - 2))
    _straight(lambda size: total(way, scenario.replace(response_bytes=size)), edges[start], edges[start + 1])


def _straight(cost: Callable[[Decimal], Decimal], start: Decimal, stop: Decimal) -> None:
    given_that(stop - start > stop / 10**6)
    points = [start + (stop - start) * share / 8 for share in (1, 4, 7)]
    low, middle, high = (cost(point) for point in points)
    assert middle == pytest.approx((low + high) / 2, rel=Decimal("1e-20"))


@given(scenarios(), st.sampled_from(WAYS[1:]))
@unhurried
def test_no_break_even_point_is_missed(scenario: Scenario, against: Way) -> None:
    given_that(scenario.mean_rate > 0)
    points = list(break_even(scenario, PRICES, SERVICE_CONNECT, [against]))
    dearer_below = bool(points) and points[0].cheaper_below is against
    for step in range(-20, 45):
        rate = Decimal(10) ** (Decimal(step) / 10)
        if any(abs(point.at - rate) < rate / 10**6 for point in points):
            continue
        scaled = scenario.at_rate(rate)
        difference = total(SERVICE_CONNECT, scaled) - total(against, scaled)
        passed = sum(point.at < rate for point in points)
        if points and abs(difference) > Decimal("1e-9"):
            assert (difference > 0) == (dearer_below ^ (passed % 2 == 1))


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(-5, 5)), min_size=1, max_size=6), st.integers(-20, 20))
@example([(8, -1), (9, -3), (15, 3)], 10)  # falls to 0 and stays there
@unhurried
def test_crossings_of_any_broken_line(bends: list[tuple[int, int]], offset: int) -> None:
    bends = sorted(dict(bends).items())

    def broken(x: Decimal) -> Decimal:
        return offset + x + sum((slope * max(Decimal(0), x - at) for at, slope in bends), Decimal(0))

    found = list(crossings(broken, [Decimal(at) for at, _ in bends], end=Decimal(64)))
    for crossing in found:
        assert abs(broken(crossing.at)) < Decimal("1e-20")
    # Alternately up and down, as signs do.
    assert all(one.rises != next_one.rises for one, next_one in pairwise(found))
    values = (broken(Decimal(step) / 4 + Decimal("0.01")) for step in range(256))
    signs = [value > 0 for value in values if value]  # at 0 it has none
    assert sum(a != b for a, b in pairwise(signs)) <= len(found)


def test_money_is_decimal_throughout(prices: PriceBook) -> None:
    for way in WAYS:
        for line in bill(way, Scenario(), prices).lines:
            assert isinstance(line.usd, Decimal)
            assert isinstance(line.amount, Decimal)
