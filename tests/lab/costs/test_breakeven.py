from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from lab.costs.breakeven import Crossing, break_even, break_evens, crossings
from lab.costs.options import OPTIONS, PUBLIC_ALB, SERVICE_CONNECT, bill, option_named
from lab.costs.prices import PriceBook
from lab.costs.scenario import Scenario

D = Decimal


def test_a_line_crosses_once() -> None:
    assert list(crossings(lambda x: 2 * x - 5, [])) == [Crossing(D("2.5"), rises=True)]


def test_no_crossing_where_lines_part() -> None:
    assert list(crossings(lambda x: 2 * x + 5, [])) == []
    assert list(crossings(lambda x: D(0), [D(1)])) == []


def test_every_crossing_of_a_tent_is_found() -> None:
    def tent(x: Decimal) -> Decimal:
        return D(1) - abs(x - 10)

    assert list(crossings(tent, [D(10)])) == [Crossing(D(9), rises=True), Crossing(D(11), rises=False)]


def test_a_tent_that_only_touches_does_not_cross() -> None:
    assert list(crossings(lambda x: -abs(x - 10), [D(10)])) == []


def test_a_crossing_at_a_kink_is_found_once() -> None:
    def bent(x: Decimal) -> Decimal:
        return (x - 10) * (1 if x < 10 else 2)

    assert list(crossings(bent, [D(10)])) == [Crossing(D(10), rises=True)]


def test_a_jump_over_zero_is_a_crossing_at_the_step_whichever_side_its_value_belongs_to() -> None:
    for step in (lambda x: D(-1) if x <= 4 else D(1), lambda x: D(-1) if x < 4 else D(1)):
        assert list(crossings(step, [D(4)])) == [Crossing(D(4), rises=True)]


def test_a_stretch_at_zero_is_a_crossing_where_it_begins() -> None:
    def flat(x: Decimal) -> Decimal:
        return min(x - 2, D(0)) + max(x - 5, D(0))

    assert list(crossings(flat, [D(2), D(5)])) == [Crossing(D(2), rises=True)]


def test_crossings_beyond_the_end_are_none() -> None:
    assert list(crossings(lambda x: x - 5, [D(1), D(9)], end=D(4))) == []
    assert list(crossings(lambda x: x - 5, [D(1)], end=D(6))) == [Crossing(D(5), rises=True)]


def test_the_step_of_the_proxys_share_is_found_as_one(prices: PriceBook, exposure_only: Scenario) -> None:
    # With next to no data and connections an ALB is its hours: dearer than (a) up to 500 requests/s for each task,
    # and cheaper at one stroke above, where the proxies of twenty tasks need Fargate's next size.
    scenario = replace(
        exposure_only, tasks=20, request_bytes=D(0), response_bytes=D(0), gateway_connections_per_request=D(0)
    )
    (point,) = break_even(scenario, prices, SERVICE_CONNECT, option_named("internal-alb"))
    assert point.at == D(500 * 20)
    before, after = scenario.at_rate(point.at), scenario.at_rate(point.at + D("0.001"))

    def dearer(case: Scenario) -> bool:
        alb = bill(option_named("internal-alb"), case, prices).total
        return alb < bill(SERVICE_CONNECT, case, prices).total

    assert not dearer(before)
    assert dearer(after)


def test_response_sizes_break_even_too(prices: PriceBook, exposure_only: Scenario) -> None:
    # Where no zone is crossed, an HTTP API's 512 KB steps are cheaper than an ALB's GB from some size on.
    scenario = exposure_only.at_rate(D(30))
    (point,) = break_even(scenario, prices, SERVICE_CONNECT, PUBLIC_ALB, "response_bytes")
    assert (point.cheaper_below, point.cheaper_above) == (PUBLIC_ALB, SERVICE_CONNECT)
    costs = [
        bill(o, replace(scenario, response_bytes=point.at), prices).total.value for o in (SERVICE_CONNECT, PUBLIC_ALB)
    ]
    assert abs(costs[0] - costs[1]) < D("1e-15")


def first_rate(scenario: Scenario, against: str, prices: PriceBook) -> Decimal:
    return next(break_even(scenario, prices, SERVICE_CONNECT, option_named(against))).at


def test_a_days_profile_keeps_its_shape(prices: PriceBook) -> None:
    flat = Scenario(rates=(D(1),))
    peaked = Scenario(rates=(*[D(0)] * 23, D(24)))
    assert first_rate(flat, "public-alb", prices) == first_rate(peaked, "public-alb", prices)
    # Lattice's free requests are by the hour, so there the shape counts.
    assert first_rate(flat, "lattice", prices) != first_rate(peaked, "lattice", prices)


def test_what_is_not_possible_breaks_even_with_nothing(prices: PriceBook) -> None:
    limit = D(10 * 2**20)
    for edge, over in (
        (Scenario(request_bytes=limit), Scenario(request_bytes=limit + 1)),
        (Scenario(response_bytes=limit), Scenario(response_bytes=limit + 1)),
    ):
        assert not break_evens(over, prices, SERVICE_CONNECT)
        # The edge is carried, and at a trickle (a) costs less than the entry of VPC Lattice.
        assert break_evens(edge, prices, SERVICE_CONNECT)
    # Two that are possible are compared whatever the size.
    heavy = replace(Scenario(), response_bytes=limit + 1, lattice_entry=D(0))
    assert list(break_even(heavy, prices, PUBLIC_ALB, option_named("lattice")))
    # How a bill grows with the response is asked from an empty one on.
    assert not list(
        break_even(replace(heavy, request_bytes=limit + 1), prices, SERVICE_CONNECT, PUBLIC_ALB, "response_bytes")
    )


def test_every_other_option_is_compared(prices: PriceBook) -> None:
    against = {point.against.name for point in break_evens(Scenario(), prices, SERVICE_CONNECT)}
    # (a) is cheaper at every rate than the two that pay for zones and for an NLB as well.
    assert against == {option.name for option in OPTIONS} - {"service-connect", "internal-nlb", "rest-nlb"}
