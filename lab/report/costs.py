"""The part of a page that tells what traffic of the measured kind would cost, were it like this all month."""

from __future__ import annotations

from collections.abc import Mapping

from lab.costs.pictures import bars_svg, bars_title, rate_svg, rate_title, size_svg, size_title
from lab.costs.quantities import rounded
from lab.costs.study import study_of_run
from lab.costs.traffic import asked_rate
from lab.costs.verdict import mixed_in_words, share_in_words, verdict
from lab.errors import BadInput
from lab.report import html
from load.results import Run

__all__ = ["costs"]

_ABOUT = (
    "Six ways to expose the service for a whole month, with the sizes and tasks that this run measured, at {rate} "
    "requests per second: {why}. Several prices are assumed: `lab costs` names them, and says what each may change."
)
_REFERENCE = (
    "a reference, for a run whose users each ask again once answered has the rate that the machines could do, and "
    "nobody has that all month. `lab costs --results` with `--requests-per-second` prices another"
)
_ASKED = "the rate that this run was asked for"
_ASKED_OF_ONE = "the rate that each of the two ways was asked for, for in production there is one"


def costs(runs: Mapping[str, Run]) -> str:
    """The section on costs, of the first of the runs by their way to the tasks; a sentence if it cannot be priced.

    Two ways are measured beside each other, on the same tasks, to be compared: what they sent is never added.
    """
    first = next(iter(runs.values()))
    try:
        study = study_of_run(first)
        asked = asked_rate(first)
    except BadInput as error:
        return html.section("What would it cost?", [html.paragraph(f"{error}.")])
    why = _REFERENCE if asked is None else _ASKED if len(runs) == 1 else _ASKED_OF_ONE
    return html.section(
        "What would it cost?",
        [
            html.paragraph(verdict(study)),
            html.paragraph(share_in_words(study) if study.possible else ""),
            html.paragraph(mixed_in_words(study)),
            html.paragraph(_ABOUT.format(rate=rounded(study.scenario.mean_rate), why=why)),
            html.figure("A month, by what it is paid for", bars_svg(study, titled=False), f"{bars_title(study)}."),
            html.figure("Against the request rate", rate_svg(study, titled=False), f"{rate_title(study)}."),
            html.figure("Against the size of a response", size_svg(study, titled=False), f"{size_title(study)}."),
        ],
    )
