from __future__ import annotations

import numpy as np
import pytest

from lab.distribution.dependence import Dependence, dependence
from lab.distribution.intervals import bound, dispersion_seen, partition, shares
from lab.distribution.presence import Exposure, constant_exposure
from lab.records.observations import Integers, SequenceCounter, WindowCounter

NAMES = list("abcdefghijkl")


def test_the_example_of_sison_and_glaz() -> None:
    """Seven counts and their Goodman intervals, from Sison and Glaz, JASA 90 (1995), table 1."""
    counts = np.array([56, 72, 73, 59, 62, 87, 58])
    published = [
        (0.085, 0.166),
        (0.115, 0.204),
        (0.116, 0.207),
        (0.091, 0.173),
        (0.096, 0.181),
        (0.143, 0.239),
        (0.089, 0.171),
    ]
    found = shares(constant_exposure(counts, np.ones(7)), NAMES[:7])
    for row, (low, high) in zip(found, published, strict=True):
        assert row.low == pytest.approx(low, abs=6e-4)
        assert row.high == pytest.approx(high, abs=6e-4)


def test_all_intervals_hold_at_once_as_often_as_stated() -> None:
    rng = np.random.default_rng(1)
    weights = np.array([3.0, 2.0, 1.0, 1.0])
    hold = 0
    for counts in rng.multinomial(500, weights / 7, size=200):
        rows = shares(constant_exposure(counts, weights), NAMES[:4])
        hold += all(row.low <= row.expected_share <= row.high for row in rows)
    assert hold / 200 >= 0.93


def test_nothing_is_known_without_requests() -> None:
    row = shares(constant_exposure(np.array([0, 0]), np.ones(2)), ["a", "b"])[0]
    assert (row.low, row.high, row.share, row.deviation) == (0, 1, 0, 0)


@pytest.mark.parametrize("known", ["order", "time"])
@pytest.mark.parametrize("run_length", [1, 4])
@pytest.mark.parametrize("hosts", [2, 3, 12])
def test_intervals_and_bounds_cover_independent_requests_and_runs_of_four(
    hosts: int, run_length: int, known: str
) -> None:
    rng = np.random.default_rng(1000 * hosts + run_length)
    truth = np.full(hosts, (1 - 1.05 / hosts) / (hosts - 1))
    truth[0] = 1.05 / hosts
    covered = bounded = 0
    for _ in range(100):
        answers = np.repeat(rng.choice(hosts, 4_000 // run_length, p=truth), run_length)
        exposure, order = observed(answers, hosts, known)
        seen = dispersion_seen(partition(exposure), order)
        assert seen is not None
        rows = shares(exposure, NAMES[:hosts], seen)
        covered += all(row.low <= share <= row.high for row, share in zip(rows, truth, strict=True))
        bounded += (bound(rows) or 0) >= 0.05
    assert covered >= 93
    assert bounded >= 93


def observed(answers: Integers, hosts: int, known: str) -> tuple[Exposure, Dependence | None]:
    counts = np.bincount(answers, minlength=hosts)
    if known == "time":
        counter = WindowCounter("seconds", 1)
        counter.add(np.arange(len(answers)) // 100, answers)
        return constant_exposure(counts, np.ones(hosts), counter.windows(hosts)), None
    order = SequenceCounter(timed=False)
    order.add(answers)
    windows, sequence = order.result(NAMES[:hosts])
    return constant_exposure(counts, np.ones(hosts), windows), dependence(windows, sequence, True)


def test_connections_that_are_tied_to_one_host_are_worth_one_request_each() -> None:
    """In every window alike, so only the order on each connection tells."""
    rng = np.random.default_rng(3)
    host_of = rng.integers(0, 3, 40)
    connections = np.tile(np.arange(40), 250)
    counter = SequenceCounter(timed=False)
    counter.add(host_of[connections], connections=connections)
    windows, sequence = counter.result(NAMES[:3])
    order = dependence(windows, sequence, True)
    exposure = constant_exposure(np.bincount(host_of[connections]), np.ones(3), windows)
    seen = dispersion_seen(partition(exposure), order)
    assert seen is not None
    assert seen.dispersion == pytest.approx(250)


def test_without_time_or_order_no_dispersion_is_seen() -> None:
    assert dispersion_seen(partition(constant_exposure(np.array([50, 60]), np.ones(2)))) is None


def test_the_bound_is_the_end_of_an_interval_that_is_furthest_off() -> None:
    rows = shares(constant_exposure(np.array([900, 1_000, 1_100]), np.ones(3)), NAMES[:3])
    assert bound(rows) == pytest.approx(max(3 * rows[2].high - 1, 1 - 3 * rows[0].low))
    assert bound(shares(constant_exposure(np.array([0, 0]), np.ones(2)), NAMES[:2])) is None
