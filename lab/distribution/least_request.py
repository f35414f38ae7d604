"""Least request of two choices: how much of random choice's spread is left in the counts.

The counts of such a gateway wander as those of random choice do, only less: after n requests their covariance is D n
times that of one random choice, with D between about 1/2 and 1. (A task that got more than its part is busier, so it
gets less for a while. That takes back at most half of the variance, as it is chance when requests end.)

D is the asymptotic variance of the arrivals at one task. The state is the number of requests in flight at that task
and at the others, which are alike, so their numbers are kept sorted. With few states the chain is solved exactly. With
more, the tasks are taken to be independent, which they are in the limit of many (Vvedenskaya, Dobrushin and Karpelevich
1996; Mitzenmacher 2001), and the task in question is then a birth and death process; where both can be computed they
differ by at most 3 %.

D is 1 for one request in flight (all tasks are idle: random), falls to about 1/2 where there are one or two for each
task, and rises to 1 again with many. It holds from about 20 requests for each in flight on; before, the start from idle
makes the spread smaller. Real requests do not end in random order. If tasks take equally long for each, the spread is
smaller; if each works on one request at a time, busy tasks end requests at the same rate however many wait, and D comes
nearer 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from scipy import sparse
from scipy.sparse import linalg

from lab.imports import special

_MOST_STATES = 2_500
_CONVERGED = 1e-12
_MOST_STEPS = 20_000

State = tuple[int, tuple[int, ...]]  # in flight at the task, and at the other busy ones, most first


@lru_cache
def dispersion(tasks: int, in_flight: int) -> float:
    """D for one front end with so many requests in flight; 1 for one request, as then all tasks are idle."""
    if in_flight == 1:
        return 1.0
    return _exact(tasks, in_flight) or _many_tasks(in_flight / tasks)


def _exact(tasks: int, in_flight: int) -> float | None:
    """By the fundamental equation of the chain (Kemeny and Snell 1960, theorem 4.6.1); None for too many states."""
    number: dict[State, int] = {(in_flight, ()): 0}
    source, target, probability, arrived = [], [], [], []
    states = list(number)
    for index, state in enumerate(states):  # which grows by those that can be reached: all
        for leaving, after in _departures(state, in_flight):
            for arriving, then, mine in _arrivals(after, tasks):
                if then not in number:
                    number[then] = len(states)
                    states.append(then)
                source.append(index)
                target.append(number[then])
                probability.append(leaving * arriving)
                arrived.append(mine)
        if len(states) > _MOST_STATES:
            return None
    size = len(states)
    p, here = np.array(probability), np.array(arrived, dtype=np.float64)
    # I - P with ones in its first column: with them the stationary distribution adds up to 1, and h of the first state,
    # in (I - P) h = arrivals beyond the mean, is 0 (the unknown in its place is 0, as these are on average).
    system = sparse.eye_array(size, format="csc") - sparse.csc_array((p, (source, target)), shape=(size, size))
    solver = linalg.splu(sparse.hstack([np.ones((size, 1)), system[:, 1:]], format="csc"))
    stationary = solver.solve(np.eye(1, size)[0], trans="T")
    mean = 1 / tasks
    h = solver.solve(np.bincount(source, p * here, minlength=size) - mean)
    h[0] = 0.0
    step = here - mean + h[target] - h[source]
    return float((stationary[source] * p * step**2).sum() / (mean * (1 - mean)))


def _departures(state: State, in_flight: int) -> Iterator[tuple[float, State]]:
    """Probability and state after one of the requests in flight has ended."""
    here, others = state
    if here:
        yield here / in_flight, (here - 1, others)
    for busy in sorted(set(others)):
        yield others.count(busy) * busy / in_flight, (here, _moved(others, busy, busy - 1))


def _arrivals(state: State, tasks: int) -> Iterator[tuple[float, State, bool]]:
    """Probability, state, and whether the task in question got it, after the less busy of two has got a request."""
    here, others = state
    idle = tasks - 1 - len(others)
    levels = {busy: others.count(busy) for busy in others}
    if idle:
        levels[0] = idle
    levels.setdefault(here, 0)
    more = tasks
    for busy in sorted(levels):
        alike = levels[busy] + (busy == here)
        # The less busy of two is of this level: both at least as busy, but not both busier.
        chance = (more**2 - (more - alike) ** 2) / tasks**2 / alike
        more -= alike
        if busy == here:
            yield chance, (here + 1, others), True
        if levels[busy]:
            yield chance * levels[busy], (here, _moved(others, busy, busy + 1)), False


def _moved(others: tuple[int, ...], before: int, after: int) -> tuple[int, ...]:
    changed = list(others)
    if before:
        changed.remove(before)
    if after:
        changed.append(after)
    return tuple(sorted(changed, reverse=True))


def _many_tasks(load: float) -> float:
    """In the limit of many tasks with so many requests in flight at each on average."""
    level = np.arange(int(load + 12 * np.sqrt(load) + 30))
    share = np.exp(special.xlogy(level, load) - load - special.gammaln(level + 1))
    for _ in range(_MOST_STEPS):
        busier = np.append(np.cumsum(share[::-1])[::-1], 0.0)
        birth = load * (busier[:-1] + busier[1:])
        with np.errstate(divide="ignore"):  # the logarithm of a level that is never reached
            ratio = np.concatenate(([0.0], np.cumsum(np.log(birth[:-1]) - np.log(level[1:]))))
        found = np.exp(ratio - ratio.max())
        found /= found.sum()
        if np.abs(found - share).max() < _CONVERGED:
            break
        share = (share + found) / 2
    # Asymptotic variance of the births; for a birth and death process the Poisson equation is solved level by level.
    flow = share * birth
    mean = flow.sum()
    excess = -np.cumsum(share * (birth - mean))
    there = flow > 1e-14 * mean
    return float(1 + 2 / mean * (excess[there].sum() + (excess[there] ** 2 / flow[there]).sum()))
