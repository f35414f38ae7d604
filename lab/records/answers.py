"""Recognises what a file is, and reads it: results of a run, a table, the output of `uniq -c`, or raw answers."""

from __future__ import annotations

import csv
import itertools
import json
import re
import sys
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from lab.errors import BadInput
from lab.records.observations import Flags, Integers, Observations, SequenceCounter, host_of, observe
from lab.records.run import read_folder
from load.results import UNKNOWN_HOST, Run, is_failure

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
        run = read_folder(path)
        _require_an_answer(run)
        return observe(run)
    try:
        with path.open("rb") as stream:
            return _read_stream(source, stream)
    except OSError as error:
        raise BadInput(f"{source} cannot be read: {(error.strerror or str(error)).lower()}") from None


def _require_an_answer(run: Run) -> None:
    """Refuse a run that no host had a part in, with what there was in place of its answers."""
    statuses: Counter[int] = Counter()
    for row in run.timeline:
        if row.hostname or not is_failure(row.status):
            return
        statuses[row.status] += row.requests
    if statuses:
        each = (
            f"{number:,} {f'with {status}' if status else 'without an answer'}" for status, number in statuses.items()
        )
        raise BadInput(
            f"{run.path}: all {statuses.total():,} requests failed, and no answer named a host: {', '.join(each)}."
        )


def _read_stream(source: str, stream: BinaryIO) -> Observations:
    blocks = iter(lambda: stream.read(_BLOCK), b"")
    head = next(blocks, b"").removeprefix(BOM_UTF8)
    if not head.strip():
        raise BadInput(f"{source}, line 1: the file is empty; give {_FORMS}")
    everything = itertools.chain([head], blocks)
    number, line = next((number, line) for number, line in enumerate(head.split(b"\n"), start=1) if line.strip())
    if b"\0" in line:
        raise BadInput(f"{source}, line {number}: a zero byte, so this is a binary file; give {_FORMS}")
    lines = _Lines(source, everything)
    first = _decoded(line, f"{source}, line {number}")
    if first.lstrip()[:1] in ("{", "["):
        taken_for, rows = "JSON with hostnames, one object a line", _objects(lines)
    elif column := _column_of_hosts(header := _columns(first)):
        taken_for, rows = f"a table of requests by {column}", _cells(lines, header, column)
    elif ";" in first and _column_of_hosts(_columns(first.replace(";", ","))):
        raise BadInput(f"{source}, line {number}: {first[:60]!r} is a table parted by semicolons: part it by commas")
    elif _is_counted(first):
        taken_for, rows = "counts, as `sort | uniq -c` writes them", _counts(lines)
    elif layout := layout_of(line):
        return read_lines(source, everything, layout)
    else:
        column = ". Of another table give the hosts' column alone, such as by `tail -n +2 FILE | cut -d, -f2`"
        raise BadInput(f"{source}, line {number}: {first[:60]!r} is none of {_FORMS}{column if ',' in first else ''}")
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
        for block in whole_lines(self.source, self._blocks):
            for line in block[:-1].split(b"\n"):
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
        return [name.strip() for name in next(csv.reader([line.lower()[:_LONGEST_HEADER]]))]
    except csv.Error:  # a carriage return by itself
        return []


_COUNTS = ("requests", "count")


def _column_of_hosts(header: list[str]) -> str:
    """The column `hostname`, or the first beside one of counts, such as Locust's `group`; "" if it is no table."""
    if "hostname" in header:
        return "hostname"
    others = [name for name in header if name not in _COUNTS]
    return others[0] if others and len(others) < len(header) else ""


def _counts(lines: _Lines) -> Iterator[Row]:
    for line in lines:
        if match := _COUNTED.fullmatch(line):
            yield match[2] or UNKNOWN_HOST, _count(match[1], lines.where), ""
        elif line.strip():
            raise BadInput(f"{lines.where}: {line[:60]!r} is not a count and a hostname")


def _cells(lines: _Lines, header: list[str], hosts: str) -> Iterator[Row]:
    """Of a table with the columns *hosts* and requests, and perhaps availability_zone, in any order."""
    rows = csv.reader(lines)
    try:
        next(rows)
        if (counts := next((name for name in _COUNTS if name in header), None)) is None:
            raise BadInput(f"{lines.where}: a column named requests is needed, there are {', '.join(header)}")
        if "second" in header:
            parent = Path(lines.source).parent
            if (parent / "run.json").exists():
                raise BadInput(f"{lines.source} is the timeline of a run, which is read with its folder: give {parent}")
            raise BadInput(
                f"{lines.source} has counts by second, which are read of a run alone, by its folder and run.json: "
                "give the table of hosts and requests beside it"
            )
        for row in filter(None, rows):
            if len(row) != len(header):
                raise BadInput(f"{lines.where}: {len(row)} columns where the header has {len(header)}")
            cells = dict(zip(header, row, strict=True))
            yield host_of(cells[hosts]), _count(cells[counts], lines.where), cells.get("availability_zone", "")
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
_MOST_BACKWARDS = 4  # one of so many lines; of lines in any order it is every second


