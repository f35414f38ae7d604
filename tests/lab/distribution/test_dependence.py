from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from lab.distribution.dependence import Dependence, dependence, repeat_moments
from lab.distribution.goodness import ALPHA
from lab.records.observations import Integers, SequenceCounter


def found_in(hosts: Integers, connections: Integers | None = None) -> Dependence | None:
    counter = SequenceCounter(timed=False)
    counter.add(hosts, connections=connections)
    windows, sequence = counter.result([f"host-{number}" for number in range(int(hosts.max()) + 1)])
    return dependence(windows, sequence, whole=True)


@pytest.mark.parametrize("counts", [[3, 4], [1, 2, 3], [2, 2, 2], [5, 1, 1]])
def test_moments_are_those_of_all_orders(counts: list[int]) -> None:
    hosts = [host for host, count in enumerate(counts) for _ in range(count)]
    repeats = [sum(a == b for a, b in itertools.pairwise(order)) for order in itertools.permutations(hosts)]
    mean, variance = repeat_moments(counts, pairs=len(hosts) - 1, chains=1)
    assert mean == pytest.approx(np.mean(repeats))
    assert variance == pytest.approx(np.var(repeats))


def test_moments_on_several_connections_are_those_of_all_orders() -> None:
    hosts = [0, 0, 0, 1, 1, 2, 2]
    repeats = [sum(order[i] == order[i + 1] for i in (0, 1, 3, 4, 5)) for order in set(itertools.permutations(hosts))]
    mean, variance = repeat_moments([3, 2, 2], pairs=5, chains=2)
    assert mean == pytest.approx(np.mean(repeats))
    assert variance == pytest.approx(np.var(repeats))


def test_moments_for_two_hosts_are_those_of_wald_and_wolfowitz() -> None:
    """Runs of two kinds (1940): mean 2 m n / N + 1, variance 2 m n (2 m n - N) / (N^2 (N - 1))."""
    m, n = 35, 22
    mean, variance = repeat_moments([m, n], pairs=m + n - 1, chains=1)
    assert m + n - mean == pytest.approx(2 * m * n / (m + n) + 1)
    assert variance == pytest.approx(2 * m * n * (2 * m * n - m - n) / ((m + n) ** 2 * (m + n - 1)))


def test_rain_in_tel_aviv_is_sticky() -> None:
    """Gabriel and Neumann 1962: after a dry day 350 of 1,399 days are wet, after a wet one 687 of 1,038."""
    # Stretches of dry and wet days that have these transitions: 351 of each, so 350 changes to wet and 351 to dry.
    dry, wet = np.full(351, 0), np.full(351, 1)
    lengths_dry, lengths_wet = np.ones(351, dtype=int), np.ones(351, dtype=int)
    lengths_dry[0] += 1_049
    lengths_wet[0] += 687
    order = np.stack((wet, dry), axis=1).ravel()
    found = found_in(np.repeat(order, np.stack((lengths_wet, lengths_dry), axis=1).ravel()))
    assert found is not None
    assert found.matrix is not None
    assert found.matrix.rows == ((1_049, 350), (351, 687))
    assert found.matrix.degrees_of_freedom == 1
    assert found.matrix.chi_square == pytest.approx(2_437 * found.matrix.cramers_v**2)
    assert found.matrix.cramers_v == pytest.approx(687 / 1_038 - 350 / 1_399, abs=5e-3)
    assert found.p_sticky <= ALPHA
    assert found.repeats == 1_049 + 687


def test_independent_answers_are_neither_sticky_nor_in_turn() -> None:
    rng = np.random.default_rng(1)
    found = [found_in(rng.integers(0, 3, 2_000)) for _ in range(400)]
    assert 0.03 <= sum(f is not None and f.p_sticky <= 0.05 for f in found) / 400 <= 0.07
    assert 0.03 <= sum(f is not None and f.p_in_turn <= 0.05 for f in found) / 400 <= 0.07
    assert 0.03 <= sum(f is not None and f.matrix is not None and f.matrix.p_value <= 0.05 for f in found) / 400 <= 0.07


def test_sticky_answers_are_seen_with_the_stated_power() -> None:
    """With a tenth of the answers sticky, 3 hosts need 6.18 / ((3 - 1) 0.1^2) = 309 answers for 80 %."""
    rng = np.random.default_rng(2)
    seen = 0
    for _ in range(500):
        hosts = rng.integers(0, 3, 309)
        for index in np.flatnonzero(rng.random(309) < 0.1):
            hosts[index] = hosts[index - 1] if index else hosts[index]
        found = found_in(hosts)
        seen += found is not None and found.p_sticky <= ALPHA
    assert 0.75 <= seen / 500 <= 0.85


def test_interleaved_connections_are_taken_apart() -> None:
    """Forty connections, each stuck to one host, look independent unless the connection is known."""
    rng = np.random.default_rng(3)
    connections = rng.integers(0, 40, 3_000)
    hosts = rng.integers(0, 3, 40)[connections]
    mixed, apart = found_in(hosts), found_in(hosts, connections)
    assert mixed is not None
    assert apart is not None
    assert mixed.p_sticky > ALPHA
    assert apart.p_sticky <= ALPHA
    assert (apart.pairs, apart.repeats) == (2_960, 2_960)


def test_blocks_make_no_difference() -> None:
    rng = np.random.default_rng(4)
    hosts, connections = rng.integers(0, 5, 5_000), rng.integers(0, 300, 5_000)
    whole, parts = SequenceCounter(timed=False), SequenceCounter(timed=False)
    whole.add(hosts, connections=connections)
    for start in range(0, 5_000, 37):
        parts.add(hosts[start : start + 37], connections=connections[start : start + 37])
    names = list("abcde")
    (one, one_order), (other, other_order) = whole.result(names), parts.result(names)
    assert one_order.chains == other_order.chains == 300
    assert np.array_equal(one_order.transitions, other_order.transitions)  # type: ignore[arg-type]
    assert (one.counts == other.counts).all()
    assert (one.repeats == other.repeats).all()
    assert one.pairs.sum() == 4_700


def test_too_few_answers_say_nothing() -> None:
    assert found_in(np.array([0, 1, 0, 1, 0])) is None


def test_many_hosts_have_no_matrix_but_an_order() -> None:
    found = found_in(np.tile(np.repeat(np.arange(200), 3), 20))
    assert found is not None
    assert found.matrix is None
    assert found.p_sticky <= ALPHA
    assert math.isclose(found.run_length, 3, rel_tol=0.01)
