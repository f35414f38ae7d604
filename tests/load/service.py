"""A service of three hosts behind one address, for the tests of the load: it prints its URL and serves.

/hostname          200 and the next host's name
/identity          200 and JSON; the name only in the header
/payload?bytes=N   200 and N bytes
/broken            500 from a host, in JSON
/foreign/hostname  200 and the name in the body, but in no header
/slow/hostname     as /hostname, a quarter of a second later
/private/hostname  as /hostname, to requests with an Authorization header; else 401 from the gateway
/throttled         429 from the gateway itself
/hang-up           closes the connection in place of an answer
/never             no answer, and the connection stays open
/seen              what was asked so far, in JSON: requests, those that got no answer, connections, last Authorization
any other          404 from the gateway itself: JSON, and no header
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Mapping

HOSTS = [("alpha", "eu-west-2a"), ("beta", "eu-west-2b"), ("gamma", "eu-west-2c")]
turns = itertools.cycle(HOSTS)
# Seconds that an answer takes, as over a network: closed loops whose answers take none fill a core.
LATENCY = 0.01
seen = {"requests": 0, "unanswered": 0, "connections": 0, "authorization": ""}


async def answer(target: str, headers: Mapping[str, str]) -> tuple[str, str, str]:
    """Status, header lines and body of the answer to GET `target`."""
    path, _, query = target.partition("?")
    if path == "/seen":
        return "200 OK", "", json.dumps(seen)
    seen["requests"] += 1  # type: ignore[operator]
    seen["authorization"] = headers.get("authorization", "")
    host, zone = next(turns)
    names = f"x-hostname: {host}\r\nx-availability-zone: {zone}\r\n"
    if path == "/never":
        seen["unanswered"] += 1  # type: ignore[operator]
        await asyncio.Event().wait()
    await asyncio.sleep(0.25 if path == "/slow/hostname" else LATENCY)
    match path:
        case "/hostname" | "/slow/hostname":
            return "200 OK", names, host
        case "/private/hostname" if seen["authorization"]:
            return "200 OK", names, host
        case "/private/hostname":
            return "401 Unauthorized", "", '{"message":"Unauthorized"}'
        case "/identity":
            return "200 OK", names, json.dumps({"hostname": host})
        case "/payload":
            return "200 OK", names, "x" * int(query.removeprefix("bytes="))
        case "/broken":
            return "500 Internal Server Error", names, '{"detail": "broken"}'
        case "/foreign/hostname":
            return "200 OK", "", f"{host}\n"
        case "/throttled":
            return "429 Too Many Requests", "", '{"message":"Too Many Requests"}'
        case _:
            return "404 Not Found", "", '{"message":"Not Found"}'


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection."""
    counted = False
    try:
        while request := (await reader.readuntil(b"\r\n\r\n")).decode("latin-1"):
            target = request.split(" ", 2)[1]
            lines = (line.partition(": ") for line in request.split("\r\n")[1:] if line)
            headers = {name.lower(): value for name, _, value in lines}
            if target != "/seen" and not counted:
                counted = True
                seen["connections"] += 1  # type: ignore[operator]
            if target == "/hang-up":
                seen["requests"] += 1  # type: ignore[operator]
                break
            status, names, body = await answer(target, headers)
            last = headers.get("connection") == "close"
            closing = "connection: close\r\n" if last else ""
            writer.write(f"HTTP/1.1 {status}\r\n{names}{closing}content-length: {len(body)}\r\n\r\n{body}".encode())
            await writer.drain()
            if last:
                break
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
