"""Is it cheaper without a load balancer? The answer of a study in one sentence, and what it depends on in others."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from lab.costs.breakeven import BreakEven
from lab.costs.lines import mixed_steps, steps
from lab.costs.options import PUBLIC_ALB, SERVICE_CONNECT, Option, option_named
from lab.costs.quantities import Requests, Usd, rounded
from lab.costs.study import Study

__all__ = ["mixed_in_words", "share_in_words", "verdict", "where_cheaper"]

TOLD = Decimal("0.01")
INTERNAL_ALB = option_named("internal-alb")


def verdict(study: Study) -> str:
    """One sentence: the bills with and without a load balancer, and the rates up to which (a) is the cheaper one.

    Both without and with the share of a task that AWS advises for the Service Connect proxy, wherever Fargate has a
    task that holds it.
    """
    totals = {bill.option: bill.total for bill in study.bills}
    if not study.possible:
        return (
            "Is it cheaper? It is not possible: API Gateway carries at most 10 MB in a request or response; "
            f"a public ALB alone (d) costs {_money(totals[PUBLIC_ALB])} USD a month."
        )
    own, alb, other = totals[SERVICE_CONNECT], totals[PUBLIC_ALB], study.alternative
    without, reserved = own, None
    if other is not None:
        without, reserved = (own, other.bill.total) if other.reserved else (other.bill.total, own)
    answer = "Not"
    if without < alb:
        answer = "Yes," if reserved is None or reserved < alb else "Only without the proxy's share,"
    costs = f"{_money(without)} USD a month"
    if reserved is not None:
        costs += f", or {_money(reserved)} with the share of the tasks that AWS advises for its proxy,"
    return (
        f"Is it cheaper? {answer} at {rounded(study.scenario.mean_rate)} requests/s: (a), without a load balancer, "
        f"costs {costs} against {_money(alb)} for a public ALB alone (d); (a) is cheaper than (d) "
        f"{_rates(study, PUBLIC_ALB)}, and than an internal ALB behind the same API (b) {_rates(study, INTERNAL_ALB)}."
    )


def share_in_words(study: Study) -> str:
    """What AWS advises for the proxy, what that leaves of a task, and the size that it needs if it comes on top."""
    scenario = study.scenario
    share = scenario.advised_share
    cpu = scenario.without_share.cpu
    words = (
        f"The proxy's share: AWS advises {share.cpu} CPU units and {share.memory} MiB of each task for Service "
        f"Connect's proxy, which leaves the application {max(0, cpu - share.cpu)} of {cpu} CPU units"
    )
    if (reserved := scenario.with_share) is None:
        return f"{words}; Fargate has no larger task."
    return f"{words}; with the share, tasks have {reserved.task_sizes.proxied}."


def mixed_in_words(study: Study) -> str:
    """How far the requests that an HTTP API counts may be off because the sizes are means; empty if below 1 %."""
    low, high = mixed_steps(study.scenario)
    if not study.possible or high - low < TOLD:
        return ""
    price, requests = study.prices.http_api, study.scenario.requests
    costs = [_money(price.cost(Requests(requests * count))) for count in (low, high)]
    return (
        f"Mixed payloads: all requests are taken to be of the mean size, and an HTTP API to count "
        f"{steps(study.scenario)} for each; of payloads that are mixed it may count from {low:,.2f} to {high:,.2f}, "
        f"{costs[0]} to {costs[1]} USD."
    )


def where_cheaper(points: Sequence[BreakEven], cheaper_here: bool) -> str:
    """The request rates at which option (a) is the cheaper one; *cheaper_here* decides where nothing breaks even."""
    if not points:
        return "at every rate" if cheaper_here else "at no rate"
    words = []
    start = ""
    for point in points:
        if point.cheaper_below is SERVICE_CONNECT:
            words.append(f"{start}{'to' if start else 'up to'} {_per_second(point.at)}")
        start = f"from {_per_second(point.at)} "
    if points[-1].cheaper_above is SERVICE_CONNECT:
        words.append(f"from {_per_second(points[-1].at)} on")
    return " and ".join(words)


def _rates(study: Study, against: Option) -> str:
    total = next(bill.total for bill in study.bills if bill.option is against)
    own = _where(study.rates, study.bills[0].total, against, total)
    if (other := study.alternative) is None:
        return own
    others = _where(other.rates, other.bill.total, against, total)
    if own == others:
        return f"{own}, with that share or without"
    without, reserved = (own, others) if other.reserved else (others, own)
    return f"{without}, or {reserved} with that share"


def _where(points: Sequence[BreakEven], own: Usd, against: Option, total: Usd) -> str:
    return where_cheaper([point for point in points if point.against is against], own < total)


def _per_second(rate: Decimal) -> str:
    return f"{rate:,.1f}/s"


def _money(usd: Usd) -> str:
    return f"{usd.value:,.2f}"
