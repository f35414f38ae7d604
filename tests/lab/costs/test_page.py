"""The page of a study: the answer in words, tables, JSON and CSV."""

from __future__ import annotations

from decimal import Decimal

import pytest

from lab.costs.bill import PUBLIC_ALB, SERVICE_CONNECT, WAYS, bill, way_named
from lab.costs.prices import PriceBook
from lab.costs.scenario import KB, Scenario
from lab.costs.study import BreakEven, Study
from lab.report.costs import costs_page, where_cheaper
from lab.report.document import Document, Sentence, Table

D = Decimal
HEAVY = Scenario(response_bytes=11 * 1024 * KB)


def page(scenario: Scenario, prices: PriceBook, against: str = "public-alb", every_way: bool = False) -> Document:
    return costs_page(Study(scenario, prices, way_named(against)), every_way=every_way)


def said(document: Document) -> str:
    return " ".join([document.title, *(part.text for part in document.parts if isinstance(part, Sentence))])


def tables(document: Document) -> list[Table]:
    return [part for part in document.parts if isinstance(part, Table)]


def test_every_way_has_a_title() -> None:
    assert all(way.title for way in WAYS)


def test_it_is_said_that_numbers_are_rounded_each_by_itself(prices: PriceBook) -> None:
    found = page(Scenario(rates=(D(25),)), prices)
    own, other, difference = (D(cell) for cell in tables(found)[1].rows[-1][1:])

    assert own - other - difference == D("0.01")
    assert "Each number is rounded to the cent by itself, so sums and differences of them may be some" in said(found)


def test_a_verdict_says_how_far_what_is_assumed_moves_it(prices: PriceBook) -> None:
    """Going without is cheaper "at every rate", until more requests cross zones, by a share that is in its range."""
    busy = Scenario(rates=(D(80),), tasks=4, cpu=1024, memory=2048, response_bytes=D(3) * KB)
    found = said(page(busy, prices, "internal-alb"))
    assert "cheaper than an internal ALB behind the same API at every rate" in found
    assert "the first rate where both cost the same is 41.8/s and up, or none, for internal-alb." in found
    worst = page(busy.replace(cross_az_share=D(1)), prices, "internal-alb")
    assert "up to 41.8/s" in said(worst)


def test_the_answer_comes_first(prices: PriceBook) -> None:
    found = page(Scenario(), prices)
    own, alb = (bill(way, Scenario(), prices).total for way in (SERVICE_CONNECT, PUBLIC_ALB))
    assert found.title == (
        f"At 10 requests/s a month without a load balancer costs {own:.2f} USD, {own - alb:.2f} more than with a "
        f"public ALB ({alb:.2f})."
    )
    first, log, second = found.parts[:3]
    assert isinstance(first, Sentence)
    assert isinstance(log, Sentence)
    assert isinstance(second, Sentence)
    assert first.text == (
        "Against a public ALB it saves 29.07 USD (ALB hours 19.32, public IPv4 of the load balancer 7.30, ALB capacity "
        "units 2.45) and adds 52.48 USD (HTTP API requests 30.48, endpoints of the proxy 16.06, log ingestion 2.87, "
        "others 3.07); the tasks' other interface endpoints, 48.18, are paid either way."
    )
    assert log.text == (
        "3.18 of that is API Gateway's access log in CloudWatch, 400 bytes a request: `--gateway-log-bytes 0` is "
        "without it."
    )
    assert second.text == (
        "Going without is cheaper than a public ALB up to 3.4/s and cheaper than an internal ALB behind the same API "
        "up to 73.8/s; with the share of a task that AWS advises for its proxy it is never cheaper than a public ALB "
        "or an internal ALB behind the same API."
    )


def test_the_access_log_is_named_where_it_is_a_notable_part_of_the_difference(prices: PriceBook) -> None:
    def names_it(scenario: Scenario, against: str = "public-alb") -> bool:
        return "is API Gateway's access log" in said(page(scenario, prices, against))

    busy = Scenario().at_rate(D(300))
    log = sum(line.usd for line in bill(SERVICE_CONNECT, busy, prices).lines if line.item.startswith("log "))
    assert f"{log:.2f} of that is API Gateway's access log" in said(page(busy, prices))
    assert not names_it(Scenario(gateway_log_bytes=D(0)))
    assert not names_it(Scenario(gateway_log_bytes=D(200), services=1))  # 7 % of it
    assert not names_it(busy, "internal-alb")  # behind the same API, with the same log
    assert not names_it(Scenario().at_rate(D(1)))  # within what is free


