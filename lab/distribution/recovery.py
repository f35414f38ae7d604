"""When was the split even again after an event?

A second with a failure, or with an answer of a host that is not of the end, is not even. The time after the last of
them (after the event, where there is none) is cut into windows, and each is tested for an even split over the hosts of
the end, at 5 % divided by the number of windows. The split is even again from the end of the last window that is uneven
on.

A window holds as many requests as show a host that is half off its share with 80 % power at that level. With fewer, the
end of a slow recovery is missed, and missed by more the longer one measures: with 90 requests and 3 hosts, 100 requests
a second and a new host at half weight for 10 s, the median was 9 s after 30 s of "after" and 7 s after 240 s. As it is,
neither the length nor the rate moves the answer by more than its resolution, which is one window.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lab.distribution.goodness import noncentrality, p_values_even
from lab.records.observations import Integers

_ALPHA = 0.05  # for all windows together
_OFF = 0.5  # of its share, is a host that one window shows with 80 % power
_LEAST = 90  # requests in a window
_END = 3  # seconds: what is not even in one of the last ones was not so at the end, and fewer are too few

# Up to the end the split was uneven, there were failures, or other hosts than those of the end answered.
Reason = Literal["reached", "uneven", "failures", "other-hosts", "too-few"]


@dataclass(frozen=True)
class EvenAgain:
    """From when on the split was even."""

    seconds: float | None  # from the event; None where it was not reached or cannot be told
    reason: Reason
    resolution_s: float | None  # the length of the window that decided, by which the truth may be off; None: no window


def even_again(
    counts: Integers, event_second: float, hosts_of_the_end: Collection[int], failures: Integers
) -> EvenAgain:
    """Find when the split of `counts` (seconds, hosts) was even again over `hosts_of_the_end`, which are columns.

    event_second: when it happened, in seconds since the first row begins. failures (seconds,): requests that failed.
    """
    final = np.zeros(counts.shape[1], dtype=np.bool_)
    final[list(hosts_of_the_end)] = True
    answers, others = counts[:, final], counts[:, ~final].sum(axis=1)
    begin = max(0, math.floor(event_second))
    last_failure, last_other = _last(failures), _last(others)
    at_the_end = max(begin, len(counts) - _END)
    if max(last_failure, last_other) >= at_the_end:
        return EvenAgain(None, "failures" if last_failure >= at_the_end else "other-hosts", None)
    begin = max(begin, last_failure + 1, last_other + 1)
    ends = begin + _windows(answers[begin:].sum(axis=1), int(final.sum()))
    if len(ends) == 0 or len(counts) - begin < _END:
        return EvenAgain(None, "too-few", None)
    starts = np.concatenate(([begin], ends[:-1]))
    uneven = np.flatnonzero(_uneven(np.add.reduceat(answers, starts, axis=0)))
    if len(uneven) == 0:
        return EvenAgain(max(0.0, begin - event_second), "reached", float(ends[0] - begin))
    last = int(uneven[-1])
    resolution = float(ends[last] - starts[last])
    if last + 1 == len(ends):
        return EvenAgain(None, "uneven", resolution)
    return EvenAgain(float(ends[last] - event_second), "reached", resolution)


def _last(numbers: Integers) -> int:
    """The last row that is not 0, -1 for none."""
    return int(np.flatnonzero(numbers).max(initial=-1))


def _windows(requests: Integers, hosts: int) -> Integers:
    """Where each window ends, in seconds; what is left over belongs to the last one. Empty for not even one."""
    total = int(requests.sum())
    size = _LEAST
    for _ in range(8):  # fewer windows need fewer requests each, as each is tested at a higher level
        if hosts > 1:
            level = _ALPHA / max(1, total // size)
            size = max(_LEAST, math.ceil(noncentrality(hosts - 1, level) * (hosts - 1) / _OFF**2))
    if total < size:
        return np.empty(0, dtype=np.int64)
    ends, filled = [], 0
    for second, number in enumerate(requests.tolist(), start=1):
        filled += number
        if filled >= size:
            ends.append(second)
            filled = 0
    ends[-1] = len(requests)
    return np.array(ends, dtype=np.int64)


def _uneven(table: Integers) -> NDArray[np.bool_]:
    """Which windows (n, hosts) are not as chance would have them, at 5 % for all together."""
    if table.shape[1] < 2:
        return np.zeros(len(table), dtype=np.bool_)
    return np.asarray(p_values_even(table) <= _ALPHA / len(table))
