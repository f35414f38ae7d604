"""The style of all pictures of the lab: ink, colours, figures, and how they become SVG text or a file.

Backgrounds are transparent and everything is drawn in tones that have about the same contrast (4.2:1 to 5:1) against
white and against black, so that one file serves light and dark pages. In a page the ink is the page's own.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure, FigureBase

from lab.errors import BadInput

__all__ = ["COLOURS", "FAILURE", "INK", "STYLE", "colours_of", "new_figure", "save", "svg", "title"]

INK = "#757575"  # no other part of a picture has this colour: in a page it becomes the page's own
COLOURS = ("#2a7ab9", "#c25a1c", "#3a8a3a", "#a050b8", "#8a701a", "#1d8583", "#6a6ad8", "#9a6248")
FAILURE = "#d0305a"
STYLE: dict[Any, Any] = {
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.edgecolor": INK,
    "axes.titlesize": "medium",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "text.parse_math": False,  # a hostname may hold a dollar sign
    "svg.fonttype": "none",  # text stays text: small, and it can be searched
    "svg.hashsalt": "lab",  # the same picture is the same file
}


def new_figure(height: float, width: float = 7.2) -> Figure:
    """A figure of `width` by `height` inches, with a transparent background."""
    return Figure(figsize=(width, height), layout="constrained", facecolor="none")


def title(figure: FigureBase, text: str) -> None:
    """At the left, above names of hosts as above the axes."""
    figure.suptitle(text, x=0.01, ha="left", fontsize="medium")


def colours_of(hosts: Iterable[str]) -> dict[str, str]:
    """A colour for each host, by their order; from the ninth on colours repeat."""
    return {host: COLOURS[number % len(COLOURS)] for number, host in enumerate(hosts)}


def svg(figure: Figure) -> str:
    """The `<svg>` element alone, to be put into a page, in whose own colour ink is drawn."""
    text = io.StringIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return text.getvalue()[text.getvalue().index("<svg") :].replace(INK, "currentColor")


def save(figure: Figure, path: Path) -> None:
    """Write the picture as its file's suffix says, .svg or .png. Raises BadInput."""
    if path.suffix not in (".svg", ".png"):
        raise BadInput(f"{path} is neither .svg nor .png, and these are the pictures that can be drawn")
    try:
        with matplotlib.rc_context(STYLE):
            metadata = {"Date": None} if path.suffix == ".svg" else None
            figure.savefig(path, transparent=True, dpi=144, metadata=metadata)
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {(error.strerror or str(error)).lower()}") from None
