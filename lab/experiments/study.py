"""Several runs together: the matrix of all experiments, repeats, the cells of a sweep.

The folder of a study holds study.json, which names the folders of its runs (relative to its own) and what was left
out and why; matrix.csv, a row for each run and arm, with the flaw of a run that says nothing; and report.html. All
numbers are found again from the runs' files.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.errors import BadInput
from lab.experiments.catalogue import DIRECT, LOAD_BALANCER
from lab.experiments.findings import Findings, find
from lab.records.run import read_folder, read_study_record, record_of
from load.results import FORMAT, Run

__all__ = ["FIGURES", "Measured", "Study", "figures", "is_study", "read_measured", "read_study", "write_study"]

_STUDY, _MATRIX = "study.json", "matrix.csv"


@dataclass(frozen=True)
class Measured:
    """An experiment that was run, with the files and findings of each arm (`direct`, and `alb` if there is one)."""

    folder: Path
    runs: Mapping[str, Run]
    findings: Mapping[str, Findings]

    @property
    def name(self) -> str:
        """The experiment's."""
        return self.findings[DIRECT].experiment.name

    @property
    def parameters(self) -> Mapping[str, float]:
        """What was swept, and where in the sweep this is."""
        return dict(record_of(self.runs[DIRECT]).experiment.parameters)

    @property
    def flaw(self) -> str:
        """Why it says nothing of the experiment; "" where it does."""
        return next((findings.flaw for findings in self.findings.values() if findings.flaw), "")

    @property
    def label(self) -> str:
        """Such as `stop-task, drain_seconds 5, repeat 2`."""
        swept = [f"{name} {value:g}" for name, value in self.parameters.items()]
        repeat = [f"repeat {self.repeat}"] if self.repeat > 1 else []
        return ", ".join([self.name, *swept, *repeat])

    @property
    def repeat(self) -> int:
        """Which of its repeats it is, from 1."""
        return record_of(self.runs[DIRECT]).experiment.repeat


@dataclass(frozen=True)
class Study:
    """Runs that belong together; `left_out`: experiments that could not be done, and why."""

    folder: Path
    measured: tuple[Measured, ...]
    left_out: Mapping[str, str]


# The figures of a run, with their units, as matrix.csv names them; None: it did not come to that.
FIGURES: Mapping[str, str] = {
    "requests": "",
    "failures": "",
    "failed_percent": "%",
    "unhealthy_answers": "",
    "failures_from_s": "s",
    "failures_to_s": "s",
    "detect_s": "s",
    "deregister_s": "s",
    "replace_s": "s",
    "even_s": "s",
    "p99_before_ms": "ms",
    "p99_during_ms": "ms",
}


def figures(findings: Findings) -> dict[str, float | None]:
    """The figures of one run and arm, by the names of FIGURES."""
    first, last = findings.failure_window or (None, None)
    times = findings.times
    return {
        "requests": findings.requests,
        "failures": findings.failures,
        "failed_percent": 100 * findings.failed_share,
        "unhealthy_answers": findings.unhealthy_answers,
        "failures_from_s": first,
        "failures_to_s": last,
        "detect_s": times.detect,
        "deregister_s": times.deregister,
        "replace_s": times.replace,
        "even_s": times.even,
        "p99_before_ms": _p99(findings, "before"),
        "p99_during_ms": _p99(findings, "during"),
    }


def _p99(findings: Findings, name: str) -> float | None:
    period = findings.period(name)
    return period.p99_ms if period else None


def read_measured(folder: Path) -> Measured:
    """The run in *folder*, with that of the other arm inside.

    Raises:
        BadInput: it is no folder of a run, or one of its files cannot be read.
    """
    paths = {DIRECT: folder, LOAD_BALANCER: folder / LOAD_BALANCER}
    runs = {arm: read_folder(path) for arm, path in paths.items() if arm == DIRECT or path.is_dir()}
    return Measured(folder, runs, {arm: find(run) for arm, run in runs.items()})


def is_study(folder: Path) -> bool:
    """Whether it is the folder of several runs, rather than of one."""
    return (folder / _STUDY).is_file()


def read_study(folder: Path) -> Study:
    """The study in *folder*; a run is a study of one.

    Raises:
        BadInput: it is neither, or a file of it cannot be read.
    """
    if not is_study(folder):
        return Study(folder, (read_measured(folder),), {})
    record = read_study_record(folder / _STUDY)
    return Study(folder, tuple(read_measured(folder / name) for name in record.runs), record.left_out)


def write_study(folder: Path, runs: Sequence[Path], left_out: Mapping[str, str]) -> Study:
    """Write study.json and matrix.csv; the study.

    Raises:
        BadInput: they cannot be written.
    """
    content: dict[str, Any] = {
        "format": FORMAT,
        "runs": [os.path.relpath(run, folder) for run in runs],
        "left_out": dict(left_out),
    }
    try:
        (folder / _STUDY).write_text(json.dumps(content, indent=2) + "\n")
        study = read_study(folder)
        (folder / _MATRIX).write_text(_matrix(study))
    except OSError as error:
        raise BadInput(f"{folder} cannot be written ({(error.strerror or str(error)).lower()}).") from None
    return study


def _matrix(study: Study) -> str:
    names = sorted({name for measured in study.measured for name in measured.parameters})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["experiment", *names, "repeat", "arm", *FIGURES, "flaw", "folder"])
    for measured in study.measured:
        where = os.path.relpath(measured.folder, study.folder)
        for arm, findings in measured.findings.items():
            swept = [_cell(measured.parameters.get(name)) for name in names]
            values = [_cell(value) for value in figures(findings).values()]
            writer.writerow([measured.name, *swept, measured.repeat, arm, *values, measured.flaw, where])
    return text.getvalue()


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}".rstrip("0").rstrip(".")
