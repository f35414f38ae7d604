from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from load import results
from load.errors import ResultsMalformed, ResultsUnwritable
from load.results import HostRow, LatencyRow, TimelineRow

HOST = HostRow("alpha", "eu-west-2a", 3, 1, 1.0, 1.5, 2.5, 2.75, 1000.125, 1002.5)
ROWS = [TimelineRow(1000, "alpha", 200, 2), TimelineRow(1002, "", 0, 1)]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = results.create_run(tmp_path / "run")
    results.write_hosts(path, [HOST])
    results.write_timeline(path, ROWS)
    results.update_meta(path, {"requests": 3})

    run = results.read_run(path)
    assert run.path == path
    assert run.hosts == (HOST,)
    assert run.timeline == tuple(ROWS)
    assert run.meta == {"format": 2, "complete": False, "requests": 3}


@pytest.mark.parametrize("name", ["run.json", "hostnames.csv", "timeline.csv", "latency.csv"])
@pytest.mark.parametrize("form", ["{}", ".{}.new", ".{}.tmp"])
def test_no_link_in_the_folder_is_followed(tmp_path: Path, name: str, form: str) -> None:
    path, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    path.mkdir()
    (path / form.format(name)).symlink_to(elsewhere)  # which is not there: it would be made
    results.create_run(path)
    results.append_timeline(path, ROWS)
    assert not elsewhere.exists()
    assert results.read_run(path).timeline == tuple(ROWS)


def test_rows_that_were_appended_are_added_up(tmp_path: Path) -> None:
    path = results.create_run(tmp_path / "run")
    results.append_timeline(path, ROWS)
    results.append_timeline(path, ROWS[:1])
    results.append_latency(path, [LatencyRow(1000, 992, 2)])
    results.append_latency(path, [LatencyRow(1000, 992, 3), LatencyRow(1001, 992, 1)])
    run = results.read_run(path)
    assert run.timeline == (TimelineRow(1000, "alpha", 200, 4), ROWS[1])
    assert run.latency == (LatencyRow(1000, 992, 5), LatencyRow(1001, 992, 1))


def test_a_last_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path = results.create_run(tmp_path / "run")
    results.write_timeline(path, ROWS)
    with open(path / "timeline.csv", "a") as file:
        file.write("1003,alp")
    assert results.read_run(path).timeline == tuple(ROWS)


def test_keys_that_others_wrote_into_run_json_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.mkdir()
    (path / "run.json").write_text(json.dumps({"faults": [{"at": 1.5}]}))
    results.create_run(path)
    results.update_meta(path, {"complete": True})
    assert json.loads((path / "run.json").read_text()) == {"faults": [{"at": 1.5}], "format": 2, "complete": True}


def test_a_folder_without_a_name_is_named_by_the_time_and_never_taken_twice(tmp_path: Path) -> None:
    paths = [results.create_run(root=tmp_path / "results") for _ in range(3)]
    assert len(set(paths)) == 3
    assert all(re.fullmatch(r"\d{8}T\d{6}Z(-\d+)?", path.name) for path in paths)


def test_a_folder_that_holds_a_run_is_refused(tmp_path: Path) -> None:
    results.create_run(tmp_path / "run")
    with pytest.raises(ResultsUnwritable, match=r"already holds a run .*--results-dir"):
        results.create_run(tmp_path / "run")


def test_a_place_that_is_no_folder_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsUnwritable, match=r"cannot be written to .*file.* \(not a directory\)"):
        results.create_run(tmp_path / "file" / "run")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("run.json", "{", r"run\.json, line 1: not JSON"),
        ("run.json", "[]", r"run\.json, line 1: a JSON object is needed"),
        ("hostnames.csv", "a,b\n", r"hostnames\.csv, line 1: the header must be hostname,availability_zone,"),
        ("timeline.csv", "second,hostname,status,requests\n1,a,200\n", r"line 2: 4 columns are needed, there are 3"),
        (
            "timeline.csv",
            "second,hostname,status,requests\n1,a,200,1\nx,a,200,1\n",
            r"line 3: second must be a whole number of 0 to 9,007,199,254,740,992, not 'x'",
        ),
        (
            "timeline.csv",
            "second,hostname,status,requests\n1,a,200,-1\n",
            r"line 2: requests must be a whole number of 0 to 9,007,199,254,740,992, not '-1'",
        ),
        (
            "hostnames.csv",
            "hostname,availability_zone,requests,failures,share,p50_ms,p95_ms,p99_ms,first_seen,last_seen\n"
            "a,z,1,0,nan,1,1,1,1,1\n",
            r"line 2: share must be a number, not 'nan'",
        ),
        ("run.json", '{"format": 3}', r"run\.json is of format 3, and this version reads 2 at most: read it with"),
        ("run.json", '{"format": "new"}', r"run\.json is of format 'new', and this version reads 2 at most"),
        ("run.json", '{"requests": "many"}', r"run\.json: requests must be a whole number, not 'many'"),
    ],
)
def test_a_malformed_file_is_named_with_its_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = results.create_run(tmp_path / "run")
    (path / name).write_text(text)
    with pytest.raises(ResultsMalformed, match=message):
        results.read_run(path)


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResultsMalformed, match=r"hostnames\.csv cannot be read .* is it the folder of a run\?"):
        results.read_run(tmp_path)


