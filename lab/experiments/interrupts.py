"""Ctrl-C and SIGTERM: both end a run in order, and neither comes between a deed and its record."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

__all__ = ["Terminated", "raise_on_sigterm", "uninterrupted"]


class Terminated(KeyboardInterrupt):
    """SIGTERM, which came to this process alone; a terminal's Ctrl-C reaches those that it started too."""


def raise_on_sigterm() -> None:
    """Let SIGTERM raise Terminated in the main thread, as SIGINT raises KeyboardInterrupt."""

    def terminate(number: int, frame: FrameType | None) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, terminate)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold back SIGINT and SIGTERM until the end of the block; the first that came is raised there."""
    held: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, frame: held.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if held:
            signal.raise_signal(held[0])
