"""`lab compare` and `lab calibrate`: what runs say beside each other, and about AWS."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["calibrate", "compare"]

_SEED = 1  # of the simulated gateways: the same files give the same answer
_WIDTH = 140  # columns, where the output is no terminal


def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="A folder that `lab run` made, of one run or of several.")],
    second: Annotated[
        Path | None, typer.Argument(metavar="B", help="Another. Without it the two ways of A are compared.")
    ] = None,
) -> None:
    """Say whether two runs, two sets of repeats, or the two ways of one, differ by more than chance."""
    from rich.console import Console
    from rich.table import Table

    from lab.experiments.compare import Verdict, compare_ways
    from lab.experiments.compare import compare as compared
    from lab.experiments.matrix import ARMS
    from lab.experiments.study import read_study
    from lab.experiments.wording import flaws

    studies = [read_study(folder) for folder in (first, second) if folder]
    found = compared(*studies) if second else compare_ways(*studies)
    if told := [flaw for study in studies for flaw in flaws(study)]:
        print(f"Left out: {'; '.join(told)}.")
    heads = ("A", "B") if second else tuple(ARMS.values())
    table = Table(box=None, pad_edge=False)
    for name in ("experiment", *(["way"] if second else []), "figure", *heads, "test", "p", "difference"):
        table.add_column(name, justify="right" if name in (*heads, "p") else "left")
    for each in found:
        way = [ARMS[each.arm]] if second else []
        p_value = "" if each.p_value is None else f"{each.p_value:.2g}"
        difference = f"{each.verdict.value}{f', {each.reason}' if each.reason else ''}"
        table.add_row(each.subject, *way, each.figure, each.first, each.second, each.test, p_value, difference)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH
    console.print(table)
    different = [f"{each.subject} in {each.figure}" for each in found if each.verdict is Verdict.DIFFERENT]
    console.print(f"They differ by more than chance: {', '.join(different) or 'in nothing that can be told'}.")
    if any(each.verdict is Verdict.UNKNOWN for each in found):
        console.print(
            "Where it cannot be told there are too few repeats (lab run --repeat), for an event costs something else "
            "each time: of a single run nobody knows which part of its figures is chance."
        )


def calibrate(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="Folders that `lab run` made, best on AWS.")
    ],
) -> None:
    """Find the twin's assumed parameters that agree with measured runs, and say which cannot be told apart."""
    import numpy as np

    from lab.experiments.calibration import calibrate as calibrated
    from lab.experiments.calibration import in_words
    from lab.experiments.study import read_study
    from lab.experiments.wording import flaws

    studies = list(map(read_study, folders))
    runs = [measured for study in studies for measured in study.measured]
    if told := [flaw for study in studies for flaw in flaws(study)]:
        print(f"Left out: {'; '.join(told)}.")
    for line in in_words(calibrated(runs, np.random.default_rng(_SEED))):
        print(line)
