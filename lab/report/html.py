"""Pieces of a page as text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

__all__ = ["definitions", "figure", "paragraph", "section", "table", "text"]

_CODE = re.compile("`([^`]+)`")


def text(words: str) -> str:
    """Text that keeps a number and its percent sign on one line."""
    return escape(words).replace(" %", "&nbsp;%")


def paragraph(words: str, kind: str = "") -> str:
    """A paragraph, of the class *kind*, with code where there are `backticks`; nothing for no text."""
    attribute = f' class="{kind}"' if kind else ""
    content = _CODE.sub(r"<code>\1</code>", text(words))
    return f"<p{attribute}>{content}</p>" if words else ""


def figure(caption: str, svg: str | None, words: str = "") -> str:
    """A picture with its caption and what is to be said about it; nothing where there is no picture."""
    if svg is None:
        return ""
    return f"<figure>\n<figcaption>{text(caption)}</figcaption>\n{paragraph(words)}\n{svg}</figure>"


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    text_columns: int = 1,
    over: Sequence[tuple[str, int]] = (),
) -> str:
    """A table; the first *text_columns* columns are text, the others numbers.

    over: titles above the head, each with the number of columns that it is for.
    """

    def line(tag: str, cells: Sequence[str]) -> str:
        marked = (
            f"<{tag}{' class=text' if number < text_columns else ''}>{text(cell)}</{tag}>"
            for number, cell in enumerate(cells)
        )
        return "<tr>" + "".join(marked) + "</tr>"

    groups = "".join(
        f"<th colspan={columns} class=over>{text(title)}</th>" if title else f"<td colspan={columns}></td>"
        for title, columns in over
    )
    heads = (f"<tr>{groups}</tr>\n" if groups else "") + line("th", head)
    body = "\n".join(line("td", row) for row in rows)
    return f'<div class="wide"><table>\n<thead>{heads}</thead>\n<tbody>\n{body}\n</tbody>\n</table></div>'


def definitions(terms: Sequence[tuple[str, str]]) -> str:
    """A list of terms and what they mean."""
    entries = "\n".join(f"<dt>{text(term)}</dt><dd>{text(meaning)}</dd>" for term, meaning in terms)
    return f"<dl>\n{entries}\n</dl>"


def section(title: str, parts: Sequence[str], *, level: int = 2, anchor: str = "") -> str:
    """A heading and what is under it."""
    identity = f' id="{escape(anchor)}"' if anchor else ""
    content = "\n".join(part for part in parts if part)
    return f"<section{identity}>\n<h{level}>{text(title)}</h{level}>\n{content}\n</section>"
