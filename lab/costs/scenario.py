"""What is priced: traffic, tasks and network, as one validated set of inputs, from options, a stack or a measured run.

Every input is declared once, here: its name, unit, range and help. `OPTIONS` is what `lab costs` offers of it.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from lab.costs.prices import wrong
from lab.errors import BadInput
from lab.records.run import record_of
from load.results import Run
from serviceconnect.settings import Settings
from serviceconnect.settings.service import FARGATE_MEMORY

# A month as AWS's own pricing examples count it: 8,760 hours / 12.
HOURS = Decimal(730)
SECONDS_PER_HOUR = Decimal(3600)
KB = Decimal(2**10)
GB = Decimal(2**30)

# Estimates of one request's access log in bytes, with the 26 that CloudWatch adds to each event. Service Connect
# writes one only where its configuration asks for it.
GATEWAY_LOG_BYTES = Decimal(400)
PROXY_LOG_BYTES = Decimal(300)

# What AWS advises to add to a task for the Service Connect proxy, in CPU units and MiB, and above which rate of each
# task it is twice the CPU: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-connect-concepts-deploy.html
PROXY_CPU, PROXY_CPU_BUSY, PROXY_MEMORY = 256, 512, 64
BUSY_REQUESTS_PER_SECOND = 500


# What an HTTP API counts in steps of 512 KB. AWS says that requests are metered in such increments, so that 513 KB of
# data are two, and not whether the response is part of the data: https://aws.amazon.com/api-gateway/pricing/
METER_REQUEST, METER_LARGER, METER_BOTH = 0, 1, 2

# The interface endpoints that only the Service Connect proxy needs.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/vpc-endpoints.html
PROXY_ENDPOINTS = {"ecs-agent", "ecs", "ecs-telemetry"}
SYNTHESIZED = Path("cdktf.out/stacks")

# Far beyond anything real, and small enough for sums to be exact; what is smaller than a picounit is nothing.
LARGEST = 10**12
Amount = Annotated[Decimal, Field(ge=0, le=LARGEST), AfterValidator(lambda value: round(value, 12))]
Share = Annotated[Decimal, Field(ge=0, le=1)]
Network = Literal["endpoints", "nat", "public", "none"]


_VCPUS = {f"{Decimal(units) / 1024:f}": units for units in FARGATE_MEMORY}


@dataclass(frozen=True)
class Option:
    """An option of `lab costs`: *field* of the scenario is its number times *factor*."""

    name: str
    field: str
    help: str
    factor: int
    flag: bool


def _option(help: str, default: Any, name: str = "", factor: int = 1, **rules: Any) -> Any:
    return Field(default, description=help, json_schema_extra={"option": name, "factor": factor}, **rules)


def _assumed(help: str, default: Any, low: Any, high: Any) -> Any:
    """*low* is the end at which bills are lowest, and *high* at which they are highest."""
    return Field(default, description=help, json_schema_extra={"low": str(low), "high": str(high)})


class Scenario(BaseModel):
    """The inputs of the cost model. The last block is assumed: AWS documents none of it.

    *rates* are requests/s in equal parts of a day (one entry: a constant rate). *cpu* and *memory* are the size of a
    task, the same for every way; that with the proxy's share on top is a way of its own. *http_api_metering* is one
    of the METER_ constants. A *cross_az_share* of None is `even_crossing`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    region: str = _option(
        "Region; without prices in the price file they are fetched.",
        "eu-west-2",
        pattern=r"^[a-z]{2}(-[a-z]{2,12}){1,3}-[0-9]{1,2}$",
    )
    rates: tuple[Amount, ...] = _option(
        "Mean requests/s, of each of --services. Default: 10.",
        (Decimal(10),),
        "requests-per-second",
        min_length=1,
        max_length=24,
    )
    request_bytes: Amount = _option("Size of a request in KB of 1,024 bytes. Default: 1.", KB, "request-kb", 1024)
    response_bytes: Amount = _option("Size of a response in KB. Default: 10.", 10 * KB, "response-kb", 1024)
    connections_per_request: Amount = _option(
        "Clients' new connections/s. Default: one for each request.", Decimal(1), "new-connections"
    )
    connection_seconds: Amount = _option("How long a connection lasts. Default: 1.", Decimal(1))
    listener_rules: int = _option("Rules that an ALB goes through. Default: 1.", 1, ge=0, le=10_000)
    services: int = _option(
        "Services in the VPC that share load balancers, endpoints and NAT gateways in equal parts. Default: 1.",
        1,
        ge=1,
        le=10_000,
    )

    tasks: int = _option("Number of tasks.", 3, ge=1, le=100_000)
    cpu: int = _option("CPU units of a task, 1,024 for a vCPU.", 256)
    memory: int = _option("Memory of a task in MiB.", 512)
    architecture: Literal["X86_64", "ARM64"] = _option("X86_64 or ARM64.", "X86_64")

    azs: int = _option("Number of availability zones.", 2, ge=1, le=6)
    network: Network = _option("The tasks' way out: endpoints, nat, public, or none (paid for already).", "endpoints")
    endpoints: int = _option("Interface endpoints that every way needs.", 3, ge=0, le=1000)
    proxy_endpoints: int = _option("Those that only Service Connect needs.", 1, ge=0, le=1000)
    nat_gateways: int = _option("Number of NAT gateways.", 1, ge=1, le=1000)
    load_balancer_addresses: int | None = _option(
        "Public IPv4 addresses of a public load balancer. Default: one in each zone.", None, ge=0, le=1000
    )

    gateway_log_bytes: Amount = _option("API Gateway's log for each request.", GATEWAY_LOG_BYTES)
    proxy_log_bytes: Amount = _option("Service Connect's access log for each request.", Decimal(0))
    app_log_bytes: Amount = _option("The application's log for each request.", Decimal(0))
    log_retention_days: int = _option("How long logs are kept.", 30, ge=1, le=3653)
    insights: bool = _option("Container Insights.", False)
    image_mb: Amount = _option("Size of the image in MB. Default: 60.", Decimal(60))
    images_kept: int = _option("Images kept in ECR. Default: 20.", 20, ge=0, le=100_000)

    front_ends: Annotated[Decimal, Field(ge=1, le=10**6)] = _assumed(
        "front ends of API Gateway that each ask Cloud Map (the twin has one)", Decimal(10), 1, 100
    )
    discovery_cache_seconds: Annotated[Decimal, Field(ge=Decimal("0.1"), le=86_400)] = _assumed(
        "for so long a front end uses an answer of Cloud Map", Decimal(5), 25, 1
    )
    cross_az_share: Share | None = _assumed(
        "share of API Gateway's requests that reach a task, or a network load balancer's node, in another zone",
        None,
        0,
        1,
    )
    alb_cross_az_share: Share = _assumed(
        "share of API Gateway's requests to an internal ALB that is billed between zones", Decimal(0), 0, "even"
    )
    http_api_metering: Annotated[int, Field(ge=0, le=2)] = _assumed(
        "what an HTTP API counts in steps of 512 KB: 0 the request, 1 the larger of it and its response, 2 both",
        1,
        0,
        2,
    )
    gateway_connections_per_request: Share = _assumed(
        "new connections of API Gateway or CloudFront to a load balancer, for each request", Decimal("0.5"), 0, 1
    )
    insights_metrics_per_task: Amount = _assumed("metrics of a task that Container Insights bills", Decimal(20), 10, 30)

    @field_validator("cpu", mode="before")
    @classmethod
    def _in_units(cls, cpu: object) -> object:
        """`0.5` and `1` are taken for vCPUs."""
        if str(cpu) in _VCPUS:
            raise ValueError(f"it is in CPU units, 1,024 for a vCPU: {cpu} vCPU is {_VCPUS[str(cpu)]}")
        return cpu

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.cpu not in FARGATE_MEMORY:
            raise ValueError(
                f"Fargate has no task of {self.cpu} CPU units; choose one of {', '.join(map(str, FARGATE_MEMORY))}"
            )
        if self.memory not in (sizes := FARGATE_MEMORY[self.cpu]):
            listed = ", ".join(map(str, sizes)) if len(sizes) <= 8 else f"{sizes[0]} to {sizes[-1]}"
            raise ValueError(
                f"Fargate has no task of {self.cpu} CPU units with {self.memory} MiB; "
                f"with so many units it has {listed} MiB"
            )
        return self

    def replace(self, **changes: Any) -> Self:
        """The same with *changes*, which are values that the model computed and not checked again."""
        return self.model_copy(update=changes)

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
        both = (self.request_bytes, self.response_bytes)
        return (both[0], max(both), sum(both, Decimal(0)))[self.http_api_metering]

    @property
    def even_crossing(self) -> Decimal:
        """Share of the traffic that goes to another zone if a zone is chosen without regard to one's own."""
        return Decimal(self.azs - 1) / self.azs

    @property
    def crossing_share(self) -> Decimal:
        """Share of API Gateway's traffic that goes to a task, or to an NLB's node, in another zone."""
        return self.even_crossing if self.cross_az_share is None else self.cross_az_share

    @property
    def public_addresses(self) -> int:
        """Public IPv4 addresses of a load balancer that the internet reaches: one in each zone unless given."""
        return self.azs if self.load_balancer_addresses is None else self.load_balancer_addresses

    @property
    def busy_rate(self) -> Decimal:
        """Requests/s of all tasks above which AWS advises the proxy's greater share."""
        return Decimal(BUSY_REQUESTS_PER_SECOND * self.tasks)

    @property
    def size_with_share(self) -> tuple[int, int] | None:
        """CPU units and MiB of the task that holds AWS's advised share as well; None if Fargate has none."""
        cpu = PROXY_CPU_BUSY if max(self.rates) > self.busy_rate else PROXY_CPU
        largest = fit(self.cpu + PROXY_CPU, self.memory + PROXY_MEMORY)  # where none holds the greater share
        return fit(self.cpu + cpu, self.memory + PROXY_MEMORY) or largest

    def at_rate(self, rate: Decimal) -> Self:
        """The same day's profile at a mean of *rate* requests/s (a constant rate if the profile is all zero)."""
        mean = self.mean_rate
        return self.replace(rates=tuple(each * rate / mean for each in self.rates) if mean else (rate,))


