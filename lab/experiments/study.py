"""Several runs together: the matrix of all experiments, repeats, the cells of a sweep.

The folder of a study holds study.json, which names the folders of its runs, or of studies (relative to its own), and
what was left out and why; matrix.csv, a row for each run and arm, with the flaw of a run that says nothing; and
report.html. All numbers are found again from the runs' files.
"""

from __future__ import annotations

import csv
import io
import os
import statistics
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from lab.errors import BadInput
from lab.experiments.catalogue import CLIENT_PROXY, DIRECT, EXPERIMENTS, GATEWAY, LOAD_BALANCER, UPSTREAM, Experiment
from lab.experiments.figures import FIGURES, figures
from lab.experiments.findings import Findings, Flaw, find
from lab.records.run import STUDY, RunRecord, StudyRecord, read_folder, read_study_record, record_of
from load.groups.replacing import replace_file
from load.results import FORMAT, Run

_MATRIX = "matrix.csv"


class Ending(StrEnum):
    """How tasks that were stopped on purpose ended, beside the `drain_seconds` that the service was given."""

    AS_SET = "as-set"  # after them, or at once where they are 0
    AT_ONCE = "at-once"  # though they are above 0: the service does not follow them
    SOONER = "sooner"
    LATER = "later"


@dataclass(frozen=True)
class Measured:
    """An experiment that was run, with the files and findings of each arm: `direct`, and others if there are.

    Where the gateway itself leads to a load balancer, the findings at `direct` say so, as their `arm`.
    """

    folder: Path
    runs: Mapping[str, Run]
    findings: Mapping[str, Findings]
    # As a planned stop of this run showed, or those of its study that agree with each other; None: it was not seen.
    ending: Ending | None = None

    @cached_property
    def record(self) -> RunRecord:
        """What run.json has of it."""
        return record_of(self.runs[DIRECT])

    @property
    def name(self) -> str:
        """The experiment's."""
        return self.findings[DIRECT].experiment.name

    @property
    def parameters(self) -> Mapping[str, float]:
        """What was swept, and where in the sweep this is."""
        return self.record.experiment.parameters

    @property
    def hop(self) -> str:
        """The service whose tasks these are, where it calls another; GATEWAY: those that the gateway reaches."""
        hop = self.record.experiment.hop
        return GATEWAY if hop == UPSTREAM else hop

    @property
    def repeat(self) -> int:
        """Which of its repeats it is, from 1."""
        return self.record.experiment.repeat

    @property
    def drain(self) -> float | None:
        """`drain_seconds` of the service, whether or not it follows them; None: not known."""
        task = self.record.experiment.task
        return task.drain_seconds if "drain_seconds" in task.model_fields_set else None

    @property
    def has_load_balancer(self) -> bool:
        """Whether tasks are kept for a target group, however requests reached them."""
        by_one = LOAD_BALANCER in self.runs or self.findings[DIRECT].arm == LOAD_BALANCER
        return by_one or self.record.experiment.task.deregistration_delay > 0

    def setting(self, name: str) -> float | None:
        """What was swept to, or what the twin or the task had where something else was; None: not known."""
        what = self.record.experiment
        known = {**(what.assumed or {}), **what.task.model_dump(include=what.task.model_fields_set), **what.parameters}
        value = known.get(name)
        return value if isinstance(value, float) else None

    @property
    def flaw(self) -> Flaw | None:
        """Why it says nothing of the experiment; None where it does."""
        return next((findings.flaw for findings in self.findings.values() if findings.flaw), None)

    @property
    def label(self) -> str:
        """Such as `stop-task, drain_seconds 5, repeat 2`."""
        swept = [f"{name} {value:g}" for name, value in self.parameters.items()]
        return ", ".join([self.name, *swept, *([f"repeat {self.repeat}"] if self.repeat > 1 else [])])


@dataclass(frozen=True)
class Study:
    """Runs that belong together; `left_out`: experiments that could not be done, and why.

    command: what measured all of them; None: they were put together later, or by an older version. parts: what
    it was put together from.
    """

    folder: Path
    measured: tuple[Measured, ...]
    left_out: Mapping[str, str]
    command: str | None = None
    parts: tuple[Study, ...] = ()


@dataclass(frozen=True)
class Spread:
    """A figure over `count` repeats: the median with the lowest and the highest."""

    low: float
    median: float
    high: float
    count: int
    unit: str = ""

    @classmethod
    def of(cls, values: Sequence[float], unit: str) -> Spread:
        """The spread of one value or more."""
        return cls(min(values), statistics.median(values), max(values), len(values), unit)


