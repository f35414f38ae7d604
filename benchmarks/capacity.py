"""What a rate of requests needs on AWS, and which quota it meets first: arithmetic with measured costs.

Quotas are AWS's defaults, from https://docs.aws.amazon.com/general/latest/gr/ and the pages named beside them. What AWS
does not document is assumed, and said to be.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["RATES", "Costs", "Need", "limits", "need", "table"]

RATES = (10, 1_000, 100_000)  # requests a second

TASK_VCPU = 0.25  # the stack's default, the proxy's part included
LEAST_TASKS = 3  # the stack's default
BUSY = 0.6  # of a processor: more leaves no room for a task that stops and for bursts
# Of Service Connect's proxy, above which AWS advises 512 units for it alone: developer guide, Service Connect.
ADVISED_RATE = 500
WORKER_VCPU = 1.0  # of the stack's load fleet
MOST_WORKERS = 100  # of its setting

STAGE_RATE = 1_000  # requests a second: the stack's throttle_rate
ACCOUNT_RATE = 10_000  # requests a second, 2,500 in newer Regions: API Gateway quotas
INSTANCES = 1_000  # of a Cloud Map service, fixed: Cloud Map quotas
DISCOVERIES = 1_000  # DiscoverInstances a second and account, 2,000 in a burst: Cloud Map quotas
FARGATE_VCPU = 6  # of a new account, raised with use: Fargate quotas
SERVICE_TASKS = 5_000  # of an ECS service: ECS quotas
LAUNCHES = 500  # tasks a minute that a service starts on Fargate: ECS quotas


@dataclass(frozen=True)
class Costs:
    """Measured, in microseconds of a processor.

    Attributes:
        task: of a request in a task, application and proxy.
        user: of a request in a Locust process that counts by host.
    """

    task: float
    user: float


@dataclass(frozen=True)
class Need:
    """Of one rate: tasks of the default size, their vCPUs, requests a second of each, and workers of the load fleet."""

    rate: int
    tasks: int
    vcpu: float
    each: float
    workers: int


def need(rate: int, costs: Costs) -> Need:
    """What *rate* requests a second need, each processor busy for BUSY of the time."""
    tasks = max(LEAST_TASKS, math.ceil(rate * costs.task / 1e6 / (TASK_VCPU * BUSY)))
    workers = math.ceil(rate * costs.user / 1e6 / (WORKER_VCPU * BUSY))
    return Need(rate, tasks, tasks * TASK_VCPU, rate / tasks, workers)


@dataclass(frozen=True)
class Limit:
    """A quota, and how much of it a rate takes."""

    name: str
    quota: float
    takes: float

    @property
    def exceeded(self) -> bool:
        return self.takes > self.quota


def limits(needed: Need) -> Iterator[Limit]:
    """All quotas on the way of a request, in the order in which it meets them.

    Whether API Gateway asks Cloud Map for each request, or how long it uses an answer, is not documented; the last two
    are the ends of what may be: one call a request, and (assumed) an answer used for five seconds by one front end for
    each thousand requests a second.
    """
    yield Limit("the stage's `throttle_rate`, requests/s", STAGE_RATE, needed.rate)
    yield Limit("API Gateway, requests/s of an account", ACCOUNT_RATE, needed.rate)
    yield Limit("Fargate, vCPUs of a new account", FARGATE_VCPU, needed.vcpu)
    yield Limit("Cloud Map, instances of a service", INSTANCES, needed.tasks)
    yield Limit("ECS, tasks of a service", SERVICE_TASKS, needed.tasks)
    yield Limit("Cloud Map, DiscoverInstances/s: one a request", DISCOVERIES, needed.rate)
    yield Limit("the same, cached (*assumed*)", DISCOVERIES, max(1, needed.rate / 1_000) / 5)


def table(costs: Costs, rates: Sequence[int] = RATES) -> str:
    """Markdown: what each rate needs and meets; a quota that is not enough is bold."""
    needs = [need(rate, costs) for rate in rates]
    rows = [
        ["requests/s", *(f"{rate:,}" for rate in rates), "quota"],
        ["---"] * (len(rates) + 2),
        [f"tasks of {TASK_VCPU:g} vCPU, {BUSY:.0%} busy", *(f"{each.tasks:,}" for each in needs), ""],
        ["requests/s of a task", *(f"{each.each:,.0f}" for each in needs), f"{ADVISED_RATE} (AWS's advice)"],
        ["workers of the load fleet", *(f"{each.workers:,}" for each in needs), f"{MOST_WORKERS} (`load_fleet`)"],
        ["requests/s of such a worker", *[f"{WORKER_VCPU * BUSY * 1e6 / costs.user:,.0f}"] * len(rates), ""],
    ]
    by_rate = [list(limits(each)) for each in needs]
    for row in zip(*by_rate, strict=True):
        taken = [f"**{each.takes:,.4g}**" if each.exceeded else f"{each.takes:,.4g}" for each in row]
        rows.append([row[0].name, *(text.replace("e+05", "00,000") for text in taken), f"{row[0].quota:,}"])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
