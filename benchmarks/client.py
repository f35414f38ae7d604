"""An HTTP client that takes less of a processor than what it measures: kept connections, each with one request."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

__all__ = ["Failed", "requests_per_second"]

CONNECTIONS = 16


class Failed(Exception):
    """An answer that was not 200, or none."""


def requests_per_second(url: str, seconds: float, path: str = "/hostname", connections: int = CONNECTIONS) -> float:
    """Requests a second of *connections* that each send the next request when the answer is there.

    Raises:
        Failed: an answer was not 200, or a connection ended.
    """
    return asyncio.run(_run(url, seconds, path, connections))


async def _run(url: str, seconds: float, path: str, connections: int) -> float:
    address = urlsplit(url)
    host, port = address.hostname or "", address.port or 80
    loop = asyncio.get_running_loop()
    load = _Load(f"GET {path} HTTP/1.1\r\nhost: {address.netloc}\r\n\r\n".encode(), loop.create_future())
    for _ in range(connections):
        await loop.create_connection(lambda: _Connection(load), host, port)
    began = time.perf_counter()
    load.counting = True
    loop.call_later(seconds, load.end)
    try:
        await load.ended
        return load.answers / (time.perf_counter() - began)
    finally:
        for connection in load.open:
            connection.close()


@dataclass
class _Load:
    request: bytes
    ended: asyncio.Future[None]
    answers: int = 0
    counting: bool = False
    open: list[asyncio.Transport] = field(default_factory=list)

    def end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def fail(self, what: str) -> None:
        if not self.ended.done():
            self.ended.set_exception(Failed(what))


class _Connection(asyncio.Protocol):
    def __init__(self, load: _Load) -> None:
        self._load = load
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._load.open.append(transport)
        transport.write(self._load.request)

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, end, body = self._read.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return
        self._read = b""
        if not head.startswith(b"HTTP/1.1 200"):
            self._load.fail(head.decode("latin-1"))
        elif not self._load.ended.done():
            self._load.answers += self._load.counting
            self._transport.write(self._load.request)

    def connection_lost(self, exception: Exception | None) -> None:
        self._load.fail(f"A connection ended: {exception}")


def _length(head: bytes) -> int:
    """Of the body. Servers write the header's name as they like."""
    _, _, rest = head.lower().partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0])
