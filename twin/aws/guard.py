"""Who may ask the endpoint: programs of this machine, and of pages in a browser those whose origin the user has named.

Any page that is open in a browser here can send requests to a loopback address. It cannot keep `Origin` out of those
that its scripts send, nor `Sec-Fetch-Site` out of any (https://www.w3.org/TR/fetch-metadata/), nor the name that it
was loaded from out of `Host`, to whatever address it has made that name lead (DNS rebinding).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from twin.errors import BadInput

__all__ = ["Guard", "checked_origin"]

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]
Headers = list[tuple[str, str]]

_LONGEST = 100  # characters of a client's text in an answer


class Guard:
    """A WSGI application before *application*: it answers what may not come in with 403, before anything is read."""

    def __init__(
        self,
        application: Wsgi,
        *,
        port: int,
        origins: Collection[str] = (),
        excepted: Callable[[dict[str, Any]], bool] = lambda environ: False,
    ) -> None:
        """
        Args:
            port: where the application is served.
            origins: of the pages that may ask, as browsers send them; they alone get CORS headers.
            excepted: whether a request goes to the application whatever its headers are.
        """
        self._application = application
        self._port = port
        self._origins = frozenset(origins)
        self._excepted = excepted

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if self._excepted(environ):
            return self._application(environ, start_response)
        if refusal := self._refusal(environ):
            return _answer(start_response, "403 FORBIDDEN", json.dumps({"message": refusal}))
        origin = environ.get("HTTP_ORIGIN")
        if origin is None:
            return self._application(environ, start_response)
        if environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ:
            return _answer(start_response, "204 NO CONTENT", "", _preflight(origin, environ))

        def start(status: str, headers: Headers, *more: Any) -> Any:
            return start_response(status, [*headers, *_cors(origin)], *more)

        return self._application(environ, start)

    def _refusal(self, environ: dict[str, Any]) -> str | None:
        """Why the request may not come in; None if it may."""
        host, origin = environ.get("HTTP_HOST", ""), environ.get("HTTP_ORIGIN")
        if not self._is_ours(host):
            return f"The Host {host[:_LONGEST]!r} is not this endpoint: ask at 127.0.0.1:{self._port}."
        if origin in self._origins:
            return None
        if origin is not None:
            way_out = f"start the twin with --allow-origin {origin[:_LONGEST]} if the page is yours."
            return f"A page of {origin[:_LONGEST]} may not ask this endpoint: {way_out}"
        if environ.get("HTTP_SEC_FETCH_SITE", "none") != "none":
            return "A page in a browser may not ask this endpoint: see --allow-origin of `twin up`."
        return None

    def _is_ours(self, host: str) -> bool:
        name, _, port = host.rpartition(":")
        if port != str(self._port):
            return False
        try:
            return name == "localhost" or ip_address(name.strip("[]")).is_loopback
        except ValueError:
            return False


def checked_origin(text: str) -> str:
    """An origin as browsers send it, such as https://tool.example:8443.

    Raises:
        BadInput: it has another form.
    """
    try:
        parts = urlsplit(text)
        bare = parts.scheme in ("http", "https") and parts.hostname and parts.netloc == text.partition("://")[2]
        if bare and parts.port != {"http": 80, "https": 443}[parts.scheme]:  # a browser leaves the default port out
            return text.lower()
    except ValueError:
        pass
    raise BadInput(
        f"--allow-origin {text} is no origin: give scheme, host and port as a browser sends them, such as "
        "http://localhost:3000."
    )


def _preflight(origin: str, environ: dict[str, Any]) -> Headers:
    asked = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
    return [
        *_cors(origin),
        ("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE"),
        *([("Access-Control-Allow-Headers", asked)] if asked else []),
    ]


def _cors(origin: str) -> Headers:
    return [
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Expose-Headers", "x-amzn-requestid, x-amzn-errortype"),
        ("Vary", "Origin"),
    ]


def _answer(start_response: Any, status: str, body: str, headers: Headers | None = None) -> Iterable[bytes]:
    content = body.encode()
    start_response(
        status,
        [("Content-Type", "application/json"), ("Content-Length", str(len(content))), *(headers or [])],
    )
    return [content]
