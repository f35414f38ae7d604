"""How far each host is from its even part, counted over the time in which it was there: pure.

In each second the requests that known hosts answered are divided evenly among the hosts that were there: from a host's
first answer to its last. A host that came or went during the run got only a part of its share around that moment,
because a gateway's front ends do not learn of it at once, so these seconds are left out for all hosts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

__all__ = ["SETTLE", "EvenPart", "even_parts"]

SETTLE = 5
"""Seconds left out after a host's first answer and before its last: the assumed lifetime of a gateway's cache."""

# A host that is first seen so many seconds after the first answer of all was there from the start; so with the last.
_EDGE = 2


@dataclass(frozen=True, slots=True)
class EvenPart:
    """How far one host is from its even part, both as fractions of it: 0.1 means 10 % more.

    `chance` is how far the furthest of all hosts is, 19 times of 20, where each request goes to a host at random and
    independently of the others.
    """

    deviation: float
    chance: float


def even_parts(seconds: Mapping[int, Mapping[str, int]]) -> dict[str, EvenPart]:
    """Each host's EvenPart from the requests of each second and host; without the hosts that were never beside others.

    Every second must have only known hosts.
    """
    times = sorted(second for second, counts in seconds.items() if counts)
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for second in times:
        for host in seconds[second]:
            first.setdefault(host, second)
            last[host] = second
    changes = set[int]()
    left_out = set[int]()
    for host, since in first.items():
        if since > times[0] + _EDGE:
            changes.add(since)
            left_out.update(range(since, since + SETTLE))
        else:
            first[host] = times[0]
        until = last[host]
        if until < times[-1] - _EDGE:
            changes.add(until + 1)
            left_out.update(range(until - SETTLE + 1, until + 1))
        else:
            last[host] = times[-1]

    observed, expected, variance = Counter[str](), Counter[str](), Counter[str]()
    requests = Counter[str]()

    def close(second: int) -> None:
        """Take in the requests since the last change, all of whose hosts were there the whole time."""
        there = [host for host in first if first[host] <= second <= last[host]]
        total = sum(requests.values())
        if len(there) > 1 and total:
            part = total / len(there)
            for host in there:
                observed[host] += requests[host]
                expected[host] += part  # type: ignore[assignment]
                variance[host] += part * (1 - 1 / len(there))  # type: ignore[assignment]
        requests.clear()

    ahead = sorted(changes, reverse=True)
    before = times[0] if times else 0
    for second in times:
        if ahead and ahead[-1] <= second:
            close(before)
            while ahead and ahead[-1] <= second:
                ahead.pop()
        before = second
        if second not in left_out:
            requests.update(seconds[second])
    close(before)
    # Two sides, and any of the hosts.
    z = NormalDist().inv_cdf(1 - 0.05 / 2 / max(1, len(expected)))
    return {
        host: EvenPart(observed[host] / expected[host] - 1, z * math.sqrt(variance[host]) / expected[host])
        for host in expected
    }
