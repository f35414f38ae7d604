"""The page of a cost study: its answer in words, the bills side by side, break-even points, assumptions."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import fields
from decimal import Decimal
from typing import Any

from lab.costs.breakeven import BreakEven
from lab.costs.lines import Line, mixed_steps, steps
from lab.costs.options import PUBLIC_ALB, SERVICE_CONNECT, Bill, Option, option_named, possible
from lab.costs.quantities import Requests, Usd, plain, rounded
from lab.costs.scenario import HOURS, KB, SECONDS_PER_HOUR
from lab.costs.study import Study
from lab.report.document import Document, Part, Sentence, Table

__all__ = ["as_csv", "costs_page", "mixed_in_words", "share_in_words", "verdict", "where_cheaper"]

SENSITIVITIES_SHOWN = 5
TOLD = Decimal("0.01")
INTERNAL_ALB = option_named("internal-alb")


def costs_page(study: Study, reference: str = "") -> Document:
    """The bills side by side, the break-even points, the assumptions, and the inputs that matter most.

    reference: a sentence that says why the rate is not the one of the run.
    """
    scenario = study.scenario
    requests = f"{plain(scenario.mean_rate)} requests/s ({scenario.requests / 10**6:,.1f} M a month)"
    about = (
        f"{scenario.region}, USD a month of {HOURS} hours: {requests} of {_kb(scenario.request_bytes)} "
        f"with responses of {_kb(scenario.response_bytes)}; {scenario.tasks} tasks of {scenario.cpu} CPU units "
        f"with {scenario.memory} MiB ({scenario.architecture}) in {scenario.azs} zones, network: {scenario.network}"
    )
    parts: list[Part] = [Sentence(about), Sentence(verdict(study)), _bills(study)]
    if study.possible:
        parts += [Sentence(share_in_words(study)), Sentence(mixed_in_words(study))]
    for bill in study.bills:
        notes = f" ({'; '.join(bill.notes)})" if bill.notes else ""
        parts.append(Sentence(f"({bill.option.letter}) {bill.option.title}{notes}"))
    parts.append(Sentence("* rests on an assumption, whose range is below; `--assume NAME=VALUE` changes it"))
    if study.possible:
        parts += map(Sentence, _sentences(study))
    parts.append(_assumptions(study))
    if study.possible:
        parts.append(_sensitivities(study))
    if reference:
        text = f"{reference}, {plain(scenario.mean_rate)} requests/s; --requests-per-second gives another."
        parts.append(Sentence(text))
    return Document("", parts, _values(study))


def as_csv(study: Study) -> str:
    """One row for each line of each bill."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["option", "name", "item", "group", "quantity", "unit", "usd", "assumed", "source", "date"])
    for bill in study.bills:
        for line in bill.lines:
            writer.writerow(
                [
                    bill.option.letter,
                    bill.option.name,
                    line.item,
                    line.group,
                    f"{line.quantity.value:f}",
                    line.quantity.unit,
                    f"{line.cost.value:f}",
                    line.assumed,
                    line.price.source,
                    line.price.date,
                ]
            )
    return text.getvalue()


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


