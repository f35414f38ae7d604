from __future__ import annotations

import math
import random
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.distribution.goodness import requests_needed, skew_visible
from lab.distribution.judgement import analyse, judge
from lab.distribution.presence import expose
from lab.errors import BadInput
from lab.records.observations import Observations
from tests.lab.distribution.observed import counted

SEED_RUN = {"ip-10-0-218-147": 1183, "ip-10-0-221-6": 1115, "ip-10-0-66-78": 1253}

some_counts = st.dictionaries(st.text(min_size=1, max_size=8), st.integers(0, 10**12), min_size=2, max_size=30)


def test_the_run_that_started_the_project_is_uneven() -> None:
    judgement = judge(counted(SEED_RUN))
    assert judgement.requests == 3551
    assert judgement.bound == pytest.approx(0.117, abs=5e-4)
    assert judgement.dispersion_seen is None
    assert judgement.degrees_of_freedom == 2
    assert judgement.chi_square == pytest.approx(8.045, abs=5e-4)
    assert judgement.p_value == pytest.approx(0.0179, abs=5e-5)
    assert judgement.max_deviation == pytest.approx(1253 / (3551 / 3) - 1)
    assert judgement.furthest_deviation == judgement.max_deviation
    assert judgement.furthest_host == "ip-10-0-66-78"


@pytest.mark.parametrize(
    ("counts", "upper", "lower"),
    [
        ({"a": 400, "b": 400, "c": 400}, 1.0, 0.0007),
        ({"a": 4000, "b": 4060, "c": 4100}, 0.5353, 0.4647),
        ({"a": 0, "b": 0}, 1.0, 1.0),
        ({"a": 1, "b": 0}, 1.0, 1.0),
        ({"a": 12, "b": 0, "c": 0}, 0.0001, 1.0),
        # Two hosts in turn, an odd number of times: counts alone cannot tell.
        ({"a": 501, "b": 500}, 1.0, 0.0504),
    ],
)
def test_both_tails(counts: dict[str, int], upper: float, lower: float) -> None:
    judgement = judge(counted(counts))
    assert judgement.p_value == pytest.approx(upper, abs=2e-4)
    assert judgement.p_value_lower == pytest.approx(lower, abs=2e-4)


def evident(counts: dict[str, int]) -> set[str]:
    """What a page about these counts alone asserts."""
    return {each.what for each in analyse(counted(counts)).tested if each.shown}


def test_the_tests_of_a_page_are_one_family() -> None:
    assert evident(SEED_RUN) == {"hosts"}
    assert evident({"a": 400, "b": 400, "c": 400}) == {"regular"}
    # Alone that would be evidence; of two tests it is none.
    assert judge(counted({"a": 2_000, "b": 2_130})).p_value == pytest.approx(0.0447, abs=5e-5)
    assert evident({"a": 2_000, "b": 2_130}) == set()
    tested = analyse(Observations("counts", "counts", 1, SEED_RUN)).tested
    assert [each.p_adjusted for each in tested] == pytest.approx([2 * tested[0].p_value, 1 - tested[0].p_value])


def test_requests_without_a_host_are_counted_and_left_out() -> None:
    judgement = judge(counted({"a": 10, "b": 14, "": 7}))
    assert (judgement.requests, judgement.unknown_host, judgement.hosts) == (24, 7, 2)


def test_weights_are_expected_ratios_and_may_name_a_host_that_never_answered() -> None:
    assert analyse(counted({"a": 20_000, "b": 10_000, "c": 10_100}), weights={"a": 2}).judgement.p_value > 0.5
    silent = analyse(counted({"a": 50, "b": 50}), weights={"c": 1}).judgement
    assert (silent.hosts, silent.furthest_host, silent.furthest_deviation) == (3, "c", -1.0)
    assert silent.p_value < 1e-4


def test_as_little_spread_as_none_still_has_a_probability() -> None:
    assert judge(counted({"a": 4000, "b": 4000, "c": 4000})).p_value_lower == pytest.approx(
        math.sqrt(3) * 3 / (2 * math.pi * 12_000), rel=0.01
    )


