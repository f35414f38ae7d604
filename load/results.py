"""The files of one run, `results/<run>/`: their rows, writers that replace a file as a whole, and `read_run`.

    run.json       format, target, settings, versions, start, end, duration_s, users, user_changes, requests, failures,
                   unfinished, due, resets, workers_lost, complete
    hostnames.csv  one row for each host
    timeline.csv   one row for each second, host and status
    latency.csv    one row for each second and latency

While a run goes on, timeline.csv and latency.csv grow by the seconds that are complete, and by what comes in late for
earlier ones: so rows that are equal but for their requests may be met and are to be added up. At the end run.json gets
the totals last. The hostname "" takes everything for which no host is known, and the requests of
hostnames.csv and of timeline.csv add up to Locust's own total, which `read_run` holds them to; latency.csv has those
whose latency is known, which with FastHttpUser is all of them. Every request that was sent is answered or failed, and
then in the files, or is one of run.json's `unfinished`: under way when the load ended, and ended with it.
"""

from __future__ import annotations

import csv
import errno
import json
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_type_hints

from load.errors import ResultsMalformed, ResultsUnwritable
from load.groups.latency import SECOND_BITS, percentiles
from load.groups.replacing import replace_file
from load.groups.rows import NO_GROUP as UNKNOWN_HOST
from load.groups.rows import OTHER_GROUPS as OTHER_HOSTS
from load.groups.rows import GroupRow, LatencyRow, cell, csv_of, groups_csv, is_failure

__all__ = [
    "FORMAT",
    "OTHER_HOSTS",
    "SECOND_BITS",
    "UNKNOWN_HOST",
    "HostRow",
    "LatencyRow",
    "Run",
    "TimelineRow",
    "append_latency",
    "append_timeline",
    "create_run",
    "is_failure",
    "is_known_format",
    "make_folder",
    "percentiles",
    "read_meta",
    "read_run",
    "update_meta",
    "write_hosts",
    "write_latency",
    "write_timeline",
]

META, HOSTS, TIMELINE, LATENCY = "run.json", "hostnames.csv", "timeline.csv", "latency.csv"

FORMAT = 2
"""Of the files of a run and of a study; it rises when one can no longer be read as it was. A file without is of 1.

2: run.json has `unfinished`; `rate` and `payload_bytes` of its settings are numbers, text in 1; failures of
hostnames.csv are requests without an answer or with a status from 400, in 1 those that Locust called failures.
"""

_LARGEST = 2**53  # of a number in the files: beyond it floating-point numbers are not exact


class HostRow(NamedTuple):
    """What one host got; latencies in ms, times in seconds since the Unix epoch, `share` of all requests (0 to 1)."""

    hostname: str
    availability_zone: str
    requests: int
    failures: int
    share: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    first_seen: float
    last_seen: float


class TimelineRow(NamedTuple):
    """Requests that ended in one second (since the Unix epoch) at one host with one status (0: no answer)."""

    second: int
    hostname: str
    status: int
    requests: int


@dataclass(frozen=True, slots=True)
class Run:
    """A run as its folder has it; rows of the timeline and of the latencies are added up and sorted."""

    path: Path
    meta: Mapping[str, Any]
    hosts: tuple[HostRow, ...]
    timeline: tuple[TimelineRow, ...]
    latency: tuple[LatencyRow, ...] = ()


def create_run(path: Path | None = None, root: Path = Path("results")) -> Path:
    """Make the folder of a run and the beginnings of its files.

    Without `path` it is `root`/<UTC time>, with -2, -3, ... where that is taken. A `path` that already holds a run is
    refused. Raises ResultsUnwritable.
    """
    if path is None:
        path = make_folder(root)
    else:
        with _writing(path):
            taken = [name for name in (HOSTS, TIMELINE) if (path / name).exists()]
        for name in taken:
            raise ResultsUnwritable(f"{path} already holds a run ({name}); name another folder with --results-dir.")
        with _writing(path):
            path.mkdir(parents=True, exist_ok=True)
    update_meta(path, {"format": FORMAT, "complete": False})
    write_hosts(path, [])
    write_timeline(path, [])
    write_latency(path, [])
    return path


