from __future__ import annotations

import numpy as np
import pytest

from lab.distribution.goodness import noncentrality, requests_needed, skew_visible
from lab.distribution.presence import Exposure, constant_exposure


@pytest.mark.parametrize(("freedom", "published"), [(1, 7.85), (2, 9.63), (3, 10.90), (4, 11.94), (11, 16.80)])
def test_noncentrality_is_that_of_the_tables(freedom: int, published: float) -> None:
    """Haynam, Govindarajulu and Leone 1970, for 5 % and power 0.8; Cohen 1988 builds on them."""
    assert noncentrality(freedom) == pytest.approx(published, abs=0.01)


def even(hosts: int) -> Exposure:
    return constant_exposure(np.full(hosts, 100), np.ones(hosts))


def test_requests_that_show_five_percent() -> None:
    assert requests_needed(even(3), 2, 0.05) == 7_708
    assert requests_needed(even(12), 11, 0.05) == 73_928


def test_the_smallest_share_decides() -> None:
    unequal = constant_exposure(np.array([100, 100]), np.array([9.0, 1.0]))
    assert requests_needed(unequal, 1, 0.05) == 9 * requests_needed(even(2), 1, 0.05) - 4


def test_visible_skew_and_needed_requests_are_inverse() -> None:
    exposure = even(5)
    visible = skew_visible(exposure, 4)
    assert requests_needed(exposure, 4, visible) == pytest.approx(exposure.requests.sum(), abs=1)


def test_epochs_alike_need_what_one_epoch_needs() -> None:
    nobody = np.zeros(3, dtype=np.bool_)
    twice = Exposure(np.full((2, 3), 50), np.full((2, 3), 1 / 3), nobody, nobody)
    assert requests_needed(twice, 2, 0.05) == pytest.approx(7_708, abs=1)


def test_a_host_that_was_there_for_half_the_run_needs_about_twice_the_requests() -> None:
    nobody = np.zeros(4, dtype=np.bool_)
    third = 1 / 3
    replaced = Exposure(
        np.array([[100, 100, 100, 0], [100, 100, 0, 100]]),
        np.array([[third, third, third, 0], [third, third, 0, third]]),
        nobody,
        nobody,
    )
    assert requests_needed(replaced, 3, 0.05) / requests_needed(even(3), 2, 0.05) == pytest.approx(2.2, abs=0.3)
