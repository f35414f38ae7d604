"""The ways to expose the service, and the bill of each: what is used in a month, at what price, what of it is assumed.

The services of a VPC are one account's: what they use together goes through the tiers and the free amounts of a price,
and each pays an equal part.

A line that grows with traffic grows in proportion to it; its *kinks* are the multiples of the present traffic at which
its slope changes or it jumps. Between two kinks a bill is a straight line in the request rate, which lets the
break-even points be solved exactly.

bill.json has the lines, and the ways with their traits: a way has the lines of its traits, of them those of the tasks'
network or of any. The amount of a line is a product of fields of the scenario, of `_QUANTITIES` and of numbers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from lab.costs.prices import ZERO, Price, PriceBook
from lab.costs.scenario import GB, HOURS, KB, METER_BOTH, METER_LARGER, METER_REQUEST, SECONDS_PER_HOUR, Scenario
from lab.errors import BadInput

# What a bill is made of, in the order of the picture's bars.
GROUPS = (
    "tasks",
    "private network",
    "logs, metrics, image",
    "internet egress",
    "load balancer",
    "requests",
    "Service Connect",
    "between zones",
)

STEP_BYTES = 512 * KB
# API Gateway's quotas: https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
GATEWAY_PAYLOAD_BYTES = Decimal(10 * 2**20)
GATEWAY_REQUESTS_PER_SECOND = Decimal(10_000)

# One unit of capacity: https://aws.amazon.com/elasticloadbalancing/pricing/
LCU_NEW_PER_SECOND, LCU_ACTIVE, LCU_RULES_PER_SECOND, FREE_RULES = Decimal(25), Decimal(3000), Decimal(1000), 10
NLCU_NEW_PER_SECOND, NLCU_ACTIVE = Decimal(800), Decimal(100_000)
UNIT_GB_PER_HOUR = Decimal(1)

# Container Insights with enhanced observability: metrics of cluster and service. AWS publishes no count, hence assumed.
INSIGHTS_BASE_METRICS = 36


@dataclass(frozen=True)
class Line:
    """One line of a bill; *assumed* are the names of the assumptions that it rests on, empty if there is none.

    shared: it is this service's part of what all services of the VPC have together. free: what is free of the price is
    in the *amount*.
    """

    item: str
    group: str
    amount: Decimal
    usd: Decimal
    price: Price
    assumed: tuple[str, ...] = ()
    kinks: tuple[Decimal, ...] = ()
    shared: bool = False
    free: bool = True


@dataclass(frozen=True)
class Way:
    """A way to expose the service; its *traits* choose its lines. *title*: what it is."""

    name: str
    title: str
    traits: frozenset[str]

    @property
    def gateway(self) -> bool:
        """Whether API Gateway carries the payloads."""
        return "gateway" in self.traits

    @property
    def public(self) -> bool:
        """Whether its tasks are in public subnets, whatever the scenario says of them."""
        return "public tasks" in self.traits

    def offered(self, scenario: Scenario) -> bool:
        """Whether it is another way than those before it, and one that Fargate has tasks for."""
        if "share" in self.traits:
            return scenario.size_with_share is not None
        return not self.public or scenario.network in ("endpoints", "nat")

    def carries(self, scenario: Scenario) -> bool:
        """Whether the payloads fit through it; if not, its total is nobody's price."""
        return not self.gateway or max(scenario.request_bytes, scenario.response_bytes) <= GATEWAY_PAYLOAD_BYTES

    def applying(self, scenario: Scenario) -> Scenario:
        """Of *scenario* what applies to this way."""
        changes: dict[str, Any] = {"network": "public"} if self.public else {}
        if not self.gateway:  # an ALB's access logs go to S3 and cost next to nothing there
            changes["gateway_log_bytes"] = ZERO
        if "proxy" not in self.traits:
            changes["proxy_log_bytes"] = ZERO
        return scenario.replace(**changes)


@dataclass(frozen=True)
class Bill:
    """A month of one way."""

    way: Way
    lines: tuple[Line, ...]

    @cached_property
    def total(self) -> Decimal:
        """The sum of the lines in US dollars."""
        return sum((line.usd for line in self.lines), ZERO)

    def of(self, *groups: str) -> Decimal:
        """The sum of the lines of *groups* in US dollars."""
        return sum((line.usd for line in self.lines if line.group in groups), ZERO)


