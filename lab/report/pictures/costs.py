"""Three pictures of a study: what the bills are made of; the difference to a public ALB by rate and by size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.costs import bill as model
from lab.costs.bill import GROUPS, PUBLIC_ALB, WAYS, Way
from lab.costs.scenario import KB, Scenario
from lab.costs.study import BreakEven, Study
from lab.errors import BadInput
from lab.report.costs import of_services, rounded
from lab.report.pictures import COLOURS, INK, LINES, new_figure, save

_COLOURS = [colour for colour in COLOURS if colour != LINES[""]]  # but the grey: the axis, and two parts, are grey
GROUP_COLOURS = ("#8a8a8a", "#b5b5b5", "#6f8faf", "#c9a66b", _COLOURS[0], _COLOURS[1], _COLOURS[3], _COLOURS[2])
# The ways whose curves are drawn, with colour and dashes; the others run beside one of these.
CURVES = {
    "service-connect": (_COLOURS[0], "-"),
    "service-connect-with-share": (_COLOURS[0], ":"),
    "internal-alb": (_COLOURS[1], "--"),
    "rest-alb": (_COLOURS[2], "-."),
    "cloudfront-alb": (_COLOURS[3], "--"),
    "lattice": (_COLOURS[4], "-."),
}
POINTS = 61
_TICKS = [step * 10**power for power in range(1, 6) for step in (1, 2, 5)]
LINEAR = 20  # USD: about so near to no difference the scale is linear, beyond it more and more logarithmic


def write_pictures(study: Study, folder: Path) -> None:
    """Write costs-bars, costs-rate and costs-size to *folder*, each as .svg and .png. Raises BadInput if it cannot."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"the pictures cannot be written to {folder} ({error.strerror})") from error
    for name in PICTURES:
        figure = costs_figure(study, name)
        for suffix in (".svg", ".png"):
            save(figure, folder / f"costs-{name}{suffix}")


def costs_figure(study: Study, name: str) -> Figure:
    """A picture of `PICTURES`."""
    figure = new_figure(4.8, 8)
    PICTURES[name](study, figure.subplots())
    figure.legend(loc="outside lower center", ncols=4 if name == "bars" else 3)
    return figure


def _bars(study: Study, axes: Axes) -> None:
    bars = list(study.bills.items())
    places = range(len(bars))
    bottoms = [0.0] * len(bars)
    for group, colour in zip(GROUPS, GROUP_COLOURS, strict=True):
        heights = [float(each.of(group)) if way.carries(study.scenario) else 0.0 for way, each in bars]
        if any(heights):
            axes.barh(places, heights, left=bottoms, label=group, color=colour, height=0.7)
            bottoms = [bottom + height for bottom, height in zip(bottoms, heights, strict=True)]
    for place, total, (way, _) in zip(places, bottoms, bars, strict=True):
        axes.text(total, place, f" {total:,.0f}" if way.carries(study.scenario) else " not possible", va="center")
    axes.set_yticks(places, [way.name for way, _ in bars])
    axes.invert_yaxis()
    axes.set_xlabel(f"USD a month{of_services(study.scenario)}")
    scenario = study.scenario
    size = f"{rounded(scenario.response_bytes / KB)} KB"
    priced = (
        f"{_rate(scenario)}, responses of {size}, {scenario.tasks} tasks in {scenario.azs} zones, {scenario.region}"
    )
    axes.set_title(priced, fontsize=10)


def _by_rate(study: Study, axes: Axes) -> None:
    points = [(point, point.at, f"{point.at:,.1f}/s") for point in study.rates]
    rates = np.geomspace(0.1, 1000.0, POINTS).tolist()
    _curves(study, axes, rates, lambda rate: study.scenario.at_rate(Decimal(rate)), points)
    axes.set_xlabel("requests/s (points: where service-connect costs the same)")
    size = rounded(study.scenario.response_bytes / KB)
    axes.set_title(
        f"USD a month{of_services(study.scenario)} more than a public ALB: responses of {size} KB", fontsize=10
    )


def _by_size(study: Study, axes: Axes) -> None:
    # Either side of every step, so that a step is drawn upright.
    steps = [step * 512 * beside for step in range(1, 20) for beside in (1, 1 + 1e-9)]
    sizes = sorted([*np.geomspace(0.1, 10_240.0, POINTS).tolist(), *steps])
    points = [(point, point.at / KB, f"{point.at / KB:,.0f} KB") for point in study.sizes]
    _curves(study, axes, sizes, lambda size: study.scenario.replace(response_bytes=Decimal(size) * KB), points)
    axes.set_xlabel("KB of a response, at most 10 MB (points: where service-connect costs the same)")
    axes.set_title(
        f"USD a month{of_services(study.scenario)} more than a public ALB: {_rate(study.scenario)}", fontsize=10
    )


def _curves(
    study: Study,
    axes: Axes,
    values: Sequence[float],
    at: Callable[[float | Decimal], Scenario],
    points: Sequence[tuple[BreakEven, Decimal, str]],
) -> None:
    """What ways cost more than a public ALB as the scenario *at* a value; break-even *points*, each with its label."""

    def more(way: Way, scenario: Scenario) -> float:
        return float(model.total(way, scenario, study.prices) - model.total(PUBLIC_ALB, scenario, study.prices))

    axes.set_xscale("log")
    axes.set_yscale("asinh", linear_width=LINEAR)  # as a logarithm for large sums, without the kink of "symlog"
    axes.set_yticks([sign * usd for usd in _TICKS for sign in (-1, 1)] + [0])
    axes.minorticks_off()
    drawn = [way for way in WAYS if way.name in CURVES and way in study.bills]
    scenarios = [at(value) for value in values]
    # In the legend: beside the points, labels would lie on curves and on one another.
    named = {way: way.name for way in (PUBLIC_ALB, *drawn)}
    for point, value, label in points:
        if values[0] <= value <= values[-1] and point.against in named:
            colour = CURVES.get(point.against.name, (INK, ""))[0]
            axes.plot(float(value), more(point.way, at(value)), "o", color=colour, markersize=7, zorder=5)
            named[point.against] += f"{':' if named[point.against] == point.against.name else ','} {label}"
    for way in drawn:
        if all(way.carries(scenario) for scenario in scenarios):
            colour, dashes = CURVES[way.name]
            width = 2.6 if way.name == "service-connect" else 1.5
            curve = [more(way, scenario) for scenario in scenarios]
            axes.plot(values, curve, label=named[way], color=colour, linewidth=width, linestyle=dashes)
    axes.axhline(0, color=INK, linewidth=1.2, label=named[PUBLIC_ALB])
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.yaxis.set_major_formatter(lambda usd, _: f"{usd:+,.0f}" if usd else "0")
    axes.margins(x=0.02)
    axes.grid(alpha=0.25)


def _rate(scenario: Scenario) -> str:
    return f"{rounded(scenario.mean_rate)} requests/s"


PICTURES: Mapping[str, Callable[[Study, Axes], None]] = {"bars": _bars, "rate": _by_rate, "size": _by_size}
"""What the bills are made of; what ways cost more than a public ALB by request rate, and by response size."""
