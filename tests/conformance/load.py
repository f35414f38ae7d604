"""Requests while something changes: what each was answered with."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.conformance.caller import Caller

__all__ = ["hostnames", "load"]

_PAUSE = 0.05  # seconds between two requests of a client


@contextmanager
def load(url: str, auth: Caller = None, clients: int = 4) -> Iterator[Counter[str]]:
    """GET *url* again and again with so many clients at a time; the answers by status, complete once it has ended."""
    answers: Counter[str] = Counter()
    over = threading.Event()

    def ask() -> None:
        with httpx.Client(timeout=40, auth=auth) as client:
            while not over.wait(_PAUSE):
                try:
                    answers[str(client.get(url).status_code)] += 1
                except httpx.HTTPError as error:
                    answers[type(error).__name__] += 1

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        over.set()
        for thread in threads:
            thread.join()


def hostnames(url: str, expected: int, auth: Caller = None, most: int = 2000) -> set[str]:
    """The hosts that answer *url*, asked until there are *expected* of them, at most so often."""
    found: set[str] = set()
    with httpx.Client(timeout=40, auth=auth) as client:
        for _ in range(most):
            answer = client.get(url)
            answer.raise_for_status()
            found.add(answer.text.strip())
            if len(found) >= expected:
                break
    return found
