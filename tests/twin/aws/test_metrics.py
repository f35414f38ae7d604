"""Samples by the minute, and what CloudWatch makes of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from twin.aws.metrics import Datum, Metrics, key

REQUESTS = key("AWS/ECS", "RequestCount", {"DiscoveryName": "shop"})
NOW = 6_000_000.0  # the beginning of a minute


def test_dimensions_have_no_order() -> None:
    assert key("n", "m", {"a": "1", "b": "2"}) == key("n", "m", {"b": "2", "a": "1"})


def test_each_source_has_one_sample_a_minute() -> None:
    metrics = Metrics()
    for source, value, after in (("a", 3, 0), ("a", 4, 59), ("b", 1, 5), ("a", 10, 60)):
        metrics.add(REQUESTS, value, NOW + after, source)
    assert metrics.over(REQUESTS, NOW, 60) == Datum(total=8, samples=2, least=1, most=7)
    assert metrics.over(REQUESTS, NOW, 120) == Datum(total=18, samples=3, least=1, most=10)
    assert metrics.value(REQUESTS, NOW, 60, "Average") == 4
    assert metrics.over(REQUESTS, NOW - 60, 60) is None


def test_a_level_is_the_highest_of_its_minute() -> None:
    metrics = Metrics()
    for source, value in (("a", 3), ("a", 5), ("a", 4), ("b", 2)):
        metrics.level(REQUESTS, value, NOW, source)
    assert metrics.over(REQUESTS, NOW, 60) == Datum(total=7, samples=2, least=2, most=5)


def test_statistic_sets_add_up() -> None:
    metrics = Metrics()
    metrics.put(REQUESTS, Datum(100.0, 10, 2.0, 40.0), NOW)
    metrics.put(REQUESTS, Datum(50.0, 5, 1.0, 20.0), NOW + 1)
    found = [metrics.value(REQUESTS, NOW, 60, name) for name in ("Sum", "SampleCount", "Average", "Minimum", "Maximum")]
    assert found == [150.0, 15, 10.0, 1.0, 40.0]


def test_what_is_kept_has_no_value_before_it_has_a_sample() -> None:
    metrics = Metrics()
    metrics.keep([REQUESTS])
    assert REQUESTS in metrics.minutes
    assert metrics.value(REQUESTS, NOW, 60) is None


def test_three_hours_are_kept() -> None:
    metrics = Metrics()
    for minute in range(1_000):
        metrics.add(REQUESTS, 1, NOW + 60 * minute)
    assert metrics.value(REQUESTS, NOW, 60 * 1_000) == 180


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 100), st.integers(0, 600)), max_size=30))
def test_no_sample_is_lost_and_none_counted_twice(added: list[tuple[str, int, int]]) -> None:
    metrics = Metrics()
    for source, value, after in sorted(added, key=lambda each: each[2]):
        metrics.add(REQUESTS, value, NOW + after, source)
    datum = metrics.over(REQUESTS, NOW, 660)
    assert (datum.total if datum else 0) == sum(value for _, value, _ in added)
    assert (datum.samples if datum else 0) == len({(source, after // 60) for source, _, after in added})
