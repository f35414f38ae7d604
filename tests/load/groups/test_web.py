"""The web UI in a real browser: the tab, the charts, the buttons."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

import load.groups
from load.groups.charts import chart_data
from load.groups.counts import Counts
from load.groups.report import with_section
from load.groups.rows import GroupRow
from load.groups.table import clock
from load.results import Run

HOSTS = ["alpha", "beta", "gamma"]

ZONE = "Asia/Kolkata"  # far from where tests run, and no whole hours from UTC

# Without these Chromium asks servers of its maker for this and that at every start.
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]

# Locust's page asks for numbers every two seconds, and keeps them for two.
expect.set_options(timeout=20_000)


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
        chromium = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield chromium
        chromium.close()


@dataclass
class WebUI:
    """Locust with its web UI under a base path, and a page of a browser that watches where it goes."""

    page: Page
    url: str
    locust: Any
    process: Any

    def start(self, users: int = 2) -> None:
        """Fill in Locust's form and start."""
        self.page.goto(self.url)
        self.page.locator("input[name=userCount]").fill(str(users))
        self.page.locator("input[name=spawnRate]").fill(str(users))
        self.page.get_by_role("button", name="Start").click()

    def ask(self, path: str) -> None:
        """What a button of Locust's page asks for, where another page is looked at."""
        try:
            urllib.request.urlopen(self.url + path, b"", timeout=20).close()
        except urllib.error.HTTPError as error:
            if error.code != 405:
                raise
            urllib.request.urlopen(self.url + path, timeout=20).close()  # in earlier versions by GET

    def run(self) -> Run:
        """The one run, once it is over."""
        folder = self.locust.folder / "results"
        self.locust.wait_until(self.process, lambda: '"complete": true' in next(folder.glob("*/run.json")).read_text())
        run: Run = self.locust.only_run()
        return run


@pytest.fixture
def web_ui(locust: Any, service: str, free_port: int, browser: Browser) -> Iterator[WebUI]:
    """Locust's web UI, before any test."""
    url = f"http://127.0.0.1:{free_port}/base/"
    where = ("--web-host", "127.0.0.1", "--web-port", str(free_port), "--web-base-path", "/base/")
    process = locust.start("-H", service, "--rate", "50", *where)
    wait_for(locust, process, url)
    context = browser.new_context(timezone_id=ZONE)
    page = context.new_page()
    page.set_default_timeout(20_000)
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    yield WebUI(page, url, locust, process)
    context.close()
    assert [other for other in asked if not other.startswith((f"http://127.0.0.1:{free_port}/", "data:"))] == []


def wait_for(locust: Any, process: Any, url: str) -> None:
    """Return once the web UI answers."""

    def answers() -> bool:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            return False
        return True

    locust.wait_until(process, answers)


