"""A locustfile that takes the plugin out of the run and puts it back, by turns, and writes down what each turn gave.

Both sides have the same process, the same connections and the same neighbours on the machine. What the plugin does
once a second is timed by itself. The file `slices.json` has, for `with` and `without`, [requests, seconds of the clock,
seconds of the processors] of each turn. Of all of the run it has seconds of the processors: `counted` for the requests
that were noted in turns with it, and `written` for the files.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from locust import events

from load.groups.plugin import groups_of
from locustfile import HostnameUser

__all__ = ["HostnameUser"]

TURN = 0.1  # seconds
slices: dict[str, list[list[float]]] = {"with": [], "without": []}
apart = {"counted": 0.0, "written": 0.0}


def alternate(environment: Any) -> None:
    """Until the run ends."""
    groups = groups_of(environment)
    on_request = groups._on_request

    def timed(name: str, function: Callable[..., None]) -> Callable[..., None]:
        def called(*arguments: Any) -> None:
            before, began = sum(apart.values()), time.process_time()
            function(*arguments)
            # but what was timed meanwhile: who writes counts first
            apart[name] += time.process_time() - began - (sum(apart.values()) - before)

        return called

    def now() -> tuple[float, float, float]:
        done = time.process_time() - sum(apart.values())
        return environment.stats.total.num_requests, time.perf_counter(), done

    def turn(side: str) -> None:
        before = now()
        gevent.sleep(TURN)
        slices[side].append([after - earlier for after, earlier in zip(now(), before, strict=True)])

    groups._count = timed("counted", groups._count)  # type: ignore[method-assign]
    groups._write = timed("written", groups._write)  # type: ignore[method-assign]
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
events.test_stop.add_listener(lambda **_: Path("slices.json").write_text(json.dumps({**slices, **apart})))
