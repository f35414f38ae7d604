"""The CSV files beside those of Locust's `--csv`: `<prefix>_<noun>s.csv`; with `--csv-full-history`, its history."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from load.groups.replacing import replace_file
from load.groups.rows import GroupRow, LatencyRow, SecondRow, cell, csv_of, groups_csv

if TYPE_CHECKING:
    from load.groups.plugin import Groups

__all__ = ["CsvFiles"]

_logger = logging.getLogger(__name__)


class CsvFiles:
    """An output. What cannot be written is logged once, and is no reason for a load test to fail."""

    def __init__(self, prefix: str, noun: str, detail_noun: str, history: bool) -> None:
        self._noun, self._detail_noun = noun, detail_noun
        self._file = Path(f"{prefix}_{noun}s.csv")
        self._history = Path(f"{prefix}_{noun}s_history.csv") if history else None
        self._failed = False

    def start(self, now: float) -> None:
        """Begin both files anew."""
        self.replace([])
        if self._history is not None:
            heads = [[head if head != "group" else self._noun for head in SecondRow._fields]]
            self._try(self._history, lambda file: replace_file(file, csv_of(heads)))

    def reset(self, now: float) -> None:
        """As Locust's own files: what was counted before is no longer there."""
        self.start(now)

    def append(self, seconds: Sequence[SecondRow], latency: Sequence[LatencyRow]) -> None:
        """Add the seconds to the history."""
        if self._history is not None and seconds:
            lines = [(row.second, cell(row.group), *row[2:]) for row in seconds]
            self._try(self._history, lambda file: _append(file, csv_of(lines)))

    def replace(self, rows: Sequence[GroupRow]) -> None:
        """Write the groups anew."""
        text = groups_csv(rows, self._noun, self._detail_noun)
        self._try(self._file, lambda file: replace_file(file, text))

    def finish(self, groups: Groups) -> None:
        """Nothing is left to be done."""

    def _try(self, file: Path, write: Callable[[Path], None]) -> None:
        try:
            write(file)
        except OSError as error:
            if not self._failed:
                self._failed = True
                _logger.warning("%s cannot be written (%s); the load goes on.", file, error.strerror)


def _append(file: Path, text: str) -> None:
    with file.open("a", encoding="utf-8", newline="") as stream:
        stream.write(text)
