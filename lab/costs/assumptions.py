"""What no AWS page states: each with its default, its range, and the effect of either end on every option.

An assumption is a field of the scenario or a price that is not the Region's own. Each can only add to a bill as it
grows, so the totals with all at their low ends and with all at their high ends are the bounds of what is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation

from lab.costs.breakeven import break_even
from lab.costs.options import OPTIONS, Option, bill
from lab.costs.prices import PriceBook
from lab.costs.quantities import Usd
from lab.costs.scenario import METER_BOTH, METER_REQUEST, Scenario
from lab.errors import BadInput

__all__ = ["Assumption", "Effect", "assume", "assumptions", "break_even_range", "effects", "total_range"]

ONE, ZERO = Decimal(1), Decimal(0)


@dataclass(frozen=True)
class Assumption:
    """A quantity that is assumed. *field* is the scenario's, or *price* and *start* name a tier of a price."""

    name: str
    what: str
    value: Decimal
    low: Decimal
    high: Decimal
    field: str = ""
    price: str = ""
    start: Decimal = ZERO

    def set(self, value: Decimal, scenario: Scenario, prices: PriceBook) -> tuple[Scenario, PriceBook]:
        """Scenario and prices with this assumption at *value*."""
        if self.field:
            return replace(scenario, **{self.field: value}), prices  # type: ignore[arg-type]
        return scenario, replace(prices, **{self.price: getattr(prices, self.price).at(self.start, value)})


@dataclass(frozen=True)
class Effect:
    """The totals of the options that an assumption moves, at its low and its high end."""

    assumption: Assumption
    totals: dict[Option, tuple[Usd, Usd]]


def assumptions(scenario: Scenario, prices: PriceBook) -> tuple[Assumption, ...]:
    """Everything that is assumed, with its present value."""
    per_task = scenario.insights_metrics_per_task
    return (
        Assumption(
            "discovery_calls_per_request",
            "Cloud Map calls of API Gateway that are billed, for each request",
            scenario.discovery_calls_per_request,
            ZERO,
            ONE,
            field="discovery_calls_per_request",
        ),
        Assumption(
            "cross_az_share",
            "share of API Gateway's requests to a task in another zone",
            scenario.crossing_share,
            ZERO,
            scenario.even_crossing,
            field="cross_az_share",
        ),
        Assumption(
            "nlb_cross_az_share",
            "share of API Gateway's requests to a network load balancer's node in another zone",
            scenario.nlb_crossing_share,
            ZERO,
            scenario.even_crossing,
            field="nlb_cross_az_share",
        ),
        Assumption(
            "alb_cross_az_share",
            "share of API Gateway's requests to an internal ALB that is billed between zones",
            scenario.alb_cross_az_share,
            ZERO,
            scenario.even_crossing,
            field="alb_cross_az_share",
        ),
        Assumption(
            "http_api_metering",
            "what an HTTP API counts in steps of 512 KB: 0 the request, 1 the larger of it and its response, 2 both",
            scenario.http_api_metering,
            METER_REQUEST,
            METER_BOTH,
            field="http_api_metering",
        ),
        Assumption(
            "gateway_connections_per_request",
            "new connections of API Gateway to a load balancer, for each request",
            scenario.gateway_connections_per_request,
            ZERO,
            ONE,
            field="gateway_connections_per_request",
        ),
        Assumption(
            "lattice_entry",
            "entry from the internet added to VPC Lattice",
            scenario.lattice_entry,
            ZERO,
            ONE,
            field="lattice_entry",
        ),
        Assumption(
            "insights_metrics_per_task",
            "metrics of a task that Container Insights bills",
            per_task,
            Decimal(10),
            Decimal(40),
            field="insights_metrics_per_task",
        ),
        *_assumed_prices(prices),
    )


def _assumed_prices(prices: PriceBook) -> Iterator[Assumption]:
    for price in prices.prices():
        for tier in price.tiers:
            if tier.assumed:
                per = f"{price.per:,} {price.unit.unit}s" if price.per != 1 else price.unit.unit
                above = f" above {tier.start:,}" if tier.start else ""
                yield Assumption(
                    f"{price.name}@{tier.start}" if tier.start else price.name,
                    f"USD for {per}{above}, price of {tier.region}",
                    tier.usd,
                    tier.low,
                    tier.high,
                    price=price.name,
                    start=tier.start,
                )


def assume(settings: list[str], scenario: Scenario, prices: PriceBook) -> tuple[Scenario, PriceBook]:
    """Scenario and prices with each NAME=VALUE of *settings*. Raises BadInput for an unknown name or a bad value."""
    known = {assumption.name: assumption for assumption in assumptions(scenario, prices)}
    for setting in settings:
        name, _, text = setting.partition("=")
        if name not in known:
            raise BadInput(f"{name!r} is not assumed; what is assumed: {', '.join(known)}")
        try:
            value = Decimal(text)
        except InvalidOperation as error:
            raise BadInput(f"--assume {setting!r} must be NAME=NUMBER, such as {name}={known[name].high}") from error
        if not value.is_finite() or value < 0:
            raise BadInput(f"{name} = {value} must be a number that is at least 0")
        scenario, prices = known[name].set(value, scenario, prices)
    return scenario, prices


def effects(scenario: Scenario, prices: PriceBook) -> tuple[Effect, ...]:
    """For each assumption that matters here, the totals at its low and its high end."""
    found = []
    for assumption in assumptions(scenario, prices):
        ends = [assumption.set(end, scenario, prices) for end in (assumption.low, assumption.high)]
        totals = {}
        for option in OPTIONS:
            low, high = (bill(option, *end).total for end in ends)
            if low != high:
                totals[option] = (low, high)
        if totals:
            found.append(Effect(assumption, totals))
    return tuple(found)


def total_range(option: Option, scenario: Scenario, prices: PriceBook) -> tuple[Usd, Usd]:
    """The total of *option* with every assumption at its low end, and with every one at its high end."""
    low = high = (scenario, prices)
    for assumption in assumptions(scenario, prices):
        low = assumption.set(assumption.low, *low)
        high = assumption.set(assumption.high, *high)
    return bill(option, *low).total, bill(option, *high).total


def break_even_range(
    scenario: Scenario, prices: PriceBook, option: Option, against: Option
) -> tuple[Decimal | None, Decimal | None]:
    """The lowest and the highest first break-even rate as each assumption alone moves to its ends.

    None in either place where an end leaves no break-even point at all.
    """
    asked = {line.price.name for each in (option, against) for line in bill(each, scenario, prices).lines}
    cases = [(scenario, prices)]
    for assumption in assumptions(scenario, prices):
        if assumption.field or assumption.price in asked:
            ends = {assumption.low, assumption.high} - {assumption.value}
            cases += [assumption.set(end, scenario, prices) for end in ends]
    firsts = [next(break_even(*case, option, against), None) for case in cases]
    first = [point.at if point else None for point in firsts]
    found = [point for point in first if point is not None]
    if not found:
        return None, None
    return min(found), None if None in first else max(found)
