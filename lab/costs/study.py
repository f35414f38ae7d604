"""Everything that is said about one scenario, computed once for the terminal, the files and the pictures."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from lab.costs.assumptions import Effect, break_even_range, effects, total_range
from lab.costs.breakeven import BreakEven, break_evens
from lab.costs.options import OPTIONS, SERVICE_CONNECT, Bill, Option, bills, common_cost
from lab.costs.prices import PriceBook
from lab.costs.quantities import Usd
from lab.costs.scenario import Scenario
from lab.costs.sensitivity import Sensitivity, sensitivities

__all__ = ["Study", "study"]


@dataclass(frozen=True)
class Study:
    """The bills of a scenario, where they cross, and what they hang on.

    *common* is what the service costs however it is exposed. *rates* and *sizes* are the break-even points of option
    (a) with each other as the request rate and as the response size grow; *rate_ranges* says how far the assumptions
    move the former.
    """

    scenario: Scenario
    prices: PriceBook
    against: Option
    bills: tuple[Bill, ...]
    ranges: dict[Option, tuple[Usd, Usd]]
    common: Usd
    rates: tuple[BreakEven, ...]
    rate_ranges: dict[Option, tuple[Decimal | None, Decimal | None]]
    sizes: tuple[BreakEven, ...]
    effects: tuple[Effect, ...]
    sensitivities: tuple[Sensitivity, ...]

    def exposing(self, bill: Bill) -> Usd:
        """The price of exposing the service: what is beyond the cost that all options share."""
        return bill.total - self.common


def study(scenario: Scenario, prices: PriceBook, against: Option) -> Study:
    """Price *scenario* with every option; *against* is the option that the sensitivities compare (a) with."""
    others = [option for option in OPTIONS if option is not SERVICE_CONNECT]
    return Study(
        scenario=scenario,
        prices=prices,
        against=against,
        bills=bills(scenario, prices),
        ranges={option: total_range(option, scenario, prices) for option in OPTIONS},
        common=common_cost(scenario, prices),
        rates=break_evens(scenario, prices, SERVICE_CONNECT),
        rate_ranges={other: break_even_range(scenario, prices, SERVICE_CONNECT, other) for other in others},
        sizes=break_evens(scenario, prices, SERVICE_CONNECT, "response_bytes"),
        effects=effects(scenario, prices),
        sensitivities=sensitivities(scenario, prices, against),
    )
