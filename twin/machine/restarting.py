"""Work that goes on for as long as the twin does: what fails is reported, and begins again."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

from twin.events import accident, report

__all__ = ["beside", "kept", "watch_clock"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds before work that failed begins again; doubled each time
_RECOVERED_AFTER = 60.0  # seconds: what has worked for so long begins with the first pause again
_BEAT, _STOOD_STILL = 0.5, 2.0  # seconds


@contextlib.asynccontextmanager
async def beside() -> AsyncIterator[Callable[[Coroutine[Any, Any, None]], None]]:
    """Its value begins work that goes on beside, and is cancelled in the end; what it raises ends what is within."""
    async with asyncio.TaskGroup() as group:
        begun: list[asyncio.Task[None]] = []
        try:
            yield lambda work: begun.append(group.create_task(work))
        finally:
            for task in begun:
                task.cancel()


async def kept(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Do *work*, and begin it again whenever it fails, until it returns or is cancelled; *name* is for messages."""
    clock = asyncio.get_running_loop().time
    pause = _FIRST_PAUSE
    while True:
        began = clock()
        try:
            return await work()
        except Exception as error:
            report(name, error)
        if clock() - began > _RECOVERED_AFTER:
            pause = _FIRST_PAUSE
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


async def watch_clock() -> None:
    """Report each time in which the whole twin stood still (stopped, or on a machine that slept or is overloaded)."""
    while True:
        before = time.monotonic()
        await asyncio.sleep(_BEAT)
        late = time.monotonic() - before - _BEAT
        if late > _STOOD_STILL:
            accident(f"the twin stood still for {late:.1f} s")
