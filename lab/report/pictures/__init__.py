"""The pictures of the lab, and the style of all of them: ink, colours by role, figures, SVG text or a file.

Backgrounds are transparent, and areas are light enough for the dark text on them, so that one file serves light and
dark pages. In a page the ink is the page's own. Roles differ in lightness as well as in hue: who stays is grey, who
goes orange, who is new blue, and what failed is dark red and hatched. That can be told apart with any colour blindness
(grey, orange and blue differ for each of the three kinds) and in print.
"""

# General layout
#   split.py      each host's deviation from its share, and how it falls as requests add up
#   timeline.py   what happened second by second, latencies, the heat map of a sweep, what each event lost
#   costs.py      what the bills are made of, and how they grow
# All need matplotlib, which takes half a second to import: cli.py imports what draws inside of its functions.

from __future__ import annotations

import io
import itertools
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import matplotlib
from matplotlib import artist

from lab.errors import BadInput
from lab.imports import standing_in
from load.groups.replacing import replace_file

# matplotlib documents each of its classes with all that can be set, which is half of its import.
_DOCUMENTING = (artist, "kwdoc"), (artist.Artist, "_update_set_signature_and_docstring")
with standing_in(staticmethod(lambda *_: ""), *_DOCUMENTING):
    from matplotlib.figure import Figure, FigureBase

WIDTH = 9.2
"""Inches of a picture as wide as the page; a narrow screen gets one of less than half of that."""

INK = "#757575"  # no other part of a picture has this colour: in a page it becomes the page's own
COLOURS = ("#2f7fd0", "#d17f0b", "#6f7782", "#a0508f", "#1d8583", "#9a6248", "#6a6ad8", "#8a701a")
"""Of lines that are told apart by their dashes as well."""
DASHES = ("-", "--", ":", "-.", (0, (6, 2, 1, 2, 1, 2)), (0, (1, 3)))
FAILURE = "#c8193f"
LINES = {"": "#6f7782", "gone": "#d17f0b", "new": "#2f7fd0"}
"""A host's line by its part in the event: "" stays."""
_AREAS = {
    "": ("#b9c0ca", "#a3abb7", "#cdd3da"),
    "gone": ("#f2a33a", "#e08f1f", "#f7ba69"),
    "new": ("#7db8f0", "#5fa3e6", "#9dccf7"),
}
_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.edgecolor": INK,
    "axes.titlesize": "medium",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": INK,
    "hatch.linewidth": 0.8,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "text.parse_math": False,  # a hostname may hold a dollar sign
    "svg.fonttype": "none",  # text stays text: small, and it can be searched
    "svg.hashsalt": "lab",  # the same picture is the same file
}


# Of all that this process draws.
matplotlib.rcParams.update(_STYLE)


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """A figure of `width` by `height` inches with a transparent background, whose margins are found as it is drawn."""
    return Figure(figsize=(width, height), layout="constrained", facecolor="none")


def page_figure() -> Figure:
    """A figure of a page, for `svgs`: what is in it is made once, and `fit` to each width.

    Its margins are known. To find them would draw everything twice more.
    """
    return Figure(facecolor="none")


def fit(figure: Figure, height: float, width: float, margins: tuple[float, float]) -> None:
    """Make a page's figure `width` by `height` inches. margins: the inches left of the axes and below them."""
    left, below = margins
    figure.set_size_inches(width, height)
    figure.subplots_adjust(left / width, below / height, 1 - 0.3 / width, 1 - 0.25 / height, hspace=0.12)
    for legend in list(figure.legends):
        legend.remove()


def svgs(figure: Figure, widths: Sequence[float], lay_out: Callable[[float], None]) -> list[str]:
    """The figure at each of *widths*, as *lay_out* makes it: an `<svg>` element each."""
    drawn = []
    for width in widths:
        lay_out(width)
        drawn.append(svg(figure))
    return drawn


def title(figure: FigureBase, text: str) -> None:
    """At the left, above names of hosts as above the axes."""
    figure.suptitle(text, x=0.01, ha="left", fontsize="medium")


def areas(roles: Mapping[str, str]) -> dict[str, str]:
    """The colour of each host's area, by its role; neighbours of one role have three shades in turn."""
    shades = {role: itertools.cycle(colours) for role, colours in _AREAS.items()}
    return {host: next(shades[role]) for host, role in roles.items()}


def svg(figure: Figure) -> str:
    """The `<svg>` element alone, to be put into a page, in whose own colour ink is drawn."""
    text = io.StringIO()
    _draw(figure, text, "svg", {"Date": None, "Creator": None})
    return text.getvalue()[text.getvalue().index("<svg") :].replace(INK, "currentColor")


def save(figure: Figure, path: Path) -> None:
    """Write the picture as its file's suffix says, .svg or .png. Raises BadInput."""
    if path.suffix not in (".svg", ".png"):
        raise BadInput(f"{path} is neither .svg nor .png, and these are the pictures that can be drawn")
    kind, drawn = path.suffix[1:], io.BytesIO()
    _draw(figure, drawn, kind, {"Date": None} if kind == "svg" else None)
    try:
        replace_file(path, drawn.getvalue())
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {(error.strerror or str(error)).lower()}") from None


def _draw(figure: Figure, to: IO[Any], kind: str, metadata: Mapping[str, Any] | None) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph ")  # one of a host's name: the warning has it as it is
        figure.savefig(to, format=kind, transparent=True, dpi=144, metadata=metadata)
