"""Which input moves the answer most: each input alone is halved and doubled, or set to its alternatives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from lab.costs.fargate import Size, fit, is_size, proxy_share
from lab.costs.options import SERVICE_CONNECT, Option, bill, possible
from lab.costs.prices import PriceBook
from lab.costs.quantities import Usd, plain
from lab.costs.scenario import Scenario

__all__ = ["Sensitivity", "Variant", "sensitivities"]


@dataclass(frozen=True)
class Variant:
    """An input at another value: the total of option (a), and what it costs beyond the option compared with."""

    value: str
    total: Usd
    difference: Usd


@dataclass(frozen=True)
class Sensitivity:
    """An input with its variants. *swing* is the span of the differences, the present one included."""

    name: str
    value: str
    variants: tuple[Variant, ...]
    swing: Usd


def sensitivities(scenario: Scenario, prices: PriceBook, against: Option) -> tuple[Sensitivity, ...]:
    """Every input, that which moves the difference between option (a) and *against* most first."""
    present = _variant("", scenario, prices, against)
    found = []
    for name, value, changes in _changes(scenario):
        variants = tuple(_variant(label, changed, prices, against) for label, changed in changes)
        differences = [variant.difference.value for variant in (present, *variants)]
        found.append(Sensitivity(name, value, variants, Usd(max(differences) - min(differences))))
    return tuple(sorted(found, key=lambda each: -each.swing.value))


def _variant(label: str, scenario: Scenario, prices: PriceBook, against: Option) -> Variant:
    total = bill(SERVICE_CONNECT, scenario, prices).total
    return Variant(label, total, total - bill(against, scenario, prices).total)


def _changes(scenario: Scenario) -> Iterator[tuple[str, str, list[tuple[str, Scenario]]]]:
    half, double = Decimal("0.5"), Decimal(2)
    rate = scenario.mean_rate
    yield (
        "requests per second",
        plain(rate),
        [(plain(rate * factor), scenario.at_rate(rate * factor)) for factor in (half, double)],
    )
    for name, field in (
        ("request bytes", "request_bytes"),
        ("response bytes", "response_bytes"),
        ("new connections per request", "connections_per_request"),
        ("seconds a connection lasts", "connection_seconds"),
        ("gateway's log bytes per request", "gateway_log_bytes"),
        ("proxy's log bytes per request", "proxy_log_bytes"),
        ("application's log bytes per request", "app_log_bytes"),
    ):
        value: Decimal = getattr(scenario, field)
        if value:
            changed = [(value * factor, {field: value * factor}) for factor in (half, double)]
            variants = [(plain(to), _with(scenario, **change)) for to, change in changed]
            yield name, plain(value), [(to, each) for to, each in variants if possible(SERVICE_CONNECT, each)]
    yield _counts(scenario, "tasks", "tasks", (max(1, scenario.tasks // 2), scenario.tasks * 2))
    yield _counts(scenario, "availability zones", "azs", (max(1, scenario.azs - 1), min(6, scenario.azs + 1)))
    sizes = [Size(scenario.cpu // 2, scenario.memory // 2), Size(scenario.cpu * 2, scenario.memory * 2)]
    changes = [
        (str(size), _with(scenario, cpu=size.cpu, memory=size.memory)) for size in sizes if _holds(size, scenario)
    ]
    yield "task size", str(Size(scenario.cpu, scenario.memory)), changes
    for name, field, choices in (
        ("architecture", "architecture", ("X86_64", "ARM64")),
        ("proxy's share of the task", "proxy", ("within", "on-top")),
        ("network of the tasks", "network", ("endpoints", "nat", "public", "none")),
    ):
        present = getattr(scenario, field)
        others = [choice for choice in choices if choice != present]
        if field == "proxy" and fit(Size(scenario.cpu, scenario.memory) + proxy_share(busy=False)) is None:
            continue
        yield name, present, [(choice, _with(scenario, **{field: choice})) for choice in others]


def _counts(
    scenario: Scenario, name: str, field: str, counts: tuple[int, ...]
) -> tuple[str, str, list[tuple[str, Scenario]]]:
    present = getattr(scenario, field)
    changes = [(str(count), _with(scenario, **{field: count})) for count in counts if count != present]
    return name, str(present), changes


def _holds(size: Size, scenario: Scenario) -> bool:
    return is_size(size) and (scenario.proxy != "on-top" or fit(size + proxy_share(busy=False)) is not None)


def _with(scenario: Scenario, **changes: Any) -> Scenario:
    return replace(scenario, **changes)
