"""Who was there when: hosts that joined or left part-way are judged over their own time.

Where the run's records say from when to when a host was there, they are believed. Otherwise a host is taken to have
been there from its first answer to its last. That it answered nothing before or after may be chance, so it counts as
joined late or gone early only where the silence is longer than chance would make it. Answers that come in runs are no
independent evidence, so a run counts once.

Front ends that cache discovery learn of a host that comes or goes one after the other, over one lifetime of the cache.
So a settle time is left out around each arrival and departure: of a host that comes, from its first answer on; of one
that goes, before its last.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lab.errors import BadInput
from lab.imports import special
from lab.records.observations import Flags, Integers, Numbers, Observations, Windows

SETTLE = 5.0
"""Seconds: the lifetime of a front end's cache, as the twin assumes it."""

Stay = tuple[float | None, float | None]
"""From when to when a host was there, in the windows' unit; None for since ever, or to the end."""

_MOST_WEIGHT = 1e6
_LARGEST = 2**53  # counts are compared as floating-point numbers, which are exact up to here
_CONFIDENCE = 0.01
_SILENCE = 0.001  # chance that any host at all is taken for a latecomer or leaver by mistake


class NotTogether(BadInput):
    """No two hosts were there at the same time, so that there is nothing to compare."""


@dataclass(frozen=True, eq=False)
class Exposure:
    """Epochs (e) with unchanged hosts (k): what was observed and what an even split expects."""

    counts: Integers  # (e, k), requests by epoch and host
    shares: Numbers  # (e, k), each host's expected share of its epoch, 0 where it was away; rows sum to 1
    joined: Flags  # (k,), late
    left: Flags  # (k,), early
    left_out: int = 0  # requests of no epoch: a host came or went, or the front ends had yet to learn of it
    settle: float | None = None  # seconds left out around each arrival and departure; None: times are not known
    longest: Windows | None = None  # those of the epoch with the most requests, None without windows

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
    def expected(self) -> Numbers:
        """Requests that an even split gives each host, (k,)."""
        return np.asarray(self.requests @ self.shares)

    def grouped(self, groups: Integers, size: int) -> Exposure:
        """The same with the hosts added up by group number (k,), in `size` groups."""
        member = np.eye(size, dtype=np.int64)[groups]
        nobody = np.zeros(size, dtype=np.bool_)
        return Exposure(self.counts @ member, self.shares @ member, nobody, nobody, self.left_out, self.settle)

    def only(self, chosen: Flags) -> Exposure:
        """The chosen hosts alone, in the epochs in which any of them was there."""
        there = self.shares[:, chosen].any(axis=1)
        shares, counts = self.shares[there][:, chosen], self.counts[there][:, chosen]
        return Exposure(counts, shares / shares.sum(axis=1, keepdims=True), self.joined[chosen], self.left[chosen])


def constant_exposure(observed: Integers, weights: Numbers, windows: Windows | None = None) -> Exposure:
    """Every host was there all the time."""
    nobody = np.zeros(len(observed), dtype=np.bool_)
    shares = weights / weights.sum()
    return Exposure(observed[np.newaxis, :], shares[np.newaxis, :], nobody, nobody, longest=windows)


def exposure_over(
    observed: Integers,
    weights: Numbers,
    windows: Windows,
    stays: Sequence[Stay | None] | None = None,
    settle: float = SETTLE,
) -> Exposure:
    """Epochs by which hosts were there; a single one, of all requests, where none came or went.

    stays: of each host (k) from the records, None where they do not name it. settle: in seconds.
    """
    timed = windows.unit == "seconds"
    arrives, arrived, leaves, gone = _moves(windows, stays or [None] * len(weights), settle if timed else 0.0)
    start, end = windows.starts[:, np.newaxis], windows.starts[:, np.newaxis] + windows.width
    begin, finish = windows.starts[0], windows.starts[-1] + windows.width
    joined, left = arrives > begin, leaves < finish
    settled = settle if timed else None
    if not ((arrived > begin).any() or left.any()):
        return replace(constant_exposure(observed, weights, windows), settle=settled)
    # While it comes or goes a host gets a part of its share only.
    partly = ((end > arrives) & (start < arrived)) | ((end > leaves) & (start < gone))
    there = (start >= arrived) & (end <= leaves)
    whole: Flags = ~np.any(partly, axis=1)
    if not whole.any():
        nothing = constant_exposure(np.zeros_like(observed), weights)
        return replace(nothing, joined=joined, left=left, left_out=int(windows.counts.sum()), settle=settled)
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
        settle=settled,
        longest=kept.rows(epoch == int(np.argmax(counts.sum(axis=1)))),
    )


