from __future__ import annotations

import numpy as np
import pytest

from lab.distribution.least_request import dispersion


def simulated(tasks: int, in_flight: int, runs: int, rounds: int) -> float:
    """Dispersion of many runs side by side, each of `rounds` times `in_flight` requests after as many to settle."""
    rng = np.random.default_rng(5)
    run = np.arange(runs)
    under_way = np.zeros((runs, in_flight), dtype=np.int64)
    active = np.zeros((runs, tasks), dtype=np.int64)
    counts = np.zeros((runs, tasks), dtype=np.int64)
    for step in range(2 * rounds * in_flight):
        slot = np.full(runs, step) if step < in_flight else rng.integers(0, in_flight, runs)
        if step >= in_flight:
            active[run, under_way[run, slot]] -= 1
        first, second = rng.integers(0, tasks, runs), rng.integers(0, tasks, runs)
        task = np.where(active[run, second] < active[run, first], second, first)
        active[run, task] += 1
        under_way[run, slot] = task
        if step >= rounds * in_flight:
            counts[run, task] += 1
    even = rounds * in_flight / tasks
    return float(((counts - even) ** 2).sum() / even / (tasks - 1) / runs)


@pytest.mark.parametrize(("tasks", "in_flight"), [(2, 2), (2, 9), (3, 16), (5, 5), (16, 4)])
def test_the_chain_is_solved_exactly(tasks: int, in_flight: int) -> None:
    runs = 16_000 // (tasks - 1)
    assert dispersion(tasks, in_flight) == pytest.approx(simulated(tasks, in_flight, runs, 40), rel=0.04)


def test_by_hand() -> None:
    """Two tasks, two requests in flight, y = +1 or -1 for the task of an arrival.

    When a request has ended, the one that stays is the latest arrival or an older one, 1/2 each. The next arrival goes
    to its task only if that is picked twice, 1/4: so it follows the one that stays with correlation 1/4 - 3/4 = -1/2.
    The one that stays agrees with y at the latest arrival by 1/2 + 1/2 (-1/2) = 1/4, and a quarter of that is left with
    each further one: correlations of arrivals add up to -1/2 (1/4) / (1 - 1/4) = -1/6, and D = 1 + 2 (-1/6).
    """
    assert dispersion(2, 2) == pytest.approx(2 / 3)


def test_many_tasks_are_nearly_independent() -> None:
    assert dispersion(40, 60) == pytest.approx(simulated(40, 60, 400, 30), rel=0.05)


@pytest.mark.parametrize(("tasks", "in_flight"), [(4, 41), (8, 21), (50, 19)])
def test_where_one_way_ends_the_other_is_near(tasks: int, in_flight: int) -> None:
    """The largest chains that are solved, and the limit of many tasks for as many requests at each."""
    assert dispersion(1_000 * tasks, 1_000 * in_flight) == pytest.approx(dispersion(tasks, in_flight), rel=0.05)


def test_one_request_in_flight_is_random_choice() -> None:
    assert dispersion(3, 1) == 1.0


def test_between_a_half_and_one() -> None:
    for tasks, in_flight in ((2, 3), (3, 50), (3, 200), (10, 10), (100, 100), (1_000, 5_000)):
        assert 0.5 < dispersion(tasks, in_flight) < 1
