"""docs/findings.md quotes what docs/measurements has."""

from __future__ import annotations

import csv
import re

from tests.twin.running import PROJECT

DOCS = PROJECT / "docs"
ROUNDED = {5_300, 3_200}  # "some 5,300 requests"


def test_every_count_that_is_quoted_was_measured() -> None:
    measured: set[int] = set()
    for file in (DOCS / "measurements").glob("*.csv"):
        rows = list(csv.DictReader(file.read_text().splitlines()))
        ways = {row.get("arm") for row in rows}
        for column in {"requests", "failures", "unhealthy_answers"} & rows[0].keys():
            measured |= {int(row[column]) for row in rows}
            # All runs of a file together, and those of each way.
            measured |= {sum(int(row[column]) for row in rows if row.get("arm") == way) for way in ways}
            measured.add(sum(int(row[column]) for row in rows))
    text = (DOCS / "findings.md").read_text()
    _, _, text = text.partition("## What clients see when something happens to a task")
    text, _, _ = text.partition("## The run that started the project")
    quoted = {int(number.replace(",", "")) for number in re.findall(r"\b\d{1,3},\d{3}\b", text)}

    assert len(quoted) > 30
    assert quoted - measured <= ROUNDED


def test_pictures_and_files_that_are_named_are_there() -> None:
    text = (DOCS / "findings.md").read_text()
    named = re.findall(r'(?:\]\(|src="|srcset=")((?!http|#)[^)"#]+)', text)

    assert {"images/report-grid.png", "images/report-matrix.png"} <= set(named)
    assert [name for name in named if not (DOCS / name).exists()] == []
