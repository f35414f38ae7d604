from __future__ import annotations

import numpy as np
import pytest

from lab.distribution.judgement import analyse, judge
from lab.distribution.presence import exposure_over
from lab.errors import BadInput
from lab.records.observations import Integers, SequenceCounter, WindowCounter, Windows
from tests.lab.distribution.observed import counted


def by_second(hosts: Integers, per_second: int = 50, size: int | None = None) -> Windows:
    counter = WindowCounter("seconds", 1)
    counter.add(1_764_000_000 + np.arange(len(hosts)) // per_second, hosts)
    return counter.windows(size or int(hosts.max()) + 1)


def replaced_half_way(rng: np.random.Generator, requests: int, share: tuple[float, ...] = (1, 1, 1)) -> Integers:
    """Host 2 leaves half-way, host 3 takes its place."""
    probability = np.array(share) / sum(share)
    first = rng.choice(3, requests // 2, p=probability)
    second = rng.choice(3, requests - requests // 2, p=probability)
    return np.concatenate((first, np.where(second == 2, 3, second)))


def p_values(hosts: Integers, windows: Windows) -> tuple[float, float]:
    counts = np.bincount(hosts, minlength=windows.counts.shape[1])
    judgement = judge(counted({f"host-{i}": int(n) for i, n in enumerate(counts)}, windows=windows))
    return judgement.p_value, judgement.p_value_lower


def test_hosts_that_stayed_make_one_epoch_of_all_requests() -> None:
    hosts = np.random.default_rng(1).integers(0, 3, 3_000)
    exposure = exposure_over(np.bincount(hosts), np.ones(3), by_second(hosts))
    assert exposure.counts.tolist() == [np.bincount(hosts).tolist()]
    assert exposure.left_out == 0


def test_a_replaced_host_is_judged_over_its_own_time() -> None:
    hosts = replaced_half_way(np.random.default_rng(2), 6_000)
    exposure = exposure_over(np.bincount(hosts), np.ones(4), by_second(hosts))
    assert exposure.joined.tolist() == [False, False, False, True]
    assert exposure.left.tolist() == [False, False, True, False]
    assert exposure.shares.shape == (2, 4)
    assert sorted((exposure.shares > 0).sum(axis=0).tolist()) == [1, 1, 2, 2]
    # The last second of the one and the first of the other, and five seconds before and after.
    assert (exposure.left_out, exposure.settle) == (600, 5.0)
    assert exposure_over(np.bincount(hosts), np.ones(4), by_second(hosts), settle=0.0).left_out == 100
    assert exposure.counts.sum() + exposure.left_out == 6_000
    counts_alone = {f"host-{i}": int(n) for i, n in enumerate(np.bincount(hosts))}
    assert judge(counted(counts_alone)).p_value < 1e-6
    assert p_values(hosts, by_second(hosts))[0] > 0.05


def test_replacement_makes_no_false_alarms_and_hides_no_skew() -> None:
    rng = np.random.default_rng(3)
    even, regular, skewed = 0, 0, 0
    for _ in range(200):
        fair = replaced_half_way(rng, 6_000)
        upper, lower = p_values(fair, by_second(fair))
        even += upper <= 0.05
        regular += lower <= 0.025
        unfair = replaced_half_way(rng, 12_000, (1.15, 1, 1))
        skewed += p_values(unfair, by_second(unfair))[0] <= 0.05
    assert 0.02 <= even / 200 <= 0.08
    assert regular / 200 <= 0.05
    assert skewed / 200 >= 0.8


def test_a_late_first_answer_by_chance_is_not_a_late_host() -> None:
    """Two requests a second over twelve hosts: most are first seen after seconds, and all were there."""
    rng = np.random.default_rng(4)
    for _ in range(50):
        hosts = rng.integers(0, 12, 400)
        exposure = exposure_over(np.bincount(hosts, minlength=12), np.ones(12), by_second(hosts, 2, 12))
        assert not exposure.joined.any()
        assert not exposure.left.any()


def test_a_sticky_order_is_not_taken_for_hosts_that_come_and_go() -> None:
    hosts = np.repeat(np.array([0, 1, 2, 1, 0, 2, 2, 0, 1]), 1_000)
    counter = SequenceCounter(timed=False)
    counter.add(hosts)
    windows, _ = counter.result(["a", "b", "c"])
    exposure = exposure_over(np.bincount(hosts), np.ones(3), windows)
    assert not exposure.joined.any()
    assert not exposure.left.any()


def test_a_host_that_never_answered_was_there() -> None:
    hosts = np.random.default_rng(5).integers(0, 2, 500)
    windows = by_second(hosts)
    assert judge(counted({"a": 250, "b": 250, "c": 0}, windows=windows)).p_value < 1e-4
    assert analyse(counted({"a": 250, "b": 250}, windows=windows), weights={"c": 1}).judgement.hosts == 3


def test_one_host_at_a_time_is_nothing_to_compare() -> None:
    windows = by_second(np.repeat([0, 1], 3_000))
    with pytest.raises(BadInput, match="no two hosts were there at the same time"):
        judge(counted({"a": 3_000, "b": 3_000}, windows=windows))


def test_the_analysis_says_who_came_and_went() -> None:
    hosts = replaced_half_way(np.random.default_rng(6), 6_000)
    counts = {f"host-{i}": int(n) for i, n in enumerate(np.bincount(hosts))}
    analysis = analyse(counted(counts, windows=by_second(hosts)))
    assert [(share.host, share.joined, share.left) for share in analysis.shares][2:] == [
        ("host-2", False, True),
        ("host-3", True, False),
    ]
    assert analysis.shares[3].expected_share == pytest.approx(1 / 3)
    assert analysis.judgement.left_out > 0


def test_records_of_who_was_there_win_over_the_answers() -> None:
    """A host that was there from the beginning and silent for half of the run got too little; it did not join late."""
    hosts = replaced_half_way(np.random.default_rng(7), 6_000)
    counts = {f"host-{i}": int(n) for i, n in enumerate(np.bincount(hosts))}
    begin = 1_764_000_000
    there = judge(counted(counts, windows=by_second(hosts), presence={"host-3": (None, None)}))
    presence = {"host-2": (None, begin + 60.4), "host-3": (begin + 58.2, None)}
    known = judge(counted(counts, windows=by_second(hosts), presence=presence))
    assert there.p_value < 1e-6
    assert known.p_value > 0.01
    # Of 50 a second: from the arrival at 58.2, or the first answer at 60, to 5 s after the first answer or departure.
    assert known.left_out == 50 * (66 - 58)


def test_a_settle_time_that_cannot_be() -> None:
    with pytest.raises(BadInput, match="a settle time of -1 s"):
        analyse(counted({"a": 1, "b": 1}), settle=-1)
