"""Issuers that answer, that do not, and that are silent; time is the test's own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

from twin.front.http_api.issuer import NoKeys
from twin.front.http_api.keys import IssuerKeys


class Days:
    """A sleep that takes no time, but for the last: it does not end."""

    def __init__(self, naps: int) -> None:
        self.slept: list[float] = []
        self.over = asyncio.Event()
        self._naps = naps

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if len(self.slept) >= self._naps:
            self.over.set()
            await asyncio.Event().wait()


async def nothing() -> None:
    return


def kept(fetch: Callable[[str], str], naps: int) -> tuple[list[float], str | None, list[Any]]:
    """Of one issuer: how long was slept, the keys in the end, and what was told."""

    async def keep() -> tuple[list[float], str | None, list[Any]]:
        told: list[Any] = []
        days = Days(naps)
        keys = IssuerKeys(fetch, changed=nothing, log=lambda kind, **more: told.append(more), sleep=days.sleep)
        keys.want({"shop"})
        await days.over.wait()
        return days.slept, keys.of("shop"), told

    return asyncio.run(keep())


def test_an_issuer_without_keys_is_asked_less_and_less_often() -> None:
    def fetch(issuer: str) -> str:
        raise NoKeys("none")

    slept, keys, told = kept(fetch, 8)
    assert slept == [1, 2, 4, 8, 16, 30, 30, 30]
    assert keys is None
    assert told[1] == {"step": "no keys for JWT", "reason": "none", "again_in": 2}


def test_old_keys_stay_until_there_are_new() -> None:
    answers: Iterator[str | Exception] = iter(["old", RuntimeError(), NoKeys("none"), "new", NoKeys("none")])

    def fetch(issuer: str) -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    slept, keys, told = kept(fetch, 5)
    assert slept == [7200, 1, 2, 7200, 1]
    assert keys == "new"
    assert [line["reason"] for line in told] == ["RuntimeError", "none", "none"]


def test_silent_issuers_hold_up_no_other() -> None:
    speak = threading.Event()

    def fetch(issuer: str) -> str:
        if issuer.startswith("silent"):
            speak.wait()
        return issuer

    async def ask() -> None:
        came: asyncio.Queue[None] = asyncio.Queue()
        keys = IssuerKeys(fetch, changed=lambda: came.put(None), log=print)
        silent = {f"silent {n}" for n in range(3)}
        keys.want(silent | {"shop"})
        await asyncio.wait_for(came.get(), 10)
        assert (keys.of("shop"), keys.of("silent 0")) == ("shop", None)
        keys.want(silent)
        assert keys.of("shop") is None
        speak.set()
        await asyncio.wait_for(keys.asked(), 10)
        assert keys.of("silent 0") == "silent 0"

    try:
        asyncio.run(ask())
    finally:
        speak.set()
