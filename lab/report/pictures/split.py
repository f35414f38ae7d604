"""Pictures of splits over hosts: how far each host is from its even part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from lab.distribution.intervals import CONFIDENCE, Share
from lab.distribution.judgement import Analysis
from lab.imports import special
from lab.report.pictures import COLOURS, DASHES, INK, LINES, WIDTH, fit, new_figure, page_figure, svgs, title
from lab.report.split_words import convergence_title, deviations_title
from lab.report.words import MOST_DRAWN, deviation_ends, furthest, percent, short

Legend = Literal["lower center", "outside lower center"]

_CONVERGENCE_HEIGHT = 3.6
_MOST_LINES = 100
_MOST_COLOURED = 6  # hosts furthest off; the others are thin lines without a name
_MOST_POINTS = 200  # of a line, closer together where it begins
_MARKS = ("o", "s", "D")  # of the splits that are drawn beside each other; the first are hollow


def deviations_svgs(
    splits: Mapping[str, Sequence[Share]], roles: Mapping[str, str] | None = None, widths: Sequence[float] = (WIDTH,)
) -> list[str]:
    """Each host's deviation from its even part with its interval round a zero line, as an `<svg>` of each width.

    splits: the shares of one split or of several by name, such as before and after. roles: each host's part in the
    event.
    """
    longest = max(len(name) for name in short(_hosts(splits)).values())
    figure = page_figure()
    axes = figure.subplots()
    _draw_deviations(axes, splits, roles or {})

    def lay_out(width: float) -> None:
        below = 0.35 + 0.2 * (1 if width > 5 else len(splits))
        fit(figure, _height(splits) + below - 0.5, width, (0.15 + 0.075 * longest, below))
        _fit_deviations(figure, axes, width, "lower center")

    return svgs(figure, widths, lay_out)


def convergence_svgs(
    analysis: Analysis, roles: Mapping[str, str] | None = None, widths: Sequence[float] = (WIDTH,)
) -> list[str]:
    """How each host's deviation shrinks as requests add up, as an `<svg>` of each width; none without time."""
    if not _has_time(analysis):
        return []
    figure = page_figure()
    _draw_convergence(figure.subplots(), analysis, roles)

    def lay_out(width: float) -> None:
        fit(figure, _CONVERGENCE_HEIGHT, width, (0.75, 0.55 + 0.2 * (2 if width > 5 else 4)))
        figure.legend(loc="lower center", ncols=4 if width > 5 else 2)

    return svgs(figure, widths, lay_out)


def analysis_figure(analysis: Analysis) -> Figure:
    """Both pictures in one figure, the second where there is time or order."""
    splits = {"": analysis.shares}
    heights = [_height(splits), *([_CONVERGENCE_HEIGHT] if _has_time(analysis) else [])]
    figure = new_figure(sum(heights))
    upper, *lower = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    axes = upper.subplots()
    _draw_deviations(axes, splits, {})
    _fit_deviations(upper, axes, WIDTH, "outside lower center")
    title(upper, deviations_title(splits))
    for each in lower:
        _draw_convergence(each.subplots(), analysis, None)
        each.legend(loc="outside lower center", ncols=4)
        title(each, convergence_title(analysis))
    return figure


def _signed(value: float, _: object = None) -> str:
    return "even" if abs(value) < 1e-12 else f"{'+' if value > 0 else '-'}{percent(abs(value))}"


def _hosts(splits: Mapping[str, Sequence[Share]]) -> list[str]:
    shown = {share.host for shares in splits.values() for share in furthest(shares, MOST_DRAWN)}
    return [host for host in dict.fromkeys(s.host for shares in splits.values() for s in shares) if host in shown]


def _height(splits: Mapping[str, Sequence[Share]]) -> float:
    return 1.0 + (0.2 + 0.12 * len(splits)) * len(_hosts(splits))


def _has_time(analysis: Analysis) -> bool:
    longest = analysis.subject.exposure.longest
    return longest is not None and int(np.count_nonzero(longest.counts.sum(axis=1))) > 1


