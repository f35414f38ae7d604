"""Counts per task under each policy, drawn from their distribution at once; docs/statistics.md derives each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lab.simulation.gateway import Gateway, Policy
from lab.simulation.least_request import dispersion

__all__ = ["Integers", "Numbers", "chi_square", "max_deviation", "sample"]

Integers = NDArray[np.int64]
Numbers = NDArray[np.float64]

_MOST_CELLS = 20_000_000


def sample(gateway: Gateway, requests: int, runs: int, rng: np.random.Generator) -> Integers:
    """Requests by task of independent runs, (runs, tasks)."""
    if gateway.policy is Policy.RANDOM:
        return _random(requests, gateway.tasks, runs, rng)
    if gateway.policy is Policy.ROUND_ROBIN:
        return _round_robin(requests, gateway.tasks, gateway.front_ends, runs, rng)
    if gateway.policy is Policy.LEAST_REQUEST:
        return _least_request(requests, gateway.tasks, gateway.in_flight, runs, rng)
    return _sticky(requests, gateway.tasks, gateway.run_length, runs, rng)


def max_deviation(counts: Integers) -> Numbers:
    """Largest |requests / even part - 1| over the tasks, for each run of (runs, tasks)."""
    even = counts.sum(axis=1, keepdims=True) / counts.shape[1]
    return np.asarray(np.abs(counts / even - 1).max(axis=1))


def chi_square(counts: Integers) -> Numbers:
    """Pearson's statistic against an even split, for each run of (runs, tasks)."""
    even = counts.sum(axis=1, keepdims=True) / counts.shape[1]
    return np.asarray(((counts - even) ** 2 / even).sum(axis=1))


def _random(requests: int, tasks: int, runs: int, rng: np.random.Generator) -> Integers:
    return rng.multinomial(requests, np.full(tasks, 1 / tasks), size=runs)


def _round_robin(requests: int, tasks: int, front_ends: int, runs: int, rng: np.random.Generator) -> Integers:
    """Whole rounds give every task the same; the last round of a front end reaches a random set of tasks."""
    by_front_end = _random(requests, front_ends, runs, rng)
    rounds, last = np.divmod(by_front_end, tasks)
    counts = np.repeat(rounds.sum(axis=1, keepdims=True), tasks, axis=1)
    block = max(1, _MOST_CELLS // (front_ends * tasks))
    for start in range(0, runs, block):
        reached = np.arange(tasks) < last[start : start + block].reshape(-1, 1)
        reached = rng.permuted(reached, axis=1).reshape(-1, front_ends, tasks)
        counts[start : start + block] += reached.sum(axis=1)
    return counts


def _least_request(requests: int, tasks: int, in_flight: int, runs: int, rng: np.random.Generator) -> Integers:
    """A part D of the requests is spread at random and the rest evenly: D times the covariance of random choice."""
    at_random = round(requests * dispersion(tasks, in_flight))
    counts = _random(at_random, tasks, runs, rng) + (requests - at_random) // tasks
    over = np.arange(tasks) < (requests - at_random) % tasks
    return np.asarray(counts + rng.permuted(np.tile(over, (runs, 1)), axis=1))


def _sticky(requests: int, tasks: int, run_length: int, runs: int, rng: np.random.Generator) -> Integers:
    """Connections are spread at random; the last one may have fewer requests."""
    connections, rest = divmod(requests, run_length)
    counts = _random(connections, tasks, runs, rng) * run_length
    counts[np.arange(runs), rng.integers(0, tasks, runs)] += rest
    return counts
