"""Who closes an idle connection between a proxy and its application: the proxy, if the application waits longer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from app.server import KEEP_ALIVE_S
from twin.envoy import configuration as envoy
from twin.envoy.admin import Admin
from twin.machine.addresses import Address, free_port
from twin.machine.files import write_json
from twin.machine.process import Processes, envoy_program
from twin.parameters import Parameters
from twin.tasks.proxy import sidecar

Application = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


def test_the_service_keeps_idle_connections_longer_than_its_proxy() -> None:
    assert Parameters().proxy_idle_timeout < KEEP_ALIVE_S


@contextlib.asynccontextmanager
async def proxied(folder: Path, application: Application, upstream_idle_timeout: float) -> AsyncIterator[Address]:
    """A task's proxy before *application*; its own address."""
    ingress, address = (Address("127.0.0.1", free_port()) for _ in range(2))
    server = await asyncio.start_server(application, address.host, address.port)
    processes = Processes()
    await processes.start()
    bootstrap = sidecar(
        ingress, address, request_timeout=5, idle_timeout=60, upstream_idle_timeout=upstream_idle_timeout
    )
    write_json(folder / "proxy.json", bootstrap)
    command = envoy.command(envoy_program(), folder / "proxy.json", folder / "admin")
    process = await processes.spawn("an Envoy", command, log=folder / "log")
    try:
        await Admin(process, folder / "admin").ready()
        yield ingress
    finally:
        await processes.close(patience=0.1)
        server.close()


def test_the_proxy_closes_an_idle_connection_to_the_application(tmp_path: Path) -> None:
    async def scenario() -> None:
        closed = asyncio.Event()

        async def application(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWER)
            assert await reader.read() == b""  # nothing more, and the end: it is the proxy that closes
            closed.set()
            writer.close()

        async with proxied(tmp_path, application, 0.2) as ingress:
            reader, writer = await asyncio.open_connection(ingress.host, ingress.port)
            writer.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            async with asyncio.timeout(30):
                await closed.wait()
            assert not reader.at_eof()  # the client's connection stays
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    asyncio.run(scenario())


@pytest.mark.parametrize(("proxy_waits", "status"), [(300.0, 503), (0.2, 200)])
def test_a_request_meets_a_closing_connection_only_where_the_application_closes_first(
    tmp_path: Path, proxy_waits: float, status: int
) -> None:
    """An application that gives an idle connection up in the moment in which the next request is on its way to it."""

    async def scenario() -> int:
        gone = asyncio.Event()

        async def application(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWER)
            with contextlib.suppress(asyncio.IncompleteReadError):  # the proxy was first
                await reader.readuntil(b"\r\n\r\n")
            writer.close()
            gone.set()

        async with proxied(tmp_path, application, proxy_waits) as ingress, httpx.AsyncClient() as client:
            url = f"http://{ingress}/"
            assert (await client.get(url)).status_code == 200
            if proxy_waits < 1:
                async with asyncio.timeout(30):
                    await gone.wait()
            return (await client.get(url)).status_code

    assert asyncio.run(scenario()) == status
