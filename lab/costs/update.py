"""Refresh the price file from AWS's price list, keeping what was there as history."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from lab.costs.offers import LISTINGS, Offered, Products, offered
from lab.costs.prices import read_price_file
from lab.errors import BadInput

__all__ = ["refresh", "update_prices"]

# A price that moves by more than this share of itself is more likely another product than a new price.
GREATEST_JUMP = Decimal("0.5")

Item = dict[str, Any]


def update_prices(path: Path, region: str, products: Products, offers: Collection[str], accept: bool) -> Iterator[str]:
    """Bring the prices of *region* in the file *path* up to date from *offers*; says what happened to each.

    Raises BadInput, with the file left as it is, for a price that moves by more than half of itself unless *accept*.
    """
    content = read_price_file(path)
    regions = content["regions"]
    if region in regions:
        items, sentences, jumps = refresh(regions[region], region, products, offers)
    else:
        items, sentences, _ = refresh(_taken_over(regions, path), region, products, offers)
        # What was taken over was never this Region's price: no history, and nothing to jump from.
        items, jumps = {name: item | {"history": []} for name, item in items.items()}, []
    if jumps and not accept:
        raise BadInput(f"{'; '.join(jumps)}: more than half; if that is right, repeat with --accept")
    regions[region] = items
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(json.dumps(content, indent=2) + "\n")
        os.replace(temporary, path)
    except OSError as error:
        raise BadInput(f"{path} cannot be written ({error.strerror}); name another file with --prices") from error
    yield from sentences


def refresh(
    items: dict[str, Item], region: str, products: Products, offers: Collection[str]
) -> tuple[dict[str, Item], list[str], list[str]]:
    """The items with the prices that *products* has of them, a sentence about each, and the jumps among them."""
    refreshed, sentences, jumps = {}, [], []
    for name, item in items.items():
        listing = LISTINGS.get(name)
        if listing is not None and listing.offer not in offers:
            found, why = None, f"{listing.offer} was not asked"
        else:
            found, why = offered(listing, products) if listing else None, "no one price of it in the price list"
        if found is None:
            sentences.append(f"{name}: kept ({why})")
            refreshed[name] = item
            continue
        new = _renewed(item, region, found)
        changed = [f"{_usd(old)} -> {_usd(now)}" for old, now in _pairs(item, new, item, new) if old != now]
        # A tier that the file did not have yet is no jump.
        jumps += [
            f"{name} from {_usd(old)} to {_usd(now)} USD"
            for old, now in _pairs(item, new, item)
            if abs(now - old) > old * GREATEST_JUMP
        ]
        sentences.append(f"{name}: {', '.join(changed) or 'unchanged'} ({found.date})")
        refreshed[name] = new
    return refreshed, sentences, jumps


def _renewed(item: Item, region: str, found: Offered) -> Item:
    """*item* with the tiers of *found*; the old ones go to its history if they differ."""
    per = Decimal(item["per"])
    tiers = [
        {"from": f"{start:f}", "usd": _usd(usd * per), "region": region, "confidence": "published"}
        for start, usd in found.tiers
    ]
    old = {"tiers": item["tiers"], "source": item["source"], "date": item["date"]}
    history = item["history"] if tiers == item["tiers"] else [*item["history"], old]
    return item | {"tiers": tiers, "source": found.source, "date": found.date, "history": history}


def _pairs(old: Item, new: Item, *tiers_of: Item) -> list[tuple[Decimal, Decimal]]:
    """The old and the new price at the start of each tier of *tiers_of*."""
    starts = sorted({Decimal(tier["from"]) for item in tiers_of for tier in item["tiers"]})
    return [(_price_at(old, start), _price_at(new, start)) for start in starts]


def _price_at(item: Item, amount: Decimal) -> Decimal:
    return Decimal([tier for tier in item["tiers"] if Decimal(tier["from"]) <= amount][-1]["usd"])


def _taken_over(regions: dict[str, dict[str, Item]], path: Path) -> dict[str, Item]:
    """Items for a new Region: those of the first one, assumed to within half of their price."""
    if not regions:
        raise BadInput(f"the price file {path} has no Region to take the list of prices from")
    return {
        name: item | {"tiers": [tier | _half_around(tier) for tier in item["tiers"]]}
        for name, item in next(iter(regions.values())).items()
    }


def _half_around(tier: dict[str, str]) -> dict[str, str]:
    usd = Decimal(tier["usd"])
    ends = {"low": usd * (1 - GREATEST_JUMP), "high": usd * (1 + GREATEST_JUMP)}
    return {"confidence": "assumed", **{end: _usd(value) for end, value in ends.items()}}


def _usd(value: Decimal) -> str:
    return f"{value.normalize():f}"
