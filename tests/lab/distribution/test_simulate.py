from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from tests.command import Command


@pytest.fixture
def lab(lab: Command) -> Command:
    """Runs `lab simulate`."""
    return partial(lab, "simulate")


def test_a_gateway(lab: Command) -> None:
    code, out, _ = lab("--policy", "round-robin", "--front-ends", "4", "--tasks", "12", "--requests", "1e6")
    assert code == 0
    assert "round-robin: 12 tasks, 4 front ends, 1,000,000 requests." in out
    assert "One run: No host is more than" in out
    assert "dispersion (chance: 1)" in out


def test_the_same_seed_gives_the_same_run(lab: Command) -> None:
    first, again, other = (lab("--json", "--seed", seed)[1] for seed in ("3", "3", "4"))
    assert first == again != other
    found = json.loads(first)
    assert found["gateway"]["policy"] == "random"
    assert found["run"]["requests"] == found["requests"] == 10_000
    assert found["skew"]["max_deviation"].keys() == {"low", "median", "high"}


def test_least_request_says_when_the_start_counts(lab: Command) -> None:
    few, many = (lab("--policy", "least-request", "--requests", n)[1] for n in ("100", "1000"))
    assert "the start is left out" in few
    assert "the start is left out" not in many


def test_where_no_longer_connections_are_compatible_nothing_is_said_of_them(lab: Command, tmp_path: Path) -> None:
    path = tmp_path / "counts.txt"
    path.write_text("1184 a\n1183 b\n1184 c\n")
    assert "longer ones" not in lab("--like", str(path))[1]


def test_a_policy_at_the_edge_is_shown_with_its_p_value_and_the_error_of_that(lab: Command, tmp_path: Path) -> None:
    path = tmp_path / "counts.txt"
    path.write_text("1000 a\n1064 b\n1094 c\n")
    out = lab("--like", str(path))[1]
    assert " 1, 2, 20, 50, 100 " in out
    assert " 5 (p = 0.045 ± 0.008), 10 (p = 0.047 ± 0.009)" in out
    assert "±: two standard errors of the simulation. That p is too close to 5 % to tell which it is." in out
    assert "Least request: the spread is least with one or two requests in flight for each task" in out

    path.write_text("1183 a\n1115 b\n1253 c\n")
    out = lab("--like", str(path))[1]
    assert "±" not in out
    assert "Least request:" not in out


def test_like_a_measured_run(lab: Command, tmp_path: Path) -> None:
    path = tmp_path / "counts.txt"
    path.write_text("1183 a\n1115 b\n1253 c\n")
    code, out, _ = lab("--like", str(path))
    assert code == 0
    assert "3,551 requests over 3 tasks, chi-square 8.05" in out
    assert "requests of a connection" in out
    assert "2, 5, 10, 20, 50, 200  100, 500, 1,000" in out
    assert "longer ones can be compatible where shorter ones are not" in out
    found = json.loads(lab("--like", str(path), "--json")[1])
    assert found["measured"]["requests"] == 3_551
    assert {candidate["policy"] for candidate in found["candidates"]} == {
        "random",
        "round-robin",
        "least-request",
        "sticky",
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--requests", "many"], "--requests 'many' is not a whole number"),
        (["--requests", "0"], "--requests '0' is not a whole number"),
        (["--requests", "1.5"], "--requests '1.5' is not a whole number"),
        (["--requests", "1e30"], "--requests '1e30' is not a whole number"),
        (["--seed", "-1"], "--seed -1 is negative"),
        (["--tasks", "1"], "1 tasks cannot be simulated"),
        (["--like", "no-such-file"], "no-such-file cannot be read"),
    ],
)
def test_bad_options_are_one_sentence(lab: Command, arguments: list[str], words: str) -> None:
    code, _, err = lab(*arguments)
    assert code == 2
    assert words in err
    assert len(err.strip().splitlines()) == 1
