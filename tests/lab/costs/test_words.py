"""The answer in a sentence: without the proxy's share of the tasks, and with it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from lab.costs.breakeven import BreakEven
from lab.costs.options import PUBLIC_ALB, SERVICE_CONNECT, bill
from lab.costs.prices import PriceBook
from lab.costs.quantities import Usd
from lab.costs.scenario import KB, Scenario
from lab.costs.study import Study
from lab.report.costs import mixed_in_words, share_in_words, verdict, where_cheaper

D = Decimal
LARGEST = Scenario(rates=(D(1),), cpu=16384, memory=122880)


@pytest.mark.parametrize(
    ("rate", "answer"),
    [("0.1", "Only without the proxy's share, at 0.1 requests/s"), ("10", "Not at 10 requests/s")],
)
def test_the_default_stack(prices: PriceBook, rate: str, answer: str) -> None:
    said = verdict(Study(Scenario(rates=(D(rate),)), prices))
    assert said.startswith(f"Is it cheaper? {answer}: ")
    assert "cheaper than (d) up to 3.3/s, or at no rate with that share, and than" in said
    assert said.endswith("(b) up to 97.2/s, or at no rate with that share.")
    assert "\n" not in said


def test_both_bills_are_named(prices: PriceBook) -> None:
    scenario = Scenario()
    own, full, alb = (
        f"{bill(option, case, prices).total.value:,.2f}"
        for option, case in (
            (SERVICE_CONNECT, scenario),
            (SERVICE_CONNECT, replace(scenario, proxy="on-top")),
            (PUBLIC_ALB, scenario),
        )
    )
    said = verdict(Study(scenario, prices))
    assert f"costs {own} USD a month, or {full} with the share" in said
    assert f"against {alb} for a public ALB alone (d)" in said


def test_the_verdict_is_the_same_whichever_of_the_two_is_asked_for(prices: PriceBook) -> None:
    assert verdict(Study(Scenario(proxy="on-top"), prices)) == verdict(Study(Scenario(), prices))
    assert verdict(Study(Scenario(proxy="unreserved"), prices)) == verdict(Study(Scenario(), prices))


def test_cheaper_in_either_case(prices: PriceBook) -> None:
    one = Scenario(rates=(D("0.1"),), tasks=1, network="none")
    said = verdict(Study(one, prices))
    assert said.startswith("Is it cheaper? Yes, at 0.1 requests/s: ")


def test_where_no_rate_differs_it_is_said_once(prices: PriceBook) -> None:
    # Two endpoints that only the proxy needs cost more than a load balancer.
    said = verdict(Study(Scenario(proxy_endpoints=2), prices))
    assert "(d) at no rate, with that share or without" in said


def test_without_a_larger_task_there_is_one_answer(prices: PriceBook) -> None:
    study = Study(LARGEST, prices)
    assert study.alternative is None
    assert "share" not in verdict(study)
    assert share_in_words(study).endswith("Fargate has no larger task.")


def test_what_the_advice_leaves_of_a_task(prices: PriceBook) -> None:
    smallest = share_in_words(Study(Scenario(), prices))
    assert "AWS advises 256 CPU units and 64 MiB of each task" in smallest
    assert "leaves the application 0 of 256 CPU units; with the share, tasks have 512 CPU units with 1024" in smallest
    assert "advises 512 CPU units" in share_in_words(Study(Scenario(rates=(D(1501),)), prices))
    assert "leaves the application 768 of 1024" in share_in_words(Study(Scenario(cpu=1024, memory=2048), prices))


def test_mixed_payloads_are_told_where_they_matter(prices: PriceBook) -> None:
    said = mixed_in_words(Study(Scenario(response_bytes=255 * KB), prices))
    assert "count 1 for each; of payloads that are mixed it may count from 1.00 to 1.50, 30.48 to 45.73 USD" in said
    said = mixed_in_words(Study(Scenario(response_bytes=767 * KB), prices))
    assert "count 2 for each; of payloads that are mixed it may count from 1.50 to 2.50" in said
    assert mixed_in_words(Study(Scenario(response_bytes=D(38)), prices)) == ""
    assert mixed_in_words(Study(Scenario(response_bytes=11 * 1024 * KB), prices)) == ""


@pytest.mark.parametrize("proxy", ["within", "on-top", "unreserved"])
@pytest.mark.parametrize("size", [(256, 512), (512, 1024), (1024, 2048)])
def test_the_two_cases_differ_by_the_share_and_nothing_else(
    prices: PriceBook, proxy: str, size: tuple[int, int]
) -> None:
    scenario = Scenario(cpu=size[0], memory=size[1], proxy=proxy)  # type: ignore[arg-type]
    without, reserved = scenario.without_share, scenario.with_share
    assert reserved is not None
    assert scenario in (without, reserved)
    assert without.task_sizes.plain == without.task_sizes.proxied == reserved.task_sizes.plain
    assert reserved.task_sizes.proxied > reserved.task_sizes.plain
    # What the others pay does not depend on it.
    assert bill(PUBLIC_ALB, without, prices).total == bill(PUBLIC_ALB, reserved, prices).total


def point(at: int, *, below: bool) -> BreakEven:
    cheaper = (SERVICE_CONNECT, PUBLIC_ALB) if below else (PUBLIC_ALB, SERVICE_CONNECT)
    return BreakEven("requests_per_second", SERVICE_CONNECT, PUBLIC_ALB, D(at), Usd(D(1)), *cheaper)


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
    assert where_cheaper(points, cheaper_here=False) == words


def test_where_nothing_breaks_even() -> None:
    assert where_cheaper([], cheaper_here=True) == "at every rate"
    assert where_cheaper([], cheaper_here=False) == "at no rate"
