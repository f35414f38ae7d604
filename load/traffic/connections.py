"""Connections of the load: kept, closed or shared, and no request sent twice.

geventhttpclient sends a GET again, unseen, when its connection was closed without an answer: up to eleven times with
Locust's defaults. What is lost on the way would not show, so the pools here do not do that. A request that is ended
before it has a connection raises NotSent, so that it can be distinguished from one that was sent.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import gevent.ssl
from gevent import Greenlet, GreenletExit
from gevent.socket import socket
from geventhttpclient.client import HTTPClient, HTTPClientPool
from geventhttpclient.url import URL

from load.traffic.settings import Connections

__all__ = ["NotSent", "Sending", "client_pool"]


class NotSent(GreenletExit):  # type: ignore[misc]
    """The request was ended while it waited for a connection: nothing of it was sent."""


class Sending(Greenlet):  # type: ignore[misc]
    """A request of an open loop: it `waits` for a connection, and is then `sent`, or will not be."""

    waits = False
    sent: Callable[[], None] = staticmethod(lambda: None)


class OnceOnlyPool(HTTPClientPool):
    """A pool whose clients send each request once."""

    def get_client(self, url: str | URL) -> HTTPClient:
        """The client for the URL's host and port."""
        client = super().get_client(url)
        pool = client._connection_pool
        # HTTPClient.request tries `size` + 1 times more; what bounds the pool is a semaphore of its own.
        if pool.size != -1:
            pool.size = -1
            pool.get_socket = _or_not_sent(pool.get_socket)  # type: ignore[method-assign]
        return client


def _or_not_sent(get_socket: Callable[[], socket]) -> Callable[[], socket]:
    def get_socket_or_raise() -> socket:
        request = gevent.getcurrent()
        if not isinstance(request, Sending):
            request = Sending()  # of a closed loop, where nobody asks it
        request.waits = True
        try:
            return get_socket()
        except GreenletExit:
            raise NotSent from None
        finally:
            request.waits = False
            request.sent()

    return get_socket_or_raise


def client_pool(connections: Connections, in_flight: int, **arguments: Any) -> HTTPClientPool:
    """A user's pool of at most `in_flight` connections or, for pooled:N, the one that all users of a process share.

    `arguments` are HTTPClient's: time limits, and whether certificates are checked.
    """
    if connections.size:
        return _shared_pool(connections.size, **arguments)
    return OnceOnlyPool(concurrency=in_flight, ssl_context_factory=_tls_context, **arguments)


@lru_cache(maxsize=1)
def _shared_pool(size: int, **arguments: Any) -> HTTPClientPool:
    return OnceOnlyPool(concurrency=size, ssl_context_factory=_tls_context, **arguments)


@lru_cache(maxsize=4)
def _tls_context(cafile: str | None = None) -> gevent.ssl.SSLContext:
    # Reading the certificates takes 20 ms, which each user would pay.
    return gevent.ssl.create_default_context(cafile=cafile)
