"""Raw answers, one a line, read in memory that grows with hosts, connections and seconds but not with lines.

Python does per block what the C library does per line: a block is split at the line ends, each line becomes a number by
one dictionary lookup, and numpy counts the numbers. Only a line that was never seen before is looked at any closer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import numpy as np

from lab.distribution.layout import Layout, parse_time, shown
from lab.distribution.observations import Observations
from lab.distribution.sequence import SequenceCounter
from lab.distribution.windows import Integers
from lab.errors import BadInput

__all__ = ["read_lines", "split_lines"]

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
            host, second, connection = parser.parse(lines)
        except ValueError:
            raise _complaint(source, parser, lines, lines_before) from None
        lines_before += len(lines)
        known = host >= 0
        if not known.all():
            host = host[known]
            second = None if second is None else second[known]
            connection = None if connection is None else connection[known]
        unknown += len(lines) - len(host)
        counts = np.bincount(host, minlength=len(totals))
        counts[: len(totals)] += totals
        totals = counts
        counter.add(host, second, connection)
    return _observations(source, layout, lines_before, parser.hosts.names, totals, unknown, counter)


def _observations(
    source: str, layout: Layout, lines: int, names: list[str], totals: Integers, unknown: int, counter: SequenceCounter
) -> Observations:
    windows, sequence = counter.result(names)
    counts = dict(zip(names, totals.tolist(), strict=True))
    if unknown:
        counts[""] = unknown
    repeats = int(windows.repeats.sum())
    if layout.connection is None and repeats > 0 and repeats == totals.sum() - len(names):
        note = "All answers of a host follow each other, as in a sorted file, so their order was not used."
        kept = windows.without_order() if layout.time else None
        return Observations(source, layout.words, lines, counts, windows=kept, notes=(note,))
    return Observations(source, layout.words, lines, counts, windows=windows, sequence=sequence)


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
