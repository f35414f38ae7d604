"""The pictures that belong to runs alone, as SVG text: what happened second by second, and the heat map of a sweep."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.colors import LinearSegmentedColormap, LogNorm

from lab.experiments.findings import Findings, is_failure
from lab.report.pictures.style import FAILURE, INK, STYLE, new_figure, svg
from lab.report.words import percent
from load.results import Run

__all__ = ["heat_map", "timeline"]

# What is swept, for the axes.
_MEANING = {
    "discovery_ttl": "seconds that the gateway caches discovery",
    "connect_retries": "times that a refused connection is tried elsewhere",
    "front_ends": "independent balancers of the gateway",
    "drain_seconds": "seconds that the application serves on after SIGTERM",
    "stop_timeout": "seconds from SIGTERM to SIGKILL",
    "deregistration_delay": "seconds from deregistration to the stop of a task",
    "registration_wait": "seconds that a task which does not listen is held back",
    "proxy_drain": "seconds that the proxy serves on after the application",
    "proxy_restarts": "times that a crashed proxy is started anew",
    "running_grace": "seconds after which a running task counts as healthy",
    "namespace_cleanup": "seconds until a deleted service is out of Cloud Map",
}

_MOST_NAMED = 12  # hosts in the legend
_FAULT = (0, (4, 3))  # dashes
_LEAST = 0.0001  # share of failed requests that has the lightest colour
_NO_HOST = "#9a9a9a"


def timeline(run: Run, findings: Findings, colours: Mapping[str, str]) -> str:
    """Requests per second by host, stacked, with failures below the axis and the fault marked."""
    start = min(row.second for row in run.timeline)
    # A second's value holds from its beginning to its end: one step more than there are seconds.
    seconds = range(start, max(row.second for row in run.timeline) + 2)
    x = [second - start for second in seconds]
    answered: Mapping[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    failed: dict[int, int] = defaultdict(int)
    for row in run.timeline:
        if is_failure(row):
            failed[row.second] += row.requests
        else:
            answered[row.hostname][row.second] += row.requests
    # Known hosts in the order of the page's colours, then answers in which no host named itself.
    hosts = [host for host in (*colours, "") if host in answered]
    figure = new_figure(3.2, 8.4)
    with matplotlib.rc_context(STYLE):
        axes = figure.subplots()
        series = [[answered[host].get(second, 0) for second in seconds] for host in hosts]
        labels = [(host or "no host known") if number < _MOST_NAMED else "_" for number, host in enumerate(hosts)]
        colors = [colours.get(host, _NO_HOST) for host in hosts]
        if hosts:
            axes.stackplot(x, series, labels=labels, colors=colors, step="post", linewidth=0)
        if failed:
            depths = [-failed.get(second, 0) for second in seconds]
            axes.fill_between(x, depths, step="post", color=FAILURE, linewidth=0, label="failed (below the axis)")
            axes.axhline(0, color=INK, linewidth=0.6)
        if fault := findings.fault:
            axes.axvline(fault.at - start, color=INK, linewidth=1, linestyle=_FAULT)
            where, anchor = (fault.at - start, 1), ("data", "axes fraction")
            axes.annotate(fault.kind, where, xycoords=anchor, ha="right", va="bottom")
            if fault.until is not None and fault.until < seconds[-1]:
                axes.axvline(fault.until - start, color=INK, linewidth=1, linestyle=_FAULT)
                axes.annotate("its end", (fault.until - start, 1), xycoords=anchor, ha="left", va="bottom")
        axes.set_xlim(x[0], x[-1])
        axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):,.0f}")
        axes.set_xlabel("seconds since the first answer")
        axes.set_ylabel("requests per second")
        figure.legend(loc="outside lower center", ncols=2, fontsize="small")
    return svg(figure)


def heat_map(names: tuple[str, str], values: Sequence[Mapping[str, float]], failures: Sequence[float]) -> str:
    """The share of requests that failed at each setting: one name goes right, the other, if there is one, up.

    Colours are the same in every report: a share below the least that is told apart is as light as that one.
    """
    across, up = names
    columns = sorted({setting[across] for setting in values})
    rows = sorted({setting.get(up, 0.0) for setting in values})
    grid = np.full((len(rows), len(columns)), np.nan)
    for setting, value in zip(values, failures, strict=True):
        grid[rows.index(setting.get(up, 0.0)), columns.index(setting[across])] = value
    colours = LinearSegmentedColormap.from_list("failures", [f"{FAILURE}30", f"{FAILURE}d0"])
    lossy = np.ma.masked_invalid(np.where(grid > 0, np.maximum(grid, _LEAST), np.nan))
    figure = new_figure(1.3 + 0.5 * len(rows))
    with matplotlib.rc_context(STYLE):
        axes = figure.subplots()
        axes.pcolormesh(lossy, cmap=colours, norm=LogNorm(_LEAST, 1.0), edgecolors=INK, linewidth=0.6)
        for (row, column), value in np.ndenumerate(grid):
            if not np.isnan(value):
                text = "none" if value == 0 else percent(value)
                axes.text(column + 0.5, row + 0.5, text, ha="center", va="center")
        axes.set_xticks(np.arange(len(columns)) + 0.5, [f"{value:g}" for value in columns])
        axes.set_yticks(np.arange(len(rows)) + 0.5, [f"{value:g}" for value in rows] if up else [""])
        axes.tick_params(length=0)
        axes.set_xlabel(_axis(across))
        axes.set_ylabel(textwrap.fill(_axis(up), 8 + 6 * len(rows)))
    return svg(figure)


def _axis(name: str) -> str:
    """A parameter and its meaning."""
    return f"{name}: {_MEANING[name]}" if name in _MEANING else name
