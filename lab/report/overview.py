"""The part of a page that tells of several runs together: the answer, the matrix, the grid of a sweep."""

from __future__ import annotations

from collections.abc import Sequence

from lab.distribution.wording import percent
from lab.experiments.catalogue import DIRECT
from lab.experiments.matrix import WAYS, Row, rows
from lab.experiments.study import Study
from lab.experiments.wording import BESIDE, flaws, missed_rate
from lab.report import html, pictures
from lab.report.matrix import tables
from lab.report.rule import rule

__all__ = ["overview", "verdict"]

_COLUMNS = (
    "All times are in seconds after the event: when requests began to fail and when they ceased; when the split over "
    "the hosts was even again; when ECS began to stop or to start a task; when the last task that went was out of "
    "Cloud Map; when the last new task answered. A dash: it did not come to that, or there is no such thing in it."
)

_COLOURS = "The stronger the colour, the more: by powers of ten from 0.01 % to 100 %, alike in every report."


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
    if not sentences:
        return "No run came to its end, so there is nothing to say of them together."
    text = "; ".join(sentences)
    return f"{text[0].upper()}{text[1:]}."


def overview(study: Study) -> list[str]:
    """Matrix, grids, what was left out."""
    matrix = rows(study.measured)
    parts = [_matrix(matrix)] if matrix else []
    if told := flaws(study):
        parts.append(html.paragraph(f"In none of this: {'; '.join(told)}.", "missed"))
    if study.left_out:
        reasons = "; ".join(f"{name}, for {reason}" for name, reason in study.left_out.items())
        parts.append(html.paragraph(f"Left out: {reasons}.", "facts"))
    missed = [each for each in study.measured if any(map(missed_rate, each.runs.values()))]
    if missed:
        names = "; ".join(each.label for each in missed)
        parts.append(html.paragraph(f"Sent less than was asked for, as is said there: {names}.", "missed"))
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
    if len(events) == 1:
        return f"{way} {failed:,} of {requests:,} requests failed {worst.experiment.when} ({percent(_share(worst))})"
    return f"{counted}, and {worst.experiment.name} lost most ({failed:,} of {requests:,}, {percent(_share(worst))})"


def _lossless_settings(matrix: Sequence[Row], swept: Sequence[str], way: str) -> str:
    lossless: dict[tuple[float, ...], bool] = {}
    for row in matrix:
        setting = tuple(row.parameters[name] for name in swept)
        lossless[setting] = lossless.get(setting, True) and not _sums([row])[0]
    good = sum(lossless.values())
    named = rule(swept, lossless) if 0 < good < len(lossless) else ""
    return f"{way} {good} of {len(lossless)} settings lost no request{': ' if named else ''}{named}"


def _matrix(matrix: Sequence[Row]) -> str:
    runs = max(row.runs for row in matrix)
    spread = f" Each cell is the median of {runs} runs, with the least and the most." if runs > 1 else ""
    beside = BESIDE if len({row.arm for row in matrix}) > 1 else ""
    notes = [html.paragraph(text, "facts") for text in (f"{_COLUMNS}{spread}", beside)]
    first, second = tables(matrix)
    return html.section("The matrix", [first, *notes, second])


def _grids(matrix: Sequence[Row]) -> list[str]:
    swept = _swept(matrix)
    if not swept:
        return []
    across, up = (swept[0], swept[1] if len(swept) > 1 else "")
    shown = []
    for name, arm in dict.fromkeys((row.experiment.name, row.arm) for row in matrix):
        own = [row for row in matrix if (row.experiment.name, row.arm) == (name, arm)]
        picture = pictures.heat_map((across, up), [row.parameters for row in own], [_share(row) for row in own])
        shown.append(html.figure(f"Requests that failed, {name}, {WAYS[arm]}", picture, _COLOURS))
    return shown


def _swept(matrix: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in matrix for name in row.parameters))


def _sums(matrix: Sequence[Row]) -> tuple[int, int]:
    found = [findings for row in matrix for findings in row.findings]
    return sum(f.failures for f in found), sum(f.requests for f in found)


def _share(row: Row) -> float:
    failed, requests = _sums([row])
    return failed / requests if requests else 0.0
