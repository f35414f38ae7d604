"""How many users there are as time goes on: pure functions of the time since the start."""

from __future__ import annotations

import math

__all__ = ["DEFAULT_DURATION", "SHAPES", "users_at"]

SHAPES = ("constant", "steps", "spike", "soak")

DEFAULT_DURATION = 300.0
"""Seconds that steps and spike take where no run time is set; soak then never ends."""

_STEPS = 5


def users_at(shape: str, elapsed: float, duration: float | None, peak: int) -> int | None:
    """The number of users `elapsed` seconds after the start, at most `peak`; None when the run is over.

    steps   a fifth of the users, then two fifths, ... and all of them in the last fifth of the time
    spike   a tenth of the users, but all of them in the middle fifth of the time
    soak    users are added for a tenth of the time (at most 60 s), then all of them stay
    """
    if duration is None and shape != "soak":
        duration = DEFAULT_DURATION
    if duration is not None and elapsed >= duration:
        return None
    match shape:
        case "steps":
            assert duration is not None
            return math.ceil(peak * (int(elapsed / duration * _STEPS) + 1) / _STEPS)
        case "spike":
            assert duration is not None
            return peak if 0.4 <= elapsed / duration < 0.6 else math.ceil(peak / 10)
        case "soak":
            climb = min(60.0, (duration or DEFAULT_DURATION) / 10)
            return min(peak, max(1, math.ceil(peak * elapsed / climb)))
        case _:
            return peak
