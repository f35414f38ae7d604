"""Locust's web UI, extended: a tab with charts, its table and CSV file, a section in the report, and a page of charts.

Everything is appended to what Locust and other plugins have there, asks for the login that `--web-login` asks for and
lies under `--web-base-path`; nothing comes from another server. Locust has no place for charts in a tab, so the script
that draws them is put into its page and looks for the tab's panel; where it finds none, the page of charts is left.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import timedelta, timezone
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask, Response, jsonify, make_response, request, request_finished, send_from_directory
from locust.web import WebUI

from load.groups import report
from load.groups.charts import chart_data, tab_rows
from load.groups.pacing import Pacing
from load.groups.rows import groups_csv

if TYPE_CHECKING:
    from load.groups.plugin import Groups

__all__ = ["add_pages"]

_FILES = Path(__file__).parent


def add_pages(web_ui: WebUI, groups: Groups) -> None:
    """Add tab, CSV file, report section and charts to Locust's web UI."""
    app, options = web_ui.app, groups.environment.parsed_options
    assert app is not None
    base = ((options.web_base_path if options else None) or "").rstrip("/")
    key = f"{groups.noun}s"
    app.register_blueprint(_pages(web_ui, groups, key), url_prefix=base or None)
    # Not deferred, so that it says where the browser is before Locust's own script, which is, asks for the table.
    script = f'<script src="./{key}/chart.js" data-key="{key}" data-title="{key.capitalize()}"></script>\n'
    extensions: dict[str, dict[str, Any]] = {
        "extended_tabs": {"key": key, "title": key.capitalize()},
        "extended_tables": {"key": key, "structure": _structure(groups)},
        "extended_csv_files": {"href": f"./{key}/csv", "title": f"Download {key} CSV"},
    }

    def extend_page() -> None:
        # For each page anew: another plugin may have set a list of its own since.
        for name, extension in extensions.items():
            there = web_ui.template_args.get(name) or []
            if extension not in there:
                web_ui.template_args[name] = [*there, extension]

    def extend_answer(_: Flask, response: Response, **__: Any) -> None:
        if response.status_code != 200:
            return
        match request.path.removeprefix(base):
            case "/" | "" if response.mimetype == "text/html":
                before, end, after = response.get_data(as_text=True).rpartition("</body>")
                response.set_data(before + script + end + after)
            case "/stats/report":
                rows, even = groups.shown()
                page, theme = response.get_data(as_text=True), request.args.get("theme") or "light"
                nouns = (groups.noun, groups.detail_noun)
                response.set_data(report.with_section(page, rows, even, groups.notes(), *nouns, theme))
            case "/stats/requests" if response.is_json:
                # Locust keeps its answer for two seconds, so that ours may be in it.
                answer = response.get_json()
                others = [of for of in answer.get("extended_stats") or [] if of.get("key") != key]
                ours = {"key": key, "data": tab_rows(*groups.shown(), groups.noun, _zone())}
                response.set_data(json.dumps({**answer, "extended_stats": [*others, ours]}))

    extend_page()
    app.before_request(extend_page)
    # After what others do by `after_request`: as Locust's documentation shows it, they set lists of their own.
    request_finished.connect(extend_answer, app, weak=False)


def _structure(groups: Groups) -> list[dict[str, str]]:
    titles = {
        "group": groups.noun.capitalize(),
        **({"detail": groups.detail_noun.capitalize()} if groups.detail_noun else {}),
        "requests": "# Requests",
        "share": "Share (%)",
        "vs_even": "From its even part (%)",
        "failures": "# Fails",
        "p50_ms": "50%ile (ms)",
        "p95_ms": "95%ile (ms)",
        "p99_ms": "99%ile (ms)",
        "first_seen": "First seen",
        "last_seen": "Last seen",
    }
    return [{"key": key, "title": title} for key, title in titles.items()]


def _zone() -> timezone | None:
    """The browser's, which chart.js says in a cookie: Locust's own script, which asks for the table, says nothing."""
    try:
        return timezone(timedelta(minutes=int(request.cookies["load_groups_utc_offset"])))
    except (KeyError, ValueError, OverflowError):
        return None


def _pages(web_ui: WebUI, groups: Groups, key: str) -> Blueprint:
    pages = Blueprint(f"load_{key}", __name__, url_prefix=None)
    protected: Callable[[Callable[..., Response]], Callable[..., Response]] = web_ui.auth_required_if_enabled

    @pages.route(f"/{key}")
    @protected
    def chart_page() -> Response:
        page = (_FILES / "chart.html").read_text(encoding="utf-8")
        return make_response(page.replace("{key}", escape(key)).replace("{title}", escape(key.capitalize())))

    @pages.route(f"/{key}/<any('chart.js', 'chart.css'):name>")
    @protected
    def chart_file(name: str) -> Response:
        return send_from_directory(_FILES, name)

    @pages.route(f"/{key}/data")
    @protected
    def data() -> Response:
        environment = groups.environment
        said = {
            "state": environment.runner.state if environment.runner else "missing",
            "target": environment.host or "",
            "notes": groups.notes(_zone()),
            "noun": groups.noun,
            "detail_noun": groups.detail_noun,
        }
        since, before = request.args.get("since", 0, type=int), int(time.time()) - groups.delay
        running, pacing = not groups.is_over, Pacing()
        shown = groups.shown()
        drawn = chart_data(groups.counts, *shown, groups.noun, before, since, pacing, _zone(), running=running)
        return jsonify(said | drawn)

    @pages.route(f"/{key}/csv")
    @protected
    def csv_file() -> Response:
        response = make_response(groups_csv(groups.counts.groups(), groups.noun, groups.detail_noun))
        response.headers["Content-Type"] = "text/csv"
        response.headers["Content-Disposition"] = f"attachment; filename={key}.csv"
        return response

    return pages
