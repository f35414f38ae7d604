from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.figure import Figure, Goal
from benchmarks.figures import BENCHMARKS, SLOW
from benchmarks.results import Run, read
from benchmarks.table import KEPT, PAGE, draw, in_step


def test_the_page_says_what_was_measured() -> None:
    page = PAGE.read_text()

    assert in_step(page, read(KEPT)) == page, "python -m benchmarks.table docs/measurements/speed.json"


def test_each_benchmark_was_measured_but_those_that_take_minutes() -> None:
    assert set(read(KEPT).skipped) <= set(SLOW)
    assert set(SLOW) <= set(BENCHMARKS)


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="marks of machine"):
        in_step("# Performance\n", read(KEPT))


def test_the_picture_has_a_row_for_each_figure(tmp_path: Path) -> None:
    figures = (
        Figure("fast", "", "", "s", "less", (1.0, 2.0), (2.0, 2.0), Goal("ratio", 1.0)),
        Figure("slow", "", "", "s", "less", (9.0, 9.0), (2.0, 2.0), Goal("value", 1.0)),
        Figure("free", "", "", "s", "less", (1.0,), (1.0,)),
    )
    draw(Run(figures, {}, {}), tmp_path / "picture.svg")
    drawn = (tmp_path / "picture.svg").read_text()

    assert all(f"<!-- {figure.name} -->" in drawn for figure in figures)
