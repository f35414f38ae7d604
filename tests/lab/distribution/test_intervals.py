from __future__ import annotations

import numpy as np
import pytest

from lab.distribution.exposure import constant_exposure
from lab.distribution.intervals import shares

NAMES = ["a", "b", "c", "d", "e", "f", "g"]


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
    found = shares(constant_exposure(counts, np.ones(7)), NAMES)
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
