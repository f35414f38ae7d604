"""`lab costs update` against a recorded price list in AWS's own format, over HTTP. Some of its prices are made up."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lab.costs.prices import PRICE_FILE, load_prices
from lab.costs.scenario import Scenario
from lab.costs.update import (
    LISTINGS,
    Change,
    Listing,
    from_files,
    offered,
    prices_of,
    update_prices,
)
from lab.errors import BadInput, Missing
from tests.lab.costs.conftest import running

ALL = {listing.offer for listing in LISTINGS.values()}
HERE = Path(__file__).with_name("price_list") / "offers/v1.0/aws"


@pytest.fixture
def price_file(tmp_path: Path) -> Path:
    return Path(shutil.copy(PRICE_FILE, tmp_path / "prices.json"))


def items(path: Path, region: str = "eu-west-2") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())["regions"][region]
    return found


def edit_price(path: Path, name: str, usd: str) -> None:
    content = json.loads(path.read_text())
    content["regions"]["eu-west-2"][name]["tiers"][0]["usd"] = usd
    path.write_text(json.dumps(content))


def test_every_listed_price_is_refreshed_from_the_offer_files(price_file: Path, price_list_url: str) -> None:
    products = from_files("eu-west-2", price_list_url)
    changes = {each.name: each for each in update_prices(price_file, "eu-west-2", products, ALL, accept=False)}
    assert changes["fargate_x86_vcpu"] == Change(
        "fargate_x86_vcpu", "renewed", ((Decimal("0.04656"), Decimal("0.048")),), "2026-10-01"
    )
    assert changes["alb_hour"] == Change("alb_hour", "unchanged", (), "2026-10-01")
    assert changes["lattice_hour"].outcome == "not-listed"
    assert set(changes) == set(items(PRICE_FILE))
    assert {name for name, each in changes.items() if each.outcome in ("renewed", "unchanged")} == set(LISTINGS)

    prices = load_prices("eu-west-2", price_file)
    assert prices["fargate_x86_vcpu"].tiers[0].usd == Decimal("0.048")
    assert [tier.usd for tier in prices["http_api"].tiers] == [Decimal("1.16"), Decimal("1.044")]
    assert {tier.confidence for tier in prices["http_api"].tiers} == {"published"}
    assert [tier.start for tier in prices["egress"].tiers] == [0, 10240, 51200, 153600]
    assert prices["egress"].free == 100
    # Tiers that the file did not have yet.
    assert [tier.start for tier in prices["endpoint_data"].tiers] == [0, 1048576, 5242880]
    # Decoys: another load balancer, another NAT gateway, another class of logs.
    assert prices["alb_hour"].tiers[0].usd == Decimal("0.02646")
    assert prices["nat_hour"].tiers[0].usd == Decimal("0.052")
    assert prices["log_ingest"].tiers[0].usd == Decimal("0.5985")
    assert prices["nlb_nlcu"].tiers[0].usd == Decimal("0.0063")
    assert prices["nlb_nlcu"].date == "2026-10-01"
    assert prices["nlb_nlcu"].source == f"{price_list_url}/offers/v1.0/aws/AWSELB/current/eu-west-2/index.json"


def test_the_old_price_is_kept_as_history_and_only_if_it_differs(price_file: Path, price_list_url: str) -> None:
    before = items(price_file)
    for _ in range(2):
        (update_prices(price_file, "eu-west-2", from_files("eu-west-2", price_list_url), ALL, accept=False))
    after = items(price_file)
    old = before["fargate_x86_vcpu"]
    assert after["fargate_x86_vcpu"]["history"] == [{key: old[key] for key in ("tiers", "source", "date")}]
    assert after["alb_hour"]["history"] == []
    assert after["lattice_hour"] == before["lattice_hour"]


@pytest.mark.parametrize(
    ("usd", "refused"), [("0.01763", True), ("0.01764", False), ("0.05292", False), ("0.05293", True)]
)
def test_a_jump_of_more_than_half_is_refused_and_nothing_written(
    price_file: Path, price_list_url: str, usd: str, refused: bool
) -> None:
    # The list says 0.02646: half as much again as 0.01764, half of 0.05292.
    edit_price(price_file, "alb_hour", usd)
    before = price_file.read_text()
    products = from_files("eu-west-2", price_list_url)
    if refused:
        with pytest.raises(BadInput, match=r"alb_hour from 0\.\d+ to 0\.02646 USD: more than half.*--accept"):
            (update_prices(price_file, "eu-west-2", products, ALL, accept=False))
        assert price_file.read_text() == before
    (update_prices(price_file, "eu-west-2", products, ALL, accept=refused))
    assert items(price_file)["alb_hour"]["tiers"][0]["usd"] == "0.02646"


def test_a_price_that_was_nothing_may_not_become_something_unseen(price_file: Path, price_list_url: str) -> None:
    edit_price(price_file, "alb_hour", "0")
    with pytest.raises(BadInput, match="alb_hour from 0 to"):
        (update_prices(price_file, "eu-west-2", from_files("eu-west-2", price_list_url), ALL, accept=False))


def test_only_the_offers_asked_for_are_fetched(price_file: Path, price_list_url: str) -> None:
    products = from_files("eu-west-2", price_list_url)
    changes = update_prices(price_file, "eu-west-2", products, {"AmazonECS"}, accept=False)
    assert Change("alb_hour", "not-asked") in changes
    assert items(price_file)["fargate_x86_vcpu"]["tiers"][0]["usd"] == "0.048"
    assert items(price_file)["nat_hour"] == items(PRICE_FILE)["nat_hour"]


@pytest.fixture
def other_region(tmp_path: Path) -> Iterator[str]:
    """us-east-1's offer file of AWSELB, whose usage types have no billing code before them."""
    text = (HERE / "AWSELB/current/eu-west-2/index.json").read_text()
    text = text.replace("EUW2-", "").replace("eu-west-2", "us-east-1").replace("0.0264600000", "0.0225000000")
    folder = tmp_path / "list/offers/v1.0/aws/AWSELB/current/us-east-1"
    folder.mkdir(parents=True)
    (folder / "index.json").write_text(text)
    yield from serve(tmp_path / "list")


