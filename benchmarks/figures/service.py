"""`app/`: its requests against those of an application that does nothing, and on other servers."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.client import requests_per_second
from benchmarks.figure import Figure, Goal, measure
from benchmarks.processes import application, cpu, served
from benchmarks.servers import SERVERS, missing
from twin.machine.addresses import Address, free_port

TURN = 1.0  # seconds of the processor, of which Linux counts hundredths
PART = 0.5  # seconds of the clock
TURNS = 10


def service() -> Iterator[Figure]:
    """All servers stand side by side, and the same 16 connections go to each in turn.

    Requests per second of the processor that the server had: one process fills one core, whatever the client leaves.
    """
    with contextlib.ExitStack() as stack:
        command, url, environment = application(Address("127.0.0.1", free_port()))
        variants = {"app": _rate(stack.enter_context(served(command, url, environment)), url)}
        for name in SERVERS:
            if not missing(name):
                port = free_port()
                url = f"http://127.0.0.1:{port}/hostname"
                pid = stack.enter_context(served([sys.executable, "-m", "benchmarks.servers", name, str(port)], url))
                variants[name] = _rate(pid, url)
        found = measure(variants, turns=TURNS)
    against = {
        "bare": ("a bare ASGI callable on the same hypercorn", Goal("ratio", 0.95)),
        "uvicorn": ("the same on uvicorn (h11, asyncio)", None),
        "granian": ("the same on granian", None),
    }
    for name in SERVERS:
        if name in found:
            what, goal = against[name]
            ours, theirs = tuple(found["app"]), tuple(found[name])
            yield Figure(f"service-{name}", "`app/`", what, "requests/s of a core", "more", ours, theirs, goal)


def _rate(pid: int, url: str) -> Callable[[], float]:
    return partial(_requests_of_a_core, pid, url)


def _requests_of_a_core(pid: int, url: str) -> float:
    before, requests = cpu(pid), 0.0
    while (used := cpu(pid) - before) < TURN:
        requests += requests_per_second(url, PART) * PART
    return requests / used
