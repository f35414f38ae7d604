"""Connections of the load: kept, closed or shared, and no request sent twice.

geventhttpclient sends a GET again, unseen, when its connection was closed without an answer: up to eleven times with
Locust's defaults. What is lost on the way would not show, so the pools here do not do that.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import gevent.ssl
from geventhttpclient.client import HTTPClient, HTTPClientPool
from geventhttpclient.url import URL

from load.settings import Connections

__all__ = ["client_pool"]


class OnceOnlyPool(HTTPClientPool):
    """A pool whose clients send each request once."""

    def get_client(self, url: str | URL) -> HTTPClient:
        """The client for the URL's host and port."""
        client = super().get_client(url)
        # HTTPClient.request tries `size` + 1 times more; what bounds the pool is a semaphore of its own.
        client._connection_pool.size = -1
        return client


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
