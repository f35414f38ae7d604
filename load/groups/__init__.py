"""Requests of a Locust run by group: by a header, by host, by anything. Two lines in any locustfile:

from load.groups import track
track("header:x-served-by")
"""

# General layout
#
#   keys.py      what requests are grouped by
#   counts.py    counts per group and per second; latency.py their histograms, evenness.py how even they are, workers.py
#                what workers that stopped reporting took with them; rows.py in which they are given. Pure: they work in
#                any process
#   plugin.py    Locust's events -> counts -> outputs; the only one that knows Locust's roles
#   pacing.py    long work in short pieces, between which users of a local run go on
#   files.py     the CSV files beside Locust's; table.py the table in the terminal, report.py the section in its report
#   replacing.py how a file is written as a whole
#   web.py       the tab with its charts in Locust's web UI, and the page with the charts alone (chart.html, .css, .js);
#                charts.py their numbers
#   pyproject.toml, README.md   the same folder as a wheel of its own
#
# Only Locust and what it brings along is imported, and only when `track` is called.

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from load.groups.keys import Key
    from load.groups.plugin import Detail

__all__ = ["track"]


def track(by: str | Key = "url-host", *, noun: str = "group", detail: Detail | None = None) -> None:
    """Count the requests of this locustfile by group; call it once, where the locustfile is imported.

    Args:
        by: `header:NAME`, `url-host`, `json:PATH`, `module:function`, which the option `--group-by` overrides; or a
            function of response, URL, context and exception of Locust's `request` event that gives the group's name,
            "" where it is not known.
        noun: what a group is; it names the tab, the pages, the columns and the files.
        detail: a column beside the group's name: its title, and a key for it as `by`, which is asked once for a group.

    Raises ValueError for another text, and where it was called before.
    """
    from load.groups.plugin import register

    register(by, noun, detail)
