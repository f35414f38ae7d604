"""Recognises what a file is, and reads it: results of a run, a table, the output of `uniq -c`, or raw answers."""

from __future__ import annotations

import csv
import itertools
import re
import sys
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from lab.distribution.layout import layout_of
from lab.distribution.lines import read_lines, split_lines
from lab.distribution.observations import Observations, host_of, observe
from lab.errors import BadInput
from load.answers import UNKNOWN_HOST
from load.errors import LoadError
from load.results import read_run

__all__ = ["read"]

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
        return _read_run(path)
    try:
        with path.open("rb") as stream:
            return _read_stream(source, stream)
    except OSError as error:
        raise BadInput(f"{source} cannot be read: {(error.strerror or str(error)).lower()}") from None


def _read_run(path: Path) -> Observations:
    try:
        return observe(read_run(path))
    except LoadError as error:
        raise BadInput(str(error)) from None


def _read_stream(source: str, stream: BinaryIO) -> Observations:
    blocks = iter(lambda: stream.read(_BLOCK), b"")
    head = next(blocks, b"")
    if not head.strip():
        raise BadInput(f"{source}, line 1: the file is empty; give {_FORMS}")
    everything = itertools.chain([head.removeprefix(BOM_UTF8)], blocks)
    number, line = next((number, line) for number, line in enumerate(head.split(b"\n"), start=1) if line.strip())
    if b"\0" in line:
        raise BadInput(f"{source}, line {number}: a zero byte, so this is a binary file; give {_FORMS}")
    first = _decoded(source, number, line)
    if "hostname" in next(csv.reader([first.lower()])):
        return _read_table(source, _text(source, everything))
    if _is_counted(first):
        return _read_counts(source, _text(source, everything))
    layout = layout_of(line)
    if layout is None:
        raise BadInput(f"{source}, line {number}: {first[:60]!r} is none of {_FORMS}")
    return read_lines(source, everything, layout)


def _is_counted(line: str) -> bool:
    """A count and a name; `uniq -c` puts blanks before a count of up to seven digits, and no time has them."""
    match = _COUNTED.fullmatch(line)
    if match is None or line[:1].isspace():
        return match is not None
    layout = layout_of(line.encode())
    return match[2] is not None and layout is not None and not layout.time


def _read_counts(source: str, lines: Iterable[str]) -> Observations:
    counts: dict[str, int] = {}
    number = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        match = _COUNTED.fullmatch(line)
        if not match:
            raise BadInput(f"{source}, line {number}: {line[:60]!r} is not a count and a hostname")
        if int(match[1]) < 0:
            raise BadInput(f"{source}, line {number}: the count {int(match[1])} is negative; counts start at 0")
        host = match[2] or UNKNOWN_HOST
        counts[host] = counts.get(host, 0) + int(match[1])
    return Observations(source, "counts, as `sort | uniq -c` writes them", number, counts)


def _read_table(source: str, lines: Iterable[str]) -> Observations:
    """A table with the columns hostname and requests, and perhaps availability_zone, in any order."""
    rows = csv.reader(lines)
    header = [name.strip().lower() for name in next(rows)]
    if "requests" not in header:
        raise BadInput(f"{source}, line 1: a column named requests is needed, there are {', '.join(header)}")
    if "second" in header:
        raise BadInput(f"{source} is the timeline of a run, which is read with its folder: give {Path(source).parent}")
    counts: dict[str, int] = {}
    zones: dict[str, str] = {}
    for row in rows:
        if not row:
            continue
        where = f"{source}, line {rows.line_num}"
        if len(row) != len(header):
            raise BadInput(f"{where}: {len(row)} columns where the header has {len(header)}")
        cells = dict(zip(header, row, strict=True))
        host = host_of(cells["hostname"])
        try:
            requests = int(cells["requests"])
        except ValueError:
            raise BadInput(f"{where}: {cells['requests']!r} requests is not a whole number") from None
        if requests < 0:
            raise BadInput(f"{where}: the count {requests} is negative; counts start at 0")
        counts[host] = counts.get(host, 0) + requests
        if cells.get("availability_zone"):
            zones[host] = cells["availability_zone"]
    return Observations(source, "a table of requests by hostname", rows.line_num, counts, zones)


def _text(source: str, blocks: Iterable[bytes]) -> Iterator[str]:
    lines = itertools.chain.from_iterable(split_lines(source, blocks))
    return (_decoded(source, number, line) for number, line in enumerate(lines, start=1))


def _decoded(source: str, number: int, line: bytes) -> str:
    try:
        return line.decode().removesuffix("\r")
    except UnicodeDecodeError:
        raise BadInput(f"{source}, line {number}: this is not UTF-8 text; give {_FORMS}") from None
