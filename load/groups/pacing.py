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
        self._resume()

    def _resume(self) -> None:
        self._began, self._used = time.perf_counter(), time.thread_time()

    def __call__(self) -> None:
        """One step is done."""
        if time.perf_counter() - self._began >= _PIECE:
            self._spent = self.spent
            gevent.sleep(0)
            self._resume()

    @property
    def spent(self) -> float:
        """Seconds of the processor that the work took so far: while others have it, none."""
        return self._spent + time.thread_time() - self._used
