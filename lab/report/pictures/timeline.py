"""The pictures of runs, as SVG text: what happened second by second, the heat map of a sweep, what each event lost."""

from __future__ import annotations

import statistics
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from math import ceil
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.patches import Patch
from matplotlib.text import Annotation
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from matplotlib.transforms import blended_transform_factory
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from lab.experiments.findings import Findings
from lab.experiments.periods import last_second
from lab.records.run import record_of
from lab.report.pictures import COLOURS, FAILURE, INK, LINES, WIDTH, areas, fit, new_figure, page_figure, svgs
from lab.report.words import NO_HOST, SETTINGS, lost_seconds, percent, short
from load.results import SECOND_BITS, Run, is_failure, percentiles

_FAULT = (0, (4, 3))  # dashes
_LEAST = 0.0001  # share of failed requests that has the lightest colour
_NO_HOST = "#e3e3e3"
_ON_AREAS = "#14181d"  # text
_LETTER = 0.085  # inches, at most, of a name's letter
_LEFT = 0.65  # inches of the axis' names, at least
_NARROW = 3.9  # inches of a picture on a narrow screen
_LINE = 0.17  # inches that a name needs in height
_ROLES = {"": "stays", "gone": "gone", "new": "new"}
_FEWEST = 3  # whole seconds
_WIDE = 10_000  # from here on the name of a value has six letters
_FEW = 2  # hosts that are named in the legend


def timeline(run: Run, findings: Findings, roles: Mapping[str, str], widths: Sequence[float] = (WIDTH,)) -> list[str]:
    """Requests per second by host, stacked, with failures below the axis and the event marked; latencies beneath.

    Whole seconds only: the first is none, nor that in which the load ended, unless too few are left.

    roles: each host's part. Returns an `<svg>` of each width.
    """
    start = min(row.second for row in run.timeline)
    last = last_second(run, record_of(run))
    seconds = range(start, last + 1) if last - start < _FEWEST else range(start + 1, last)
    answered: dict[str, Counter[int]] = defaultdict(Counter)
    failed: Counter[int] = Counter()
    for row in run.timeline:
        if is_failure(row.status):
            failed[row.second] += row.requests
        else:
            answered[row.hostname][row.second] += row.requests
    # Who stays is at the bottom, so that who goes and who is new change places on top.
    order = [host for role in ("", "gone", "new") for host in roles if roles[host] == role]
    hosts = [host for host in (*order, "") if host in answered]
    figure = page_figure()
    rows = (3, 1) if run.latency else (1,)
    axes, *below = figure.subplots(len(rows), 1, sharex=True, squeeze=False, height_ratios=rows)[:, 0]
    # A second's value holds from its beginning to its end.
    x = np.array([*seconds, seconds[-1] + 1]) - start
    counts = np.array([[answered[host][second] for second in seconds] for host in hosts]).reshape(-1, len(seconds))
    colours = {**areas(roles), "": _NO_HOST}
    fault = findings.fault
    event = len(x) if fault is None else int(min(max(fault.at - start - x[0], 0), len(x)))
    tops = _stack(axes, x, hosts, counts, colours)
    parts = {role: [host for host in hosts if roles.get(host) == role] for role in _ROLES}
    of_roles = {role: Patch(color=colours[own[0]]) for role, own in parts.items() if own}
    patches = [*of_roles.values()]
    if "" in hosts:
        patches.append(Patch(color=_NO_HOST, label=NO_HOST))
    if failed:
        depths = np.array([-failed[second] for second in seconds])
        style: dict[str, Any] = {"facecolor": FAILURE, "edgecolor": INK, "hatch": "////", "linewidth": 0}
        axes.fill_between(x, np.append(depths, depths[-1]), step="post", **style)
        axes.axhline(0, color=INK, linewidth=0.8)
        patches.append(Patch(label="failed (below the axis)", **style))
    for each in (axes, *below):
        _event(each, findings, start, x, named=each is axes)
        each.set_xlim(x[0], x[-1])
    axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):,.0f}")
    axes.set_ylabel("requests per second")
    highest = max(int(counts.sum(0).max(initial=0)), _latencies(below[0], run, seconds, x) if run.latency else 0)
    # Names of 10,000 and more are wider, and an axis of latencies has such names beyond its highest value.
    left = _LEFT if highest < _WIDE / 2 else 0.8
    (below or [axes])[-1].set_xlabel("seconds of the clock, from that of the first answer on")
    names: list[Annotation] = []

    def lay_out(width: float) -> None:
        while names:
            names.pop().remove()
        names.extend(_names(axes, x, hosts, tops, width, event))
        beside = {role: _beside(parts[role], names) for role in of_roles if role}
        for role, patch in of_roles.items():
            patch.set_label(f"{_ROLES[role]}{beside.get(role, '')}")
        columns = (3 if width > 5 else 1) if any(beside.values()) else 5 if width > 5 else 2
        lines = ceil(len(patches) / columns)
        below_axes = 0.5 + 0.2 * lines
        fit(figure, (4.0 if run.latency else 2.7) + below_axes, width, (left, below_axes))
        axes.xaxis.set_major_locator(MaxNLocator(10 if width > 5 else 6, integer=True))
        figure.legend(handles=patches, loc="lower center", ncols=columns)

    return svgs(figure, widths, lay_out)


