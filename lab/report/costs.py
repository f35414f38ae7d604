"""The page of a cost study: the answer, every way with its difference, what that is made of, and what is assumed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from decimal import Context, Decimal
from typing import Any

from lab.costs import bill as model
from lab.costs.bill import INTERNAL_ALB, PUBLIC_ALB, SERVICE_CONNECT, WITH_SHARE, Line, Way
from lab.costs.prices import ZERO, PriceBook
from lab.costs.scenario import HOURS, KB, SECONDS_PER_HOUR, Scenario
from lab.costs.study import BreakEven, Study
from lab.costs.update import Change
from lab.report.document import Document, Heading, Part, Sentence, Table
from serviceconnect.settings import Settings

WORTH_SAYING = Decimal("0.01")
_NAMED = 3  # lines of a bill in a sentence
_NOTABLE = Decimal("0.1")  # of the difference
NOWHERE = "at no rate"


def costs_page(study: Study, notes: Sequence[str] = (), every_way: bool = False) -> Document:
    """The ways with their differences, what those are made of, and the assumptions.

    notes: what must be known of the inputs that come from a run. every_way: not only those of the question.
    """
    ways = study.ways if every_way else study.of_the_question
    return Document(_headline(study), list(_parts(study, notes, ways)), _values(study))


def _parts(study: Study, notes: Sequence[str], ways: Sequence[Way]) -> Iterator[Part]:
    s = study.scenario
    each = f" of each of {s.services:,} services" if s.services > 1 else ""
    if study.possible:
        yield from _answer(study)
    yield Sentence(
        f"{_priced(study.prices)}; USD a month of {HOURS} hours: {plain(s.mean_rate)} requests/s{each} "
        f"({s.requests / 10**6:,.1f} M a month) of {_kb(s.request_bytes)} with responses of {_kb(s.response_bytes)}; "
        f"{s.tasks} tasks of {s.cpu} CPU units with {s.memory} MiB ({s.architecture}) in {s.azs} zones, "
        f"network: {s.network}.",
        kind="facts",
    )
    yield from notes
    yield _ways(study, ways)
    if rest := [study.bills[way].total for way in study.ways if way not in ways and way.carries(s)]:
        yield f"{len(rest)} more cost {money(min(rest))} to {money(max(rest))}: --all."
    if study.possible:
        yield from _caveats(study, ways)
    if max(s.rates) > model.GATEWAY_REQUESTS_PER_SECOND:
        yield "API Gateway's quota is 10,000 requests/s, which AWS raises on request."
    if max(s.rates) > (admitted := Settings().throttle_rate):
        yield f"This project's stage answers 429 above {admitted:,} requests/s, if `throttle_rate` is left as it is."
    is_own = study.against is SERVICE_CONNECT
    yield Heading("What it is made of" if is_own else f"What the difference to {study.against.name} is made of")
    yield _lines(study)
    yield "Each number is rounded to the cent by itself, so sums and differences of them may be some cents off."
    yield "* rests on an assumption; `--against NAME` compares with another way."
    yield Heading("What is assumed")
    assumed = [[a.name, plain(a.value), f"{plain(a.low)} to {plain(a.high)}", a.what] for a in study.resting_on(ways)]
    yield Table(("name", "value", "range", "what"), assumed, text_columns=4)
    yield "`--assume NAME=VALUE` sets another value."
    yield from _connections(study)
    alone = "this service's alone" if s.services == 1 else f"shared by {s.services:,} services in equal parts"
    yield f"Load balancers, interface endpoints and NAT gateways are {alone}; `--services N` sets how many share them."


NOT_OF_THE_RUN = (
    "A run does not tell the size of its tasks, their processor and their way out: these are the synthesized stack's, "
    "or else this project's defaults. --cpu, --memory, --architecture and --network give others."
)


def a_reference(rate: Decimal) -> str:
    """That a run of a closed loop is priced at another rate than its own."""
    return (
        "The run was a closed loop: its rate is no month's, so a reference is priced instead, "
        f"{plain(rate)} requests/s; --requests-per-second gives another."
    )


def elsewhere(there: str | None, here: str) -> str:
    """That a run was in another Region than the prices."""
    return f"The run was in {there}, and the prices are those of {here}: `--region {there}` takes its own."


def _priced(prices: PriceBook) -> str:
    """The Region, and when its prices were read."""
    first, *_, last = sorted([price.date for price in prices.prices.values()] * 2)
    return f"Prices of {prices.region} as of {first if first == last else f'{first} to {last}'}"


def _headline(study: Study) -> str:
    rate = f"At {rounded(study.scenario.mean_rate)} requests/s{' each' * (study.scenario.services > 1)}"
    one = of_services(study.scenario)
    other = money(model.total(study.against, study.scenario, study.prices))
    if not study.possible:
        return (
            f"{rate} a month costs {other} USD{one} with {_named(study.against)}; API Gateway carries at most 10 MB in "
            "a request or response."
        )
    own = f"{rate} a month without a load balancer costs {money(study.bills[SERVICE_CONNECT].total)} USD{one}"
    if study.against is SERVICE_CONNECT:
        return f"{own}."
    difference = study.difference(SERVICE_CONNECT)
    if abs(difference) < WORTH_SAYING:
        return f"{own}, the same as with {_named(study.against)}."
    headline = f"{own}, {_more(difference)} than with {_named(study.against)} ({other})"
    if (alone := study.leaving_alone) is None:
        return f"{headline}."
    return f"{headline}, if all {study.scenario.services:,} leave; if it leaves alone, {_more(alone)} than today."


def _more(difference: Decimal) -> str:
    return f"{money(abs(difference))} {'more' if difference > 0 else 'less'}"


def of_services(scenario: Scenario) -> str:
    """Whose VPC it is, if not the service's alone."""
    return f" for one of {scenario.services:,} services in the VPC" if scenario.services > 1 else ""


