"""The report in a real browser: light and dark, on paper, on a narrow screen."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from lab.experiments.study import write_study
from tests.lab.experiments.runs import write_run, written


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a study of three runs, one of them both ways."""
    folder, rng = tmp_path_factory.mktemp("results"), np.random.default_rng(1)
    runs = [
        write_run(folder / "a", rng, name="baseline", at=None, seconds=15),
        write_run(folder / "b", rng, lingers=2.5),
        write_run(folder / "c", rng, name="scale-in", lingers=1.5),
    ]
    write_run(runs[1] / "alb", rng, arm="alb")
    (folder / "all").mkdir()
    return written(write_study(folder / "all", runs, {}))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium; without one an error in CI, elsewhere a skip that says why."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        reason = "no Chromium on PATH: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


def opened(browser: Browser, report: Path, *, scheme: str = "light", width: int = 1100) -> tuple[Page, list[str]]:
    """The page, and everything that went wrong or was fetched."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("request", lambda request: heard.append(request.url) if request.url != report.as_uri() else None)
    page.goto(report.as_uri())
    return page, heard


def test_it_shows_everything_and_asks_for_nothing(browser: Browser, report: Path) -> None:
    page, heard = opened(browser, report)

    assert page.locator("h1").count() == 1
    assert "through the load balancer none of 9,000 requests failed" in page.locator("h1").inner_text()
    assert page.locator("a[id^=run-]").count() == 3
    page.locator("details").evaluate_all("all => all.forEach(e => e.open = true)")
    pictures = page.locator("figure svg.broad").all()
    assert len(pictures) == 1 + 4 * 2  # what each event lost, and of each way in a run
    for picture in pictures:
        box = picture.bounding_box()
        assert box is not None
        assert box["width"] > 400
        assert box["height"] > 60
    assert heard == []
    page.close()


@pytest.mark.parametrize(("scheme", "ink", "paper"), [("light", 27, 255), ("dark", 230, 13)])
def test_light_and_dark(browser: Browser, report: Path, scheme: str, ink: int, paper: int) -> None:
    page, _ = opened(browser, report, scheme=scheme)
    red = "e => getComputedStyle(e).{}.match(/\\d+/)[0]"

    assert int(page.locator("body").evaluate(red.replace("{}", "backgroundColor"))) == paper
    assert int(page.locator("h1").evaluate(red.replace("{}", "color"))) == ink
    # Text of pictures is drawn in the page's own colour.
    label = page.locator("figure svg text").first
    assert int(label.evaluate(red.replace("{}", "fill"))) == ink
    page.close()


def test_a_narrow_screen_has_the_columns_that_matter_and_all_on_demand(browser: Browser, report: Path) -> None:
    page, _ = opened(browser, report, width=400)
    first = page.locator("table").nth(1).locator("tbody tr").nth(1)

    def shown() -> list[str | None]:
        return [cell.get_attribute("data-name") for cell in first.locator("td").all() if cell.is_visible()][2:]

    assert shown() == ["failed", "s of traffic", "failed from-to s"]
    page.locator("details.more").first.locator("summary").click()
    assert {"requests", "even again s", "failed %", "p99 during ms", "ECS acts s"} < set(shown())
    page.close()
    page, _ = opened(browser, report)
    assert not page.locator("details.more").first.is_visible()
    assert page.locator("table").nth(1).locator("td.more").first.is_visible()
    page.close()


def test_the_matrix_leads_to_the_runs(browser: Browser, report: Path) -> None:
    page, _ = opened(browser, report)
    lines = page.locator("table").nth(1).locator("tbody tr")

    ways = [line.locator("td").nth(1).inner_text() for line in lines.all()]
    assert ways == ["no load balancer", "load balancer", "no load balancer"]
    section = page.locator("#run-1 ~ section").first
    assert not section.is_visible()
    lines.locator("a").nth(1).click()
    section.wait_for(state="visible")
    page.close()


def test_it_ends_with_how_to_read_it(browser: Browser, report: Path) -> None:
    page, _ = opened(browser, report)

    assert page.locator("h2").last.inner_text() == "How to read this"
    terms = page.locator("section").last.locator("td.text").all_text_contents()
    assert {"chi-square, degrees of freedom", "seconds of traffic", "uneven, not shown"} <= set(terms)
    page.close()


def test_a_narrow_screen_scrolls_neither_page_nor_tables_and_texts_are_large_enough(
    browser: Browser, report: Path
) -> None:
    page, _ = opened(browser, report, width=400)
    page.locator("details").evaluate_all("all => all.forEach(e => e.open = true)")

    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert page.locator(".wide").evaluate_all("all => all.filter(e => e.scrollWidth > e.clientWidth).length") == 0
    cell = page.locator("td[data-name=failed]").first
    assert cell.evaluate("e => getComputedStyle(e, '::before').content") == '"failed"'
    sizes = page.locator("svg.narrow text").evaluate_all(
        "all => all.map(e => [e.getScreenCTM(), parseFloat(getComputedStyle(e).fontSize)])"
        ".map(([to, size]) => size * Math.hypot(to.a, to.b))"
    )
    assert len(sizes) > 50
    assert min(sizes) >= 11
    page.close()


def test_on_a_narrow_screen_every_value_has_a_name_and_words_begin_at_the_left(browser: Browser, report: Path) -> None:
    page, _ = opened(browser, report, width=400)
    page.locator("details").evaluate_all("all => all.forEach(e => e.open = true)")

    assert page.locator("td[data-name='']").count() == 0
    begins = (
        "all => all.map(e => { const text = document.createRange(); text.selectNodeContents(e);"
        " return text.getBoundingClientRect().left - e.getBoundingClientRect().left; })"
    )
    assert set(page.locator("section").last.locator("td.text").evaluate_all(begins)) == {0}
    page.close()


def test_repeats_of_a_sweep_fit_on_a_broad_screen(browser: Browser, tmp_path: Path) -> None:
    """With a column for all that is measured, and a range in nearly each cell."""
    rng, runs = np.random.default_rng(2), []
    for name in ("stop-task", "rollout"):
        for drain, repeat in itertools.product((0.0, 20.0), (1, 2, 3)):
            folder, swept = tmp_path / f"{name}-{drain:g}-{repeat}", {"drain_seconds": drain}
            options: dict[str, Any] = {"name": name, "at": 10.4 + repeat / 3, "seconds": 30 + repeat, "rate": 400}
            runs.append(write_run(folder, rng, lingers=repeat, repeat=repeat, parameters=swept, **options))
            write_run(folder / "alb", rng, arm="alb", lingers=0.3 * repeat, **options)
    (tmp_path / "all").mkdir()
    page, _ = opened(browser, written(write_study(tmp_path / "all", runs, {})), width=1280)

    short, table = (page.locator(".wide").nth(number) for number in (0, 1))
    heights = "all => all.map(e => e.getBoundingClientRect().height)"
    assert max(short.locator("tbody tr").evaluate_all(heights)) < 40  # which has room for ranges on one line
    assert table.locator("th").count() == 14
    assert table.locator("td small").count() >= 40
    assert page.locator(".wide").evaluate_all("all => all.filter(e => e.scrollWidth > e.clientWidth).length") == 0
    assert page.evaluate("document.documentElement.scrollWidth") == 1280
    page.locator("details").last.evaluate("e => e.open = true")
    width = "e => e.clientWidth"
    assert page.locator(".wide").last.evaluate(width) <= page.locator("h1").evaluate(width) < table.evaluate(width)
    page.close()


def test_it_prints_dark_on_white_without_cutting_a_picture(browser: Browser, report: Path, tmp_path: Path) -> None:
    page, _ = opened(browser, report, scheme="dark")
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 between Chromium's margins
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= 718

    assert page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(255, 255, 255)"
    folded = page.locator("details figure svg.broad").first
    assert folded.evaluate("e => e.getBoundingClientRect().height") > 100  # what is folded on a screen is printed
    assert page.locator("figure").first.evaluate("e => getComputedStyle(e).breakInside") == "avoid"
    page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    page.close()