def _draw_deviations(axes: Axes, splits: Mapping[str, Sequence[Share]], roles: Mapping[str, str]) -> None:
    hosts = _hosts(splits)
    names = short(hosts)
    space = 0.7 / len(splits)
    axes.axvline(0, color=INK, linewidth=1)
    for number, (name, shares) in enumerate(splits.items()):
        label = f"{name}: " if name else ""
        hollow = len(splits) > 1 and number == 0
        for share in shares:
            if share.host not in names or not share.expected_share:
                continue
            low, high = deviation_ends(share)
            row = hosts.index(share.host) + (number - (len(splits) - 1) / 2) * space
            colour = LINES[roles.get(share.host, "")]
            axes.plot([low, high], [row, row], color=colour, linewidth=2.2, solid_capstyle="butt")
            face = "none" if hollow else colour
            axes.plot(share.deviation, row, _MARKS[number % 3], color=colour, markerfacecolor=face, markersize=6)
        interval = f"{label}measured, and {percent(CONFIDENCE)} interval for all hosts at once"
        face = "none" if hollow else INK
        axes.plot([], [], f"{_MARKS[number % 3]}-", color=INK, markerfacecolor=face, markersize=6, label=interval)
    axes.set_yticks(range(len(hosts)), [names[host] for host in hosts])
    axes.set_ylim(len(hosts) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    # Symmetric, and never so close that a deviation of no consequence looks large.
    reach = max(0.02, *(abs(end) for end in axes.get_xlim()))
    axes.set_xlim(-reach, reach)
    axes.xaxis.set_major_formatter(FuncFormatter(_signed))


def _fit_deviations(figure: FigureBase, axes: Axes, width: float, legend: Legend) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(8 if width > 5 else 4, symmetric=True))
    figure.legend(loc=legend, ncols=2 if width > 5 else 1)


def _draw_convergence(axes: Axes, analysis: Analysis, roles: Mapping[str, str] | None) -> None:
    """Deviation of every host after n requests, in the longest epoch, and where chance keeps 95 % of them."""
    exposure, hosts = analysis.subject.exposure, analysis.subject.hosts
    windows = exposure.longest
    assert windows is not None
    expected_shares = exposure.shares[exposure.counts.sum(axis=1).argmax()]
    there = np.flatnonzero(expected_shares > 0)
    share = expected_shares[there]
    told = short(hosts)
    names = [told[hosts[column]] for column in there]
    sofar = np.cumsum(windows.counts[:, there], axis=0)
    sofar = sofar[np.unique(np.geomspace(1, len(sofar), _MOST_POINTS).astype(int)) - 1]
    requests = sofar.sum(axis=1)
    deviation = sofar / (requests[:, np.newaxis] * share) - 1
    final = np.abs(deviation[-1])
    order = [int(column) for column in np.argsort(-final)]
    grid = np.geomspace(max(1, requests[0]), requests[-1], _MOST_POINTS)
    smallest = float(share.min())
    # So many standard deviations hold all hosts at once (Bonferroni).
    deviations = -float(special.ndtri((1 - CONFIDENCE) / (2 * len(there))))
    limit = deviations * np.sqrt((1 - smallest) / (smallest * grid))
    area = f"{percent(CONFIDENCE)} of chance, at any one point"
    axes.fill_between(grid, -limit, limit, color=INK, alpha=0.2, linewidth=0, label=area)
    axes.axhline(0, color=INK, linewidth=0.8)
    for column in order[_MOST_COLOURED:_MOST_LINES]:
        axes.plot(requests, deviation[:, column], color=INK, linewidth=0.7, alpha=0.7)
    for number, column in enumerate(sorted(order[:_MOST_COLOURED], key=names.__getitem__)):
        colour = COLOURS[number] if roles is None else LINES[roles.get(hosts[there[column]], "")]
        style: dict[str, Any] = {"color": colour, "linestyle": DASHES[number], "linewidth": 1.5}
        axes.plot(requests, deviation[:, column], label=names[column], **style)
    axes.set_xscale("log")
    axes.set_xlim(max(grid[0], grid[-1] / 1000), grid[-1])
    top = 1.15 * max(float(np.interp(grid[-1] / 20, grid, limit)), float(final.max()))
    axes.set_ylim(-top, top)
    low, high = axes.get_xlim()
    decades = LogLocator(subs=(1.0, 2.0, 5.0), numticks=20)
    axes.xaxis.set_major_locator(decades if high > 10 * low else MaxNLocator(6, steps=(1, 2, 5, 10)))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(_signed))
    axes.set_xlabel("requests so far")
