"""Every command of `lab` over recorded folders: what it prints, and the same as JSON."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lab.experiments.catalogue import EXPERIMENTS
from lab.experiments.study import read_measured, read_study
from load.errors import ResultsUnwritable
from tests.command import Command, ends_unread

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A recorded run of both ways, to be written to."""
    return Path(shutil.copytree(GOLDEN / "run", tmp_path / "run"))


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN / "study", tmp_path / "study"))


def test_a_report_is_written_and_named(lab: Command, run: Path) -> None:
    assert lab("report", str(run)).out == f"{run / 'report.html'}\n"
    assert (run / "report.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    "words", [("--help",), ("distribution", "golden/run"), ("table", "golden/run", "--json"), ("costs", "--csv")]
)
def test_where_nobody_reads_the_output_a_command_ends_as_others_do(words: tuple[str, ...]) -> None:
    assert ends_unread("from lab.cli import main; main()", *words, cwd=GOLDEN.parent) == (141, b"")


@pytest.mark.parametrize("command", ["distribution", "table", "report"])
def test_names_in_the_files_of_somebody_else_tell_the_terminal_nothing_to_do(
    lab: Command, run: Path, command: str
) -> None:
    hosts = (run / "hostnames.csv").read_text().splitlines()[1:]
    for name in ("hostnames.csv", "timeline.csv"):
        (run / name).write_text((run / name).read_text().replace(hosts[0].split(",")[0], "ip\x1b]0;PWN\x07\u202e"))
    meta = (run / "run.json").read_text()
    (run / "run.json").write_text(meta.replace("stop-task", "\\u001b[31m") if command == "table" else meta)
    ran = lab(command, str(run))

    assert not set("\x1b\x07\u202e") & set(ran.out + ran.err)
    if command == "distribution":
        assert r"ip\x1b]0;PWN\x07\u202e" in ran.out
    if command == "table":
        assert r"\x1b[31m" in ran.err


def test_a_report_of_several_is_a_study_in_a_new_folder(lab: Command, run: Path, study: Path) -> None:
    named = lab("report", str(run), str(study)).out.strip()

    folder = Path(named).parent
    assert folder.parent == run.parent
    assert json.loads((folder / "study.json").read_text())["runs"] == ["../run", "../study"]
    runs = [measured.folder for measured in read_study(folder).measured]
    assert [each.resolve() for each in runs] == [run, *(each.folder.resolve() for each in read_study(study).measured)]


def test_a_table_of_runs(lab: Command, run: Path) -> None:
    printed = lab("table", str(run)).out
    cells = lab("table", str(run), "--json").json["cells"]

    assert printed.splitlines()[0] == "Failed requests, and how many seconds of traffic that is"
    for cell, findings in zip(cells, read_measured(run).findings.values(), strict=True):
        assert cell == {
            "experiment": "stop-task", "column": cell["column"], "runs": 1, "failures": [findings.failures],
            "requests": [findings.requests], "failed_seconds": [findings.failed_seconds],
        }  # fmt: skip
        assert cell["column"] in printed
    assert "deregistration delay" in printed  # why this is no measurement of going without


def test_a_run_as_json(lab: Command, run: Path) -> None:
    found = lab("report", str(run), "--json").json
    measured = read_measured(run)
    direct, beside = measured.findings.values()

    assert (found["experiment"], found["complete"]) == ("stop-task", True)
    assert (found["requests"], found["failures"]) == (direct.requests, direct.failures)
    assert found["load_balancer"]["requests"] == beside.requests
    assert [window["name"] for window in found["windows"]] == ["before", "during", "after"]
    for window, period in zip(found["windows"], direct.periods, strict=True):
        assert window["hosts"] == period.counts
        assert (window["p"] is None) == (period.judgement is None)
    assert found["answer"] in (run / "report.html").read_text()


