"""Keeps pages of others away from Locust's web UI, which starts and stops load and needs no login by default.

A page that is open in the same browser can send requests to it. The browser says where they come from, in `Origin` and
`Sec-Fetch-Site` (https://www.w3.org/TR/fetch-metadata/), and by what name the page was loaded, in `Host`.
"""

from __future__ import annotations

import socket
from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Flask, Response, jsonify, make_response, request

__all__ = ["refusal", "stand_before"]

_OURS = {None, "same-origin", "none"}
_LINKED = {"locust.index"}  # what a link of another page may open


def stand_before(app: Flask, web_host: str) -> None:
    """Have *app* refuse what pages of others send, and be in no frame; *web_host* is where it listens."""
    # What nobody else can make lead here: a page of the same name is this machine's own.
    own = socket.gethostname().lower()
    names = None if _is_loopback(web_host) else {web_host.lower(), own, own.partition(".")[0], f"{own}.local"}

    def check() -> Response | None:
        why = refusal(
            request.host,
            request.headers.get("Origin"),
            request.headers.get("Sec-Fetch-Site"),
            names=names,
            is_link=request.endpoint in _LINKED and request.method == "GET",
        )
        return make_response(jsonify({"success": False, "message": why}), 403) if why else None

    def unframed(response: Response) -> Response:
        response.headers["X-Frame-Options"] = "DENY"
        response.headers["Content-Security-Policy"] = "frame-ancestors 'none'"
        return response

    app.before_request(check)
    app.after_request(unframed)


def refusal(
    host: str, origin: str | None, site: str | None, *, names: Collection[str] | None, is_link: bool
) -> str | None:
    """Why a request may not come in; None if it may.

    Args:
        names: by which it is reached, besides addresses; None: it listens on a loopback address alone.
        is_link: it shows the page, and does nothing.
    """
    name = urlsplit(f"//{host}").hostname or ""
    if names is None and not _is_loopback(name):
        return f"The Host {host[:100]} is not this machine: open the page at 127.0.0.1."
    if names is not None and not (name in names or name == "localhost" or _is_address(name)):
        return f"The Host {host[:100]} is no name of this machine: open the page at its address, or name it --web-host."
    if origin is not None and urlsplit(origin).netloc != host:
        return f"A page of {origin[:100]} may not use Locust here."
    if site not in _OURS and not is_link:
        return "Another page may not use Locust here."
    return None


def _is_address(name: str) -> bool:
    try:
        return bool(ip_address(name))
    except ValueError:
        return False


def _is_loopback(name: str) -> bool:
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False
