"""A service of three hosts behind one address, for the tests of the load: it prints its URL and serves.

/hostname   200 and the next host's name
/identity   200 and JSON; the name only in the header
/broken     500 from a host, in JSON
/missing    404 from the gateway itself: JSON, and no header
/foreign    nothing but a name in the body, from /foreign/hostname
/hang-up    closes the connection in place of an answer
"""

from __future__ import annotations

import asyncio
import itertools
import json

HOSTS = [("alpha", "eu-west-2a"), ("beta", "eu-west-2b"), ("gamma", "eu-west-2c")]
turns = itertools.cycle(HOSTS)


def answer(path: str) -> bytes:
    """The whole answer to GET `path`."""
    host, zone = next(turns)
    names = f"x-hostname: {host}\r\nx-availability-zone: {zone}\r\n"
    match path.partition("?")[0]:
        case "/hostname":
            status, headers, body = "200 OK", names, host
        case "/identity":
            status, headers, body = "200 OK", names, json.dumps({"hostname": host})
        case "/broken":
            status, headers, body = "500 Internal Server Error", names, '{"detail": "broken"}'
        case "/foreign/hostname":
            status, headers, body = "200 OK", "", f"{host}\n"
        case _:
            status, headers, body = "404 Not Found", "", '{"message":"Not Found"}'
    return f"HTTP/1.1 {status}\r\n{headers}content-length: {len(body)}\r\n\r\n{body}".encode()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection."""
    try:
        while request := await reader.readuntil(b"\r\n\r\n"):
            path = request.split(b" ", 2)[1].decode()
            if path == "/hang-up":
                break
            writer.write(answer(path))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    """Serve until the process ends."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