def _named(way: Way) -> str:
    return "a public ALB" if way is PUBLIC_ALB else way.name


def _answer(study: Study) -> Iterator[str]:
    """What differs, and where going without a load balancer is cheaper."""
    if study.against is not SERVICE_CONNECT:
        yield f"Against {_named(study.against)} {_changes(study)}."
    log = study.gateway_log
    if log >= WORTH_SAYING and log >= _NOTABLE * abs(study.difference(SERVICE_CONNECT)):
        yield (
            f"{money(log)} of that is API Gateway's access log in CloudWatch, "
            f"{plain(study.scenario.gateway_log_bytes)} bytes a request: `--gateway-log-bytes 0` is without it."
        )
    if study.leaving_alone is not None:
        yield "If one leaves alone, what all share there is paid as before, and by it alone what is new."
    compared = [way for way in dict.fromkeys((study.against, INTERNAL_ALB)) if way is not SERVICE_CONNECT]
    cheaper = f"Going without is {_cheaper(study, SERVICE_CONNECT, compared)}"
    others = [way for way in compared if way is not WITH_SHARE]
    if WITH_SHARE in study.bills and others:
        cheaper += (
            f"; with the share of a task that AWS advises for its proxy it is {_cheaper(study, WITH_SHARE, others)}"
        )
    yield f"{cheaper}."
    moved = []
    for way in others:
        low, high = study.rate_range(way)
        if low is not None and low != high:
            until = "and up, or none," if high is None else f"to {_per_second(high)}"
            moved.append(f"{_per_second(low)} {until} for {_named(way)}")
    if moved:
        yield (
            "That rests on what is assumed: with each assumption alone moved through its range, the first rate where "
            f"both cost the same is {', and '.join(moved)}."
        )


def _connections(study: Study) -> Iterator[str]:
    """What rests on a new connection for each request, where that is what is priced."""
    s = study.scenario
    way = study.against if {"ALB", "Lattice"} & study.against.traits else PUBLIC_ALB
    saved = study.bills[way].total - model.total(way, s.replace(connections_per_request=ZERO), study.prices)
    if s.connections_per_request == 1 and saved >= WORTH_SAYING:
        yield (
            f"Each client request is taken to open a connection of {plain(s.connection_seconds)} s: were all kept, "
            f"{way.name} would cost {money(saved)} less. `--new-connections` sets how many a second there are."
        )


def _cheaper(study: Study, way: Way, compared: Sequence[Way]) -> str:
    """Than which of *compared* it is cheaper, and where; those of one answer together."""
    names = {INTERNAL_ALB: "an internal ALB behind the same API"}
    found: dict[str, list[str]] = {}
    for other in compared:
        found.setdefault(_where(study, way, other), []).append(names.get(other, _named(other)))
    told = {where: " or ".join(each) for where, each in found.items()}
    return " and ".join(
        f"never cheaper than {each}" if where == NOWHERE else f"cheaper than {each} {where}"
        for where, each in told.items()
    )


