"""The routes. Starlette answers HEAD where it answers GET."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from enum import Enum

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from app.identity import Identity
from app.parameters import BadParameter, whole_number

# API Gateway gives an integration 30 s and 10 MB:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
MAX_DELAY_MS = 29_000
MAX_PAYLOAD_BYTES = 10_000_000
CHUNK_BYTES = 65_536


class Phase(Enum):
    """How far the service is; `/ready` tells."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"


class Lifecycle:
    """The phase of one service: it goes forward only."""

    def __init__(self) -> None:
        self.phase = Phase.STARTING

    def start(self) -> None:
        """The service can serve; without effect on one that drains already."""
        if self.phase is Phase.STARTING:
            self.phase = Phase.READY

    def drain(self) -> None:
        """The service is about to end."""
        self.phase = Phase.DRAINING


def create_app(identity: Identity, lifecycle: Lifecycle, upstreams: Mapping[str, str] | None = None) -> Starlette:
    """The application of one task. Its start (ASGI lifespan) starts `lifecycle`; ending that is the server's part.

    Args:
        upstreams: URLs of the services that `/call` may call, by name; with none there is no `/call`.
    """
    routes = [
        Route("/hostname", Hostname(identity), methods=["GET"]),
        Route("/ready", show_phase),
        Route("/identity", show_identity),
        Route("/payload", send_payload),
    ]

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if upstreams:
                await stack.enter_async_context(app.state.upstreams.connected())
            lifecycle.start()
            yield

    if upstreams:
        # Not at the top, because httpx is a third of the start, and most services call none.
        from app.call import Upstreams, call_upstream

        routes.append(Route("/call", call_upstream))
    app = Starlette(
        routes=routes,
        exception_handlers={BadParameter: refuse},
        lifespan=lifespan,
    )
    app.state.identity = identity
    app.state.lifecycle = lifecycle
    if upstreams:
        app.state.upstreams = Upstreams(upstreams)
    return app


class Hostname:
    """The host name as text, after `delay_ms` (0 to 29,000; 0 if not given).

    An ASGI application, since it is what load is sent to: half of what Starlette takes for a request goes into an
    object for it, and into a response that is the same each time.
    """

    def __init__(self, identity: Identity) -> None:
        self._response = PlainTextResponse(identity.hostname)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["query_string"]:
            delay_ms = whole_number(Request(scope).query_params, "delay_ms", MAX_DELAY_MS, default=0)
            await asyncio.sleep(delay_ms / 1000)
        await self._response(scope, receive, send)


async def show_phase(request: Request) -> Response:
    """200 if requests should be sent here, else 503; the body says why."""
    lifecycle: Lifecycle = request.app.state.lifecycle
    ready = lifecycle.phase is Phase.READY
    return PlainTextResponse(lifecycle.phase.value, status_code=200 if ready else 503)


async def show_identity(request: Request) -> Response:
    """All fields of `Identity` as JSON."""
    return JSONResponse(asdict(request.app.state.identity))


async def send_payload(request: Request) -> Response:
    """`bytes` (0 to 10,000,000) random bytes, in chunks: no compression on the way makes them fewer."""
    size = whole_number(request.query_params, "bytes", MAX_PAYLOAD_BYTES)
    return StreamingResponse(
        random_chunks(size), headers={"content-length": str(size)}, media_type="application/octet-stream"
    )


async def random_chunks(size: int) -> AsyncIterator[bytes]:
    """`size` random bytes in pieces of at most CHUNK_BYTES.

    Between two pieces other requests get their turn, and so does the news that the client has left: sending to nobody
    never waits, so the rest would be made all the same, and hypercorn 0.18 would keep it as long as the connection.
    """
    for start in range(0, size, CHUNK_BYTES):
        yield os.urandom(min(CHUNK_BYTES, size - start))
        await asyncio.sleep(0)


async def refuse(request: Request, error: Exception) -> Response:
    """400, with the reason as JSON."""
    return JSONResponse({"error": str(error)}, status_code=400)
