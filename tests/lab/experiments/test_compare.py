from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lab.errors import BadInput
from lab.experiments.compare import Comparison, Verdict, compare
from lab.experiments.study import Study, write_study
from tests.lab.experiments.runs import write_run


def study(folder: Path, lingers: list[float], seed: int, **more: object) -> Study:
    """Repeats of stop-task, after which the task was sent requests for so many seconds."""
    rng = np.random.default_rng(seed)
    folder.mkdir()
    runs = [
        write_run(folder / f"run-{n}", rng, lingers=seconds, repeat=n + 1, seconds=20, rate=100, **more)  # type: ignore[arg-type]
        for n, seconds in enumerate(lingers)
    ]
    return write_study(folder, runs, {})


def verdicts(found: list[Comparison]) -> dict[str, Verdict]:
    return {each.figure: each.verdict for each in found}


def test_repeats_that_differ(tmp_path: Path) -> None:
    short = study(tmp_path / "a", [0.1, 0.2, 0.3, 0.2, 0.1, 0.4], 1)
    long = study(tmp_path / "b", [3.5, 4.5, 4.0, 5.0, 3.0, 4.1], 2)
    found = verdicts(compare(short, long))

    assert found["failed_percent"] is Verdict.DIFFERENT
    assert found["failures_to_s"] is Verdict.DIFFERENT
    assert found["deregister_s"] is Verdict.CHANCE


def test_repeats_of_the_same(tmp_path: Path) -> None:
    found = verdicts(
        compare(study(tmp_path / "a", [1, 4, 2, 3, 5, 0], 3), study(tmp_path / "b", [2, 3, 1, 4, 0, 5], 4))
    )

    assert Verdict.DIFFERENT not in found.values()
    assert found["failed_percent"] is Verdict.CHANCE


def test_one_run_each_of_an_event_cannot_be_told_apart_though_the_requests_differ(tmp_path: Path) -> None:
    found = compare(study(tmp_path / "a", [0.5], 5), study(tmp_path / "b", [4.5], 6))
    failed = next(each for each in found if each.figure == "failed_percent")

    assert failed.test == "Fisher"
    assert failed.p_value is not None
    assert failed.p_value < 0.001
    assert failed.verdict is Verdict.UNKNOWN
    assert verdicts(found)["replace_s"] is Verdict.UNKNOWN


def test_one_run_each_in_which_nothing_happened(tmp_path: Path) -> None:
    a = study(tmp_path / "a", [0], 7, name="baseline", at=None)
    b = study(tmp_path / "b", [0], 8, name="baseline", at=None)

    assert verdicts(compare(a, b))["failed_percent"] is Verdict.CHANCE


def test_nothing_in_common(tmp_path: Path) -> None:
    a = study(tmp_path / "a", [0], 9, name="baseline", at=None)
    with pytest.raises(BadInput, match="no experiment in common"):
        compare(a, study(tmp_path / "b", [1], 10))


def test_no_more_false_alarms_than_said(tmp_path: Path) -> None:
    """Of ten comparisons of runs of one kind, at most a few say that they differ: 5 % of each family."""
    rng = np.random.default_rng(11)
    alarms = 0
    for number in range(10):
        pair = [
            study(tmp_path / f"{number}{side}", list(rng.uniform(0, 5, 6)), 100 + 2 * number + (side == "b"))
            for side in "ab"
        ]
        alarms += Verdict.DIFFERENT in verdicts(compare(*pair)).values()
    assert alarms <= 3