def test_the_keys_that_are_public(lab: Command, run: Path, study: Path, tmp_path: Path) -> None:
    """docs/reference/files.md: these stay."""
    found = lab("report", str(run), "--json").json
    of_a_run = {
        "requests", "failures", "unfinished", "failed_seconds", "windows", "even_again_s", "even_again_reason",
        "even_again_resolution_s", "stopped", "replacements", "lost_workers", "lost_requests", "resets",
        "asked_rate", "due", "sent", "missed_rate", "notes",
    }  # fmt: skip
    assert of_a_run <= found.keys()
    assert of_a_run <= found["load_balancer"].keys()
    assert {"name", "hosts", "bound_percent", "p", "evidence"} <= found["windows"][0].keys()
    assert (found["lost_workers"], found["resets"]) == (0, 0)
    assert (found["missed_rate"], found["notes"], found["sent"]) == (False, [], found["requests"])
    assert [len(found["stopped"]), len(found["replacements"])] == [1, 1]

    compared = lab("compare", str(run), str(study), "--json").json["experiments"]
    assert all({"failed_seconds", "p_adjusted", "shown"} <= each.keys() for each in compared)
    assert not any(each["shown"] for each in compared)

    counts = tmp_path / "counts.txt"
    counts.write_text("1183 a\n1115 b\n1253 c\n")
    split = lab("distribution", str(counts), "--json").json
    assert (split["requests"], split["evidence"]) == (3551, True)
    assert (split["bound_percent"], split["p_value"], split["chi_square"]) == pytest.approx(
        (11.7, 0.0179, 8.05), rel=0.01
    )


def test_every_key_of_a_run_is_documented(lab: Command, run: Path) -> None:
    document = (Path(__file__).parents[2] / "docs" / "reference" / "files.md").read_text()
    found = lab("report", str(run), "--json").json

    assert [key for key in (*found, *found["windows"][0]) if f"`{key}`" not in document] == []


def test_a_study_as_json(lab: Command, study: Path) -> None:
    found = lab("report", str(study), "--json").json

    assert [run["experiment"] for run in found["runs"]] == ["baseline", "stop-task"] * 3
    assert found["left_out"].keys() == {"az-loss"}
    assert found["answer"].startswith("3 runs each, together: without a load balancer 282 of 7,200 requests failed")


@pytest.mark.parametrize("command", [("compare",), ("calibrate",), ("distribution",)])
def test_other_answers_about_folders_as_json(lab: Command, study: Path, command: tuple[str, ...]) -> None:
    folder = study if command != ("distribution",) else study / "baseline-1"
    code, out, err = lab(*command, str(folder), "--json")

    assert (code, err) == (0, "")
    assert json.loads(out)


@pytest.mark.parametrize("command", [("distribution",), ("simulate", "--like")])
def test_a_study_is_no_one_run_and_its_runs_are_named(lab: Command, study: Path, command: tuple[str, ...]) -> None:
    code, _, err = lab(*command, str(study))

    assert code == 2
    assert err.startswith(f"lab: {study} is the folder of a study, and one run is asked for: {study / 'baseline-1'}, ")
    assert f"{study / 'stop-task-3'}." in err


def test_the_experiments_are_listed(lab: Command) -> None:
    code, out, _ = lab("run", "--list")
    lines = {line.split()[0]: line for line in out.splitlines()}

    assert code == 0
    assert EXPERIMENTS.keys() <= lines.keys()
    assert all(experiment.sentence in lines[name] for name, experiment in EXPERIMENTS.items())
    assert lines["crash"].split()[-1] == "no"
    listed = lab("run", "--list", "--json").json["experiments"]
    assert [each["name"] for each in listed] == list(EXPERIMENTS)


def test_a_run_of_nothing_says_what_there_is(lab: Command) -> None:
    code, _, err = lab("run")

    assert code == 2
    assert err == "lab: No experiment is named: `lab run --list` lists them; `all` runs every one.\n"


def test_the_version(lab: Command) -> None:
    assert lab("--version").out == "lab 0.1.0\n"


def test_help_does_not_wait_for_heavy_libraries() -> None:
    code = (
        "import sys, lab.cli\n"
        "heavy = {'matplotlib', 'rich', 'httpx', 'boto3', 'scipy', 'numpy'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_file_of_a_load_that_cannot_be_written_is_one_sentence(lab: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a full disk, where run.json is to have what was done."""

    def full(*_: object) -> None:
        raise ResultsUnwritable("The results cannot be written to x (no space left on device).")

    monkeypatch.setattr("lab.experiments.study.read_studies", full)
    code, _, err = lab("table", "x")
    assert (code, err) == (2, "lab: The results cannot be written to x (no space left on device).\n")
