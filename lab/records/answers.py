"""Recognises what a file is, and reads it: results of a run, a table, the output of `uniq -c`, or raw answers."""

from __future__ import annotations

import csv
import itertools
import json
import re
import sys
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np

from lab.errors import BadInput
from lab.records.observations import Integers, Observations, SequenceCounter, host_of, observe
from lab.records.run import read_folder
from load.results import UNKNOWN_HOST

_LARGEST = 2**53  # of a count: beyond it floating-point numbers are not exact
_LONGEST_HEADER = 10_000  # characters
_BLOCK = 1 << 20
_COUNTED = re.compile(r"\s*([+-]?\d+)(?:\s+(\S+))?\s*")
_FORMS = (
    "hostnames one a line (with or without a time), the output of `sort | uniq -c`, a table with the columns hostname "
    "and requests, or the folder of a run"
)


def read(source: str) -> Observations:
    """Read a file, the folder of a run, or standard input ("-").

    Raises BadInput with the line that cannot be used.
    """
    if source == "-":
        return _read_stream("standard input", sys.stdin.buffer)
    path = Path(source)
    if path.is_dir():
        return observe(read_folder(path))
    try:
        with path.open("rb") as stream:
            return _read_stream(source, stream)
    except OSError as error:
        raise BadInput(f"{source} cannot be read: {(error.strerror or str(error)).lower()}") from None


def _read_stream(source: str, stream: BinaryIO) -> Observations:
    blocks = iter(lambda: stream.read(_BLOCK), b"")
    head = next(blocks, b"")
    if not head.strip():
        raise BadInput(f"{source}, line 1: the file is empty; give {_FORMS}")
    everything = itertools.chain([head.removeprefix(BOM_UTF8)], blocks)
    number, line = next((number, line) for number, line in enumerate(head.split(b"\n"), start=1) if line.strip())
    if b"\0" in line:
        raise BadInput(f"{source}, line {number}: a zero byte, so this is a binary file; give {_FORMS}")
    lines = _Lines(source, everything)
    first = _decoded(line, f"{source}, line {number}")
    if first.lstrip()[:1] in ("{", "["):
        taken_for, rows = "JSON with hostnames, one object a line", _objects(lines)
    elif "hostname" in _columns(first):
        taken_for, rows = "a table of requests by hostname", _cells(lines)
    elif _is_counted(first):
        taken_for, rows = "counts, as `sort | uniq -c` writes them", _counts(lines)
    elif layout := layout_of(line):
        return read_lines(source, everything, layout)
    else:
        raise BadInput(f"{source}, line {number}: {first[:60]!r} is none of {_FORMS}")
    counts: Counter[str] = Counter()
    zones: dict[str, str] = {}
    for host, requests, zone in rows:
        counts[host] += requests
        if zone:
            zones[host] = zone
    return Observations(source, taken_for, lines.number, counts, zones)


class _Lines:
    """The lines of a file as text; `number` is that of the last one, and `where` says it."""

    def __init__(self, source: str, blocks: Iterable[bytes]) -> None:
        self.source = source
        self.number = 0
        self._blocks = blocks

    def __iter__(self) -> Iterator[str]:
        for line in itertools.chain.from_iterable(split_lines(self.source, self._blocks)):
            self.number += 1
            yield _decoded(line, self.where)

    @property
    def where(self) -> str:
        return f"{self.source}, line {self.number}"


def _decoded(line: bytes, where: str) -> str:
    try:
        return line.decode().removesuffix("\r")
    except UnicodeDecodeError:
        raise BadInput(f"{where}: this is not UTF-8 text; give {_FORMS}") from None


Row = tuple[str, int, str]  # host, requests, zone


def _is_counted(line: str) -> bool:
    """A count and a name; `uniq -c` puts blanks before a count of up to seven digits, and no time has them."""
    match = _COUNTED.fullmatch(line)
    if match is None or line[:1].isspace():
        return match is not None
    layout = layout_of(line.encode())
    return match[2] is not None and layout is not None and not layout.time


