"""docs/costs.md quotes what the model gives."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lab.costs.assumptions import assumptions
from lab.costs.breakeven import break_even
from lab.costs.fargate import BUSY_REQUESTS_PER_SECOND
from lab.costs.lines import mixed_steps
from lab.costs.options import OPTIONS, PUBLIC_ALB, SERVICE_CONNECT, Option, bill, common_cost, option_named
from lab.costs.prices import PriceBook
from lab.costs.quantities import Requests, Usd
from lab.costs.scenario import GB, HOURS, KB, SECONDS_PER_HOUR, Scenario
from lab.costs.stack import scenario_of_settings
from lab.costs.study import Study
from lab.report.costs import where_cheaper
from lab.report.pictures.costs import bars_svg, rate_svg, size_svg
from serviceconnect.settings import Settings

DOCUMENT = Path(__file__).parents[3] / "docs" / "costs.md"
ALB, NLB, REST, LATTICE = (option_named(name) for name in ("internal-alb", "internal-nlb", "rest-nlb", "lattice"))

Says = Callable[[str], None]


@pytest.fixture(scope="module")
def text() -> str:
    return re.sub(r"\s+", " ", DOCUMENT.read_text())


@pytest.fixture
def says(text: str) -> Says:
    def check(words: str) -> None:
        assert words in text, f"docs/costs.md does not say: {words}"

    return check


@pytest.fixture(scope="module")
def default() -> Scenario:
    return scenario_of_settings(Settings())


def money(usd: Usd) -> str:
    return f"{usd.value:,.2f}"


def first_rate(scenario: Scenario, prices: PriceBook, against: Option) -> str:
    point = next(break_even(scenario, prices, SERVICE_CONNECT, against), None)
    return "always" if point is None else f"{point.at:,.1f}"


def test_the_answer_in_a_paragraph(says: Says, default: Scenario, prices: PriceBook) -> None:
    alb = next(break_even(default, prices, SERVICE_CONNECT, PUBLIC_ALB))
    millions = alb.at * SECONDS_PER_HOUR * HOURS / 10**6
    elsewhere = first_rate(replace(default, network="none"), prices, PUBLIC_ALB)
    says(f"less than a public ALB up to {alb.at:.1f} requests a second ({millions:.1f} million a month)")
    says(f"a way out already, up to {elsewhere} requests a second")

    def at(option: Option, rate: int) -> str:
        return money(bill(option, default.at_rate(Decimal(rate)), prices).total)

    def share(rate: int) -> str:
        return money(bill(SERVICE_CONNECT, replace(default, proxy="on-top").at_rate(Decimal(rate)), prices).total)

    says(f"a month costs {at(SERVICE_CONNECT, 10)} USD ({share(10)} with the share) against {at(PUBLIC_ALB, 10)} with")
    says(f"at 100 it is {at(SERVICE_CONNECT, 100)} ({share(100)}) against {at(PUBLIC_ALB, 100)}.")
    says(f"next to nothing: {at(SERVICE_CONNECT, 10)} against {at(ALB, 10)} at 10 requests a second")
    internal = next(break_even(default, prices, SERVICE_CONNECT, ALB))
    says(f"and nothing above {internal.at:.0f} a second")
    lines = {line.item: line.cost for each in OPTIONS for line in bill(each, default, prices).lines}
    says(f"would have cost {money(lines['ALB hours'])} a month and its capacity units")
    says(f"in a subnet without a way out costs {money(lines['endpoints of the proxy'])}, and its share of three tasks")
    says(f"it is {at(PUBLIC_ALB, 1000)} against {at(SERVICE_CONNECT, 1000)}.")


def test_the_table_of_totals(says: Says, default: Scenario, prices: PriceBook) -> None:
    scenarios = [default.at_rate(Decimal(rate)) for rate in (1, 10, 100, 1000)]
    for option in OPTIONS:
        totals = " | ".join(money(bill(option, scenario, prices).total) for scenario in scenarios)
        says(f"| ({option.letter}) | {option.title} | {totals} |")
    with_share = [replace(scenario, proxy="on-top") for scenario in scenarios]
    totals = " | ".join(money(bill(SERVICE_CONNECT, scenario, prices).total) for scenario in with_share)
    assert {scenario.task_sizes.proxied.cpu for scenario in with_share} == {512}
    says(f"| (a) | the same with the proxy's share on top: tasks of 512 CPU units | {totals} |")
    says(f"image | {' | '.join(money(common_cost(scenario, prices)) for scenario in scenarios)} |")
    bare = replace(default, lattice_entry=Decimal(0))
    says(f"a month at 10 requests a second is {money(bill(LATTICE, bare, prices).total)}.")


def where(scenario: Scenario, prices: PriceBook, against: Option) -> str:
    points = list(break_even(scenario, prices, SERVICE_CONNECT, against))
    cheaper = bill(SERVICE_CONNECT, scenario, prices).total < bill(against, scenario, prices).total
    return where_cheaper(points, cheaper)


def test_the_table_of_break_even_points(says: Says, default: Scenario, prices: PriceBook) -> None:
    ranges = Study(default, prices).rate_ranges
    elsewhere = replace(default, network="none")
    for option, title in (
        (ALB, "internal ALB"),
        (NLB, "NLB"),
        (PUBLIC_ALB, "public ALB"),
        (REST, "REST API with NLB"),
        (LATTICE, "VPC Lattice"),
    ):
        low, high = ranges[option]
        moved = f"{low:,.1f} and up, or none" if high is None else f"{low:,.1f} to {high:,.1f}"
        without, out = (where(scenario, prices, option) for scenario in (default, elsewhere))
        reserved = [where(replace(each, proxy="on-top"), prices, option) for each in (default, elsewhere)]
        says(f"| ({option.letter}) {title} | {without} | {moved} | {out} | {' | '.join(reserved)} |")


def test_what_can_turn_the_answer(says: Says, default: Scenario, prices: PriceBook) -> None:
    total = bill(SERVICE_CONNECT, default, prices).total
    full = replace(default, proxy="on-top")
    says(f"{money(bill(SERVICE_CONNECT, full, prices).total - total)} more for three tasks")
    assert default.tasks == 3
    assert where(full, prices, PUBLIC_ALB) == where(full, prices, ALB) == "at no rate"
    says("it is dearer than an ALB, public or internal, at every rate.")
    # The whole of the stack's task.
    assert default.cpu == default.advised_share.cpu == 256
    hours = next(line.cost for line in bill(PUBLIC_ALB, default, prices).lines if line.item == "ALB hours")
    for tasks, dearer in ((1, False), (2, True)):
        few = replace(default, tasks=tasks)
        more = bill(SERVICE_CONNECT, replace(few, proxy="on-top"), prices).total
        assert (hours < more - bill(SERVICE_CONNECT, few, prices).total) is dearer
    billed = replace(default, discovery_calls_per_request=Decimal(1))
    says(f"{money(bill(SERVICE_CONNECT, billed, prices).total)} instead of {money(total)} at 10 requests a second")
    low, high = Study(default, prices).ranges[SERVICE_CONNECT]
    says(f"{money(low)} to {money(high)} for (a)")


def test_heavy_data(says: Says, default: Scenario, prices: PriceBook) -> None:
    # A request for every 512 KB of a GB.
    says(f"{prices.http_api.tiers[0].usd / 10**6 * GB / (512 * KB):.4f} USD a GB for large ones")
    says(f"an ALB's capacity unit is {prices.alb_lcu.tiers[0].usd.normalize()} USD a GB")
    heavy = replace(default, response_bytes=512 * KB)
    common = common_cost(heavy, prices)
    exposing = [money(bill(option, heavy, prices).total - common) for option in (SERVICE_CONNECT, ALB, NLB, PUBLIC_ALB)]
    says(
        f"exposing costs {exposing[0]} with (a), {exposing[1]} with an internal ALB, {exposing[2]} with an NLB and "
        f"{exposing[3]} with a public ALB"
    )
    egress = next(line for line in bill(PUBLIC_ALB, heavy, prices).lines if line.item == "internet egress")
    says(f"whatever sends it, {money(egress.cost)} in this example")
    near = replace(default, cross_az_share=Decimal(0))
    (point,) = break_even(near, prices, SERVICE_CONNECT, PUBLIC_ALB, "response_bytes")
    assert point.cheaper_above is SERVICE_CONNECT
    says(f"less than a public ALB from {point.at / KB:.1f} KB on")


def test_nat_against_endpoints(says: Says, default: Scenario, prices: PriceBook) -> None:
    def network(scenario: Scenario) -> str:
        groups = ("private network", "endpoints of the proxy")
        lines = bill(SERVICE_CONNECT, scenario, prices).lines
        return money(Usd(sum((each.cost.value for each in lines if {each.group, each.item} & set(groups)), Decimal(0))))

    says(f"one NAT gateway with its address is {network(replace(default, network='nat'))}")
    says(f"four endpoints in two zones are {network(default)}.")
    assert (default.endpoints + default.proxy_endpoints, default.azs) == (4, 2)


def test_every_assumption_is_listed_with_its_range(says: Says, default: Scenario, prices: PriceBook) -> None:
    for assumption in assumptions(default, prices):
        value, low, high = (f"{end.normalize():f}" for end in (assumption.value, assumption.low, assumption.high))
        says(f"| `{assumption.name}` | {value} | {low} to {high} |")
    assert prices.log_ingest.tiers[0].usd <= Decimal("0.50") * Decimal("1.2")


def test_the_counting(says: Says, default: Scenario, prices: PriceBook) -> None:
    says(f"{default.gateway_log_bytes} bytes of access log a request in API Gateway")
    says(f"kept for {default.log_retention_days} days")
    says(f"responses of {default.response_bytes / KB:.0f} KB")
    (low, high), (_, middle) = (mixed_steps(each) for each in (default, replace(default, response_bytes=255 * KB)))
    more = prices.http_api.cost(Requests(default.requests * (high - low)))
    says(f"At 10 KB that is at most {high:.2f} for each request, {money(more)} USD a month at 10 a second")
    says(f"at a mean of 256 KB it is at most {middle:.2f}, half as much again")
    says(f"Above {BUSY_REQUESTS_PER_SECOND} requests a second for each task")


def test_the_pictures_are_there_and_say_what_the_model_gives(default: Scenario, prices: PriceBook) -> None:
    assert {f"images/costs-{name}.png" for name in ("bars", "rate", "size")} == (
        set(re.findall(r"\]\((images/[^)]+)\)", DOCUMENT.read_text()))
    )
    study = Study(default, prices)
    for name, draw in (("bars", bars_svg), ("rate", rate_svg), ("size", size_svg)):
        committed = DOCUMENT.parent / "images" / f"costs-{name}"
        assert committed.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
        assert texts(committed.with_suffix(".svg").read_text()) == texts(draw(study)), (
            "lab costs --pictures docs/images"
        )


def texts(svg: str) -> list[str]:
    return [
        "".join(each.itertext()).strip() for each in ElementTree.fromstring(svg).iter() if each.tag.endswith("text")
    ]
