from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from lab.distribution.goodness import ALPHA, holm
from lab.distribution.intervals import coarse, partition
from lab.distribution.judgement import LongerRun, analyse, judge, longer_run
from lab.distribution.presence import constant_exposure
from lab.records.observations import Integers, Windows
from tests.lab.distribution.observed import counted

SHARES = np.full(3, 1 / 3)


def windows_of(table: Integers) -> Windows:
    nothing = np.zeros(len(table), dtype=np.int64)
    return Windows("seconds", 1, np.arange(len(table)), table, nothing, nothing)


def asked(table: Integers) -> LongerRun:
    """As a page of the two tests of `longer_run` would have it."""
    exposure = constant_exposure(table.sum(axis=0), SHARES, windows_of(table))
    parts = partition(exposure)
    assert parts is not None
    tests = {"stays": parts.p_stays, "drifts": parts.p_trend}
    shown = {what for what, found in zip(tests, holm(list(tests.values())), strict=True) if found <= ALPHA}
    judgement = judge(counted(dict(zip("abc", table.sum(axis=0).tolist(), strict=True)), windows=windows_of(table)))
    answer = longer_run(exposure, parts, judgement.one_of(len(tests)), shown)
    assert answer is not None
    return answer


def chance(rng: np.random.Generator, shares: list[float], windows: int = 100, each: int = 100) -> Integers:
    return rng.multinomial(each, shares, size=windows)


BIASED = [1.05 / 3, 0.975 / 3, 0.975 / 3]


def test_chance_is_seldom_called_lasting_or_drifting() -> None:
    rng = np.random.default_rng(1)
    answers = Counter(asked(chance(rng, [1 / 3] * 3)).answer for _ in range(400))
    assert answers["stays"] / 400 <= 0.04
    assert answers["drifts"] / 400 <= 0.04


@pytest.mark.parametrize("requests", [2_000, 3_551, 7_708, 20_000])
def test_a_lasting_bias_is_never_said_to_shrink(requests: int) -> None:
    """It is found, or it cannot be told yet; "within" 5 % it is no more often than the bound fails."""
    rng = np.random.default_rng(requests)
    answers = Counter(asked(chance(rng, BIASED, each=requests // 100)).answer for _ in range(200))
    assert answers["within"] / 200 <= 0.05
    assert (answers["stays"] + answers["cannot-tell"]) / 200 >= 0.93


@pytest.mark.parametrize("run_length", [1, 4])
def test_the_requests_that_it_names_would_tell(run_length: int) -> None:
    """A lasting skew is found with four fifths of them; twice as many bound what there can be if there is none."""
    rng = np.random.default_rng(run_length)
    named = [asked(run_length * chance(rng, BIASED, each=60 // run_length)).requests_needed for _ in range(20)]
    each = int(np.median(named)) // 100 // run_length
    found = [asked(run_length * chance(rng, BIASED, each=each)).answer for _ in range(200)]
    assert found.count("stays") / 200 >= 0.76
    even = [asked(run_length * chance(rng, [1 / 3] * 3, each=2 * each)).answer for _ in range(200)]
    assert even.count("within") / 200 >= 0.8


def test_bias_stays() -> None:
    rng = np.random.default_rng(2)
    answers = [asked(chance(rng, [0.36, 0.32, 0.32])) for _ in range(100)]
    assert sum(answer.answer == "stays" for answer in answers) >= 85


def test_drift_is_no_matter_of_a_longer_run() -> None:
    rng = np.random.default_rng(3)
    slope = np.linspace(-0.1, 0.1, 100)[:, np.newaxis] * np.array([1, -0.5, -0.5])
    drifting = [asked(np.array([rng.multinomial(100, p) for p in 1 / 3 + slope])) for _ in range(50)]
    assert sum(answer.answer == "drifts" for answer in drifting) >= 45


@pytest.mark.parametrize("since", [50, 75])
def test_a_host_that_is_favoured_from_the_middle_on_is_no_difference_of_all_windows(since: int) -> None:
    rng = np.random.default_rng(5)
    shares = np.where(np.arange(100)[:, np.newaxis] < since, 1 / 3, np.array([0.25, 0.5, 0.25]))
    favoured = [asked(np.array([rng.multinomial(120, share) for share in shares])) for _ in range(20)]
    assert {answer.answer for answer in favoured} == {"drifts"}


@pytest.mark.parametrize("away", [0.05, 0.2, 0.35])
def test_a_host_that_was_away_for_a_while_is_no_difference_of_all_windows(away: float) -> None:
    rng = np.random.default_rng(6)
    found = []
    for _ in range(100):
        shares = np.tile([1 / 3] * 3, (100, 1))
        begin = int(rng.integers(0, 100 - round(100 * away)))
        shares[begin : begin + round(100 * away)] = [0, 0.5, 0.5]
        found.append(asked(np.array([rng.multinomial(90, share) for share in shares])).answer)
    assert found.count("stays") <= 2


def test_sticky_connections_spread_more_and_nothing_lasts() -> None:
    rng = np.random.default_rng(4)
    sticky = [asked(10 * chance(rng, [1 / 3] * 3, each=30)) for _ in range(200)]
    assert sum(answer.answer == "stays" for answer in sticky) <= 8
    assert np.mean([answer.skew / answer.skew_by_chance for answer in sticky]) > 2


def test_without_windows_it_cannot_be_told() -> None:
    exposure = constant_exposure(np.array([1183, 1115, 1253]), SHARES)
    assert partition(exposure) is None
    answer = longer_run(exposure, None, judge(counted({"a": 1183, "b": 1115, "c": 1253})).one_of(2), set())
    assert answer is not None
    assert (answer.answer, answer.parts) == ("unknown", None)
    assert answer.skew == pytest.approx(0.0476, abs=5e-5)
    assert (
        longer_run(constant_exposure(np.array([0, 0]), np.ones(2)), None, judge(counted({"a": 0, "b": 0})), set())
        is None
    )


def test_coarse_windows_hold_everything_and_enough() -> None:
    rng = np.random.default_rng(5)
    table = chance(rng, [0.7, 0.2, 0.1], windows=1_000, each=7)
    merged = coarse(windows_of(table), np.array([0.7, 0.2, 0.1]), 32)
    assert (merged.sum(axis=0) == table.sum(axis=0)).all()
    assert 25 <= len(merged) <= 32
    few = coarse(windows_of(table[:20]), np.array([0.7, 0.2, 0.1]), 32)
    assert few.sum(axis=1).min() >= 0.5 * 50
    assert len(coarse(windows_of(table[:0]), SHARES, 32)) == 0


@pytest.mark.parametrize(("windows", "ratio"), [(12, 1.15 / 1.3), (40, 1.0 / 1.3)])
def test_the_evidence_takes_more_requests_where_the_windows_are_few(windows: int, ratio: float) -> None:
    """As the overdispersion between 12 windows is known less well than that between the 32 of a longer run."""
    table = chance(np.random.default_rng(5), [1 / 3] * 3, windows)
    counts = dict(zip("abc", table.sum(axis=0).tolist(), strict=True))
    found = analyse(counted(counts, windows=windows_of(table)))

    assert found.longer_run is not None
    assert found.judgement.requests_needed / found.longer_run.requests_needed == pytest.approx(ratio, abs=0.005)
