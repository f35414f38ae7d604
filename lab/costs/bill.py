"""The ways to expose the service, and the bill of each: what is used in a month, at what price, what of it is assumed.

A line that grows with traffic grows in proportion to it; its *kinks* are the multiples of the present traffic at which
its slope changes or it jumps. Between two kinks a bill is a straight line in the request rate, which lets the
break-even points be solved exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal
from functools import cached_property
from itertools import chain

from lab.costs.prices import ZERO, Price, PriceBook
from lab.costs.scenario import (
    GB,
    HOURS,
    INSIGHTS_BASE_METRICS,
    KB,
    METER_BOTH,
    METER_LARGER,
    METER_REQUEST,
    SECONDS_PER_HOUR,
    Scenario,
)
from lab.errors import BadInput

__all__ = ["GROUPS", "PUBLIC_ALB", "SERVICE_CONNECT", "WAYS", "WITH_SHARE", "Bill", "Line", "Way", "bill", "way_named"]

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

# What stands before VPC Lattice on the way in: a network load balancer and a proxy task of this size in each zone.
# https://aws.amazon.com/solutions/guidance/external-connectivity-to-amazon-vpc-lattice/
ENTRY_TASK = (256, 512)


@dataclass(frozen=True)
class Line:
    """One line of a bill; *assumed* are the names of the assumptions that it rests on, empty if there is none."""

    item: str
    group: str
    amount: Decimal
    usd: Decimal
    price: Price
    assumed: tuple[str, ...] = ()
    kinks: tuple[Decimal, ...] = ()


@dataclass(frozen=True)
class Way:
    """A way to expose the service. *gateway*: API Gateway carries the payloads. *public*: tasks in public subnets."""

    name: str
    lines: Callable[[Scenario, PriceBook], Iterator[Line]]
    gateway: bool = False
    public: bool = False

    def offered(self, scenario: Scenario) -> bool:
        """Whether it is another way than those before it, and one that Fargate has tasks for."""
        if self is WITH_SHARE:
            return scenario.size_with_share is not None
        return not self.public or scenario.network in ("endpoints", "nat")

    def carries(self, scenario: Scenario) -> bool:
        """Whether the payloads fit through it; if not, its total is nobody's price."""
        return not self.gateway or max(scenario.request_bytes, scenario.response_bytes) <= GATEWAY_PAYLOAD_BYTES


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


def bill(way: Way, scenario: Scenario, prices: PriceBook) -> Bill:
    """What a month of *way* costs, line by line."""
    return Bill(way, tuple(way.lines(scenario.replace(network="public") if way.public else scenario, prices)))


def _line(
    item: str,
    group: str,
    amount: Decimal | int,
    name: str,
    prices: PriceBook,
    *assumed: str,
    grows: bool = True,
) -> Line:
    amount, price = Decimal(amount), prices[name]
    tiers = [f"{name}@{tier.start:f}" if tier.start else name for tier in price.assumed(amount)]
    kinks = tuple(kink / amount for kink in price.kinks) if grows and amount else ()
    return Line(item, group, amount, price.cost(amount), price, (*assumed, *tiers), kinks)


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