@dataclass(frozen=True)
class Row:
    """One experiment on one way with one setting; `figures` has those that any of its runs came to."""

    experiment: Experiment
    arm: str
    parameters: Mapping[str, float]
    figures: Mapping[str, Spread]
    findings: tuple[Findings, ...]
    drain: float | None = None  # `drain_seconds` of the service, where they are known
    ending: Ending | None = None
    beside: bool = False  # whether it passed by the load balancer of its stack
    hop: str = GATEWAY  # as of Measured
    folder: Path | None = None  # of the first of its runs

    @property
    def runs(self) -> int:
        """How many repeats there are, whether or not they came to each figure."""
        return len(self.findings)

    @property
    def requests(self) -> int:
        """Of all runs."""
        return sum(found.requests for found in self.findings)

    @property
    def failures(self) -> int:
        """Of all runs."""
        return sum(found.failures for found in self.findings)

    def setting(self, name: str) -> float | None:
        """What was swept to, or what the service has where something else was; None: not known."""
        return self.parameters.get(name, self.drain if name == "drain_seconds" else None)

    def values(self, figure: str) -> list[float | None]:
        """The figure of each run."""
        return [FIGURES[figure].of(findings) for findings in self.findings]


def rows(measured: Sequence[Measured]) -> list[Row]:
    """The matrix: experiments in the order of their table, of each the ways with a load balancer last, and settings.

    Runs that say nothing of their experiment are in none; those that ended in other ways are in rows of their own. A
    run in which something was not swept that was in others is at the setting that it had.

    What passed by the load balancer of a stack that has one is left out of events that keep tasks for it, where a stack
    without one is there.
    """
    is_alone = any(not each.has_load_balancer for each in measured)
    swept = {name for each in measured for name in each.parameters}
    grouped: dict[tuple[object, ...], list[Measured]] = {}
    for each in measured:
        setting, has_one = tuple(_settings(each, swept).items()), each.has_load_balancer
        for arm, findings in each.findings.items():
            is_kept = is_alone and findings.arm == DIRECT and has_one and findings.experiment.keeps_tasks
            if not each.flaw and not is_kept:
                key = each.name, each.hop, setting, each.drain, each.ending, has_one, findings.arm, arm
                grouped.setdefault(key, []).append(each)
    found = [row_of(own, str(key[-1]), swept) for key, own in grouped.items()]
    order = list(EXPERIMENTS)
    return sorted(found, key=lambda row: (order.index(row.experiment.name), row.arm == LOAD_BALANCER, row.beside))


def _settings(measured: Measured, swept: Collection[str]) -> dict[str, float]:
    """What was swept to, and what else it had of *swept*; but `drain_seconds`, which a row has for itself."""
    others = {
        name: value for name in swept if name != "drain_seconds" and (value := measured.setting(name)) is not None
    }
    return dict(sorted((others | dict(measured.parameters)).items()))


def row_of(repeats: Sequence[Measured], arm: str, swept: Collection[str] = ()) -> Row:
    """The way *arm* of runs of one experiment at one setting of *swept*, whose services ended alike."""
    first, findings = repeats[0], tuple(each.findings[arm] for each in repeats)
    arm = findings[0].arm  # the folder of one way, given alone, is of that way
    return Row(
        findings[0].experiment,
        arm,
        _settings(first, swept),
        _spreads(findings),
        findings,
        first.drain,
        first.ending,
        beside=arm == DIRECT and first.has_load_balancer,
        hop=first.hop,
        folder=first.folder,
    )


def _spreads(found: Sequence[Findings]) -> dict[str, Spread]:
    values = [figures(findings) for findings in found]
    known = {name: [value for row in values if (value := row[name]) is not None] for name in FIGURES}
    return {name: Spread.of(numbers, FIGURES[name].unit) for name, numbers in known.items() if numbers}


def read_measured(folder: Path) -> Measured:
    """The run in *folder*, with those of the other arms inside.

    Raises BadInput: it is no folder of a run, or one of its files cannot be read.
    """
    paths = {DIRECT: folder, **{arm: folder / arm for arm in (LOAD_BALANCER, CLIENT_PROXY)}}
    runs = {arm: read_folder(path) for arm, path in paths.items() if arm == DIRECT or path.is_dir()}
    measured = Measured(folder, runs, {arm: find(run) for arm, run in runs.items()})
    return replace(measured, ending=_ending(measured))


_SLACK = 0.9  # of `drain_seconds`, within which a service that follows them ends
_AT_ONCE, _MUCH_LATER = 2.0, 5.0  # seconds after a stop, and after `drain_seconds`


