"""The pages of runs and studies: what was measured, as Documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from lab.distribution.goodness import ALPHA, holm
from lab.distribution.judgement import Analysis, analyse
from lab.errors import BadInput
from lab.experiments.catalogue import CLIENT_PROXY, DIRECT, EXPERIMENTS, LOAD_BALANCER
from lab.experiments.figures import FIGURES, figures
from lab.experiments.findings import Findings
from lab.experiments.periods import Period, of_period
from lab.experiments.study import Measured, Row, Study, row_of, rows
from lab.experiments.turnover import Rebalancing
from lab.records.observations import observe
from lab.report import run_words, split_words, study_words, words
from lab.report import table as failed
from lab.report.document import Document, Heading, Part, Picture, Sentence, Table
from lab.report.headline import study_answer
from lab.report.pictures.split import convergence_svgs, deviations_svgs
from lab.report.pictures.timeline import heat_map, lost, timeline
from load.results import Run

# The figures of the matrix; those of the second list are on pages alone.
_SHOWN = (
    "requests", "failures", "unfinished", "failed_seconds", "failed_percent", "failures_from_s",
    "even_again_s", "p99_before_ms", "p99_during_ms", "detect_s", "deregister_s", "replace_s",
)  # fmt: skip
_FROM, _TO = "failures_from_s", "failures_to_s"  # one column
_PAGE_ONLY = {"unfinished", "failed_percent", "p99_before_ms", "p99_during_ms", "detect_s", "deregister_s", "replace_s"}
_FOLDED = {"requests", "even_again_s"}  # on a narrow screen

_MOST_COLUMNS = 4  # of the table that a page of several runs begins with
_ALONE = 2  # level of the headings of a page about one run
_HOW_TO_READ = (
    Heading("How to read this", folded=True, detail=True),
    Table(("term", "meaning"), list(words.GLOSSARY.items()), text_columns=2, detail=True),
)


def run_page(measured: Measured) -> Document:
    """The page of one run."""
    tested = _tested([measured])
    costs = f"`lab costs --results {measured.folder}`"
    asks = f"What a month of traffic like this costs, with a load balancer and without: {costs}."
    what_it_costs = (Heading("What would it cost?", detail=True), Sentence(asks, detail=True))
    parts = [*_run(measured, _ALONE, tested), *what_it_costs, *_HOW_TO_READ]
    return Document(run_words.answer(measured.findings), parts, _values(measured, tested))


def run_in_short(measured: Measured, *, same_age: bool = False) -> Document:
    """Of one run among several what a terminal shows: the answer, why and when requests failed, and who went.

    same_age: whether the age of the gateway's list was told before, of a run at another setting of a sweep.
    """
    parts: list[Part] = [hint] if (hint := run_words.hint(measured)) else []
    both = len(measured.findings) > 1
    for arm, findings in measured.findings.items():
        parts += [Sentence(note, "warning") for note in run_words.load_notes(findings)]
        if findings.failures or not both:
            age = "" if same_age else run_words.age(findings)
            story = " ".join((age, run_words.story(findings))).strip()
            told = filter(None, (run_words.failures(findings), story, run_words.rebalancing(findings)))
            way = f"{words.capital(words.THROUGH[arm])}, "
            parts += [f"{way}{words.uncapital(text)}" if both else text for text in told]
    return Document(f"{measured.label}: {words.uncapital(run_words.answer(measured.findings))}", parts)


def study_page(study: Study) -> Document:
    """The page of several runs: the answer, the grid of a sweep, the matrix, then each run."""
    matrix = rows(study.measured)
    tested = _tested(study.measured)
    answer = study_answer(matrix)
    if not any(row.experiment.has_event for row in matrix):
        whole = [(each, arm, found) for each in study.measured if not each.flaw for arm, found in each.findings.items()]
        judged = [period.judgement for *_, found in whole for period in found.periods if period.judgement is not None]
        uneven = sum(p <= ALPHA for each, arm, _ in whole for p in _by_period(tested, each, arm).values())
        answer = f"{answer} {split_words.splits(judged, uneven)}".strip()
    values = {
        "answer": answer,
        "runs": [_values(measured, tested) for measured in study.measured],
        "left_out": dict(study.left_out),
    }
    order = list(EXPERIMENTS)
    in_order = replace(study, measured=tuple(sorted(study.measured, key=lambda each: order.index(each.name))))
    return Document(answer, list(_study(in_order, matrix, tested)), values)


Tested = Mapping[tuple[str, str, str], float]
"""All splits that a page tests, by folder of the run, way and period: their p-values, adjusted for all of them."""


def _tested(measured: Sequence[Measured]) -> Tested:
    splits = {
        (str(each.folder), arm, period.name): period.judgement.p_value
        for each in measured
        for arm, findings in each.findings.items()
        for period in findings.periods
        if period.judgement is not None
    }
    return dict(zip(splits, holm(list(splits.values())), strict=True))


def _by_period(tested: Tested, measured: Measured, arm: str) -> dict[str, float]:
    """Those of a run and way."""
    return {name: p for (folder, way, name), p in tested.items() if (folder, way) == (str(measured.folder), arm)}


# One run


def _run(measured: Measured, level: int, tested: Tested) -> Iterator[Part]:
    """All that is to be shown of an experiment; with two ways each has a heading of this *level*."""
    both = len(measured.runs) > 1
    roles = _roles(measured)
    yield run_words.hint(measured)
    # What a study says once, for all of its runs.
    where = run_words.measured_on(measured) if level == _ALONE else ""
    yield Sentence(f"{where}{run_words.load_of(measured)}", "facts", detail=True)
    if level == _ALONE:
        yield Sentence(run_words.known_beside(measured), "facts")
    for arm, run in measured.runs.items():
        if both:
            yield Heading(words.capital(words.THROUGH[arm]), level)
        yield from _way(run, measured.findings[arm], roles, _by_period(tested, measured, arm), len(tested))
    if level == _ALONE and (analysis := _analysis(measured.runs[DIRECT])):
        way = f", {words.THROUGH[DIRECT]}" if both else ""
        yield Heading(f"As requests add up{way}", level, folded=True, detail=True)
        yield Picture(split_words.convergence_title(analysis), partial(convergence_svgs, analysis, roles))
    yield Heading("How this was measured", level, folded=True, detail=True)
    yield from (Sentence(text, detail=True) for text in run_words.source_of(measured))


def _way(
    run: Run, findings: Findings, roles: Mapping[str, str], adjusted: Mapping[str, float], tests: int
) -> Iterator[Part]:
    yield from (Sentence(note, "warning") for note in run_words.load_notes(findings))
    yield run_words.failures(findings)
    yield from run_words.times(findings)
    if not run.timeline:
        return
    judged = {each.name: each.judgement.one_of(tests) for each in findings.periods if each.judgement is not None}
    yield split_words.split(judged, adjusted)
    yield _timeline(run, findings, roles)
    yield _hosts(findings, roles)
    splits = {
        p.name: found.shares
        for p in findings.periods
        if (own := judged.get(p.name)) and own.requests > own.left_out and (found := _analysis(of_period(run, p)))
    }
    if splits:
        drawn = splits if len(splits) > 1 else {"": next(iter(splits.values()))}
        title, shows = split_words.deviations_title(splits), split_words.deviations_show(splits)
        yield Picture(title, partial(deviations_svgs, drawn, roles), alternative=shows)
    for name, judgement in judged.items():
        yield Sentence(split_words.split_numbers(name, judgement, adjusted[name]), "facts", detail=True)


def _timeline(run: Run, findings: Findings, roles: Mapping[str, str]) -> Picture:
    below = ", failures below the axis" if findings.failures else ""
    beneath = "; latencies beneath" if run.latency else ""
    title = f"Requests per second by host{below}{beneath}"
    return Picture(title, partial(timeline, run, findings, roles), alternative=run_words.timeline_shows(findings))


def _roles(measured: Measured) -> dict[str, str]:
    """Each host's part in the event, in the order of their first answers: `gone`, `new`, or "" where it stays."""
    seen = {host.hostname: host.first_seen for run in measured.runs.values() for host in run.hosts if host.hostname}
    findings = measured.findings[DIRECT]
    moved = findings.rebalancing or Rebalancing((), (), 0.0)
    new = {*findings.replacements, *moved.came} - set(moved.gone)
    gone = {*findings.stopped, *moved.gone} - new  # a name that both have is that of a task which runs
    return {
        host: "gone" if host in gone else "new" if host in new else "" for host in sorted(seen, key=seen.__getitem__)
    }