def serve(folder: Path) -> Iterator[str]:
    class Files(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = folder / self.path.lstrip("/")
            self.send_response(200 if path.is_file() else 403)
            self.end_headers()
            self.wfile.write(path.read_bytes() if path.is_file() else b"<Error><Code>AccessDenied</Code></Error>")

        def log_message(self, format: str, *args: object) -> None:
            pass

    yield from running(ThreadingHTTPServer(("127.0.0.1", 0), Files))


def test_a_new_region_takes_over_what_it_lacks_as_assumed(price_file: Path, other_region: str) -> None:
    products = from_files("us-east-1", other_region)
    (update_prices(price_file, "us-east-1", products, {"AWSELB"}, accept=False))
    prices = load_prices("us-east-1", price_file)
    (alb,) = prices["alb_hour"].tiers
    assert (alb.usd, alb.region, alb.confidence) == (Decimal("0.0225"), "us-east-1", "published")
    # At the level of what is known, the middle one of the ratios to London of ALB and NLB hours (both 0.0225), of LCUs
    # (the same) and of NLCUs (0.0063).
    level = (Decimal("0.0225") / Decimal("0.02646") + Decimal("0.0063") / Decimal("0.0066")) / 2
    (vcpu,) = prices["fargate_x86_vcpu"].tiers
    assert vcpu.usd == pytest.approx(Decimal("0.04656") * level, abs=Decimal("1e-7"))
    assert (vcpu.region, vcpu.confidence) == ("eu-west-2, in proportion", "assumed")
    assert vcpu.low == pytest.approx(vcpu.usd * Decimal("0.8"), abs=Decimal("1e-7"))
    assert vcpu.high == pytest.approx(vcpu.usd * Decimal("1.2"), abs=Decimal("1e-7"))
    # A tier keeps its proportion to the first.
    first, above = prices["http_api"].tiers
    assert above.usd / first.usd == pytest.approx(Decimal("0.9"), abs=Decimal("1e-5"))
    assert all(item["history"] == [] for item in items(price_file, "us-east-1").values())
    assert items(price_file) == items(PRICE_FILE)


def test_a_region_that_aws_does_not_have(price_file: Path, other_region: str) -> None:
    with pytest.raises(BadInput, match=r"answers 403; is mars-1 a Region"):
        (update_prices(price_file, "mars-1", from_files("mars-1", other_region), {"AWSELB"}, accept=False))
    assert price_file.read_text() == PRICE_FILE.read_text()


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_an_answer_that_is_no_offer_file(tmp_path: Path, price_file: Path, content: str) -> None:
    folder = tmp_path / "list/offers/v1.0/aws/AWSELB/current/eu-west-2"
    folder.mkdir(parents=True)
    (folder / "index.json").write_text(content)
    for url in serve(tmp_path / "list"):
        with pytest.raises(BadInput, match="not an offer file"):
            (update_prices(price_file, "eu-west-2", from_files("eu-west-2", url), {"AWSELB"}, accept=False))


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "ftp://127.0.0.1", "http://[", "nonsense"])
def test_a_place_that_gives_no_files(url: str) -> None:
    with pytest.raises(Missing, match="--base-url"):
        offered(LISTINGS["alb_hour"], from_files("eu-west-2", url))


