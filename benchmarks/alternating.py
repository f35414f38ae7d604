"""A locustfile that takes the plugin out of the run and puts it back, by turns, and writes down what each turn gave.

Both sides have the same process, the same connections and the same neighbours on the machine. What the plugin writes
once a second is timed by itself. The file `slices.json` has, for `with` and `without`, [requests, seconds of the clock,
seconds of the processors] of each turn, and `written`, seconds of the processors for the files.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import gevent
from locust import events

from load.groups.plugin import groups_of
from locustfile import HostnameUser

__all__ = ["HostnameUser"]

TURN = 0.1  # seconds
slices: dict[str, list[list[float]]] = {"with": [], "without": []}
written = 0.0


def alternate(environment: Any) -> None:
    """Until the run ends."""
    groups = groups_of(environment)
    on_request, write = groups._on_request, groups._write

    def timed(before: Any) -> None:
        global written
        began = time.process_time()
        write(before)
        written += time.process_time() - began

    def now() -> tuple[float, float, float]:
        return environment.stats.total.num_requests, time.perf_counter(), time.process_time() - written

    def turn(side: str) -> None:
        before = now()
        gevent.sleep(TURN)
        _ = groups.counts  # what this turn noted is counted in it
        taken = [after - earlier for after, earlier in zip(now(), before, strict=True)]
        slices[side].append(taken)

    groups._write = timed  # type: ignore[method-assign]
    while True:
        turn("with")
        environment.events.request.remove_listener(on_request)
        turn("without")
        turn("without")
        environment.events.request.add_listener(on_request)
        turn("with")


here: list[Any] = []
events.init.add_listener(lambda environment, **_: here.append(environment))
events.spawning_complete.add_listener(lambda **_: gevent.spawn(alternate, here[0]))
events.test_stop.add_listener(lambda **_: Path("slices.json").write_text(json.dumps({**slices, "written": written})))
