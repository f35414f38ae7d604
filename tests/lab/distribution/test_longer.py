from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy import stats

from lab.distribution.intervals import coarse
from lab.distribution.longer import LongerRun, longer_run
from lab.records.observations import Integers, Windows

SHARES = np.full(3, 1 / 3)


def windows_of(table: Integers) -> Windows:
    nothing = np.zeros(len(table), dtype=np.int64)
    return Windows("seconds", 1, np.arange(len(table)), table, nothing, nothing)


def asked(table: Integers) -> LongerRun:
    counts = table.sum(axis=0)
    answer = longer_run(float(stats.chisquare(counts).statistic), 2, int(counts.sum()), windows_of(table), SHARES)
    assert answer is not None
    return answer


def chance(rng: np.random.Generator, shares: list[float], windows: int = 100, each: int = 100) -> Integers:
    return rng.multinomial(each, shares, size=windows)


def test_chance_shrinks_and_is_called_so_as_often_as_stated() -> None:
    rng = np.random.default_rng(1)
    answers = Counter(asked(chance(rng, [1 / 3] * 3)).answer for _ in range(400))
    assert 0.93 <= answers["shrinks"] / 400 <= 0.97
    assert 0.01 <= answers["stays"] / 400 <= 0.04
    assert 0.01 <= answers["drifts"] / 400 <= 0.04


def test_bias_stays() -> None:
    rng = np.random.default_rng(2)
    answers = [asked(chance(rng, [0.36, 0.32, 0.32])) for _ in range(100)]
    assert sum(answer.answer == "stays" for answer in answers) >= 90
    # The skew of the shares themselves: root mean square of +8 %, -4 %, -4 %.
    inside = [answer.remaining_low <= np.sqrt(0.0032) <= answer.remaining_high for answer in answers]
    assert sum(inside) >= 90
    assert "so a longer run would not help" in answers[0].explanation


def test_drift_is_no_matter_of_a_longer_run() -> None:
    rng = np.random.default_rng(3)
    slope = np.linspace(-0.1, 0.1, 100)[:, np.newaxis] * np.array([1, -0.5, -0.5])
    drifting = [asked(np.array([rng.multinomial(100, p) for p in 1 / 3 + slope])) for _ in range(50)]
    assert sum(answer.answer == "drifts" for answer in drifting) >= 45


def test_sticky_connections_spread_more_and_shrink_all_the_same() -> None:
    rng = np.random.default_rng(4)
    sticky = [asked(10 * chance(rng, [1 / 3] * 3, each=30)) for _ in range(200)]
    assert sum(answer.answer == "shrinks" for answer in sticky) >= 180
    assert np.mean([answer.skew / answer.skew_by_chance for answer in sticky]) > 2
    # What the windows say is allowed for: few of these runs exclude that nothing would remain.
    assert sum(answer.remaining_low > 0 for answer in sticky) <= 20


def test_without_windows_only_what_remains_can_be_said() -> None:
    answer = longer_run(8.045, 2, 3_551, None, SHARES)
    assert answer is not None
    assert (answer.answer, answer.windows, answer.p_stays) == ("unknown", 0, None)
    assert answer.skew == pytest.approx(0.0476, abs=5e-5)
    assert stats.ncx2.cdf(8.045, 2, answer.remaining_low**2 * 3_551) == pytest.approx(0.975, abs=1e-6)
    assert stats.ncx2.cdf(8.045, 2, answer.remaining_high**2 * 3_551) == pytest.approx(0.025, abs=1e-6)
    assert longer_run(0.0, 2, 0, None, SHARES) is None


def test_coarse_windows_hold_everything_and_enough() -> None:
    rng = np.random.default_rng(5)
    table = chance(rng, [0.7, 0.2, 0.1], windows=1_000, each=7)
    merged = coarse(windows_of(table), np.array([0.7, 0.2, 0.1]), 32)
    assert (merged.sum(axis=0) == table.sum(axis=0)).all()
    assert 25 <= len(merged) <= 32
    few = coarse(windows_of(table[:20]), np.array([0.7, 0.2, 0.1]), 32)
    assert few.sum(axis=1).min() >= 0.5 * 50
    assert len(coarse(windows_of(table[:0]), SHARES, 32)) == 0
