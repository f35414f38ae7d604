"""A load that counts every request: connections kept open, each with one request at a time."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Load:
    """Requests until it is stopped, from a thread of its own.

    Attributes:
        pause: seconds from an answer to the next request of its connection, so that a test which needs no more leaves
            the machine to others.
        answers: how often each (status, host name) came; status 0: no answer.
        failures: what is known of the answers that were not 200.
        spans: when each request began and ended, and whether its answer was 200.
    """

    url: str
    connections: int
    pause: float = 0.0
    path: str = "/hostname"
    answers: Counter[tuple[int, str]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    spans: list[tuple[float, float, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def requests(self) -> int:
        return self.answers.total()

    async def _run(self) -> None:
        await asyncio.gather(*(self._send() for _ in range(self.connections)))

    async def _send(self) -> None:
        request = f"GET {self.path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()
        reader, writer = await self._connect()
        while not self._stop.is_set():
            await asyncio.sleep(self.pause)
            begun = time.time()
            try:
                writer.write(request)
                status, headers = await _answer(reader)
            except (OSError, asyncio.IncompleteReadError) as error:
                status, headers = 0, {"error": repr(error), "connection": "close"}
            self.answers[status, headers.get("x-hostname", "")] += 1
            self.spans.append((begun, time.time(), status == 200))
            if status != 200:
                self.failures.append(f"{status} {headers}")
            if headers.get("connection") == "close":
                await _close(writer)
                reader, writer = await self._connect()
        await _close(writer)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection; while nobody listens it is tried again, for it is no request."""
        address = urlsplit(self.url)
        while True:
            try:
                return await asyncio.open_connection(address.hostname, address.port)
            except OSError:
                if self._stop.is_set():
                    raise
                await asyncio.sleep(0.05)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):  # the other side may have closed first
        await writer.wait_closed()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines if line)
    await reader.readexactly(int(headers["content-length"]))
    return int(first.split()[1]), headers