def _changes(study: Study) -> str:
    """What is saved, what is paid in its place, and what of the network is paid either way."""
    own, other = ({line.item: line.usd for line in study.bills[way].lines} for way in (SERVICE_CONNECT, study.against))
    differences = {item: own.get(item, ZERO) - other.get(item, ZERO) for item in own | other}
    told = []
    for verb, sign in (("saves", -1), ("adds", 1)):
        parts = {item: sign * usd for item, usd in differences.items() if sign * usd >= WORTH_SAYING}
        if parts:
            largest = sorted(parts, key=lambda item: -parts[item])[:_NAMED]
            named = ", ".join(f"{item} {money(parts[item])}" for item in largest)
            rest = f", others {money(sum((parts[item] for item in parts.keys() - set(largest)), ZERO))}"
            told.append(f"{verb} {money(sum(parts.values(), ZERO))} USD ({named}{rest if len(parts) > _NAMED else ''})")
    same = own.get("interface endpoints", ZERO)
    either_way = same and not differences["interface endpoints"]
    endpoints = f"; the tasks' other interface endpoints, {money(same)}, are paid either way" if either_way else ""
    return f"it {' and '.join(told) or 'changes nothing'}{endpoints}"


def _caveats(study: Study, ways: Sequence[Way]) -> Iterator[str]:
    """The proxy's share of a task, payloads of mixed sizes, and response sizes at which two ways cost the same."""
    s = study.scenario
    share = "Fargate has no larger task than this one."
    if s.size_with_share:
        cpu, memory = s.size_with_share
        share = f"with that share on top of {s.cpu} units, tasks have {cpu} CPU units with {memory} MiB. "
        share += "Nothing enforces it: measure the proxy before you leave it out."
    yield (
        "AWS advises to add 256 CPU units and 64 MiB to a task for Service Connect's proxy (512 units above 500 "
        f"requests/s){':' if s.size_with_share else ';'} {share}"
    )
    low, high = model.mixed_steps(s)
    if high - low >= WORTH_SAYING:
        least, most = (money(model.each_pays(study.prices["http_api"], s.requests * n, s)) for n in (low, high))
        yield (
            "Mixed payloads: all requests are taken to be of the mean size, and an HTTP API to count "
            f"{model.steps(s)} for each; of payloads that are mixed it may count from {low:,.2f} to {high:,.2f}, "
            f"{least} to {most} USD."
        )
    for point in (point for point in study.sizes if point.against in ways):
        yield (
            f"{point.way.name} and {point.against.name} cost the same at responses of {_kb(point.at)}: "
            f"{point.cheaper_below.name} is cheaper below, {point.cheaper_above.name} above."
        )


def _ways(study: Study, ways: Sequence[Way]) -> Table:
    rows = []
    for way, found in sorted(((way, study.bills[way]) for way in ways), key=lambda each: each[1].total):
        row = ["-", "-", "-", "-"]
        if way.carries(study.scenario):
            low, high = study.ranges[way]
            where = "" if way is SERVICE_CONNECT else _where(study, SERVICE_CONNECT, way) if study.possible else "-"
            row = [money(found.total), f"{study.difference(way):+,.2f}", f"{money(low)} to {money(high)}", where]
        rows.append([way.name, way.title, *row])
    to = f"to {study.against.name}"
    cheaper = f"{SERVICE_CONNECT.name} is cheaper"
    head = ("way", "", "USD a month", to, "assumptions all low, all high", cheaper)
    return Table(head, rows, text_columns=2)


def _lines(study: Study) -> Table:
    columns = [{line.item: line for line in study.bills[way].lines} for way in (SERVICE_CONNECT, study.against)]
    rows = []
    if study.against is SERVICE_CONNECT:
        rows = [[item, _cell(line)] for item, line in columns[0].items() if line.usd]
        rows.append(["total", f"{study.bills[SERVICE_CONNECT].total:,.2f} "])
        return Table(("", SERVICE_CONNECT.name), rows)
    for item in dict.fromkeys(item for column in columns for item in column):
        own, other = (column.get(item) for column in columns)
        if (own and own.usd) or (other and other.usd):
            difference = (own.usd if own else Decimal(0)) - (other.usd if other else Decimal(0))
            rows.append([item, _cell(own), _cell(other), f"{difference:+,.2f} " if difference else ""])
    totals = [f"{study.bills[way].total:,.2f} " for way in (SERVICE_CONNECT, study.against)]
    rows.append(["total", *totals, f"{study.difference(SERVICE_CONNECT):+,.2f} "])
    return Table(("", SERVICE_CONNECT.name, study.against.name, "difference"), rows)


