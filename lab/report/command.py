"""`lab report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["report"]


def report(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder that `lab run` or Locust made.")],
) -> None:
    """Write report.html anew, from the files of a run or of several."""
    from lab.experiments.study import is_study, read_measured, read_study
    from lab.report.page import write_report

    print(write_report(read_study(folder) if is_study(folder) else read_measured(folder)))