def _ending(measured: Measured) -> Ending | None:
    """What its own stop showed. Behind a load balancer nobody knows when the SIGTERM came."""
    drain, found = measured.drain, measured.findings[DIRECT]
    if drain is None or found.ran_on is None or measured.has_load_balancer or not found.experiment.planned:
        return None
    # Before its SIGTERM a twin may keep a task, as nothing does on AWS without a load balancer.
    assumed = measured.record.experiment.assumed or {}
    ran_on = found.ran_on - float(assumed.get("deregistration_delay") or 0.0)
    refused = found.refused_from_stop and drain > 1
    if refused or ran_on < _SLACK * drain:
        return Ending.AT_ONCE if refused or ran_on < _AT_ONCE else Ending.SOONER
    late = drain + _MUCH_LATER if drain else _AT_ONCE
    return Ending.LATER if ran_on >= late and not found.refused_from_stop else Ending.AS_SET


def _of_one_service(measured: Sequence[Measured]) -> tuple[Measured, ...]:
    """With what planned stops showed told of the other runs at the same setting too, where the stops agree."""

    def key(each: Measured) -> tuple[object, ...]:
        return each.hop, each.drain, each.has_load_balancer

    seen: dict[tuple[object, ...], set[Ending]] = {}
    for each in measured:
        if each.ending and not each.flaw:
            seen.setdefault(key(each), set()).add(each.ending)
    alike = {setting: next(iter(own)) for setting, own in seen.items() if len(own) == 1}
    return tuple(replace(each, ending=each.ending or alike.get(key(each))) for each in measured)


def is_study(folder: Path) -> bool:
    """Whether it is the folder of several runs, rather than of one."""
    return (folder / STUDY).is_file()


def read_study(folder: Path) -> Study:
    """The study in *folder*; a run is a study of one. What a study that it names has shown is told of its runs alone.

    Raises BadInput: it is neither, or a file of it cannot be read.
    """
    if not is_study(folder):
        return Study(folder, (read_measured(folder),), {})
    record = read_study_record(folder / STUDY)
    try:
        studies = read_studies(folder / name for name in record.runs)
    except RecursionError:
        raise BadInput(f"{folder.resolve() / STUDY}: among its runs is a study that it is part of.") from None
    left_out = {name: why for study in studies for name, why in study.left_out.items()} | record.left_out
    measured = tuple(each for study in studies for each in study.measured)
    return Study(folder, measured, left_out, record.command, () if record.command else tuple(studies))


def read_studies(folders: Iterable[Path]) -> list[Study]:
    """The studies in *folders*. A run that is in several is in the first of them alone: it counts once.

    Raises BadInput: as `read_study`.
    """
    seen: set[Path] = set()
    studies = []
    for study in map(read_study, folders):
        new = {measured.folder.resolve(): measured for measured in study.measured}
        studies.append(replace(study, measured=tuple(each for path, each in new.items() if path not in seen)))
        seen |= new.keys()
    # Runs that are given one by one are taken for those of one service.
    alone = [each for study in studies if not is_study(study.folder) for each in study.measured]
    of = {each.folder: each for each in _of_one_service(alone)}
    return [replace(study, measured=tuple(of.get(each.folder, each) for each in study.measured)) for study in studies]


def write_study(folder: Path, runs: Sequence[Path], left_out: Mapping[str, str], command: str | None = None) -> Study:
    """Write study.json and matrix.csv of *runs*, or studies; the study. Raises BadInput: they cannot be written."""
    names = tuple(os.path.relpath(run, folder) for run in runs)
    record = StudyRecord(format=FORMAT, runs=names, left_out=dict(left_out), command=command)
    try:
        replace_file(folder / STUDY, record.model_dump_json(indent=2) + "\n")
        study = read_study(folder)
        matrix = io.StringIO()
        csv.writer(matrix, lineterminator="\n").writerows(_matrix(study))
        replace_file(folder / _MATRIX, matrix.getvalue())
    except OSError as error:
        raise BadInput(f"{folder} cannot be written ({(error.strerror or str(error)).lower()}).") from None
    return study


def _matrix(study: Study) -> Iterator[list[object]]:
    names = sorted({name for measured in study.measured for name in measured.parameters})
    yield ["experiment", *names, "repeat", "arm", *FIGURES, "flaw", "folder"]
    for measured in study.measured:
        where = os.path.relpath(measured.folder, study.folder)
        for arm, findings in measured.findings.items():
            swept = [_cell(measured.parameters.get(name)) for name in names]
            values = [_cell(value) for value in figures(findings).values()]
            yield [measured.name, *swept, measured.repeat, arm, *values, measured.flaw or "", where]


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}".rstrip("0").rstrip(".")
