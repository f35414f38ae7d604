"""Examples worked by hand, to the cent."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from lab.costs import lines
from lab.costs.breakeven import break_even
from lab.costs.fargate import proxy_share
from lab.costs.options import PUBLIC_ALB, SERVICE_CONNECT, bill
from lab.costs.prices import PriceBook
from lab.costs.quantities import GbHours, Hours, Usd, VcpuHours
from lab.costs.scenario import HOURS, Scenario

CENT = Decimal("0.01")
TENTH = Decimal("0.1")


@pytest.mark.parametrize(
    ("addresses", "fixed", "millions", "rate", "rate_if_discovery_is_billed"),
    [
        (0, "19.32", "18.1", "6.9", "3.6"),
        (2, "26.62", "25.0", "9.5", "4.9"),
        (3, "30.27", "28.4", "10.8", "5.6"),
    ],
)
def test_http_api_without_a_load_balancer_against_a_public_alb(
    exposure_only: Scenario,
    free_resources: PriceBook,
    addresses: int,
    fixed: str,
    millions: str,
    rate: str,
    rate_if_discovery_is_billed: str,
) -> None:
    scenario = replace(exposure_only, load_balancer_addresses=addresses)
    idle = bill(PUBLIC_ALB, scenario.at_rate(Decimal(0)), free_resources).lines
    found = sum((line.cost for line in idle if line.group == "load balancer"), Usd(Decimal(0)))
    assert found.value.quantize(CENT) == Decimal(fixed)

    (point,) = break_even(scenario, free_resources, SERVICE_CONNECT, PUBLIC_ALB)
    assert point.at.quantize(TENTH) == Decimal(rate)
    assert (point.at * 3600 * HOURS / 10**6).quantize(TENTH) == Decimal(millions)
    assert (point.cheaper_below, point.cheaper_above) == (SERVICE_CONNECT, PUBLIC_ALB)
    at_the_point = scenario.at_rate(point.at)
    assert bill(PUBLIC_ALB, at_the_point, free_resources).total.value == pytest.approx(
        point.cost.value, rel=Decimal("1e-20")
    )

    billed = replace(scenario, discovery_calls_per_request=Decimal(1))
    (point,) = break_even(billed, free_resources, SERVICE_CONNECT, PUBLIC_ALB)
    assert point.at.quantize(TENTH) == Decimal(rate_if_discovery_is_billed)


@pytest.mark.parametrize(("architecture", "usd"), [("x86", "8.73"), ("arm", "6.98")])
def test_the_proxys_share_for_a_task_and_month(prices: PriceBook, architecture: str, usd: str) -> None:
    share = proxy_share(busy=False)
    vcpu, memory = VcpuHours(HOURS * share.cpu / 1024), GbHours(HOURS * share.memory / 1024)
    if architecture == "x86":
        cost = prices.fargate_x86_vcpu.cost(vcpu) + prices.fargate_x86_memory.cost(memory)
    else:
        cost = prices.fargate_arm_vcpu.cost(vcpu) + prices.fargate_arm_memory.cost(memory)
    assert cost.value.quantize(CENT) == Decimal(usd)


@pytest.mark.parametrize(("azs", "usd"), [(2, "48.18"), (3, "72.27")])
def test_three_endpoints(prices: PriceBook, azs: int, usd: str) -> None:
    (hours, _) = lines.network(Scenario(azs=azs), prices)
    assert hours.cost.value.quantize(CENT) == Decimal(usd)


def test_one_nat_gateway_with_its_address(prices: PriceBook) -> None:
    assert prices.nat_hour.cost(Hours(HOURS)) + prices.ipv4_hour.cost(Hours(HOURS)) == Usd(Decimal("40.15"))
    found = [line.cost.value for line in lines.network(Scenario(network="nat"), prices)]
    assert sum(found) == Decimal("40.15")
