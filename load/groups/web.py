"""Locust's web UI, extended: the tab "Hostnames" with its CSV file, and a page with live charts.

Every page asks for the login that `--web-login` asks for and lies under `--web-base-path`; nothing comes from
another server. Locust's own tabs show once a test was started; the charts are there before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify, make_response, request, send_from_directory
from locust.runners import STATE_CLEANUP, STATE_RUNNING, STATE_SPAWNING, STATE_STOPPING
from locust.web import WebUI

from load.errors import BadOption, LoadError
from load.groups import report
from load.groups.counts import Counts
from load.groups.evenness import SETTLE, EvenPart
from load.groups.rows import OTHER_HOSTS, UNKNOWN_HOST, HostRow, is_failure
from load.groups.table import shown_name
from load.results import hosts_csv
from load.traffic.guard import stand_before
from load.traffic.options import apply_shape, require_host
from load.traffic.settings import DEFAULTS, LoadSettings

if TYPE_CHECKING:
    from load.traffic.listener import HostnameListener

__all__ = ["add_pages", "chart_data"]

WINDOW = 120
"""Seconds that the charts show at most."""

_SHORTEST_WINDOW = 30

_MOST_ROWS = 500
"""As many as Locust's own tables show."""

_MOST_SERIES = 8

_TAB = "hostnames"

_COLUMNS = [
    ("hostname", "Hostname"),
    ("availability_zone", "Availability zone"),
    ("requests", "# Requests"),
    ("share", "Share (%)"),
    ("vs_even", "From its even part (%)"),
    ("failures", "# Fails"),
    ("p50_ms", "50%ile (ms)"),
    ("p95_ms", "95%ile (ms)"),
    ("p99_ms", "99%ile (ms)"),
    ("first_seen", "First seen"),
    ("last_seen", "Last seen"),
]

# Locust's script builds the page inside #root and takes no notice of what is outside.
_LINK = """<a href="./hostnames" id="hostnames-chart" style="position:fixed;left:24px;bottom:16px;z-index:9;
padding:8px 16px;border-radius:20px;background:#15803d;color:#fff;font:500 14px Roboto,Helvetica,Arial,sans-serif;
text-decoration:none;box-shadow:0 2px 6px #0006">Hostnames: live charts</a>
"""

_FILES = Path(__file__).parent


def add_pages(web_ui: WebUI, listener: HostnameListener) -> None:
    """Add tab, CSV file and charts to Locust's web UI, and let its Start button check the load's options."""
    app = web_ui.app
    assert app is not None
    web_ui.template_args.update(
        {
            "extended_tabs": [{"title": "Hostnames", "key": _TAB}],
            "extended_tables": [
                {"key": _TAB, "structure": [{"key": key, "title": title} for key, title in _COLUMNS]},
            ],
            "extended_csv_files": [{"href": "./hostnames/csv", "title": "Download hostnames CSV"}],
        }
    )
    options = listener.environment.parsed_options
    stand_before(app, (options.web_host if options else None) or "")
    app.register_blueprint(_pages(web_ui, listener), url_prefix=(options.web_base_path if options else None) or None)

    def extend(endpoint: str, extension: Callable[[Response], Response]) -> None:
        original = app.view_functions[endpoint]

        def view(**arguments: Any) -> Response:
            return extension(make_response(original(**arguments)))

        app.view_functions[endpoint] = web_ui.auth_required_if_enabled(view)

    def add_link(response: Response) -> Response:
        return make_response(response.get_data(as_text=True).replace("</body>", _LINK + "</body>"))

    def add_rows(response: Response) -> Response:
        # Locust keeps its answer for two seconds, so it is copied, not changed.
        rows = tab_rows(listener.counts.hosts(), listener.even_parts())
        return jsonify({**response.get_json(), "extended_stats": [{"key": _TAB, "data": rows}]})

    def add_section(response: Response) -> Response:
        theme = request.args.get("theme") or "light"
        text = report.with_section(
            response.get_data(as_text=True),
            listener.counts.hosts(),
            listener.even_parts(),
            listener.notes(),
            theme=theme,
        )
        response.set_data(text)
        return response

    extend("locust.index", add_link)
    extend("locust.request_stats", add_rows)
    extend("locust.stats_report", add_section)
    swarm = app.view_functions["locust.swarm"]

    def checked_swarm() -> Response:
        if sentence := _refusal(listener, request.form):
            return jsonify({"success": False, "message": sentence, "host": listener.environment.host})
        return make_response(swarm())

    app.view_functions["locust.swarm"] = web_ui.auth_required_if_enabled(checked_swarm)


