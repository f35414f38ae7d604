"""The price file: tiers at their edge, and everything that may be wrong in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lab.costs.prices import PRICE_FILE, UNITS, PriceBook, load_prices
from lab.errors import BadInput, Missing

D = Decimal
MILLION = 10**6


def test_every_price_names_unit_region_source_date_and_confidence() -> None:
    for region, items in json.loads(PRICE_FILE.read_text())["regions"].items():
        assert set(items) == set(UNITS)
        for name, item in items.items():
            assert item["source"].startswith("https://"), name
            assert item["date"] >= "2026-09", name
            for tier in item["tiers"]:
                # Nothing of it was read by `lab costs update`, so nothing is called published.
                assert tier["confidence"] in ("typed", "assumed"), name
                assert (tier["region"] == region) == (tier["confidence"] == "typed"), name


def test_an_assumed_price_lies_in_the_middle_of_its_range() -> None:
    for items in json.loads(PRICE_FILE.read_text())["regions"].values():
        for name, item in items.items():
            for tier in item["tiers"]:
                if tier["confidence"] == "assumed":
                    assert D(tier["usd"]) == (D(tier["low"]) + D(tier["high"])) / 2, name


def test_a_higher_tier_is_in_proportion_to_the_regions_own_first(prices: PriceBook) -> None:
    # us-east-1 has 0.90 beside 1.00, London 1.16.
    assert prices["http_api"].tiers[1].usd == D("1.16") * D("0.90")


@pytest.mark.parametrize(
    ("name", "amount", "usd"),
    [
        ("http_api", "0", "0"),
        ("http_api", "1e6", "1.16"),
        ("http_api", "300e6", "348"),
        ("http_api", "300000001", "348.000001044"),
        ("http_api", "1e9", "1078.8"),
        ("rest_api", "333e6", "1165.50"),
        ("rest_api", "334e6", "1168.30"),
        ("rest_api", "1000e6", "3033.10"),
        ("rest_api", "1001e6", "3035.48"),
        ("rest_api", "20001e6", "48254.61"),
        ("egress", "100", "0"),
        ("egress", "101", "0.09"),
        ("egress", "10340", "921.60"),
        ("egress", "10341", "921.685"),
        ("egress", "51301", "4403.27"),
        ("egress", "153701", "11571.25"),
        ("log_ingest", "5", "0"),
        ("log_ingest", "6", "0.5985"),
        ("nat_hour", "730", "36.5"),
    ],
)
def test_tiers_at_their_edge(prices: PriceBook, name: str, amount: str, usd: str) -> None:
    assert prices[name].cost(D(amount)) == D(usd)


def test_only_the_tiers_that_are_reached_are_assumed(prices: PriceBook) -> None:
    assert prices["http_api"].assumed(D(300 * MILLION)) == ()
    assert prices["http_api"].assumed(D(300 * MILLION + 1)) == prices["http_api"].tiers[1:]


def test_unknown_region_names_those_there_are_and_the_way_out() -> None:
    with pytest.raises(Missing, match=r"'mars-1', only for eu-west-2.*lab costs update --region mars-1"):
        load_prices("mars-1")


Items = dict[str, Any]


def spoilt(name: str, key: str, value: Any) -> Callable[[Items], None]:
    def spoil(items: Items) -> None:
        items[name][key] = value

    return spoil


def tier(name: str, **values: Any) -> Callable[[Items], None]:
    def spoil(items: Items) -> None:
        items[name]["tiers"][0] |= values

    return spoil


DEEP = json.loads("[" * 900 + "]" * 900)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (spoilt("alb_hour", "unit", "request"), "has alb_hour by the request, and it must be by the hour"),
        (lambda items: items.pop("alb_lcu"), "lacks alb_lcu for Region eu-west-2"),
        (lambda items: items["egress"]["tiers"].reverse(), "egress: tiers must start at 0 and rise"),
        (spoilt("egress", "tiers", []), "egress: tiers must start at 0 and rise"),
        (spoilt("egress", "tiers", {"usd": 1}), r"egress\.tiers: must be a valid"),
        (spoilt("egress", "per", "0"), "egress.per = '0': must be greater than or equal to 1"),
        (spoilt("egress", "per", "1e-300"), "egress.per = '1e-300': must be greater than or equal to 1"),
        (spoilt("egress", "per", None), r"egress\.per = None: "),
        (spoilt("egress", "free", "-1"), "egress.free = '-1': must be greater than or equal to 0"),
        (spoilt("egress", "date", 5), "egress.date = 5: must be a valid string"),
        (spoilt("egress", "source", ["a"]), "egress.source: must be a valid string"),
        (spoilt("egress", "history", 3), "egress.history = 3: must be a valid"),
        (spoilt("egress", "unit", DEEP), "recursion limit exceeded"),
        (lambda items: items.update(egress=7), "egress = 7: must be an object"),
        (lambda items: items.update(egress=None), "egress = None: must be an object"),
        (tier("alb_hour", usd="cheap"), "usd = 'cheap': must be a valid decimal"),
        (tier("alb_hour", usd="NaN"), "usd = 'NaN': must be a finite number"),
        (tier("alb_hour", usd="Infinity"), "usd = 'Infinity': must be a finite number"),
        (tier("alb_hour", usd="1e300"), "usd = '1e300': must be less than or equal to 1000000"),
        (tier("alb_hour", usd="1" * 5000), "usd = '1111"),
        (tier("alb_hour", usd=-1), "usd = -1: must be greater than or equal to 0"),
        (tier("alb_hour", usd=[1]), "usd: decimal input should be"),
        (tier("alb_hour", confidence="sure"), "confidence = 'sure': must be 'published', 'typed' or 'assumed'"),
        (tier("alb_hour", confidence="assumed"), "an assumed price needs low and high"),
        (tier("alb_hour", low="0"), "only an assumed price has low and high"),
        (tier("nlb_nlcu", low="1"), "an assumed price needs low and high, with usd between them"),
        (lambda items: items["alb_hour"]["tiers"][0].pop("from"), "from: field required"),
    ],
)
def test_a_wrong_price_file_is_one_sentence(tmp_path: Path, spoil: Callable[[Items], None], says: str) -> None:
    content = json.loads(PRICE_FILE.read_text())
    spoil(content["regions"]["eu-west-2"])
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(content))
    with pytest.raises(BadInput, match=f"(?i){says}") as refused:
        load_prices("eu-west-2", path)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400 + len(str(path))


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"regions": []}', '{"regions": {"a": 1}}', "[" * 100_000, '{"regions":' * 5000, "1e999", "\x00"],
)
def test_a_file_that_is_no_price_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "prices.json"
    path.write_text(text)
    with pytest.raises(BadInput, match="--prices") as refused:
        load_prices("eu-west-2", path)
    assert "\n" not in str(refused.value)


def test_a_price_file_that_is_not_there_or_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(BadInput, match="--prices"):
            load_prices("eu-west-2", path)
