"""A page before it is written: headings, sentences, tables and pictures in order, and the values behind them.

Every answer of the lab becomes one Document. `terminal`, `html` and `as_json` each write the whole of it, so that the
same data cannot get two answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Heading:
    """Begins a section, which ends before the next heading of the same level or of one above.

    level: 2 or more; the document's own title is of level 1. anchor: what a link in the page leads to. folded: on a
    page the section is closed until it is opened. detail: see `Sentence`.
    """

    text: str
    level: int = 2
    anchor: str = ""
    folded: bool = False
    detail: bool = False


@dataclass(frozen=True)
class Sentence:
    """One sentence or a few; words in `backticks` are code.

    kind: `facts` is set back, `warning` stands out. detail: a page has it, and the terminal leaves it out.
    """

    text: str
    kind: Literal["", "facts", "warning"] = ""
    detail: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of text under a head, all of one length.

    text_columns: so many columns at the left are text, the others are numbers. links: for each row the anchor that its
    first cell leads to, or none at all. detail: see `Sentence`. only_page, only_terminal: numbers of the columns that
    the other does not have. folded: of those that a narrow screen shows on demand, besides those of only_page.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    text_columns: int = 1
    links: Sequence[str] = ()
    detail: bool = False
    only_page: Collection[int] = ()
    only_terminal: Collection[int] = ()
    folded: Collection[int] = ()


@dataclass(frozen=True)
class Picture:
    """What `draw` gives as SVG texts of widths in inches (none: there is nothing to see); the terminal leaves it out.

    words: what is to be said about it. alternative: what it shows, for those who cannot see it; the caption without.
    """

    caption: str
    draw: Callable[[Sequence[float]], Sequence[str]]
    words: str = ""
    alternative: str = ""


Part = Heading | Sentence | Table | Picture | str
"""What a page is made of; a text is a sentence."""


@dataclass(frozen=True)
class Document:
    """A title that says the answer, the parts in order, and `values`: plain numbers and texts, which --json prints."""

    title: str
    parts: Sequence[Part]
    values: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", [Sentence(part) if isinstance(part, str) else part for part in self.parts])


def as_json(document: Document) -> str:
    """The values as a JSON object, decimals as its numbers; not a number is no JSON, and raises ValueError."""
    return json.dumps(document.values, indent=2, allow_nan=False, default=float)
