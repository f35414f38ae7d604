"""AWS's public offer files over HTTP, and the price file brought up to date from them, with history.

https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/price-changes.html
A file states products with their attributes and, for the on-demand term of each, price dimensions with a range.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any, Literal

from lab.costs.prices import CATALOGUE, PRICE_FILE, Price, PriceBook, PriceFile, load_prices, read_price_file
from lab.errors import BadInput, Missing
from load.groups.replacing import replace_file

OFFER_FILES = "https://pricing.us-east-1.amazonaws.com"

# A price that moves by more than this share of itself is more likely another product than a new price.
GREATEST_JUMP = Decimal("0.5")
# How far the price of another Region, in proportion to what is known of this one, is taken to be off.
OTHER_REGIONS_SPREAD = Decimal("0.2")

# The usage type of a Region begins with its billing code, except in us-east-1. Only that may stand before the name:
# RegionalNatGateway-Hours and TS-LoadBalancerUsage are other products.
BILLING_CODE = r"(EU-|[A-Z]{3}\d-)?"


@dataclass(frozen=True)
class Listing:
    """Where AWS lists a price: the offer, the usage type without billing code, the operation if that matters."""

    offer: str
    usage_type: str
    operation: str = ""

    def matches(self, attributes: Mapping[str, str]) -> bool:
        """Whether a product with these attributes is the one that is meant."""
        usage_type = BILLING_CODE + re.escape(self.usage_type)
        found = re.fullmatch(usage_type, attributes.get("usagetype", ""))
        return bool(found) and self.operation in ("", attributes.get("operation"))


# What the price list calls the others is not known: Cloud Map, VPC Lattice, CloudFront, Route 53, Container Insights.
LISTINGS = {name: Listing(**each["listing"]) for name, each in CATALOGUE.items() if "listing" in each}
# AmazonEC2's offer file has hundreds of MB, and of it only the NAT gateway's price is used.
OFFERS_BY_DEFAULT = {listing.offer for listing in LISTINGS.values()} - {"AmazonEC2"}


@dataclass(frozen=True)
class Offered:
    """A price as AWS lists it: (from, USD for one unit) of each tier, where it stands, and when it was published."""

    tiers: tuple[tuple[Decimal, Decimal], ...]
    source: str
    date: str


Files = Callable[[str], tuple[str, Mapping[str, Any]]]
"""An offer's file: its address and content."""


def from_files(region: str, base_url: str = "", timeout: float = 60.0) -> Files:
    """The Region's offer files, each fetched once, when first asked for: may raise BadInput or Missing.

    timeout: seconds without an answer, a tenth of it for the connection.
    """
    import httpx

    client = httpx.Client(timeout=httpx.Timeout(timeout, connect=timeout / 10), follow_redirects=True)

    @cache
    def fetch(offer: str) -> tuple[str, Mapping[str, Any]]:
        url = f"{(base_url or OFFER_FILES).rstrip('/')}/offers/v1.0/aws/{offer}/current/{region}/index.json"
        try:
            answer = client.get(url)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Missing(
                f"{url} cannot be fetched ({error}); check the network, or name another place with --base-url"
            ) from error
        if answer.status_code != 200:
            raise BadInput(f"{url} answers {answer.status_code}; is {region} a Region, and --base-url right?")
        try:
            content = json.loads(answer.content)
            return url, {key: content[key] for key in ("products", "terms", "publicationDate")}
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise BadInput(f"{url} is not an offer file of AWS; is --base-url right?") from error

    return fetch


def offered(listing: Listing, files: Files) -> Offered | None:
    """The on-demand price that *listing* names; None if there is none in US dollars, or if several products disagree.

    Raises BadInput for a file of another form.
    """
    url, content = files(listing.offer)
    try:
        on_demand, date = content["terms"].get("OnDemand", {}), content["publicationDate"][:10]
        found = {
            Offered(tiers, url, date)
            for sku, product in content["products"].items()
            if listing.matches(product["attributes"])
            for term in on_demand.get(sku, {}).values()
            if (tiers := _tiers(term))
        }
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        raise BadInput(
            f"the price list has {listing.offer} in another form than AWS documents ({type(error).__name__} "
            f"{error!s:.100}); is --base-url right?"
        ) from error
    return found.pop() if len(found) == 1 else None


def _tiers(term: Mapping[str, Any]) -> tuple[tuple[Decimal, Decimal], ...]:
    dimensions = [each for each in term["priceDimensions"].values() if "USD" in each["pricePerUnit"]]
    return tuple(sorted((Decimal(each["beginRange"]), Decimal(each["pricePerUnit"]["USD"])) for each in dimensions))


@dataclass(frozen=True)
class Change:
    """What became of a price. *moves*: (old, new) in US dollars of each tier that changed; *date* of what is listed."""

    name: str
    outcome: Literal["renewed", "unchanged", "not-asked", "not-listed"]
    moves: tuple[tuple[Decimal, Decimal], ...] = ()
    date: str = ""