OPTIONS = tuple(
    Option(
        f"--{extra['option'] or field.replace('_', '-')}",
        field,
        info.description or "",
        int(str(extra["factor"])),
        info.annotation is bool,
    )
    for field, info in Scenario.model_fields.items()
    if isinstance(extra := info.json_schema_extra, dict) and "option" in extra
)


def with_options(scenario: Scenario, given: Mapping[str, Any]) -> Scenario:
    """*scenario* with each *given* field, an option's as its text. Raises BadInput that names the option and the rule.

    That of `connections_per_request` is in connections/s, and that of `rates` the one rate of all day. Without `memory`
    a `cpu` has the least that Fargate has with it, from the scenario's on.
    """
    if "connections_per_request" in given and len(given) > 1:  # it is divided by the rate
        rest = {field: value for field, value in given.items() if field != "connections_per_request"}
        scenario, given = with_options(scenario, rest), {field: given[field] for field in given.keys() - rest.keys()}
    options = {option.field: option for option in OPTIONS if option.field in given}
    values = {**dict(scenario), **given}
    if "cpu" in given and "memory" not in given:
        sizes = next((sizes for units, sizes in FARGATE_MEMORY.items() if str(units) == str(given["cpu"])), ())
        values["memory"] = next((size for size in sizes if size >= scenario.memory), scenario.memory)
    for field, option in options.items():
        try:
            if field == "rates":
                values[field] = (given[field],)
            elif field == "connections_per_request":
                if not scenario.mean_rate:
                    raise BadInput(f"{option.name} {given[field]!r:.60} cannot go with no requests at all")
                values[field] = Decimal(given[field]) / scenario.mean_rate
            elif option.factor != 1:
                values[field] = Decimal(given[field]) * option.factor
        except ArithmeticError as error:
            raise BadInput(f"{option.name} {given[field]!r:.60} is not a number that can be priced") from error
    try:
        return Scenario.model_validate(values)
    except ValidationError as error:
        place, words = wrong(error)
        if (field := place.partition(".")[0]) not in options:
            raise BadInput(words) from None
        by = " for each request" if field == "connections_per_request" else ""
        rule = words.partition(": ")[2]
        raise BadInput(f"{options[field].name} {str(given[field])!r:.60}{by}: {rule}") from None


