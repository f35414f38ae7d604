"""Keeps pages of others away from Locust's web UI, which starts and stops load and needs no login by default.

A page that is open in the same browser can send requests to it. The browser says where they come from, in `Origin` and
`Sec-Fetch-Site` (https://www.w3.org/TR/fetch-metadata/), and by what name the page was loaded, in `Host`.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Flask, Response, jsonify, make_response, request

__all__ = ["refusal", "stand_before"]

_OURS = {None, "same-origin", "none"}
_LINKED = {"locust.index"}  # what a link of another page may open


def stand_before(app: Flask, web_host: str) -> None:
    """Have *app* refuse what pages of others send, and be in no frame; *web_host* is where it listens."""

    def check() -> Response | None:
        why = refusal(
            request.host,
            request.headers.get("Origin"),
            request.headers.get("Sec-Fetch-Site"),
            only_here=_is_loopback(web_host),
            is_link=request.endpoint in _LINKED and request.method == "GET",
        )
        return make_response(jsonify({"success": False, "message": why}), 403) if why else None

    def unframed(response: Response) -> Response:
        response.headers["X-Frame-Options"] = "DENY"
        response.headers["Content-Security-Policy"] = "frame-ancestors 'none'"
        return response

    app.before_request(check)
    app.after_request(unframed)


def refusal(host: str, origin: str | None, site: str | None, *, only_here: bool, is_link: bool) -> str | None:
    """Why a request may not come in; None if it may.

    Args:
        only_here: it listens on a loopback address. Elsewhere nobody knows by what names it is reached.
        is_link: it shows the page, and does nothing.
    """
    if only_here and not _is_loopback(urlsplit(f"//{host}").hostname or ""):
        return f"The Host {host[:100]} is not this machine: open the page at 127.0.0.1."
    if origin is not None and urlsplit(origin).netloc != host:
        return f"A page of {origin[:100]} may not use Locust here."
    if site not in _OURS and not is_link:
        return "Another page may not use Locust here."
    return None


def _is_loopback(name: str) -> bool:
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False