def read_lines(source: str, blocks: Iterable[bytes], layout: Layout) -> Observations:
    """Read all blocks of a file. An empty line is an answer whose host is not known.

    Raises BadInput with the line that does not fit.
    """
    hosts, connections, seconds = _Names("hostname"), _Names("connection"), _Seconds()
    counter = SequenceCounter(timed=bool(layout.time))
    totals = np.zeros(0, dtype=np.int64)
    unknown = lines = backwards = 0
    for block in whole_lines(source, blocks):
        try:
            column, inside = _columns_of(block, layout)
            host = hosts.of(column[layout.host])
            second = seconds.of([column[index] for index in layout.time]) if layout.time else None
            backwards += 0 if second is None else int(np.count_nonzero(np.diff(second) < 0))
            connection = None if layout.connection is None else connections.of(column[layout.connection])
        except _Wrong as wrong:
            raise BadInput(f"{source}, line {lines + wrong.line + 1}: {wrong}") from None
        counts = np.bincount(host, minlength=len(totals))
        counts[: len(totals)] += totals
        totals = counts
        counter.add(host, second, connection)
        unknown += inside - len(host)
        lines += inside
    if layout.connection is not None and all(name.isdigit() for name in hosts.names[1:] or hosts.names):
        raise BadInput(
            f"{source}: the last column holds numbers and no hostnames. A count comes before its host, as in "
            "`500 web-1`, or in a table with the columns hostname and requests"
        )
    windows, sequence = counter.result(hosts.names)
    seen = Observations(
        source=source,
        taken_for=layout.words,
        lines=lines,
        counts=dict(zip(hosts.names, totals.tolist(), strict=True)) | ({UNKNOWN_HOST: unknown} if unknown else {}),
        windows=windows,
        sequence=sequence,
    )
    if layout.time and backwards > lines / _MOST_BACKWARDS:
        note = "From line to line the times go back again and again, so the order of the lines was not used."
        return replace(seen, windows=windows.without_order(), sequence=None, notes=(note,))
    repeats = int(windows.repeats.sum())
    if layout.connection is None and repeats > 0 and repeats == totals.sum() - len(hosts.names):
        note = "All answers of a host follow each other, as in a sorted file, so their order was not used."
        kept = windows.without_order() if layout.time else None
        return replace(seen, windows=kept, sequence=None, notes=(note,))
    return seen


def whole_lines(source: str, blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, each part of whole lines with their ends. Raises BadInput for a line too long to be one."""
    rest = b""
    for block in blocks:
        end = block.rfind(b"\n") + 1
        if end:
            yield rest + block[:end]
            rest = b""
        rest += block[end:]
        if len(rest) > _LONGEST_LINE:
            raise BadInput(f"{source} has a line of more than {_LONGEST_LINE:,} bytes: this is no list of hostnames")
    if rest:
        yield rest + b"\n"


class _Wrong(Exception):
    """What is wrong with a line, by its number from 0 in its block."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


_BLANK = np.isin(np.arange(256), list(b" \t\n\r\v\f,"))
_OF_WORD = np.array([(1 << 8 * length) - 1 for length in range(9)], dtype=np.uint64)  # that many bytes of eight
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, eq=False)
class _Column:
    """The words of one column of a block, one for each line that is not blank: begin, end, line, (n,) each.

    A list of words would take most of the time; `eight` has the eight bytes from each place of the block on.
    """

    block: bytes
    eight: NDArray[np.uint64]
    starts: Integers
    ends: Integers
    line: Integers

    def word(self, index: int) -> bytes:
        return self.block[self.starts[index] : self.ends[index]]

    def hashes(self) -> NDArray[np.uint64]:
        """A number for each word. Two of 100,000 words have the same one once in some billion files."""
        length = self.ends - self.starts
        found = length.astype(np.uint64)
        shortest = int(length.min(initial=0 if len(length) == 0 else _LONGEST_LINE))
        for begin in range(0, int(length.max(initial=0)), 8):
            if begin + 8 <= shortest:
                mixed = found ^ self.eight[self.starts + begin]
            else:
                eight = self.eight[np.minimum(self.starts + begin, self.ends)]
                mixed = found ^ (eight & _OF_WORD[np.clip(length - begin, 0, 8)])
            mixed *= _FACTOR
            mixed ^= mixed >> np.uint64(32)
            found = mixed if begin < shortest else np.where(begin < length, mixed, found)  # a shorter one has its hash
        return found

    def changes(self, length: int) -> Flags:
        """Whether a word has other first bytes than the one before. Those of a shorter one go on behind it."""
        begins = [self.eight[self.starts + begin] for begin in range(0, length, 8)]
        begins[-1] = begins[-1] & _OF_WORD[(length - 1) % 8 + 1]
        return np.asarray(np.any([np.concatenate(([True], each[1:] != each[:-1])) for each in begins], axis=0))