def _analysis(run: Run) -> Analysis | None:
    try:
        return analyse(observe(run))
    except BadInput:  # fewer than two hosts
        return None


def _hosts(findings: Findings, roles: Mapping[str, str]) -> Table:
    """The one table of hosts: requests, the share of each period, failures, latencies, and who came or went."""
    names = words.short(host.hostname for host in findings.hosts)
    periods = findings.periods
    totals = [sum(period.counts.values()) for period in periods]
    lines = []
    for host in findings.hosts:
        shares = [
            f"{100 * period.counts[host.hostname] / total:.1f} %" if period.counts.get(host.hostname) else "-"
            for period, total in zip(periods, totals, strict=True)
        ]
        latencies = [f"{each:,.1f}" for each in (host.p50_ms, host.p95_ms, host.p99_ms)]
        who = [names.get(host.hostname, host.hostname), roles.get(host.hostname, ""), host.availability_zone]
        lines.append([*who, f"{host.requests:,}", *shares, f"{host.failures:,}", *latencies])
    if len(periods) > 1:
        failed = [f"{period.failures:,}" for period in periods]
        p99 = ["-" if period.p99_ms is None else f"{period.p99_ms:,.1f}" for period in periods]
        lines.append(["failed", "", "", "", *failed, f"{sum(period.failures for period in periods):,}", "", "", ""])
        lines.append(["p99 ms", "", "", "", *p99, "", "", "", ""])
    spans = [f"{p.name} ({p.last_second - p.first_second + 1} s)" if len(periods) > 1 else "share" for p in periods]
    head = ["host", "role", "zone", "requests", *spans, "failed", "p50 ms", "p95 ms", "p99 ms"]
    whole = sum(period.last_second - period.first_second + 1 for period in periods)
    cut = whole > round(findings.duration) and len(periods) > 1
    adds_up = f"{whole} s for {findings.duration:.0f} s of load"
    caption = f"Periods are in whole seconds of the clock, so that they add up to {adds_up}." if cut else ""
    return Table(head, lines, caption, text_columns=3, only_page=(len(head) - 3, len(head) - 2))


