"""What is priced: traffic, tasks and network, as one frozen, validated set of inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from lab.costs.fargate import BUSY_REQUESTS_PER_SECOND, SIZES, Size, fit, is_size, proxy_share
from lab.errors import BadInput

__all__ = [
    "GB",
    "HOURS",
    "KB",
    "METER_BOTH",
    "METER_LARGER",
    "METER_REQUEST",
    "SECONDS_PER_HOUR",
    "Scenario",
    "TaskSizes",
]

# A month as AWS's own pricing examples count it: 8,760 hours / 12.
HOURS = Decimal(730)
SECONDS_PER_HOUR = Decimal(3600)
KB = Decimal(2**10)
GB = Decimal(2**30)

# Estimates of one request's access log in bytes, with the 26 that CloudWatch adds to each event. Service Connect
# writes one only where its configuration asks for it.
GATEWAY_LOG_BYTES = Decimal(400)
PROXY_LOG_BYTES = Decimal(300)

# Container Insights with enhanced observability: metrics of cluster, service and task family together. AWS publishes no
# count, hence assumed.
INSIGHTS_BASE_METRICS = 36

# Far beyond anything real, and small enough for sums to be exact.
LARGEST = 10**12

# What an HTTP API counts in steps of 512 KB. AWS says that requests are metered in such increments, so that 513 KB of
# data are two, and not whether the response is part of the data: https://aws.amazon.com/api-gateway/pricing/
METER_REQUEST, METER_LARGER, METER_BOTH = Decimal(0), Decimal(1), Decimal(2)

AT_LEAST_ONE = ("tasks", "azs", "nat_gateways", "log_retention_days")
SHARES = ("cross_az_share", "nlb_cross_az_share", "alb_cross_az_share")
AT_LEAST_ZERO = (
    "request_bytes",
    "response_bytes",
    "connections_per_request",
    "connection_seconds",
    "listener_rules",
    "endpoints",
    "proxy_endpoints",
    "gateway_log_bytes",
    "proxy_log_bytes",
    "app_log_bytes",
    "image_mb",
    "images_kept",
    "discovery_calls_per_request",
    "gateway_connections_per_request",
    "lattice_entry",
    "insights_metrics_per_task",
)


@dataclass(frozen=True)
class TaskSizes:
    """Fargate's size of a task without and with the Service Connect proxy."""

    plain: Size
    proxied: Size


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """The inputs of the cost model. Raises BadInput for a value that cannot be.

    *rates* are requests/s in equal parts of a day (one entry: a constant rate). *cpu* and *memory* are the size of a
    task as Fargate has it; with *proxy* "within" it holds the Service Connect proxy too, as a deployed stack's does,
    with "on-top" it is what the application needs alone, and with "unreserved" nothing is set aside for the proxy.
    *proxy_endpoints* are those that only the proxy needs.
    The last block is assumed: AWS documents none of it. *http_api_metering* is one of the METER_ constants,
    *lattice_entry* 0 leaves out the public entry that VPC Lattice
    lacks.
    """

    region: str = "eu-west-2"
    rates: tuple[Decimal, ...] = (Decimal(10),)
    request_bytes: Decimal = 1 * KB
    response_bytes: Decimal = 10 * KB
    connections_per_request: Decimal = Decimal(1)
    connection_seconds: Decimal = Decimal(1)
    listener_rules: int = 1

    tasks: int = 3
    cpu: int = 256
    memory: int = 512
    architecture: Literal["X86_64", "ARM64"] = "X86_64"
    proxy: Literal["within", "on-top", "unreserved"] = "within"

    azs: int = 2
    network: Literal["endpoints", "nat", "public", "none"] = "endpoints"
    endpoints: int = 3
    proxy_endpoints: int = 1
    nat_gateways: int = 1
    load_balancer_addresses: int | None = None

    gateway_log_bytes: Decimal = GATEWAY_LOG_BYTES
    proxy_log_bytes: Decimal = Decimal(0)
    app_log_bytes: Decimal = Decimal(0)
    log_retention_days: int = 30
    insights: bool = False
    image_mb: Decimal = Decimal(60)
    images_kept: int = 20

    discovery_calls_per_request: Decimal = Decimal(0)
    cross_az_share: Decimal | None = None
    nlb_cross_az_share: Decimal | None = None
    alb_cross_az_share: Decimal = Decimal(0)
    gateway_connections_per_request: Decimal = Decimal(1)
    http_api_metering: Decimal = METER_LARGER
    lattice_entry: Decimal = Decimal(1)
    insights_metrics_per_task: Decimal = Decimal(20)

    def __post_init__(self) -> None:
        if not self.rates:
            raise BadInput("a daily profile must have at least one rate")
        for rate in self.rates:
            _at_least(0, "requests per second", rate)
        for name in AT_LEAST_ZERO:
            _at_least(0, name.replace("_", " "), getattr(self, name))
        for name in AT_LEAST_ONE:
            _at_least(1, name.replace("_", " "), getattr(self, name))
        if self.azs > 6:
            raise BadInput(f"azs = {self.azs} must be at most 6: no Region has more availability zones")
        if self.load_balancer_addresses is not None:
            _at_least(0, "load balancer addresses", self.load_balancer_addresses)
        for name in SHARES:
            share = getattr(self, name)
            if share is not None and not 0 <= share <= 1:
                raise BadInput(f"{name.replace('_', ' ')} = {share} must be from 0 to 1")
        if self.http_api_metering not in (METER_REQUEST, METER_LARGER, METER_BOTH):
            raise BadInput(
                f"http api metering = {self.http_api_metering} must be 0 (the request alone), 1 (the larger of request "
                "and response) or 2 (both together)"
            )
        _one_of("architecture", self.architecture, ("X86_64", "ARM64"))
        _one_of("proxy", self.proxy, ("within", "on-top", "unreserved"))
        _one_of("network", self.network, ("endpoints", "nat", "public", "none"))
        self._check_size()

    def _check_size(self) -> None:
        size = Size(self.cpu, self.memory)
        if self.cpu not in SIZES:
            raise BadInput(f"Fargate has no task of {self.cpu} CPU units; choose one of {_listed(list(SIZES))}")
        if not is_size(size):
            raise BadInput(
                f"Fargate has no task of {size}; with {self.cpu} CPU units it has {_listed(SIZES[self.cpu])} MiB"
            )
        if self.proxy == "on-top" and fit(size + proxy_share(busy=False)) is None:
            raise BadInput(f"Fargate has no task that holds {size} and the Service Connect proxy; choose a smaller one")

    @property
    def mean_rate(self) -> Decimal:
        """Requests/s, averaged over the day."""
        return sum(self.rates, Decimal(0)) / len(self.rates)

    @property
    def requests(self) -> Decimal:
        """Requests of a month."""
        return self.mean_rate * SECONDS_PER_HOUR * HOURS

    @property
    def exchanged_bytes(self) -> Decimal:
        """Bytes of a request and its response together."""
        return self.request_bytes + self.response_bytes

    @property
    def metered_bytes(self) -> Decimal:
        """Bytes of a request that an HTTP API counts in steps of 512 KB."""
        if self.http_api_metering == METER_REQUEST:
            return self.request_bytes
        if self.http_api_metering == METER_BOTH:
            return self.exchanged_bytes
        return max(self.request_bytes, self.response_bytes)

    @property
    def even_crossing(self) -> Decimal:
        """Share of the traffic that goes to another zone if a zone is chosen without regard to one's own."""
        return Decimal(self.azs - 1) / self.azs

    @property
    def crossing_share(self) -> Decimal:
        """Share of API Gateway's traffic that goes to a task in another zone."""
        return self.even_crossing if self.cross_az_share is None else self.cross_az_share

    @property
    def nlb_crossing_share(self) -> Decimal:
        """Share of API Gateway's traffic that goes to a node of an NLB in another zone."""
        return self.even_crossing if self.nlb_cross_az_share is None else self.nlb_cross_az_share

    @property
    def public_addresses(self) -> int:
        """Public IPv4 addresses of a load balancer that the internet reaches: one in each zone unless given."""
        return self.azs if self.load_balancer_addresses is None else self.load_balancer_addresses

    @property
    def insights_metrics(self) -> Decimal:
        """Metrics that Container Insights bills."""
        return INSIGHTS_BASE_METRICS + self.insights_metrics_per_task * self.tasks if self.insights else Decimal(0)

    @property
    def busy_rate(self) -> Decimal:
        """Requests/s of all tasks above which AWS advises the proxy's greater share."""
        return Decimal(BUSY_REQUESTS_PER_SECOND * self.tasks)

    @property
    def task_sizes(self) -> TaskSizes:
        """Sizes without and with the proxy; they differ only where its share makes Fargate's next step necessary."""
        size = Size(self.cpu, self.memory)
        if self.proxy == "unreserved":
            return TaskSizes(size, size)
        base = proxy_share(busy=False)
        need = size if self.proxy == "on-top" else size.less(base)
        # The largest size of all cannot grow further.
        proxied = fit(need + self.advised_share) or fit(need + base) or size
        return TaskSizes(plain=fit(need) or size, proxied=proxied)

    @property
    def advised_share(self) -> Size:
        """What AWS advises to reserve for the proxy in a task at this rate."""
        return proxy_share(busy=max(self.rates) > self.busy_rate)

    @property
    def without_share(self) -> Scenario:
        """The same, with tasks whose size is not raised for the proxy."""
        sizes = self.task_sizes
        if sizes.proxied == sizes.plain:
            return self
        return replace(self, cpu=sizes.plain.cpu, memory=sizes.plain.memory, proxy="unreserved")

    @property
    def with_share(self) -> Scenario | None:
        """The same, with tasks whose size is raised for the proxy; None if Fargate has none as large."""
        if self.task_sizes.proxied != self.task_sizes.plain:
            return self
        if fit(Size(self.cpu, self.memory) + proxy_share(busy=False)) is None:
            return None
        return replace(self, proxy="on-top")

    def at_rate(self, rate: Decimal) -> Scenario:
        """The same day's profile at a mean of *rate* requests/s (a constant rate if the profile is all zero)."""
        if self.mean_rate == 0:
            return replace(self, rates=(rate,))
        return replace(self, rates=tuple(each * rate / self.mean_rate for each in self.rates))


def _at_least(lowest: int, name: str, value: Decimal | int) -> None:
    if not Decimal(value).is_finite() or not lowest <= value <= LARGEST:
        raise BadInput(f"{name} = {value} must be a number from {lowest} to {LARGEST:,}")


def _one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise BadInput(f"{name} = {value!r} must be one of {', '.join(allowed)}")


def _listed(values: Sequence[int]) -> str:
    return (
        ", ".join(map(str, values))
        if len(values) <= 8
        else f"{values[0]} to {values[-1]} in steps of {values[1] - values[0]}"
    )
