"""What `twin events` prints: the event log, a line for each event."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from twin.errors import NotUp
from twin.machine.printable import printable
from twin.machine.state import StateFolder

__all__ = ["in_words", "print_events"]

_POLL = 0.2  # seconds between looks whether the log has grown


def print_events(folder: StateFolder, *, follow: bool) -> None:
    """Print the events of the twin on *folder*; of one that has gone too. *follow*: and those to come, until it goes.

    Raises:
        NotUp: no twin has run there.
    """
    log = folder.path / "events.jsonl"
    if follow:
        with contextlib.suppress(NotUp):
            folder.running(may_begin=True)
    if not log.is_file():
        raise NotUp(f"No twin has run on {folder.path}: start one with `twin up`.")
    with contextlib.suppress(KeyboardInterrupt):
        for line in _lines(log, lambda: follow and not folder.wait_until_free(0)):
            print(_shown(line), flush=True)
        if follow:
            print("The twin has gone down.")


def _lines(log: Path, goes_on: Callable[[], bool]) -> Iterator[str]:
    """The whole lines of *log* and of what was before it, and on as it grows, for as long as it *goes_on*."""
    before = log.with_name(f"{log.name}.1")
    if before.is_file():
        with _opened(before) as file:
            yield from file
    file, kept = _opened(log), ""
    try:
        while True:
            ends = not goes_on()  # asked before it is read: what was written until then is there
            follows = _replaced(log, file.fileno())
            for part in file:
                kept += part
                if kept.endswith("\n"):
                    yield kept
                    kept = ""
            if follows:
                file.close()
                file, kept = _opened(log), ""
            elif ends:
                return
            else:
                time.sleep(_POLL)
    finally:
        file.close()


def _opened(log: Path) -> TextIO:
    return log.open(encoding="utf-8", errors="backslashreplace")


def _replaced(log: Path, descriptor: int) -> bool:
    """Whether *log* is another file by now than the one that *descriptor* has open."""
    with contextlib.suppress(FileNotFoundError):  # between the old one and the new
        return not os.path.samestat(log.stat(), os.fstat(descriptor))
    return False


def _shown(line: str) -> str:
    """A line of the log in words, or as it is where it is none that a twin has written."""
    try:
        words = in_words(json.loads(line))
    except (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError):
        words = line.rstrip("\n")
    return printable(words)


def in_words(event: Mapping[str, Any]) -> str:
    """Such as `14:03:22.117  task 1b01eae17ba3  registered  address 127.92.1.3:8080`, in local time."""
    at = float(event["time"])
    left = {name: value for name, value in event.items() if name not in ("time", "kind") and value not in (None, "")}
    who = f"task {left.pop('task')[:12]}" if event["kind"] == "task" else event["kind"]
    happened = [str(left.pop(name)) for name in ("step", "what") if name in left]
    details = [f"{name.replace('_', ' ')} {_value(value)}" for name, value in left.items()]
    clock = time.strftime("%H:%M:%S", time.localtime(at))
    return "  ".join([f"{clock}.{int(at % 1 * 1000):03d}", who, *happened, *details])


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value).rstrip().rpartition("\n")[2]  # of a traceback the error