def fit(cpu: int, memory: int) -> tuple[int, int] | None:
    """The smallest task of Fargate with so much CPU and memory, which is also the cheapest; None if there is none."""
    for units, memories in FARGATE_MEMORY.items():
        for mebibytes in memories:
            if units >= cpu and mebibytes >= memory:
                return units, mebibytes
    return None


def read_profile(path: Path) -> tuple[Decimal, ...]:
    """The requests/s of each hour of a day, from a CSV file with the columns hour (0 to 23, in order) and
    requests_per_second. Raises BadInput with the line."""
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror})") from error
    except (ValueError, csv.Error) as error:
        raise BadInput(f"{path} is not a CSV file ({error})") from error
    if not rows or rows[0] != ["hour", "requests_per_second"]:
        raise BadInput(f"{path}, line 1: the header must be hour,requests_per_second")
    rates: list[Decimal] = []
    for hour, row in enumerate(rows[1:]):
        if len(row) != 2 or row[0].strip() != str(hour) or hour > 23:
            raise BadInput(f"{path}, line {hour + 2}: hour {hour} and its requests per second are needed, for 0 to 23")
        try:
            rates += Scenario(rates=(row[1].strip(),)).rates  # type: ignore[arg-type]
        except ValidationError as error:
            raise BadInput(
                f"{path}, line {hour + 2}: {wrong(error)[1].replace('rates.0', 'requests_per_second')}"
            ) from None
    if len(rates) != 24:
        raise BadInput(f"{path} has {len(rates)} hours; a day has 24")
    return tuple(rates)