def make_folder(root: Path, name: str = "", option: str = "--results-dir") -> Path:
    """A new folder under `root`: <UTC time>, with -`name` if there is one, and with -2, -3, ... where that is taken.

    `option` is the one that names another root. Raises ResultsUnwritable, also where nothing can be written into it.
    """
    stem = "-".join(filter(None, (time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()), name)))
    number = 1
    with _writing(root, option):
        root.mkdir(parents=True, exist_ok=True)
        while True:
            path = root / (stem if number == 1 else f"{stem}-{number}")
            try:
                path.mkdir()
            except FileExistsError:
                number += 1
            else:
                (path / "probe").write_bytes(b"\n")  # a full disk makes folders, but writes nothing
                (path / "probe").unlink()
                return path


def update_meta(path: Path, values: Mapping[str, Any]) -> None:
    """Set `values` in run.json and keep every other key, whoever wrote it.

    Raises ResultsUnwritable and, where run.json is not JSON, ResultsMalformed.
    """
    meta = {**(read_meta(path) if (path / META).exists() else {}), **values}
    _replace(path / META, json.dumps(meta, indent=2) + "\n")


def write_hosts(path: Path, rows: Iterable[HostRow | GroupRow]) -> None:
    """Write hostnames.csv. Raises ResultsUnwritable."""
    _replace(path / HOSTS, groups_csv(rows, *HostRow._fields[:2]))


def write_timeline(path: Path, rows: Iterable[TimelineRow]) -> None:
    """Write timeline.csv anew. Raises ResultsUnwritable."""
    _replace(path / TIMELINE, csv_of([TimelineRow._fields, *_seconds(rows)]))


def write_latency(path: Path, rows: Iterable[LatencyRow]) -> None:
    """Write latency.csv. Raises ResultsUnwritable."""
    _replace(path / LATENCY, csv_of([LatencyRow._fields, *rows]))


def append_timeline(path: Path, rows: Iterable[TimelineRow]) -> None:
    """Add rows to timeline.csv. Raises ResultsUnwritable."""
    _append(path / TIMELINE, csv_of(_seconds(rows)))


def append_latency(path: Path, rows: Iterable[LatencyRow]) -> None:
    """Add rows to latency.csv. Raises ResultsUnwritable."""
    _append(path / LATENCY, csv_of(rows))


def read_run(path: Path | str) -> Run:
    """Read the folder of a run, complete or still going on.

    Raises ResultsMalformed with file and line, for a format that is not known, and where the files of a run that came
    to its end do not have the same number of requests.
    """
    path = Path(path)
    hosts = _read_rows(path / HOSTS, HostRow)
    meta = read_meta(path)
    timeline: Counter[tuple[int, str, int]] = Counter()
    for row in _read_rows(path / TIMELINE, TimelineRow):
        timeline[row.second, row.hostname, row.status] += row.requests
    latency: Counter[tuple[int, int]] = Counter()
    for timed in _read_rows(path / LATENCY, LatencyRow) if (path / LATENCY).exists() else ():
        latency[timed.second, timed.latency_us] += timed.requests
    _require_agreement(path, meta, hosts, timeline.total())
    return Run(
        path,
        meta,
        tuple(hosts),
        tuple(TimelineRow(*key, requests) for key, requests in sorted(timeline.items())),
        tuple(LatencyRow(*key, requests) for key, requests in sorted(latency.items())),
    )


