"""Writes a Document as report.html: one self-contained file that loads nothing from elsewhere."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from lab.errors import BadInput
from lab.report.document import Document, Heading, Part, Picture, Sentence, Table
from load.groups.replacing import replace_file

_STYLE = Path(__file__).with_name("report.css")
_WIDTHS = {"broad": 9.2, "narrow": 3.9}  # inches
_UNIT = re.compile(r"(?<=\d) (?=(?:ms|s|USD)\b|%)")
_RANGE = re.compile(r"[\d,.]+ to [\d,.]+")
_HOST = re.compile(r"(?<![\w./-])[a-z][\w.]*(?:-\d+){2,}(?![\w./-])")  # such as ip-10-0-0-4
_SPREAD = re.compile(r"\([\d.,]+\xa0to\xa0[\d.,]+\)")
_CODE = re.compile("`([^`]+)`")


def write_report(document: Document, folder: Path) -> Path:
    """Write report.html into the *folder* of a run or a study; its path.

    Raises:
        BadInput: it cannot be written.
    """
    path = folder / "report.html"
    try:
        replace_file(path, render(document))
    except OSError as error:
        raise BadInput(
            f"{path} cannot be written ({error.strerror}): free some space and run `lab report {folder}`."
        ) from None
    return path


def render(document: Document) -> str:
    """The page as text."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(document.title)}</title>\n<style>\n{_STYLE.read_text()}</style>\n</head>\n<body>\n"
        f"<h1>{_text(document.title)}</h1>\n" + "\n".join(_body(document)) + "\n</body>\n</html>\n"
    )


def _body(document: Document) -> list[str]:
    lines: list[str] = []
    open_sections: list[Heading] = []

    def close(level: int) -> None:
        while open_sections and open_sections[-1].level >= level:
            lines.append("</details>\n</section>" if open_sections.pop().folded else "</section>")

    for part in document.parts:
        if isinstance(part, Heading):
            close(part.level)
            open_sections.append(part)
        lines.append(_part(part))
    close(0)
    return [line for line in lines if line]


def _part(part: Part) -> str:
    if isinstance(part, Heading):
        identity = f' id="{escape(part.anchor)}"' if part.anchor else ""
        title = f"<h{part.level}>{_text(part.text)}</h{part.level}>"
        if not part.folded:
            return f"<section{identity}>\n{title}"
        # A link to what is inside of closed details opens them.
        return f"<section>\n<details>\n<summary>{title}</summary>\n<a class=target{identity}></a>"
    if isinstance(part, Table | Picture):
        return _table(part) if isinstance(part, Table) else _figure(part)
    return _paragraph(part.text, part.kind) if isinstance(part, Sentence) else _paragraph(part)


def _text(words: str) -> str:
    """Text that keeps a number and its unit, and a hostname, on one line, with code where there are `backticks`.

    So does a range that is all of the text.
    """
    if _RANGE.fullmatch(words):
        return words.replace(" ", "&nbsp;")
    words = _UNIT.sub("&nbsp;", escape(words))
    return _CODE.sub(r"<code>\1</code>", _HOST.sub(r"<span class=host>\g<0></span>", words))


def _paragraph(words: str, kind: str = "") -> str:
    attribute = f' class="{kind}"' if kind else ""
    return f"<p{attribute}>{_text(words)}</p>" if words else ""


def _figure(picture: Picture) -> str:
    """Drawn twice: as wide as the page, and for a narrow screen, where the first would be too small to read."""
    label = escape(picture.alternative or picture.caption)
    drawn = picture.draw([*_WIDTHS.values()])
    if not drawn:
        return ""
    inside = "\n".join(
        _apart(svg.replace("<svg ", f'<svg class={kind} role="img" aria-label="{label}" ', 1), kind)
        for svg, kind in zip(drawn, _WIDTHS, strict=True)
    )
    return (
        f"<figure>\n<figcaption>{_text(picture.caption)}</figcaption>\n{_paragraph(picture.words)}\n{inside}</figure>"
    )


def _apart(svg: str, kind: str) -> str:
    """With names of its own for what is referred to inside: two pictures of one page may have the same."""
    return svg if kind == "broad" else re.sub(r'(\sid="|href="#|url\(#)', rf"\1{kind}-", svg)


def _table(table: Table) -> str:
    shown = [number for number in range(len(table.head)) if number not in table.only_terminal]

    def line(tag: str, cells: list[str]) -> str:
        marked = (
            f"<{tag}{_class(table, shown[number], number)}{names[number] if tag == 'td' else ''}>{cell}</{tag}>"
            for number, cell in enumerate(cells)
        )
        return "<tr>" + "".join(marked) + "</tr>"

    # On a narrow screen a row is a block of lines, and the name of its column stands beside each cell but the first.
    names = ["", *(f' data-name="{escape(table.head[number])}"' for number in shown[1:])]
    head = line("th", [_text(table.head[number]) for number in shown])
    rows = []
    for index, row in enumerate(table.rows):
        cells = [_SPREAD.sub(_range_below, _text(row[number])) for number in shown]
        # On a narrow screen a cell is a line of parts, of which what it says is one.
        cells = [f"<span>{cell}</span>" if "<small>" in cell else cell for cell in cells]
        if table.links and table.links[index]:
            cells[0] = f'<a href="#{escape(table.links[index])}">{cells[0]}</a>'
        rows.append(line("td", cells))
    caption = f"<caption>{_text(table.caption)}</caption>" if table.caption else ""
    body = "\n".join(rows)
    # On a narrow screen, what a terminal leaves out is shown where it is asked for.
    folds = table.only_page or table.folded
    more = "<details class=more><summary>All columns</summary></details>\n" if folds else ""
    inside = f"{caption}\n<thead>{head}</thead>\n<tbody>\n{body}\n</tbody>"
    return f'<div class="wide">{more}<table>{inside}\n</table></div>'


def _range_below(spread: re.Match[str]) -> str:
    """A range in parentheses, which a column that has no room for it may break."""
    return "<small>" + spread[0].replace("\xa0", " ") + "</small>"


def _class(table: Table, number: int, place: int) -> str:
    """Of the cells of column *number*, which is at *place*."""
    if place < table.text_columns:
        return " class=text"
    return " class=more" if number in table.only_page or number in table.folded else ""
