"""A study as JSON, as CSV, and as tables in the terminal."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import fields
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table

from lab.costs.breakeven import BreakEven
from lab.costs.lines import Line, mixed_steps, steps
from lab.costs.options import Bill, possible
from lab.costs.quantities import Usd, plain
from lab.costs.scenario import HOURS, KB, SECONDS_PER_HOUR
from lab.costs.study import Study
from lab.costs.verdict import mixed_in_words, share_in_words, verdict, where_cheaper

__all__ = ["as_csv", "as_json", "console", "print_study"]

SENSITIVITIES_SHOWN = 5
NARROWEST = 130


def as_json(study: Study) -> str:
    """The whole study as a JSON object; money in US dollars a month."""
    scenario = study.scenario
    inputs: dict[str, Any] = {
        field.name: _input(getattr(scenario, field.name)) for field in fields(scenario) if field.name != "rates"
    }
    content = {
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
    return json.dumps(content, indent=2)


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


def console() -> Console:
    """Standard output, wide enough for the tables: a narrow terminal folds a line rather than losing its end."""
    return Console(highlight=False, width=max(NARROWEST, Console().width))


def print_study(study: Study, console: Console) -> None:
    """The bills side by side, the break-even points, the assumptions, and the inputs that matter most."""
    scenario = study.scenario
    requests = f"{plain(scenario.mean_rate)} requests/s ({scenario.requests / 10**6:,.1f} M a month)"
    console.print(
        f"{scenario.region}, USD a month of {HOURS} hours: {requests} of {_kb(scenario.request_bytes)} "
        f"with responses of {_kb(scenario.response_bytes)}; {scenario.tasks} tasks of {scenario.cpu} CPU units "
        f"with {scenario.memory} MiB ({scenario.architecture}) in {scenario.azs} zones, network: {scenario.network}",
        soft_wrap=True,
    )
    console.print(verdict(study), soft_wrap=True)
    console.print()
    console.print(_bills(study))
    if study.possible:
        console.print(share_in_words(study), soft_wrap=True)
        if mixed := mixed_in_words(study):
            console.print(mixed, soft_wrap=True)
    for bill in study.bills:
        notes = f" ({'; '.join(bill.notes)})" if bill.notes else ""
        console.print(f"({bill.option.letter}) {bill.option.title}{notes}", soft_wrap=True)
    console.print("* rests on an assumption, whose range is below; `--assume NAME=VALUE` changes it", soft_wrap=True)
    console.print()
    if study.possible:
        for sentence in _sentences(study):
            console.print(sentence, soft_wrap=True)
        console.print()
    console.print(_assumptions(study))
    if study.possible:
        console.print(_sensitivities(study))


def _bills(study: Study) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for bill in study.bills:
        table.add_column(f"({bill.option.letter})", justify="right")
    columns = [{line.item: line for line in bill.lines} for bill in study.bills]
    for item in dict.fromkeys(item for column in columns for item in column):
        lines = [column.get(item) for column in columns]
        if any(line and line.cost.value for line in lines):
            table.add_row(item, *(_cell(line) for line in lines))
    table.add_section()
    table.add_row("total", *(_price(bill, bill.total) for bill in study.bills))
    if study.alternative is not None:
        table.add_row(f"  total {study.alternative.words}", _money(study.alternative.bill.total))
    lows, highs = zip(*(study.ranges[bill.option] for bill in study.bills), strict=True)
    table.add_row(
        "  lowest, all assumed at their low ends", *(_price(*each) for each in zip(study.bills, lows, strict=True))
    )
    table.add_row(
        "  highest, all at their high ends", *(_price(*each) for each in zip(study.bills, highs, strict=True))
    )
    table.add_row("  of the total: exposing alone", *(_price(bill, study.exposing(bill)) for bill in study.bills))
    return table


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
    table = Table(box=None, pad_edge=False, title="Assumed, and what it does to the totals", title_justify="left")
    for column in ("name", "value", "range"):
        table.add_column(column)
    table.add_column("totals at either end")
    for effect in study.effects:
        assumption = effect.assumption
        totals = [
            f"({option.letter}) {_money(low)} to {_money(high)}"
            for option, (low, high) in effect.totals.items()
            if possible(option, study.scenario)
        ]
        if not totals:
            continue
        table.add_row(
            assumption.name,
            plain(assumption.value),
            f"{plain(assumption.low)} to {plain(assumption.high)}",
            ", ".join(totals),
        )
    return table


def _sensitivities(study: Study) -> Table:
    letter = study.against.letter
    table = Table(box=None, pad_edge=False, title=f"What moves (a) less ({letter}) most", title_justify="left")
    table.add_column("input")
    table.add_column("swing", justify="right")
    table.add_column(f"now and otherwise, with (a) less ({letter})")
    bills = {bill.option: bill for bill in study.bills}
    present = study.bills[0].total - bills[study.against].total
    for each in study.sensitivities[:SENSITIVITIES_SHOWN]:
        variants = [f"{variant.value}: {_money(variant.difference)}" for variant in each.variants]
        table.add_row(each.name, _money(each.swing), ", ".join([f"{each.value}: {_money(present)}", *variants]))
    return table


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
