"""The lines of a bill: what is used in a month, at what price, and what of it is assumed.

Every function takes the scenario and the price book and gives Lines. A line that grows with traffic grows in proportion
to it; its *kinks* are the multiples of the present traffic at which its slope changes or it jumps. Between two kinks a
bill is a straight line in the request rate, which lets the break-even points be solved exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal
from itertools import chain
from typing import Any, TypeVar

from lab.costs.fargate import Size
from lab.costs.prices import Price, PriceBook
from lab.costs.quantities import (
    Calls,
    GbHours,
    GbMonths,
    Gigabytes,
    Hours,
    LcuHours,
    MetricMonths,
    NlcuHours,
    Quantity,
    Requests,
    ResourceMonths,
    Usd,
    VcpuHours,
)
from lab.costs.scenario import GB, HOURS, KB, METER_BOTH, METER_LARGER, METER_REQUEST, SECONDS_PER_HOUR, Scenario

__all__ = ["GROUPS", "Line"]

# What the bars of the picture are stacked from, in this order.
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

# One unit of capacity: https://aws.amazon.com/elasticloadbalancing/pricing/
LCU_NEW_PER_SECOND = Decimal(25)
LCU_ACTIVE = Decimal(3000)
LCU_GB_PER_HOUR = Decimal(1)
LCU_RULES_PER_SECOND = Decimal(1000)
FREE_RULES = 10
NLCU_NEW_PER_SECOND = Decimal(800)
NLCU_ACTIVE = Decimal(100_000)
NLCU_GB_PER_HOUR = Decimal(1)

# What stands before VPC Lattice on the way in: a network load balancer and a proxy task of this size in each zone.
# https://aws.amazon.com/solutions/guidance/external-connectivity-to-amazon-vpc-lattice/
ENTRY_TASK = Size(256, 512)
ENTRY_ADDED = "entry added: Lattice is not reachable from the internet"

Q = TypeVar("Q", bound=Quantity)


@dataclass(frozen=True)
class Line:
    """One line of a bill; *assumed* says in words what of it no AWS page states, and is empty if all is published."""

    item: str
    group: str
    quantity: Quantity
    cost: Usd
    price: Price[Any]
    assumed: str = ""
    kinks: tuple[Decimal, ...] = ()


def _fixed(
    item: str,
    group: str,
    quantity: Q,
    price: Price[Q],
    assumed: str = "",
    kinks: tuple[Decimal, ...] = (),
) -> Line:
    reasons = [reason for reason in (assumed, price.assumed(quantity)) if reason]
    return Line(item, group, quantity, price.cost(quantity), price, "; ".join(reasons), kinks)


def _traffic(item: str, group: str, quantity: Q, price: Price[Q], assumed: str = "") -> Line:
    kinks = tuple(kink / quantity.value for kink in price.kinks) if quantity.value else ()
    return _fixed(item, group, quantity, price, assumed, kinks)


def steps(scenario: Scenario) -> Decimal:
    """Steps of 512 KB that an HTTP API bills for one request, all being of one size: at least one."""
    return max(Decimal(1), (scenario.metered_bytes / STEP_BYTES).to_integral_value(ROUND_CEILING))


def mixed_steps(scenario: Scenario) -> tuple[Decimal, Decimal]:
    """Between what the mean of a request's steps lies where the scenario's sizes are means of mixed ones.

    A request of s bytes has at least 1 and at least s / 512 KB steps, and at most 1 + s / 512 KB, whatever s is. So has
    the mean of all, and the mean of the larger of two is at most the sum of their means.
    """
    larger = scenario.http_api_metering == METER_LARGER
    most = scenario.exchanged_bytes if larger else scenario.metered_bytes
    return max(Decimal(1), scenario.metered_bytes / STEP_BYTES), 1 + most / STEP_BYTES


def lcus(scenario: Scenario, rate: Decimal, connections_per_request: Decimal) -> Decimal:
    """Capacity units that an application load balancer uses at *rate* requests/s: the largest of four."""
    return rate * max(_lcus_beside_data(scenario, connections_per_request), _gb_per_hour(scenario) / LCU_GB_PER_HOUR)


def nlcus(scenario: Scenario, rate: Decimal, connections_per_request: Decimal) -> Decimal:
    """Capacity units that a network load balancer uses at *rate* requests/s over TCP: the largest of three."""
    return rate * max(_nlcus_beside_data(scenario, connections_per_request), _gb_per_hour(scenario) / NLCU_GB_PER_HOUR)


def alb_threshold_bytes(scenario: Scenario, connections_per_request: Decimal) -> Decimal:
    """Bytes of request and response together above which an ALB's capacity units count the data."""
    return _lcus_beside_data(scenario, connections_per_request) * LCU_GB_PER_HOUR * GB / SECONDS_PER_HOUR


