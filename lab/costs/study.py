"""Everything that is said about one scenario, for the terminal, the files and the pictures."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from lab.costs.assumptions import Effect, break_even_range, effects, total_range
from lab.costs.breakeven import BreakEven, break_evens
from lab.costs.options import OPTIONS, PUBLIC_ALB, SERVICE_CONNECT, Bill, Option, bill, bills, common_cost, possible
from lab.costs.prices import PriceBook, load_prices
from lab.costs.quantities import Usd
from lab.costs.scenario import Scenario
from lab.costs.sensitivity import Sensitivity, sensitivities
from lab.costs.stack import default_scenario
from lab.costs.traffic import scenario_of_run
from load.results import Run

__all__ = ["Alternative", "Study", "study_of_run"]


def study_of_run(run: Run) -> Study:
    """The study of what *run* measured, with the rest from the synthesized stack or the default settings.

    Raises BadInput if the run states no payload size, or if there are no prices for the stack's Region.
    """
    scenario = scenario_of_run(run, default_scenario())
    return Study(scenario, load_prices(scenario.region))


@dataclass(frozen=True)
class Alternative:
    """Option (a) with the proxy's share of the tasks (*reserved*) if the scenario is without it, else without it."""

    reserved: bool
    scenario: Scenario
    bill: Bill
    rates: tuple[BreakEven, ...]

    @property
    def words(self) -> str:
        """What is other than in the scenario."""
        return "with the proxy's share on top" if self.reserved else "without the proxy's share"


@dataclass(frozen=True)
class Study:
    """A scenario and what follows from it, each part computed when it is first asked for.

    *against* is the option that the sensitivities compare option (a) with.
    """

    scenario: Scenario
    prices: PriceBook
    against: Option = PUBLIC_ALB

    @cached_property
    def bills(self) -> tuple[Bill, ...]:
        """The bill of every option, (a) first."""
        return bills(self.scenario, self.prices)

    @cached_property
    def ranges(self) -> dict[Option, tuple[Usd, Usd]]:
        """The total of every option with all assumptions at their low ends, and with all at their high ends."""
        return {option: total_range(option, self.scenario, self.prices) for option in OPTIONS}

    @cached_property
    def common(self) -> Usd:
        """What the service costs however it is exposed."""
        return common_cost(self.scenario, self.prices)

    def exposing(self, of: Bill) -> Usd:
        """The price of exposing the service: what is beyond the cost that all options share."""
        return of.total - self.common

    @cached_property
    def possible(self) -> bool:
        """Whether option (a) can carry the payloads: if not, it is compared with nothing."""
        return possible(SERVICE_CONNECT, self.scenario)

    @cached_property
    def rates(self) -> tuple[BreakEven, ...]:
        """The break-even points of option (a) with each other option as the request rate grows."""
        return break_evens(self.scenario, self.prices, SERVICE_CONNECT)

    @cached_property
    def alternative(self) -> Alternative | None:
        """The other answer to what the proxy takes of the tasks; None if there is none, or (a) is not possible.

        AWS advises a share for the proxy, and nothing enforces it: this alone may decide which option is cheaper.
        """
        with_share = self.scenario.with_share
        if with_share is None or not self.possible:
            return None
        reserved = with_share != self.scenario
        other = with_share if reserved else self.scenario.without_share
        rates = break_evens(other, self.prices, SERVICE_CONNECT)
        return Alternative(reserved, other, bill(SERVICE_CONNECT, other, self.prices), rates)

    @cached_property
    def rate_ranges(self) -> dict[Option, tuple[Decimal | None, Decimal | None]]:
        """How far the assumptions move the first break-even rate of option (a) with each other option."""
        return {
            other: break_even_range(self.scenario, self.prices, SERVICE_CONNECT, other)
            for other in OPTIONS
            if other is not SERVICE_CONNECT and self.possible
        }

    @cached_property
    def sizes(self) -> tuple[BreakEven, ...]:
        """The break-even points of option (a) with each other option as the response grows, to 10 MB."""
        return break_evens(self.scenario, self.prices, SERVICE_CONNECT, "response_bytes") if self.possible else ()

    @cached_property
    def effects(self) -> tuple[Effect, ...]:
        """What each assumption does to the totals."""
        return effects(self.scenario, self.prices)

    @cached_property
    def sensitivities(self) -> tuple[Sensitivity, ...]:
        """The inputs, that which moves (a) less *against* most first."""
        return sensitivities(self.scenario, self.prices, self.against) if self.possible else ()