def _values(measured: Measured, tested: Tested) -> dict[str, Any]:
    """One run as --json prints it: of the way through Cloud Map at the top, the others under their own names."""
    direct, beside, proxy = (
        _way_values(measured.findings[arm], _by_period(tested, measured, arm)) if arm in measured.findings else None
        for arm in (DIRECT, LOAD_BALANCER, CLIENT_PROXY)
    )
    return {
        "experiment": measured.name,
        "parameters": dict(measured.parameters),
        "repeat": measured.repeat,
        "folder": str(measured.folder),
        "complete": not measured.flaw,
        "flaw": measured.flaw and measured.flaw.value,
        "answer": run_words.answer(measured.findings),
        "way": measured.findings[DIRECT].arm,
        **(direct or {}),
        "load_balancer": beside,
        "client_proxy": proxy,
    }


def _way_values(findings: Findings, adjusted: Mapping[str, float]) -> dict[str, Any]:
    even = findings.even_again
    return {
        **figures(findings),
        **{name: getattr(findings, name) for name in ("rate", "stopped", "replacements", "unserved")},
        "duration_s": findings.duration,
        **{name: getattr(findings, name) for name in ("asked_rate", "due", "sent", "missed_rate")},
        "rebalancing": findings.rebalancing and asdict(findings.rebalancing),
        "failed_since_move": findings.failed_since_move,
        "notes": run_words.load_notes(findings),
        "failures_by_status": {str(status): number for status, number in findings.failures_by_status.items()},
        "even_again_reason": even and even.reason,
        "even_again_resolution_s": even and even.resolution_s,
        "lost_workers": len(findings.lost_workers),
        "lost_requests": sum(worker.requests for worker in findings.lost_workers),
        "resets": len(findings.resets),
        "accidents": [accident.what for accident in findings.accidents],
        "windows": [_window(period, adjusted.get(period.name)) for period in findings.periods],
    }


