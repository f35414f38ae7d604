"""The pictures of a run, as SVG text: drawn by matplotlib, inked in the page's own colour for light and dark."""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lab.experiments.findings import Findings, Period, is_failure
from load.results import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["distribution", "timeline"]

# Okabe and Ito's colours: told apart by colour-blind readers, legible on white and on near-black.
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999933", "#882255")
FAILURE = "#d62728"
_INK = "#123457"  # stands for the page's text colour until the SVG is done: a colour that no picture uses


def timeline(run: Run, findings: Findings) -> str:
    """Requests per second by host, stacked, with failures below the axis and the fault marked."""
    figure, axes = _figure(3.2)
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
    hosts = [host.hostname for host in findings.hosts if host.hostname in answered]
    series = [[answered[host].get(second, 0) for second in seconds] for host in hosts]
    colours = host_colours(findings)
    axes.stackplot(x, series, labels=hosts, colors=[colours[host] for host in hosts], step="post", linewidth=0)
    if failed:
        depths = [-failed.get(second, 0) for second in seconds]
        axes.fill_between(x, depths, step="post", color=FAILURE, linewidth=0, label="failed (below the axis)")
        axes.axhline(0, color=_INK, linewidth=0.6)
    if findings.fault:
        at = findings.fault.at - start
        axes.axvline(at, color=_INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            findings.fault.kind, (at, 1), xycoords=("data", "axes fraction"), ha="right", va="bottom", color=_INK
        )
    axes.set_xlim(x[0], x[-1])
    axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):,.0f}")
    axes.set_xlabel("seconds since the first answer")
    axes.set_ylabel("requests per second")
    figure.legend(loc="outside lower center", ncols=2, frameon=False, labelcolor=_INK)
    return _svg(figure)


def distribution(period: Period, findings: Findings) -> str:
    """Each host's share of a period's requests, as its distance from an even split, in percent of that."""
    hosts = list(period.counts)
    even = sum(period.counts.values()) / len(hosts)
    figure, axes = _figure(0.9 + 0.34 * len(hosts))
    deviations = [100 * (count / even - 1) for count in period.counts.values()]
    # Two standard deviations of one host's count, were each request sent to a host by chance.
    chance = 200 * ((1 - 1 / len(hosts)) / even) ** 0.5
    axes.axvspan(-chance, chance, color=_INK, alpha=0.12, linewidth=0)
    axes.axvline(0, color=_INK, linewidth=0.8)
    colours = host_colours(findings)
    axes.barh(hosts, deviations, color=[colours[host] for host in hosts], height=0.6)
    reach = 1.15 * max(chance, *map(abs, deviations))
    axes.set_xlim(-reach, reach)
    axes.invert_yaxis()
    axes.set_xlabel("percent from an even split; shaded: two standard deviations under pure chance")
    return _svg(figure)


def host_colours(findings: Findings) -> Mapping[str, str]:
    """A colour for each host of a run, the same in all its pictures."""
    return {host.hostname: PALETTE[i % len(PALETTE)] for i, host in enumerate(findings.hosts)}


def _figure(height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.4, height), layout="constrained")
    axes = figure.subplots()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_INK)
    axes.tick_params(colors=_INK, labelsize=9)
    axes.xaxis.label.set_color(_INK)
    axes.yaxis.label.set_color(_INK)
    return figure, axes


def _svg(figure: Figure) -> str:
    """The SVG element alone, without a date, its text as text and in the page's colour."""
    import matplotlib as mpl

    text = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "report"}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    return re.sub(re.escape(_INK), "currentColor", svg[svg.index("<svg") :])
