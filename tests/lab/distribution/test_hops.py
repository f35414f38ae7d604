"""`lab distribution` of requests that were counted by caller and upstream."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from lab.records.answers import read
from lab.records.observations import hops
from load.results import HostRow, TimelineRow, create_run, update_meta, write_hosts, write_timeline
from tests.command import Command

ZONES = {"a": "2a", "b": "2b", "x": "2a", "y": "2b", "z": "2a"}


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """A run: the gateway picks one of two callers at random, and each of them takes three upstreams in turn."""
    rng, folder = np.random.default_rng(7), tmp_path / "run"
    turns = {"a": 0, "b": 1}
    counts: Counter[tuple[int, str]] = Counter()
    for number in range(6_000):
        caller = "ab"[int(rng.integers(2))]
        upstream = "xyz"[turns[caller] % 3]
        turns[caller] += 1
        counts[1_000_000 + number // 100, f"{caller} > {upstream}"] += 1
    counts[1_000_059, "a > ?"] += 3
    totals: Counter[str] = Counter()
    for (_, pair), number in counts.items():
        totals[pair] += number
    zones = {pair: " > ".join(ZONES.get(name, "?") for name in pair.split(" > ")) for pair in totals}
    rows = [
        HostRow(pair, zones[pair], number, 0, 0.1, 1.0, 1.0, 1.0, 1.0, 2.0) for pair, number in sorted(totals.items())
    ]
    create_run(folder)
    write_hosts(folder, rows)
    write_timeline(folder, [TimelineRow(second, pair, 200, n) for (second, pair), n in sorted(counts.items())])
    update_meta(folder, {"requests": totals.total(), "failures": 0, "start": 1e6, "end": 1e6 + 60, "complete": True})
    return folder


def test_each_hop_has_its_own_requests(pairs: Path) -> None:
    observations = read(str(pairs))
    found = hops(observations)
    assert found is not None
    assert sum(found.callers.counts.values()) == sum(observations.counts.values()) == 6_003
    assert set(found.callers.counts) == {"a", "b"}
    assert found.callers.zones == {"a": "2a", "b": "2b"}
    for caller, observed in found.upstreams.items():
        assert sum(observed.counts.values()) == found.callers.counts[caller]
        assert set(observed.counts) - {""} == {"x", "y", "z"}
        assert observed.zones == {name: ZONES[name] for name in "xyz"}
        assert observed.windows is not None
        assert observed.windows.counts.sum() == sum(n for host, n in observed.counts.items() if host)
    assert found.upstreams["a"].counts[""] == 3  # whom it called is not known
    # a calls y, and b calls x and z, in the other zone.
    y, x, z = found.upstreams["a"].counts["y"], *(found.upstreams["b"].counts[name] for name in "xz")
    assert (found.crossed, found.located) == (y + x + z, 6_000)


@pytest.mark.parametrize("counts", ["10 a\n10 b\n", "hostname,requests\na > b,5\nc,5\n"])
def test_what_is_not_counted_by_pair_is_one_split(tmp_path: Path, counts: str) -> None:
    file = tmp_path / "counts"
    file.write_text(counts)
    assert hops(read(str(file))) is None


def test_the_page_says_which_hop_is_at_random_and_which_in_turn(lab: Command, pairs: Path) -> None:
    code, out, _ = lab("distribution", str(pairs))
    assert code == 0
    title, *lines = out.splitlines()
    assert title.startswith("The gateway: no caller is shown to be off its share; the furthest is ")
    assert re.search(r"Each caller spreads more regularly than chance: no upstream is more than 0(\.\d+)? % off", title)
    shown = {line.split()[0]: line.rstrip().endswith("more regular than chance") for line in lines[1:5] if line}
    assert shown.get("a") is shown.get("b") is True
    assert "went to another Availability Zone." in out


def test_one_uneven_caller_of_two_is_not_every_caller(lab: Command, tmp_path: Path) -> None:
    # b is off too, by less than a is and more than chance shows of so few: the furthest is that of a.
    file = tmp_path / "counts.csv"
    file.write_text("hostname,requests\na > x,3000\na > y,3400\na > z,3200\nb > x,20\nb > y,26\nb > z,20\n")
    _, out, _ = lab("distribution", str(file))
    assert "1 of 2 callers spreads unevenly: one upstream is 6.25 % off its share." in out.splitlines()[0]


def test_what_is_shown_is_so_for_the_whole_page(lab: Command, pairs: Path) -> None:
    found = lab("distribution", str(pairs), "--json").json
    tested = [test for hop in found["hops"] for test in hop["tested"]]
    assert len(found["hops"]) == 3
    assert {hop["level"] for hop in found["hops"]} == {0.05 / len(tested)}
    for test in tested:
        assert test["p_adjusted"] >= test["p_value"]
    least = min(tested, key=lambda test: float(test["p_value"]))
    assert least["p_adjusted"] == pytest.approx(min(1.0, least["p_value"] * len(tested)))


def test_a_hop_of_one_host_is_no_split(lab: Command, tmp_path: Path) -> None:
    file = tmp_path / "counts.csv"
    file.write_text("hostname,requests\na > x,100\na > y,100\n")
    found = lab("distribution", str(file), "--json").json
    assert [(hop["hop"], hop["caller"], "p_value" in hop) for hop in found["hops"]] == [
        ("callers", None, False),
        ("upstreams", "a", True),
    ]
    assert "no two at a time" in lab("distribution", str(file)).out


def test_evidence_of_one_hop_is_the_pages(lab: Command, tmp_path: Path) -> None:
    file = tmp_path / "counts.csv"
    file.write_text("hostname,requests\na > x,100\na > y,100\nb > x,100\nb > y,300\n")
    code, out, err = lab("distribution", str(file), "--check")
    assert code == 1
    assert "there is evidence that a hop is uneven" in err
    assert "spreads unevenly" in out


@pytest.mark.parametrize("option", [("--weights", "x=2"), ("--entry", "2a=1"), ("--picture", "p.svg")])
def test_what_is_for_one_split_is_refused(lab: Command, pairs: Path, option: tuple[str, str]) -> None:
    code, _, err = lab("distribution", str(pairs), *option)
    assert code == 2
    assert "are for one split" in err


def test_a_skew_that_cannot_be_looked_for_is_refused(lab: Command, pairs: Path) -> None:
    assert lab("distribution", str(pairs), "--detect", "0%")[0] == 2
