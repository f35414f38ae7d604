"""The part of a page that tells of several runs together: the answer, the matrix, the grid of a sweep."""

from __future__ import annotations

from collections.abc import Sequence

from lab.experiments.load import DIRECT
from lab.experiments.matrix import WAYS, Row, layout, relative, rows
from lab.experiments.study import Study
from lab.experiments.wording import BESIDE
from lab.report import html, pictures

__all__ = ["overview", "verdict"]


def verdict(study: Study) -> str:
    """What several runs say, in one sentence."""
    matrix = rows(study.measured)
    swept = _swept(matrix)
    sentences = []
    ways = WAYS if len({row.arm for row in matrix}) > 1 else {DIRECT: "without a load balancer"}
    for arm, way in ways.items():
        own = [row for row in matrix if row.arm == arm]
        if own:
            sentences.append(_lossless_settings(own, swept, way) if swept else _worst(own, way))
    text = "; ".join(sentences)
    return f"{text[0].upper()}{text[1:]}."


def overview(study: Study) -> list[str]:
    """Matrix, grids, what was left out."""
    matrix = rows(study.measured)
    parts = [_matrix(matrix)]
    if study.left_out:
        reasons = "; ".join(f"{name}, for {reason}" for name, reason in study.left_out.items())
        parts.append(html.paragraph(f"Left out: {reasons}.", "facts"))
    return [*_grids(matrix), *parts]


def _worst(matrix: Sequence[Row], way: str) -> str:
    events = [row for row in matrix if row.experiment.has_event]
    if not events:
        failed, requests = _sums(matrix)
        return f"{way} {failed:,} of {requests:,} requests failed while nothing happened"
    lossless = [row for row in events if not _sums([row])[0]]
    counted = f"{way} {len(lossless)} of {len(events)} events lost no request"
    if len(lossless) == len(events):
        return counted
    worst = max(events, key=_share)
    failed, requests = _sums([worst])
    return f"{counted}, and {worst.experiment.name} lost most ({failed:,} of {requests:,}, {_share(worst):.2%})"


def _lossless_settings(matrix: Sequence[Row], swept: Sequence[str], way: str) -> str:
    settings = sorted({tuple(row.parameters[name] for name in swept) for row in matrix})
    lossy = {tuple(row.parameters[name] for name in swept) for row in matrix if _sums([row])[0]}
    good = [setting for setting in settings if setting not in lossy]
    named = " or ".join(
        " and ".join(f"{name} {value:g}" for name, value in zip(swept, setting, strict=True)) for setting in good
    )
    return f"{way} {len(good)} of {len(settings)} settings lost no request" + (f": {named}" if good else "")


def _matrix(matrix: Sequence[Row]) -> str:
    runs = max(row.runs for row in matrix)
    note = "Times in seconds from the event. A dash: it did not come to that, or there is no such thing in it."
    if runs > 1:
        note += f" Each cell is the median of {runs} runs, with the least and the most."
    beside = BESIDE if len({row.arm for row in matrix}) > 1 else ""
    notes = [html.paragraph(text, "facts") for text in (note, beside)]
    return html.section("The matrix", [html.table(*layout(matrix)), *notes, html.table(*relative(matrix))])


def _grids(matrix: Sequence[Row]) -> list[str]:
    swept = _swept(matrix)
    if not swept:
        return []
    across, up = (swept[0], swept[1] if len(swept) > 1 else "")
    shown = []
    for name, arm in dict.fromkeys((row.experiment.name, row.arm) for row in matrix):
        own = [row for row in matrix if (row.experiment.name, row.arm) == (name, arm)]
        picture = pictures.heat_map((across, up), [row.parameters for row in own], [100 * _share(row) for row in own])
        shown.append(html.figure(f"Requests that failed, {name}, {WAYS[arm]}", picture))
    return shown


def _swept(matrix: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in matrix for name in row.parameters))


def _sums(matrix: Sequence[Row]) -> tuple[int, int]:
    found = [findings for row in matrix for findings in row.findings]
    return sum(f.failures for f in found), sum(f.requests for f in found)


def _share(row: Row) -> float:
    failed, requests = _sums([row])
    return failed / requests if requests else 0.0
