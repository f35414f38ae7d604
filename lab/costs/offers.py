"""AWS's price list: the public offer files over HTTP, or the Price List API through boto3.

https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/price-changes.html
Both state a product with its attributes and, for its on-demand term, price dimensions with a range each.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from lab.errors import BadInput, Missing

__all__ = ["LISTINGS", "OFFER_FILES", "Listing", "Offered", "Products", "from_api", "from_files", "offered"]

OFFER_FILES = "https://pricing.us-east-1.amazonaws.com"

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


# Cloud Map, VPC Lattice and Container Insights are not here: what the price list calls them is not known.
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


def from_files(region: str, base_url: str = OFFER_FILES) -> Products:
    """Products of the Region's offer files, each fetched once, when first asked for: may raise BadInput or Missing."""
    import httpx

    fetched: dict[str, tuple[str, Mapping[str, Any]]] = {}

    def fetch(offer: str) -> tuple[str, Mapping[str, Any]]:
        url = f"{base_url.rstrip('/')}/offers/v1.0/aws/{offer}/current/{region}/index.json"
        try:
            answer = httpx.get(url, timeout=60, follow_redirects=True)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Missing(
                f"{url} cannot be fetched ({error}); check the network, or name another place with --base-url"
            ) from error
        if answer.status_code != 200:
            raise BadInput(f"{url} answers {answer.status_code}; is {region} a Region, and --base-url right?")
        try:
            content = json.loads(answer.content)
            return url, {key: content[key] for key in ("products", "terms", "publicationDate")}
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{url} is not an offer file of AWS; is --base-url right?") from error

    def products(listing: Listing) -> Iterator[Product]:
        if listing.offer not in fetched:
            fetched[listing.offer] = fetch(listing.offer)
        url, content = fetched[listing.offer]
        for sku, product in content["products"].items():
            terms = content["terms"].get("OnDemand", {}).get(sku, {}).values()
            yield Product(product["attributes"], terms, url, content["publicationDate"][:10])

    return products


def from_api(region: str, endpoint_url: str | None = None) -> Products:
    """Products of the Price List API, which needs credentials and sends only what is asked for. May raise Missing."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    # The API is in few Regions, and has the prices of all of them.
    client = boto3.client("pricing", region_name="us-east-1", endpoint_url=endpoint_url)
    pages = client.get_paginator("get_products")

    def products(listing: Listing) -> Iterator[Product]:
        filters = [
            {"Type": "TERM_MATCH", "Field": "regionCode", "Value": region},
            {"Type": "CONTAINS", "Field": "usagetype", "Value": listing.usage_type},
        ]
        try:
            for page in pages.paginate(ServiceCode=listing.offer, Filters=filters):
                for text in page["PriceList"]:
                    item = json.loads(text)
                    terms = item["terms"].get("OnDemand", {}).values()
                    source = f"AWS Price List API, {listing.offer}"
                    yield Product(item["product"]["attributes"], terms, source, item["publicationDate"][:10])
        except (BotoCoreError, ClientError) as error:
            raise Missing(f"the Price List API gives no prices ({error}); check credentials and network") from error

    return products


def offered(listing: Listing, products: Products) -> Offered | None:
    """The price that *listing* names; None if there is none in US dollars, or if several products disagree."""
    found = {
        Offered(tiers, product.source, product.date)
        for product in products(listing)
        if listing.matches(product.attributes)
        for tiers in _tiers(product)
    }
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