def test_a_connection_for_each_request_is_among_what_is_assumed(prices: PriceBook) -> None:
    busy = Scenario().at_rate(D(300))
    kept = busy.replace(connections_per_request=D(0))
    less = bill(PUBLIC_ALB, busy, prices).total - bill(PUBLIC_ALB, kept, prices).total
    assert less > 4
    assert f"of 1 s: were all kept, public-alb would cost {less:.2f} less. `--new-connections` sets" in said(
        page(busy, prices)
    )
    assert "were all kept, lattice would cost" in said(
        page(busy.replace(connection_seconds=D(9000)), prices, "lattice")
    )
    assert "were all kept" not in said(page(kept, prices))


def test_services_that_share_the_network_are_named(prices: PriceBook) -> None:
    found = said(page(Scenario(services=10), prices))
    assert " USD for one of 10 services in the VPC, " in found
    assert "NAT gateways are shared by 10 services in equal parts; `--services N`" in found
    assert "Going without is cheaper than a public ALB up to 0.3/s and cheaper than an internal ALB" in found
    alone = Study(Scenario(services=10), prices).leaving_alone
    assert f", if all 10 leave; if it leaves alone, {alone:,.2f} more than today." in found
    assert "10 requests/s of each of 10 services (" in found
    assert "NAT gateways are this service's alone; " in said(page(Scenario(), prices))


def test_what_is_cheaper_than_no_load_balancer_at_every_rate(prices: PriceBook) -> None:
    found = said(page(Scenario(), prices, "cloud-map"))
    assert "Going without is never cheaper than cloud-map and cheaper than an internal ALB behind the same API" in found


def test_of_no_load_balancer_itself_it_is_said_what_it_costs(prices: PriceBook) -> None:
    found = page(Scenario(), prices, "service-connect")
    assert found.title == "At 10 requests/s a month without a load balancer costs 145.42 USD."
    made_of = tables(found)[1]
    assert made_of.head == ("", "service-connect")
    assert made_of.rows[-1] == ["total", "145.42 "]


def test_less_is_said_where_it_is_less(prices: PriceBook) -> None:
    assert " less than with a public ALB" in page(Scenario().at_rate(D("0.1")), prices).title
    out = page(Scenario(network="none"), prices)
    assert "paid either way" not in said(out)


def test_region_and_date_of_the_prices(prices: PriceBook) -> None:
    assert " Prices of eu-west-2 as of 2026-09; USD a month of 730 hours: " in said(page(Scenario(), prices))
    renewed = prices["alb_hour"].model_copy(update={"date": "2026-11-20"})
    mixed = PriceBook(prices.region, {**prices.prices, "alb_hour": renewed})
    assert " Prices of eu-west-2 as of 2026-09 to 2026-11-20; " in said(page(Scenario(), mixed))


def test_without_a_larger_task_there_is_one_answer(prices: PriceBook) -> None:
    found = said(page(Scenario(cpu=16384, memory=122880), prices))
    assert "Fargate has no larger task" in found
    assert "; with the share" not in found


def test_the_table_leads_with_names_and_differences(prices: PriceBook) -> None:
    study = Study(Scenario(), prices)
    ways = tables(page(Scenario(), prices, every_way=True))[0]
    assert ways.head[-1] == "service-connect is cheaper"
    assert [row[0] for row in ways.rows] == [
        each.way.name for each in sorted(study.bills.values(), key=lambda b: b.total)
    ]
    rows = {row[0]: row for row in ways.rows}
    assert rows["public-alb"][2:4] == [f"{study.bills[PUBLIC_ALB].total:.2f}", "+0.00"]
    assert rows["service-connect"][3] == f"{study.difference(SERVICE_CONNECT):+.2f}"
    assert rows["internal-alb"][5] == "up to 73.8/s"


def test_the_ways_of_the_question_come_first_and_the_others_when_asked_for(prices: PriceBook) -> None:
    def names(against: str = "public-alb", every_way: bool = False) -> set[str]:
        return {row[0] for row in tables(page(Scenario(), prices, against, every_way))[0].rows}

    asked = {"service-connect", "service-connect-with-share", "internal-alb"}
    cheapest = min(Study(Scenario(), prices).bills.values(), key=lambda each: each.total).way.name
    assert names() == asked | {"public-alb", cheapest}
    assert names("rest-nlb") == asked | {"rest-nlb", cheapest}
    assert names(every_way=True) == {way.name for way in WAYS}
    few, all_ways = (page(Scenario(), prices, every_way=each) for each in (False, True))
    assert "7 more cost 92.13 to 211.99: --all." in said(few)
    assert "--all" not in said(all_ways)
    assert [row[0] for row in tables(few)[2].rows] == [
        "cross_az_share",
        "alb_cross_az_share",
        "gateway_connections_per_request",
    ]
    assert few.values == all_ways.values
    few, all_ways = (page(Scenario().at_rate(D(300)), prices, every_way=each) for each in (False, True))
    assert "lattice cost the same at responses of" in said(all_ways)
    assert "lattice" not in said(few)