def _columns(line: str) -> list[str]:
    """The names in a header; none if it is no CSV."""
    try:
        return next(csv.reader([line.lower()[:_LONGEST_HEADER]]))
    except csv.Error:  # a carriage return by itself
        return []


def _counts(lines: _Lines) -> Iterator[Row]:
    for line in lines:
        if match := _COUNTED.fullmatch(line):
            yield match[2] or UNKNOWN_HOST, _count(match[1], lines.where), ""
        elif line.strip():
            raise BadInput(f"{lines.where}: {line[:60]!r} is not a count and a hostname")


def _cells(lines: _Lines) -> Iterator[Row]:
    """Of a table with the columns hostname and requests, and perhaps availability_zone, in any order."""
    rows = csv.reader(lines)
    try:
        header = [name.strip().lower() for name in next(rows)]
        if "requests" not in header:
            raise BadInput(f"{lines.where}: a column named requests is needed, there are {', '.join(header)}")
        if "second" in header:
            parent = Path(lines.source).parent
            raise BadInput(f"{lines.source} is the timeline of a run, which is read with its folder: give {parent}")
        for row in filter(None, rows):
            if len(row) != len(header):
                raise BadInput(f"{lines.where}: {len(row)} columns where the header has {len(header)}")
            cells = dict(zip(header, row, strict=True))
            requests = _count(cells["requests"], lines.where)
            yield host_of(cells["hostname"]), requests, cells.get("availability_zone", "")
    except csv.Error as error:
        raise BadInput(f"{lines.source}: this is not CSV ({error}); give {_FORMS}") from None


def _objects(lines: _Lines) -> Iterator[Row]:
    """Of an object of JSON a line, with the key `hostname`."""
    for line in lines:
        if not line.strip():
            continue
        try:
            host = json.loads(line)["hostname"]
        except (ValueError, TypeError, KeyError, RecursionError):
            host = None
        if not isinstance(host, str):
            raise BadInput(
                f"{lines.where}: {shown(line.encode())} is no JSON object with a text named hostname; give "
                "one on each line, or the hostnames alone"
            )
        yield host_of(host), 1, ""


def _count(text: str, where: str) -> int:
    try:
        count = int(text)
    except ValueError:  # of more than 4,300 digits too
        raise BadInput(f"{where}: {shown(text.encode())} requests is not a whole number") from None
    if count < 0:
        raise BadInput(f"{where}: the count {count} is negative; counts start at 0")
    if count > _LARGEST:
        raise BadInput(f"{where}: the count {shown(text.encode())} is beyond exact arithmetic: {_LARGEST:,} at most")
    return count


_SECONDS_FROM, _MILLISECONDS_FROM, _TO = 1e9, 1e12, 1e14  # 2001 in seconds and in milliseconds, year 5138


@dataclass(frozen=True)
class Layout:
    """Indexes of the columns of host, time (two: date and time) and connection, and what parts them."""

    columns: int
    commas: bool
    host: int
    time: tuple[int, ...] = ()
    connection: int | None = None

    @property
    def words(self) -> str:
        """What lines of this layout are taken for."""
        extras = [name for name, there in (("times", self.time), ("connections", self.connection is not None)) if there]
        return "raw hostnames, one a line" + (f", with {' and '.join(extras)}" if extras else "")


def layout_of(line: bytes) -> Layout | None:
    """The layout of a line that is not blank; None if it has none."""
    # A comma may also belong to the time, as in 16:00:00,123.
    for commas, columns in ((False, line.split()), (True, line.replace(b",", b" ").split())):
        time = _time_columns(columns)
        rest = [index for index in range(len(columns)) if index not in time]
        if 1 <= len(rest) <= 2 and not any(b"," in columns[index] for index in rest):
            return Layout(len(columns), commas, rest[-1], time, rest[0] if len(rest) == 2 else None)
    return None