@pytest.mark.parametrize("name", ["hostnames.csv", "timeline.csv", "latency.csv", "run.json"])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, name: str) -> None:
    path = results.create_run(tmp_path / "run")
    (path / name).unlink()
    os.mkfifo(path / name)
    with pytest.raises(ResultsMalformed, match=f"{name} is no file"):
        results.read_run(path)


def complete_run(path: Path) -> Path:
    """A run of a hundred seconds that came to its end."""
    results.create_run(path)
    rows = [TimelineRow(1000 + second, "alpha", 200, 10 + second) for second in range(100)]
    total = sum(row.requests for row in rows)
    results.write_hosts(path, [HostRow("alpha", "z", total, 0, 1.0, 1, 1, 1, 1000, 1100)])
    results.write_timeline(path, rows)
    results.update_meta(path, {"requests": total, "failures": 0, "complete": True})
    return path


@pytest.mark.parametrize("bytes_left", [1500, 40, len("second,hostname,status,requests\n")])
def test_a_timeline_that_was_cut_off_is_refused_with_its_figures(tmp_path: Path, bytes_left: int) -> None:
    path = complete_run(tmp_path / "run")
    whole = (path / "timeline.csv").read_text()
    (path / "timeline.csv").write_text(whole[:bytes_left])
    left = sum(int(line.split(",")[3]) for line in whole[:bytes_left].rpartition("\n")[0].splitlines()[1:])

    with pytest.raises(ResultsMalformed) as error:
        results.read_run(path)
    assert f"timeline.csv has {left:,} requests where run.json has 5,950: " in str(error.value)
    assert str(error.value).endswith("copy the folder anew from where it was made, or run it again.")


def test_hosts_that_were_cut_off_are_refused(tmp_path: Path) -> None:
    path = complete_run(tmp_path / "run")
    results.write_hosts(path, [])
    with pytest.raises(ResultsMalformed, match=r"hostnames\.csv has 0 requests where run\.json has 5,950"):
        results.read_run(path)


def test_without_a_total_the_files_are_held_to_each_other(tmp_path: Path) -> None:
    path = complete_run(tmp_path / "run")
    results.append_timeline(path, ROWS)
    (path / "run.json").write_text('{"complete": true}')
    with pytest.raises(ResultsMalformed, match=r"timeline\.csv has 5,953 requests where hostnames\.csv has 5,950"):
        results.read_run(path)


def test_the_files_of_a_run_that_goes_on_need_not_agree(tmp_path: Path) -> None:
    path = results.create_run(tmp_path / "run")
    results.append_timeline(path, ROWS)
    assert len(results.read_run(path).timeline) == 2


def test_no_spreadsheet_takes_a_host_for_a_formula(tmp_path: Path) -> None:
    path = results.create_run(tmp_path / "run")
    results.write_hosts(path, [HOST._replace(hostname="=1+1", availability_zone="@zone")])
    results.append_timeline(path, [TimelineRow(1000, "=1+1", 200, 2)])
    results.append_timeline(path, [TimelineRow(1000, "=1+1", 500, 1)])
    run = results.read_run(path)
    assert [(host.hostname, host.availability_zone) for host in run.hosts] == [("'=1+1", "'@zone")]
    assert {row.hostname for row in run.timeline} == {"'=1+1"}
    results.write_timeline(path, [TimelineRow(1000, "-x", 200, 3)])
    assert results.read_run(path).timeline[0].hostname == "'-x"
