"""Whether a load sent the rate that was asked for: for Locust and the lab alike. Pure."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["counted_seconds", "due", "is_missed", "missed_sentence"]

_ASKED = 0.98  # of the rate that was asked for, below which the load was not what was planned
_STARTED = 0.5  # seconds in which processes hear of the start, and make their users


def counted_seconds(duration: float, end: float, resets: Sequence[float]) -> float:
    """Seconds for which the requests of a run were counted: those since the last reset of Locust's statistics."""
    return min(duration, max(0.0, end - resets[-1])) if resets else duration


def due(rate: float, seconds: float) -> int:
    """How many requests were due in these seconds of an open loop, however many users shared the rate."""
    return round(rate * seconds)


def is_missed(sent: int, rate: float, seconds: float, users: int) -> bool:
    """Whether less than 98 % of the requests that were due were sent, but for those of the first half second.

    Each user's first request is due within an interval of its own, so the sum may be one a user short by nature.
    """
    return sent < _ASKED * due(rate, seconds - _STARTED) - users


def missed_sentence(sent: float, asked: float, worker_lost: bool) -> str:
    """What a missed rate means and what helps, from requests per second."""
    number = f"{sent:,.0f}" if sent >= 10 else f"{sent:.2g}"
    if worker_lost:
        return (
            f"{number} of {asked:,g} requests/s are in the counts: a process of Locust stopped, or its reports did not "
            "arrive."
        )
    return (
        f"{number} of {asked:,g} requests/s could be sent, and the wait to be sent is in the response times: for more "
        "give more --users, each of whom has 256 requests under way at most, or take more processes (Locust's "
        "--processes) or a faster machine."
    )
