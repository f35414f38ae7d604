from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from load.groups.latency import SECOND_BITS, bucket_of, buckets_of, coarser, percentiles


@given(st.lists(st.floats(0.001, 3_600_000), min_size=1, max_size=50), st.floats(0.1, 100))
def test_a_percentile_is_within_half_a_percent_of_the_exact_one(latencies: list[float], rank: float) -> None:
    (found,) = percentiles(Counter(map(bucket_of, latencies)), [rank])
    exact = sorted(latencies)[math.ceil(rank / 100 * len(latencies)) - 1]
    assert found == pytest.approx(exact, rel=0.005, abs=0.001)


@given(st.lists(st.floats(0.01, 3_600_000), min_size=1, max_size=50))
def test_what_is_kept_by_second_is_within_four_percent(latencies: list[float]) -> None:
    buckets = coarser(Counter(map(bucket_of, latencies)))
    (found,) = percentiles(buckets, [100], bits=SECOND_BITS)
    assert found == pytest.approx(max(latencies), rel=0.04, abs=0.001)
    assert sum(buckets.values()) == len(latencies)


def test_percentiles_of_nothing_are_zero() -> None:
    assert percentiles({}, (50, 99)) == [0.0, 0.0]


def test_an_hour_has_few_buckets() -> None:
    edges = {bucket_of(1.01**power / 1000) for power in range(3000)}
    assert len({edge for edge in edges if edge <= 3_600_000_000}) < 3400


@given(st.lists(st.floats(0, 3_600_000), max_size=20))
def test_buckets_hold_the_eight_first_bits_of_the_microseconds(latencies: list[float]) -> None:
    def of_one(milliseconds: float) -> int:
        microseconds = int(milliseconds * 1000)
        excess = max(0, microseconds.bit_length() - 8)
        return microseconds >> excess << excess

    assert buckets_of(latencies) == [*map(of_one, latencies)]


def test_what_is_no_latency_has_no_bucket_and_takes_none_from_others() -> None:
    given: list[float | None] = [2.0, None, -1.0, math.inf, math.nan, 3]

    assert buckets_of(given) == [2000, None, None, None, None, 2992]
    assert buckets_of([2.0, -1.0, math.inf]) == [2000, None, None]
    with pytest.raises(ValueError, match="-1"):
        bucket_of(-1.0)