def update_prices(path: Path, region: str, files: Files, offers: Collection[str], accept: bool) -> list[Change]:
    """Bring the prices of *region* in the file *path* up to date from *offers*.

    Raises BadInput, with the file left as it is, for a price that moves by more than half of itself unless *accept*.
    """
    file, changes = _updated(path, region, files, offers, accept)
    try:
        _write(path, file)
    except OSError as error:
        raise BadInput(f"{path} cannot be written ({error.strerror}); name another file with --prices") from error
    return changes


def prices_of(region: str, path: Path = PRICE_FILE, timeout: float = 20.0) -> PriceBook:
    """The prices of *region* from the file *path*, to which those of a Region that it lacks are added from AWS's files.

    Raises:
        Missing: the file lacks them, and the price list cannot be reached.
        BadInput: the file is wrong, or AWS lists no such Region.
    """
    try:
        return load_prices(region, path)
    except Missing as lacking:
        try:
            file, _ = _updated(path, region, from_files(region, timeout=timeout), OFFERS_BY_DEFAULT, accept=True)
        except Missing as error:
            raise Missing(f"{lacking}, on a machine that reaches {OFFER_FILES} ({error.__cause__})") from error
    with suppress(OSError):  # they serve this once
        _write(path, file)
    return PriceBook(region, file.regions[region])


def _write(path: Path, file: PriceFile) -> None:
    content = file.model_dump(mode="json", by_alias=True, exclude_none=True)
    replace_file(path, json.dumps(content, indent=2) + "\n")


def _updated(
    path: Path, region: str, files: Files, offers: Collection[str], accept: bool
) -> tuple[PriceFile, list[Change]]:
    """The file with the prices of *region* renewed, or with the Region added: what it lacks is another Region's."""
    file = read_price_file(path)
    if not file.regions:
        raise BadInput(f"the price file {path} has no Region to take the list of prices from")
    known = region in file.regions
    prices = dict(file.regions[region] if known else next(iter(file.regions.values())))
    changes, jumps, levels = [], [], []
    for name, old in prices.items():
        listing = LISTINGS.get(name)
        found = offered(listing, files) if listing and listing.offer in offers else None
        if found is None:
            changes.append(Change(name, "not-asked" if listing and listing.offer not in offers else "not-listed"))
            continue
        prices[name] = new = _renewed(old, region, found)
        starts = sorted({tier.start for price in (old, new) for tier in price.tiers})
        moves = [(old.usd_at(start), new.usd_at(start)) for start in starts]
        moves = [(before, after) for before, after in moves if before != after]
        changes.append(Change(name, "renewed" if moves else "unchanged", tuple(moves), found.date))
        levels += [new.tiers[0].usd / old.tiers[0].usd] if old.tiers[0].usd else []
        for tier in old.tiers:  # one that the file did not have yet is no jump
            if abs((after := new.usd_at(tier.start)) - tier.usd) > tier.usd * GREATEST_JUMP:
                jumps.append(f"{name} from {tier.usd.normalize():f} to {after.normalize():f} USD")
    if known and jumps and not accept:
        raise BadInput(f"{'; '.join(jumps)}: more than half; if that is right, repeat with --accept")
    if not known:
        for change in changes:
            price = prices[change.name]
            if change.outcome in ("renewed", "unchanged"):
                # What was there was never this Region's price: no history.
                prices[change.name] = price.model_copy(update={"history": []})
            else:
                prices[change.name] = _in_proportion(price, median(levels or [Decimal(1)]))
    return file.model_copy(update={"regions": {**file.regions, region: prices}}), changes


def _renewed(old: Price, region: str, found: Offered) -> Price:
    """*old* with the tiers of *found*; the old ones go to its history if a price differs."""
    tiers = [(start, usd * old.per) for start, usd in found.tiers]
    kept = old.model_dump(mode="json", by_alias=True, exclude_none=True)
    same = [(tier.start, tier.usd) for tier in old.tiers] == tiers
    new = {
        "tiers": [
            {"from": start, "usd": plain(usd), "region": region, "confidence": "published"} for start, usd in tiers
        ],
        "source": found.source,
        "date": found.date,
    }
    history = old.history if same else [*old.history, {key: kept[key] for key in new}]
    return Price.model_validate({**kept, **new, "history": history})


def _in_proportion(price: Price, level: Decimal) -> Price:
    """Another Region's *price* at the *level* of this Region's listed prices, assumed."""
    spread = {"low": 1 - OTHER_REGIONS_SPREAD, "usd": Decimal(1), "high": 1 + OTHER_REGIONS_SPREAD}
    tiers = [
        {
            "from": tier.start,
            "region": f"{tier.region}, in proportion"[:100],
            "confidence": "assumed",
            **{key: plain(tier.usd * level * factor) for key, factor in spread.items()},
        }
        for tier in price.tiers
    ]
    return Price.model_validate({**dict(price), "tiers": tiers, "history": []})


def plain(usd: Decimal) -> Decimal:
    """*usd* without zeros at its end, to eight digits after the point."""
    return Decimal(f"{round(usd, 8).normalize():f}")
