from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lab.distribution.gateway import Gateway, Policy
from lab.distribution.policies import Band, Candidate, compare, measured, p_value, sample, skew
from lab.distribution.presence import Exposure, constant_exposure
from lab.errors import BadInput


def candidates(counts: list[int]) -> dict[tuple[Policy, int | None], Candidate]:
    run = measured(constant_exposure(np.array(counts), np.ones(len(counts))))
    return {(c.policy, c.parameter): c for c in compare(run, np.random.default_rng(1))}


def test_the_run_that_started_the_project_is_like_sticky_connections_only() -> None:
    found = candidates([1183, 1115, 1253])
    compatible = {key for key, candidate in found.items() if candidate.compatible}
    assert {policy for policy, _ in compatible} == {Policy.STICKY}
    assert (Policy.STICKY, 10) in compatible
    # Random choice: twice the upper tail of chi-square 8.045 on 2 degrees of freedom.
    assert found[Policy.RANDOM, None].p_value == pytest.approx(2 * 0.0179, abs=0.006)


def test_an_even_run_is_like_round_robin_of_few_front_ends() -> None:
    found = candidates([1184, 1183, 1184])
    assert found[Policy.ROUND_ROBIN, 1].compatible
    assert not found[Policy.RANDOM, None].compatible
    assert not found[Policy.STICKY, 10].compatible


def test_a_policy_is_found_compatible_with_its_own_runs_as_often_as_stated() -> None:
    rng = np.random.default_rng(3)
    gateway = Gateway(Policy.ROUND_ROBIN, tasks=5, front_ends=20)
    own = [
        p_value(measured(constant_exposure(run, np.ones(5))), gateway, rng)[0] > 0.05
        for run in sample(gateway, 2_000, 60, rng)
    ]
    assert 0.85 <= sum(own) / 60 <= 1


def test_only_the_longest_stretch_is_compared() -> None:
    nobody = np.zeros(3, dtype=np.bool_)
    exposure = Exposure(
        np.array([[50, 60, 0], [500, 0, 480]]), np.array([[0.5, 0.5, 0], [0.5, 0, 0.5]]), nobody, nobody
    )
    run = measured(exposure)
    assert (run.requests, run.tasks, run.whole) == (980, 2, False)
    assert run.max_deviation == pytest.approx(10 / 490)


def test_what_cannot_be_compared() -> None:
    with pytest.raises(BadInput, match="equal weights"):
        measured(constant_exposure(np.array([5, 5]), np.array([1.0, 2.0])))
    with pytest.raises(BadInput, match="nothing to compare"):
        measured(constant_exposure(np.array([0, 0]), np.ones(2)))
    nothing = constant_exposure(np.array([0, 0]), np.ones(2))
    with pytest.raises(BadInput, match=r"no request is left once 5 s around each host that came or went are left out"):
        measured(replace(nothing, left_out=400, settle=5.0))


def test_skew_falls_by_the_root_for_chance_and_by_the_number_for_round_robin() -> None:
    def largest(policy: Policy) -> tuple[Band, Band]:
        few, many = (skew(Gateway(policy, tasks=7), n, np.random.default_rng(2)) for n in (1_000, 100_000))
        return few.max_deviation, many.max_deviation

    few, many = largest(Policy.RANDOM)
    assert few.median / many.median == pytest.approx(10, rel=0.15)
    assert few.low < few.median < few.high
    assert largest(Policy.STICKY)[0].median > few.median
    few, many = largest(Policy.ROUND_ROBIN)
    assert few.median / many.median == pytest.approx(100, rel=0.3)


def test_dispersion_of_many_runs() -> None:
    found = skew(Gateway(Policy.STICKY, tasks=50, run_length=10), 100_000, np.random.default_rng(4))
    assert found.dispersion.median == pytest.approx(10, rel=0.1)
    assert found.runs == 1_000
