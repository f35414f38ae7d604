"""Where reports go: what fails unexpectedly, in any part of the process, and what the twin warns of.

Each part uses `twin.events.report`, or simply Python's logging; asyncio and threads report what nobody catches the same
way. `reporting` writes all of it to the event log, with its traceback, and in one line to stderr.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence

from twin.events import report
from twin.machine.printable import printable

__all__ = ["Accident", "reporting"]

_REPEATED_AFTER = 60.0  # seconds in which the same is reported once
_ACCIDENTS = "twin.accidents"  # the logger of `twin.events.accident`

Accident = Mapping[str, object]  # `at`, seconds since the Unix epoch, and `what`
Log = Callable[..., None]


@contextlib.contextmanager
def reporting(log: Log) -> Iterator[Sequence[Accident]]:
    """Within it all warnings and errors of this process go to *log* and to stderr.

    Its value: the last 1,000 accidents, errors among them.

    Args:
        log: called as `log("twin", step="failed", "warning" or "news", message=..., error=..., traceback=...)`, and of
            an accident as `log("accident", what=...)`.
    """
    handler, hook = _Reports(log), threading.excepthook
    logging.getLogger().addHandler(handler)
    threading.excepthook = _of_thread
    try:
        yield handler.accidents
    finally:
        threading.excepthook = hook
        logging.getLogger().removeHandler(handler)


class _Reports(logging.Handler):
    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log
        self.accidents: deque[Accident] = deque(maxlen=1_000)
        self._reported: dict[str, float] = {}  # when, on the monotonic clock, by what was said

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == _ACCIDENTS or record.levelno >= logging.ERROR:
            what = record.getMessage().partition("\n")[0]
            self.accidents.append({"at": round(record.created, 3), "what": what})
        if record.name == _ACCIDENTS:
            with contextlib.suppress(Exception):
                self._log("accident", what=what)
            return
        error = record.exc_info[1] if record.exc_info else None
        message = record.getMessage().partition("\n")[0]
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            message, error = f"{message}: {error.strerror}. Raise the limit with `ulimit -n` and start anew.", None
        details = {"message": message}
        if error is not None:
            details["error"] = f"{type(error).__name__}: {error}"
            message += f" ({details['error']})"
        now = time.monotonic()
        self._reported = {said: at for said, at in self._reported.items() if now - at < _REPEATED_AFTER}
        is_news = getattr(record, "news", False)
        if message in self._reported and not getattr(record, "each_time", False):
            return
        self._reported[message] = now
        if error is not None:
            details["traceback"] = "".join(traceback.format_exception(error))
            message += "; its traceback is in the event log"
        step = "news" if is_news else "failed" if record.levelno >= logging.ERROR else "warning"
        with contextlib.suppress(Exception):  # a full disk: it may be what has failed
            self._log("twin", step=step, **details)
        if getattr(record, "answered", False):
            return
        with contextlib.suppress(OSError, ValueError):  # nobody reads, or it is closed
            print(f"twin: {printable(message)}", file=sys.stderr, flush=True)


def _of_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        report(f"thread {args.thread.name if args.thread else ''}", args.exc_value)