def steps(scenario: Scenario) -> Decimal:
    """Steps of 512 KB that an HTTP API bills for one request, all being of one size: at least one."""
    return max(Decimal(1), (scenario.metered_bytes / STEP_BYTES).to_integral_value(ROUND_CEILING))


def mixed_steps(scenario: Scenario) -> tuple[Decimal, Decimal]:
    """Between what the mean of a request's steps lies where the scenario's sizes are means of mixed ones.

    A request of s bytes has at least 1 and at least s / 512 KB steps, and at most 1 + s / 512 KB, whatever s is. So has
    the mean of all, and the mean of the larger of two is at most the sum of their means.
    """
    most = scenario.exchanged_bytes if scenario.http_api_metering == METER_LARGER else scenario.metered_bytes
    return max(Decimal(1), scenario.metered_bytes / STEP_BYTES), 1 + most / STEP_BYTES


def lcus_beside_data(scenario: Scenario, connections: Decimal) -> Decimal:
    """An ALB's capacity units at one request/s but for data: new and active connections, and rule evaluations."""
    return max(
        connections / LCU_NEW_PER_SECOND,
        connections * scenario.connection_seconds / LCU_ACTIVE,
        max(0, scenario.listener_rules - FREE_RULES) / LCU_RULES_PER_SECOND,
    )


def nlcus_beside_data(scenario: Scenario, connections: Decimal) -> Decimal:
    """A network load balancer's capacity units at one request/s over TCP but for data: new and active connections."""
    return max(connections / NLCU_NEW_PER_SECOND, connections * scenario.connection_seconds / NLCU_ACTIVE)


def _unit_hours(scenario: Scenario, beside_data: Decimal) -> Decimal:
    """Capacity units times hours of a month: the largest dimension counts, each of which grows with the rate."""
    data = scenario.exchanged_bytes * SECONDS_PER_HOUR / GB / UNIT_GB_PER_HOUR
    return scenario.mean_rate * max(beside_data, data) * HOURS


def _more_with_share(scenario: Scenario, which: int) -> Decimal:
    """The CPU units (0) or MiB (1) that a task with AWS's advised share for the proxy has beyond the plain one."""
    plain = (scenario.cpu, scenario.memory)
    return Decimal((scenario.size_with_share or plain)[which] - plain[which])


_QUANTITIES: Mapping[str, Callable[[Scenario], Decimal]] = {
    "hours": lambda s: HOURS,
    "per_1024": lambda s: Decimal(1) / 1024,
    "steps": steps,
    "gigabytes": lambda s: s.requests / GB,  # of a month, for each byte of a request
    "log_bytes": lambda s: s.gateway_log_bytes + s.proxy_log_bytes + s.app_log_bytes,
    "log_months": lambda s: Decimal(s.log_retention_days) / 30,
    "metrics": lambda s: (INSIGHTS_BASE_METRICS + s.insights_metrics_per_task * s.tasks) * int(s.insights),
    "more_cpu": lambda s: _more_with_share(s, 0),
    "more_memory": lambda s: _more_with_share(s, 1),
    "discovery_calls": lambda s: s.front_ends * SECONDS_PER_HOUR * HOURS / s.discovery_cache_seconds,
    "per_service": lambda s: Decimal(1) / s.services,  # of what the services of a VPC share
    "lcu_hours": lambda s: _unit_hours(s, lcus_beside_data(s, s.connections_per_request)),
    "nlcu_hours": lambda s: _unit_hours(s, nlcus_beside_data(s, s.connections_per_request)),
    "inner_lcu_hours": lambda s: _unit_hours(s, lcus_beside_data(s, s.gateway_connections_per_request)),
    "inner_nlcu_hours": lambda s: _unit_hours(s, nlcus_beside_data(s, s.gateway_connections_per_request)),
}


# Lines


