"""examples/services on a twin: who calls whom, counted by the load."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.twin.running import PROJECT, TwinFactory


@pytest.mark.timeout(300)
def test_requests_by_pair_add_up_to_those_of_locust(
    start_twin: TwinFactory, stack_with: Callable[[str], Path], tmp_path: Path
) -> None:
    programs = PROJECT / "examples/services/twin.toml"
    # Client proxies know the first tasks once the twin serves, however long it takes them to hear of later ones.
    later = ("--endpoint-propagation", "60")
    twin = start_twin("--programs", str(programs), *later, synth=stack_with("services"))
    results = tmp_path / "results"
    locust = [
        *(
            sys.executable,
            "-m",
            "locust",
            "--headless",
            "--host",
            twin.gateway_url,
            "--rate",
            "40",
            "-u",
            "4",
            "-r",
            "4",
        ),
        *("-t", "5s", "--path-mix", "/call?service=serviceconnect=1", "--group-by", "load.traffic.answers:pair"),
        *("--results-dir", str(results), "--only-summary"),
    ]
    done = subprocess.run(locust, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    run = json.loads((results / "run.json").read_text())
    pairs: Counter[tuple[str, str]] = Counter()
    for row in _rows(results):
        caller, upstream = row["hostname"].split(" > ")
        pairs[caller, upstream] += int(row["requests"])
    assert sum(pairs.values()) == run["requests"] > 100
    assert run["failures"] == 0
    callers, upstreams = ({pair[side] for pair in pairs} for side in (0, 1))
    assert (len(callers), len(upstreams), len(pairs)) == (2, 3, 6)
    # Round robin, apart for each caller.
    for caller in callers:
        own = [count for (by, _), count in pairs.items() if by == caller]
        assert max(own) - min(own) <= 3

    lab = [sys.executable, "-c", "from lab.cli import main; main()", "distribution", str(results), "--json"]
    lab += ["--settle", "0"]  # none comes or goes
    found = json.loads(subprocess.run(lab, cwd=PROJECT, capture_output=True, text=True, check=True).stdout)
    first, *others = found["hops"]
    assert (first["hop"], first["caller"], first["requests"]) == ("callers", None, run["requests"])
    assert {each["caller"] for each in others} == callers
    for each in others:
        assert each["requests"] == sum(count for (by, _), count in pairs.items() if by == each["caller"])
        assert each["dispersion"] < 0.2  # in turn: it would be 1 at random
        assert not each["evidence"]
    # Tasks are in two zones, and who calls has no regard for them.
    zones = {row["hostname"]: row["availability_zone"].split(" > ") for row in _rows(results)}
    crossed = sum(int(row["requests"]) for row in _rows(results) if len(set(zones[row["hostname"]])) == 2)
    assert (found["calls"], found["calls_to_another_zone"]) == (run["requests"], crossed)
    assert 0 < crossed < run["requests"]


def _rows(results: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((results / "hostnames.csv").read_text().splitlines()))
