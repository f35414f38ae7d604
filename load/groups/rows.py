"""The rows in which counts are given: by host, by second, by latency."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "NO_ANSWER",
    "OTHER_HOSTS",
    "UNKNOWN_HOST",
    "HostRow",
    "LatencyRow",
    "TimelineRow",
    "is_failure",
]

UNKNOWN_HOST = ""
"""The hostname of everything for which no host is known."""

OTHER_HOSTS = "(other)"
"""The row that takes every host beyond the limit; no host name can be written like this."""

NO_ANSWER = 0
"""The status of a request that no complete answer came to."""


def is_failure(status: int) -> bool:
    """Whether a request with this status failed: no complete answer came (0), or the status is 400 or higher."""
    return not 0 < status < 400


@dataclass(frozen=True, slots=True)
class HostRow:
    """What one host got; latencies in ms, times in seconds since the Unix epoch, `share` of all requests (0 to 1)."""

    hostname: str
    availability_zone: str
    requests: int
    failures: int
    share: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    first_seen: float
    last_seen: float


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """Requests that ended in one second (since the Unix epoch) at one host with one status (0: no answer)."""

    second: int
    hostname: str
    status: int
    requests: int


@dataclass(frozen=True, slots=True)
class LatencyRow:
    """Requests that ended in one second with one latency: the lower edge of its bucket, in microseconds.

    `load.groups.latency.percentiles` with SECOND_BITS takes them, added up over the seconds that are asked about.
    """

    second: int
    latency_us: int
    requests: int