def _time_columns(columns: list[bytes]) -> tuple[int, ...]:
    last = len(columns) - 1
    for candidate in ((0, 1), (last - 1, last), (0,), (last,)):
        if last >= len(candidate):
            try:
                parse_time(b" ".join(columns[index] for index in candidate))
            except ValueError:
                continue
            return candidate
    return ()


def parse_time(text: bytes) -> int:
    """The second since the Unix epoch; a time without a zone is UTC, and a date alone is no time. Raises ValueError."""
    with suppress(ValueError):
        number = float(text)
        if _SECONDS_FROM <= number < _TO:
            return int(number / 1000 if number >= _MILLISECONDS_FROM else number)
    with suppress(ValueError):
        moment = datetime.fromisoformat(text.decode("ascii"))
        if len(text) > len("2026-11-24"):
            return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    raise ValueError(f"{shown(text)} is no time")


def shown(text: bytes) -> str:
    """What was read, for a message: quoted, in one line, and not too long."""
    return repr(text[:40].decode("utf-8", "backslashreplace")) + ("..." if len(text) > 40 else "")


_MOST_NAMES = 100_000  # of hosts, and of connections: with more it is no list of answers, and would fill the memory
_LONGEST_NAME = 253  # characters of a domain name, RFC 1035 section 2.3.4
_LONGEST_LINE = 1 << 20
_END = b" \0 "  # of a line, as a word


def read_lines(source: str, blocks: Iterable[bytes], layout: Layout) -> Observations:
    """Read all blocks of a file. An empty line is an answer whose host is not known.

    Raises BadInput with the line that does not fit.
    """
    parser = _Parser(layout)
    counter = SequenceCounter(timed=bool(layout.time))
    totals = np.zeros(0, dtype=np.int64)
    unknown = lines_before = 0
    if layout.commas:
        blocks = (block.replace(b",", b" ") for block in blocks)
    for lines in split_lines(source, blocks):
        try:
            columns = parser.parse(lines)
        except ValueError:
            raise _complaint(source, parser, lines, lines_before) from None
        lines_before += len(lines)
        known = columns[0] >= 0
        host, second, connection = (None if column is None else column[known] for column in columns)
        assert host is not None
        unknown += len(lines) - len(host)
        counts = np.bincount(host, minlength=len(totals))
        counts[: len(totals)] += totals
        totals = counts
        counter.add(host, second, connection)
    names = parser.hosts.names
    windows, sequence = counter.result(names)
    seen = Observations(
        source=source,
        taken_for=layout.words,
        lines=lines_before,
        counts=dict(zip(names, totals.tolist(), strict=True)) | ({UNKNOWN_HOST: unknown} if unknown else {}),
        windows=windows,
        sequence=sequence,
    )
    repeats = int(windows.repeats.sum())
    if layout.connection is None and repeats > 0 and repeats == totals.sum() - len(names):
        note = "All answers of a host follow each other, as in a sorted file, so their order was not used."
        kept = windows.without_order() if layout.time else None
        return replace(seen, windows=kept, sequence=None, notes=(note,))
    return seen


