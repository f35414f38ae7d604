"""Who was there when: hosts that joined or left part-way are judged over their own time.

A host is taken to have been there from its first answer to its last. That it answered nothing before or after may be
chance, so it counts as joined late or gone early only where the silence is longer than chance would make it. Answers
that come in runs are no independent evidence, so a run counts once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lab.records.observations import Integers, Windows

__all__ = ["Exposure", "constant_exposure", "exposure_over"]

_CONFIDENCE = 0.01
_SILENCE = 0.001  # chance that any host at all is taken for a latecomer or leaver by mistake


@dataclass(frozen=True, eq=False)
class Exposure:
    """Epochs (e) with unchanged hosts (k): what was observed and what an even split expects.

    counts (e, k): requests by epoch and host. shares (e, k): each host's expected share of its epoch, 0 where it was
    away; rows sum to 1. left_out: requests in the windows in which a host came or went, which belong to no epoch.
    longest: the windows of the epoch with the most requests, None without windows.
    """

    counts: Integers
    shares: NDArray[np.float64]
    joined: NDArray[np.bool_]
    left: NDArray[np.bool_]
    left_out: int = 0
    longest: Windows | None = None

    @property
    def constant(self) -> bool:
        """Whether every host was there all the time."""
        return len(self.counts) == 1 and bool((self.shares > 0).all())

    @property
    def observed(self) -> Integers:
        """Requests by host, (k,)."""
        return np.asarray(self.counts.sum(axis=0))

    @property
    def requests(self) -> Integers:
        """Requests by epoch, (e,)."""
        return np.asarray(self.counts.sum(axis=1))

    @property
    def expected(self) -> NDArray[np.float64]:
        """Requests that an even split gives each host, (k,)."""
        return np.asarray(self.requests @ self.shares)

    def grouped(self, groups: Integers, size: int) -> Exposure:
        """The same with the hosts added up by group number (k,), in `size` groups."""
        member = np.zeros((len(groups), size), dtype=np.int64)
        member[np.arange(len(groups)), groups] = 1
        nobody = np.zeros(size, dtype=np.bool_)
        return Exposure(self.counts @ member, self.shares @ member, nobody, nobody, self.left_out)

    def only(self, chosen: NDArray[np.bool_]) -> Exposure:
        """The chosen hosts alone, in the epochs in which any of them was there."""
        shares = self.shares[:, chosen]
        total = shares.sum(axis=1, keepdims=True)
        there = total[:, 0] > 0
        return Exposure(
            self.counts[:, chosen][there], shares[there] / total[there], self.joined[chosen], self.left[chosen]
        )


def constant_exposure(observed: Integers, weights: NDArray[np.float64], windows: Windows | None = None) -> Exposure:
    """Every host was there all the time."""
    nobody = np.zeros(len(observed), dtype=np.bool_)
    shares = weights / weights.sum()
    return Exposure(observed[np.newaxis, :], shares[np.newaxis, :], nobody, nobody, longest=windows)


def exposure_over(observed: Integers, weights: NDArray[np.float64], windows: Windows) -> Exposure:
    """Epochs by which hosts were there; a single one, of all requests, where none came or went."""
    joined, left, first, last = _presence(windows)
    if not (joined.any() or left.any()):
        return constant_exposure(observed, weights, windows)
    number = np.arange(len(windows.starts))[:, np.newaxis]
    # In its first and last window a host may have been there for a part only.
    partly = ((number == first) & joined) | ((number == last) & left)
    there = ((number > first) | ~joined) & ((number < last) | ~left)
    whole = ~partly.any(axis=1)
    if not whole.any():
        nothing = constant_exposure(np.zeros_like(observed), weights)
        return replace(nothing, joined=joined, left=left, left_out=int(windows.counts.sum()))
    kept = windows.rows(whole)
    patterns, epoch = np.unique(there[whole], axis=0, return_inverse=True)
    counts = np.zeros((len(patterns), len(weights)), dtype=np.int64)
    np.add.at(counts, epoch, kept.counts)
    present = patterns * weights
    return Exposure(
        counts=counts,
        shares=present / present.sum(axis=1, keepdims=True),
        joined=joined,
        left=left,
        left_out=int(windows.counts.sum() - counts.sum()),
        longest=kept.rows(epoch == int(np.argmax(counts.sum(axis=1)))),
    )


def _presence(windows: Windows) -> tuple[NDArray[np.bool_], NDArray[np.bool_], Integers, Integers]:
    """Per host (k,): joined late, left early, first and last window with an answer."""
    counts = windows.counts
    seen = counts > 0
    silent = ~seen.any(axis=0)
    first, last = np.argmax(seen, axis=0), len(counts) - 1 - np.argmax(seen[::-1], axis=0)
    # Without order every answer stands for itself: then repeats is 0.
    requests = _running(counts.sum(axis=1))
    independent = _running(counts.sum(axis=1) - windows.repeats)
    answers, meanwhile = np.maximum(counts.sum(axis=0), 1), requests[last + 1] - requests[first]
    # A few answers do not tell a host's share well: what it is at least.
    share = stats.beta.ppf(_CONFIDENCE, answers, np.maximum(meanwhile - answers, 0) + 1)
    none = np.log1p(-share)
    before, after = independent[first], independent[-1] - independent[last + 1]
    threshold = np.log(_SILENCE / (2 * counts.shape[1]))
    # A host that never answered was there: that it got nothing is what the test is to see.
    joined = (before * none < threshold) & ~silent
    left = (after * none < threshold) & ~silent
    return joined, left, first, last


def _running(values: Integers) -> Integers:
    return np.concatenate(([0], np.cumsum(values)))
