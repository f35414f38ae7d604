"""Who closes an idle connection between a proxy and its application: the proxy, if the application waits longer."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from app.server import KEEP_ALIVE_S
from twin import envoy
from twin.admin import Admin
from twin.files import write_json
from twin.network import Address, free_port
from twin.parameters import Parameters
from twin.process import Processes, require

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


def test_the_service_keeps_idle_connections_longer_than_its_proxy() -> None:
    assert Parameters().proxy_idle_timeout < KEEP_ALIVE_S


def test_the_proxy_closes_an_idle_connection_to_the_application(tmp_path: Path) -> None:
    async def scenario() -> None:
        closed = asyncio.Event()

        async def application(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWER)
            assert await reader.read() == b""  # nothing more, and the end: it is the proxy that closes
            closed.set()
            writer.close()

        ingress, address = (Address("127.0.0.1", free_port()) for _ in range(2))
        server = await asyncio.start_server(application, address.host, address.port)
        processes = Processes()
        await processes.start()
        bootstrap = envoy.sidecar(ingress, address, request_timeout=5, idle_timeout=60, upstream_idle_timeout=0.2)
        write_json(tmp_path / "proxy.json", bootstrap)
        command = envoy.command(require("envoy", "run `make install`."), tmp_path / "proxy.json", tmp_path / "admin")
        process = await processes.spawn("an Envoy", command, log=tmp_path / "log")
        try:
            await Admin(process, tmp_path / "admin").ready()
            reader, writer = await asyncio.open_connection(ingress.host, ingress.port)
            writer.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            async with asyncio.timeout(30):
                await closed.wait()
            assert not reader.at_eof()  # the client's connection stays
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        finally:
            await processes.close(patience=0.1)
            server.close()

    asyncio.run(scenario())