def test_the_tab_shows_all_hostnames_and_its_numbers_follow_the_run(web_ui: WebUI) -> None:
    page = web_ui.page
    web_ui.start()
    page.get_by_role("tab", name="Hostnames").click()
    for host in HOSTS:
        expect(page.get_by_role("cell", name=host, exact=True)).to_be_visible()
    requests = page.get_by_role("row").filter(has_text="alpha").get_by_role("cell").nth(2)
    first = requests.inner_text()
    expect(requests).not_to_have_text(first)
    for moment in range(3):
        tile, table = totals(page)
        assert tile == table > 0
        if moment == 1:
            page.get_by_role("button", name="Reset").click()
            expect(page.get_by_role("alert")).to_contain_text("The statistics were reset at ")
        expect(page.locator("[data-at=total]")).not_to_have_text(f"{tile:,}")

    page.get_by_role("button", name="Stop").click()
    run = web_ui.run()  # Locust's own page may say "cleanup" for good: once it has read that, it asks no more
    page.reload()
    by_host = {row.hostname: row.requests for row in run.hosts}
    for counted in run.hosts:
        cells = page.get_by_role("row").filter(has_text=counted.hostname).get_by_role("cell")
        expect(cells.nth(2)).to_have_text(str(counted.requests))
        # By the browser's clock, as the charts.
        expect(cells.nth(9)).to_have_text(clock(counted.first_seen, ZoneInfo(ZONE)))
        expect(cells.nth(10)).to_have_text(clock(counted.last_seen, ZoneInfo(ZONE)))

    # Whoever does not say where they are is told UTC.
    for cookie in ("", "load_groups_utc_offset=far", "load_groups_utc_offset=1440"):
        asked = urllib.request.Request(f"{web_ui.url}stats/requests", headers={"Cookie": cookie})
        with urllib.request.urlopen(asked, timeout=10) as answer:
            (ours,) = json.load(answer)["extended_stats"]
        assert {row["first_seen"] for row in ours["data"]} == {clock(counted.first_seen) for counted in run.hosts}

    page.get_by_role("tab", name="Download Data").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download hostnames CSV").click()
    rows = list(csv.DictReader(download.value.path().read_text().splitlines()))
    assert {row["hostname"]: int(row["requests"]) for row in rows} == by_host

    page.goto(f"{web_ui.url}stats/report?theme=dark")
    expect(page.locator("#hostnames tbody tr")).to_have_count(3)


def test_the_tab_says_that_requests_are_behind_while_they_are(
    locust: Any, service: str, free_port: int, browser: Browser
) -> None:
    locust.locustfile = locust.folder / "one_at_a_time.py"
    locust.locustfile.write_text(
        "from load import rate\nfrom locustfile import HostnameUser\n"
        "HostnameUser.concurrency = 1\nrate._LATE_FOR = 0.5\n"
    )
    url = f"http://127.0.0.1:{free_port}/"
    where = ("--web-host", "127.0.0.1", "--web-port", str(free_port), "--autostart")
    process = locust.start("-H", service, "--rate", "50", "--path-mix", "slow/hostname=1", *where)
    wait_for(locust, process, url)
    page = browser.new_page()
    page.goto(f"{url}?tab=hostnames")
    expect(page.get_by_role("alert")).to_contain_text("50 requests/s could not be kept up, and the wait to be sent is")
    expect(page.get_by_text("RUNNING")).to_be_visible()
    page.close()


def totals(page: Page) -> tuple[int, int]:
    """All requests at one moment, by the tile and by the sum of the table that is shown; there is one."""
    expect(page.locator("table").locator("visible=true")).to_have_count(1)
    tile, *counts = page.evaluate(
        "[document.querySelector('[data-at=total]'), ...document.querySelectorAll('[data-at=rows] td:nth-child(3)')]"
        ".map(shown => Number(shown.textContent.replaceAll(',', '')))"
    )
    return tile, sum(counts)


def test_a_bad_option_is_said_in_the_form_and_starts_nothing(web_ui: WebUI) -> None:
    page = web_ui.page
    page.goto(web_ui.url)
    page.get_by_text("Custom parameters").click()
    page.locator("input[name=rate]").fill("fast")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("--rate 'fast': requests per second are needed")).to_be_visible()
    expect(page.get_by_text("READY")).to_be_visible()
    assert not (web_ui.locust.folder / "results").exists()