def _window(period: Period, p_adjusted: float | None) -> dict[str, Any]:
    judgement = period.judgement
    limit = None if judgement is None else judgement.bound
    return {
        "name": period.name,
        "seconds": period.last_second - period.first_second + 1,
        "hosts": dict(period.counts),
        "failures": period.failures,
        "p99_ms": period.p99_ms,
        "bound_percent": None if limit is None else 100 * limit,
        "p": judgement and judgement.p_value,
        "p_adjusted": p_adjusted,
        "evidence": None if p_adjusted is None else p_adjusted <= ALPHA,
        "left_out": judgement and judgement.left_out,
    }


# Several runs


def _study(study: Study, matrix: Sequence[Row], tested: Tested) -> Iterator[Part]:
    where = "".join(dict.fromkeys(map(run_words.measured_on, study.measured))).strip()
    yield Sentence(where, "facts")
    found = failed.columns(matrix)
    pictures = _timelines(study) or _lost(found) or grids(matrix)
    if 1 < len(found) <= _MOST_COLUMNS and len({row.experiment.name for row in matrix}) > 1:
        yield failed.failed_table(found, detail=True)
    yield from pictures
    yield failed.counted_until(found)
    yield failed.without_sigterm(matrix)
    yield Sentence(study_words.not_followed(study.measured), "warning")
    yield Sentence(study_words.luck(study.measured), "warning")
    if matrix:
        yield from table(matrix, study.measured)
        yield Sentence(run_words.beside(study.measured), "facts")
    yield Sentence(study_words.unused([study], "In none of this"), "warning")
    if study.left_out:
        reasons = "; ".join(f"{name}, for {reason}" for name, reason in study.left_out.items())
        yield Sentence(f"Left out: {reasons}.", "facts")
    yield from (Sentence(text, "warning") for text in study_words.load_notes(study.measured, matrix, study.parts))
    if study.command:
        yield Sentence(run_words.repeats(study.command), "facts", detail=True)
    for number, measured in enumerate(study.measured):
        title = f"{measured.label}: {words.uncapital(run_words.answer(measured.findings))}"
        yield Heading(title, 2, f"run-{number}", folded=True, detail=True)
        yield from _run(measured, 3, tested)
    yield from _HOW_TO_READ


def table(matrix: Sequence[Row], measured: Sequence[Measured] = ()) -> Iterator[Part]:
    """A line for each experiment, setting and way, with a link to its first run where that is on the page."""
    least, most = (of(row.runs for row in matrix) for of in (min, max))
    many = f"{most}" if least == most else f"{least} to {most}"
    spread = f" Each cell is the median of {many} runs, with the least and the most." if most > 1 else ""
    has_events = any(row.experiment.has_event for row in matrix)
    yield Heading("All events" if has_events else "All runs")
    yield _table(matrix, measured)
    yield Sentence(f"{study_words.MATRIX if has_events else ''}{spread}".strip(), "facts", detail=True)


def _table(matrix: Sequence[Row], measured: Sequence[Measured]) -> Table:
    swept = study_words.swept(matrix)
    both = len({row.arm for row in matrix}) > 1
    is_alone = any(row.arm == DIRECT and not row.beside for row in matrix)
    anchors: dict[Path | None, str] = {each.folder: f"run-{number}" for number, each in enumerate(measured)}
    # Nearly every request has an end; and where nothing happened there is nothing to time.
    quiet = not any(row.experiment.has_event for row in matrix)
    shown = [
        name
        for name in (*_SHOWN, *(["p99_ms"] if quiet else []))
        if (name != "unfinished" or any(f.unfinished for row in matrix for f in row.findings))
        and not (quiet and all(name not in row.figures for row in matrix))
    ]
    lines = [
        [
            row.experiment.name,
            *(study_words.setting(name, row) for name in swept),
            *([f"{words.WAYS[row.arm]}{study_words.ON_ONE if row.beside and is_alone else ''}"] if both else []),
            *(_cell(row, figure) for figure in shown),
        ]
        for row in matrix
    ]
    head = ["experiment", *swept, *(["way"] if both else [])]
    return Table(
        [*head, *("failed from-to s" if figure == _FROM else FIGURES[figure].heading for figure in shown)],
        lines,
        text_columns=len(head),
        links=[anchors.get(row.folder, "") for row in matrix],
        only_page=[len(head) + number for number, figure in enumerate(shown) if figure in _PAGE_ONLY],
        folded=[len(head) + number for number, figure in enumerate(shown) if figure in _FOLDED],
    )


