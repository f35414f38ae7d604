"""Make the pictures of README and docs, light and dark, for broad and for narrow screens.

    python tools/pictures.py report STUDY docs/images/report --until 'figure:nth-of-type(2)'    # of `make run`
    python tools/pictures.py figures docs/measurements/drain-0.csv docs/images/report-matrix --until .wide --width 1024
    python tools/pictures.py figures docs/measurements/grid.csv docs/images/report-grid    # of a matrix.csv
    python tools/pictures.py locust http://127.0.0.1:8089 docs/images    # beside `make ui`: load, and a task stopped

Writes NAME.png, NAME-dark.png, NAME-narrow.png and NAME-narrow-dark.png. Needs Chromium, and `make develop`.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from lab.experiments.catalogue import EXPERIMENTS
from lab.experiments.figures import FIGURES
from lab.experiments.study import Row, Spread
from lab.report import run_words, words
from lab.report.document import Document, Sentence
from lab.report.headline import study_answer
from lab.report.html import write_report
from lab.report.pages import grids, table

_BROAD, _NARROW = 800, 400  # CSS pixels
_SCHEMES = {"": "light", "-dark": "dark"}
_MARGIN = 16  # CSS pixels below what is shown

_BEFORE, _AFTER = 30, 20  # seconds of load before a task is stopped, and after


def report(browser: Browser, folder: Path, name: str, until: str, width: int) -> None:
    """The report in *folder*, from its top to the end of the first visible element that is *until*."""
    address = (folder / "report.html").resolve().as_uri()
    for suffix, page in pages(browser, width):
        page.goto(address)
        shown = page.locator(until).locator("visible=true").first
        below = shown.evaluate(
            "(e, margin) => Math.min(e.getBoundingClientRect().bottom + margin,"
            " e.nextElementSibling?.getBoundingClientRect().top ?? Infinity)",
            _MARGIN,
        )
        write(page, f"{name}{suffix}.png", below)


def figures(browser: Browser, file: Path, name: str, until: str, width: int) -> None:
    """As `report`, of the runs whose figures are in *file*, a matrix.csv, where the runs themselves are no more."""
    order = list(EXPERIMENTS)
    lines = sorted(csv.DictReader(file.open()), key=lambda line: order.index(line["experiment"]))
    matrix = [_row(line) for line in lines]
    with tempfile.TemporaryDirectory() as folder:
        parts = [Sentence(run_words.ON_THE_TWIN, "facts"), *grids(matrix), *table(matrix)]
        write_report(Document(study_answer(matrix), parts), Path(folder))
        report(browser, Path(folder), name, until, width)


def _row(line: dict[str, str]) -> Row:
    """One run and way. Of its findings there is what the answer asks for."""
    numbers = {key: float(text) for key, text in line.items() if text and key in FIGURES}
    found: Any = SimpleNamespace(
        **{key: int(numbers[key]) for key in ("requests", "failures", "unfinished")}, unended=(), fails_to_the_end=False
    )
    swept = {key: float(line[key]) for key in words.SETTINGS if line.get(key)}
    spreads = {key: Spread.of([value], FIGURES[key].unit) for key, value in numbers.items()}
    return Row(EXPERIMENTS[line["experiment"]], line["arm"], swept, spreads, (found,))


def locust(browser: Browser, address: str, folder: Path) -> None:
    """Load by Locust's web UI at *address*, a task stopped meanwhile; then the charts in the tab Hostnames."""
    swarm = urllib.parse.urlencode({"user_count": 16, "spawn_rate": 16}).encode()
    ask = urllib.request.Request(f"{address}/swarm", swarm, {"Origin": address})
    with urllib.request.urlopen(ask) as answer:
        assert json.load(answer)["success"]
    page = browser.new_page()
    page.wait_for_timeout(_BEFORE * 1000)
    tasks = json.loads(subprocess.run(["twin", "ps", "--json"], check=True, capture_output=True, text=True).stdout)[
        "tasks"
    ]
    subprocess.run(["twin", "stop", next(task["id"] for task in tasks if task["status"] == "RUNNING")], check=True)
    page.wait_for_timeout(_AFTER * 1000)
    page.close()
    # So that all pictures are of the same seconds.
    urllib.request.urlopen(urllib.request.Request(f"{address}/stop", b"", {"Origin": address})).close()
    for suffix, page in pages(browser):
        page.goto(address)
        page.get_by_role("tab", name="Hostnames").click()
        page.get_by_role("cell").first.wait_for()
        page.locator(".groups svg").first.wait_for()
        page.locator(".MuiTouchRipple-child").first.wait_for(state="detached")  # of the click on the tab
        box = page.locator(".groups section:has(svg)").last.bounding_box()
        assert box is not None
        write(page, f"{folder}/locust-hostnames-tab{suffix}.png", box["y"] + box["height"] + _MARGIN)


def pages(browser: Browser, broad: int = _BROAD) -> Iterator[tuple[str, Page]]:
    """A page of each width and scheme, with what it adds to a file's name."""
    for narrow, width in {"": broad, "-narrow": _NARROW}.items():
        for dark, scheme in _SCHEMES.items():
            page = browser.new_page(
                viewport={"width": width, "height": 600},
                color_scheme=scheme,  # type: ignore[arg-type]
                device_scale_factor=2,
            )
            yield narrow + dark, page
            page.close()


def write(page: Page, file: str, height: float | None = None) -> None:
    """The page's full width, to its end or to *height*."""
    whole = page.evaluate("[document.documentElement.clientWidth, document.documentElement.scrollHeight]")
    clip = {"x": 0.0, "y": 0.0, "width": float(whole[0]), "height": float(min(height or whole[1], whole[1]))}
    page.screenshot(path=file, full_page=True, clip=clip, animations="disabled")  # type: ignore[arg-type]
    print(file)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium; exits with 3 where there is none."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        print("Chromium is not on PATH: install it, such as by `apt-get install chromium`.", file=sys.stderr)
        sys.exit(3)
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


def main() -> None:
    """Read the arguments and make what they name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    for kind in ("report", "figures"):
        parser_of = kinds.add_parser(kind)
        parser_of.add_argument("source", type=Path)
        parser_of.add_argument("name")
        parser_of.add_argument("--until", default="figure")
        parser_of.add_argument("--width", type=int, default=_BROAD)
    of_locust = kinds.add_parser("locust")
    of_locust.add_argument("address")
    of_locust.add_argument("folder", type=Path)
    given = parser.parse_args()
    with chromium() as browser:
        if given.kind == "locust":
            locust(browser, given.address.rstrip("/"), given.folder)
        else:
            {"report": report, "figures": figures}[given.kind](
                browser, given.source, given.name, given.until, given.width
            )


if __name__ == "__main__":
    main()
