"""Prices with their unit, Region, source, date and confidence, read from prices.json.

A price takes only the quantity that it is quoted for: `prices.alb_hour.cost(Requests(...))` is an error to mypy and,
at run time, a TypeError.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from decimal import Decimal, InvalidOperation
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args, get_type_hints

from lab.costs.quantities import (
    Calls,
    GbHours,
    GbMonths,
    Gigabytes,
    Hours,
    LcuHours,
    MetricMonths,
    NlcuHours,
    Quantity,
    Requests,
    ResourceMonths,
    Usd,
    VcpuHours,
)
from lab.errors import BadInput

__all__ = ["PRICE_FILE", "Price", "PriceBook", "Tier", "load_prices", "read_price_file"]

PRICE_FILE = Path(__file__).with_name("prices.json")

Q = TypeVar("Q", bound=Quantity)


@dataclass(frozen=True)
class Tier:
    """A price from an amount on. *low* and *high* are the range within which an assumed price is taken to lie."""

    start: Decimal
    usd: Decimal
    region: str
    assumed: bool
    low: Decimal
    high: Decimal


@dataclass(frozen=True)
class Price(Generic[Q]):
    """US dollars for *per* units, in tiers that are counted after the *free* amount of a month (Lattice: an hour)."""

    name: str
    unit: type[Q]
    per: Decimal
    free: Decimal
    tiers: tuple[Tier, ...]
    source: str
    date: str

    def cost(self, quantity: Q) -> Usd:
        """What *quantity* costs, the free amount taken off. Raises TypeError for another unit."""
        self._check(quantity)
        return self._cost(self._beyond_free(quantity))

    def cost_beyond_free(self, quantity: Q) -> Usd:
        """What *quantity* costs when the free amount is already taken off."""
        self._check(quantity)
        return self._cost(quantity.value)

    def billable(self, quantity: Q) -> Q:
        """*quantity* less the free amount."""
        self._check(quantity)
        return self.unit(self._beyond_free(quantity))

    @cached_property
    def kinks(self) -> tuple[Decimal, ...]:
        """The amounts, free amount included, at which the price of one more unit changes."""
        return tuple(self.free + tier.start for tier in self.tiers if self.free + tier.start > 0)

    def assumed(self, quantity: Q) -> str:
        """Which of the tiers that *quantity* reaches are assumed, in words; empty if none."""
        if not self._has_assumed:
            return ""
        amounts = self._split(self._beyond_free(quantity))
        reached = {tier.region for tier, amount in amounts if amount and tier.assumed}
        return f"price of {' and '.join(sorted(reached))}" if reached else ""

    def at(self, start: Decimal, usd: Decimal) -> Price[Q]:
        """This price with the tier from *start* on at *usd*."""
        return replace(
            self, tiers=tuple(replace(tier, usd=usd) if tier.start == start else tier for tier in self.tiers)
        )

    @cached_property
    def _has_assumed(self) -> bool:
        return any(tier.assumed for tier in self.tiers)

    def _check(self, quantity: Quantity) -> None:
        if type(quantity) is not self.unit:
            raise TypeError(f"{self.name} is a price of {self.unit.unit}, not of {quantity.unit}")

    def _beyond_free(self, quantity: Q) -> Decimal:
        return max(Decimal(0), quantity.value - self.free)

    def _cost(self, amount: Decimal) -> Usd:
        if len(self.tiers) == 1:  # as most are; a break-even point asks for thousands
            return Usd(amount * self.tiers[0].usd / self.per)
        return Usd(sum((part * tier.usd for tier, part in self._split(amount)), Decimal(0)) / self.per)

    def _split(self, amount: Decimal) -> Iterator[tuple[Tier, Decimal]]:
        for tier, following in zip(self.tiers, (*self.tiers[1:], None), strict=True):
            upper = min(amount, following.start) if following else amount
            yield tier, max(Decimal(0), upper - tier.start)


@dataclass(frozen=True)
class PriceBook:
    """All prices of a Region."""

    region: str
    fargate_x86_vcpu: Price[VcpuHours]
    fargate_x86_memory: Price[GbHours]
    fargate_arm_vcpu: Price[VcpuHours]
    fargate_arm_memory: Price[GbHours]
    http_api: Price[Requests]
    rest_api: Price[Requests]
    alb_hour: Price[Hours]
    alb_lcu: Price[LcuHours]
    nlb_hour: Price[Hours]
    nlb_nlcu: Price[NlcuHours]
    lattice_hour: Price[Hours]
    lattice_data: Price[Gigabytes]
    lattice_request: Price[Requests]
    endpoint_hour: Price[Hours]
    endpoint_data: Price[Gigabytes]
    nat_hour: Price[Hours]
    nat_data: Price[Gigabytes]
    ipv4_hour: Price[Hours]
    cloud_map_resource: Price[ResourceMonths]
    cloud_map_call: Price[Calls]
    egress: Price[Gigabytes]
    cross_az: Price[Gigabytes]
    log_ingest: Price[Gigabytes]
    log_storage: Price[GbMonths]
    insights_metric: Price[MetricMonths]
    image_storage: Price[GbMonths]

    def prices(self) -> tuple[Price[Any], ...]:
        """Every price, in the order of the fields."""
        return tuple(getattr(self, field.name) for field in fields(self) if field.name != "region")


def read_price_file(path: Path = PRICE_FILE) -> dict[str, Any]:
    """The price file as JSON. Raises BadInput if it cannot be read."""
    try:
        content = json.loads(path.read_text())
        regions = content["regions"]
    except OSError as error:
        raise BadInput(
            f"the price file {path} cannot be read ({error.strerror}); name another with --prices"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f'the price file {path} is not JSON with "regions"; name another with --prices') from error
    if not isinstance(regions, dict):
        raise BadInput(f'"regions" in the price file {path} must map Regions to prices')
    return dict(content)


def load_prices(region: str, path: Path = PRICE_FILE) -> PriceBook:
    """The prices of *region*. Raises BadInput for a Region or an item that the file lacks."""
    regions = read_price_file(path)["regions"]
    if region not in regions:
        raise BadInput(
            f"there are no prices for Region {region!r}, only for {', '.join(sorted(regions)) or 'none'}; "
            f"fetch them with `lab costs update --region {region}`"
        )
    units = {name: get_args(hint)[0] for name, hint in get_type_hints(PriceBook).items() if name != "region"}
    try:
        prices = {name: _price(name, unit, regions[region][name]) for name, unit in units.items()}
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise BadInput(f"the price file {path} is wrong for Region {region}: {type(error).__name__} {error}") from error
    return PriceBook(region=region, **prices)


def _price(name: str, unit: type[Quantity], item: dict[str, Any]) -> Price[Any]:
    if item["unit"] != unit.unit:
        raise ValueError(f"{name} is in {item['unit']}, not in {unit.unit}")
    tiers = tuple(
        Tier(
            start=Decimal(tier["from"]),
            usd=Decimal(tier["usd"]),
            region=tier["region"],
            assumed=tier["confidence"] != "published",
            low=Decimal(tier.get("low", tier["usd"])),
            high=Decimal(tier.get("high", tier["usd"])),
        )
        for tier in item["tiers"]
    )
    starts = [tier.start for tier in tiers]
    if not tiers or starts != sorted(set(starts)) or starts[0] != 0 or any(tier.usd < 0 for tier in tiers):
        raise ValueError(f"{name} must have tiers that start at 0 and rise, with prices of at least 0")
    return Price(name, unit, Decimal(item["per"]), Decimal(item["free"]), tiers, item["source"], item["date"])
