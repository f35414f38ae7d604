"""Logs of a twin that runs for weeks: one that has grown too large begins anew, and its last content stays beside it.

The name gets `.1`; what had that name goes. Of an access log, which Envoy opens anew, no line is lost. Processes write
to the others for as long as they live, so they are copied and emptied: what is written in that moment may be lost.
Regular files alone are logs: no link is followed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import stat
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path

from twin.machine.files import replacing

__all__ = ["LARGEST", "empty", "move", "rotating"]

LARGEST = 10_000_000  # bytes
_POLL = 10.0  # seconds


def move(path: Path) -> bool:
    """Rename *path* if it is too large; whether it was. Who writes to it has to open it anew."""
    if not _is_larger(path):
        return False
    os.replace(path, path.with_name(f"{path.name}.1"))
    return True


def empty(path: Path) -> None:
    """Copy *path* and empty it, if it is too large. Who writes to it must append."""
    if _is_larger(path):
        with open(os.open(path, os.O_RDWR | os.O_NOFOLLOW), "r+b") as log:
            with replacing(path.with_name(f"{path.name}.1")) as before:
                shutil.copyfileobj(log, before)
            log.truncate(0)


async def rotating(folder: Path, reopened: Collection[Callable[[], Awaitable[None]]], *, poll: float = _POLL) -> None:
    """Look after all logs under *folder*, until cancelled.

    Args:
        reopened: each moves the logs that it has opened anew.
    """
    while True:
        for each in reopened:
            await each()
        for path in await asyncio.to_thread(lambda: list(folder.rglob("*.log"))):
            if path.name != "access.log":
                with contextlib.suppress(FileNotFoundError):  # its task has been forgotten
                    empty(path)
        await asyncio.sleep(poll)


def _is_larger(path: Path) -> bool:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size > LARGEST
