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
    second: Annotated[Path, typer.Argument(metavar="B", help="Another.")],
) -> None:
    """Say whether two runs, or two sets of repeats, differ by more than chance."""
    from rich.console import Console
    from rich.table import Table

    from lab.experiments.compare import Verdict
    from lab.experiments.compare import compare as compared
    from lab.experiments.matrix import ARMS
    from lab.experiments.study import read_study

    found = compared(read_study(first), read_study(second))
    table = Table(box=None, pad_edge=False)
    for name in ("experiment", "way", "figure", "A", "B", "test", "p", "difference"):
        table.add_column(name, justify="right" if name in ("A", "B", "p") else "left")
    for each in found:
        p_value = "" if each.p_value is None else f"{each.p_value:.2g}"
        table.add_row(
            each.experiment,
            ARMS[each.arm],
            each.figure,
            each.first,
            each.second,
            each.test,
            p_value,
            each.verdict.value,
        )
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH
    console.print(table)
    different = [f"{each.experiment} in {each.figure}" for each in found if each.verdict is Verdict.DIFFERENT]
    console.print(f"They differ by more than chance: {', '.join(different) or 'in nothing that can be told'}.")
    if any(each.verdict is Verdict.UNKNOWN for each in found):
        console.print(
            "Where it cannot be told, there are too few repeats: an event costs something else each time. "
            "Run both with --repeat 6 or more."
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

    runs = [measured for folder in folders for measured in read_study(folder).measured]
    for line in in_words(calibrated(runs, np.random.default_rng(_SEED))):
        print(line)
