"""Long work in short pieces: users of a local run share the process, and wait for what goes on in it."""

from __future__ import annotations

import time

import gevent

__all__ = ["Pacing"]

_PIECE = 0.002  # seconds


class Pacing:
    """Called between two steps of some work, it lets others run where the work went on for two milliseconds."""

    def __init__(self) -> None:
        self._spent = 0.0
        self._began = time.perf_counter()

    def __call__(self) -> None:
        """One step is done."""
        now = time.perf_counter()
        if now - self._began >= _PIECE:
            self._spent += now - self._began
            gevent.sleep(0)
            self._began = time.perf_counter()

    @property
    def spent(self) -> float:
        """The seconds of the work so far, without those of others."""
        return self._spent + time.perf_counter() - self._began