def _beside(hosts: Sequence[str], names: Sequence[Annotation]) -> str:
    """Such as `: ip-10-0-0-4`, where one of a few *hosts* has no room for its name in its area."""
    told = short(hosts)
    missing = not {told[host] for host in hosts} <= {name.get_text() for name in names}
    return f": {', '.join(told[host] for host in hosts)}" if missing and len(hosts) <= _FEW else ""


def _stack(
    axes: Axes, x: NDArray[np.int64], hosts: Sequence[str], counts: NDArray[np.int64], colours: Mapping[str, str]
) -> NDArray[np.int64]:
    """The areas; where each host's ends above, as *counts* in shape."""
    tops = counts.cumsum(axis=0)
    for host, own, upper in zip(hosts, counts, tops, strict=True):
        bottom = upper - own
        axes.fill_between(
            x, np.append(bottom, bottom[-1]), np.append(upper, upper[-1]), step="post", color=colours[host], linewidth=0
        )
    return tops


def _names(
    axes: Axes, x: NDArray[np.int64], hosts: Sequence[str], tops: NDArray[np.int64], width: float, event: int
) -> Iterator[Annotation]:
    """Each host's name in its area where there is room for it, before or after the column of the *event*."""
    told = short(hosts)
    inches, high = (width - 0.9) / len(x), 2.2 / max(float(tops.max(initial=0)), 1.0)  # of a second, and of a request
    bottom = np.zeros(tops.shape[1], tops.dtype)
    for host, upper in zip(hosts, tops, strict=True):
        columns = ceil(_LETTER * len(told[host]) / inches)
        if columns <= len(upper):
            # Where the name fits into all of its columns, next to the middle of the side of the event that it is on.
            lowest = sliding_window_view(bottom, columns).max(axis=1)
            room = sliding_window_view(upper, columns).min(axis=1) - lowest
            fits = room * high >= _LINE
            fits[max(event - columns + 1, 0) : event + 1] = False
            if fits.any():
                longest = max(_stretches(fits), key=len)
                first = longest[len(longest) // 2]
                where = (x[0] + first + columns / 2, float(lowest[first] + room[first] / 2))
                yield axes.annotate(told[host], where, ha="center", va="center", color=_ON_AREAS, annotation_clip=False)
        bottom = upper


def _stretches(there: NDArray[np.bool_]) -> list[list[int]]:
    """The places of each stretch of True."""
    return [list(places) for is_there, places in groupby(range(len(there)), key=there.__getitem__) if is_there]


def _event(axes: Axes, findings: Findings, start: int, x: NDArray[np.int64], *, named: bool) -> None:
    if (fault := findings.fault) is None:
        return
    name = findings.experiment.event.removeprefix("the ")
    # Its name ends at its line, or begins there, where a narrow picture would cut it off.
    room = _LEFT + (_NARROW - _LEFT - 0.3) * (fault.at - start - x[0]) / (x[-1] - x[0])
    ends = [(fault.at, name, "right" if _LETTER * len(name) < room else "left")]
    if fault.until is not None and fault.until - start < x[-1]:
        ends.append((fault.until, "its end", "left"))
    for at, text, side in ends:
        axes.axvline(at - start, color=INK, linewidth=1, linestyle=_FAULT)
        if named:
            axes.annotate(text, (at - start, 1), xycoords=("data", "axes fraction"), ha=side, va="bottom")


def _latencies(axes: Axes, run: Run, seconds: range, x: NDArray[np.int64]) -> float:
    """The median and the 99th percentile of each second."""
    by_second: dict[int, Counter[int]] = defaultdict(Counter)
    for row in run.latency:
        by_second[row.second][row.latency_us] += row.requests
    values = np.array(
        [percentiles(by_second[s], (50, 99), SECOND_BITS) if by_second[s] else (np.nan, np.nan) for s in seconds]
    )
    for column, (name, colour, dashes) in enumerate((("p50", LINES[""], "-"), ("p99", COLOURS[3], "-"))):
        own = values[:, column]
        axes.step(x, np.append(own, own[-1]), where="post", color=colour, linestyle=dashes, linewidth=1.4)
        if len(ends := np.flatnonzero(~np.isnan(own))):
            # The one sits upon its line's end and the other hangs from it: they may end at nearly the same.
            where, side = (x[-1], own[ends[-1]]), "top" if name == "p50" else "bottom"
            axes.annotate(name, where, xytext=(3, 0), textcoords="offset points", va=side, annotation_clip=False)
    axes.set_yscale("log")
    axes.margins(y=0.3)  # room for the names below and above the ends
    known = values[~np.isnan(values)]
    low, high = known.min(initial=1e3), known.max(initial=1.0)
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 50 * low else (1.0,), numticks=9))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylabel("ms")
    return float(known.max(initial=0.0))