def test_the_charts_are_there_before_during_and_after_a_test(web_ui: WebUI) -> None:
    page = web_ui.page
    page.goto(f"{web_ui.url}hostnames")
    expect(page.get_by_text("No requests yet.")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("ready")

    web_ui.start()
    expect(page.get_by_text("RUNNING")).to_be_visible()
    page.goto(f"{web_ui.url}hostnames")
    expect(page.get_by_role("status")).to_have_text("running")
    expect(page.locator(".share .name")).to_have_count(3)
    expect(page.locator("[data-at=legend] li")).to_have_text(HOSTS)
    expect(page.locator("[data-at=requests] polygon")).to_have_count(3)
    # Three lines, each in more than one piece if a second had no answer.
    expect(page.locator("[data-at=percentiles] li")).to_have_count(3)
    expect(page.locator("[data-at=times] polyline")).not_to_have_count(0)
    expect(page.locator("[data-at=spread]")).to_have_text(re.compile(r"^[+\u2212]\d+\.\d%$"))
    expect(page.locator("[data-at=total]")).not_to_have_text("0")
    web_ui.ask("stats/reset")
    # What stays said, other than a number that is low for some seconds.
    expect(page.get_by_role("alert")).to_contain_text("The statistics were reset at ")
    web_ui.ask("stop")
    expect(page.get_by_role("status")).to_have_text("stopped")
    run = web_ui.run()
    expect(page.locator("[data-at=total]")).to_have_text(f"{run.meta['requests']:,}")
    (reset,) = run.meta["resets"]
    expect(page.get_by_role("alert")).to_contain_text(f" reset at {clock(reset, ZoneInfo(ZONE))}: ")
    page.locator("[data-at=requests] svg").hover()
    expect(page.locator(".tooltip")).to_contain_text("alpha: ")


def test_the_charts_are_in_the_tab_and_only_there_in_the_theme_of_locust(web_ui: WebUI) -> None:
    page = web_ui.page
    web_ui.start()
    page.get_by_role("tab", name="Hostnames").click()
    charts = page.locator(".groups")
    expect(charts.locator("[data-at=requests] polygon")).to_have_count(3)
    expect(page.get_by_role("cell", name="alpha", exact=True)).to_be_visible()
    expect(charts).to_have_attribute("data-theme", "light")
    page.evaluate("localStorage.theme = 'dark'")
    expect(charts).to_have_attribute("data-theme", "dark")
    page.get_by_role("tab", name="Failures").click()
    expect(charts).to_have_count(0)
    page.get_by_role("tab", name="Hostnames").click()
    expect(charts.locator("[data-at=requests] polygon")).to_have_count(3)


@contextlib.contextmanager
def drawn(browser: Browser, counts: Counts, now: list[int] | None = None, detail: str = "") -> Iterator[Page]:
    """The page of charts, which draws these counts: of a test that is over, or runs and is in second `now`."""
    files = Path(load.groups.__file__).parent

    def answer(route: Route) -> None:
        match route.request.url.split("?")[0].rpartition("/")[2]:
            case "hostnames":
                body = (files / "chart.html").read_text().replace("{key}", "hostnames")
                route.fulfill(body=body, content_type="text/html")
            case "data":
                said = {"state": "running", "target": "", "notes": [], "noun": "hostname", "detail_noun": detail}
                rows, even = counts.groups(), counts.even_parts()
                before, since = now[0] if now else 1060, int(route.request.url.rpartition("=")[2])
                drawn = chart_data(counts, rows, even, "hostname", before, since, lambda: None, running=now is not None)
                route.fulfill(json=said | drawn)
            case name:
                route.fulfill(path=files / name)

    page = browser.new_page()
    page.route("**/*", answer)
    page.goto("http://charts.example/hostnames")
    yield page
    page.close()


def record(counts: Counts, second: int, host: str, requests: int, failures: int = 0) -> None:
    """So many requests in this second, of which some failed."""
    counts.admit(host, "", float(second))
    for number in range(requests):
        counts.record([float(second), host, 500 if number < failures else 200, number < failures, 1.0])


def colours(page: Page, legend: str) -> dict[str, str]:
    """The colour of each series, in the order of the legend."""
    items = page.locator(f"[data-at={legend}] li")
    return {item.inner_text(): str(item.locator("i").get_attribute("style")) for item in items.all()}


def test_a_host_keeps_its_colour_and_its_place_whatever_comes_and_fails(browser: Browser) -> None:
    counts = Counts()
    record(counts, 1000, "beta", 10, failures=1)
    record(counts, 1001, "gamma", 10, failures=2)
    with drawn(browser, counts) as page:
        expect(page.locator("[data-at=legend] li")).to_have_text(["beta", "gamma"])
        before = colours(page, "legend")
        record(counts, 1002, "alpha", 10, failures=1)
        record(counts, 1003, "beta", 10, failures=7)
        expect(page.locator("[data-at=failing] li")).to_have_text(["alpha", "beta", "gamma"])
        after = colours(page, "legend")
        assert after | before == after
        assert len(set(after.values())) == 3
        assert colours(page, "failing") == after
        page.reload()
        expect(page.locator("[data-at=failing] li")).to_have_text(["alpha", "beta", "gamma"])
        assert colours(page, "legend") == colours(page, "failing") == after
        # Nor does a reset change it, whoever comes first after it.
        counts.reset()
        expect(page.locator("[data-at=total]")).to_have_text("0")
        record(counts, 1005, "alpha", 10)
        record(counts, 1006, "gamma", 10)
        record(counts, 1007, "beta", 10)
        expect(page.locator("[data-at=legend] li")).to_have_text(["alpha", "beta", "gamma"])
        assert colours(page, "legend") == after


def test_hosts_that_came_and_went_before_a_reset_leave_their_colours_to_others(browser: Browser) -> None:
    counts = Counts()
    for number in range(12):
        record(counts, 1000, f"host-{number:02}", 1)
    counts.reset()
    for number in (1, 4, 9, 10):  # of eight colours two would be the same twice
        record(counts, 1001, f"host-{number:02}", 10)
    with drawn(browser, counts) as page:
        expect(page.locator("[data-at=legend] li")).to_have_count(4)
        assert len(set(colours(page, "legend").values())) == 4


def test_the_rate_is_that_of_the_whole_seconds_there_are(browser: Browser) -> None:
    counts, now = Counts(), [1000]
    with drawn(browser, counts, now) as page:
        tile = page.locator(".tiles div").filter(has=page.locator("[data-at=rate]"))
        expect(tile).to_have_text("\u2013requests/s, last\u00a05\u00a0s")
        record(counts, 1000, "alpha", 40)  # the load began within this second
        now[0] = 1001
        expect(page.locator("[data-at=total]")).to_have_text("40")
        expect(tile).to_contain_text("\u2013")
        for second in (1001, 1002, 1003):
            record(counts, second, "alpha", 100)
        now[0] = 1004
        expect(tile).to_have_text("100requests/s, last\u00a03\u00a0s")
        for second in range(1004, 1010):
            record(counts, second, "alpha", 200)
        now[0] = 1010
        expect(tile).to_have_text("200requests/s, last\u00a05\u00a0s")
        # Nothing is answered any more.
        now[0] = 1013
        expect(tile).to_have_text("80requests/s, last\u00a05\u00a0s")
        counts.reset()
        record(counts, 1013, "alpha", 30)
        record(counts, 1014, "alpha", 100)
        now[0] = 1015
        expect(tile).to_have_text("100requests/s, last\u00a01\u00a0s")


def test_the_table_is_sorted_by_the_column_that_is_clicked(browser: Browser) -> None:
    counts = Counts()
    for host, requests, failures in (("alpha", 9, 0), ("beta", 30, 2), ("gamma", 10, 1)):
        record(counts, 1000, host, requests, failures)
    with drawn(browser, counts) as page:
        names = page.locator("[data-at=rows] td:first-child")
        expect(names).to_have_text(["alpha", "beta", "gamma"])
        page.get_by_role("button", name="Requests").click()
        expect(names).to_have_text(["beta", "gamma", "alpha"])
        page.get_by_role("button", name="Requests").click()
        expect(names).to_have_text(["alpha", "gamma", "beta"])
        expect(page.get_by_role("columnheader", name="Requests")).to_have_attribute("aria-sort", "ascending")
        page.get_by_role("button", name="Failures").click()
        record(counts, 1001, "gamma", 5, failures=5)
        expect(names).to_have_text(["gamma", "beta", "alpha"])


def test_a_narrow_chart_has_more_than_one_time(browser: Browser) -> None:
    counts = Counts()
    for second in range(1000, 1030):
        record(counts, second, "alpha", 1)
    with drawn(browser, counts) as page:
        page.set_viewport_size({"width": 320, "height": 900})
        # Of half a minute, every ten seconds.
        expect(page.locator("[data-at=requests] text").filter(has_text=":")).to_have_count(3)


def test_on_a_narrow_screen_the_table_fits_with_the_columns_that_matter(browser: Browser) -> None:
    counts = Counts()
    for number in (4, 17, 137):
        counts.admit(f"ip-10-0-{number}-137.eu-central-1.compute.internal", "eu-central-1a", 1000.0)
        record(counts, 1000, f"ip-10-0-{number}-137.eu-central-1.compute.internal", 4000, failures=1500)
    with drawn(browser, counts, detail="availability zone") as page:
        heads = page.locator("thead th")
        expect(heads).to_have_count(11)
        assert all(head.is_visible() for head in heads.all())
        page.set_viewport_size({"width": 400, "height": 900})
        shown = [head.inner_text() for head in heads.all() if head.is_visible()]
        assert shown == ["Hostname", "Requests", "Failures", "P50 ms", "P99 ms"]
        assert page.locator(".scroll").evaluate("box => box.scrollWidth - box.clientWidth") == 0
        assert page.evaluate("document.documentElement.scrollWidth") == 400


def test_of_many_hosts_those_that_fail_keep_their_colours(browser: Browser) -> None:
    counts = Counts()
    for number in range(20):
        record(counts, 1000, f"host-{number:02}", 10)
    record(counts, 1001, "host-17", 10, failures=1)
    record(counts, 1002, "host-09", 10, failures=1)
    with drawn(browser, counts) as page:
        expect(page.locator("[data-at=failing] li")).to_have_text(["host-09", "host-17"])
        before = colours(page, "failing")
        record(counts, 1003, "host-01", 10, failures=9)
        record(counts, 1003, "host-09", 10, failures=9)
        expect(page.locator("[data-at=failing] li")).to_have_text(["host-01", "host-09", "host-17"])
        after = colours(page, "failing")
        assert after | before == after
        assert len(set(after.values())) == 3
        page.reload()
        expect(page.locator("[data-at=failing] li")).to_have_text(["host-01", "host-09", "host-17"])
        assert colours(page, "failing") == after
        # There are eight colours.
        for number in range(2, 9):
            record(counts, 1004, f"host-{number:02}", 10, failures=2)
        expect(page.locator("[data-at=failing] li")).to_have_count(9)
        shown = colours(page, "failing")
        assert list(shown)[-1] == "2 more"
        assert len(set(shown.values())) == 9


def test_the_tile_shows_the_host_that_chance_explains_least_and_names_it(browser: Browser) -> None:
    counts = Counts()
    for second in range(1000, 1030):
        record(counts, second, "alpha", 60)
        record(counts, second, "beta", 40)
    # Further from its part than beta, which chance explains better: 28 requests of 42, where 14 are its part.
    for second in range(1030, 1042):
        for host, requests in (("alpha", 1), ("beta", 1), ("gamma", 4)):
            record(counts, second, host, requests)
    even = counts.even_parts()
    assert even["gamma"].deviation > 0.9
    with drawn(browser, counts) as page:
        expect(page.get_by_text("from its even part, least explained by chance")).to_be_visible()
        expect(page.locator("[data-at=spread]")).to_have_text(f"\u2212{-even['beta'].deviation:.1%}")
        chance = f"beta; by chance alone up to \u00b1{even['beta'].chance:.1%} at any one look"
        expect(page.locator("[data-at=chance]")).to_have_text(chance)


def test_the_section_of_the_report_can_be_read_on_a_narrow_screen(browser: Browser) -> None:
    name = "ip-10-0-12-137.eu-central-1.compute.internal"
    row = GroupRow(name, "eu-west-2a", 12_000, 0, 1.0, 10.0, 20.0, 30.0, 1000.0, 1100.0)
    page = browser.new_page(viewport={"width": 400, "height": 900})
    page.set_content(with_section("<body></body>", [row], {}, [], "hostname", "availability zone"))
    lines = page.locator("#hostnames .text").evaluate_all(
        "cells => cells.map(cell => { const text = document.createRange(); text.selectNodeContents(cell);"
        " return text.getClientRects().length; })"
    )
    assert lines[:2] == [1, 1]
    assert max(lines) <= 4
    # What is wider than the screen is scrolled to within the section.
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    page.close()


def test_every_page_wants_the_login(locust: Any, service: str, free_port: int) -> None:
    locust.locustfile = locust.folder / "with_login.py"
    locust.locustfile.write_text(
        "from locust import events\n"
        "from locustfile import HostnameUser\n"
        "@events.init.add_listener\n"
        "def on_init(environment, **_):\n"
        "    environment.web_ui.app.config['SECRET_KEY'] = 'secret'\n"
        "    environment.web_ui.login_manager.user_loader(lambda user: None)\n"
    )
    url = f"http://127.0.0.1:{free_port}/base"
    where = ("--web-host", "127.0.0.1", "--web-port", str(free_port), "--web-base-path", "/base")
    process = locust.start("-H", service, "--web-login", *where)
    wait_for(locust, process, f"{url}/login")
    for path in ("/", "/hostnames", "/hostnames/data", "/hostnames/csv", "/hostnames/chart.js", "/stats/requests"):
        with urllib.request.urlopen(url + path, timeout=5) as answer:
            assert answer.url.startswith(f"{url}/login?next="), path
    start = urllib.request.Request(f"{url}/swarm", data=b"user_count=1&spawn_rate=1", method="POST")
    with urllib.request.urlopen(start, timeout=5) as answer:
        assert answer.url.startswith(f"{url}/login?next=")
    assert not (locust.folder / "results").exists()


def test_no_page_of_others_uses_it(web_ui: WebUI) -> None:
    ours = web_ui.url.removesuffix("/base/")

    def answer(path: str = "", data: bytes | None = None, **headers: str) -> tuple[int, str]:
        asked = urllib.request.Request(
            web_ui.url + path, data, {name.replace("_", "-"): value for name, value in headers.items()}
        )
        try:
            with urllib.request.urlopen(asked, timeout=10) as found:
                return found.status, found.headers["X-Frame-Options"]
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers["X-Frame-Options"]

    users = b"user_count=1&spawn_rate=1"
    evil = "http://evil.example"
    for refused in (
        answer("swarm", users, origin=evil),
        answer("swarm", users, origin="null"),
        answer("swarm", users, sec_fetch_site="cross-site"),
        answer("swarm", users, host="evil.example:80", origin="http://evil.example:80"),
        answer("stop", sec_fetch_site="cross-site", sec_fetch_mode="navigate"),
        answer("stats/requests", sec_fetch_site="same-site"),
        answer("", host="evil.example"),
        answer("", origin=evil),
    ):
        assert refused == (403, "DENY")
    for ours_alone in (answer(""), answer("", sec_fetch_site="cross-site"), answer("stats/requests", origin=ours)):
        assert ours_alone == (200, "DENY")
    state = json.loads(urllib.request.urlopen(web_ui.url + "stats/requests", timeout=10).read())["state"]
    assert state == "ready"
    assert answer("swarm", users, origin=ours, sec_fetch_site="same-origin")[0] == 200
