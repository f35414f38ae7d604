"""The part of a page that tells what the measured traffic would cost, were it like this all month."""

from __future__ import annotations

from lab.costs.pictures import bars_svg, rate_svg, size_svg
from lab.costs.study import study_of_run
from lab.errors import BadInput
from lab.report import html
from load.results import Run

__all__ = ["costs"]

_ABOUT = (
    "Six ways to expose the service, at the rate, sizes and tasks that this run measured, for a whole month. Several "
    "prices are assumed: `lab costs` names them, and says what each may change."
)


def costs(run: Run) -> str:
    """The section on costs; a sentence where the run cannot be priced."""
    try:
        study = study_of_run(run)
    except BadInput as error:
        return html.section("What would it cost?", [html.paragraph(f"{error}.")])
    return html.section(
        "What would it cost?",
        [
            html.paragraph(_ABOUT),
            html.figure("A month, by what it is paid for", bars_svg(study)),
            html.figure("Against the request rate", rate_svg(study)),
            html.figure("Against the size of a response", size_svg(study)),
        ],
    )
