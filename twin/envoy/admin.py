"""Envoy's admin interface (https://www.envoyproxy.io/docs/envoy/latest/operations/admin), without threads.

An Envoy that stands still holds up whoever asks it, for at most `_TIMEOUT` seconds, and nobody else.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, cast

from twin.errors import StartFailed
from twin.events import accident, news
from twin.machine.process import Process

__all__ = ["Admin"]

_POLL = 0.005  # seconds
_TIMEOUT = 5.0  # seconds for an answer
_READY_WITHIN = 10.0  # seconds
_EVERY, _AGAIN = 5.0, 1.0  # seconds between two looks whether it answers, and after one at which it did not
# Looks in a row without an answer: on a busy machine an Envoy is late, and one that hangs is late for ever.
_TOLD, _KILLED = 2, 6

_logger = logging.getLogger("twin")


class Admin:
    """The admin interface of one Envoy process, whose address is known once Envoy has written it to a file."""

    def __init__(self, process: Process, address_file: Path) -> None:
        self._process = process
        self._address_file = address_file
        self._address = ""
        self.trouble: str | None = None
        """What is wrong while it does not answer, in a sentence."""

    async def exited(self, *, kill: bool, excused: Callable[[], bool] = lambda: False) -> int:
        """Wait until it has exited; its code. Meanwhile it is told if it hangs.

        Args:
            kill: whether it is killed then, so that who waits can start another.
            excused: whether it hangs on purpose.
        """
        watching = asyncio.get_running_loop().create_task(self._watch(kill, excused))
        try:
            return await self._process.wait()
        finally:
            watching.cancel()
            self.trouble = None

    async def _watch(self, kill: bool, excused: Callable[[], bool]) -> None:
        missed = 0
        while True:
            await asyncio.sleep(_AGAIN if missed else _EVERY)
            status, _ = await self.request("GET", "/ready")
            missed = 0 if status or excused() else missed + 1
            if not missed and self.trouble is not None:
                self.trouble = None
                news(f"{self._process.name} answers again", each_time=False)
            if missed == _TOLD:
                then = "it is killed and started anew if it goes on" if kill else "its requests wait"
                self.trouble = f"{self._process.name} (pid {self._process.pid}) runs and does not answer: {then}"
                accident(self.trouble)
                _logger.warning("%s", self.trouble)
            if missed >= _KILLED and kill:
                self._process.kill_group()

    async def ready(self) -> None:
        """Wait until Envoy serves.

        Raises:
            StartFailed: it has exited, or does not serve in time.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_READY_WITHIN):
                while self._process.returncode is None:
                    if await self.request("GET", "/ready") == (200, b"LIVE\n"):
                        return
                    await asyncio.sleep(_POLL)
        state = f"exited with {code}" if (code := self._process.returncode) is not None else "does not become ready"
        raise StartFailed(f"{self._process.name} {state}: see {self._process.log}")

    async def post(self, path: str) -> bool:
        """Give an order; whether Envoy took it."""
        status, _ = await self.request("POST", path)
        return status == 200

    async def json(self, path: str) -> dict[str, Any]:
        """What Envoy answers at *path*; empty if it does not answer."""
        return dict(json.loads(await self.text(path) or "{}"))

    async def text(self, path: str) -> str:
        """What Envoy answers at *path*; empty if it does not answer."""
        status, body = await self.request("GET", path)
        return body.decode() if status == 200 else ""

    async def request(self, method: str, path: str) -> tuple[int, bytes]:
        """Status and body; status 0 if there was no answer."""
        # No address yet; nobody listens, or no longer; no answer in time, or not a whole one.
        with contextlib.suppress(OSError, ValueError, HTTPException):
            async with asyncio.timeout(_TIMEOUT):
                self._address = self._address or self._address_file.read_text()
                reader, writer = await _connect(self._address)
                with contextlib.closing(writer):
                    writer.write(f"{method} {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n".encode())
                    received = await reader.read()
                answer = HTTPResponse(cast(Any, _Received(received)), method=method)
                answer.begin()
                return answer.status, answer.read()
        return 0, b""


async def _connect(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """*address* as Envoy writes it: `@NAME` of an abstract socket, or HOST:PORT."""
    if address.startswith("@"):
        return await asyncio.open_unix_connection("\0" + address.removeprefix("@"))
    host, port = address.rsplit(":", 1)
    return await asyncio.open_connection(host, port)


class _Received:
    """What was read from a socket, in its place: http.client parses the answer."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._content)
