from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.errors import BadInput
from lab.records.answers import Layout, layout_of, parse_time, read
from lab.records.observations import observe
from load.results import HostRow, Run, TimelineRow, create_run, write_hosts

Write = Callable[..., str]

MOMENT = 1_764_000_000  # 2025-11-24T16:00:00Z


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: bytes | str, name: str = "answers.txt") -> str:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return write


def test_raw_hostnames(write: Write) -> None:
    seen = read(write("b\na\nb\n\nb\na"))
    assert seen.counts == {"b": 3, "a": 2, "": 1}
    assert seen.taken_for == "raw hostnames, one a line"
    assert seen.lines == 6
    assert seen.sequence is not None
    assert seen.sequence.transitions is not None
    assert seen.sequence.transitions.tolist() == [[1, 2], [1, 0]]
    assert seen.windows is not None
    assert seen.windows.counts.tolist() == [[3, 2]]


def test_line_ends_of_windows_and_a_byte_order_mark(write: Write) -> None:
    assert read(write(b"\xef\xbb\xbfa\r\nb\r\n\r\na\r\n")).counts == {"a": 2, "b": 1, "": 1}


@pytest.mark.parametrize(
    ("line", "layout"),
    [
        (b"host", Layout(1, False, 0)),
        (b"1764000000 host", Layout(2, False, 1, (0,))),
        (b"1764000000123 host", Layout(2, False, 1, (0,))),
        (b"1764000000.5,host", Layout(2, True, 1, (0,))),
        (b"2025-11-24T16:00:00Z\thost", Layout(2, False, 1, (0,))),
        (b"2025-11-24 16:00:00 host", Layout(3, False, 2, (0, 1))),
        (b"host 2025-11-24T16:00:00+01:00", Layout(2, False, 0, (1,))),
        (b"host 2025-11-24 16:00:00", Layout(3, False, 0, (1, 2))),
        (b"2025-11-24T16:00:00Z connection-1 host", Layout(3, False, 2, (0,), 1)),
        (b"2025-11-24 16:00:00,123 host", Layout(3, False, 2, (0, 1))),
        (b"1764000000, host", Layout(2, True, 1, (0,))),
        (b"1764000000,connection-1,host", Layout(3, True, 2, (0,), 1)),
        (b"connection-1 host", Layout(2, False, 1, (), 0)),
        (b"a b c", None),
        (b"2025-11-24T16:00:00Z", Layout(1, False, 0)),
    ],
)
def test_columns(line: bytes, layout: Layout | None) -> None:
    assert layout_of(line) == layout


@pytest.mark.parametrize(
    "text",
    [
        b"1764000000",
        b"1764000000.999",
        b"1764000000999",
        b"2025-11-24T16:00:00",
        b"2025-11-24 16:00:00",
        b"2025-11-24T16:00:00.750Z",
        b"2025-11-24T17:00:00+01:00",
        b"2025-11-24 16:00:00,750",
        b"1.764e9",
    ],
)
def test_times(text: bytes) -> None:
    assert parse_time(text) == MOMENT


@pytest.mark.parametrize("text", [b"17", b"nan", b"inf", b"2025-11-24", b"noon", b"\xff", b""])
def test_what_is_no_time(text: bytes) -> None:
    with pytest.raises(ValueError, match="is no time"):
        parse_time(text)


def test_times_make_windows_of_seconds(write: Write) -> None:
    seen = read(write(f"{MOMENT} a\n{MOMENT} b\n\n{MOMENT + 2}.7 b\n"))
    assert seen.taken_for == "raw hostnames, one a line, with times"
    assert seen.windows is not None
    assert (seen.windows.unit, seen.windows.starts.tolist()) == ("seconds", [MOMENT, MOMENT + 2])
    assert seen.windows.counts.tolist() == [[1, 1], [0, 1]]
    assert seen.counts[""] == 1


def test_fractions_of_a_second_are_cut(write: Write) -> None:
    times = [f"{MOMENT}.25", f"{MOMENT}.9", "1.764e9"]
    for lines in (times, ["2025-11-24T16:00:00.123456Z", "2025-11-24T17:00:00.5+01:00", "2025-11-24T16:00:00,7"]):
        seen = read(write("".join(f"{time} {host}\n" for time, host in zip(lines, "aba", strict=True))))
        assert seen.windows is not None
        assert seen.windows.starts.tolist() == [MOMENT]


def test_forms_of_time_may_be_mixed(write: Write) -> None:
    seen = read(write(f"{MOMENT} a\n2025-11-24T16:00:05 b\n2025-11-24T16:00:09Z a\n"))
    assert seen.windows is not None
    assert seen.windows.starts.tolist() == [MOMENT, MOMENT + 5, MOMENT + 9]


