"""Work in pieces, and how much of the processor it took."""

from __future__ import annotations

import time

import gevent
import pytest

from load.groups import pacing
from load.groups.pacing import Pacing


def work(seconds: float) -> None:
    """Keep the processor for so long."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_time_in_which_the_process_does_not_run_is_not_that_of_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "_PIECE", 0.0)
    paced = Pacing()
    others = gevent.spawn(work, 0.2)  # they run in the pause
    time.sleep(0.2)
    work(0.01)
    paced()
    work(0.01)
    assert others.ready()
    assert 0.02 <= paced.spent < 0.1
