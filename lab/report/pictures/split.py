"""Pictures of a distribution, for the report (SVG text) and for files."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib
import numpy as np
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import EngFormatter, FuncFormatter, Locator, LogLocator, MaxNLocator, NullFormatter
from scipy import stats

from lab.distribution.analysis import Analysis
from lab.distribution.intervals import CONFIDENCE, Share
from lab.report.pictures.style import COLOURS, INK, STYLE, new_figure, svg, title
from lab.report.words import furthest, percent

__all__ = [
    "analysis_figure",
    "convergence_svg",
    "convergence_title",
    "distribution_svg",
    "distribution_title",
    "percents",
]

_CONVERGENCE_HEIGHT = 3.6
_MOST_BARS = 30
_DASHES = (0, (2, 1))
_MOST_LINES = 100
_MOST_COLOURED = 6  # hosts furthest off; the others are thin lines without a name
_MOST_POINTS = 200  # of a line, closer together where it begins


def distribution_svg(analysis: Analysis, colours: Mapping[str, str] | None = None) -> str:
    """Each host's share with its interval and what an even split expects, as an `<svg>` element without title.

    `colours` are those of the hosts; without them all have the same.
    """
    shares = furthest(analysis.shares, _MOST_BARS)
    figure = new_figure(_height(shares))
    with matplotlib.rc_context(STYLE):
        _draw_shares(figure, shares, colours or {})
    return svg(figure)


def convergence_svg(analysis: Analysis, colours: Mapping[str, str] | None = None) -> str | None:
    """How each host's deviation shrinks as requests add up, as an `<svg>` element without title; None without time.

    `colours` are those of the hosts; without them they follow each other.
    """
    if not _has_time(analysis):
        return None
    figure = new_figure(_CONVERGENCE_HEIGHT)
    with matplotlib.rc_context(STYLE):
        _draw_convergence(figure, analysis, colours or {})
    return svg(figure)


def distribution_title(analysis: Analysis) -> str:
    """What `distribution_svg` shows."""
    hosts = len(analysis.shares)
    some = f": the {_MOST_BARS} of {hosts:,} that are furthest off" if hosts > _MOST_BARS else ""
    moved = any(row.joined or row.left for row in analysis.shares)
    return f"What each host got{' in its own time' if moved else ''}{some}"


def convergence_title(analysis: Analysis) -> str:
    """What `convergence_svg` shows."""
    stretch = "" if analysis.subject.exposure.constant else ", in the longest stretch with the same hosts"
    return f"How far each host is from an even split as requests add up{stretch}"


def analysis_figure(analysis: Analysis) -> Figure:
    """Both pictures in one figure, the second where there is time or order."""
    shares = furthest(analysis.shares, _MOST_BARS)
    height = _height(shares)
    with matplotlib.rc_context(STYLE):
        if not _has_time(analysis):
            figure = new_figure(height)
            _draw_shares(figure, shares, {})
            title(figure, distribution_title(analysis))
            return figure
        figure = new_figure(height + _CONVERGENCE_HEIGHT)
        upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=(height, _CONVERGENCE_HEIGHT))[:, 0]
        _draw_shares(upper, shares, {})
        title(upper, distribution_title(analysis))
        _draw_convergence(lower, analysis, {})
        title(lower, convergence_title(analysis))
    return figure


def percents(value: float, _: object = None) -> str:
    """A tick of an axis of fractions."""
    return percent(value)


def _height(shares: list[Share]) -> float:
    return 1.2 + 0.28 * len(shares)


def _has_time(analysis: Analysis) -> bool:
    longest = analysis.subject.exposure.longest
    return longest is not None and int(np.count_nonzero(longest.counts.sum(axis=1))) > 1


def _short(hosts: list[str]) -> list[str]:
    """Hostnames up to the first dot, where that tells them apart."""
    short = [host.partition(".")[0] for host in hosts]
    return short if all(short) and len(set(short)) == len(hosts) else hosts


def _draw_shares(figure: FigureBase, shares: list[Share], colours: Mapping[str, str]) -> None:
    axes = figure.subplots()
    rows = np.arange(len(shares))
    share = np.array([row.share for row in shares])
    low, high = np.array([row.low for row in shares]), np.array([row.high for row in shares])
    bars = [colours.get(row.host, COLOURS[0]) for row in shares]
    axes.barh(rows, share, height=0.62, color=bars, alpha=0.7, label="share of the requests")
    interval = f"{percent(CONFIDENCE)} interval, for all hosts at once"
    axes.errorbar(
        share, rows, xerr=(share - low, high - share), fmt="none", ecolor=INK, capsize=3, elinewidth=1.4, label=interval
    )
    expected = [row.expected_share for row in shares]
    axes.vlines(expected, rows - 0.45, rows + 0.45, color=INK, linewidth=1.8, linestyles=_DASHES, label="even split")
    axes.set_yticks(rows, _short([row.host for row in shares]))
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(FuncFormatter(percents))
    figure.legend(loc="outside lower center", ncols=3, fontsize="small")


def _draw_convergence(figure: FigureBase, analysis: Analysis, colours: Mapping[str, str]) -> None:
    """Deviation of every host after n requests, in the longest epoch, and where chance keeps 95 % of them."""
    axes = figure.subplots()
    exposure, hosts = analysis.subject.exposure, analysis.subject.hosts
    windows = exposure.longest
    assert windows is not None
    expected_shares = exposure.shares[exposure.counts.sum(axis=1).argmax()]
    there = np.flatnonzero(expected_shares > 0)
    share = expected_shares[there]
    names = _short([hosts[column] for column in there])
    sofar = np.cumsum(windows.counts[:, there], axis=0)
    sofar = sofar[np.unique(np.geomspace(1, len(sofar), _MOST_POINTS).astype(int)) - 1]
    requests = sofar.sum(axis=1)
    deviation = sofar / (requests[:, np.newaxis] * share) - 1
    final = np.abs(deviation[-1])
    order = [int(column) for column in np.argsort(-final)]
    grid = np.geomspace(max(1, requests[0]), requests[-1], _MOST_POINTS)
    smallest = float(share.min())
    limit = _limit(len(there)) * np.sqrt((1 - smallest) / (smallest * grid))
    axes.fill_between(
        grid,
        -limit,
        limit,
        color=INK,
        alpha=0.2,
        linewidth=0,
        label=f"{percent(CONFIDENCE)} of chance, at any one point",
    )
    axes.axhline(0, color=INK, linewidth=0.8)
    for column in order[_MOST_COLOURED:_MOST_LINES]:
        axes.plot(requests, deviation[:, column], color=INK, linewidth=0.7, alpha=0.7)
    for number, column in enumerate(sorted(order[:_MOST_COLOURED], key=names.__getitem__)):
        colour = colours.get(hosts[there[column]], COLOURS[number])
        axes.plot(requests, deviation[:, column], color=colour, linewidth=1.5, label=names[column])
    axes.set_xscale("log")
    axes.set_xlim(max(grid[0], grid[-1] / 1000), grid[-1])
    top = 1.15 * max(float(np.interp(grid[-1] / 20, grid, limit)), float(final.max()))
    axes.set_ylim(-top, top)
    axes.xaxis.set_major_locator(_ticks(*axes.get_xlim()))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(percents))
    axes.set_xlabel("requests so far")
    axes.set_ylabel("off an even split")
    figure.legend(loc="outside lower center", ncols=4, fontsize="small")


def _ticks(low: float, high: float) -> Locator:
    """Several in any span of a logarithmic axis: 1, 2 and 5 of each decade, or even steps within one decade."""
    return LogLocator(subs=(1.0, 2.0, 5.0), numticks=20) if high > 10 * low else MaxNLocator(6, steps=(1, 2, 5, 10))


def _limit(hosts: int) -> float:
    """How many standard deviations hold all hosts at once with 95 % confidence (Bonferroni)."""
    return float(stats.norm.isf((1 - CONFIDENCE) / (2 * hosts)))