def _pages(web_ui: WebUI, listener: HostnameListener) -> Blueprint:
    pages = Blueprint("hostnames", __name__)
    protected: Callable[[Callable[..., Response]], Callable[..., Response]] = web_ui.auth_required_if_enabled

    @pages.route("/hostnames")
    @protected
    def chart_page() -> Response:
        return send_from_directory(_FILES, "chart.html")

    @pages.route("/hostnames/<any('chart.js', 'chart.css'):name>")
    @protected
    def chart_file(name: str) -> Response:
        return send_from_directory(_FILES, name)

    @pages.route("/hostnames/data")
    @protected
    def data() -> Response:
        environment = listener.environment
        return jsonify(
            {
                "state": environment.runner.state if environment.runner else "missing",
                "target": environment.host or "",
                "notes": listener.notes(),
                **chart_data(listener.counts, listener.even_parts(), int(time.time()) - listener.recorder.delay),
            }
        )

    @pages.route("/hostnames/csv")
    @protected
    def hosts_file() -> Response:
        response = make_response(hosts_csv(listener.counts.hosts()))
        response.headers["Content-Type"] = "text/csv"
        response.headers["Content-Disposition"] = "attachment; filename=hostnames.csv"
        return response

    return pages


def _refusal(listener: HostnameListener, form: Mapping[str, str]) -> str:
    """Why a test cannot start with what the form says; "" where it can, and then it is prepared."""
    environment = listener.environment
    runner, options = environment.runner, environment.parsed_options
    given = {**(vars(options) if options else {}), **{name: form[name] for name in DEFAULTS if name in form}}
    try:
        settings = LoadSettings.from_options(given)
        require_host(environment, form.get("host"))
        if runner is not None and runner.state in (STATE_CLEANUP, STATE_STOPPING):
            raise BadOption("The last test still waits for answers to the requests under way; start again after it.")
        if runner is not None and runner.state not in (STATE_SPAWNING, STATE_RUNNING):
            apply_shape(environment, settings.shape)
            listener.prepare()
        elif options is not None and settings != LoadSettings.from_options(options):
            raise BadOption("The options of the load cannot be changed while a test runs; stop it first.")
    except LoadError as error:
        return str(error)
    return ""


def tab_rows(rows: Sequence[HostRow], even: Mapping[str, EvenPart]) -> list[dict[str, object]]:
    """The rows of the tab "Hostnames"; `even` is by hostname. A percentage is None without any host beside it."""

    def percent(fraction: float | None) -> float | None:
        return None if fraction is None else round(fraction * 100, 2)

    return [
        {
            "hostname": shown_name(row),
            "availability_zone": row.availability_zone,
            "requests": row.requests,
            "share": percent(row.share),
            "vs_even": percent(even[row.hostname].deviation if row.hostname in even else None),
            "chance": percent(even[row.hostname].chance if row.hostname in even else None),
            "failures": row.failures,
            "p50_ms": round(row.p50_ms, 1),
            "p95_ms": round(row.p95_ms, 1),
            "p99_ms": round(row.p99_ms, 1),
            "first_seen": _clock(row.first_seen),
            "last_seen": _clock(row.last_seen),
        }
        for row in rows[:_MOST_ROWS]
    ]


def _role(row: HostRow, first: int, last: int) -> str:
    """What a host is in a run whose first and last answers came in these seconds: it stays, has stopped, or is new."""
    if row.hostname in (UNKNOWN_HOST, OTHER_HOSTS):
        return "other"
    if row.last_seen < last - SETTLE:
        return "stopped"
    return "new" if row.first_seen > first + SETTLE else "stays"


def _clock(seconds: float) -> str:
    return time.strftime("%H:%M:%SZ", time.gmtime(seconds))


def chart_data(counts: Counts, even: Mapping[str, EvenPart], before: int) -> dict[str, Any]:
    """What the charts show of the last WINDOW seconds in which requests ended, of those before `before`.

    `requests` has, for each of the largest known hosts and for the others together, the requests of each second;
    `failures` those of the whole service. Requests without an answer and statuses from 400 are failures.
    """
    rows = counts.hosts()
    known = sorted((row for row in rows if row.hostname != UNKNOWN_HOST), key=lambda row: -row.requests)
    series = sorted(row.hostname for row in known[:_MOST_SERIES] if row.hostname != OTHER_HOSTS)
    if len(known) > len(series):
        series.append(OTHER_HOSTS)
    first, last = counts.seconds or (before, before)
    # The load rarely ends with a second, and a part of one would look like a collapse.
    part = last > first and not any(is_failure(row.status) for row in counts.timeline(last, last + 1))
    end = min(before, last if part else last + 1)
    start = max(end - WINDOW, min(first, end - _SHORTEST_WINDOW))
    requests = {name: [0] * (end - start) for name in series}
    failures = [0] * (end - start)
    for row in counts.timeline(start, end):
        if is_failure(row.status):
            failures[row.second - start] += row.requests
        if row.hostname != UNKNOWN_HOST:
            requests[row.hostname if row.hostname in requests else OTHER_HOSTS][row.second - start] += row.requests
    return {
        "hosts": [
            {**shown, "role": _role(row, first, last)} for shown, row in zip(tab_rows(rows, even), rows, strict=False)
        ],
        "known_hosts": sum(row.hostname not in (UNKNOWN_HOST, OTHER_HOSTS) for row in rows),
        "start": start,
        "requests": requests,
        "failures": failures,
        "total_requests": counts.requests,
        "total_failures": counts.failures,
    }
