from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lab.costs.bill import PUBLIC_ALB
from lab.costs.prices import PriceBook
from lab.costs.scenario import Scenario
from lab.costs.study import Study
from lab.errors import BadInput
from lab.report.pictures import INK, svg
from lab.report.pictures.costs import PICTURES, costs_figure, write_pictures

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def default(prices: PriceBook) -> Study:
    return Study(Scenario(), prices)


@pytest.fixture(scope="module")
def pictures(default: Study) -> dict[str, str]:
    return {name: svg(costs_figure(default, name)) for name in PICTURES}


def texts(svg: str) -> list[str]:
    return ["".join(element.itertext()).strip() for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_one_svg_element_in_the_colours_of_its_page(pictures: dict[str, str], name: str) -> None:
    svg = pictures[name]
    assert ElementTree.fromstring(svg).tag == f"{SVG}svg"
    assert "currentColor" in svg
    # Neither ink of its own nor a ground: both would be wrong on either light or dark.
    assert INK not in svg
    assert "#ffffff" not in svg
    assert "#000000" not in svg
    found = {text.partition(":")[0] for text in texts(svg)}  # a way, and where it costs the same
    assert {"service-connect", "service-connect-with-share", "public-alb", "rest-alb", "cloudfront-alb"} <= found


def test_a_picture_is_the_same_each_time(default: Study, pictures: dict[str, str]) -> None:
    assert svg(costs_figure(default, "bars")) == pictures["bars"]


def test_the_bars_end_with_the_totals(default: Study, pictures: dict[str, str]) -> None:
    assert {f"{bill.total:,.0f}" for bill in default.bills.values()} <= set(texts(pictures["bars"]))


def test_break_even_points_are_marked(default: Study, pictures: dict[str, str]) -> None:
    assert PUBLIC_ALB in {point.against for point in default.rates}
    for point in default.rates:
        assert f"{point.against.name}: {point.at:,.1f}/s" in texts(pictures["rate"])
    assert default.sizes
    for point in default.sizes:
        assert f"{point.against.name}: {point.at / 1024:,.0f} KB" in texts(pictures["size"])


def test_what_is_not_possible_has_neither_bar_nor_curve(prices: PriceBook) -> None:
    heavy = Study(Scenario(response_bytes=Decimal(11 * 2**20)), prices)
    barred = [way for way in heavy.ways if way.gateway]
    assert texts(svg(costs_figure(heavy, "bars"))).count("not possible") == len(barred) > 0
    curves = texts(svg(costs_figure(heavy, "rate")))
    assert "cloudfront-alb" in curves
    assert not {way.name for way in barred} & set(curves)
    assert not [text for text in curves if text.endswith("/s")]


def test_an_idle_service_can_be_drawn(prices: PriceBook) -> None:
    idle = Study(Scenario(rates=(Decimal(0),)), prices)
    assert svg(costs_figure(idle, "size")).startswith("<svg")


def test_files_serve_light_and_dark(default: Study, tmp_path: Path) -> None:
    write_pictures(default, tmp_path / "new")
    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert names == {f"costs-{name}.{kind}" for name in ("bars", "rate", "size") for kind in ("svg", "png")}
    svg = (tmp_path / "new" / "costs-rate.svg").read_text()
    assert INK in svg
    assert "currentColor" not in svg
    assert (tmp_path / "new" / "costs-rate.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_that_cannot_be_made(default: Study, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be written"):
        write_pictures(default, tmp_path / "file")


@pytest.mark.parametrize("name", PICTURES)
def test_services_that_share_the_network_are_named(prices: PriceBook, name: str) -> None:
    found = texts(svg(costs_figure(Study(Scenario(services=10), prices), name)))
    assert any(text.startswith("USD a month for one of 10 services in the VPC") for text in found)