def asked_rate(run: Run) -> Decimal | None:
    """The requests/s that the load of *run* was asked for; None for a closed loop.

    The rate of a closed loop, in which every user asks again once answered, is what the machines could do: nobody has a
    month of it. Raises BadInput for a run.json that is wrong.
    """
    rate = record_of(run).settings.rate
    return Decimal(str(rate)) if rate else None


def run_region(run: Run) -> str | None:
    """Where *run* was, as far as it says; on a twin the Region that it stands in. Raises BadInput, as asked_rate."""
    return record_of(run).settings.region


def scenario_of_run(run: Run, scenario: Scenario, response_bytes: Decimal | None = None) -> Scenario:
    """*scenario* with the payloads, hosts and zones of *run*, and with the rate of an open loop.

    *response_bytes*, if given, stands in for a size not measured. Raises BadInput if the run states no payload size.
    """
    record = record_of(run)
    if not record.duration_s:
        raise BadInput(f"{run.path} has no duration_s above 0 in run.json: the run did not end, or had no requests")
    if response_bytes is None and record.response_bytes_mean is None:
        raise BadInput(
            f"{run.path} has no payload sizes (response_bytes_mean in run.json); give the size with --response-kb"
        )
    hosts = [host for host in run.hosts if host.hostname]
    # Hosts at one time, on average: a task that was replaced half-way and its successor count as one.
    seen = sum(host.last_seen - host.first_seen for host in hosts)
    zones = {host.availability_zone for host in hosts} - {""}
    sent = record.request_bytes_mean
    rate = asked_rate(run)
    measured = {
        "rates": scenario.rates if rate is None else (rate,),
        "request_bytes": scenario.request_bytes if sent is None else sent,
        "response_bytes": record.response_bytes_mean if response_bytes is None else response_bytes,
        "tasks": max(1, round(seen / record.duration_s)) if hosts else scenario.tasks,
        "azs": len(zones) or scenario.azs,
    }
    try:
        return Scenario.model_validate({**dict(scenario), **measured})
    except ValidationError as error:
        raise BadInput(f"{run.path} cannot be priced: {wrong(error)[1]}") from None


def default_scenario(stack: Path | None = None) -> Scenario:
    """The scenario of *stack*, else of the one that is synthesized, else of the default settings. Raises BadInput."""
    if stack is not None:
        return scenario_of_stack(stack)
    found = sorted(SYNTHESIZED.glob("*/cdk.tf.json"))
    if len(found) > 1:
        names = ", ".join(path.parent.name for path in found)
        raise BadInput(f"{SYNTHESIZED} holds several stacks ({names}); choose one with --stack PATH")
    return scenario_of_stack(found[0]) if found else scenario_of_settings(Settings())


def scenario_of_settings(settings: Settings) -> Scenario:
    """The scenario of the stack that *settings* would give."""
    return Scenario(
        region=settings.region,
        tasks=settings.desired_count,
        cpu=settings.cpu,
        memory=settings.memory,
        architecture=settings.architecture,  # type: ignore[arg-type]
        azs=len(settings.zones),
        log_retention_days=settings.log_retention_days,
        insights=settings.container_insights != "disabled",
    )