def _cell(row: Row, figure: str) -> str:
    """A dash where no run came to it, `in 2 of 5` where only some did; of several, the first and the last failure."""
    if (spread := row.figures.get(figure)) is None:
        return "-"
    some = f", in {spread.count} of {row.runs}" if spread.count < row.runs else ""
    if figure == _FROM:
        open_end = study_words.AT_LEAST if any(findings.fails_to_the_end for findings in row.findings) else ""
        told = f"{spread.low:.1f} to {row.figures[_TO].high:.1f}{open_end}"
    else:
        told = words.spread(spread, words.digits_of(max(findings.failures for findings in row.findings)))
    if figure == "failures" and any(each.unended or each.fails_to_the_end for each in row.findings):
        told += study_words.AT_LEAST
    return f"{told}{some}"


_FEW = 3  # runs that are compared second by second


def _timelines(study: Study) -> list[Part]:
    """The pictures of a few single runs of one experiment, under each other; none where there are more."""
    measured = study.measured
    if not 1 < len(measured) <= _FEW or len({each.name for each in measured}) > 1 or not measured[0].parameters:
        return []
    return [
        replace(picture, caption=f"{words.capital(study_words.column(row_of([each], arm)))}: {picture.caption.lower()}")
        for each in measured
        for arm, run in each.runs.items()
        if run.timeline
        for picture in [_timeline(run, each.findings[arm], _roles(each))]
    ]


def _lost(found: failed.Columns) -> list[Part]:
    """The picture of what each event lost, by way and setting; none of one event at many settings, which are a grid."""
    events: dict[str, dict[str, list[float]]] = {}
    for experiment in EXPERIMENTS.values():
        for column, cells in found.items():
            if experiment.has_event and experiment.name in cells:
                seconds = [findings.failed_seconds for findings in cells[experiment.name]]
                events.setdefault(words.capital(experiment.when), {})[column] = seconds
    if len(found) > (_MOST_COLUMNS if len(events) > 1 else 1):
        return []
    ways = ", by way and setting" if len(found) > 1 else ""
    caption = f"Seconds of traffic that failed{ways}"
    several = any(len(each) > 1 for own in events.values() for each in own.values())
    dots = "A dot is a run; the bar goes to their median." if several else ""
    return [Picture(caption, partial(lost, events), dots, study_words.lost_shows(events))]


_COLOURS = "The stronger the colour, the more: by powers of ten from 0.01 % to 100 %, alike in every report."


def grids(matrix: Sequence[Row]) -> list[Part]:
    """A heat map of each experiment and way, over one or two swept settings; none where runs have but one setting."""
    swept = study_words.swept(matrix)
    if not swept or any(set(row.parameters) != set(swept) for row in matrix):
        return []
    parts: list[Part] = []
    for name, arm in dict.fromkeys((row.experiment.name, row.arm) for row in matrix):
        own = [row for row in matrix if (row.experiment.name, row.arm) == (name, arm)]
        if len(own) < 2:
            continue
        way = f", {words.WAYS[arm]}" if len({row.arm for row in matrix}) > 1 else ""
        cells = [row.parameters for row in own], [row.failures / row.requests if row.requests else 0.0 for row in own]
        draw = partial(heat_map, (swept[0], swept[1] if len(swept) > 1 else ""), *cells)
        parts.append(Picture(f"Requests that failed, {name}{way}", draw, _COLOURS))
    return parts
