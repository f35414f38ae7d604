"""The picture of skew against requests, in the style of the pictures of a distribution."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter, NullFormatter

from lab.distribution.gateway import Gateway
from lab.distribution.policies import Curve
from lab.report.pictures.split import percents
from lab.report.pictures.style import COLOURS, DASHES, INK, STYLE, new_figure, title

__all__ = ["skew_figure"]


def skew_figure(curves: Sequence[Curve], gateway: Gateway, requests: int, measured: float | None) -> Figure:
    """Largest deviation of a task against requests, both logarithmic: chance falls by the root, round robin faster.

    `measured` is that of a measured run of `requests`, drawn as a point.
    """
    with matplotlib.rc_context(STYLE):
        figure = new_figure(4.2)
        axes = figure.subplots()
        for curve, colour, dashes in zip(curves, COLOURS, DASHES, strict=False):
            low, median, high = zip(*((b.low, b.median, b.high) for b in curve.max_deviation), strict=True)
            axes.fill_between(curve.requests, low, high, color=colour, alpha=0.2, linewidth=0)
            axes.plot(curve.requests, median, color=colour, linewidth=1.6, linestyle=dashes, label=curve.policy.value)
        if measured is not None:
            axes.plot([requests], [measured], "o", color=INK, label="measured")
        axes.set_xscale("log")
        axes.set_yscale("log", nonpositive="mask")
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.yaxis.set_major_formatter(FuncFormatter(percents))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("requests")
        title(figure, "Task furthest off an even split: median, and 95 % of runs\n" + _about(gateway))
        figure.legend(loc="outside lower center", ncols=5, fontsize="small")
    return figure


def _about(gateway: Gateway) -> str:
    return (
        f"{gateway.tasks:,} tasks, {gateway.front_ends:,} front end{'s' if gateway.front_ends > 1 else ''}, "
        f"{gateway.in_flight:,} requests in flight at each, {gateway.run_length:,} requests a connection"
    )
