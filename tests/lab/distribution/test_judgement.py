from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.distribution.judgement import judge
from lab.errors import BadInput

SEED_RUN = {"ip-10-0-218-147": 1183, "ip-10-0-221-6": 1115, "ip-10-0-66-78": 1253}

some_counts = st.dictionaries(st.text(min_size=1, max_size=8), st.integers(0, 10**12), min_size=2, max_size=30)


def test_the_run_that_started_the_project_is_uneven() -> None:
    judgement = judge(SEED_RUN)
    assert judgement.verdict == "uneven"
    assert judgement.requests == 3551
    assert judgement.degrees_of_freedom == 2
    assert judgement.chi_square == pytest.approx(8.045, abs=5e-4)
    assert judgement.p_value == pytest.approx(0.0179, abs=5e-5)
    assert judgement.max_deviation == pytest.approx(1253 / (3551 / 3) - 1)
    assert judgement.furthest_host == "ip-10-0-66-78"
    assert "p = 0.018" in judgement.explanation


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        ({"a": 400, "b": 400, "c": 400}, "round-robin"),
        ({"a": 4000, "b": 4060, "c": 4100}, "random"),
        ({"a": 10, "b": 14, "c": 12}, "too-few"),
        ({"a": 0, "b": 0}, "too-few"),
        ({"a": 1, "b": 0}, "too-few"),
        # A rejection wins, however few the requests.
        ({"a": 12, "b": 0, "c": 0}, "uneven"),
        # Two hosts in turn, an odd number of times: counts alone cannot tell (p = 0.0504).
        ({"a": 501, "b": 500}, "too-few"),
    ],
)
def test_verdicts(counts: dict[str, int], verdict: str) -> None:
    assert judge(counts).verdict == verdict


def test_requests_without_a_host_are_counted_and_left_out() -> None:
    judgement = judge({"a": 10, "b": 14, "": 7})
    assert (judgement.requests, judgement.unknown_host, judgement.hosts) == (24, 7, 2)


def test_weights_are_expected_ratios_and_may_name_a_host_that_never_answered() -> None:
    assert judge({"a": 20_000, "b": 10_000, "c": 10_100}, weights={"a": 2}).verdict == "random"
    silent = judge({"a": 50, "b": 50}, weights={"c": 1})
    assert (silent.hosts, silent.verdict, silent.furthest_host, silent.max_deviation) == (3, "uneven", "c", 1.0)


def test_as_little_spread_as_none_still_has_a_probability() -> None:
    assert judge({"a": 4000, "b": 4000, "c": 4000}).p_value_lower == pytest.approx(
        math.sqrt(3) * 3 / (2 * math.pi * 12_000), rel=0.01
    )


@pytest.mark.parametrize(
    ("counts", "options", "words"),
    [
        ({}, {}, "no host"),
        ({"a": 10}, {}, "only one host (a)"),
        ({"a": 10, "": 3}, {}, "only one host (a)"),
        ({"a": 10, "b": -1}, {}, "the count -1 of host 'b' is negative"),
        ({"a": 10, "b": 1.5}, {}, "the count 1.5 of host 'b' is not a whole number"),
        ({"a": 2**60, "b": 1}, {}, "beyond exact arithmetic"),
        ({"a": 1, "b": 1}, {"weights": {"a": 0.0}}, "the weight 0 of host 'a'"),
        ({"a": 1, "b": 1}, {"weights": {"a": math.nan}}, "the weight nan of host 'a'"),
        ({"a": 1, "b": 1}, {"detect": 0.0}, "a skew of 0"),
    ],
)
def test_bad_input_is_one_sentence(counts: dict[str, Any], options: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput) as error:
        judge(counts, **options)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@settings(deadline=None)
@given(some_counts, st.randoms(use_true_random=False))
def test_neither_order_nor_names_matter_and_nothing_is_nan(counts: dict[str, int], rng: random.Random) -> None:
    judgement = judge(counts)
    shuffled = list(counts.items())
    rng.shuffle(shuffled)
    assert judge(dict(shuffled)) == judgement
    numbers = [value for value in asdict(judgement).values() if isinstance(value, float)]
    assert all(math.isfinite(number) for number in numbers)
    assert 0 <= judgement.cramers_v <= 1
    assert 0 < judgement.p_value_lower <= 1
    renamed = judge({f"host-{index}.eu-west-2.compute.internal": count for index, count in enumerate(counts.values())})
    assert (renamed.chi_square, renamed.p_value, renamed.verdict, renamed.max_deviation) == (
        judgement.chi_square,
        judgement.p_value,
        judgement.verdict,
        judgement.max_deviation,
    )


def test_two_thousand_even_runs_are_called_uneven_as_often_as_stated() -> None:
    runs = np.random.default_rng(7).multinomial(8_000, [1 / 3] * 3, size=2_000)
    verdicts = Counter(judge(dict(zip("abc", run.tolist(), strict=True))).verdict for run in runs)
    assert 0.04 <= verdicts["uneven"] / 2_000 <= 0.06
    assert 0.015 <= verdicts["round-robin"] / 2_000 <= 0.035
    assert verdicts["too-few"] == 0


@pytest.mark.parametrize(("hosts", "needed"), [(3, 7_708), (12, 73_928)])
def test_a_host_five_percent_off_is_seen_with_the_stated_power(hosts: int, needed: int) -> None:
    assert judge({str(host): 10 for host in range(hosts)}).requests_needed == needed
    share = np.full(hosts, (1 - 1.05 / hosts) / (hosts - 1))
    share[0] = 1.05 / hosts
    runs = np.random.default_rng(8).multinomial(needed, share, size=1_000)
    uneven = sum(judge({str(i): int(n) for i, n in enumerate(run)}).verdict == "uneven" for run in runs)
    assert 0.77 <= uneven / 1_000 <= 0.83


def test_one_of_many_judgements_is_slower_to_call_a_split_regular() -> None:
    """At p < 0.001 only, and without saying how hosts are picked."""
    seldom, hardly_ever = {"a": 10_000, "b": 10_008, "c": 9_992}, {"a": 30_000, "b": 30_000, "c": 30_001}

    assert judge(seldom).verdict == "round-robin"
    assert judge(seldom, among_many=True).verdict == "random"
    judgement = judge(hardly_ever, among_many=True)
    assert judgement.verdict == "round-robin"
    assert judgement.explanation == (
        "More even than random choice usually is (p < 0.0001): 90,001 requests over 3 hosts "
        "(chi-square 0.00 on 2 degrees of freedom)."
    )


def test_one_of_many_judgements_is_slower_to_call_a_split_uneven() -> None:
    """And says how many requests show a skew to that slower test."""
    alone, many = judge(SEED_RUN), judge(SEED_RUN, among_many=True)
    assert (alone.verdict, many.verdict) == ("uneven", "too-few")
    assert alone.p_value == many.p_value
    assert judge({"a": 1_000, "b": 1_000, "c": 1_200}, among_many=True).verdict == "uneven"

    share = np.array([1.05 / 3, *[(1 - 1.05 / 3) / 2] * 2])
    runs = np.random.default_rng(9).multinomial(many.requests_needed, share, size=600)
    uneven = sum(
        judge(dict(zip("abc", run.tolist(), strict=True)), among_many=True).verdict == "uneven" for run in runs
    )
    assert 0.75 <= uneven / 600 <= 0.85
    even = np.random.default_rng(10).multinomial(many.requests_needed, [1 / 3] * 3, size=600)
    verdicts = [judge(dict(zip("abc", run.tolist(), strict=True)), among_many=True).verdict for run in even]
    assert sum(verdict != "random" for verdict in verdicts) <= 4
