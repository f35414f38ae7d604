from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lab.cli import compare as command
from lab.errors import BadInput
from lab.experiments.compare import Comparison, Verdict, compare, compare_ways
from lab.experiments.study import Study, read_study, write_study
from tests.lab.experiments.runs import cut_short, write_run


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
    assert failed.reason == "of 1 and 1 repeats where 6 each would tell"
    assert verdicts(found)["replace_s"] is Verdict.UNKNOWN


def test_one_run_each_in_which_nothing_happened(tmp_path: Path) -> None:
    a = study(tmp_path / "a", [0], 7, name="baseline", at=None)
    b = study(tmp_path / "b", [0], 8, name="baseline", at=None)

    assert verdicts(compare(a, b))["failed_percent"] is Verdict.CHANCE


def test_nothing_in_common(tmp_path: Path) -> None:
    a = study(tmp_path / "a", [0], 9, name="baseline", at=None)
    with pytest.raises(BadInput, match="no experiment in common"):
        compare(a, study(tmp_path / "b", [1], 10))


def both_ways(folder: Path, direct: list[float], beside: list[float], seed: int, **more: object) -> Study:
    """Repeats of stop-task on both ways, each of which goes on sending requests for so many seconds."""
    found = study(folder, direct, seed, **more)
    rng = np.random.default_rng(seed + 1000)
    for number, (measured, seconds) in enumerate(zip(found.measured, beside, strict=True)):
        write_run(
            measured.folder / "alb",
            rng,
            arm="alb",
            lingers=seconds,
            repeat=number + 1,
            seconds=20,
            rate=100,
            **more,  # type: ignore[arg-type]
        )
    return read_study(folder)


def test_the_ways_of_one_study_are_compared_in_pairs(tmp_path: Path) -> None:
    """Runs differ from each other by more than the ways do, which only pairs can see."""
    lingers = [0.5, 5, 1, 4.5, 1.5, 4, 2, 3.5, 2.5]
    found = compare_ways(both_ways(tmp_path / "a", lingers, [seconds + 0.5 for seconds in lingers], 12))
    failed = next(each for each in found if each.figure == "failed_percent")

    assert failed.test == "paired"
    assert failed.verdict is Verdict.DIFFERENT
    assert "detect_s" not in verdicts(found)
    assert verdicts(found)["replace_s"] is Verdict.CHANCE


def test_ways_that_are_the_same(tmp_path: Path) -> None:
    lingers = [0.5, 5, 1, 4.5, 1.5, 4, 2, 3.5, 2.5]
    found = compare_ways(both_ways(tmp_path / "a", lingers, lingers, 13))

    assert Verdict.DIFFERENT not in verdicts(found).values()


def test_of_too_few_pairs_it_is_said_how_many_it_takes(tmp_path: Path) -> None:
    found = compare_ways(both_ways(tmp_path / "a", [0.5, 0.5], [4, 4], 14, parameters={"discovery_ttl": 5.0}))
    failed = next(each for each in found if each.figure == "failed_percent")

    assert failed.verdict is Verdict.UNKNOWN
    assert failed.reason == "of 2 pairs where 9 pairs would tell"
    assert failed.subject == "stop-task, discovery_ttl 5"


def test_one_way_only(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has runs of one way only: name a second folder"):
        compare_ways(study(tmp_path / "a", [1], 15))


def test_ways_are_named_as_their_runs_name_them(tmp_path: Path) -> None:
    folder = both_ways(tmp_path / "a", [1], [2], 16).measured[0].folder
    alone = read_study(folder / "alb")

    assert {each.arm for each in compare(alone, alone)} == {"alb"}


@pytest.mark.parametrize(("twice", "words"), [(False, "load balancer"), (True, " way ")])
def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], twice: bool, words: str) -> None:
    folder = both_ways(tmp_path / "a", [1], [2], 17).folder
    command(folder, folder if twice else None)
    head, *lines = capsys.readouterr().out.splitlines()

    assert words in head
    assert any(line.startswith("stop-task") and "cannot be told, of 1" in line for line in lines)
    assert "too few repeats (lab run --repeat)" in " ".join(lines)


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


def test_loads_that_ended_early_are_left_out_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = study(tmp_path / "a", [1, 1, 1], 18), study(tmp_path / "b", [1, 1], 19)
    cut_short(a.measured[1].folder)
    command(a.folder, b.folder)
    assert "Left out: stop-task, repeat 2 (the load ended before the stop)." in capsys.readouterr().out

    cut_short(b.measured[0].folder), cut_short(b.measured[1].folder, after_event=True)
    for pair in ((a, b), (b, a)):
        with pytest.raises(
            BadInput, match=r"b has no run that says anything \(the load ended before the stop\): run it"
        ):
            compare(*(read_study(each.folder) for each in pair))
    with pytest.raises(BadInput, match="b has no run that says anything"):
        compare_ways(read_study(b.folder))