def test_products_that_disagree_are_no_price(price_list_url: str) -> None:
    # Without the operation three load balancers match, of which one has another price.
    assert offered(Listing("AWSELB", "LoadBalancerUsage"), from_files("eu-west-2", price_list_url)) is None


def test_a_price_file_that_cannot_be_written(tmp_path: Path, price_list_url: str) -> None:
    folder = tmp_path / "prices.json"
    path = Path(shutil.copy(PRICE_FILE, folder))
    (tmp_path / ".prices.json.new").mkdir()
    with pytest.raises(BadInput, match="cannot be written"):
        (update_prices(path, "eu-west-2", from_files("eu-west-2", price_list_url), ALL, accept=False))


@pytest.fixture
def whole_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The recorded offer files as those of us-east-1, whose usage types have no billing code, in the place of AWS's."""
    for file in HERE.glob("*/current/eu-west-2/index.json"):
        folder = tmp_path / "list/offers/v1.0/aws" / file.parts[-4] / "current/us-east-1"
        folder.mkdir(parents=True)
        (folder / "index.json").write_text(file.read_text().replace("EUW2-", "").replace("eu-west-2", "us-east-1"))
    for url in serve(tmp_path / "list"):
        monkeypatch.setattr("lab.costs.update.OFFER_FILES", url)
        yield url


def test_a_region_without_prices_is_fetched_by_itself_and_once(
    price_file: Path, whole_list: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices = prices_of("us-east-1", price_file)
    assert (prices.region, prices["fargate_x86_vcpu"].tiers[0].usd) == ("us-east-1", Decimal("0.048"))
    assert prices["http_api"].tiers[1].confidence == "published"
    assert prices["nat_hour"].tiers[0].confidence == "assumed"
    assert items(price_file) == items(PRICE_FILE)
    monkeypatch.setattr("lab.costs.update.OFFER_FILES", "http://127.0.0.1:1")
    assert prices_of("us-east-1", price_file) == prices


def test_a_price_file_that_cannot_be_written_serves_once(price_file: Path, whole_list: str) -> None:
    (price_file.parent / f".{price_file.name}.new").mkdir()
    assert prices_of("us-east-1", price_file)["alb_hour"].tiers[0].region == "us-east-1"
    assert price_file.read_text() == PRICE_FILE.read_text()


def test_without_a_network_the_command_is_said(price_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.costs.update.OFFER_FILES", "http://127.0.0.1:1")
    with pytest.raises(Missing, match=r"no prices for Region 'us-east-1'.*`lab costs update --region us-east-1`"):
        prices_of("us-east-1", price_file)
    assert price_file.read_text() == PRICE_FILE.read_text()


def test_a_region_that_aws_does_not_list_is_refused(price_file: Path, whole_list: str) -> None:
    with pytest.raises(BadInput, match="answers 403; is xx-west-1 a Region"):
        prices_of("xx-west-1", price_file)


@pytest.mark.parametrize(
    "content",
    [
        '{"products": [], "terms": {}, "publicationDate": "2026"}',
        '{"products": {"a": 1}, "terms": {}, "publicationDate": "2026"}',
        '{"products": {"a": {"attributes": {"usagetype": "LCUUsage"}}}, "terms": [], "publicationDate": "2026"}',
        '{"products": {"a": {"attributes": {}}}, "terms": {}, "publicationDate": 5}',
        "[" * 100_000,
    ],
)
def test_an_offer_file_of_another_form_is_one_sentence(tmp_path: Path, price_file: Path, content: str) -> None:
    folder = tmp_path / "list/offers/v1.0/aws/AWSELB/current/eu-west-2"
    folder.mkdir(parents=True)
    (folder / "index.json").write_text(content)
    for url in serve(tmp_path / "list"):
        with pytest.raises(BadInput, match="--base-url right") as refused:
            update_prices(price_file, "eu-west-2", from_files("eu-west-2", url), {"AWSELB"}, accept=False)
        assert "\n" not in str(refused.value)


def test_what_an_update_writes_is_a_price_file(price_file: Path, price_list_url: str) -> None:
    update_prices(price_file, "eu-west-2", from_files("eu-west-2", price_list_url), ALL, accept=False)
    assert prices_of(Scenario().region, price_file)["egress"].tiers[0].confidence == "published"
