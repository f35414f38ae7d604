"""What the service is measured against: `python -m benchmarks.servers NAME PORT`.

    bare      the server of the service, before a callable that answers at once: nothing is routed, nothing read
    uvicorn   the service on another server
    granian   the same

Each listens on 127.0.0.1, one process.
"""

from __future__ import annotations

import asyncio
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hypercorn.asyncio import serve

from app.identity import read_identity
from app.server import ServiceConfig, listen
from app.service import Lifecycle, create_app
from app.settings import Settings

__all__ = ["SERVERS", "missing"]

SERVERS = ("bare", "uvicorn", "granian")
IDENTITY = read_identity("bare.internal", {})
service = create_app(IDENTITY, Lifecycle())


def missing(server: str) -> bool:
    """Whether this environment lacks the package of *server*."""
    return server != "bare" and find_spec(server) is None


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """The smallest ASGI application with this answer."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = IDENTITY.hostname.encode()
    headers = [(b"content-length", str(len(body)).encode()), (b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main(server: str, port: int) -> None:
    """Serve until the process is ended."""
    match server:
        case "bare":
            settings = Settings.from_environment({"HOST": "127.0.0.1", "PORT": str(port)})
            asyncio.run(serve(bare, ServiceConfig(IDENTITY, listen(settings)), mode="asgi"))
        case "uvicorn":
            import uvicorn

            uvicorn.run(service, host="127.0.0.1", port=port, log_level="error", access_log=False)
        case "granian":
            from granian import Granian  # type: ignore[import-not-found,unused-ignore]
            from granian.constants import Interfaces  # type: ignore[import-not-found,unused-ignore]

            target, here = "benchmarks.servers:service", "127.0.0.1"
            Granian(target, address=here, port=port, interface=Interfaces.ASGI, log_enabled=False).serve()
        case _:
            sys.exit(f"{server} is none of {', '.join(SERVERS)}.")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main(sys.argv[1], int(sys.argv[2]))
