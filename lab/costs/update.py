"""AWS's public offer files over HTTP, and the price file brought up to date from them, with history.

https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/price-changes.html
A file states products with their attributes and, for the on-demand term of each, price dimensions with a range.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any, Literal

from lab.costs.prices import PRICE_FILE, UNITS, Price, PriceBook, PriceFile, load_prices, read_price_file
from lab.errors import BadInput, Missing

__all__ = [
    "LISTINGS",
    "OFFERS_BY_DEFAULT",
    "OFFER_FILES",
    "Change",
    "Listing",
    "from_files",
    "offered",
    "prices_of",
    "update_prices",
]

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
        usage_type = attributes.get("usagetype", "")
        if re.fullmatch(BILLING_CODE + re.escape(self.usage_type), usage_type) is None:
            return False
        return self.operation in ("", attributes.get("operation"))


# Not here, for what the price list calls them is not known: Cloud Map, VPC Lattice, CloudFront, Route 53, Container
# Insights.
LISTINGS = {
    "fargate_x86_vcpu": Listing("AmazonECS", "Fargate-vCPU-Hours:perCPU"),
    "fargate_x86_memory": Listing("AmazonECS", "Fargate-GB-Hours"),
    "fargate_arm_vcpu": Listing("AmazonECS", "Fargate-ARM-vCPU-Hours:perCPU"),
    "fargate_arm_memory": Listing("AmazonECS", "Fargate-ARM-GB-Hours"),
    "http_api": Listing("AmazonApiGateway", "ApiGatewayHttpRequest"),
    "rest_api": Listing("AmazonApiGateway", "ApiGatewayRequest"),
    "alb_hour": Listing("AWSELB", "LoadBalancerUsage", "LoadBalancing:Application"),
    "alb_lcu": Listing("AWSELB", "LCUUsage", "LoadBalancing:Application"),
    "nlb_hour": Listing("AWSELB", "LoadBalancerUsage", "LoadBalancing:Network"),
    "nlb_nlcu": Listing("AWSELB", "LCUUsage", "LoadBalancing:Network"),
    "endpoint_hour": Listing("AmazonVPC", "VpcEndpoint-Hours"),
    "endpoint_data": Listing("AmazonVPC", "VpcEndpoint-Bytes"),
    "ipv4_hour": Listing("AmazonVPC", "PublicIPv4:InUseAddress"),
    "nat_hour": Listing("AmazonEC2", "NatGateway-Hours"),
    "nat_data": Listing("AmazonEC2", "NatGateway-Bytes"),
    "egress": Listing("AWSDataTransfer", "DataTransfer-Out-Bytes"),
    "cross_az": Listing("AWSDataTransfer", "DataTransfer-Regional-Bytes"),
    "log_ingest": Listing("AmazonCloudWatch", "DataProcessing-Bytes"),
    "log_storage": Listing("AmazonCloudWatch", "TimedStorage-ByteHrs"),
    "image_storage": Listing("AmazonECR", "TimedStorage-ByteHrs"),
}
# AmazonEC2's offer file has hundreds of MB, and of it only the NAT gateway's price is used.
OFFERS_BY_DEFAULT = {listing.offer for listing in LISTINGS.values()} - {"AmazonEC2"}


@dataclass(frozen=True)
class Offered:
    """A price as AWS lists it: (from, USD for one unit) of each tier, where it stands, and when it was published."""

    tiers: tuple[tuple[Decimal, Decimal], ...]
    source: str
    date: str


@dataclass(frozen=True)
class Product:
    """A product of the price list with its on-demand terms."""

    attributes: Mapping[str, str]
    terms: Iterable[Mapping[str, Any]]
    source: str
    date: str


Products = Callable[[Listing], Iterator[Product]]


def from_files(region: str, base_url: str = "", timeout: float = 60.0) -> Products:
    """Products of the Region's offer files, each fetched once, when first asked for: may raise BadInput or Missing.

    timeout: seconds without an answer, a tenth of it for the connection.
    """
    import httpx

    fetched: dict[str, tuple[str, Mapping[str, Any]]] = {}

    def fetch(offer: str) -> tuple[str, Mapping[str, Any]]:
        url = f"{(base_url or OFFER_FILES).rstrip('/')}/offers/v1.0/aws/{offer}/current/{region}/index.json"
        try:
            answer = httpx.get(url, timeout=httpx.Timeout(timeout, connect=timeout / 10), follow_redirects=True)
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

    def products(listing: Listing) -> Iterator[Product]:
        if listing.offer not in fetched:
            fetched[listing.offer] = fetch(listing.offer)
        url, content = fetched[listing.offer]
        for sku, product in content["products"].items():
            terms = content["terms"].get("OnDemand", {}).get(sku, {}).values()
            yield Product(product["attributes"], terms, url, content["publicationDate"][:10])

    return products


def offered(listing: Listing, products: Products) -> Offered | None:
    """The price that *listing* names; None if there is none in US dollars, or if several products disagree."""
    try:
        found = {
            Offered(tiers, product.source, product.date)
            for product in products(listing)
            if listing.matches(product.attributes)
            for tiers in _tiers(product)
        }
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        raise BadInput(
            f"the price list has {listing.offer} in another form than AWS documents ({type(error).__name__} "
            f"{error!s:.100}); is --base-url right?"
        ) from error
    return found.pop() if len(found) == 1 else None


def _tiers(product: Product) -> Iterator[tuple[tuple[Decimal, Decimal], ...]]:
    for term in product.terms:
        tiers = sorted(
            (Decimal(dimension["beginRange"]), Decimal(dimension["pricePerUnit"]["USD"]))
            for dimension in term["priceDimensions"].values()
            if "USD" in dimension["pricePerUnit"]
        )
        if tiers:
            yield tuple(tiers)


@dataclass(frozen=True)
class Change:
    """What became of a price. *moves*: (old, new) in US dollars of each tier that changed; *date* of what is listed."""

    name: str
    outcome: Literal["renewed", "unchanged", "not-asked", "not-listed"]
    moves: tuple[tuple[Decimal, Decimal], ...] = ()
    date: str = ""


def update_prices(path: Path, region: str, products: Products, offers: Collection[str], accept: bool) -> list[Change]:
    """Bring the prices of *region* in the file *path* up to date from *offers*.

    Raises BadInput, with the file left as it is, for a price that moves by more than half of itself unless *accept*.
    """
    file, changes = _updated(read_price_file(path), path, region, products, offers, accept)
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
            products = from_files(region, timeout=timeout)
            file, _ = _updated(read_price_file(path), path, region, products, OFFERS_BY_DEFAULT, accept=True)
        except Missing as error:
            raise Missing(f"{lacking}, on a machine that reaches {OFFER_FILES} ({error.__cause__})") from error
    try:
        _write(path, file)
    except OSError:  # they serve this once
        return PriceBook(region, file.regions[region])
    return load_prices(region, path)


def _write(path: Path, file: PriceFile) -> None:
    content = file.model_dump(mode="json", by_alias=True, exclude_none=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(content, indent=2) + "\n")
    os.replace(temporary, path)


def _updated(
    file: PriceFile, path: Path, region: str, products: Products, offers: Collection[str], accept: bool
) -> tuple[PriceFile, list[Change]]:
    """The file with the prices of *region* renewed, or with the Region added: what it lacks is another Region's."""
    if not file.regions:
        raise BadInput(f"the price file {path} has no Region to take the list of prices from")
    known = region in file.regions
    before = file.regions[region] if known else next(iter(file.regions.values()))
    after, changes, jumps = _renewed_all(before, region, products, offers)
    if known and jumps and not accept:
        raise BadInput(f"{'; '.join(jumps)}: more than half; if that is right, repeat with --accept")
    if not known:
        listed = [change.name for change in changes if change.outcome in ("renewed", "unchanged")]
        pairs = [(before[name].tiers[0].usd, after[name].tiers[0].usd) for name in listed]
        level = median([new / old for old, new in pairs if old] or [Decimal(1)])
        # What was taken over was never this Region's price: no history.
        after = {
            name: price.model_copy(update={"history": []}) if name in listed else _in_proportion(price, level)
            for name, price in after.items()
        }
    return file.model_copy(update={"regions": {**file.regions, region: after}}), changes


