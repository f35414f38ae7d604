from __future__ import annotations

import itertools
from math import sqrt

import numpy as np
import pytest
from scipy import stats

from lab.distribution.goodness import ALPHA, goodness_of_fit, holm, upper_given
from lab.distribution.intervals import INDEPENDENT, Seen
from lab.distribution.presence import Exposure, constant_exposure


def one_epoch(counts: list[int], weights: list[float] | None = None) -> Exposure:
    return constant_exposure(np.array(counts), np.array(weights or [1.0] * len(counts)))


def epochs(counts: list[list[int]], shares: list[list[float]]) -> Exposure:
    nobody = np.zeros(len(counts[0]), dtype=np.bool_)
    return Exposure(np.array(counts), np.array(shares), nobody, nobody)


def test_spread_is_measured_by_the_dispersion_that_is_seen() -> None:
    goodness = goodness_of_fit(one_epoch([900, 1_000, 1_100]))  # chi-square 20
    assert upper_given(goodness, Seen(5.0, 62)) == pytest.approx(stats.f.sf(2, 2, 62))
    assert upper_given(goodness, Seen(5.0, np.inf)) == pytest.approx(stats.chi2.sf(4, 2))
    assert upper_given(goodness, INDEPENDENT) == upper_given(goodness, Seen(1.0, 62)) == goodness.upper


def test_mendels_peas() -> None:
    """Mendel 1866: 315, 101, 108 and 32 against 9:3:3:1; chi-square 0.470 (Fisher 1936)."""
    goodness = goodness_of_fit(one_epoch([315, 101, 108, 32], [9, 3, 3, 1]))
    assert goodness.chi_square == pytest.approx(0.470, abs=5e-4)
    assert goodness.degrees_of_freedom == 3
    assert goodness.upper == pytest.approx(0.925, abs=0.01)
    assert goodness.lower == pytest.approx(0.075, abs=0.01)


def test_weldons_dice() -> None:
    """106,602 fives or sixes in 315,672 throws are 5.20 standard errors too many (Fisher 1925, section 18)."""
    goodness = goodness_of_fit(one_epoch([106_602, 315_672 - 106_602], [1, 2]))
    assert sqrt(goodness.chi_square) == pytest.approx(5.20, abs=5e-3)
    assert goodness.upper == pytest.approx(2 * stats.norm.sf(5.20), rel=0.03)


@pytest.mark.parametrize("counts", [[0, 7], [3, 4], [10, 10], [1, 0], [30, 12]])
def test_two_hosts_are_exact(counts: list[int]) -> None:
    goodness = goodness_of_fit(one_epoch(counts))
    assert goodness.method == "exact"
    assert goodness.upper == pytest.approx(stats.binomtest(counts[0], sum(counts)).pvalue)
    distances = np.abs(np.arange(sum(counts) + 1) - sum(counts) / 2)
    as_near = distances <= abs(counts[0] - sum(counts) / 2)
    assert goodness.lower == pytest.approx(stats.binom.pmf(np.flatnonzero(as_near), sum(counts), 0.5).sum())


@pytest.mark.parametrize(
    ("counts", "weights"), [([5, 2, 2], [1, 1, 1]), ([3, 3, 3], [1, 1, 1]), ([6, 1, 5], [2, 1, 3])]
)
def test_small_counts_are_simulated_and_agree_with_all_outcomes(counts: list[int], weights: list[float]) -> None:
    shares = np.array(weights) / sum(weights)
    total = sum(counts)
    outcomes = np.array([c for c in itertools.product(range(total + 1), repeat=3) if sum(c) == total])
    probability = stats.multinomial.pmf(outcomes, total, shares)
    statistic = ((outcomes - total * shares) ** 2 / (total * shares)).sum(axis=1)
    observed = ((np.array(counts) - total * shares) ** 2 / (total * shares)).sum()
    goodness = goodness_of_fit(one_epoch(counts, weights))
    assert goodness.method == "simulated"
    assert goodness.upper == pytest.approx(probability[statistic >= observed - 1e-9].sum(), abs=0.01)
    assert goodness.lower == pytest.approx(probability[statistic <= observed + 1e-9].sum(), abs=0.01)