def heat_map(
    names: tuple[str, str],
    values: Sequence[Mapping[str, float]],
    failures: Sequence[float],
    widths: Sequence[float] = (WIDTH,),
) -> list[str]:
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
    axes = figure.subplots()
    axes.pcolormesh(lossy, cmap=colours, norm=LogNorm(_LEAST, 1.0), edgecolors=INK, linewidth=0.6)
    for (row, column), value in np.ndenumerate(grid):
        if not np.isnan(value):
            text = "none" if value == 0 else percent(value)
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center")
    axes.set_xticks(np.arange(len(columns)) + 0.5, [f"{value:g}" for value in columns])
    axes.set_yticks(np.arange(len(rows)) + 0.5, [f"{value:g}" for value in rows] if up else [""])
    axes.tick_params(length=0)
    axes.set_ylabel(textwrap.fill(_axis(up), 8 + 6 * len(rows)))

    def lay_out(width: float) -> None:
        figure.set_figwidth(width)
        axes.set_xlabel(textwrap.fill(_axis(across), int(width * 12)))

    return svgs(figure, widths, lay_out)


Lost = Mapping[str, Mapping[str, Sequence[float]]]
"""Seconds of traffic that failed in each run, by event and column."""


def lost(events: Lost, widths: Sequence[float] = (WIDTH,)) -> list[str]:
    """A bar for each event and column; of several runs their dots, and a pale bar to the median.

    Nothing where nothing failed.
    """
    longest = [(max(found), lost_seconds(found)) for own in events.values() for found in own.values() if max(found)]
    if not longest:
        return []
    most, _ = max(longest)
    names = list(dict.fromkeys(name for own in events.values() for name in own))
    figure = page_figure()
    axes = figure.subplots()

    def lay_out(width: float) -> None:
        axes.clear()
        # On a narrow screen a name beside its bar would leave no room for it.
        above, beside = (len(names) > 1 and (width > 5) is broad for broad in (False, True))
        left = 0.15 + (_LETTER * max(map(len, names)) if beside else 0)
        wide = width - left - 0.3
        inches = min((wide - _LETTER * len(told)) / reach for reach, told in longest)  # of a second
        axes.set_xlim(0, wide / max(inches, 0.5 / most))
        y, marks = 0.0, dict[float, str]()  # inches from the top

        def write(text: str, **style: Any) -> float:
            lines = textwrap.wrap(text, int((width - 0.3) / _LETTER))
            end = y + _LINE * len(lines)
            place = blended_transform_factory(figure.transFigure, axes.transData)
            axes.text(0.1 / width, end, "\n".join(lines), va="bottom", transform=place, **style)
            return end

        for event, own in events.items():
            y = write(event, weight="bold")
            for name, found in own.items():
                y = write(name) if above else y
                height = 0.08 + _LINE
                marks[y + height / 2] = name if beside else ""
                _bar(axes, y + height / 2, found)
                y += height
            y += 0.1
        axes.set_ylim(y, 0)
        axes.set_yticks(list(marks), list(marks.values()))
        axes.tick_params(axis="y", length=0, pad=6)
        axes.spines.left.set_visible(False)
        # Beyond the longest bar there is room for its numbers, and nothing to measure.
        axes.spines.bottom.set_bounds(0, most)
        ticks = MaxNLocator(8 if width > 5 else 5, steps=(1, 2, 5, 10)).tick_values(0, most)
        axes.set_xticks([tick for tick in ticks if 0 <= tick <= most])
        axes.set_xlabel("seconds of traffic that failed", loc="left")
        fit(figure, y + 0.75, width, (left, 0.5))

    return svgs(figure, widths, lay_out)


def _bar(axes: Axes, y: float, found: Sequence[float]) -> None:
    style: dict[str, Any] = {"edgecolor": INK, "hatch": "////"} if len(found) == 1 else {"alpha": 0.3}
    axes.barh(y, statistics.median(found), height=0.16, facecolor=FAILURE, linewidth=0, **style)
    if len(found) > 1:
        axes.plot(found, [y] * len(found), "o", markersize=4.5, color=FAILURE, markeredgecolor=INK, clip_on=False)
    axes.plot([0, 0], [y - 0.11, y + 0.11], color=INK, linewidth=0.8, clip_on=False)
    style = {"xytext": (5, 0), "textcoords": "offset points", "va": "center", "annotation_clip": False}
    axes.annotate(lost_seconds(found), (max(found), y), **style)


def _axis(name: str) -> str:
    """A parameter and its meaning."""
    return f"{name}: {SETTINGS[name]}" if name in SETTINGS else name