@dataclass(frozen=True)
class _Item:
    """A line as bill.json has it. *why*: why it is counted so, for the reader of the file.

    grows: in proportion to the "rate"; so, but with a free amount of each "hour"; or at once where tasks get "busy".
    """

    trait: str
    item: str
    group: str
    price: str
    amount: str
    grows: Literal["", "rate", "hour", "busy"] = ""
    assumed: tuple[str, ...] = ()
    network: str = ""
    why: str = ""

    def counted(self, scenario: Scenario, price: Price) -> Decimal:
        """The amount of a month."""
        if self.grows == "hour":
            beyond = [max(ZERO, rate * SECONDS_PER_HOUR - price.free) for rate in scenario.rates]
            return sum(beyond, ZERO) * HOURS / len(beyond)
        return math.prod((_factor(name, scenario) for name in self.factors), start=Decimal(1))

    @property
    def free(self) -> bool:
        """Whether the amount still has what is free of it: an hour's is taken off hour by hour."""
        return self.grows != "hour"

    @cached_property
    def factors(self) -> list[str]:
        """Of the amount."""
        return self.amount.split(" * ")

    def kinks(self, scenario: Scenario, price: Price, amount: Decimal) -> tuple[Decimal, ...]:
        """See `Line`."""
        if self.grows == "rate" and amount:
            return tuple(kink / (amount * scenario.services) for kink in price.kinks)
        if self.grows == "hour":
            return tuple(price.free / (rate * SECONDS_PER_HOUR) for rate in scenario.rates if rate)
        busiest = max(scenario.rates)
        return (scenario.busy_rate / busiest,) if self.grows == "busy" and busiest else ()


def _factor(name: str, scenario: Scenario) -> Decimal:
    if name in _QUANTITIES:
        return _QUANTITIES[name](scenario)
    return Decimal(name) if name[0].isdigit() else Decimal(getattr(scenario, name))


def _matters(assumption: str, scenario: Scenario) -> bool:
    """Whether a line that is counted by *assumption* rests on it in this scenario."""
    if assumption == "http_api_metering":
        # Where the request alone and both together are as many steps, nothing depends on what is counted.
        return steps(scenario.replace(http_api_metering=METER_REQUEST)) != steps(
            scenario.replace(http_api_metering=METER_BOTH)
        )
    return assumption != "insights_metrics_per_task" or scenario.insights


def each_pays(price: Price, amount: Decimal, scenario: Scenario, *, free: bool = True) -> Decimal:
    """US dollars of one of the scenario's services for *amount*, of which each other has as much."""
    return price.cost(amount * scenario.services, free=free) / scenario.services


def _priced(way: Way, scenario: Scenario, prices: PriceBook) -> Iterator[tuple[_Item, str, Decimal, Decimal]]:
    """The lines of *way*, each with the name of its price, the amount of a month, and US dollars."""
    fargate = "fargate_arm" if scenario.architecture == "ARM64" else "fargate_x86"
    for item in _ITEMS:
        if item.trait in way.traits and item.network in ("", scenario.network):
            name = item.price.replace("fargate", fargate)
            amount = item.counted(scenario, prices[name])
            yield item, name, amount, each_pays(prices[name], amount, scenario, free=item.free)


def total(way: Way, scenario: Scenario, prices: PriceBook) -> Decimal:
    """What a month of *way* costs; of a bill without its lines, for whoever asks for thousands."""
    return sum((usd for *_, usd in _priced(way, way.applying(scenario), prices)), ZERO)


def bill(way: Way, scenario: Scenario, prices: PriceBook) -> Bill:
    """What a month of *way* costs, line by line."""
    scenario = way.applying(scenario)
    lines = []
    for item, name, amount, usd in _priced(way, scenario, prices):
        price = prices[name]
        used = amount * scenario.services
        tiers = price.assumed(used if item.free else used + price.free)
        assumed = [each for each in item.assumed if _matters(each, scenario)]
        assumed += [f"{name}@{tier.start:f}" if tier.start else name for tier in tiers]
        kinks = item.kinks(scenario, price, amount)
        shared = "per_service" in item.factors
        lines.append(Line(item.item, item.group, amount, usd, price, tuple(assumed), kinks, shared, item.free))
    return Bill(way, tuple(lines))


_FILE = json.loads(Path(__file__).with_name("bill.json").read_text())
_ITEMS = [_Item(**{**each, "assumed": tuple(each.get("assumed", ()))}) for each in _FILE["lines"]]
WAYS = tuple(Way(name, each["title"], frozenset(each["traits"])) for name, each in _FILE["ways"].items())


def way_named(name: str) -> Way:
    """The way of that name. Raises BadInput for another."""
    for way in WAYS:
        if way.name == name:
            return way
    raise BadInput(f"there is no way {name!r:.60}; choose one of {', '.join(way.name for way in WAYS)}")


SERVICE_CONNECT, WITH_SHARE = way_named("service-connect"), way_named("service-connect-with-share")
PUBLIC_ALB, INTERNAL_ALB = way_named("public-alb"), way_named("internal-alb")