def is_known_format(value: object) -> bool:
    """Whether files of this format, as their JSON has it, can be read."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= FORMAT


def _require_agreement(path: Path, meta: Mapping[str, Any], hosts: Iterable[HostRow], in_timeline: int) -> None:
    """Refuse files that were cut off or changed; those of a run that goes on are written one after the other."""
    if not meta.get("complete", False) and "requests" not in meta:
        return
    in_hosts = sum(host.requests for host in hosts)
    total = meta.get("requests", in_hosts)
    for name, requests in ((TIMELINE, in_timeline), (HOSTS, in_hosts)):
        if requests != total:
            says = META if "requests" in meta else HOSTS
            raise ResultsMalformed(
                f"{path / name} has {requests:,} requests where {says} has {total:,}: a file was cut off or changed; "
                "copy the folder anew from where it was made, or run it again."
            )


def read_meta(path: Path) -> dict[str, Any]:
    """What run.json has. Raises ResultsMalformed, for a format that is not known too."""
    text = _read(path / META)
    try:
        meta = json.loads(text)
    except json.JSONDecodeError as error:
        raise ResultsMalformed(f"{path / META}, line {error.lineno}: not JSON ({error.msg}).") from None
    except (ValueError, RecursionError):  # a number of thousands of digits, or thousands of brackets
        raise ResultsMalformed(f"{path / META}: a number too long or JSON nested too deeply to be read.") from None
    if not isinstance(meta, dict):
        raise ResultsMalformed(f"{path / META}, line 1: a JSON object is needed.")
    if not is_known_format(meta.get("format", FORMAT)):
        raise ResultsMalformed(
            f"{path / META} is of format {repr(meta['format'])[:40]}, and this version reads {FORMAT} at most: read it "
            "with the version that wrote it, or a newer one."
        )
    if "requests" in meta and not (isinstance(meta["requests"], int) and 0 <= meta["requests"] <= _LARGEST):
        raise ResultsMalformed(f"{path / META}: requests must be a whole number, not {str(meta['requests'])[:40]!r}.")
    return meta


Row = TypeVar("Row", HostRow, TimelineRow, LatencyRow)


def _whole(cell: str) -> int:
    if not 0 <= (number := int(cell)) <= _LARGEST:
        raise ValueError
    return number


def _finite(cell: str) -> float:
    if not math.isfinite(number := float(cell)):
        raise ValueError
    return number


_PARSERS: Mapping[type, tuple[Callable[[str], object], str]] = {
    str: (str, "text"),
    int: (_whole, f"a whole number of 0 to {_LARGEST:,}"),
    float: (_finite, "a number"),
}


def _read_rows(file: Path, row_type: type[Row]) -> list[Row]:
    text = _read(file)
    # A run that was killed in the middle of a write leaves a last line without an end.
    try:
        lines = list(csv.reader(text[: text.rfind("\n") + 1].splitlines()))
    except csv.Error as error:
        raise ResultsMalformed(f"{file}: not CSV as Locust's run writes it ({error}).") from None
    types: dict[str, type] = get_type_hints(row_type)
    names = [*types]
    if not lines or lines[0] != names:
        raise ResultsMalformed(f"{file}, line 1: the header must be {','.join(names)}.")
    rows = []
    for number, cells in enumerate(lines[1:], start=2):
        if len(cells) != len(names):
            raise ResultsMalformed(f"{file}, line {number}: {len(names)} columns are needed, there are {len(cells)}.")
        values = []
        for (name, of), value in zip(types.items(), cells, strict=True):
            parse, what = _PARSERS[of]
            try:
                values.append(parse(value))
            except ValueError:
                raise ResultsMalformed(f"{file}, line {number}: {name} must be {what}, not {value[:40]!r}.") from None
        rows.append(row_type._make(values))
    return rows


def _read(file: Path) -> str:
    if file.exists() and not file.is_file():  # to read a pipe is to wait for a writer
        raise ResultsMalformed(f"{file} is no file: give the folder that `lab run` or Locust wrote.")
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ResultsMalformed(f"{file} cannot be read ({_reason(error)}); is it the folder of a run?") from None
    except UnicodeDecodeError:
        raise ResultsMalformed(f"{file}, line 1: not UTF-8 text.") from None


def _seconds(rows: Iterable[TimelineRow]) -> Iterable[TimelineRow]:
    return (row._replace(hostname=cell(row.hostname)) for row in rows)


def _append(file: Path, text: str) -> None:
    content = text.encode()
    # One write of whole lines: a reader never sees half a row of it, and where it does not fit, nothing of it stays.
    # Nor is a file made that someone removed: it would lack its header, and what was in it.
    with _writing(file), open(file, "r+b", buffering=0) as stream:
        size = stream.seek(0, os.SEEK_END)
        if stream.write(content) < len(content):
            stream.truncate(size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _replace(file: Path, text: str) -> None:
    with _writing(file):
        replace_file(file, text)


@contextmanager
def _writing(path: Path, option: str = "--results-dir") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResultsUnwritable(
            f"The results cannot be written to {path} ({_reason(error)}); free some space or name another folder "
            f"with {option}."
        ) from None


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