def _moves(windows: Windows, stays: Sequence[Stay | None], settle: float) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Per host (k,), in the windows' unit: between when and when it arrives, and it leaves; infinite for never.

    A record says when a host began to be there, and its answers when that had reached the first front end; the later of
    the two begins the time to settle.
    """
    joined, left, first, last = _presence(windows)
    first_start, last_start = windows.starts[first].astype(np.float64), windows.starts[last].astype(np.float64)
    first_end, last_end = first_start + windows.width, last_start + windows.width
    arrives, arrived = np.where(joined, first_start, -np.inf), np.where(joined, first_end + settle, -np.inf)
    leaves, gone = np.where(left, last_start - settle, np.inf), np.where(left, last_end, np.inf)
    silent = windows.counts.sum(axis=0) == 0
    for host, stay in enumerate(stays):
        if stay is None:
            continue
        since, until = stay
        arrives[host] = arrived[host] = -np.inf
        leaves[host] = gone[host] = np.inf
        if since is not None:
            arrives[host] = since if silent[host] else min(since, first_start[host])
            arrived[host] = (since if silent[host] else max(since, first_end[host])) + settle
        if until is not None:
            leaves[host] = until
            gone[host] = until + settle if silent[host] else max(until + settle, last_end[host])
    return arrives, arrived, leaves, gone


def _presence(windows: Windows) -> tuple[Flags, Flags, Integers, Integers]:
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
    share = special.betaincinv(answers, np.maximum(meanwhile - answers, 0) + 1, _CONFIDENCE)
    none = np.log1p(-share)
    before, after = independent[first], independent[-1] - independent[last + 1]
    threshold = np.log(_SILENCE / (2 * counts.shape[1]))
    # A host that never answered was there: that it got nothing is what the test is to see.
    joined = (before * none < threshold) & ~silent
    left = (after * none < threshold) & ~silent
    return joined, left, first, last


def _running(values: Integers) -> Integers:
    return np.concatenate(([0], np.cumsum(values)))


@dataclass(frozen=True, eq=False)
class Subject:
    """What is judged: hosts (k), in the order of the exposure's columns, and requests whose host is not known."""

    hosts: list[str]
    exposure: Exposure
    unknown: int


def expose(
    observations: Observations, weights: Mapping[str, float] | None = None, settle: float | None = None
) -> Subject:
    """Check what was read, and set out what is expected of each host when.

    weights: the expected ratio between hosts, 1 where not given. A host named only here counts as 0, as one that should
    have answered and did not. settle: seconds to leave out around each arrival and departure, in place of what was read
    of it, or SETTLE; without times nothing can be. Raises BadInput.
    """
    settle = next(each for each in (settle, observations.settle, SETTLE) if each is not None)
    if not 0 <= settle < math.inf:
        raise BadInput(f"a settle time of {settle:g} s cannot be left out: give 0 or more seconds")
    known, weight, unknown = _checked(observations.counts, weights or {})
    # One order for all: sums of floating-point numbers depend on it, and what is said must not.
    names = list(known)
    order = np.array(sorted(range(len(names)), key=lambda i: (weight[names[i]], known[names[i]], names[i])))
    hosts = [names[i] for i in order]
    observed = np.array([known[host] for host in hosts], dtype=np.int64)
    factors = np.array([weight[host] for host in hosts], dtype=np.float64)
    if observations.windows is None:
        return Subject(hosts, constant_exposure(observed, factors), unknown)
    windows, stays = observations.windows.columns(order), [observations.presence.get(host) for host in hosts]
    return Subject(hosts, exposure_over(observed, factors, windows, stays, settle), unknown)


def _checked(counts: Mapping[str, int], weights: Mapping[str, float]) -> tuple[dict[str, int], dict[str, float], int]:
    """Requests by known host (in the order of `counts`, then those only weighted), their weights, unknown requests."""
    for host, weight in weights.items():
        if not 1 / _MOST_WEIGHT <= weight <= _MOST_WEIGHT:
            least = 1 / _MOST_WEIGHT
            raise BadInput(f"the weight {weight:g} of host {host!r} is no number from {least:g} to {_MOST_WEIGHT:g}")
    known = dict(counts)
    unknown = known.pop("", 0)
    known |= {host: 0 for host in weights if host not in known}
    if not known and unknown:
        raise BadInput(
            f"none of {unknown:,} answers named its host in `x-hostname` or what --group-by asks for, and evenness "
            "needs at least two hosts to compare: let the service send it, or start the twin with --name-tasks"
        )
    if len(known) < 2:
        only = f"only one host ({next(iter(known))})" if known else "no host"
        raise NotTogether(f"{only} answered: evenness needs at least two hosts to compare")
    if sum(known.values()) >= _LARGEST:
        raise BadInput(f"the counts add up to more than {_LARGEST:,}, which is beyond exact arithmetic")
    return known, {host: float(weights.get(host, 1.0)) for host in known}, unknown
