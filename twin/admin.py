"""Envoy's admin interface (https://www.envoyproxy.io/docs/envoy/latest/operations/admin)."""

from __future__ import annotations

import asyncio
import contextlib
import json
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from twin.errors import StartFailed
from twin.network import Address
from twin.process import Process

__all__ = ["Admin"]

_POLL = 0.02  # seconds


class Admin:
    """The admin interface of one Envoy process, whose address is known once Envoy has written it to a file."""

    def __init__(self, process: Process, address_file: Path) -> None:
        self._process = process
        self._address_file = address_file
        self._address: Address | None = None

    async def ready(self, timeout: float = 10.0) -> None:
        """Wait until Envoy serves.

        Raises:
            StartFailed: it has exited, or does not serve after *timeout* seconds.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
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
        """What Envoy tells at *path*; empty if it does not answer."""
        status, body = await self.request("GET", path)
        return dict(json.loads(body)) if status == 200 else {}

    async def text(self, path: str) -> str:
        """What Envoy tells at *path*; empty if it does not answer."""
        status, body = await self.request("GET", path)
        return body.decode() if status == 200 else ""

    async def request(self, method: str, path: str) -> tuple[int, bytes]:
        """Status and body; status 0 if there was no answer."""
        return await asyncio.to_thread(self._request, method, path)

    def _request(self, method: str, path: str) -> tuple[int, bytes]:
        try:
            if self._address is None:
                host, port = self._address_file.read_text().rsplit(":", 1)
                self._address = Address(host, int(port))
            with contextlib.closing(HTTPConnection(self._address.host, self._address.port, timeout=5)) as connection:
                connection.request(method, path)
                answer = connection.getresponse()
                return answer.status, answer.read()
        except (OSError, ValueError, HTTPException):  # not written yet; not listening, or not any more
            return 0, b""
