"""report.html: the answer in one sentence, the matrix or grid where there are several runs, then each experiment."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path

from lab.errors import BadInput
from lab.experiments.study import Measured, Study
from lab.experiments.wording import answer
from lab.report import html
from lab.report.costs import costs
from lab.report.glossary import how_to_read
from lab.report.overview import overview, verdict
from lab.report.runs import details

__all__ = ["render_run", "render_study", "write_report"]

_STYLE = Path(__file__).with_name("report.css")


def write_report(subject: Measured | Study) -> Path:
    """Write report.html into the folder of a run or study; its path.

    Raises:
        BadInput: it cannot be written.
    """
    text = render_run(subject) if isinstance(subject, Measured) else render_study(subject)
    path = subject.folder / "report.html"
    temporary = path.with_name(".report.html.new")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise BadInput(
            f"{path} cannot be written ({error.strerror}): free some space and run `lab report {subject.folder}`."
        ) from None
    return path


def render_run(measured: Measured) -> str:
    """The page of one run as text. It loads nothing from elsewhere."""
    answers = answer(measured.findings)
    parts = [f"<h1>{html.text(answers)}</h1>", *details(measured, level=2), costs(measured.runs), how_to_read()]
    return _page(measured.label, parts)


def render_study(study: Study) -> str:
    """The page of several runs as text. It loads nothing from elsewhere."""
    parts = [f"<h1>{html.text(verdict(study))}</h1>", *overview(study)]
    for number, measured in enumerate(study.measured):
        title = f"{measured.label}: {answer(measured.findings)}"
        parts.append(html.section(title, details(measured, level=3), anchor=f"run-{number}"))
    return _page("What clients saw", [*parts, how_to_read()])


def _page(title: str, parts: list[str]) -> str:
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>\n{_STYLE.read_text()}</style>\n</head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body>\n</html>\n"
    )