def _columns_of(block: bytes, layout: Layout) -> tuple[list[_Column], int]:
    """The columns of whole lines but for blank ones, and how many lines there are with these. Raises _Wrong."""
    text = np.frombuffer(block, dtype=np.uint8)
    ends = np.flatnonzero((text <= 0x20) | (text == ord(",")) if layout.commas else text <= 0x20)
    by = text[ends]
    newline = by == ord("\n")
    line = np.cumsum(newline) - newline
    starts = np.concatenate(([0], ends[:-1] + 1))
    width = layout.columns
    if (odd := ~_BLANK[by]).any():
        raise _unfit(block, int(line[odd.argmax()]), "is no hostname" if width == 1 else "has a control character")
    filled = ends > starts
    starts, ends, line = starts[filled], ends[filled], line[filled]
    if (
        len(line) % width
        or (width > 1 and (line[::width] != line[width - 1 :: width]).any())
        or (line[width::width] == line[width - 1 : -1 : width]).any()
    ):
        there = np.bincount(line)
        first = int(np.flatnonzero((there != width) & (there > 0))[0])
        if width == 1:
            raise _unfit(block, first, "is no hostname")
        wrong = int(there[first])
        raise _Wrong(first, f"{wrong} column{'s' if wrong > 1 else ''} where the first line has {width}")
    padded = block + bytes(32)
    eight = np.ndarray((len(padded) - 7,), dtype="<u8", buffer=padded, strides=(1,))
    columns = [
        _Column(block, eight, starts[index::width], ends[index::width], line[index::width]) for index in range(width)
    ]
    return columns, int(newline.sum())


def _unfit(block: bytes, line: int, what: str) -> _Wrong:
    text = block.split(b"\n")[line].strip()
    return _Wrong(line, f"{shown(text)} {what}")


class _Names:
    """Numbers names from 0 as they come. A name is checked when it is first met."""

    def __init__(self, what: str) -> None:
        self._what = what
        self.names: list[str] = []
        self._numbers: dict[int, int] = {}  # by hash
        self._hashes = np.zeros(1, dtype=np.uint64)  # by number, with room for more
        self._slots = np.zeros(1 << 16, dtype=np.int64)  # the number of a name with these last bits of its hash

    def of(self, column: _Column) -> Integers:
        """The number of each word. Raises _Wrong for what is no name."""
        hashes = column.hashes()
        slots = hashes.astype(np.int64) & (len(self._slots) - 1)
        numbers = self._slots[slots]
        others = np.flatnonzero(self._hashes[numbers] != hashes)
        if len(others):
            distinct, first, which = np.unique(hashes[others], return_index=True, return_inverse=True)
            for index in np.argsort(first).tolist():
                if (name := int(distinct[index])) not in self._numbers:
                    where = int(others[first[index]])
                    self._numbers[name] = self._slots[slots[where]] = self._add(column, where)
                    self._hashes[len(self.names) - 1] = name
            numbers[others] = np.array([self._numbers[name] for name in distinct.tolist()], dtype=np.int64)[which]
        return np.asarray(numbers)

    def _add(self, column: _Column, index: int) -> int:
        name, line = column.word(index), int(column.line[index])
        if len(name) > _LONGEST_NAME or any(byte in b",\x7f" for byte in name):
            raise _Wrong(line, f"{shown(name)} is no {self._what}")
        if len(self.names) == _MOST_NAMES:
            raise _Wrong(line, f"more than {_MOST_NAMES:,} different {self._what}s")
        try:
            self.names.append(name.decode())
        except UnicodeDecodeError:
            raise _Wrong(line, f"{shown(name)} is not UTF-8 text") from None
        if len(self.names) > len(self._hashes):
            self._hashes = np.pad(self._hashes, (0, len(self._hashes)))
        return len(self.names) - 1


class _Seconds(dict[bytes, int]):
    """Times as seconds since the Unix epoch; remembers those it has parsed, while there are not too many."""

    def __missing__(self, text: bytes) -> int:
        if len(self) >= _MOST_NAMES:
            self.clear()
        second = self[text] = parse_time(text)
        return second

    def of(self, columns: Sequence[_Column]) -> Integers:
        """The second of each time; neighbours that are the same up to the second are parsed once. Raises _Wrong."""
        first = columns[0]
        if len(first.starts) == 0:
            return np.zeros(0, dtype=np.int64)
        if len(columns) == 2:
            changed = np.flatnonzero(first.changes(len("2025-11-24")) | columns[1].changes(len("16:00:00")))
        else:
            changed = np.flatnonzero(first.changes(len("1764000000")))
            if not all(first.word(index)[:10].isdigit() for index in changed.tolist()):
                changed = np.flatnonzero(first.changes(len("2025-11-24T16:00:00")))
        seconds = np.empty(len(changed), dtype=np.int64)
        for number, index in enumerate(changed.tolist()):
            try:
                seconds[number] = self[b" ".join(column.word(index) for column in columns)]
            except ValueError as error:
                raise _Wrong(int(first.line[index]), str(error)) from None
        return np.repeat(seconds, np.diff(changed, append=len(first.starts)))
