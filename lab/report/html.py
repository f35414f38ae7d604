"""Pieces of a page as text."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

__all__ = ["figure", "paragraph", "section", "table"]


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph, of the class *kind*; nothing for no text."""
    attribute = f' class="{kind}"' if kind else ""
    return f"<p{attribute}>{escape(text)}</p>" if text else ""


def figure(caption: str, svg: str | None, text: str = "") -> str:
    """A picture with its caption and what is to be said about it; nothing where there is no picture."""
    if svg is None:
        return ""
    return f"<figure>\n<figcaption>{escape(caption)}</figcaption>\n{paragraph(text)}\n{svg}</figure>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, text_columns: int = 1) -> str:
    """A table; the first *text_columns* columns are text, the others numbers."""

    def line(tag: str, cells: Sequence[str]) -> str:
        marked = (
            f"<{tag}{' class=text' if number < text_columns else ''}>{escape(cell)}</{tag}>"
            for number, cell in enumerate(cells)
        )
        return "<tr>" + "".join(marked) + "</tr>"

    body = "\n".join(line("td", row) for row in rows)
    return f'<div class="wide"><table>\n<thead>{line("th", head)}</thead>\n<tbody>\n{body}\n</tbody>\n</table></div>'


def section(title: str, parts: Sequence[str], *, level: int = 2, anchor: str = "") -> str:
    """A heading and what is under it."""
    identity = f' id="{escape(anchor)}"' if anchor else ""
    content = "\n".join(part for part in parts if part)
    return f"<section{identity}>\n<h{level}>{escape(title)}</h{level}>\n{content}\n</section>"