@pytest.mark.parametrize(
    ("counts", "options", "words"),
    [
        ({}, {}, "no host"),
        ({"a": 10}, {}, "only one host (a)"),
        ({"a": 10, "": 3}, {}, "only one host (a)"),
        ({"a": 2**60, "b": 1}, {}, "beyond exact arithmetic"),
        ({"a": 1, "b": 1}, {"weights": {"a": 0.0}}, "the weight 0 of host 'a'"),
        ({"a": 1, "b": 1}, {"weights": {"a": math.nan}}, "the weight nan of host 'a'"),
        ({"a": 1, "b": 1}, {"detect": 0.0}, "a skew of 0"),
    ],
)
def test_bad_input_is_one_sentence(counts: dict[str, Any], options: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput) as error:
        analyse(counted(counts), **options)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@settings(deadline=None)
@given(some_counts, st.randoms(use_true_random=False))
def test_neither_order_nor_names_matter_and_nothing_is_nan(counts: dict[str, int], rng: random.Random) -> None:
    judgement = judge(counted(counts))
    shuffled = list(counts.items())
    rng.shuffle(shuffled)
    assert judge(counted(dict(shuffled))) == judgement
    numbers = [value for value in asdict(judgement).values() if isinstance(value, float)]
    assert all(math.isfinite(number) for number in numbers)
    assert 0 <= judgement.cramers_v <= 1
    assert 0 < judgement.p_value_lower <= 1
    names = [f"host-{index}.eu-west-2.compute.internal" for index in range(len(counts))]
    renamed = judge(counted(dict(zip(names, counts.values(), strict=True))))
    assert (renamed.chi_square, renamed.p_value, renamed.bound, renamed.max_deviation) == (
        judgement.chi_square,
        judgement.p_value,
        judgement.bound,
        judgement.max_deviation,
    )


def test_two_thousand_even_runs_reject_as_often_as_stated() -> None:
    runs = np.random.default_rng(7).multinomial(8_000, [1 / 3] * 3, size=2_000)
    found = [judge(counted(dict(zip("abc", run.tolist(), strict=True)))) for run in runs]
    assert 0.04 <= np.mean([each.p_value <= 0.05 for each in found]) <= 0.06
    assert 0.015 <= np.mean([each.p_value_lower <= 0.025 for each in found]) <= 0.035


@pytest.mark.parametrize(("hosts", "level", "needed"), [(3, 0.05, 7_708), (12, 0.05, 73_928), (3, 0.025, 9_195)])
def test_a_host_five_percent_off_is_seen_with_the_stated_power(hosts: int, level: float, needed: int) -> None:
    assert (
        judge(counted({str(host): 10 for host in range(hosts)})).one_of(round(0.05 / level)).requests_needed == needed
    )
    share = np.full(hosts, (1 - 1.05 / hosts) / (hosts - 1))
    share[0] = 1.05 / hosts
    runs = np.random.default_rng(8).multinomial(needed, share, size=1_000)
    uneven = sum(judge(counted({str(i): int(n) for i, n in enumerate(run)})).p_value <= level for run in runs)
    assert 0.77 <= uneven / 1_000 <= 0.83


@pytest.mark.parametrize("counts", [{"a": 400, "b": 410, "c": 390}, {"a": 0, "b": 0}])
def test_as_one_of_so_many_tests_it_is_as_if_judged_at_their_level(counts: dict[str, int]) -> None:
    alone, one, exposure = judge(counted(counts)), judge(counted(counts)).one_of(8), expose(counted(counts)).exposure
    freedom = alone.degrees_of_freedom
    visible = skew_visible(exposure, freedom, 0.05 / 8)

    assert alone.one_of(1) == alone
    assert one.requests_needed == pytest.approx(requests_needed(exposure, freedom, 0.05, 0.05 / 8), rel=1e-4)
    assert one.skew_visible == (pytest.approx(visible) if math.isfinite(visible) else None)
    assert (alone.tests, one.tests) == (1, 8)
