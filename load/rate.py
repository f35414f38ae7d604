"""Whether a load sends the rate that is asked for: for Locust and the lab alike. Pure; times are of one clock, in s."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Lateness", "behind_sentence", "counted_seconds", "due", "is_missed", "missed_sentence"]

_ASKED = 0.98  # of the rate that was asked for, below which the load was not what was planned
_STARTED = 0.5  # seconds in which processes hear of the start, and make their users

# A tenth of what is due in that time, so that no pause that is made up for is taken for a rate that is too high.
_LATE, _LATE_FOR = 0.5, 5.0

_MORE = (
    "Where the target takes no more connections, no load sends more; else give more --users, each of whom has 256 "
    "requests under way at most, more connections to `pooled:N`, or take more processes (Locust's --processes) or a "
    "faster machine."
)


def counted_seconds(duration: float, end: float, resets: Sequence[float]) -> float:
    """Seconds for which the requests of a run were counted: those since the last reset of Locust's statistics."""
    return min(duration, max(0.0, end - resets[-1])) if resets else duration


def due(rate: float, shares: Sequence[tuple[float, float]], since: float, until: float) -> float:
    """How many requests of an open loop were due in that time.

    `shares` has from when on which share of the rate was asked for: all of it, but where `--shape` has less.
    """
    ends = [*(at for at, _ in shares[1:]), until]
    spans = ((share, max(at, since), min(end, until)) for (at, share), end in zip(shares, ends, strict=False))
    return rate * sum(share * max(0.0, end - at) for share, at, end in spans)


def is_missed(sent: int, rate: float, seconds: float, users: int) -> bool:
    """Whether less than 98 % of the requests that were due were sent, but for those of the first half second.

    Each user's first request is due within an interval of its own, so the sum may be one a user short by nature.
    """
    return sent < _ASKED * rate * (seconds - _STARTED) - users


class Lateness:
    """For how long requests have been sent more than half a second after they were due, of one source of them."""

    def __init__(self) -> None:
        self._since: float | None = None

    def is_behind(self, due: float, now: float) -> bool:
        """Whether that has been so for 5 s, and not been said in these; `now` the request is sent, or still waits."""
        if now - due <= _LATE:
            self._since = None
            return False
        if self._since is None:
            self._since = due + _LATE
        if now - self._since < _LATE_FOR:
            return False
        self._since = now
        return True


def behind_sentence(rate: float) -> str:
    """What it means where requests are behind, and what helps."""
    return (
        f"For {_LATE_FOR:g} s or more requests were sent over half a second after they were due: {rate:,g} requests/s "
        f"could not be kept up, and the wait to be sent is in the response times. {_MORE}"
    )


def missed_sentence(sent: int, were_due: int, asked: float, seconds: float, worker_lost: bool) -> str:
    """What a missed rate means and what helps: `sent` in so many seconds, of `asked` requests per second.

    `were_due`: how many requests that is, as run.json has it.
    """
    rate = sent / seconds
    number = f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
    if worker_lost:
        return (
            f"{number} of {asked:,g} requests/s are in the counts: a process of Locust stopped, or its reports did not "
            "arrive."
        )
    never = f"{were_due - sent:,} requests that were due were never sent and are in no percentile"
    return (
        f"{number} of {asked:,g} requests/s could be sent, and the wait to be sent is in the response times. "
        f"About {never}, so percentiles are too low. {_MORE}"
    )