_STACKS = (
    "--stack takes this project's cdk.tf.json, which `make synth` writes. What another stack has is given by options, "
    "such as --region, --tasks, --cpu, --memory, --architecture and --network"
)


def scenario_of_stack(path: Path) -> Scenario:
    """The scenario of the stack in *path*, a cdk.tf.json. Raises BadInput if it cannot be read or lacks the service."""
    try:
        return _scenario(path, json.loads(path.read_bytes()))
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}); `make synth` writes it") from error
    except ValidationError as error:
        raise BadInput(f"{path} cannot be priced: {wrong(error)[1]}") from None
    except json.JSONDecodeError as error:
        raise BadInput(f"{path} is not JSON ({error}): {_STACKS}") from error
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError) as error:
        why = f"{type(error).__name__} {error}"
        raise BadInput(f"{path} is not the stack that this model knows ({why:.200}): {_STACKS}") from None


def _scenario(path: Path, stack: Mapping[str, Any]) -> Scenario:
    resources: Mapping[str, Mapping[str, Any]] = stack["resource"]

    def each(kind: str) -> list[Any]:
        return list(resources.get(kind, {}).values())

    def referred(kind: str, reference: str) -> Any:
        # A reference of Terraform; anything else is the id of something outside the stack, of which nothing is known.
        match = re.fullmatch(rf"\$\{{{kind}\.([^.]+)\.\w+\}}", reference)
        return resources[kind][match[1]] if match else {}

    services = [
        one for one in each("aws_ecs_service") if _block(one.get("service_connect_configuration")).get("service")
    ]
    if len(services) != 1:
        raise BadInput(f"{path} has {len(services)} ECS services behind Service Connect; exactly one can be priced")
    service, connect = services[0], _block(services[0]["service_connect_configuration"])
    task = referred("aws_ecs_task_definition", service["task_definition"])
    placed = _block(service["network_configuration"])
    interfaces = [
        endpoint["service_name"].split(".", 3)[-1]
        for endpoint in each("aws_vpc_endpoint")
        if endpoint.get("vpc_endpoint_type") == "Interface"
    ]
    for_proxy = sum(name in PROXY_ENDPOINTS for name in interfaces)
    gateways = len(each("aws_nat_gateway"))
    network: Network = "public" if placed.get("assign_public_ip") else "none"
    insights = [
        setting.get("value") in ("enhanced", "enabled")
        for cluster in each("aws_ecs_cluster")
        for setting in _blocks(cluster.get("setting"))
        if setting.get("name") == "containerInsights"
    ]
    # Of the rule for any tag: those of a tag's own have room for more images than there are of them.
    kept = r'"tagStatus":\s*"any"[^}]*?"imageCountMoreThan"[^}]*?"countNumber":\s*(\d{1,9})'
    counts = [int(count) for policy in each("aws_ecr_lifecycle_policy") for count in re.findall(kept, policy["policy"])]
    logged = any(stage.get("access_log_settings") for stage in each("aws_apigatewayv2_stage"))
    days = [int(group.get("retention_in_days", 0)) for group in each("aws_cloudwatch_log_group")]
    return Scenario(
        region=_block(stack["provider"]["aws"])["region"],
        tasks=service["desired_count"],
        cpu=task["cpu"],
        memory=task["memory"],
        architecture=_block(task.get("runtime_platform")).get("cpu_architecture", "X86_64"),
        azs=len({referred("aws_subnet", subnet).get("availability_zone", subnet) for subnet in placed["subnets"]}),
        network="endpoints" if interfaces else "nat" if gateways else network,
        endpoints=len(interfaces) - for_proxy,
        proxy_endpoints=for_proxy,
        nat_gateways=max(1, gateways),
        gateway_log_bytes=GATEWAY_LOG_BYTES if logged else Decimal(0),
        proxy_log_bytes=PROXY_LOG_BYTES if connect.get("access_log_configuration") else Decimal(0),
        log_retention_days=max(days, default=0) or 30,
        insights=any(insights),
        images_kept=max(counts, default=20) if each("aws_ecr_repository") else 0,
    )


def _blocks(value: Any) -> list[Any]:
    # Terraform's JSON allows one block to stand alone or in a list.
    return [] if value is None else value if isinstance(value, list) else [value]


def _block(value: Any) -> Any:
    return next(iter(_blocks(value)), {})