def _values(study: Study) -> dict[str, Any]:
    """The whole study; money in US dollars a month."""
    scenario = study.scenario
    inputs: dict[str, Any] = {
        field.name: _input(getattr(scenario, field.name)) for field in fields(scenario) if field.name != "rates"
    }
    return {
        "region": scenario.region,
        "inputs": {"requests_per_second": float(scenario.mean_rate), "rates": _input(scenario.rates), **inputs},
        "verdict": verdict(study),
        "common_usd": _usd(study.common),
        "options": [
            {
                "option": bill.option.letter,
                "name": bill.option.name,
                "title": bill.option.title,
                "possible": bill.possible,
                "total_usd": _usd(bill.total),
                "range_usd": [_usd(end) for end in study.ranges[bill.option]],
                "exposing_usd": _usd(study.exposing(bill)),
                "notes": list(bill.notes),
                "lines": [_line(line) for line in bill.lines],
            }
            for bill in study.bills
        ],
        "proxy_share": _share(study),
        "http_api_steps": {
            "counted": int(steps(scenario)),
            "of_mixed_payloads": [float(end) for end in mixed_steps(scenario)],
        },
        "break_even": [_break_even(study, point) for point in (*study.rates, *study.sizes)],
        "assumptions": [
            {
                "name": effect.assumption.name,
                "what": effect.assumption.what,
                "value": float(effect.assumption.value),
                "range": [float(effect.assumption.low), float(effect.assumption.high)],
                "total_usd": {option.name: [_usd(end) for end in ends] for option, ends in effect.totals.items()},
            }
            for effect in study.effects
        ],
        "sensitivity": [
            {
                "input": each.name,
                "value": each.value,
                "against": study.against.name,
                "swing_usd": _usd(each.swing),
                "variants": [
                    {
                        "value": variant.value,
                        "total_usd": _usd(variant.total),
                        "difference_usd": _usd(variant.difference),
                    }
                    for variant in each.variants
                ],
            }
            for each in study.sensitivities
        ],
    }


def _bills(study: Study) -> Table:
    columns = [{line.item: line for line in bill.lines} for bill in study.bills]
    lines = []
    for item in dict.fromkeys(item for column in columns for item in column):
        own = [column.get(item) for column in columns]
        if any(line and line.cost.value for line in own):
            lines.append([item, *(_cell(line) for line in own)])
    lines.append(["total", *(_price(bill, bill.total) for bill in study.bills)])
    if study.alternative is not None:
        others = [""] * (len(study.bills) - 1)
        lines.append([f"  total {study.alternative.words}", _money(study.alternative.bill.total), *others])
    lows, highs = zip(*(study.ranges[bill.option] for bill in study.bills), strict=True)
    for words, ends in (
        ("  lowest, all assumed at their low ends", lows),
        ("  highest, all at their high ends", highs),
        ("  of the total: exposing alone", [study.exposing(bill) for bill in study.bills]),
    ):
        lines.append([words, *(_price(*each) for each in zip(study.bills, ends, strict=True))])
    return Table(["", *(f"({bill.option.letter})" for bill in study.bills)], lines)


def _sentences(study: Study) -> Iterator[str]:
    totals = {bill.option: bill.total.value for bill in study.bills}
    for option, (low, high) in study.rate_ranges.items():
        points = [point for point in study.rates if point.against is option]
        other = ""
        if (alternative := study.alternative) is not None:
            others = [point for point in alternative.rates if point.against is option]
            where = where_cheaper(others, alternative.bill.total.value < totals[option])
            other = f"; {alternative.words} (a) is cheaper {where}"
        if not points:
            cheaper = min((study.bills[0].option, option), key=lambda each: totals[each])
            yield f"(a) and ({option.letter}) {option.name}: ({cheaper.letter}) is cheaper at every rate{other}"
        for point in points:
            moved = f"; assumptions, one at a time, move it {_span(low, high)}{other}" if point is points[0] else ""
            yield (
                f"(a) and ({option.letter}) {option.name} break even at {_rate(point.at)}, "
                f"{point.at * SECONDS_PER_HOUR * HOURS / 10**6:,.1f} M requests a month, {_money(point.cost)} USD: "
                f"({point.cheaper_below.letter}) is cheaper below, ({point.cheaper_above.letter}) above{moved}"
            )
    for point in study.sizes:
        yield (
            f"(a) and ({point.against.letter}) {point.against.name} break even at responses of {_kb(point.at)}: "
            f"({point.cheaper_below.letter}) is cheaper below, ({point.cheaper_above.letter}) above"
        )


