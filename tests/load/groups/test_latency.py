from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from load.groups.latency import SECOND_BITS, bucket_of, coarser, percentiles


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
