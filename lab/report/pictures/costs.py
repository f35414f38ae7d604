"""Three pictures of a study: what the bills are made of, and how they grow with the rate and with the response size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.costs.breakeven import BreakEven
from lab.costs.lines import GROUPS
from lab.costs.options import OPTIONS, SERVICE_CONNECT, Bill, Option, bill, common_cost, possible
from lab.costs.quantities import rounded
from lab.costs.scenario import KB, Scenario
from lab.costs.study import Alternative, Study
from lab.errors import BadInput
from lab.report.pictures.style import COLOURS, INK, STYLE, new_figure, save, svg

__all__ = [
    "bars_svg",
    "bars_title",
    "rate_svg",
    "rate_title",
    "size_in_words",
    "size_svg",
    "size_title",
    "write_pictures",
]

DASHES = ("-", "--", ":", "-", "-.", "-")
GROUP_COLOURS = ("#8a8a8a", "#b5b5b5", "#6f8faf", "#c9a66b", *COLOURS[:4])

POINTS = 61
LOWEST_RATE, HIGHEST_RATE = 0.1, 10_000.0
SMALLEST_KB, LARGEST_KB = 0.1, 10_240.0

_EXPOSING = "Exposing alone, beyond what every option pays"

Draw = Callable[[Study, Axes], None]


def bars_svg(study: Study, *, titled: bool = True) -> str:
    """The six bills as stacked bars, as SVG text; not *titled* for a page that says `bars_title` itself."""
    return svg(_figure(study, _bars, bars_title(study) if titled else ""))


def rate_svg(study: Study, *, titled: bool = True) -> str:
    """The price of exposing the service against the request rate, with the break-even points marked, as SVG text."""
    return svg(_figure(study, _by_rate, rate_title(study) if titled else ""))


def size_svg(study: Study, *, titled: bool = True) -> str:
    """The price of exposing the service against the response size, as SVG text."""
    return svg(_figure(study, _by_size, size_title(study) if titled else ""))


def bars_title(study: Study) -> str:
    """What is priced."""
    scenario = study.scenario
    size = size_in_words(scenario.response_bytes)
    return f"{_rate(scenario)}, responses of {size}, {scenario.tasks} tasks in {scenario.azs} zones, {scenario.region}"


def rate_title(study: Study) -> str:
    """What stays the same as the rate grows."""
    return f"{_EXPOSING}: responses of {size_in_words(study.scenario.response_bytes)}"


def size_title(study: Study) -> str:
    """What stays the same as responses grow."""
    return f"{_EXPOSING}: {_rate(study.scenario)}"


def size_in_words(size: Decimal) -> str:
    """Bytes below one KB, then KB to three significant digits."""
    return f"{size:,.0f} bytes" if size < KB else f"{rounded(size / KB)} KB"


def write_pictures(study: Study, folder: Path) -> None:
    """Write costs-bars, costs-rate and costs-size to *folder*, each as .svg and .png. Raises BadInput if it cannot."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"the pictures cannot be written to {folder} ({error.strerror})") from error
    drawn = (
        ("bars", _bars, bars_title(study)),
        ("rate", _by_rate, rate_title(study)),
        ("size", _by_size, size_title(study)),
    )
    for name, draw, title in drawn:
        figure = _figure(study, draw, title)
        for suffix in (".svg", ".png"):
            save(figure, folder / f"costs-{name}{suffix}")


def _figure(study: Study, draw: Draw, title: str) -> Figure:
    figure = new_figure(4.6, 8)
    with mpl.rc_context(STYLE):
        axes = figure.subplots()
        draw(study, axes)
        axes.set_title(title, fontsize=10)
        figure.legend(loc="outside lower center", ncols=4 if draw is _bars else 3)
    return figure


