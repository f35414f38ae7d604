"""Whether an AWS endpoint is on this machine, as the twin's is."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

__all__ = ["is_loopback"]


def is_loopback(endpoint_url: str) -> bool:
    """Whether *endpoint_url* is on this machine, so that no images can be pushed; not if it is empty (AWS itself)."""
    host = urlsplit(endpoint_url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
