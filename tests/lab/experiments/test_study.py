from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from lab.errors import BadInput
from lab.experiments.study import is_study, read_measured, read_studies, read_study, rows, write_study
from lab.report.study_words import flaws
from tests.lab.experiments.runs import cut_short, write_run


@pytest.fixture
def repeats(tmp_path: Path) -> list[Path]:
    """A baseline, and stop-task three times, each with the run of the other arm inside."""
    rng = np.random.default_rng(1)
    folders = [write_run(tmp_path / "baseline", rng, name="baseline", at=None)]
    for number, lingers in enumerate((0.5, 2.0, 4.0), start=1):
        folder = write_run(tmp_path / f"stop-{number}", rng, lingers=lingers, repeat=number)
        write_run(folder / "alb", rng, arm="alb", repeat=number)
        folders.append(folder)
    return folders


def test_a_run_with_both_arms(repeats: list[Path]) -> None:
    measured = read_measured(repeats[1])

    assert measured.name == "stop-task"
    assert {arm: findings.arm for arm, findings in measured.findings.items()} == {"direct": "direct", "alb": "alb"}
    assert measured.findings["direct"].failures > measured.findings["alb"].failures == 0


@pytest.mark.parametrize("name", ["study.json", "matrix.csv", ".study.json.new", ".matrix.csv.new"])
def test_no_link_in_the_folder_of_a_study_is_followed(repeats: list[Path], tmp_path: Path, name: str) -> None:
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "study"
    folder.mkdir()
    elsewhere.write_text("the user's")
    (folder / name).symlink_to(elsewhere)
    write_study(folder, repeats[:1], {})
    assert elsewhere.read_text() == "the user's"
    assert {path.name for path in folder.iterdir()} == {"study.json", "matrix.csv"}


def test_every_figure_of_every_run_is_in_matrix_csv(repeats: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    study = write_study(folder, repeats, {"crash": "no reason"})
    written = list(csv.DictReader((folder / "matrix.csv").read_text().splitlines()))

    assert [(row["experiment"], row["repeat"], row["arm"]) for row in written] == [
        ("baseline", "1", "direct"),
        *(("stop-task", str(repeat), arm) for repeat in (1, 2, 3) for arm in ("direct", "alb")),
    ]
    for row in written:
        run = folder / row["folder"] / ("alb" if row["arm"] == "alb" else "")
        timeline = list(csv.DictReader((run / "timeline.csv").read_text().splitlines()))
        assert int(row["requests"]) == sum(int(line["requests"]) for line in timeline)
        assert int(row["failures"]) == sum(int(line["requests"]) for line in timeline if line["status"] != "200")
    assert is_study(folder)
    assert read_study(folder).left_out == study.left_out == {"crash": "no reason"}


def test_a_run_that_is_in_several_studies_counts_once(repeats: list[Path], tmp_path: Path) -> None:
    for name, runs in {"some": repeats[:2], "all": repeats}.items():
        (tmp_path / name).mkdir()
        write_study(tmp_path / name, runs, {})
    studies = read_studies([tmp_path / "some", tmp_path / "all", repeats[3]])

    assert [[each.folder.name for each in study.measured] for study in studies] == [
        ["baseline", "stop-1"],
        ["stop-2", "stop-3"],
        [],
    ]


def test_a_study_may_be_moved_with_its_runs(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    (tmp_path / "results" / "study").mkdir(parents=True)
    run = write_run(tmp_path / "results" / "run", rng, seconds=15)
    write_study(tmp_path / "results" / "study", [run], {})
    (tmp_path / "results").rename(tmp_path / "elsewhere")

    assert read_study(tmp_path / "elsewhere" / "study").measured[0].name == "stop-task"


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"hostnames\.csv cannot be read .*; is it the folder of a run"):
        read_study(tmp_path)


def test_a_folder_that_has_runs_names_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    for name in ("a", "b"):
        write_run(tmp_path / name, rng, seconds=15)
    with pytest.raises(BadInput, match=f"{tmp_path} is no run, but has some: {tmp_path}/a, {tmp_path}/b."):
        read_measured(tmp_path)


def test_a_folder_that_has_studies_names_them_rather_than_their_runs(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", np.random.default_rng(2), seconds=15)
    (tmp_path / "a-study").mkdir()
    write_study(tmp_path / "a-study", [run], {})
    with pytest.raises(BadInput, match=f"{tmp_path} is no run, but has studies: {tmp_path}/a-study."):
        read_study(tmp_path)


def test_a_study_whose_file_is_broken(tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text("{")
    with pytest.raises(BadInput, match=r"study\.json is not JSON"):
        read_study(tmp_path)


def test_a_study_that_is_part_of_itself(tmp_path: Path) -> None:
    for name, other in (("a", "b"), ("b", "a")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "study.json").write_text(json.dumps({"format": 1, "runs": [f"../{other}"]}))
    with pytest.raises(BadInput, match=r"/study\.json: among its runs is a study that it is part of\.$"):
        read_study(tmp_path / "a")


def test_records_of_a_run_that_make_no_sense(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", np.random.default_rng(3), seconds=15)
    meta = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**meta, "faults": [{"at": "noon"}]}))

    with pytest.raises(
        BadInput, match=r"run\.json: faults\.0\.kind is not as `lab run` and Locust write it \(field required\)"
    ):
        read_measured(folder)


@pytest.mark.parametrize("after_event", [False, True])
def test_a_load_that_ended_early_is_in_no_figure_and_marked_in_matrix_csv(
    repeats: list[Path], tmp_path: Path, after_event: bool
) -> None:
    cut_short(repeats[1], after_event=after_event)
    folder = tmp_path / "study"
    folder.mkdir()
    study = write_study(folder, repeats, {})
    row = next(row for row in rows(study.measured) if row.experiment.name == "stop-task")
    flaw = "the load ended after 30 of 60 s" if after_event else "the load ended before the stop"

    assert row.runs == 2
    assert flaws(study) == [f"stop-task ({flaw})"]
    written = csv.DictReader((folder / "matrix.csv").read_text().splitlines())
    code = "ended-early" if after_event else "no-event"
    assert [line["flaw"] for line in written] == ["", code, code, "", "", "", ""]


def test_a_study_of_a_later_format_is_refused(repeats: list[Path], tmp_path: Path) -> None:
    write_study(tmp_path, repeats[:1], {})
    content = json.loads((tmp_path / "study.json").read_text())
    assert content.pop("format") == 2
    (tmp_path / "study.json").write_text(json.dumps(content))
    assert read_study(tmp_path).measured
    (tmp_path / "study.json").write_text(json.dumps({**content, "format": 3}))
    with pytest.raises(BadInput, match=r"study\.json is of format 3, and this version reads 2 at most: read it with"):
        read_study(tmp_path)