def _assumptions(study: Study) -> Table:
    lines = []
    for effect in study.effects:
        assumption = effect.assumption
        totals = [
            f"({option.letter}) {_money(low)} to {_money(high)}"
            for option, (low, high) in effect.totals.items()
            if possible(option, study.scenario)
        ]
        if totals:
            span = f"{plain(assumption.low)} to {plain(assumption.high)}"
            lines.append([assumption.name, plain(assumption.value), span, ", ".join(totals)])
    head = ("name", "value", "range", "totals at either end")
    return Table(head, lines, "Assumed, and what it does to the totals", text_columns=4)


def _sensitivities(study: Study) -> Table:
    letter = study.against.letter
    bills = {bill.option: bill for bill in study.bills}
    present = study.bills[0].total - bills[study.against].total
    lines = []
    for each in study.sensitivities[:SENSITIVITIES_SHOWN]:
        variants = [f"{variant.value}: {_money(variant.difference)}" for variant in each.variants]
        lines.append([each.name, _money(each.swing), ", ".join([f"{each.value}: {_money(present)}", *variants])])
    head = ("input", "swing", f"now and otherwise, with (a) less ({letter})")
    return Table(head, lines, f"What moves (a) less ({letter}) most", text_columns=3)


def _share(study: Study) -> dict[str, Any] | None:
    """Option (a) without and with the proxy's share of the tasks."""
    other = study.alternative
    if other is None:
        return None
    cases = [(study.bills[0], study.rates), (other.bill, other.rates)]
    return {
        kind: {
            "total_usd": _usd(bill.total),
            "break_even": [
                {
                    "against": point.against.name,
                    "requests_per_second": float(point.at),
                    "cheaper_below": point.cheaper_below.name,
                    "cheaper_above": point.cheaper_above.name,
                }
                for point in points
            ],
        }
        for kind, (bill, points) in zip(("without", "with"), cases if other.reserved else cases[::-1], strict=True)
    }


def _line(line: Line) -> dict[str, Any]:
    content = {
        "item": line.item,
        "group": line.group,
        "quantity": float(line.quantity.value),
        "unit": line.quantity.unit,
        "usd": _usd(line.cost),
        "source": line.price.source,
        "date": line.price.date,
    }
    return content | ({"assumed": line.assumed} if line.assumed else {})


def _break_even(study: Study, point: BreakEven) -> dict[str, Any]:
    content: dict[str, Any] = {
        "option": point.option.name,
        "against": point.against.name,
        "variable": point.variable,
        point.variable: float(point.at),
        "total_usd": _usd(point.cost),
        "cheaper_below": point.cheaper_below.name,
        "cheaper_above": point.cheaper_above.name,
    }
    if point.variable == "requests_per_second":
        content["requests_per_month"] = float(point.at * SECONDS_PER_HOUR * HOURS)
        low, high = study.rate_ranges[point.against]
        content["range"] = [None if end is None else float(end) for end in (low, high)]
    return content


def _cell(line: Line | None) -> str:
    return "" if line is None else _money(line.cost) + ("*" if line.assumed else " ")


def _price(bill: Bill, usd: Usd) -> str:
    """The lines of an option that is not possible may be read, but their sum is nobody's price."""
    return _money(usd) if bill.possible else "-"


def _money(usd: Usd) -> str:
    return f"{usd.value:,.2f}"


def _usd(usd: Usd) -> float:
    # Exact to far below a cent; JSON has no decimals of its own.
    return float(round(usd.value, 9))


def _rate(rate: Decimal) -> str:
    return f"{rate:,.1f}/s"


def _span(low: Decimal | None, high: Decimal | None) -> str:
    start = f"from {low:,.1f}/s" if low is not None else ""
    return f"{start} to {high:,.1f}/s" if high is not None else f"{start} up, or leave none"


def _kb(size: Decimal) -> str:
    return f"{size / KB:,.1f} KB"


def _input(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return [float(each) for each in value] if isinstance(value, tuple) else value
