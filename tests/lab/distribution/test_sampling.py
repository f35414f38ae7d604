"""The sampler against a request-by-request reference: equal in distribution at small sizes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from lab.distribution.gateway import Gateway, Policy
from lab.distribution.goodness import chi_square
from lab.distribution.policies import max_deviation, sample
from lab.errors import BadInput
from lab.records.observations import Integers

RUNS = 1_500


def reference(gateway: Gateway, requests: int, runs: int) -> Integers:
    """Every request by itself, as the gateway's docstring has it, in many runs side by side: (runs, tasks)."""
    rng = np.random.default_rng(8)
    run = np.arange(runs)
    pick = {
        Policy.RANDOM: _random,
        Policy.ROUND_ROBIN: _round_robin,
        Policy.LEAST_REQUEST: _least_request,
        Policy.STICKY: _sticky,
    }[gateway.policy](gateway, run, rng)
    counts = np.zeros((runs, gateway.tasks), dtype=np.int64)
    for _ in range(requests):
        counts[run, pick(rng.integers(0, gateway.front_ends, runs))] += 1
    return counts


Pick = Callable[[Integers], Integers]
"""The task of a request in each run, by the front end that it comes to."""


def _random(gateway: Gateway, run: Integers, rng: np.random.Generator) -> Pick:
    return lambda _: rng.integers(0, gateway.tasks, len(run))


def _round_robin(gateway: Gateway, run: Integers, rng: np.random.Generator) -> Pick:
    orders = rng.permuted(np.tile(np.arange(gateway.tasks), (len(run), gateway.front_ends, 1)), axis=2)
    positions = rng.integers(0, gateway.tasks, (len(run), gateway.front_ends))

    def pick(front_end: Integers) -> Integers:
        positions[run, front_end] += 1
        return np.asarray(orders[run, front_end, positions[run, front_end] % gateway.tasks])

    return pick


def _least_request(gateway: Gateway, run: Integers, rng: np.random.Generator) -> Pick:
    active = np.zeros((len(run), gateway.front_ends, gateway.tasks), dtype=np.int64)
    in_flight = np.zeros((len(run), gateway.front_ends, gateway.in_flight), dtype=np.int64)
    sent = np.zeros((len(run), gateway.front_ends), dtype=np.int64)

    def pick(front_end: Integers) -> Integers:
        so_far = sent[run, front_end]
        slot = np.where(so_far < gateway.in_flight, so_far, rng.integers(0, gateway.in_flight, len(run)))
        active[run, front_end, in_flight[run, front_end, slot]] -= so_far >= gateway.in_flight  # one that ends
        first, second = rng.integers(0, gateway.tasks, (2, len(run)))
        less = active[run, front_end, second] < active[run, front_end, first]
        task = np.where(less, second, first)
        active[run, front_end, task] += 1
        in_flight[run, front_end, slot] = task
        sent[run, front_end] += 1
        return np.asarray(task)

    return pick


def _sticky(gateway: Gateway, run: Integers, rng: np.random.Generator) -> Pick:
    left, task = 0, run

    def pick(_: Integers) -> Integers:
        nonlocal left, task
        if left == 0:
            left, task = gateway.run_length, rng.integers(0, gateway.tasks, len(run))
        left -= 1
        return task

    return pick


@pytest.mark.parametrize(
    ("gateway", "requests"),
    [
        (Gateway(Policy.RANDOM, tasks=3), 60),
        (Gateway(Policy.ROUND_ROBIN, tasks=4, front_ends=1), 61),
        (Gateway(Policy.ROUND_ROBIN, tasks=4, front_ends=5), 60),
        (Gateway(Policy.ROUND_ROBIN, tasks=3, front_ends=30), 40),
        (Gateway(Policy.STICKY, tasks=3, run_length=7), 60),
        (Gateway(Policy.LEAST_REQUEST, tasks=3, front_ends=2, in_flight=4), 240),
        (Gateway(Policy.LEAST_REQUEST, tasks=3, in_flight=1), 60),
        (Gateway(Policy.LEAST_REQUEST, tasks=6, in_flight=12), 300),
    ],
    ids=str,
)
def test_equal_in_distribution_to_the_reference(gateway: Gateway, requests: int) -> None:
    expected = reference(gateway, requests, RUNS)
    drawn = sample(gateway, requests, RUNS, np.random.default_rng(11))
    assert (drawn.sum(axis=1) == requests).all()
    # One task, the whole spread, and the furthest task.
    for statistic in (lambda counts: counts[:, 0], chi_square, max_deviation):
        assert stats.ks_2samp(statistic(expected), statistic(drawn)).pvalue > 0.01
    for task in range(1, gateway.tasks):
        assert np.cov(drawn[:, 0], drawn[:, task])[0, 1] <= 0.02 * requests


@pytest.mark.parametrize("policy", Policy)
def test_the_largest_gateway(policy: Policy) -> None:
    gateway = Gateway(policy, tasks=10_000, front_ends=1_000)
    counts = sample(gateway, 10**10, 1, np.random.default_rng(1))
    assert counts.shape == (1, 10_000)
    assert counts.sum() == 10**10
    assert counts.min() >= 0
    dispersion = float(chi_square(counts)[0] / 9_999)
    low, high = {
        Policy.RANDOM: (0.94, 1.06),
        Policy.ROUND_ROBIN: (0.0, 0.0002),
        Policy.LEAST_REQUEST: (0.94, 1.06),
        Policy.STICKY: (9.4, 10.6),
    }[policy]
    assert low < dispersion < high


def test_round_robin_of_many_front_ends_has_the_dispersion_that_the_docs_state() -> None:
    """F (k + 1) / (6 n), from remainders that are evenly spread over 0 to k - 1."""
    counts = sample(Gateway(Policy.ROUND_ROBIN, tasks=5, front_ends=40), 20_000, 4_000, np.random.default_rng(2))
    assert chi_square(counts).mean() / 4 == pytest.approx(40 * 6 / (6 * 20_000), rel=0.05)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tasks": 1}, "1 tasks cannot be simulated: give 2 to 100,000"),
        ({"front_ends": 0}, "0 front ends"),
        ({"in_flight": 0}, "0 requests in flight"),
        ({"run_length": 0}, "0 requests of a connection"),
    ],
)
def test_a_gateway_that_cannot_be(options: dict[str, int], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        Gateway(**options)  # type: ignore[arg-type]
