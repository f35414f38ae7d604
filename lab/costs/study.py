"""What follows from a scenario: the bill of every way with its range, and where two ways cost the same.

A bill is piecewise linear in the request rate, and in the response size between the steps of 512 KB. So between two
neighbouring kinks the difference of two bills is a straight line that two points determine, and its zero is exact.

An assumption is a field of the scenario or a tier of a price that is not the Region's own. No bill falls as one goes
from its low to its high end, so the totals with all at their low and all at their high ends bound what is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property
from typing import Any, Literal

from lab.costs.bill import (
    GATEWAY_PAYLOAD_BYTES,
    INTERNAL_ALB,
    PUBLIC_ALB,
    SERVICE_CONNECT,
    STEP_BYTES,
    WAYS,
    WITH_SHARE,
    Bill,
    Way,
    bill,
    lcus_beside_data,
    nlcus_beside_data,
    total,
)
from lab.costs.prices import ZERO, PriceBook
from lab.costs.scenario import GB, METER_BOTH, SECONDS_PER_HOUR, Scenario, with_options
from lab.errors import BadInput

Variable = Literal["requests_per_second", "response_bytes"]
Case = tuple[Scenario, PriceBook]

# Differences below this are rounding of Decimal's 28 digits: bills stay far under 10**9 dollars.
NOTHING = Decimal("1e-12")


@dataclass(frozen=True)
class Assumption:
    """A quantity that is assumed; bills are lowest at *low*, and *value* lies in the middle unless it was set.

    *what* is the help of the scenario's field, or the Region whose price it is; *field* is empty for a price.
    """

    name: str
    what: str
    value: Decimal
    low: Decimal
    high: Decimal
    field: str = ""
    price: str = ""
    start: Decimal = ZERO

    @property
    def ends(self) -> tuple[Decimal, Decimal]:
        """The ends of the range; a value that was set beyond it is its own end."""
        value, low, high = self.value, self.low, self.high
        return (min(low, value), max(high, value)) if low <= high else (max(low, value), min(high, value))

    def set(self, value: Decimal, case: Case) -> Case:
        """Scenario and prices with this assumption at *value*."""
        scenario, prices = case
        if not self.field:
            return scenario, prices.at(self.price, self.start, value)
        whole = Scenario.model_fields[self.field].annotation is int
        return scenario.replace(**{self.field: int(value) if whole else value}), prices


def assumptions(scenario: Scenario, prices: PriceBook) -> tuple[Assumption, ...]:
    """Everything that is assumed, with its present value."""
    found = []
    for name, info in Scenario.model_fields.items():
        extra = info.json_schema_extra
        if isinstance(extra, dict) and "low" in extra:
            low, high = Decimal(str(extra["low"])), scenario.even_crossing
            if extra["high"] != "even":
                high = Decimal(str(extra["high"]))
            value = Decimal(getattr(scenario, name) or 0)
            if name == "cross_az_share":
                value, high = scenario.crossing_share, high if scenario.azs > 1 else ZERO
            found.append(Assumption(name, info.description or "", value, low, high, field=name))
    for price, of in prices.prices.items():
        for tier in of.tiers:
            if tier.low is not None and tier.high is not None:
                name, what = f"{price}@{tier.start:f}" if tier.start else price, f"price of {tier.region}"
                found.append(Assumption(name, what, tier.usd, tier.low, tier.high, price=price, start=tier.start))
    return tuple(found)


def assume(settings: Sequence[str], scenario: Scenario, prices: PriceBook) -> Case:
    """Scenario and prices with each NAME=VALUE of *settings*. Raises BadInput for an unknown name or a bad value."""
    known = {assumption.name: assumption for assumption in assumptions(scenario, prices)}
    for setting in settings:
        name, _, text = setting.partition("=")
        if name not in known:
            raise BadInput(f"{name!r:.60} is not assumed; what is assumed: {', '.join(known)}")
        try:
            value = Decimal(text)
        except ArithmeticError as error:
            example = f"{name}={known[name].high.normalize():f}"
            raise BadInput(f"--assume {setting!r:.60} must be NAME=NUMBER, such as {example}") from error
        if not value.is_finite() or not 0 <= value <= 10**6:
            raise BadInput(f"--assume {setting!r:.60} must be a number from 0 to 1,000,000")
        if known[name].field:  # the scenario has rules of its own
            scenario = with_options(scenario, {name: value})
        else:
            scenario, prices = known[name].set(value, (scenario, prices))
    return scenario, prices


def total_range(way: Way, scenario: Scenario, prices: PriceBook) -> tuple[Decimal, Decimal]:
    """The total of *way* with every assumption at its low end, and with every one at its high end."""
    low = high = (scenario, prices)
    for assumption in assumptions(scenario, prices):
        low, high = assumption.set(assumption.ends[0], low), assumption.set(assumption.ends[1], high)
    return total(way, *low), total(way, *high)


@dataclass(frozen=True)
class Crossing:
    """A point at which a difference changes its sign; *rises* if it is negative below and positive above."""

    at: Decimal
    rises: bool


@dataclass(frozen=True)
class BreakEven:
    """Where *way* and *against* cost the same as *variable* grows; at a step, where the cheaper one changes."""

    variable: Variable
    way: Way
    against: Way
    at: Decimal
    usd: Decimal
    cheaper_below: Way
    cheaper_above: Way


def crossings(
    difference: Callable[[Decimal], Decimal], kinks: Iterable[Decimal], end: Decimal | None = None
) -> Iterator[Crossing]:
    """All sign changes of *difference* above 0 (and up to *end*), given that it is a straight line between its *kinks*.

    At a kink it may jump, and its value there belongs to either side.
    """
    edges = [ZERO, *sorted({kink for kink in kinks if kink > 0 and (end is None or kink < end)})]
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
    # Where both cost as much for each request, rounding would make them meet at 10^27 requests/s.
    slope = (second - first) / (2 * quarter) if abs(second - first) >= NOTHING else ZERO
    left = first - slope * quarter
    yield start, left
    if stop is not None:
        yield stop, second + slope * quarter
    elif left * slope < 0 and abs(left) >= NOTHING:
        # Without an end the line meets zero if it runs towards it: a point as far beyond as the start is before.
        yield start - 2 * left / slope, -left
    else:
        yield start + 4 * quarter, second + slope * quarter


def rate_kinks(scenario: Scenario, prices: PriceBook, *ways: Way) -> set[Decimal]:
    """The mean requests/s at which the slope of a bill changes, or at which it jumps."""
    one = scenario.at_rate(Decimal(1))
    return {kink for way in ways for line in bill(way, one, prices).lines for kink in line.kinks}


def response_size_kinks(scenario: Scenario, prices: PriceBook) -> set[Decimal]:
    """The response sizes in bytes at which the slope of a bill changes, or at which it jumps."""
    # Of both together a step begins where the response fills up what the request leaves of it.
    before = scenario.request_bytes if scenario.http_api_metering == METER_BOTH else ZERO
    first = int(before / STEP_BYTES) + 1
    kinks = {STEP_BYTES * (first + number) - before for number in range(int(GATEWAY_PAYLOAD_BYTES / STEP_BYTES) + 1)}
    for connections in (scenario.connections_per_request, scenario.gateway_connections_per_request):
        for units in (lcus_beside_data(scenario, connections), nlcus_beside_data(scenario, connections)):
            # Above so many bytes the capacity units count the data.
            kinks.add(units * GB / SECONDS_PER_HOUR - scenario.request_bytes)
    if scenario.requests:
        for price in (prices["egress"], prices["cloudfront_egress"]):
            kinks |= {gigabytes * GB / (scenario.requests * scenario.services) for gigabytes in price.kinks}
    return kinks


def break_even(
    scenario: Scenario, prices: PriceBook, way: Way, others: Iterable[Way], variable: Variable = "requests_per_second"
) -> Iterator[BreakEven]:
    """Every point at which *way* and one of the *others* change places as *variable* grows from 0 (a size up to 10 MB).

    None with a way that cannot carry the payloads.
    """
    by_rate = variable == "requests_per_second"

    def vary(value: Decimal) -> Scenario:
        return scenario.at_rate(value) if by_rate else scenario.replace(response_bytes=value)

    @cache
    def own(value: Decimal) -> Decimal:
        return total(way, vary(value), prices)

    start = scenario if by_rate else vary(ZERO)
    for against in others:
        if not (way.carries(start) and against.carries(start)):
            continue

        def difference(value: Decimal, against: Way = against) -> Decimal:
            return own(value) - total(against, vary(value), prices)

        kinks = rate_kinks(scenario, prices, way, against) if by_rate else response_size_kinks(scenario, prices)
        for crossing in crossings(difference, kinks, None if by_rate else GATEWAY_PAYLOAD_BYTES):
            below, above = (way, against) if crossing.rises else (against, way)
            yield BreakEven(variable, way, against, crossing.at, own(crossing.at), below, above)


@dataclass(frozen=True)
class Study:
    """A scenario and what follows from it, each part computed when it is first asked for.

    *against* is the way that differences are to.
    """

    scenario: Scenario
    prices: PriceBook
    against: Way = PUBLIC_ALB

    @cached_property
    def ways(self) -> tuple[Way, ...]:
        """Every way that there is for the scenario, Service Connect without a load balancer first."""
        return tuple(way for way in WAYS if way.offered(self.scenario))

    @cached_property
    def bills(self) -> dict[Way, Bill]:
        """The bill of every way."""
        return {way: bill(way, self.scenario, self.prices) for way in self.ways}

    def difference(self, way: Way) -> Decimal:
        """What *way* costs more than `against`, in US dollars."""
        return self.bills[way].total - total(self.against, self.scenario, self.prices)

    @cached_property
    def leaving_alone(self) -> Decimal | None:
        """What it costs more, in US dollars, if this service alone leaves `against` and the others stay there.

        What they share there is paid as before, and what is new it pays by itself: all of what services would share,
        and the tiers of a price from the first on. None where the services share nothing there that it would leave, or
        there is one service.
        """
        own, other = ({line.item: line for line in self.bills[way].lines} for way in (SERVICE_CONNECT, self.against))
        services = self.scenario.services
        if services == 1 or not any(line.shared for item, line in other.items() if item not in own):
            return None
        more = ZERO
        for item in own | other:
            line = own.get(item) or other[item]
            if line.shared and item in other:
                continue  # before as after
            used, used_there = (each[item].amount if item in each else ZERO for each in (own, other))
            amounts = (used_there * (services - 1) + used * (services if line.shared else 1), used_there * services)
            after, before = (line.price.cost(amount, free=line.free) for amount in amounts)
            more += after - before
        return more

    @cached_property
    def of_the_question(self) -> tuple[Way, ...]:
        """The ways that answer whether to go without: that, the one compared with, behind API Gateway, the cheapest."""
        fit = [each.total for way, each in self.bills.items() if way.carries(self.scenario)]
        named = {SERVICE_CONNECT, WITH_SHARE, INTERNAL_ALB, self.against}
        return tuple(way for way, each in self.bills.items() if way in named or each.total == min(fit))

    @cached_property
    def gateway_log(self) -> Decimal:
        """What of `difference` is API Gateway's access log, in US dollars; 0 where the other way has it, too."""
        without = self.scenario.replace(gateway_log_bytes=ZERO)
        paid, paid_there = (
            self.bills[way].total - total(way, without, self.prices) for way in (SERVICE_CONNECT, self.against)
        )
        return paid - paid_there

    @cached_property
    def ranges(self) -> dict[Way, tuple[Decimal, Decimal]]:
        """The total of every way with all assumptions at their low ends, and with all at their high ends."""
        return {way: total_range(way, self.scenario, self.prices) for way in self.ways}

    @cached_property
    def possible(self) -> bool:
        """Whether API Gateway can carry the payloads: if not, Service Connect is compared with nothing."""
        return SERVICE_CONNECT.carries(self.scenario)

    @cached_property
    def rates(self) -> list[BreakEven]:
        """The break-even points of Service Connect with each other way as the request rate grows."""
        return self._break_evens(SERVICE_CONNECT, "requests_per_second")

    @cached_property
    def rates_with_share(self) -> list[BreakEven]:
        """The same of Service Connect with the share of a task that AWS advises for its proxy, if there is that way."""
        return self._break_evens(WITH_SHARE, "requests_per_second") if WITH_SHARE in self.ways else []

    @cached_property
    def sizes(self) -> list[BreakEven]:
        """Those of Service Connect as the response grows, to 10 MB."""
        return self._break_evens(SERVICE_CONNECT, "response_bytes") if self.possible else []

    def _break_evens(self, way: Way, variable: Variable) -> list[BreakEven]:
        others = [other for other in self.ways if other is not way]
        return list(break_even(self.scenario, self.prices, way, others, variable))

    def resting_on(self, ways: Iterable[Way]) -> tuple[Assumption, ...]:
        """The assumptions that a line of a bill of these ways rests on here."""
        used = {name for way in ways for line in self.bills[way].lines for name in line.assumed if line.usd}
        # A share of no traffic costs nothing now and would cost something otherwise.
        used |= {"cross_az_share", "alb_cross_az_share"} if self.scenario.azs > 1 else set()
        return tuple(each for each in assumptions(self.scenario, self.prices) if each.name in used)

    def rate_range(self, against: Way) -> tuple[Decimal | None, Decimal | None]:
        """The lowest and the highest first break-even rate with *against*, each assumption alone moved to its ends.

        None in either place where an end leaves no break-even point at all.
        """
        lines = [line for way in (SERVICE_CONNECT, against) for line in bill(way, self.scenario, self.prices).lines]
        asked = {id(line.price) for line in lines}
        here = (self.scenario, self.prices)
        cases = [here]
        for each in assumptions(*here):
            if each.field or id(self.prices[each.price]) in asked:
                cases += [each.set(end, here) for end in {*each.ends} - {each.value}]
        firsts: list[Any] = [next(break_even(*case, SERVICE_CONNECT, [against]), None) for case in cases]
        found = [point.at for point in firsts if point is not None]
        if not found:
            return None, None
        return min(found), None if None in firsts else max(found)
