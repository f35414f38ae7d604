"""Where two options cost the same: every crossing, solved and not read off a picture.

A bill is piecewise linear in the request rate, and in the response size between the steps of 512 KB. So between two
neighbouring kinks the difference of two bills is a straight line that two points determine, and its zero is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from lab.costs.lines import STEP_BYTES, alb_threshold_bytes, nlb_threshold_bytes
from lab.costs.options import GATEWAY_PAYLOAD_BYTES, OPTIONS, Option, bill, possible
from lab.costs.prices import PriceBook
from lab.costs.quantities import Usd
from lab.costs.scenario import GB, METER_BOTH, Scenario

__all__ = ["BreakEven", "Crossing", "break_even", "break_evens", "crossings", "rate_kinks", "response_size_kinks"]

Variable = Literal["requests_per_second", "response_bytes"]

# Differences below this are rounding of Decimal's 28 digits: bills stay far under 10**9 dollars.
NOTHING = Decimal("1e-12")


@dataclass(frozen=True)
class Crossing:
    """A point at which a difference changes its sign; *rises* if it is negative below and positive above."""

    at: Decimal
    rises: bool


@dataclass(frozen=True)
class BreakEven:
    """Where *option* and *against* cost the same, as *variable* grows; at a step, where the cheaper one changes."""

    variable: Variable
    option: Option
    against: Option
    at: Decimal
    cost: Usd
    cheaper_below: Option
    cheaper_above: Option


def crossings(
    difference: Callable[[Decimal], Decimal], kinks: Iterable[Decimal], end: Decimal | None = None
) -> Iterator[Crossing]:
    """All sign changes of *difference* above 0 (and up to *end*), given that it is a straight line between its *kinks*.

    At a kink it may jump, and its value there belongs to either side.
    """
    edges = [Decimal(0), *sorted({kink for kink in kinks if kink > 0 and (end is None or kink < end)})]
    last: tuple[Decimal, Decimal] | None = None
    zero: Decimal | None = None
    for start, stop in zip(edges, [*edges[1:], end], strict=True):
        for point, value in _ends(difference, start, stop):
            if abs(value) < NOTHING:
                zero = point if zero is None else zero
                continue
            if last is not None and (last[1] > 0) != (value > 0):
                between = last[0] + (point - last[0]) * abs(last[1]) / (abs(last[1]) + abs(value))
                yield Crossing(between if zero is None else zero, rises=value > 0)
            last, zero = (point, value), None


def _ends(
    difference: Callable[[Decimal], Decimal], start: Decimal, stop: Decimal | None
) -> Iterator[tuple[Decimal, Decimal]]:
    """Both ends of the straight line from *start* to *stop*, as limits from within."""
    quarter = (max(start, Decimal(1)) if stop is None else stop - start) / 4
    first, second = difference(start + quarter), difference(start + 3 * quarter)
    slope = (second - first) / (2 * quarter)
    left = first - slope * quarter
    yield start, left
    if stop is not None:
        yield stop, second + slope * quarter
    elif left * slope < 0 and abs(left) >= NOTHING:
        # Without an end the line meets zero if it runs towards it: a point as far beyond as the start is before.
        yield start - 2 * left / slope, -left
    else:
        yield start + 4 * quarter, second + slope * quarter


def rate_kinks(scenario: Scenario, prices: PriceBook, *options: Option) -> set[Decimal]:
    """The mean requests/s at which the slope of a bill changes, or at which it jumps."""
    one = scenario.at_rate(Decimal(1))
    return {kink for option in options for line in bill(option, one, prices).lines for kink in line.kinks}


def response_size_kinks(scenario: Scenario, prices: PriceBook) -> set[Decimal]:
    """The response sizes in bytes at which the slope of a bill changes, or at which it jumps."""
    # Of both together a step begins where the response fills up what the request leaves of it.
    before = scenario.request_bytes if scenario.http_api_metering == METER_BOTH else Decimal(0)
    first = int(before / STEP_BYTES) + 1
    kinks = {STEP_BYTES * (first + number) - before for number in range(int(GATEWAY_PAYLOAD_BYTES / STEP_BYTES) + 1)}
    for ratio in (scenario.connections_per_request, scenario.gateway_connections_per_request):
        for threshold in (alb_threshold_bytes(scenario, ratio), nlb_threshold_bytes(scenario, ratio)):
            kinks.add(threshold - scenario.request_bytes)
    if scenario.requests:
        kinks |= {gigabytes * GB / scenario.requests for gigabytes in prices.egress.kinks}
    return kinks


def break_even(
    scenario: Scenario, prices: PriceBook, option: Option, against: Option, variable: Variable = "requests_per_second"
) -> Iterator[BreakEven]:
    """Every point at which *option* and *against* change places as *variable* grows from 0 (a size up to 10 MB).

    None where one of the two cannot carry the payloads.
    """

    def vary(value: Decimal) -> Scenario:
        if variable == "requests_per_second":
            return scenario.at_rate(value)
        return replace(scenario, response_bytes=value)

    def difference(value: Decimal) -> Decimal:
        varied = vary(value)
        return (bill(option, varied, prices).total - bill(against, varied, prices).total).value

    by_rate = variable == "requests_per_second"
    start = scenario if by_rate else vary(Decimal(0))
    if not (possible(option, start) and possible(against, start)):
        return
    kinks = rate_kinks(scenario, prices, option, against) if by_rate else response_size_kinks(scenario, prices)
    for crossing in crossings(difference, kinks, None if by_rate else GATEWAY_PAYLOAD_BYTES):
        yield BreakEven(
            variable=variable,
            option=option,
            against=against,
            at=crossing.at,
            cost=bill(option, vary(crossing.at), prices).total,
            cheaper_below=option if crossing.rises else against,
            cheaper_above=against if crossing.rises else option,
        )


def break_evens(
    scenario: Scenario, prices: PriceBook, option: Option, variable: Variable = "requests_per_second"
) -> tuple[BreakEven, ...]:
    """The break-even points of *option* with each of the others."""
    return tuple(
        point
        for against in OPTIONS
        if against is not option
        for point in break_even(scenario, prices, option, against, variable)
    )
