from __future__ import annotations

import asyncio
import socket
from typing import cast

import pytest
from hypercorn.asyncio import serve
from hypercorn.typing import ASGIFramework
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.identity import Identity
from app.server import ServiceConfig, listen
from app.service import MAX_DELAY_MS
from app.settings import Settings, SettingsError


@pytest.fixture
def listener() -> socket.socket:
    """A listening socket, which ServiceConfig takes over and hypercorn closes."""
    return socket.create_server(("127.0.0.1", 0))


def test_own_failure_carries_the_headers(identity: Identity, listener: socket.socket) -> None:
    async def fail(request: Request) -> Response:
        raise RuntimeError("on purpose")

    async def ask() -> bytes:
        address = listener.getsockname()
        asked = asyncio.Event()
        app = cast(ASGIFramework, Starlette(routes=[Route("/", fail)]))
        server = asyncio.create_task(serve(app, ServiceConfig(identity, listener), shutdown_trigger=asked.wait))
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
        asked.set()
        await server
        return answer

    answer = asyncio.run(ask())
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"\r\nx-hostname: ip-10-0-1-2.eu-west-2.compute.internal\r\n" in answer
    assert b"\r\nx-availability-zone: eu-west-2a\r\n" in answer


def test_longest_request_outlives_the_grace_period(identity: Identity, listener: socket.socket) -> None:
    config = ServiceConfig(identity, listener)
    with config.create_sockets().insecure_sockets[0]:
        assert config.graceful_timeout > MAX_DELAY_MS / 1000


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_listen(host: str) -> None:
    if ":" in host and not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 on this machine")
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        port = probe.getsockname()[1]
    with listen(Settings(hostname="host-1", host=host, port=port)) as listener:
        assert listener.getsockname()[:2] == (host, port)


def test_address_of_another_machine() -> None:
    with pytest.raises(SettingsError, match=r"Cannot listen on HOST=192\.0\.2\.1 with PORT=8080 \(.+\): set them to"):
        listen(Settings(hostname="host-1", host="192.0.2.1"))
