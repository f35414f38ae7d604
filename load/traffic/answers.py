"""Which host gave an answer: pure functions of what came back.

The service names itself in the header `x-hostname` of every answer, and in the body of `/hostname`. A gateway
answers for itself with JSON such as `{"message":"Not Found"}` and without that header, so such an answer, like no
answer at all, belongs to no host.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Protocol

from load.groups.rows import NO_ANSWER, NO_GROUP

__all__ = [
    "ResponseHeaders",
    "host_of",
    "hostname",
    "pair",
    "pair_zones",
    "upstream",
    "upstream_zone",
    "zone",
    "zone_of",
]

HOSTNAME_HEADER = "x-hostname"
UPSTREAM_HEADER = "x-upstream-hostname"
ZONE_HEADER = "x-availability-zone"
UPSTREAM_ZONE_HEADER = "x-upstream-availability-zone"

# RFC 1123, and the underscore that container names bring along; a name is at most 253 bytes long.
_HOSTNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")


class ResponseHeaders(Protocol):
    """The headers of an answer; a repeated field gives a list."""

    def get(self, field: str) -> str | list[str] | None: ...


def host_of(path: str, status: int, body: bytes | None, headers: ResponseHeaders | None) -> str:
    """The hostname of the task that answered, "" where it is not known.

    `path` is the request's path or URL, with or without a query; `status` its HTTP status, 0 without an answer. The
    body counts only where `/hostname` was asked for and answered with 200 and one plausible line; else the header does.
    """
    if status == 200 and body and _names_its_host(path) and (hostname := _hostname_in(body)):
        return hostname
    return NO_GROUP if headers is None else _plausible(_first(headers.get(HOSTNAME_HEADER)))


def zone_of(headers: ResponseHeaders | None) -> str:
    """The availability zone of the task that answered, "" where it is not known."""
    return "" if headers is None else _plausible(_first(headers.get(ZONE_HEADER)))


def hostname(response: Any, url: str, context: Any, exception: BaseException | None) -> str:
    """The key of `load.groups.track`; of an answer that broke off, the body does not count."""
    if response is None:
        return NO_GROUP
    body = response.content if exception is None else None
    return host_of(url, response.status_code or NO_ANSWER, body, response.headers)


def upstream(response: Any, url: str, context: Any, exception: BaseException | None) -> str:
    """The host that the one who answered has called, by `x-upstream-hostname`; a key of `--group-by`."""
    return NO_GROUP if response is None else _plausible(_first(response.headers.get(UPSTREAM_HEADER)))


def upstream_zone(response: Any, url: str, context: Any, exception: BaseException | None) -> str:
    """The availability zone of the host that was called, by `x-upstream-availability-zone`."""
    return "" if response is None else _plausible(_first(response.headers.get(UPSTREAM_ZONE_HEADER)))


def pair(response: Any, url: str, context: Any, exception: BaseException | None) -> str:
    """Both, as `caller > upstream`, "?" for one that is not known; a key of `--group-by`."""
    both = hostname(response, url, context, exception), upstream(response, url, context, exception)
    return " > ".join(host or "?" for host in both) if any(both) else NO_GROUP


def pair_zones(response: Any, url: str, context: Any, exception: BaseException | None) -> str:
    """The zones of both, as `caller > upstream`."""
    both = zone(response, url, context, exception), upstream_zone(response, url, context, exception)
    return " > ".join(each or "?" for each in both) if any(both) else ""


def zone(response: Any, url: str, context: Any, exception: BaseException | None) -> str:
    """The availability zone beside a hostname."""
    return "" if response is None else zone_of(response.headers)


# Keys of `--group-by` bring along what is beside their groups, in place of the locustfile's.
upstream.detail = upstream_zone  # type: ignore[attr-defined]
pair.detail = pair_zones  # type: ignore[attr-defined]


@lru_cache(maxsize=256)
def _names_its_host(path: str) -> bool:
    return path.partition("?")[0].endswith("/hostname")


@lru_cache(maxsize=4096)
def _hostname_in(body: bytes) -> str:
    return _plausible(body.decode("latin-1").strip()) if len(body) <= 256 else ""


@lru_cache(maxsize=4096)
def _plausible(text: str) -> str:
    return text if _HOSTNAME.fullmatch(text) else ""


def _first(value: str | list[str] | None) -> str:
    if isinstance(value, list):
        return value[0] if value else ""
    return value or ""
