"""What goes on when something in it fails that nobody expected: such a failure is told, and ends nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import traceback
from collections.abc import Awaitable, Callable

__all__ = ["kept", "tell"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds before work that failed begins again; doubled each time
_RECOVERED_AFTER = 60.0  # seconds: what has worked for so long begins with the first pause again

Log = Callable[..., None]


async def kept(name: str, work: Callable[[], Awaitable[None]], log: Log) -> None:
    """Do *work*, and begin it again whenever it fails, until it returns or is cancelled.

    Args:
        name: for messages.
        log: told each failure, as `log("twin", step="failed", part=name, error=..., traceback=...)`.
    """
    clock = asyncio.get_running_loop().time
    pause = _FIRST_PAUSE
    while True:
        began = clock()
        try:
            return await work()
        except Exception as error:
            tell(error, log, "twin", part=name)
        if clock() - began > _RECOVERED_AFTER:
            pause = _FIRST_PAUSE
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def tell(error: Exception, log: Log, kind: str, **details: object) -> None:
    """Tell of a failure that nobody expected, with its traceback: in the event log, and on stderr."""
    text = "".join(traceback.format_exception(error))
    with contextlib.suppress(OSError):  # a full disk, or nobody who reads: it may be what has failed
        log(kind, step="failed", **details, error=f"{type(error).__name__}: {error}", traceback=text)
    with contextlib.suppress(OSError):
        print(f"twin: {' '.join(map(str, details.values()))} failed:\n{text}", file=sys.stderr, end="", flush=True)
