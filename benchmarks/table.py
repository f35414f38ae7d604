"""Tables and picture of docs/performance.md from a run: `python -m benchmarks.table RUN.json`.

The run is kept as docs/measurements/speed.json; a test holds that the page is in step with it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.capacity import Costs
from benchmarks.capacity import table as capacity_table
from benchmarks.figure import Figure
from benchmarks.results import ROOT, Run, read, write

__all__ = ["KEPT", "PAGE", "in_step"]

PAGE = ROOT / "docs" / "performance.md"
KEPT = ROOT / "docs" / "measurements" / "speed.json"
PICTURE = ROOT / "docs" / "images" / "performance.svg"


def main(file: str) -> None:
    """Keep the run, and write page and picture anew."""
    run = read(Path(file))
    write(run, KEPT)
    PAGE.write_text(in_step(PAGE.read_text(), run))
    draw(run, PICTURE)


def in_step(page: str, run: Run) -> str:
    """The page with what *run* says between its marks, such as `<!-- figures -->` and `<!-- end of figures -->`."""
    for name, text in _parts(run).items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, _, rest = page.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"The page has no marks of {name}.")
        page = f"{before}{begin}{text}\n{end}{after}"
    return page


def _parts(run: Run) -> dict[str, str]:
    by_name = {figure.name: figure for figure in run.figures}
    return {
        "machine": _machine(run.about),
        "figures": _figures(run),
        "capacity": capacity_table(Costs(by_name["request-task"].value, by_name["plugin-cpu"].value)),
    }


def _machine(about: Mapping[str, Any]) -> str:
    machine, load = about["machine"], about["load"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    busy = max(load) > machine["cores"] + 2
    others = " **Other work had most of its processors: only the ratios say something.**" if busy else ""
    return (
        f"Measured {about['at'][:10]} at commit {about['commit']} on {machine['cores']} cores ({machine['processor']}),"
        f" {machine['memory_gb']} GB,\n{machine['system'].split('-')[0]}; load average {load[0]:.0f} before and "
        f"{load[1]:.0f} after.{others}\n{versions}.{about.get('note', '')}"
    )


def _figures(run: Run) -> str:
    rows = ["| figure | measured | against | | ratio | its quartiles | goal |", "|---|---|---|---|---|---|---|"]
    for figure in run.figures:
        low, high = figure.spread
        ours, theirs = (_number(each, figure.unit) for each in (figure.value, figure.reference))
        ratio = (f"{figure.ratio:.3g}", f"{low:.3g} to {high:.3g}", _goal(figure))
        cells = (figure.what, ours, figure.against, theirs, *ratio)
        rows.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(rows)


def _number(value: float, unit: str) -> str:
    text = f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
    return f"{text} {unit}".replace(" us", " µs")


def _goal(figure: Figure) -> str:
    if figure.goal is None:
        return ""
    sign = "at most" if figure.better == "less" else "at least"
    of = {
        "ratio": f"{figure.goal.bound:g}",
        "value": _number(figure.goal.bound, figure.unit),
        "difference": f"{_number(figure.goal.bound, figure.unit)} more",
    }[figure.goal.of]
    return f"{sign} {of}: {'yes' if figure.met else '**no**'}"


def draw(run: Run, file: Path) -> None:
    """All ratios with their quartiles, on a logarithmic scale: to the right of 1 is more than what it is against."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    figures = run.figures[::-1]
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "performance", "font.size": 8}):
        drawing, axes = plt.subplots(figsize=(8, 0.3 * len(figures) + 0.8), layout="constrained")
        for place, figure in enumerate(figures):
            low, high = figure.spread
            color = {None: "#666666", True: "#1a7f37", False: "#cf222e"}[figure.met]
            axes.plot([low, high], [place, place], color=color, linewidth=3, alpha=0.4)
            axes.plot(figure.ratio, place, "o", color=color)
            if figure.goal and figure.goal.of == "ratio":
                axes.plot(figure.goal.bound, place, "|", color="#000000", markersize=12)
        axes.set_yticks(range(len(figures)), [figure.name for figure in figures])
        axes.set_xscale("log")
        axes.axvline(1, color="#999999", linewidth=0.8)
        axes.set_xlabel("ratio to what it is measured against; bars: quartiles; black marks: goals")
        drawing.savefig(file, metadata={"Date": None})
        plt.close(drawing)


if __name__ == "__main__":
    main(sys.argv[1])
