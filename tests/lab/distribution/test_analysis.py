from __future__ import annotations

import json
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.distribution.judgement import analyse
from lab.errors import BadInput
from lab.records.answers import layout_of, read_lines
from lab.records.observations import Integers, Observations, SequenceCounter, WindowCounter
from lab.report.pictures.split import convergence_svgs, deviations_svgs


def observed(hosts: Integers) -> Observations:
    names = [f"host-{number}" for number in range(int(hosts.max()) + 1)]
    counter = SequenceCounter(timed=False)
    counter.add(hosts)
    windows, sequence = counter.result(names)
    counts = dict(zip(names, np.bincount(hosts).tolist(), strict=True))
    return Observations("raw", "raw", len(hosts), counts, windows=windows, sequence=sequence)


def evident(hosts: Integers) -> set[str]:
    return {each.what for each in analyse(observed(hosts)).tested if each.shown}


def in_turn(rng: np.random.Generator, requests: int, hosts: int, front_ends: int) -> Integers:
    """Round robin by several front ends that requests reach at random, all in the same order from random starts."""
    front_end = rng.integers(0, front_ends, requests)
    answers = np.empty(requests, dtype=np.int64)
    for number in range(front_ends):
        mine = front_end == number
        answers[mine] = (rng.integers(hosts) + np.arange(mine.sum())) % hosts
    return answers


def test_false_alarms_with_the_order_known() -> None:
    rng = np.random.default_rng(1)
    assert sum(bool(evident(rng.integers(0, 3, 2_000))) for _ in range(300)) <= 15


@pytest.mark.parametrize(
    ("requests", "hosts", "front_ends"), [(101, 2, 1), (1_001, 2, 1), (300, 12, 1), (3_000, 3, 4), (3_000, 3, 20)]
)
def test_round_robin_is_more_regular_than_chance(requests: int, hosts: int, front_ends: int) -> None:
    """Its counts, or with few front ends its order."""
    rng = np.random.default_rng(2)
    shown = [evident(in_turn(rng, requests, hosts, front_ends)) for _ in range(30)]
    assert sum(bool(each & {"regular", "order"}) for each in shown) >= 24
    assert not any("hosts" in each for each in shown)


@pytest.mark.parametrize("run_length", [2, 5, 50])
def test_sticky_runs_are_recognised(run_length: int) -> None:
    rng = np.random.default_rng(3)
    for _ in range(30):
        found = analyse(observed(np.repeat(rng.integers(0, 3, 4_000 // run_length), run_length)))
        assert found.judgement.dependence is not None
        assert found.judgement.dependence.p_sticky < 0.05
        assert found.shown("order")
        assert found.judgement.dispersion_seen == pytest.approx(run_length, rel=0.6)


lines = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=60)


@settings(deadline=None, max_examples=100)
@given(lines, st.sampled_from(["", "time", "time connection"]), st.randoms(use_true_random=False))
def test_any_lines_give_numbers_or_a_sentence(hosts: list[str], columns: str, rng: random.Random) -> None:
    words = {"": "", "time": "{} ", "time connection": "{} c{} "}[columns]
    text = "".join(
        f"{words.format(1_764_000_000 + rng.randrange(5), rng.randrange(3))}{host}\n" if host else "\n"
        for host in hosts
    ).encode()
    first = next((line for line in text.split(b"\n") if line), b"a")
    layout = layout_of(first)
    assert layout is not None
    observations = read_lines("raw", [text], layout)
    if len(set(hosts) - {""}) < 2:
        none = r"none of \d+ answers named its host in `x-hostname` or .*, and" if set(hosts) == {""} else "answered:"
        with pytest.raises(BadInput, match=f"{none} evenness needs at least two hosts"):
            analyse(observations)
        return
    analysis = analyse(observations)
    json.dumps(analysis.as_dict(), allow_nan=False)
    assert analysis.judgement.requests == sum(bool(host) for host in hosts)
    assert analysis.judgement.unknown_host == sum(not host for host in hosts)


@settings(deadline=None, max_examples=10)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=50), st.booleans())
def test_any_lines_can_be_drawn(hosts: list[int], skewed: bool) -> None:
    analysis = analyse(observed(np.array([0, 1, *hosts] * (1 + 3 * skewed), dtype=np.int64)))
    drawn = deviations_svgs({"": analysis.shares})
    assert len(drawn) == 1
    assert all(picture.startswith("<svg") for picture in [*drawn, *convergence_svgs(analysis)])


timelines = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 4), st.integers(1, 10_000)), min_size=1, max_size=40)


@settings(deadline=None, max_examples=100)
@given(timelines)
def test_any_timeline_gives_numbers_or_a_sentence(rows: list[tuple[int, int, int]]) -> None:
    counter = WindowCounter("seconds", 1)
    seconds, hosts, requests = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    counter.add(seconds, hosts, requests)
    windows = counter.windows(5)
    counts = {f"host-{number}": int(total) for number, total in enumerate(windows.counts.sum(axis=0))}
    zones = {host: "ab"[number % 2] for number, host in enumerate(counts)}
    try:
        analysis = analyse(Observations("run", "a run", 1, counts, zones, windows=windows))
    except BadInput as error:
        sentence = str(error)
    else:
        json.dumps(analysis.as_dict(), allow_nan=False)
        assert sum(share.requests for share in analysis.shares) == requests.sum() - analysis.judgement.left_out
        return
    assert "no two hosts were there at the same time" in sentence