def nlb_threshold_bytes(scenario: Scenario, connections_per_request: Decimal) -> Decimal:
    """Bytes of request and response together above which an NLB's capacity units count the data."""
    return _nlcus_beside_data(scenario, connections_per_request) * NLCU_GB_PER_HOUR * GB / SECONDS_PER_HOUR


def _gb_per_hour(scenario: Scenario) -> Decimal:
    """Data in GB an hour at one request a second."""
    return scenario.exchanged_bytes * SECONDS_PER_HOUR / GB


def _lcus_beside_data(scenario: Scenario, connections_per_request: Decimal) -> Decimal:
    """An ALB's other dimensions at one request a second: new connections, active connections, rule evaluations."""
    return max(
        connections_per_request / LCU_NEW_PER_SECOND,
        connections_per_request * scenario.connection_seconds / LCU_ACTIVE,
        max(0, scenario.listener_rules - FREE_RULES) / LCU_RULES_PER_SECOND,
    )


def _nlcus_beside_data(scenario: Scenario, connections_per_request: Decimal) -> Decimal:
    """An NLB's other dimensions at one request a second: new connections and active connections."""
    return max(
        connections_per_request / NLCU_NEW_PER_SECOND,
        connections_per_request * scenario.connection_seconds / NLCU_ACTIVE,
    )


def _hours_at_each_rate(scenario: Scenario) -> Decimal:
    return HOURS / len(scenario.rates)


