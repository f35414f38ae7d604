"""The six ways to expose the service, and the bill of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from lab.costs import lines
from lab.costs.lines import Line
from lab.costs.prices import PriceBook
from lab.costs.quantities import Usd
from lab.costs.scenario import Scenario
from lab.errors import BadInput

__all__ = [
    "LATTICE",
    "OPTIONS",
    "PUBLIC_ALB",
    "SERVICE_CONNECT",
    "Bill",
    "Option",
    "add",
    "bill",
    "bills",
    "common_cost",
    "option_named",
    "possible",
]

# API Gateway's quotas: https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
GATEWAY_PAYLOAD_BYTES = Decimal(10 * 2**20)
GATEWAY_REQUESTS_PER_SECOND = Decimal(10_000)

NOT_POSSIBLE = "not possible: API Gateway carries at most 10 MB in a request or response"
GATEWAY_CONNECTIONS = "API Gateway's connections to the load balancer"


@dataclass(frozen=True)
class Option:
    """A way to expose the service."""

    letter: str
    name: str
    title: str
    gateway: bool
    lines: Callable[[Scenario, PriceBook], Iterator[Line]]


@dataclass(frozen=True)
class Bill:
    """A month of one option."""

    option: Option
    lines: tuple[Line, ...]
    notes: tuple[str, ...]

    @property
    def total(self) -> Usd:
        """The sum of the lines."""
        return add(line.cost for line in self.lines)

    @property
    def possible(self) -> bool:
        """Whether the option can carry the payloads at all; if it cannot, its total is nobody's price."""
        return NOT_POSSIBLE not in self.notes


def possible(option: Option, scenario: Scenario) -> bool:
    """Whether *option* can carry the payloads of *scenario*."""
    return not option.gateway or max(scenario.request_bytes, scenario.response_bytes) <= GATEWAY_PAYLOAD_BYTES


def add(costs: Iterable[Usd]) -> Usd:
    """The sum of *costs*."""
    return sum(costs, Usd(Decimal(0)))


def common_cost(scenario: Scenario, prices: PriceBook) -> Usd:
    """What a month of the service costs however it is exposed; what is beyond it is the price of exposing it."""
    return add(line.cost for line in _common(scenario, prices, Decimal(0)))


def bill(option: Option, scenario: Scenario, prices: PriceBook) -> Bill:
    """What a month of *option* costs, line by line."""
    return Bill(option, tuple(option.lines(scenario, prices)), tuple(_notes(option, scenario)))


def bills(scenario: Scenario, prices: PriceBook) -> tuple[Bill, ...]:
    """The bill of every option."""
    return tuple(bill(option, scenario, prices) for option in OPTIONS)


def _service_connect(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    yield from lines.http_api(scenario, prices)
    yield from lines.cloud_map(scenario, prices)
    yield from lines.tasks(scenario, prices)
    yield from lines.service_connect_share(scenario, prices)
    yield from lines.network(scenario, prices)
    yield from lines.proxy_network(scenario, prices)
    yield from lines.between_zones(scenario, prices, scenario.crossing_share, "task")
    yield from lines.egress(scenario, prices)
    yield from lines.operations(scenario, prices, scenario.gateway_log_bytes + scenario.proxy_log_bytes)


def _common(scenario: Scenario, prices: PriceBook, log_bytes: Decimal) -> Iterator[Line]:
    yield from lines.tasks(scenario, prices)
    yield from lines.network(scenario, prices)
    yield from lines.egress(scenario, prices)
    yield from lines.operations(scenario, prices, log_bytes)


def _internal_alb(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    yield from lines.http_api(scenario, prices)
    yield from lines.alb(scenario, prices, scenario.gateway_connections_per_request, GATEWAY_CONNECTIONS)
    yield from lines.between_zones(scenario, prices, scenario.alb_cross_az_share, "ALB node")
    yield from _common(scenario, prices, scenario.gateway_log_bytes)


def _internal_nlb(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    yield from lines.http_api(scenario, prices)
    yield from lines.nlb(scenario, prices, scenario.gateway_connections_per_request, GATEWAY_CONNECTIONS)
    yield from lines.between_zones(scenario, prices, scenario.nlb_crossing_share, "NLB node")
    yield from _common(scenario, prices, scenario.gateway_log_bytes)


def _public_alb(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    yield from lines.alb(scenario, prices, scenario.connections_per_request)
    yield from lines.load_balancer_addresses(scenario, prices)
    # Its access logs go to S3 and cost next to nothing there.
    yield from _common(scenario, prices, Decimal(0))


def _rest_nlb(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    yield from lines.rest_api(scenario, prices)
    yield from lines.nlb(scenario, prices, scenario.gateway_connections_per_request, GATEWAY_CONNECTIONS)
    yield from lines.between_zones(scenario, prices, scenario.nlb_crossing_share, "NLB node")
    yield from _common(scenario, prices, scenario.gateway_log_bytes)


def _lattice(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    yield from lines.lattice(scenario, prices)
    yield from lines.lattice_entry(scenario, prices)
    yield from _common(scenario, prices, Decimal(0))


SERVICE_CONNECT = Option(
    "a", "service-connect", "HTTP API -> VPC link -> Cloud Map with Service Connect", True, _service_connect
)
PUBLIC_ALB = Option("d", "public-alb", "public ALB alone", False, _public_alb)
LATTICE = Option("f", "lattice", "VPC Lattice behind an entry of one's own", False, _lattice)
OPTIONS = (
    SERVICE_CONNECT,
    Option("b", "internal-alb", "HTTP API -> VPC link -> internal ALB", True, _internal_alb),
    Option("c", "internal-nlb", "HTTP API -> VPC link -> NLB", True, _internal_nlb),
    PUBLIC_ALB,
    Option("e", "rest-nlb", "REST API -> VPC link -> NLB", True, _rest_nlb),
    LATTICE,
)


def option_named(name: str) -> Option:
    """The option with that name or letter. Raises BadInput for another."""
    for option in OPTIONS:
        if name in (option.name, option.letter):
            return option
    raise BadInput(f"there is no option {name!r}; choose one of {', '.join(option.name for option in OPTIONS)}")


def _notes(option: Option, scenario: Scenario) -> Iterator[str]:
    if not possible(option, scenario):
        yield NOT_POSSIBLE
    if option.gateway and max(scenario.rates) > GATEWAY_REQUESTS_PER_SECOND:
        yield "more than API Gateway's quota of 10,000 requests/s, which AWS raises on request"
    if option is LATTICE:
        if scenario.lattice_entry:
            yield "its entry from the internet is added: a public NLB and a proxy task in each zone"
        else:
            yield "without an entry from the internet, which Lattice lacks"