def _bars(study: Study, axes: Axes) -> None:
    bars = [(f"({each.option.letter}) {each.option.name}", each) for each in study.bills]
    if study.alternative is not None:
        bars.insert(1, (_alternative(study.alternative), study.alternative.bill))
    places = range(len(bars))
    bottoms = [0.0] * len(bars)
    for group, colour in zip(GROUPS, GROUP_COLOURS, strict=True):
        heights = [_group(each, group) if each.possible else 0.0 for _, each in bars]
        if any(heights):
            axes.barh(places, heights, left=bottoms, label=group, color=colour, height=0.7)
            bottoms = [bottom + height for bottom, height in zip(bottoms, heights, strict=True)]
    for place, total, (_, each) in zip(places, bottoms, bars, strict=True):
        axes.text(total, place, f" {total:,.0f}" if each.possible else " not possible", va="center")
    axes.set_yticks(places, [label for label, _ in bars])
    axes.invert_yaxis()
    axes.set_xlabel("USD a month")


def _group(each: Bill, group: str) -> float:
    return float(sum((line.cost.value for line in each.lines if line.group == group), Decimal(0)))


def _by_rate(study: Study, axes: Axes) -> None:
    rates = _log_space(LOWEST_RATE, HIGHEST_RATE)
    _curves(study, axes, rates, lambda scenario, rate: scenario.at_rate(Decimal(rate)))
    for point in study.rates:
        if LOWEST_RATE <= point.at <= HIGHEST_RATE:
            _mark(study, axes, point, point.at, study.scenario.at_rate(point.at), f"{point.at:,.1f}/s")
    axes.set_xlabel("requests/s (points: break-even of (a) with another)")


def _by_size(study: Study, axes: Axes) -> None:
    # Either side of every step, so that a step is drawn upright.
    steps = [step * 512 * beside for step in range(1, 20) for beside in (1, 1 + 1e-9)]
    sizes = sorted([*_log_space(SMALLEST_KB, LARGEST_KB), *steps])
    _curves(study, axes, sizes, lambda scenario, size: replace(scenario, response_bytes=Decimal(size) * KB))
    for point in study.sizes:
        size = point.at / KB
        if size >= SMALLEST_KB:
            _mark(study, axes, point, size, replace(study.scenario, response_bytes=point.at), f"{size:,.0f} KB")
    axes.set_xlabel("KB of a response (points: break-even of (a) with another; API Gateway ends at 10 MB)")


def _mark(study: Study, axes: Axes, point: BreakEven, at: Decimal, scenario: Scenario, label: str) -> None:
    cost = float((point.cost - common_cost(scenario, study.prices)).value)
    axes.plot(float(at), cost, "o", color=INK, markersize=5, zorder=5)
    text = f"({point.against.letter}) {label}"
    axes.annotate(text, (float(at), cost), textcoords="offset points", xytext=(5, -12), fontsize=9)


def _curves(study: Study, axes: Axes, values: Sequence[float], at: Callable[[Scenario, float], Scenario]) -> None:
    def draw(option: Option, scenario: Scenario, label: str, colour: str, dashes: str, width: float) -> None:
        costs = []
        for value in values:
            varied = at(scenario, value)
            if not possible(option, varied):
                return
            cost = bill(option, varied, study.prices).total - common_cost(varied, study.prices)
            costs.append(float(cost.value))
        axes.plot(values, costs, label=label, color=colour, linewidth=width, linestyle=dashes)

    for option, colour, dashes in zip(OPTIONS, COLOURS, DASHES, strict=False):
        width = 2.6 if option is SERVICE_CONNECT else 1.4
        draw(option, study.scenario, f"({option.letter}) {option.name}", colour, dashes, width)
        if option is SERVICE_CONNECT and (other := study.alternative) is not None:
            draw(option, other.scenario, _alternative(other), colour, ":", 2.0)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylabel("USD a month")
    axes.margins(x=0.02)
    axes.grid(alpha=0.25)


def _alternative(other: Alternative) -> str:
    return f"(a) {'with' if other.reserved else 'without'} the proxy's share"


def _log_space(low: float, high: float) -> list[float]:
    return [low * (high / low) ** (step / (POINTS - 1)) for step in range(POINTS)]


def _rate(scenario: Scenario) -> str:
    return f"{rounded(scenario.mean_rate)} requests/s"