def http_api(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    """Requests of an HTTP API, counted in steps of 512 KB. Its VPC link costs nothing."""
    counted = steps(scenario)
    # Where the request alone and both together are as many steps, nothing depends on what is counted.
    ends = {steps(replace(scenario, http_api_metering=end)) for end in (METER_REQUEST, METER_BOTH)}
    assumed = f"steps of 512 KB: {counted} for each request" if len(ends) > 1 else ""
    yield _traffic("HTTP API requests", "requests", Requests(scenario.requests * counted), prices.http_api, assumed)


def rest_api(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    """Requests of a REST API, which are not counted in steps of their size."""
    yield _traffic("REST API requests", "requests", Requests(scenario.requests), prices.rest_api)


def alb(scenario: Scenario, prices: PriceBook, connections_per_request: Decimal, assumed: str = "") -> Iterator[Line]:
    """An application load balancer: its hours, and its capacity units hour by hour."""
    yield _fixed("ALB hours", "load balancer", Hours(HOURS), prices.alb_hour)
    used = sum((lcus(scenario, rate, connections_per_request) for rate in scenario.rates), Decimal(0))
    yield _traffic(
        "ALB capacity units", "load balancer", LcuHours(used * _hours_at_each_rate(scenario)), prices.alb_lcu, assumed
    )


def nlb(scenario: Scenario, prices: PriceBook, connections_per_request: Decimal, assumed: str = "") -> Iterator[Line]:
    """A network load balancer: its hours, and its capacity units hour by hour."""
    yield _fixed("NLB hours", "load balancer", Hours(HOURS), prices.nlb_hour)
    used = sum((nlcus(scenario, rate, connections_per_request) for rate in scenario.rates), Decimal(0))
    yield _traffic(
        "NLB capacity units", "load balancer", NlcuHours(used * _hours_at_each_rate(scenario)), prices.nlb_nlcu, assumed
    )


def load_balancer_addresses(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    """Public IPv4 addresses of a load balancer that the internet reaches."""
    hours = Hours(HOURS) * scenario.public_addresses
    yield _fixed("public IPv4 of the load balancer", "load balancer", hours, prices.ipv4_hour)


def lattice(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    """VPC Lattice with one service; zones are crossed at no charge of their own."""
    yield _fixed("Lattice service hours", "load balancer", Hours(HOURS), prices.lattice_hour)
    data = Gigabytes(scenario.requests * scenario.exchanged_bytes / GB)
    yield _traffic("Lattice data", "requests", data, prices.lattice_data)
    price = prices.lattice_request
    hourly = [Requests(rate * SECONDS_PER_HOUR) for rate in scenario.rates]
    # The free amount is an hour's, so it is taken off hour by hour.
    billed = sum((price.billable(requests) for requests in hourly), Requests(Decimal(0))) * _hours_at_each_rate(
        scenario
    )
    yield Line(
        "Lattice requests beyond the free ones",
        "requests",
        billed,
        price.cost_beyond_free(billed),
        price,
        f"price of {price.tiers[0].region}",
        tuple(price.free / requests.value for requests in hourly if requests.value),
    )


def lattice_entry(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    """The public way in that VPC Lattice lacks: a network load balancer and a proxy task in each zone."""
    share = scenario.lattice_entry
    for line in chain(
        nlb(scenario, prices, scenario.connections_per_request),
        load_balancer_addresses(scenario, prices),
        _task_lines("proxy tasks", "load balancer", ENTRY_TASK, scenario.azs, scenario, prices),
    ):
        yield replace(
            line,
            item=f"entry: {line.item}",
            quantity=line.quantity * share,
            cost=line.cost * share,
            assumed="; ".join(filter(None, (ENTRY_ADDED, line.assumed))),
        )


def tasks(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    """The service's tasks at the size that they need without a proxy."""
    yield from _task_lines("Fargate", "tasks", scenario.task_sizes.plain, scenario.tasks, scenario, prices)


def service_connect_share(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    """What the size with the proxy costs beyond the plain one: nothing where Fargate's step holds both."""
    sizes = scenario.task_sizes
    busiest = max(scenario.rates)
    kinks = (scenario.busy_rate / busiest,) if busiest else ()
    for line in _task_lines(
        "Service Connect share",
        "Service Connect",
        sizes.proxied.less(sizes.plain),
        scenario.tasks,
        scenario,
        prices,
    ):
        yield replace(line, kinks=kinks)


def _task_lines(item: str, group: str, size: Size, count: int, scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    arm = scenario.architecture == "ARM64"
    vcpu = VcpuHours(HOURS * count * size.cpu / 1024)
    memory = GbHours(HOURS * count * size.memory / 1024)
    yield _fixed(f"{item}: vCPU", group, vcpu, prices.fargate_arm_vcpu if arm else prices.fargate_x86_vcpu)
    yield _fixed(f"{item}: memory", group, memory, prices.fargate_arm_memory if arm else prices.fargate_x86_memory)


def cloud_map(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    """The registered tasks, and the discovery calls of API Gateway if those are billed."""
    yield _fixed(
        "Cloud Map resources", "Service Connect", ResourceMonths(Decimal(scenario.tasks)), prices.cloud_map_resource
    )
    yield _traffic(
        "Cloud Map discovery calls",
        "Service Connect",
        Calls(scenario.requests * scenario.discovery_calls_per_request),
        prices.cloud_map_call,
        f"API Gateway's calls: {scenario.discovery_calls_per_request.normalize():f} billed for each request",
    )


def network(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    """The tasks' way to ECR, S3 and CloudWatch; the S3 gateway endpoint costs nothing."""
    group = "private network"
    sent = Gigabytes(scenario.requests * scenario.app_log_bytes / GB)
    if scenario.network == "endpoints":
        yield _fixed(
            "interface endpoints", group, Hours(HOURS) * scenario.endpoints * scenario.azs, prices.endpoint_hour
        )
        yield _traffic("data through endpoints", group, sent, prices.endpoint_data)
    elif scenario.network == "nat":
        hours = Hours(HOURS) * scenario.nat_gateways
        yield _fixed("NAT gateway hours", group, hours, prices.nat_hour)
        yield _fixed("public IPv4 of NAT gateways", group, hours, prices.ipv4_hour)
        yield _traffic("data through NAT", group, sent, prices.nat_data)
    elif scenario.network == "public":
        yield _fixed("public IPv4 of tasks", group, Hours(HOURS) * scenario.tasks, prices.ipv4_hour)


def proxy_network(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    """What the Service Connect proxy needs beside the tasks' own network: its endpoint, and the way of its logs."""
    group = "Service Connect"
    sent = Gigabytes(scenario.requests * scenario.proxy_log_bytes / GB)
    if scenario.network == "endpoints":
        hours = Hours(HOURS) * scenario.proxy_endpoints * scenario.azs
        yield _fixed("endpoints of the proxy", group, hours, prices.endpoint_hour)
        yield _traffic("proxy logs through endpoints", group, sent, prices.endpoint_data)
    elif scenario.network == "nat":
        yield _traffic("proxy logs through NAT", group, sent, prices.nat_data)


def between_zones(scenario: Scenario, prices: PriceBook, share: Decimal, to: str) -> Iterator[Line]:
    """The *share* of the traffic on which API Gateway's way *to* something ends in another zone.

    A GB is billed as it leaves one zone and as it enters the other. For a client and an NLB AWS says so:
    https://aws.amazon.com/blogs/networking-and-content-delivery/exploring-data-transfer-costs-for-aws-network-load-balancers/
    By default an NLB gives its clients the address of any zone, and its nodes then keep to the targets of their own:
    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-load-balancer-attributes.html
    Which zone the network interface of a VPC link lies in that a request comes from is not documented, hence assumed.

    An ALB's own traffic to targets in other zones is free, and so is that of EC2 instances with an ALB in their VPC
    (https://aws.amazon.com/ec2/pricing/on-demand/); that a VPC link counts as one of them is assumed.
    """
    crossed = Gigabytes(scenario.requests * scenario.exchanged_bytes / GB) * share * 2
    assumed = f"API Gateway's choice of a zone's {to}: {share:.2f} of the traffic crosses and is billed"
    yield _traffic("between zones, both directions", "between zones", crossed, prices.cross_az, assumed)


def egress(scenario: Scenario, prices: PriceBook) -> Iterator[Line]:
    """Responses to the internet, billed alike whatever sends them."""
    data = Gigabytes(scenario.requests * scenario.response_bytes / GB)
    yield _traffic("internet egress", "internet egress", data, prices.egress)


def operations(scenario: Scenario, prices: PriceBook, log_bytes: Decimal) -> Iterator[Line]:
    """Logs, Container Insights, and the image in ECR; *log_bytes* are those of one request."""
    group = "logs, metrics, image"
    ingested = Gigabytes(scenario.requests * (log_bytes + scenario.app_log_bytes) / GB)
    kept = GbMonths(ingested.value * scenario.log_retention_days / 30)
    yield _traffic("log ingestion", group, ingested, prices.log_ingest)
    yield _traffic("log storage", group, kept, prices.log_storage)
    metrics = MetricMonths(scenario.insights_metrics)
    assumed = "number of metrics" if metrics.value else ""
    yield _fixed("Container Insights", group, metrics, prices.insights_metric, assumed)
    image = GbMonths(scenario.image_mb * scenario.images_kept / 1024)
    yield _fixed("image in ECR", group, image, prices.image_storage)