def test_the_difference_is_made_of_lines(prices: PriceBook) -> None:
    found = tables(page(Scenario(), prices, "internal-alb"))[1]
    assert list(found.head) == ["", "service-connect", "internal-alb", "difference"]
    differences = [D(row[3].strip()) for row in found.rows if row[3].strip()]
    assert sum(differences[:-1]) == pytest.approx(differences[-1], abs=D("0.03"))  # each is rounded to the cent


def test_payloads_above_10_mb_are_not_compared(prices: PriceBook) -> None:
    found = page(HEAVY, prices, every_way=True)
    assert found.title.endswith("API Gateway carries at most 10 MB in a request or response.")
    rows = {row[0]: row for row in tables(found)[0].rows}
    assert [name for name, row in rows.items() if row[2] != "-"] == [
        way.name
        for way, _ in sorted(Study(HEAVY, prices).bills.items(), key=lambda each: each[1].total)
        if not way.gateway
    ]
    assert "is cheaper" not in said(found)
    assert found.values["break_even"] == []
    assert [each["name"] for each in found.values["ways"] if each["possible"]] == [
        way.name for way in WAYS if not way.gateway
    ]


def test_the_quota_is_said_where_it_is_passed(prices: PriceBook) -> None:
    assert "quota is 10,000 requests/s" in said(page(Scenario().at_rate(D(10_001)), prices))
    throttled = "stage answers 429 above 1,000 requests/s"
    assert throttled in said(page(Scenario().at_rate(D(1_001)), prices))
    assert throttled not in said(page(Scenario().at_rate(D(1_000)), prices))
    assert "quota" not in said(page(Scenario().at_rate(D(10_000)), prices))


def test_mixed_payloads_are_told_where_they_matter(prices: PriceBook) -> None:
    found = said(page(Scenario(response_bytes=255 * KB), prices))
    assert "count 1 for each; of payloads that are mixed it may count from 1.00 to 1.50, 30.48 to 45.73 USD" in found
    found = said(page(Scenario(response_bytes=767 * KB), prices))
    assert "count 2 for each; of payloads that are mixed it may count from 1.50 to 2.50" in found
    assert "Mixed" not in said(page(Scenario(response_bytes=D(38)), prices))


def test_the_values_hold_the_whole_study(prices: PriceBook) -> None:
    values = page(Scenario(), prices).values
    for way in values["ways"]:
        assert sum(line["usd"] for line in way["lines"]) == pytest.approx(way["total_usd"])
        assert way["range_usd"][0] <= way["total_usd"] <= way["range_usd"][1]
        assert all(line["source"] and line["date"] for line in way["lines"])
    named = {name for way in values["ways"] for line in way["lines"] for name in line["assumed"] if line["usd"]}
    assert named <= {each["name"] for each in values["assumptions"]}
    (point,) = (
        each for each in values["break_even"] if (each["way"], each["against"]) == ("service-connect", "public-alb")
    )
    assert point["range"][0] < point["requests_per_second"] <= point["range"][1]
    assert point["cheaper_below"] == "service-connect"
    assert values["http_api_steps"]["counted"] == values["http_api_steps"]["of_mixed_payloads"][0] == 1


def point(at: int, *, below: bool) -> BreakEven:
    cheaper = (SERVICE_CONNECT, PUBLIC_ALB) if below else (PUBLIC_ALB, SERVICE_CONNECT)
    return BreakEven("requests_per_second", SERVICE_CONNECT, PUBLIC_ALB, D(at), D(1), *cheaper)


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ([point(1, below=True)], "up to 1.0/s"),
        ([point(1, below=False)], "from 1.0/s on"),
        ([point(1, below=False), point(2, below=True)], "from 1.0/s to 2.0/s"),
        ([point(1, below=True), point(2, below=False)], "up to 1.0/s and from 2.0/s on"),
    ],
)
def test_where_it_is_cheaper(points: list[BreakEven], words: str) -> None:
    assert where_cheaper(points, SERVICE_CONNECT, cheaper_here=False) == words


def test_where_nothing_breaks_even() -> None:
    assert where_cheaper([], SERVICE_CONNECT, cheaper_here=True) == "at every rate"
    assert where_cheaper([], SERVICE_CONNECT, cheaper_here=False) == "at no rate"