class _Parser:
    """Turns lines into numbers of hosts (-1: not known), seconds and numbers of connections."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.hosts, self._connections, self._seconds = _Names("hostname"), _Names("connection"), _Seconds()

    def parse(self, lines: list[bytes]) -> tuple[Integers, Integers | None, Integers | None]:
        """Raises ValueError with what is wrong with some line."""
        layout = self._layout
        if layout.columns == 1:
            return _mapped(self.hosts, lines), None, None
        column = self._split(lines)
        second = connection = None
        if len(layout.time) == 1:
            second = self._seconds.of(column[layout.time[0]])
        elif layout.time:
            date, time = (column[index] for index in layout.time)
            second = self._seconds.of([b"%b %b" % both for both in zip(date, time, strict=True)])
        if layout.connection is not None:
            connection = _mapped(self._connections, column[layout.connection])
        return _mapped(self.hosts, column[layout.host]), second, connection

    def _split(self, lines: list[bytes]) -> list[list[bytes]]:
        """The columns, without blank lines; all lines at once, for a list for each would take most of the time."""
        width = self._layout.columns
        words = _END.join([*lines, b""]).split()
        if len(words) == len(lines) * (width + 1) and words[width :: width + 1].count(b"\0") == len(lines):
            return [words[index :: width + 1] for index in range(width)]
        filled = [line for line in lines if line.strip()]
        if len(filled) < len(lines):
            return self._split(filled)
        wrong = next(count for count in (len(line.split()) for line in lines) if count != width)
        raise ValueError(f"{wrong} column{'s' if wrong > 1 else ''} where the first line has {width}")


def _mapped(numbers: dict[bytes, int], texts: Collection[bytes]) -> Integers:
    return np.fromiter(map(numbers.__getitem__, texts), dtype=np.int64, count=len(texts))


class _Names(dict[bytes, int]):
    """Numbers names from 0 as they come; no name is -1. A name is checked when it is first met."""

    def __init__(self, what: str) -> None:
        super().__init__({b"": -1})
        self._what = what
        self.names: list[str] = []

    def __missing__(self, text: bytes) -> int:
        name = text.strip()
        if name != text:
            number = self[text] = self[name]
            return number
        if len(name) > _LONGEST_NAME or any(byte <= 0x20 or byte in b",\x7f" for byte in name):
            raise ValueError(f"{shown(name)} is no {self._what}")
        if len(self.names) == _MOST_NAMES:
            raise ValueError(f"more than {_MOST_NAMES:,} different {self._what}s")
        try:
            self.names.append(name.decode())
        except UnicodeDecodeError:
            raise ValueError(f"{shown(name)} is not UTF-8 text") from None
        number = self[name] = len(self.names) - 1
        return number


class _Seconds(dict[bytes, int]):
    """Times as seconds since the Unix epoch; remembers those it has parsed, while there are not too many."""

    def __missing__(self, text: bytes) -> int:
        if len(self) >= _MOST_NAMES:
            self.clear()
        second = self[text] = parse_time(text)
        return second

    def of(self, texts: list[bytes]) -> Integers:
        """The second of each time; neighbours that are the same up to the second are parsed once."""
        if not texts:
            return np.zeros(0, dtype=np.int64)
        first = _changes(texts, len("1764000000"))
        if not all(texts[index][:10].isdigit() for index in first):
            first = _changes(texts, len("2025-11-24T16:00:00"))
        seconds = np.array([self[texts[index]] for index in first], dtype=np.int64)
        return np.repeat(seconds, np.diff(first, append=len(texts)))


def _changes(texts: list[bytes], length: int) -> Integers:
    """Where a text begins otherwise than the one before."""
    beginnings = np.array(texts).astype(f"S{length}")
    return np.concatenate(([0], np.flatnonzero(beginnings[1:] != beginnings[:-1]) + 1))


def split_lines(source: str, blocks: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The lines of each block. Raises BadInput for a line too long to be one."""
    rest = b""
    for block in blocks:
        lines = block.split(b"\n")
        lines[0] = rest + lines[0]
        rest = lines.pop()
        if len(rest) > _LONGEST_LINE:
            raise BadInput(f"{source} has a line of more than {_LONGEST_LINE:,} bytes: this is no list of hostnames")
        if lines:
            yield lines
    if rest:
        yield [rest]


def _complaint(source: str, parser: _Parser, lines: list[bytes], lines_before: int) -> BadInput:
    """The first of the lines that does not parse, by its number."""
    for number, line in enumerate(lines, start=lines_before + 1):
        try:
            parser.parse([line])
        except ValueError as error:
            return BadInput(f"{source}, line {number}: {error}")
    raise AssertionError("some line does not parse")
