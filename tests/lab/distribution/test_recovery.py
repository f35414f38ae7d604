from __future__ import annotations

import numpy as np
import pytest

from lab.distribution.recovery import EvenAgain, even_again
from lab.records.observations import Integers

EVENT = 15


def replaced(rng: np.random.Generator, truth: int, rate: int, after: int, hosts: int = 3) -> EvenAgain:
    """A host stops, a new one comes 2 s later and gets half its share until the truth; 0: nothing happens."""
    seconds = EVENT + after
    weight = np.ones((seconds, hosts + 1))
    weight[:, hosts] = 0
    if truth:
        weight[EVENT:, hosts - 1] = 0
        weight[EVENT + 2 : EVENT + truth, hosts] = 0.5
        weight[EVENT + truth :, hosts] = 1
    counts = rng.multinomial(rng.poisson(rate, seconds), weight / weight.sum(axis=1, keepdims=True))
    final = [*range(hosts - 1), hosts if truth else hosts - 1]
    return even_again(counts, EVENT, final, np.zeros(seconds, dtype=np.int64))


@pytest.mark.parametrize("rate", [100, 1_000])
@pytest.mark.parametrize("truth", [0, 2, 6, 10])
def test_the_median_is_the_truth_however_long_the_after(truth: int, rate: int) -> None:
    rng = np.random.default_rng(truth + rate)
    medians, resolution = [], 0.0
    for after in (truth + 30, 60, 240):
        found = [replaced(rng, truth, rate, after) for _ in range(100)]
        seconds = [each.seconds for each in found if each.seconds is not None]
        assert len(seconds) >= 95
        assert {each.reason for each in found} <= {"reached", "uneven"}
        resolution = max(resolution, *(each.resolution_s or 0 for each in found))
        medians.append(float(np.median(seconds)))
        assert abs(medians[-1] - truth) <= float(np.median([each.resolution_s or 0 for each in found]))
    assert max(medians) - min(medians) <= resolution <= 4


def test_twelve_hosts_are_told_with_a_coarser_resolution() -> None:
    rng = np.random.default_rng(12)
    found = [replaced(rng, 10, 1_000, 60, hosts=12) for _ in range(100)]
    seconds = [each.seconds for each in found if each.seconds is not None]
    assert len(seconds) >= 95
    assert np.median(seconds) == pytest.approx(10, abs=3)


def even(rng: np.random.Generator, seconds: int, rate: int = 100) -> Integers:
    return rng.multinomial(rate, [1 / 3] * 3, size=seconds)


def test_a_failure_and_an_answer_of_a_host_that_went_are_not_even() -> None:
    counts = np.column_stack((even(np.random.default_rng(1), 60), np.zeros(60, dtype=np.int64)))
    failures = np.zeros(60, dtype=np.int64)
    failures[22] = 1
    assert even_again(counts, 20.5, [0, 1, 2], failures).seconds == 2.5
    counts[30, 3] = 1
    assert even_again(counts, 20.5, [0, 1, 2], failures).seconds == 10.5


def test_why_it_was_not_reached() -> None:
    rng = np.random.default_rng(2)
    counts, none = even(rng, 60), np.zeros(60, dtype=np.int64)
    failing = none.copy()
    failing[-2] = 3
    assert even_again(counts, 20, [0, 1, 2], failing).reason == "failures"
    assert even_again(counts, 20, [0, 1], none).reason == "other-hosts"
    assert even_again(counts, 59, [0, 1, 2], none) == EvenAgain(None, "too-few", None)
    skewed = rng.multinomial(100, [0.6, 0.2, 0.2], size=60)
    found = even_again(skewed, 20, [0, 1, 2], none)
    assert (found.seconds, found.reason) == (None, "uneven")
    assert found.resolution_s is not None


def test_a_single_host_is_even_as_soon_as_no_other_answers() -> None:
    counts = np.full((40, 2), 50)
    counts[25:, 1] = 0
    assert even_again(counts, 20, [0], np.zeros(40, dtype=np.int64)).seconds == 5.0