def where_cheaper(points: Sequence[BreakEven], way: Way, cheaper_here: bool) -> str:
    """The request rates at which *way* is the cheaper one; *cheaper_here* decides where nothing breaks even."""
    if not points:
        return "at every rate" if cheaper_here else NOWHERE
    words = []
    start = ""
    for point in points:
        if point.cheaper_below is way:
            words.append(f"{start}{'to' if start else 'up to'} {_per_second(point.at)}")
        start = f"from {_per_second(point.at)} "
    if points[-1].cheaper_above is way:
        words.append(f"from {_per_second(points[-1].at)} on")
    return " and ".join(words)


def _where(study: Study, way: Way, against: Way) -> str:
    points = study.rates if way is SERVICE_CONNECT else study.rates_with_share
    cheaper = study.bills[way].total < study.bills[against].total
    return where_cheaper([point for point in points if point.against is against], way, cheaper)


def change_in_words(change: Change) -> str:
    """What `lab costs update` did to a price."""
    if change.outcome == "not-asked":
        return f"{change.name}: kept (its offer was not asked for)"
    if change.outcome == "not-listed":
        return f"{change.name}: kept (no one price of it in the price list)"
    moves = ", ".join(f"{old.normalize():f} -> {new.normalize():f}" for old, new in change.moves)
    return f"{change.name}: {moves or 'unchanged'} ({change.date})"


def as_csv(study: Study) -> str:
    """One row for each line of each bill."""
    text = io.StringIO()
    writer = csv.DictWriter(text, ["way", *_line(study.bills[SERVICE_CONNECT].lines[0])], lineterminator="\n")
    writer.writeheader()
    for way, found in study.bills.items():
        for line in found.lines:
            numbers = {name: f"{_line(line)[name]:f}" for name in ("quantity", "usd")}
            writer.writerow({"way": way.name, **_line(line), **numbers, "assumed": " ".join(line.assumed)})
    return text.getvalue()


def _values(study: Study) -> dict[str, Any]:
    """The whole study; money in US dollars a month."""
    scenario = study.scenario
    return {
        "region": scenario.region,
        "inputs": {"requests_per_second": scenario.mean_rate, **dict(scenario)},
        "answer": _headline(study),
        "against": study.against.name,
        "leaving_alone_usd": study.leaving_alone,
        "ways": [
            {
                "name": way.name,
                "title": way.title,
                "possible": way.carries(scenario),
                "total_usd": found.total,
                "difference_usd": study.difference(way),
                "range_usd": study.ranges[way],
                "lines": [_line(line) for line in found.lines],
            }
            for way, found in study.bills.items()
        ],
        "http_api_steps": {
            "counted": int(model.steps(scenario)),
            "of_mixed_payloads": model.mixed_steps(scenario),
        },
        "break_even": [
            _break_even(study, point)
            for points in (study.rates, study.rates_with_share, study.sizes)
            for point in points
        ],
        "assumptions": [
            {"name": each.name, "what": each.what, "value": each.value, "range": (each.low, each.high)}
            for each in study.resting_on(study.ways)
        ],
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "item": line.item,
        "group": line.group,
        "quantity": line.amount.normalize(),
        "unit": line.price.unit,
        "usd": line.usd.normalize(),
        "assumed": line.assumed,
        "source": line.price.source,
        "date": line.price.date,
    }


def _break_even(study: Study, point: BreakEven) -> dict[str, Any]:
    content: dict[str, Any] = {
        "way": point.way.name,
        "against": point.against.name,
        "variable": point.variable,
        point.variable: point.at,
        "total_usd": point.usd,
        "cheaper_below": point.cheaper_below.name,
        "cheaper_above": point.cheaper_above.name,
    }
    if point.variable == "requests_per_second":
        content["requests_per_month"] = point.at * SECONDS_PER_HOUR * HOURS
        if point.way is SERVICE_CONNECT:
            content["range"] = study.rate_range(point.against)
    return content


def _cell(line: Line | None) -> str:
    return "" if line is None else f"{line.usd:,.2f}" + ("*" if line.assumed else " ")


def money(usd: Decimal) -> str:
    """US dollars to the cent."""
    return f"{usd:,.2f}"


def plain(value: Decimal) -> str:
    """*value* to six significant digits."""
    return f"{Context(prec=6).plus(value).normalize():,f}"


def rounded(value: Decimal) -> str:
    """*value* to three significant digits, or whole."""
    return f"{value:,.0f}" if value >= 1000 else f"{Context(prec=3).plus(value).normalize():f}"


def _per_second(rate: Decimal) -> str:
    return f"{rate:,.1f}/s"


def _kb(size: Decimal) -> str:
    return f"{size / KB:,.1f} KB" if size >= KB else f"{rounded(size)} bytes"