def http_api(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    """Requests of an HTTP API, counted in steps of 512 KB. Its VPC link costs nothing."""
    # Where the request alone and both together are as many steps, nothing depends on what is counted.
    ends = {steps(scenario.replace(http_api_metering=end)) for end in (METER_REQUEST, METER_BOTH)}
    assumed = ("http_api_metering",) if len(ends) > 1 else ()
    yield _line("HTTP API requests", "requests", scenario.requests * steps(scenario), "http_api", prices, *assumed)


def rest_api(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    """Requests of a REST API, which are not counted in steps of their size."""
    yield _line("REST API requests", "requests", scenario.requests, "rest_api", prices)


def alb(
    scenario: Scenario, prices: PriceBook, connections: Decimal, *assumed: str, services: int = 1
) -> Iterator[Line]:
    """An application load balancer: its hours, which *services* share, and the capacity units of this one."""
    yield _line("ALB hours", "load balancer", HOURS / services, "alb_hour", prices, grows=False)
    used = _unit_hours(scenario, lcus_beside_data(scenario, connections))
    yield _line("ALB capacity units", "load balancer", used, "alb_lcu", prices, *assumed)


def nlb(scenario: Scenario, prices: PriceBook, connections: Decimal, *assumed: str) -> Iterator[Line]:
    """A network load balancer: its hours and its capacity units."""
    yield _line("NLB hours", "load balancer", HOURS, "nlb_hour", prices, grows=False)
    used = _unit_hours(scenario, nlcus_beside_data(scenario, connections))
    yield _line("NLB capacity units", "load balancer", used, "nlb_nlcu", prices, *assumed)


def addresses(scenario: Scenario, prices: PriceBook, services: int = 1) -> Iterator[Line]:
    """Public IPv4 addresses of a load balancer that the internet reaches."""
    hours = HOURS * scenario.public_addresses / services
    yield _line("public IPv4 of the load balancer", "load balancer", hours, "ipv4_hour", prices, grows=False)


def lattice(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    """VPC Lattice with one service; zones are crossed at no charge of their own."""
    yield _line("Lattice service hours", "load balancer", HOURS, "lattice_hour", prices, grows=False)
    data = scenario.requests * scenario.exchanged_bytes / GB
    yield _line("Lattice data", "requests", data, "lattice_data", prices)
    price = prices["lattice_request"]
    # The free amount is an hour's, so it is taken off hour by hour.
    hourly = [rate * SECONDS_PER_HOUR for rate in scenario.rates]
    billed = sum((max(ZERO, requests - price.free) for requests in hourly), ZERO) * HOURS / len(hourly)
    assumed = ("lattice_request",) if price.assumed(price.free + billed) else ()
    kinks = tuple(price.free / requests for requests in hourly if requests)
    usd = price.cost(billed, free=False)
    yield Line("Lattice requests beyond the free ones", "requests", billed, usd, price, assumed, kinks)


def lattice_entry(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    """The public way in that VPC Lattice lacks: a network load balancer and a proxy task in each zone."""
    for line in chain(
        nlb(scenario, prices, scenario.connections_per_request),
        addresses(scenario, prices),
        _fargate("proxy tasks", "load balancer", *ENTRY_TASK, scenario.azs, scenario, prices),
    ):
        yield replace(line, item=f"entry: {line.item}")


def cloudfront(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    """Requests of CloudFront, nothing cached, and its egress; what it fetches from a VPC origin costs nothing."""
    yield _line("CloudFront requests", "requests", scenario.requests, "cloudfront_request", prices)
    data = scenario.requests * scenario.response_bytes / GB
    yield _line("CloudFront egress", "internet egress", data, "cloudfront_egress", prices)


def tasks(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    """The service's tasks."""
    yield from _fargate("Fargate", "tasks", scenario.cpu, scenario.memory, scenario.tasks, scenario, prices)


def proxy_share(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    """What the task that holds AWS's advised share for the proxy costs beyond the plain one."""
    cpu, memory = scenario.size_with_share or (scenario.cpu, scenario.memory)
    busiest = max(scenario.rates)
    kinks = (scenario.busy_rate / busiest,) if busiest else ()
    more = (cpu - scenario.cpu, memory - scenario.memory)
    for line in _fargate("proxy's share", "Service Connect", *more, scenario.tasks, scenario, prices):
        yield replace(line, kinks=kinks)


def _fargate(
    item: str, group: str, cpu: int, memory: int, count: int, scenario: Scenario, prices: PriceBook
) -> Iterator[Line]:
    kind = "fargate_arm" if scenario.architecture == "ARM64" else "fargate_x86"
    for name, amount, of in (("vcpu", cpu, "vCPU"), ("memory", memory, "memory")):
        yield _line(f"{item}: {of}", group, HOURS * count * amount / 1024, f"{kind}_{name}", prices, grows=False)


def cloud_map(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    """Cloud Map without Service Connect: the registered tasks, the private zone of the namespace, discovery calls.

    Front ends ask again as their answers run out, and not for each request. Under Service Connect all of it is free:
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-connect.html, "Pricing".
    """
    group = "requests"
    yield _line("Cloud Map resources", group, scenario.tasks, "cloud_map_resource", prices, grows=False)
    yield _line("hosted zone of the namespace", group, 1, "hosted_zone", prices, grows=False)
    calls = scenario.front_ends * SECONDS_PER_HOUR * HOURS / scenario.discovery_cache_seconds
    assumed = ("front_ends", "discovery_cache_seconds")
    yield _line("Cloud Map discovery calls", group, calls, "cloud_map_call", prices, *assumed, grows=False)


def network(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    """The tasks' way to ECR, S3 and CloudWatch; the S3 gateway endpoint costs nothing."""
    group = "private network"
    sent = scenario.requests * scenario.app_log_bytes / GB
    if scenario.network == "endpoints":
        hours = HOURS * scenario.endpoints * scenario.azs
        yield _line("interface endpoints", group, hours, "endpoint_hour", prices, grows=False)
        yield _line("data through endpoints", group, sent, "endpoint_data", prices)
    elif scenario.network == "nat":
        hours = HOURS * scenario.nat_gateways
        yield _line("NAT gateway hours", group, hours, "nat_hour", prices, grows=False)
        yield _line("public IPv4 of NAT gateways", group, hours, "ipv4_hour", prices, grows=False)
        yield _line("data through NAT", group, sent, "nat_data", prices)
    elif scenario.network == "public":
        yield _line("public IPv4 of tasks", group, HOURS * scenario.tasks, "ipv4_hour", prices, grows=False)


def proxy_network(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    """What the Service Connect proxy needs beside the tasks' own network: its endpoint, and the way of its logs."""
    group = "Service Connect"
    sent = scenario.requests * scenario.proxy_log_bytes / GB
    if scenario.network == "endpoints":
        hours = HOURS * scenario.proxy_endpoints * scenario.azs
        yield _line("endpoints of the proxy", group, hours, "endpoint_hour", prices, grows=False)
        yield _line("proxy logs through endpoints", group, sent, "endpoint_data", prices)
    elif scenario.network == "nat":
        yield _line("proxy logs through NAT", group, sent, "nat_data", prices)


def between_zones(scenario: Scenario, prices: PriceBook, share: Decimal, assumed: str) -> Iterator[Line]:
    """The *share* of the traffic on which API Gateway's way ends in another zone.

    A GB is billed as it leaves one zone and as it enters the other. For a client and an NLB AWS says so:
    https://aws.amazon.com/blogs/networking-and-content-delivery/exploring-data-transfer-costs-for-aws-network-load-balancers/
    By default an NLB gives its clients the address of any zone, and its nodes then keep to the targets of their own:
    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-load-balancer-attributes.html
    Which zone the network interface of a VPC link lies in that a request comes from is not documented, hence assumed.

    An ALB's own traffic to targets in other zones is free, and so is that of EC2 instances with an ALB in their VPC
    (https://aws.amazon.com/ec2/pricing/on-demand/); whether a VPC link counts as one of them is assumed.
    """
    crossed = scenario.requests * scenario.exchanged_bytes / GB * share * 2
    yield _line("between zones, both directions", "between zones", crossed, "cross_az", prices, assumed)


def egress(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    """Responses to the internet, billed alike whatever sends them but CloudFront."""
    data = scenario.requests * scenario.response_bytes / GB
    yield _line("internet egress", "internet egress", data, "egress", prices)


def operations(scenario: Scenario, prices: PriceBook, log_bytes: Decimal) -> Iterator[Line]:
    """Logs, Container Insights, and the image in ECR; *log_bytes* are those of one request."""
    group = "logs, metrics, image"
    ingested = scenario.requests * (log_bytes + scenario.app_log_bytes) / GB
    yield _line("log ingestion", group, ingested, "log_ingest", prices)
    yield _line("log storage", group, ingested * scenario.log_retention_days / 30, "log_storage", prices)
    metrics = (INSIGHTS_BASE_METRICS + scenario.insights_metrics_per_task * scenario.tasks) * int(scenario.insights)
    counted = ("insights_metrics_per_task",) if metrics else ()
    yield _line("Container Insights", group, metrics, "insights_metric", prices, *counted, grows=False)
    image = scenario.image_mb * scenario.images_kept / 1024
    yield _line("image in ECR", group, image, "image_storage", prices, grows=False)


Lines = Callable[[Scenario, PriceBook], Iterator[Line]]
CONNECTIONS = "gateway_connections_per_request"


def _gateway(front: Lines, between: Lines, share: str, *parts: Lines) -> Lines:
    """An API, what stands between it and the tasks, and the *share* of its traffic that is billed between zones."""

    def lines(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
        crossing = scenario.crossing_share if share == "cross_az_share" else scenario.alb_cross_az_share
        logs = scenario.gateway_log_bytes + (scenario.proxy_log_bytes if between is proxy_network else ZERO)
        for part in (front, between, *parts, _service):
            yield from part(scenario, prices)
        yield from between_zones(scenario, prices, crossing, share)
        yield from operations(scenario, prices, logs)

    return lines


def _inner_alb(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    yield from alb(scenario, prices, scenario.gateway_connections_per_request, CONNECTIONS)


def _inner_nlb(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    yield from nlb(scenario, prices, scenario.gateway_connections_per_request, CONNECTIONS)


def _service(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    yield from tasks(scenario, prices)
    yield from network(scenario, prices)
    yield from egress(scenario, prices)


def _public_alb(scenario: Scenario, prices: PriceBook, services: int = 1) -> Iterator[Line]:
    yield from alb(scenario, prices, scenario.connections_per_request, services=services)
    yield from addresses(scenario, prices, services)
    yield from _service(scenario, prices)
    # Its access logs go to S3 and cost next to nothing there.
    yield from operations(scenario, prices, ZERO)


def _shared_alb(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    yield from _public_alb(scenario, prices, scenario.alb_services)


def _cloudfront_alb(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    yield from cloudfront(scenario, prices)
    yield from _inner_alb(scenario, prices)
    yield from tasks(scenario, prices)
    yield from network(scenario, prices)
    yield from operations(scenario, prices, ZERO)


def _lattice(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    yield from lattice(scenario, prices)
    yield from lattice_entry(scenario, prices)
    yield from _service(scenario, prices)
    yield from operations(scenario, prices, ZERO)


TASKS, ALB = "cross_az_share", "alb_cross_az_share"
SERVICE_CONNECT = Way("service-connect", _gateway(http_api, proxy_network, TASKS), gateway=True)
WITH_SHARE = Way("service-connect-with-share", _gateway(http_api, proxy_network, TASKS, proxy_share), gateway=True)
PUBLIC_ALB = Way("public-alb", _public_alb)
WAYS = (
    SERVICE_CONNECT,
    WITH_SHARE,
    Way("service-connect-public-tasks", SERVICE_CONNECT.lines, gateway=True, public=True),
    Way("cloud-map", _gateway(http_api, cloud_map, TASKS), gateway=True),
    Way("internal-alb", _gateway(http_api, _inner_alb, ALB), gateway=True),
    Way("internal-nlb", _gateway(http_api, _inner_nlb, TASKS), gateway=True),
    PUBLIC_ALB,
    Way("public-alb-public-tasks", PUBLIC_ALB.lines, public=True),
    Way("shared-alb", _shared_alb),
    Way("rest-alb", _gateway(rest_api, _inner_alb, ALB), gateway=True),
    Way("rest-nlb", _gateway(rest_api, _inner_nlb, TASKS), gateway=True),
    Way("cloudfront-alb", _cloudfront_alb),
    Way("lattice", _lattice),
)


def way_named(name: str) -> Way:
    """The way of that name. Raises BadInput for another."""
    for way in WAYS:
        if way.name == name:
            return way
    raise BadInput(f"there is no way {name!r:.60}; choose one of {', '.join(way.name for way in WAYS)}")
