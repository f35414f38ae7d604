"""Which host gave an answer: pure functions of what came back.

The service names itself in the header `x-hostname` of every answer, and in the body of `/hostname`. Where both are
there the header counts: a body may be anything, such as `ok` at a service of one's own. A gateway
answers for itself with JSON such as `{"message":"Not Found"}` and without that header, so such an answer, like no
answer at all, belongs to no host.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from load.groups.rows import NO_GROUP

__all__ = [
    "hostname",
    "pair",
    "pair_zones",
    "upstream",
    "upstream_zone",
    "zone",
]

HOSTNAME_HEADER = "x-hostname"
UPSTREAM_HEADER = "x-upstream-hostname"
ZONE_HEADER = "x-availability-zone"
UPSTREAM_ZONE_HEADER = "x-upstream-availability-zone"

# RFC 1123, and the underscore that container names bring along; a name is at most 253 bytes long.
_HOSTNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_LONGEST = 256  # bytes of a body that may be a hostname


def hostname(response: Any, url: str, context: Any, exception: BaseException | None) -> str:
    """The hostname of the task that answered, "" where it is not known: the key of `load.groups.track`.

    The body counts only where the header names no host, and `/hostname` was asked for and answered, to its end, with
    200 and one plausible line. Runs with every request of the load.
    """
    if response is None:
        return NO_GROUP
    if host := _of(response, HOSTNAME_HEADER):
        return host
    if exception is None and response.status_code == 200:
        body = response.content
        if body and len(body) <= _LONGEST and (host := _hostname_in(url, body)):
            return host
    return NO_GROUP


def upstream(response: Any, url: str, context: Any, exception: BaseException | None) -> str:
    """The host that the one who answered has called, by `x-upstream-hostname`; a key of `--group-by`."""
    return _of(response, UPSTREAM_HEADER)


def upstream_zone(response: Any, url: str, context: Any, exception: BaseException | None) -> str:
    """The availability zone of the host that was called, by `x-upstream-availability-zone`."""
    return _of(response, UPSTREAM_ZONE_HEADER)


def pair(response: Any, url: str, context: Any, exception: BaseException | None) -> str:
    """Both, as `caller > upstream`, "?" for one that is not known; a key of `--group-by`."""
    both = hostname(response, url, context, exception), upstream(response, url, context, exception)
    return " > ".join(host or "?" for host in both) if any(both) else NO_GROUP


def pair_zones(response: Any, url: str, context: Any, exception: BaseException | None) -> str:
    """The zones of both, as `caller > upstream`."""
    both = zone(response, url, context, exception), upstream_zone(response, url, context, exception)
    return " > ".join(each or "?" for each in both) if any(both) else ""


def zone(response: Any, url: str, context: Any, exception: BaseException | None) -> str:
    """The availability zone of the task that answered, "" where it is not known: what is beside a hostname."""
    return _of(response, ZONE_HEADER)


# Keys of `--group-by` bring along a header that alone is the group, where it is one that they gave before, and what is
# beside their groups, in place of the locustfile's.
hostname.header = HOSTNAME_HEADER  # type: ignore[attr-defined]
upstream.header = UPSTREAM_HEADER  # type: ignore[attr-defined]
upstream.detail = upstream_zone  # type: ignore[attr-defined]
pair.detail = pair_zones  # type: ignore[attr-defined]


@lru_cache(maxsize=4096)
def _hostname_in(url: str, body: bytes) -> str:
    path = url.partition("?")[0]
    return _plausible(body.decode("latin-1").strip()) if path.endswith("/hostname") else ""


@lru_cache(maxsize=4096)
def _plausible(text: str) -> str:
    return text if _HOSTNAME.fullmatch(text) else ""


def _of(response: Any, header: str) -> str:
    headers = getattr(response, "headers", None)
    value = None if headers is None else headers.get(header)
    # geventhttpclient gives a list where a field is repeated.
    return _plausible((value[0] if isinstance(value, list) else value) or "")