@pytest.mark.parametrize(("hosts", "each"), [(3, 60), (12, 8)])
def test_false_alarms_where_chi_square_would_be_rough(hosts: int, each: int) -> None:
    runs = np.random.default_rng(3).multinomial(hosts * each, [1 / hosts] * hosts, size=100)
    tails = [goodness_of_fit(constant_exposure(run, np.ones(hosts))) for run in runs]
    assert {tail.method for tail in tails} == {"simulated"}
    assert sum(tail.upper <= 0.05 for tail in tails) / 100 <= 0.11
    assert sum(tail.lower <= 0.025 for tail in tails) / 100 <= 0.07


def test_epochs_alike_are_one_epoch() -> None:
    whole = goodness_of_fit(one_epoch([400, 430, 470], [1, 1, 2]))
    share = [0.25, 0.25, 0.5]
    parts = goodness_of_fit(epochs([[100, 200, 170], [300, 230, 300]], [share, share]))
    assert parts.degrees_of_freedom == whole.degrees_of_freedom
    assert parts.chi_square == pytest.approx(whole.chi_square)


def test_what_is_exactly_even_in_two_epochs_has_no_spread() -> None:
    """372 and 186 requests, where floating point has -4e-46, and other values for the same in other epochs."""
    goodness = goodness_of_fit(epochs([[273, 139], [99, 47]], [[2 / 3, 1 / 3], [2 / 3, 1 / 3]]))
    assert (goodness.chi_square, goodness.upper) == (0.0, 1.0)
    assert goodness.lower == pytest.approx(stats.binom.pmf(372, 558, 2 / 3), abs=0.01)


def test_single_requests_with_changing_hosts_are_the_logrank_test() -> None:
    """Each death is a request, those at risk are the hosts with their weights: scipy's log-rank statistic, squared."""
    rng = np.random.default_rng(4)
    x, y = rng.exponential(1.0, 12), rng.exponential(1.6, 15)
    times = np.sort(np.concatenate((x, y)))
    at_risk = np.array([[(x >= t).sum(), (y >= t).sum()] for t in times], dtype=float)
    died = np.array([[(x == t).sum(), (y == t).sum()] for t in times])
    shares = at_risk / at_risk.sum(axis=1, keepdims=True)
    goodness = goodness_of_fit(epochs(died.tolist(), shares.tolist()))
    assert goodness.degrees_of_freedom == 1
    assert goodness.chi_square == pytest.approx(stats.logrank(x, y).statistic ** 2)


def test_hosts_that_were_never_there_together_are_not_compared() -> None:
    goodness = goodness_of_fit(epochs([[9, 0], [0, 30]], [[1, 0], [0, 1]]))
    assert (goodness.chi_square, goodness.degrees_of_freedom, goodness.upper, goodness.lower) == (0, 0, 1, 1)


def test_two_fleets_one_after_the_other_are_compared_each_by_itself() -> None:
    first, second = [700, 800, 0, 0], [0, 0, 500, 460]
    both = goodness_of_fit(epochs([first, second], [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]]))
    alone = [goodness_of_fit(one_epoch([n for n in counts if n])).chi_square for counts in (first, second)]
    assert both.degrees_of_freedom == 2
    assert both.chi_square == pytest.approx(sum(alone))


def test_the_example_of_holm() -> None:
    """The smallest of m is compared with level / m, the next with level / (m - 1), up to the first that is above."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == ()


def test_some_evidence_among_true_null_hypotheses_is_as_rare_as_the_level() -> None:
    p_values = np.random.default_rng(1).uniform(size=(4_000, 8))
    assert np.mean([min(holm(row.tolist())) <= ALPHA for row in p_values]) == pytest.approx(0.05, abs=0.01)
