"""Which column of a raw line is what.

    HOSTNAME                         one column
    TIME HOSTNAME                    with the time: ISO 8601, or seconds or milliseconds since the Unix epoch
    TIME CONNECTION HOSTNAME         and with the connection that carried the answer

Columns are parted by white space or commas; the time may be absent, or come last.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

__all__ = ["Layout", "layout_of", "parse_time", "shown"]

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
