"""hypercorn in this very process: listen, serve, drain on a signal, end."""

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import cast

from hypercorn.asyncio import serve
from hypercorn.config import Config
from hypercorn.typing import ASGIFramework

from app.identity import Identity, read_identity
from app.logs import AccessLogger, configure_logging
from app.service import Lifecycle, create_app
from app.settings import Settings, SettingsError

# For requests in flight at the end; API Gateway gives one up after 30 s, so none that anybody waits for is cut off.
# From Python 3.12 on, closing the server waits for them anyway, before hypercorn looks at this.
GRACE_S = 30.0
# Longer than the idle timeout of what is before it, Service Connect's proxy with 300 s: a request that meets a
# connection just being closed fails, so the proxy must be the one that closes. Not longer still, because hypercorn 0.18
# holds on to a connection that its client has closed for this time too.
KEEP_ALIVE_S = 310.0
# Connections that wait to be accepted: a load test opens hundreds in one moment.
BACKLOG = 1_024

logger = logging.getLogger(__name__)


class ServiceConfig(Config):
    """hypercorn's settings, with the headers of `identity` on every answer.

    hypercorn adds `response_headers` to its own answers too (to what is no HTTP, to a WebSocket), which no ASGI
    middleware sees.
    """

    def __init__(self, identity: Identity, listener: socket.socket, *, access_log: bool = False) -> None:
        super().__init__()
        self.bind = [f"fd://{listener.detach()}"]
        self.backlog = BACKLOG
        self.keep_alive_timeout = KEEP_ALIVE_S
        self.graceful_timeout = GRACE_S
        self.logger_class = AccessLogger
        self.errorlog = logging.getLogger("hypercorn.error")
        self.accesslog = logging.getLogger("hypercorn.access") if access_log else None
        self._identity_headers = identity.headers

    def response_headers(self, protocol: str) -> list[tuple[bytes, bytes]]:
        return super().response_headers(protocol) + self._identity_headers


def listen(settings: Settings) -> socket.socket:
    """A listening socket on the settings' address; connections wait in its backlog until it is served.

    Raises SettingsError if the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise SettingsError(
            f"Cannot listen on HOST={settings.host} with PORT={settings.port} ({reason}): "
            "set them to an address of this machine and a free port."
        ) from None


async def serve_until_stopped(settings: Settings, identity: Identity, listener: socket.socket) -> None:
    """Serve on `listener`, which is closed in the end, until SIGTERM or SIGINT; then drain.

    From the signal on `/ready` says 503, and for `drain_seconds` everything else is as before. Then nothing new is
    taken, idle connections are closed, and requests in flight are finished. A client that stops reading its answer
    holds up the end; what started the service ends it then, as ECS does after a task's stopTimeout.
    """
    lifecycle = Lifecycle()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    async def drained() -> None:
        await stop.wait()
        lifecycle.drain()
        logger.info("draining")
        await asyncio.sleep(settings.drain_seconds)

    app = cast(ASGIFramework, create_app(identity, lifecycle, settings.upstreams))
    config = ServiceConfig(identity, listener, access_log=settings.access_log)
    await serve(app, config, shutdown_trigger=drained, mode="asgi")


def run(settings: Settings, environ: Mapping[str, str]) -> None:
    """Wait for `start_seconds`, listen, find out who this is, serve until a signal.

    Raises SettingsError if the address cannot be had.
    """
    configure_logging()
    time.sleep(settings.start_seconds)
    listener = listen(settings)
    identity = read_identity(settings.hostname, environ)
    logger.info("starting", extra={"fields": asdict(settings) | asdict(identity)})
    asyncio.run(serve_until_stopped(settings, identity, listener))
    logger.info("stopped")