def _renewed_all(
    items: Mapping[str, Price], region: str, products: Products, offers: Collection[str]
) -> tuple[dict[str, Price], list[Change], list[str]]:
    renewed, changes, jumps = dict(items), [], []
    for name, old in items.items():
        listing = LISTINGS.get(name)
        if name not in UNITS or (listing is not None and listing.offer not in offers):
            changes.append(Change(name, "not-asked"))
            continue
        found = offered(listing, products) if listing else None
        if found is None:
            changes.append(Change(name, "not-listed"))
            continue
        renewed[name] = new = _renewed(old, region, found)
        starts = sorted({tier.start for price in (old, new) for tier in price.tiers})
        moves = tuple((_at(old, start), _at(new, start)) for start in starts)
        moves = tuple(move for move in moves if move[0] != move[1])
        # A tier that the file did not have yet is no jump.
        for tier in old.tiers:
            if abs(_at(new, tier.start) - tier.usd) > tier.usd * GREATEST_JUMP:
                jumps.append(f"{name} from {tier.usd.normalize():f} to {_at(new, tier.start).normalize():f} USD")
        changes.append(Change(name, "renewed" if moves else "unchanged", moves, found.date))
    return renewed, changes, jumps


def _renewed(old: Price, region: str, found: Offered) -> Price:
    """*old* with the tiers of *found*; the old ones go to its history if a price differs."""
    tiers = [
        {"from": start, "usd": plain(usd * old.per), "region": region, "confidence": "published"}
        for start, usd in found.tiers
    ]
    kept = old.model_dump(mode="json", by_alias=True, exclude_none=True)
    same = [(tier.start, tier.usd) for tier in old.tiers] == [(start, usd * old.per) for start, usd in found.tiers]
    history = old.history if same else [*old.history, {key: kept[key] for key in ("tiers", "source", "date")}]
    new = {**kept, "tiers": tiers, "source": found.source, "date": found.date, "history": history}
    return Price.model_validate(new)


def _in_proportion(price: Price, level: Decimal) -> Price:
    """Another Region's *price* at the *level* of this Region's listed prices, assumed."""
    tiers = [
        {
            "from": tier.start,
            "usd": plain(tier.usd * level),
            "region": f"{tier.region}, in proportion"[:100],
            "confidence": "assumed",
            "low": plain(tier.usd * level * (1 - OTHER_REGIONS_SPREAD)),
            "high": plain(tier.usd * level * (1 + OTHER_REGIONS_SPREAD)),
        }
        for tier in price.tiers
    ]
    return Price.model_validate({**dict(price), "tiers": tiers, "history": []})


def plain(usd: Decimal) -> Decimal:
    """*usd* without zeros at its end, to eight digits after the point."""
    return Decimal(f"{round(usd, 8).normalize():f}")


def _at(price: Price, amount: Decimal) -> Decimal:
    return [tier for tier in price.tiers if tier.start <= amount][-1].usd