def test_a_sorted_file_has_no_order(write: Write) -> None:
    seen = read(write("a\n" * 50 + "b\n" * 60))
    assert seen.sequence is None
    assert seen.windows is None
    assert "as in a sorted file" in seen.notes[0]
    timed = read(write("".join(f"{MOMENT + i % 7} {'ab'[i // 50]}\n" for i in range(100))))
    assert timed.sequence is None
    assert timed.windows is not None
    assert timed.windows.repeats.sum() == 0


@pytest.mark.parametrize(
    "text",
    [
        "   1183 a\n   1115 b\n   1253 c\n      4 \n",
        "      4 \n   1183 a\n   1115 b\n   1253 c\n",
        "1183 a\n1115 b\n1253 c\n4 \n",
        "      1 a\n   1115 b\n   1253 c\n   1182 a\n      4 \n",
    ],
)
def test_counted(write: Write, text: str) -> None:
    seen = read(write(text))
    assert seen.taken_for == "counts, as `sort | uniq -c` writes them"
    assert dict(seen.counts) == {"a": 1183, "b": 1115, "c": 1253, "": 4}
    assert seen.windows is None


def test_counts_beyond_seven_digits_are_no_times(write: Write) -> None:
    assert read(write("12345678 a\n12345679 b\n")).counts == {"a": 12_345_678, "b": 12_345_679}


def test_a_table(write: Write) -> None:
    text = 'hostname,availability_zone,requests,"share"\r\na,z1,10,0.5\r\nb,z2,6,0.3\r\n,,3,0.1\r\n(other),,1,0.1\r\n'
    seen = read(write(text, "hostnames.csv"))
    assert seen.taken_for == "a table of requests by hostname"
    assert seen.counts == {"a": 10, "b": 6, "": 4}
    assert seen.zones == {"a": "z1", "b": "z2"}


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("group,requests,failures\nweb-1,10,0\nweb-2,6,1\n", "group"),  # of load/groups
        ("Server,Count\nweb-1,10\nweb-2,6\n", "server"),
        ("count, pod\n10,web-1\n6,web-2\n", "pod"),
    ],
)
def test_a_table_of_another_heading(write: Write, text: str, column: str) -> None:
    seen = read(write(text))
    assert seen.taken_for == f"a table of requests by {column}"
    assert seen.counts == {"web-1": 10, "web-2": 6}


@pytest.mark.parametrize("text", ["web-1,500\nweb-2,620\n", "web-1 500\nweb-2 500\n", "server,hits\nweb-1,500\n"])
def test_counts_behind_their_hosts_are_not_taken_for_hosts(write: Write, text: str) -> None:
    with pytest.raises(BadInput, match="A count comes before its host"):
        read(write(text))


def test_the_folder_of_a_run(tmp_path: Path) -> None:
    head = "hostname,availability_zone,requests,failures,share,p50_ms,p95_ms,p99_ms,first_seen,last_seen"
    rows = [f"a,z1,3,0,0.5,1,1,1,{MOMENT},{MOMENT}", f"b,,2,1,0.3,1,1,1,{MOMENT},{MOMENT}", ",,1,1,0.2,1,1,1,0,0"]
    (tmp_path / "hostnames.csv").write_text("\n".join([head, *rows, ""]))
    lines = [f"{MOMENT},a,200,2", f"{MOMENT},b,200,1", f"{MOMENT},b,500,1", f"{MOMENT + 1},a,200,1", f"{MOMENT},,0,1"]
    (tmp_path / "timeline.csv").write_text("\n".join(["second,hostname,status,requests", *lines, ""]))
    (tmp_path / "run.json").write_text(json.dumps({"complete": True}))
    seen = read(str(tmp_path))
    assert seen.taken_for == "the results of a run"
    assert seen.counts == {"a": 3, "b": 2, "": 1}
    assert seen.zones == {"a": "z1"}
    assert seen.windows is not None
    assert seen.windows.counts.tolist() == [[2, 2], [1, 0]]
    assert seen.sequence is None


def test_hosts_beyond_the_limit_of_a_run_are_no_host(tmp_path: Path) -> None:
    rows = tuple(HostRow(name, "", 5, 0, 0.3, 1, 1, 1, 0, 0) for name in ("a", "b", "(other)"))
    seen = observe(Run(tmp_path, {}, rows, (TimelineRow(1, "a", 200, 5), TimelineRow(1, "(other)", 200, 5))))
    assert seen.counts == {"a": 5, "b": 5, "": 5}
    assert seen.notes
    assert seen.windows is not None
    assert seen.windows.counts.tolist() == [[5, 0]]


