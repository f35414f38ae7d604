"""What files say is checked: a value of the wrong type or size is one sentence that names file and value, exit 2."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.errors import BadInput
from lab.experiments.study import read_study
from lab.records.answers import read
from lab.records.run import RunRecord, read_folder, record_of
from load.results import read_run
from tests.command import Command
from tests.lab.experiments.runs import write_run

HOSTILE: tuple[Any, ...] = (
    None, True, -1, 2**64, 10**300, 1e300, float("nan"), float("inf"), -float("inf"), "", "text", "\0", "9" * 5000,
    [], [None], ["x"], [[]], [{}], {}, {"a": 1}, {"": None}, [{"at": "x"}], [{"at": -1.0}], {"rate": []},
)  # fmt: skip
KEYS = (
    "format", "complete", "users", "settings", "versions", "start", "end", "duration_s", "requests", "unfinished",
    "resets", "workers_lost", "experiment", "faults", "tasks", "events", "deployments", "discovery", "accidents",
    "response_bytes_mean", "target",
)  # fmt: skip
INSIDE = (
    ("experiment", "name"), ("experiment", "arm"), ("experiment", "parameters"), ("experiment", "repeat"),
    ("experiment", "task"), ("experiment", "assumed"), ("settings", "rate"), ("settings", "run_time_s"),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(1)
    return write_run(tmp_path_factory.mktemp("run") / "r", rng, rate=60, seconds=20, lingers=2.0)


@pytest.fixture
def changed(folder: Path) -> Iterator[Callable[[Callable[[dict[str, Any]], None]], Path]]:
    """Changes run.json, and puts it back in the end."""
    before = (folder / "run.json").read_text()

    def change(how: Callable[[dict[str, Any]], None]) -> Path:
        meta = json.loads(before)
        how(meta)
        (folder / "run.json").write_text(json.dumps(meta))
        return folder

    yield change
    (folder / "run.json").write_text(before)


def one_sentence(where: Path) -> None:
    """The study there is read, or refused with one sentence that is not a page long."""
    refused = ""
    try:
        read_study(where)
    except BadInput as error:
        refused = str(error)
    assert not refused or str(where) in refused
    assert len(refused) < 700 + 3 * len(str(where))


@pytest.mark.parametrize("key", KEYS)
def test_hostile_values_of_run_json(key: str, changed: Callable[[Callable[[dict[str, Any]], None]], Path]) -> None:
    for value in HOSTILE:
        one_sentence(changed(lambda meta, value=value: meta.update({key: value})))  # type: ignore[misc]


@pytest.mark.parametrize(("outer", "inner"), INSIDE)
def test_hostile_values_inside(
    outer: str, inner: str, changed: Callable[[Callable[[dict[str, Any]], None]], Path]
) -> None:
    for value in HOSTILE:
        one_sentence(changed(lambda meta, value=value: meta.update({outer: {inner: value}})))  # type: ignore[misc]


def in_record(meta: dict[str, Any], records: str, name: str, value: Any) -> None:
    meta[records][0][name] = value


@pytest.mark.parametrize(
    ("records", "names"),
    [
        ("faults", ("kind", "at", "until", "tasks", "hostnames")),
        (
            "tasks",
            (
                "arn",
                "hostname",
                "health",
                "created_at",
                "started_at",
                "stopping_at",
                "execution_stopped_at",
                "stopped_at",
            ),
        ),
        ("discovery", ("at", "instances")),
    ],
)
def test_hostile_values_of_records(
    records: str, names: tuple[str, ...], changed: Callable[[Callable[[dict[str, Any]], None]], Path]
) -> None:
    for name in names:
        for value in HOSTILE:
            one_sentence(changed(lambda meta, n=name, v=value: in_record(meta, records, n, v)))  # type: ignore[misc]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.sampled_from(KEYS), value=json_values)
def test_any_json_in_run_json(
    key: str, value: Any, changed: Callable[[Callable[[dict[str, Any]], None]], Path]
) -> None:
    one_sentence(changed(lambda meta: meta.update({key: value})))


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "null", "3", '"x"', "{", "\ufeff{}", "[" * 100_000, '{"a":' * 100_000,
        '{"requests": ' + "9" * 5000 + "}",
        '{"format": 99}', '{"format": "1"}', '{"format": true}',
    ],
    ids=map(str, range(13)),
)  # fmt: skip
@pytest.mark.parametrize("command", ["report", "compare", "calibrate", "distribution"])
def test_run_json_that_is_none_is_exit_2(text: str, command: str, lab: Command, tmp_path: Path) -> None:
    where = write_run(tmp_path / "r", np.random.default_rng(1), rate=20, seconds=10)
    (where / "run.json").write_text(text)

    code, _, error = lab(command, str(where))

    assert code == 2
    assert "run.json" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "null", "[" * 100_000, '{"runs": []}', '{"runs": "r"}', '{"runs": [1], "left_out": {}}',
        '{"runs": [null]}',
        '{"runs": ["r"], "left_out": []}', '{"runs": ["r"], "left_out": {"a": 1}}', '{"runs": ["nowhere"]}',
        '{"runs": ["r"], "format": 99}', '{"runs": ["r"], "format": null}', '{"runs": {"r": 1}}',
        '{"runs": ["r\\u0000"]}',
    ],
    ids=map(str, range(15)),
)  # fmt: skip
def test_study_json_that_is_none_is_exit_2(content: str, lab: Command, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text(content)
    (tmp_path / "r").symlink_to(folder)

    code, _, error = lab("report", str(tmp_path))

    assert code == 2
    assert "Traceback" not in error
    assert not (tmp_path / "report.html").exists()


CELLS = (
    "",
    "-1",
    "1e3",
    "nan",
    "inf",
    "x",
    "9" * 30,
    "9" * 5000,
    "\r",
    "a\rb",
    "\u2028",
    '"',
    "x" * 140_000,
    "1 2",
    "\0",
)


@pytest.mark.parametrize("file", ["hostnames.csv", "timeline.csv", "latency.csv"])
@pytest.mark.parametrize("column", range(4))
def test_cells_that_are_none(file: str, column: int, folder: Path) -> None:
    path = folder / file
    before = path.read_text()
    rows = list(csv.reader(io.StringIO(before)))
    try:
        for cell in CELLS:
            changed = [list(row) for row in rows]
            changed[1][min(column, len(rows[0]) - 1)] = cell
            for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL):
                text = io.StringIO()
                csv.writer(text, lineterminator="\n", quoting=quoting).writerows(changed)
                path.write_bytes(text.getvalue().encode())
                one_sentence(folder)
    finally:
        path.write_text(before)


def test_seconds_that_no_run_has(folder: Path) -> None:
    path = folder / "timeline.csv"
    before = path.read_text()
    try:
        lines = before.splitlines()
        second, *rest = lines[1].split(",")
        path.write_text("\n".join([lines[0], ",".join([str(int(second) + 10**9), *rest]), *lines[2:], ""]))
        with pytest.raises(BadInput, match="copy the folder anew"):
            read_folder(folder)
    finally:
        path.write_text(before)


def test_a_fault_outside_of_the_run(changed: Callable[[Callable[[dict[str, Any]], None]], Path]) -> None:
    with pytest.raises(BadInput, match=r"faults\.0\.at = 9e\+09 is no time of this run"):
        read_folder(changed(lambda meta: in_record(meta, "faults", "at", 9e9)))


def test_the_message_names_file_value_and_way_out(
    changed: Callable[[Callable[[dict[str, Any]], None]], Path],
) -> None:
    with pytest.raises(BadInput) as caught:
        read_folder(changed(lambda meta: meta.update(experiment={"repeat": "two"})))

    assert "run.json: experiment.repeat = 'two' is not as `lab run` and Locust write it" in str(caught.value)
    assert "copy the folder anew" in str(caught.value)


def test_a_real_run_is_read_with_its_rate_as_a_number() -> None:
    """Its run.json is of format 1, where the rate is text."""
    run = read_run(Path(__file__).parents[1] / "golden" / "run")

    assert run.meta["settings"]["rate"] == "30"
    assert record_of(run).settings.rate == 30.0
    assert record_of(run).unfinished is None
    assert [task.is_running for task in record_of(run).tasks] == [False, True, True, True]


LISTS = (
    b"9" * 5000 + b" host\n",
    b"1 a\n" + b"9" * 5000 + b" b\n",
    b"hostname,requests\na," + b"9" * 5000 + b"\n",
    b"hostname,requests\n" + b"x" * 140_000 + b",1\n",
    b'{"hostname": "a"}\n{"hostname": 3}\n',
    b"[" * 100_000,
    b'{"a": ' * 100_000,
    b'{"host": "a"}\n',
)


@pytest.mark.parametrize("content", LISTS, ids=map(str, range(len(LISTS))))
def test_lists_that_are_none(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        read(str(path))
    assert len(str(caught.value)) < 500 + len(str(path))


def test_lines_of_json_with_a_hostname(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text('{"hostname": "a"}\n{"hostname": "b", "status": 200}\n\n{"hostname": "a"}\n')
    assert read(str(path)).counts == {"a": 2, "b": 1}


@pytest.mark.parametrize(
    ("meta", "whole"),
    [
        ({}, False),
        ({"complete": False, "duration_s": 30.0}, False),
        ({"complete": True, "duration_s": 7.0, "settings": {"run_time_s": 30}}, False),
        ({"complete": True, "duration_s": 29.9, "settings": {"run_time_s": 30}}, True),
        ({"complete": True, "start": 9.0, "end": 39.0, "duration_s": 28.6, "settings": {"run_time_s": 30}}, True),
        ({"complete": True, "duration_s": 7.0, "settings": {"run_time_s": None}}, True),
    ],
)
def test_a_load_that_was_ended_before_its_time_is_not_whole(meta: dict[str, Any], whole: bool) -> None:
    assert RunRecord.model_validate(meta).is_whole is whole
