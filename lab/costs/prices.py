"""Prices in tiers, each with its Region, source, date and confidence: the schema of prices.json, and what costs what.

Confidence of a tier: "published" was read from AWS's price list by `lab costs update`; "typed" was copied by hand from
the *source* at the *date*; "assumed" is not this Region's own published price, and has a range.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lab.errors import BadInput, Missing

PRICE_FILE = Path(__file__).with_name("prices.json")
ZERO = Decimal(0)

# Every price of a Region: the unit that it is quoted for, and where AWS lists it.
CATALOGUE: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("catalogue.json").read_text())
UNITS: dict[str, str] = {name: each["unit"] for name, each in CATALOGUE.items()}

Usd = Annotated[Decimal, Field(ge=0, le=10**6)]
Amount = Annotated[Decimal, Field(ge=0, le=10**15)]


class Tier(BaseModel):
    """US dollars from the amount *start* on. *low* and *high* are where an assumed price is taken to lie between."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    start: Amount = Field(alias="from")
    usd: Usd
    region: str = Field(max_length=100)
    confidence: Literal["published", "typed", "assumed"]
    low: Usd | None = None
    high: Usd | None = None

    @model_validator(mode="after")
    def _in_its_range(self) -> Tier:
        if self.confidence == "assumed":
            if self.low is None or self.high is None or not self.low <= self.usd <= self.high:
                raise ValueError("an assumed price needs low and high, with usd between them")
        elif self.low is not None or self.high is not None:
            raise ValueError("only an assumed price has low and high")
        return self


class Price(BaseModel):
    """US dollars for *per* units, in tiers that are counted after the *free* amount of a month (Lattice: an hour)."""

    model_config = ConfigDict(frozen=True)

    unit: str
    per: Decimal = Field(ge=1, le=10**12)
    free: Amount
    tiers: tuple[Tier, ...]
    source: str = Field(max_length=1000)
    date: str = Field(max_length=40)
    history: list[dict[str, Any]] = Field(default_factory=list)

    @model_validator(mode="after")
    def _tiers_rise(self) -> Price:
        starts = [tier.start for tier in self.tiers]
        if not starts or starts[0] != 0 or starts != sorted(set(starts)):
            raise ValueError("tiers must start at 0 and rise")
        return self

    def cost(self, amount: Decimal, *, free: bool = True) -> Decimal:
        """US dollars for *amount*, the free amount taken off unless *free* is false."""
        beyond = max(ZERO, amount - self.free) if free else amount
        if len(self.tiers) == 1:  # as most are; a break-even point asks for thousands
            return beyond * self.tiers[0].usd / self.per
        return sum((part * tier.usd for tier, part in self._split(beyond)), ZERO) / self.per

    def assumed(self, amount: Decimal) -> tuple[Tier, ...]:
        """The assumed tiers that *amount* reaches."""
        parts = self._split(max(ZERO, amount - self.free))
        return tuple(tier for tier, part in parts if part and tier.confidence == "assumed")

    @cached_property
    def kinks(self) -> tuple[Decimal, ...]:
        """The amounts, free amount included, at which the price of one more unit changes."""
        return tuple(self.free + tier.start for tier in self.tiers if self.free + tier.start > 0)

    def usd_at(self, amount: Decimal) -> Decimal:
        """US dollars for the *per* units from *amount*, which is no free one, on."""
        return [tier for tier in self.tiers if tier.start <= amount][-1].usd

    def _split(self, amount: Decimal) -> Iterator[tuple[Tier, Decimal]]:
        for tier, following in zip(self.tiers, (*self.tiers[1:], None), strict=True):
            upper = min(amount, following.start) if following else amount
            yield tier, max(ZERO, upper - tier.start)


class PriceFile(BaseModel):
    """prices.json: for each Region its prices by name."""

    currency: Literal["USD"] = "USD"
    regions: dict[str, dict[str, Price]]


@dataclass(frozen=True)
class PriceBook:
    """All prices of a Region, by the names of `UNITS`."""

    region: str
    prices: Mapping[str, Price]

    def __getitem__(self, name: str) -> Price:
        return self.prices[name]

    def at(self, name: str, start: Decimal, usd: Decimal) -> PriceBook:
        """The same with the tier of *name* from *start* on at *usd*."""
        price = self.prices[name]
        tiers = [tier.model_copy(update={"usd": usd}) if tier.start == start else tier for tier in price.tiers]
        return PriceBook(self.region, {**self.prices, name: price.model_copy(update={"tiers": tuple(tiers)})})


def wrong(error: ValidationError) -> tuple[str, str]:
    """The place and the rule of the first thing that is wrong, the value with it."""
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    rule = first["msg"].removeprefix("Value error, ").replace("Input should", "must", 1)
    if first["type"] == "string_pattern_mismatch":  # the one pattern there is
        rule = "must be a Region's name such as eu-west-2"
    shown = f" = {first['input']!r:.60}" if isinstance(first["input"], str | int | float | bool | None) else ""
    return place[:120], f"{place[:120]}{shown}: {rule}".removeprefix(": ")


def read_price_file(path: Path = PRICE_FILE) -> PriceFile:
    """The price file. Raises BadInput with what is wrong in it."""
    try:
        return PriceFile.model_validate_json(path.read_bytes())
    except OSError as error:
        reason = error.strerror
    except ValidationError as error:
        reason = wrong(error)[1]
    raise BadInput(f"the price file {path} cannot be used ({reason}); name another with --prices")


def load_prices(region: str, path: Path = PRICE_FILE) -> PriceBook:
    """The prices of *region*. Raises Missing for a Region that the file lacks, BadInput for a file that is wrong."""
    regions = read_price_file(path).regions
    if region not in regions:
        raise Missing(
            f"there are no prices for Region {region!r:.60}, only for {', '.join(sorted(regions)) or 'none'}; "
            f"fetch them with `lab costs update --region {region:.60}`"
        )
    prices = regions[region]
    for name, unit in UNITS.items():
        if name not in prices:
            raise BadInput(
                f"the price file {path} lacks {name} for Region {region}; add it, or start anew from {PRICE_FILE.name}"
            )
        if prices[name].unit != unit:
            raise BadInput(
                f"the price file {path} has {name} by the {prices[name].unit:.60}, and it must be by the {unit}"
            )
    return PriceBook(region, prices)