def test_the_timeline_of_a_run_is_read_with_its_folder(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    (timeline := tmp_path / "timeline.csv").write_text("second,hostname,status,requests\n")
    with pytest.raises(BadInput, match=f"which is read with its folder: give {tmp_path}$"):
        read(str(timeline))


@pytest.mark.parametrize(("failures", "told"), [(0, False), (1, False), (40, True), (500, True)])
def test_of_answers_of_hosts_it_is_told_how_many_were_failures(tmp_path: Path, failures: int, told: bool) -> None:
    rows = (HostRow("a", "", 500, failures, 0.5, 1, 1, 1, 0, 0), HostRow("b", "", 500, 0, 0.5, 1, 1, 1, 0, 0))
    notes = observe(Run(tmp_path, {}, rows, ())).notes
    said = f"Of 1,000 answers of hosts {failures:,} were failures, which are counted as any other."
    assert notes == ((said,) if told else ())


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a\nb\na\n")))
    seen = read("-")
    assert (seen.source, seen.counts) == ("standard input", {"a": 2, "b": 1})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "line 1: the file is empty"),
        (b"\n\n", "line 1: the file is empty"),
        (b"\x7fELF\x02\x00\x00\x01\n\x00", "line 1: a zero byte, so this is a binary file"),
        (b"a\nb\n\x00\x01\n", "line 3: '\\x00\\x01' is no hostname"),
        (b"a\n\xff\xfe\n", "line 2: '\\\\xff\\\\xfe' is not UTF-8 text"),
        (b"\xff\xfea\n", "line 1: this is not UTF-8 text"),
        (b"a\nb b\n", "line 2: 'b b' is no hostname"),
        (b"a\n" + b"b" * 300 + b"\n", "line 2: "),
        (b"a b c d\n", "line 1: 'a b c d' is none of"),
        (b"time,host,latency\n", "give the hosts' column alone"),
        (b"\n10 a\n-3 b\n", "line 3: the count -3 is negative"),
        (b"-3 a\n", "line 1: the count -3 is negative"),
        (b"10 a\nb\n", "line 2: 'b' is not a count and a hostname"),
        (b"1764000000 a\nnoon b\n", "line 2: 'noon' is no time"),
        (b"1764000000 a\n\n1764000000\n", "line 3: 1 column where the first line has 2"),
        (b"hostname,share\n", "line 1: a column named requests is needed"),
        (b"hostname,requests\na,1,2\n", "line 2: 3 columns where the header has 2"),
        (b"hostname,requests\na,1\nb,-2\n", "line 3: the count -2 is negative"),
        (b"hostname,requests\na,x\n", "line 2: 'x' requests is not a whole number"),
        (b"second,hostname,status,requests\n", "give the table of hosts and requests beside it"),
        (b"a\n" + b"x" * (3 << 20), "has a line of more than"),
    ],
)
def test_bad_input_names_its_line(write: Write, content: bytes, words: str) -> None:
    path = write(content)
    with pytest.raises(BadInput) as error:
        read(path)
    assert words in str(error.value)
    assert str(error.value).startswith(path)
    assert "\n" not in str(error.value)


def test_too_many_names_are_no_hostnames(write: Write) -> None:
    with pytest.raises(BadInput, match="line 100001: more than 100,000 different hostnames"):
        read(write("".join(f"{number}\n" for number in range(100_002))))


def test_a_carriage_return_by_itself_is_no_header(write: Write) -> None:
    assert read(write(b"a\rb\r")).counts == {"b": 1}  # of a line the last, as a terminal shows it


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        read(str(tmp_path / "nothing"))
    with pytest.raises(BadInput, match=r"run\.json|hostnames\.csv"):
        read(str(tmp_path))


def test_a_negative_count_in_a_run_names_its_line(tmp_path: Path) -> None:
    folder = create_run(tmp_path / "run")
    write_hosts(folder, [HostRow("a", "", 5, 0, 1, 1, 1, 1, 0, 0), HostRow("b", "", -5, 0, 0, 1, 1, 1, 0, 0)])
    with pytest.raises(BadInput, match=r"hostnames\.csv, line 3: requests must be a whole number of 0 to .*, not '-5'"):
        read(str(folder))


def test_memory_does_not_grow_with_the_lines(write: Write) -> None:
    def peak(lines: int) -> int:
        path = write("a.example.internal\nb.example.internal\nb.example.internal\n" * (lines // 3))
        tracemalloc.start()
        seen = read(path)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert sum(seen.counts.values()) == lines
        return size

    assert peak(900_000) < 1.1 * peak(300_000)
