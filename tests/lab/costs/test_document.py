"""docs/costs.md quotes what the model gives."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lab.costs.bill import PUBLIC_ALB, SERVICE_CONNECT, WAYS, WITH_SHARE, Way, bill, mixed_steps, way_named
from lab.costs.prices import PriceBook
from lab.costs.scenario import (
    BUSY_REQUESTS_PER_SECOND,
    GB,
    HOURS,
    KB,
    PROXY_CPU,
    SECONDS_PER_HOUR,
    Scenario,
    scenario_of_settings,
)
from lab.costs.study import Study, assumptions, break_even
from lab.report.costs import money, where_cheaper
from lab.report.pictures import svg
from lab.report.pictures.costs import PICTURES, costs_figure
from serviceconnect.settings import Settings
from twin.parameters import Parameters

DOCUMENT = Path(__file__).parents[3] / "docs" / "costs.md"
INTERNAL_ALB = way_named("internal-alb")
D = Decimal

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


def where(scenario: Scenario, prices: PriceBook, way: Way, against: Way) -> str:
    cheaper = bill(way, scenario, prices).total < bill(against, scenario, prices).total
    return where_cheaper(list(break_even(scenario, prices, way, [against])), way, cheaper)


def first(scenario: Scenario, prices: PriceBook, against: Way) -> Decimal:
    return next(break_even(scenario, prices, SERVICE_CONNECT, [against])).at


def test_the_answer_in_a_paragraph(says: Says, default: Scenario, prices: PriceBook) -> None:
    def at(way: Way, rate: int) -> str:
        return money(bill(way, default.at_rate(D(rate)), prices).total)

    lines = {line.item: line.usd for way in WAYS for line in bill(way, default, prices).lines}
    balancer = {line.item: line.usd for line in bill(PUBLIC_ALB, default, prices).lines}
    saved = [balancer[item] for item in ("ALB hours", "public IPv4 of the load balancer", "ALB capacity units")]
    says(f"costs {at(SERVICE_CONNECT, 10)} USD without a load balancer, and {at(PUBLIC_ALB, 10)} with a public ALB")
    assert (default.tasks, default.azs, default.network) == (3, 2, "endpoints")
    says(
        f"you save {money(sum(saved, D(0)))} (its hours {money(saved[0])}, its public addresses {money(saved[1])}, its"
    )
    says(f"capacity units {money(saved[2])}), and pay {money(lines['endpoints of the proxy'])} for one more interface")
    assert lines["interface endpoints"] == balancer["interface endpoints"]
    says(f"other endpoints, {money(lines['interface endpoints'])}, are paid either way")
    zones = lines["between zones, both directions"] / 10
    says(f"{money(lines['HTTP API requests'] / 10)} a month in API Gateway and {money(zones)} on the way between zones")
    logs = "log ingestion", "log storage"
    slow, fast = (
        sum(
            (line.usd for line in bill(SERVICE_CONNECT, default.at_rate(D(rate)), prices).lines if line.item in logs),
            D(0),
        )
        for rate in (10, 11)
    )
    says(f"(and {money(fast - slow)} in logs beyond the free {prices['log_ingest'].free.normalize():f} GB)")
    says(f"In an ALB's capacity units it is {money(saved[2] / 10)}.")
    decide = re.sub(r"\s+", " ", (DOCUMENT.parent / "decide.md").read_text())
    assert (
        f"proxy's endpoint takes {money(lines['endpoints of the proxy'])} of the {money(sum(saved[:2], D(0)))} USD"
        in decide
    )
    rate = first(default, prices, PUBLIC_ALB)
    says(f"cheaper up to {rate:.1f} requests a second ({rate * SECONDS_PER_HOUR * HOURS / 10**6:.1f} million a month)")
    way_out = first(default.replace(network="none"), prices, PUBLIC_ALB)
    assert f"{rate:.1f} requests a second alone in private subnets, {way_out:.1f} if its tasks" in decide
    # Of a load balancer that stays nothing is saved but its capacity units.
    assert (
        f"saves {money(saved[2] / 10)} USD a month for each request a second, its capacity units, and costs "
        f"{money(lines['HTTP API requests'] / 10)} in API Gateway and {money(zones)} between zones, and "
        f"{money(lines['endpoints of the proxy'])} for the proxy's endpoint"
    ) in decide
    says(f"and where the tasks have a way out already up to {way_out:.1f}.")
    says(f"At 100 requests a second it is {at(SERVICE_CONNECT, 100)} against {at(PUBLIC_ALB, 100)}.")
    out = default.replace(network="none")
    of_ten, of_ten_out = (first(each.replace(services=10), prices, PUBLIC_ALB) for each in (default, out))
    says(f"up to {of_ten:.1f} requests a second in private subnets, and up to {of_ten_out:.1f} where the tasks have a")
    alone = Study(default.at_rate(D(2)).replace(services=10), prices).leaving_alone
    assert alone is not None
    says(f"pays {money(lines['endpoints of the proxy'])} for the proxy's endpoint by itself: at 2 requests a second")
    says(f"at 2 requests a second {money(alone)} USD a month more (`--services 10` says both)")
    assert f"it is {of_ten:.1f} and {of_ten_out:.1f} for each" in decide
    readme = re.sub(r"\s+", " ", (DOCUMENT.parents[1] / "README.md").read_text())
    assert (
        f"Than a public ALB of the service's own: below {rate:.0f} requests a second, or {way_out:.0f} if its tasks "
        f"have a way out already. At 100 a month costs {float(at(SERVICE_CONNECT, 100)):.0f} USD without it and "
        f"{float(at(PUBLIC_ALB, 100)):.0f} with it."
    ) in readme

    def internal_saves(scenario: Scenario, rate: int) -> Decimal:
        there = scenario.at_rate(D(rate))
        return bill(INTERNAL_ALB, there, prices).total - bill(SERVICE_CONNECT, there, prices).total

    (three,), (with_way_out,) = ({f"{internal_saves(each, rate):.0f}" for rate in (1, 10)} for each in (default, out))
    inner, inner_out = (first(each, prices, INTERNAL_ALB) for each in (default, out))
    assert (
        f"going without an internal ALB of its own behind it saves {three} USD a month at 1 to 10 requests a second, "
        f"or {with_way_out} if tasks have a way out; above {inner:.0f} or {inner_out:.0f}, or earlier, the ALB is "
        "cheaper."
    ) in readme
    saved_in, saved_out = (money(internal_saves(each, 10)) for each in (default, out))
    assert (
        f"the internal ALB behind it is {saved_in} of {at(INTERNAL_ALB, 10)} USD at 10 requests a second in private "
        f"subnets, and {saved_out} of {money(bill(INTERNAL_ALB, out.at_rate(D(10)), prices).total)} where tasks have"
    ) in decide
    says(f"where the tasks have a way out it is {saved_out}, up to {inner_out:.1f} a second")
    # Each assumption alone moves that rate, one of them to none: so no more is said than that it depends on them.
    moved = default.replace(alb_cross_az_share=D("0.1"))
    assert where(moved, prices, SERVICE_CONNECT, INTERNAL_ALB) == "at every rate"
    from_, from_out = (first(each, prices, way_named("cloudfront-alb")) for each in (default, out))
    assert f"cheaper from {from_:.1f} on, and with a way out from {from_out:.1f}" in decide
    # The share costs one task less than a load balancer does, but not three of them.
    assert where(default.replace(tasks=1), prices, WITH_SHARE, PUBLIC_ALB) != "at no rate"
    for alb in (PUBLIC_ALB, INTERNAL_ALB, way_named("cloudfront-alb")):
        for each in (default, out, default.replace(services=10), out.replace(services=10)):
            assert where(each, prices, WITH_SHARE, alb) == "at no rate"
    rest = where(default, prices, WITH_SHARE, way_named("rest-alb"))
    says(f"a REST API with an internal ALB is dearer than they are {rest.replace('/s', ' requests a second')}")
    says(f"{at(SERVICE_CONNECT, 10)} against {at(INTERNAL_ALB, 10)} at 10 requests a second, and nothing above")
    says(f"and nothing above {inner:.1f} a second")
    parts = [
        bill(PUBLIC_ALB, each, prices).total / bill(SERVICE_CONNECT, each, prices).total
        for each in (default.at_rate(D(rate)) for rate in (10, 25, 1000))
    ]
    assert (
        "costs {:.0%} of one without at 10 requests a second, {:.0%} at 25, and {:.0%} at 1,000".format(*parts).replace(
            "%", " %"
        )
        + f" ({at(PUBLIC_ALB, 1000)} USD against {at(SERVICE_CONNECT, 1000)})."
    ) in decide


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_the_table_of_totals(says: Says, default: Scenario, prices: PriceBook, way: Way) -> None:
    totals = [money(bill(way, default.at_rate(D(rate)), prices).total) for rate in (1, 10, 25, 100, 1000)]
    says(f"| `{way.name}` | {way.title} | {' | '.join(totals)} |")


@pytest.mark.parametrize(
    "name",
    [way.name for way in WAYS if not way.public and way not in (SERVICE_CONNECT, WITH_SHARE)],
)
def test_the_table_of_break_even_points(says: Says, default: Scenario, prices: PriceBook, name: str) -> None:
    against = way_named(name)
    out = default.replace(network="none")
    low, high = Study(default, prices).rate_range(against)
    moved = "" if low is None else f"{low:,.1f} and up, or none" if high is None else f"{low:,.1f} to {high:,.1f}"
    own = [where(each, prices, SERVICE_CONNECT, against) for each in (default, out)]
    share = [where(each, prices, WITH_SHARE, against) for each in (default, out)]
    says(re.sub(" +", " ", f"| `{name}` | {own[0]} | {moved} | {own[1]} | {share[0]} | {share[1]} |"))


def test_what_can_turn_the_answer(says: Says, default: Scenario, prices: PriceBook) -> None:
    for services in (1, 2, 5, 10):
        private = default.replace(services=services)
        cases = ((private, PUBLIC_ALB), (private.replace(network="none"), PUBLIC_ALB), (private, INTERNAL_ALB))
        points = [f"{first(each, prices, alb):.1f}" for each, alb in cases]
        says(f"| {services} | {' | '.join(points)} |")
        for case, alb in cases:
            assert first(case, prices, alb) * services == pytest.approx(
                first(case.replace(services=1), prices, alb), rel=D("1e-9")
            )
    busy = default.at_rate(D(300))
    ten, one = (
        next(line.usd for line in bill(SERVICE_CONNECT, each, prices).lines if line.item == "HTTP API requests")
        for each in (busy.replace(services=10), busy)
    )
    says(f"each of ten pays API Gateway {money(ten)}, where one alone pays {money(one)}")
    more = bill(WITH_SHARE, default, prices).total - bill(SERVICE_CONNECT, default, prices).total
    says(f"{money(more)} more for three tasks")
    # The whole of the stack's task.
    assert default.cpu == PROXY_CPU == 256
    says(f"and 512 units above {BUSY_REQUESTS_PER_SECOND} requests a second")
    hours = next(line.usd for line in bill(PUBLIC_ALB, default, prices).lines if line.item == "ALB hours")
    for tasks, dearer in ((1, False), (2, True)):
        few = default.replace(tasks=tasks)
        share = bill(WITH_SHARE, few, prices).total - bill(SERVICE_CONNECT, few, prices).total
        assert (hours < share) is dearer


def test_the_way_out(says: Says, default: Scenario, prices: PriceBook) -> None:
    def network(scenario: Scenario) -> str:
        lines = bill(SERVICE_CONNECT, scenario, prices).lines
        names = {"private network", "endpoints of the proxy"}
        return money(sum((line.usd for line in lines if {line.group, line.item} & names), D(0)))

    nat, public = (network(default.replace(network=way)) for way in ("nat", "public"))
    says(
        f"Four endpoints in two zones are {network(default)}; one NAT gateway with its address is {nat}; three public "
        f"addresses are {public}."
    )
    assert (default.endpoints + default.proxy_endpoints, default.azs) == (4, 2)
    proxy = next(
        line.usd for line in bill(SERVICE_CONNECT, default, prices).lines if line.item.startswith("endpoints of")
    )
    says(f"needs an endpoint of its own ({money(proxy)})")
    says(f"a public address each ({money(prices['ipv4_hour'].cost(HOURS))} a month)")


def test_heavy_data(says: Says, default: Scenario, prices: PriceBook) -> None:
    # A request for every 512 KB of a GB.
    says(f"{prices['http_api'].tiers[0].usd / 10**6 * GB / (512 * KB):.4f} USD a GB for large ones")
    says(f"an ALB's capacity unit is {prices['alb_lcu'].tiers[0].usd.normalize()} USD a GB")
    heavy = default.replace(response_bytes=512 * KB)
    names = ("service-connect", "internal-alb", "internal-nlb", "public-alb", "cloudfront-alb")
    costs = [money(bill(way_named(name), heavy, prices).total) for name in names]
    says(
        f"a month costs {costs[0]} without a load balancer, {costs[1]} with an internal ALB and {costs[2]} with an "
        f"NLB. It is {costs[3]} with a public ALB and {costs[4]} with CloudFront."
    )
    egress = next(line for line in bill(PUBLIC_ALB, heavy, prices).lines if line.item == "internet egress")
    says(f"whatever sends it, {money(egress.usd)} in this example")
    near = default.replace(cross_az_share=D(0))
    (point,) = break_even(near, prices, SERVICE_CONNECT, [PUBLIC_ALB], "response_bytes")
    assert point.cheaper_above is SERVICE_CONNECT
    says(f"less than a public ALB from {point.at / KB:.1f} KB on")


def test_every_assumption_is_listed_with_its_range(says: Says, text: str, default: Scenario, prices: PriceBook) -> None:
    found = assumptions(default, prices)
    for each in found:
        value, low, high = (f"{end.normalize():f}" for end in (each.value, each.low, each.high))
        says(f"| `{each.name}` | {value} | {low} to {high} |")
    listed = re.findall(r"\| `([a-z_@0-9]+)` \| [0-9.]+ \|", text)
    assert listed == [each.name for each in found]
    ends = Study(default, prices).ranges[SERVICE_CONNECT]
    says(f"{money(ends[0])} to {money(ends[1])} for `service-connect`")
    assert prices["log_ingest"].tiers[0].usd <= D("0.50") * D("1.2")


def test_the_counting(says: Says, default: Scenario, prices: PriceBook) -> None:
    says(f"{default.gateway_log_bytes} bytes of access log a request in API Gateway")
    says(f"kept for {default.log_retention_days} days")
    says(f"responses of {default.response_bytes / KB:.0f} KB")
    (low, high), (_, middle) = (mixed_steps(each) for each in (default, default.replace(response_bytes=255 * KB)))
    more = prices["http_api"].cost(default.requests * (high - low))
    says(f"At 10 KB that is at most {high:.2f} for each request, {money(more)} USD a month at 10 a second")
    says(f"at a mean of 256 KB it is at most {middle:.2f}, half as much again")


def test_what_kept_connections_of_the_gateway_change(says: Says, default: Scenario, prices: PriceBook) -> None:
    def at(rate: int, connections: Decimal, kb: int) -> str:
        there = default.at_rate(D(rate)).replace(
            response_bytes=D(kb * 1024), gateway_connections_per_request=connections
        )
        return money(bill(INTERNAL_ALB, there, prices).total)

    assumed, kept = default.gateway_connections_per_request, D(0)
    assert assumed == 1 / D(2)
    assert Parameters().reuse_connections
    assert at(10, kept, 10) == at(10, assumed, 10)
    says(f"`internal-alb` would cost {at(10, kept, 10)} at 10 requests a second as it does now")
    says(f"With responses of 1 KB it would be {at(10, kept, 1)} in place of {at(10, assumed, 1)}")
    says(f"and at 100 a second {at(100, kept, 1)} in place of {at(100, assumed, 1)}")
    none = default.replace(gateway_connections_per_request=D(1))
    assert bill(SERVICE_CONNECT, none, prices).total == bill(SERVICE_CONNECT, default, prices).total


def test_what_it_costs_to_measure_the_proxy(says: Says, default: Scenario, prices: PriceBook) -> None:
    measured = scenario_of_settings(Settings(container_insights="enhanced"))
    more = bill(SERVICE_CONNECT, measured, prices).total - bill(SERVICE_CONNECT, default, prices).total
    says(f"It costs {money(more)} USD a month here (assumed)")
    says(f"in the log group `/aws/ecs/containerinsights/{Settings().name}/performance`")
    says(f"must stay below the task's {default.cpu} units")


def test_the_pictures_are_there_and_say_what_the_model_gives(default: Scenario, prices: PriceBook) -> None:
    assert {f"images/costs-{name}.png" for name in PICTURES} == (
        set(re.findall(r"\]\((images/[^)]+)\)", DOCUMENT.read_text()))
    )
    study = Study(default, prices)
    for name in PICTURES:
        committed = DOCUMENT.parent / "images" / f"costs-{name}"
        assert committed.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
        assert texts(committed.with_suffix(".svg").read_text()) == texts(svg(costs_figure(study, name))), (
            "lab costs --pictures docs/images"
        )


def texts(svg: str) -> list[str]:
    return [
        "".join(each.itertext()).strip() for each in ElementTree.fromstring(svg).iter() if each.tag.endswith("text")
    ]
