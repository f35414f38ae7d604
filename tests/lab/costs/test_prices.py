from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lab.costs.prices import PRICE_FILE, PriceBook, load_prices
from lab.costs.quantities import Gigabytes, Requests, Usd
from lab.errors import BadInput

MILLION = 10**6


def test_every_price_names_unit_region_source_date_and_confidence() -> None:
    for region, items in json.loads(PRICE_FILE.read_text())["regions"].items():
        for name, item in items.items():
            assert item["unit"], name
            assert item["source"].startswith("https://"), name
            assert item["date"] >= "2026-09", name
            for tier in item["tiers"]:
                assert tier["confidence"] in ("published", "assumed"), name
                assert (tier["region"] == region) == (tier["confidence"] == "published"), name


@pytest.mark.parametrize(
    ("millions", "usd"),
    [
        ("0", "0"),
        ("1", "1.16"),
        ("300", "348"),
        ("300.000001", "348.0000009"),
        ("301", "348.90"),
        ("1000", "978"),
    ],
)
def test_http_api_tiers_at_their_edge(prices: PriceBook, millions: str, usd: str) -> None:
    assert prices.http_api.cost(Requests(Decimal(millions) * MILLION)) == Usd(Decimal(usd))


@pytest.mark.parametrize(
    ("millions", "usd"),
    [("333", "1165.50"), ("334", "1168.30"), ("1000", "3033.10"), ("1001", "3035.48"), ("20001", "48254.61")],
)
def test_rest_api_tiers_at_their_edge(prices: PriceBook, millions: str, usd: str) -> None:
    assert prices.rest_api.cost(Requests(Decimal(millions) * MILLION)) == Usd(Decimal(usd))


@pytest.mark.parametrize(
    ("gigabytes", "usd"),
    [
        ("100", "0"),
        ("101", "0.09"),
        ("10340", "921.60"),
        ("10341", "921.685"),
        ("51300", "4403.20"),
        ("51301", "4403.27"),
        ("153700", "11571.20"),
        ("153701", "11571.25"),
    ],
)
def test_egress_tiers_at_their_edge_after_100_free_gb(prices: PriceBook, gigabytes: str, usd: str) -> None:
    assert prices.egress.cost(Gigabytes(Decimal(gigabytes))) == Usd(Decimal(usd))


@pytest.mark.parametrize(("gigabytes", "usd"), [("5", "0"), ("6", "0.5985")])
def test_five_gb_of_logs_are_free(prices: PriceBook, gigabytes: str, usd: str) -> None:
    assert prices.log_ingest.cost(Gigabytes(Decimal(gigabytes))) == Usd(Decimal(usd))


def test_only_the_tiers_that_are_reached_are_called_assumed(prices: PriceBook) -> None:
    assert prices.http_api.assumed(Requests(Decimal(300 * MILLION))) == ""
    assert prices.http_api.assumed(Requests(Decimal(300 * MILLION + 1))) == "price of us-east-1"


def test_unknown_region_names_those_there_are_and_the_way_out() -> None:
    with pytest.raises(BadInput, match=r"'mars-1', only for eu-west-2.*lab costs update --region mars-1"):
        load_prices("mars-1")


def _wrong_unit(items: dict[str, Any]) -> None:
    items["alb_hour"]["unit"] = "request"


def _missing(items: dict[str, Any]) -> None:
    del items["alb_lcu"]


def _unordered(items: dict[str, Any]) -> None:
    items["egress"]["tiers"].reverse()


def _no_number(items: dict[str, Any]) -> None:
    items["alb_hour"]["tiers"][0]["usd"] = "cheap"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [(_wrong_unit, "alb_hour"), (_missing, "alb_lcu"), (_unordered, "egress"), (_no_number, "InvalidOperation")],
)
def test_a_wrong_price_file_is_refused(tmp_path: Path, spoil: Callable[[dict[str, Any]], None], says: str) -> None:
    content = json.loads(PRICE_FILE.read_text())
    spoil(content["regions"]["eu-west-2"])
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(content))
    with pytest.raises(BadInput, match=says):
        load_prices("eu-west-2", path)


@pytest.mark.parametrize(("text", "says"), [("{", "not JSON"), ("[]", "not JSON"), ('{"regions": []}', "must map")])
def test_a_file_that_is_no_price_file_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "prices.json"
    path.write_text(text)
    with pytest.raises(BadInput, match=says):
        load_prices("eu-west-2", path)


def test_a_price_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="--prices"):
        load_prices("eu-west-2", tmp_path / "none.json")
