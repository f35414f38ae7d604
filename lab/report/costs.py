"""The part of a page that tells what the measured traffic would cost, were it like this all month."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lab.costs.pictures import bars_svg, bars_title, rate_svg, rate_title, size_svg, size_title
from lab.costs.study import study_of_run
from lab.errors import BadInput
from lab.report import html
from load.results import HostRow, Run

__all__ = ["costs"]

_ABOUT = (
    "Six ways to expose the service, at the rate, sizes and tasks that this run measured{together}, for a whole month. "
    "Several prices are assumed: `lab costs` names them, and says what each may change."
)


def costs(runs: Mapping[str, Run]) -> str:
    """The section on costs, of the runs by their way to the tasks; a sentence where they cannot be priced."""
    try:
        study = study_of_run(_together(list(runs.values())))
    except BadInput as error:
        return html.section("What would it cost?", [html.paragraph(f"{error}.")])
    together = ", both ways together" if len(runs) > 1 else ""
    return html.section(
        "What would it cost?",
        [
            html.paragraph(_ABOUT.format(together=together)),
            html.figure("A month, by what it is paid for", bars_svg(study, titled=False), f"{bars_title(study)}."),
            html.figure("Against the request rate", rate_svg(study, titled=False), f"{rate_title(study)}."),
            html.figure("Against the size of a response", size_svg(study, titled=False), f"{size_title(study)}."),
        ],
    )


def _together(runs: list[Run]) -> Run:
    """The first of the runs with the requests that all of them sent at the same time to the same hosts."""
    hosts: dict[str, HostRow] = {}
    for run in runs:
        for host in run.hosts:
            known = hosts.get(host.hostname, replace(host, requests=0))
            hosts[host.hostname] = replace(
                known,
                requests=known.requests + host.requests,
                first_seen=min(known.first_seen, host.first_seen),
                last_seen=max(known.last_seen, host.last_seen),
            )
    return replace(runs[0], hosts=tuple(hosts.values()))
