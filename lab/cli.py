"""`lab`: is it even, what did clients see, what does it cost? Only wires the commands."""

from __future__ import annotations

import sys

import typer

from lab.costs.command import app as costs
from lab.distribution.command import distribution
from lab.errors import LabError
from lab.experiments.analysis_commands import calibrate, compare
from lab.experiments.command import run
from lab.report.command import report
from lab.simulation.command import simulate

__all__ = ["app", "main"]

app = typer.Typer(
    help=__doc__,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def _lab() -> None:
    """Is it even, what did clients see, what does it cost?"""


app.command()(run)
app.command()(report)
app.command()(compare)
app.command()(calibrate)
app.command()(distribution)
app.command()(simulate)
app.add_typer(costs, name="costs")


def main() -> None:
    """Run `lab`; a LabError becomes one sentence on stderr and its exit code."""
    try:
        app()
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
