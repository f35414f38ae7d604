"""Whether calibration finds what runs on paper were made with; test_both_ways has a real twin's."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from lab.distribution.gateway import Gateway, Policy
from lab.distribution.goodness import chi_square
from lab.distribution.policies import Measured as Spread
from lab.distribution.policies import p_value, sample
from lab.errors import BadInput
from lab.experiments.calibration import Assumption, Calibration, Candidate, calibrate, fit_leaving, together
from lab.experiments.findings import find
from lab.experiments.study import Measured, read_measured
from lab.report.study_words import calibration_words
from load.results import HostRow, Run, TimelineRow, update_meta
from tests.command import Command
from tests.lab.experiments.runs import HOSTS, START, cut_short, write_run


def stops(folder: Path, rng: np.random.Generator, lifetime: float, count: int, drain: float = 0.0) -> list[Measured]:
    """Runs in which a task leaves at a random moment of a cache's life."""
    return [
        read_measured(
            write_run(folder / str(n), rng, lingers=float(rng.uniform(0, lifetime)), drain=drain, seconds=22, rate=120)
        )
        for n in range(count)
    ]


def test_the_lifetime_lies_in_its_interval_nineteen_times_of_twenty(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    hits = 0
    for number in range(20):
        found = fit_leaving(stops(tmp_path / str(number), rng, 5.0, 3)).lifetime
        assert found is not None
        hits += found.low <= 5.0 <= found.high
    assert hits >= 17


def test_more_tasks_that_left_narrow_it_down(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    one = fit_leaving(stops(tmp_path / "one", rng, 5.0, 1)).lifetime
    ten = fit_leaving(stops(tmp_path / "ten", rng, 5.0, 10)).lifetime

    assert one is not None
    assert ten is not None
    assert ten.high / ten.low < 2 < one.high / max(one.low, 0.1)


def test_stops_that_met_one_age_of_the_list_count_once(tmp_path: Path) -> None:
    runs = stops(tmp_path, np.random.default_rng(3), 5.0, 4)
    for number, run in enumerate(runs):
        record = json.loads((run.folder / "run.json").read_text())
        record["faults"][0]["discovery_age_s"] = float(number // 2)  # as two settings of a sweep, twice
        (run.folder / "run.json").write_text(json.dumps(record))
    alike = fit_leaving([read_measured(run.folder) for run in runs]).lifetime
    apart = fit_leaving(runs).lifetime

    assert alike is not None
    assert apart is not None
    assert (alike.windows, apart.windows) == (2, 4)
    assert alike.low == apart.low
    assert alike.high / apart.high == pytest.approx(0.05 ** (1 / 4 - 1 / 2))


def test_failures_without_a_drain_do_not_tell_retries_from_none(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    path = fit_leaving(stops(tmp_path, rng, 5.0, 2))

    assert Assumption(reuse_connections=False, retries=True) not in path.assumptions
    assert len(path.assumptions) == 3
    lines = calibration_words(Calibration(path, (Candidate("random", None, 0.4, compatible=True),), 1000, 1))
    assert any("cannot tell apart" in line for line in lines)
    assert any("--sweep drain_seconds=10" in line for line in lines)
    assert lines[-1] == "Balancing: compatible at 5 %: random (p = 0.4). From 1,000 requests."


def test_answers_of_a_task_that_drains_tell_that_connections_are_reused(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    runs = [read_measured(write_run(tmp_path / "run", rng, lingers=4.0, drain=20.0))]
    found = fit_leaving(runs)

    assert {assumption.reuse_connections for assumption in found.assumptions} == {True}
    assert found.lifetime is not None
    assert found.lifetime.low == pytest.approx(3.5, abs=0.3)


def test_without_a_failure_and_without_a_drain_the_lifetime_is_not_to_be_seen(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    path = fit_leaving([read_measured(write_run(tmp_path / "run", rng, lingers=0.0))])

    assert path.lifetime is None
    assert "not to be seen" in calibration_words(Calibration(path, (), 0, 0))[0]


def test_random_choice_is_told_from_round_robin(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    found = calibrate([read_measured(write_run(tmp_path / "run", rng, name="baseline", at=None, rate=400))], rng)

    assert "random" in found.balancing
    assert "round-robin" not in found.balancing
    assert found.leaving.lifetime is None
    assert "no task was seen to be stopped on purpose" in calibration_words(found)[0]


@pytest.mark.parametrize("runs", [1, 5, 20])
def test_the_true_policy_is_excluded_on_one_page_in_twenty_however_many_runs_there_are(runs: int) -> None:
    """A random gateway's; 4 to 5.3 % of 400 pages."""
    rng, gateway, pages = np.random.default_rng(12), Gateway(Policy.RANDOM, 3), 400
    excluded = 0
    for _ in range(pages):
        counts = sample(gateway, 2000, runs, rng)
        spreads = [Spread(2000, 3, float(chi), 0.0, whole=True) for chi in chi_square(counts)]
        excluded += together([p_value(spread, gateway, rng)[0] for spread in spreads]) <= 0.05
    assert excluded <= 0.07 * pages  # two standard errors above 5 %


def test_a_policy_that_is_excluded_is_said_with_its_p_and_how_often_that_is_wrong(tmp_path: Path, lab: Command) -> None:
    folder = write_run(tmp_path / "run", np.random.default_rng(7), name="baseline", at=None, rate=400)
    said = lab("calibrate", str(folder)).out
    values = lab("calibrate", str(folder), "--json").json
    random = next(each for each in values["candidates"] if each["policy"] == "random")

    assert f"Balancing: compatible at 5 %: random (p = {random['p_value']:.2g}); or " in said
    assert "Not compatible at 5 %: round-robin (independent orders 1, 2, 5, 10, 20, 50, 100, " in said
    assert "On one page in twenty the gateway's own policy is among these by chance; another run tells." in said
    assert random["compatible"]
    assert values["balancing"]["random"] == [""]
    assert all(each["compatible"] == (each["p_value"] > 0.05) for each in values["candidates"])


def test_a_run_without_a_stretch_of_unchanged_hosts_is_left_out_of_the_balancing_and_named(tmp_path: Path) -> None:
    """Of its 4 s after the event nothing is left once those in which the front ends hear of it are not counted."""
    rng = np.random.default_rng(13)
    folder = write_run(tmp_path / "crash", rng, name="crash", seconds=11, at=3.0, rate=90)
    seen = json.loads((folder / "run.json").read_text())["discovery"]
    update_meta(folder, {"discovery": [*seen, {"at": START + 6.5, "instances": ["alpha", "beta", "delta"]}]})
    crash = read_measured(folder)
    stop = read_measured(write_run(tmp_path / "stop", rng, lingers=3.0, seconds=30, rate=300))
    found = calibrate([crash, stop], rng)

    assert found.unused == ("crash",)
    assert found.leaving.lifetime is not None
    assert found.balancing
    assert calibration_words(found)[-1].startswith("Left out of the balancing: crash (too few requests while the hosts")


def dealt_anew(rng: np.random.Generator, front_ends: int, lifetime: int, seconds: int, rate: int) -> Run:
    """Round robin of each front end, through a list in a new order after each lifetime: at most one apart a list."""
    timeline: Counter[tuple[int, str]] = Counter()
    for start in range(0, seconds, lifetime):
        counts = np.zeros(3, dtype=np.int64)
        for requests in rng.multinomial(rate * lifetime, [1 / front_ends] * front_ends):
            counts += requests // 3
            counts[rng.permutation(3)[: requests % 3]] += 1
        for name, count in zip(HOSTS, counts, strict=True):
            for second, part in enumerate(rng.multinomial(count, [1 / lifetime] * lifetime)):
                timeline[START + start + second, name] += int(part)
    rows = tuple(TimelineRow(second, name, 200, number) for (second, name), number in sorted(timeline.items()))
    totals = Counter[str]()
    for row in rows:
        totals[row.hostname] += row.requests
    hosts = tuple(HostRow(n, "z", totals[n], 0, 1 / 3, 1.0, 2.0, 3.0, START, START + seconds) for n in HOSTS)
    return Run(Path("x"), {"complete": True, "duration_s": float(seconds)}, hosts, rows)


def test_front_ends_whose_lists_are_dealt_anew_are_among_those_that_agree(tmp_path: Path) -> None:
    """The truth is 20; taken for one order each, only 50 and more would agree."""
    rng = np.random.default_rng(11)
    hits = 0
    for number in range(10):
        run = dealt_anew(rng, 20, 5, 60, 300)
        one = Measured(Path("x"), {"direct": run}, {"direct": find(run)})
        # Of so few requests that their spread says nothing.
        left = [
            read_measured(
                write_run(tmp_path / f"{number}-{n}", rng, lingers=float(rng.uniform(0, 5)), seconds=22, rate=24)
            )
            for n in range(3)
        ]
        found = calibrate([one, *left], rng)
        assert found.front_ends is not None
        low, high = found.front_ends
        hits += low is not None and low <= 20 <= high
    assert hits >= 9


def test_nothing_to_calibrate_with(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    with pytest.raises(BadInput, match="run baseline and stop-task"):
        calibrate([read_measured(write_run(tmp_path / "x", rng, name="crash", seconds=2, at=1.0, rate=20))], rng)


def test_runs_of_different_known_settings_are_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    folders = []
    for lifetime in (0.0, 5.0):
        folders.append(write_run(tmp_path / f"{lifetime:g}", rng, lingers=lifetime / 2, rate=60, seconds=18))
        what = json.loads((folders[-1] / "run.json").read_text())["experiment"]
        update_meta(
            folders[-1], {"experiment": {**what, "assumed": {"discovery_ttl": lifetime, "balancing": "random"}}}
        )
    different = [read_measured(folder) for folder in folders]

    with pytest.raises(
        BadInput, match=r"different settings of what is to be found \(discovery_ttl: 0\.0, 5\.0\): calib"
    ):
        calibrate(different, rng)
    with pytest.raises(BadInput, match=r"\(balancing: random, unknown\)"):  # on AWS nobody knows
        calibrate([different[0], *stops(tmp_path / "aws", rng, 5.0, 1)], rng)
    assert calibrate(different[1:], rng).leaving.windows


def test_that_runs_are_of_no_use_is_said_before_their_settings_are(tmp_path: Path) -> None:
    rng, crashes = np.random.default_rng(9), []
    for lifetime in (0.0, 5.0):
        folder = write_run(tmp_path / f"{lifetime:g}", rng, name="crash", rate=4, seconds=18)
        what = json.loads((folder / "run.json").read_text())["experiment"]
        update_meta(folder, {"experiment": {**what, "assumed": {"discovery_ttl": lifetime}}})
        crashes.append(read_measured(folder))

    with pytest.raises(BadInput, match="There is nothing to calibrate with: run baseline and stop-task"):
        calibrate(crashes, rng)


def test_what_a_load_balancer_did_calibrates_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(12)
    with pytest.raises(
        BadInput, match="was measured through a load balancer, which does not tell how API Gateway finds"
    ):
        calibrate([read_measured(write_run(tmp_path / "balanced", rng, arm="alb"))], rng)


def test_a_load_that_ended_early_calibrates_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(10)
    cut = read_measured(cut_short(write_run(tmp_path / "cut", rng, lingers=3.0), after_event=True))
    good = stops(tmp_path, rng, 5.0, 1)

    assert len(calibrate([cut, *good], rng).leaving.windows) == 1
    with pytest.raises(BadInput, match=r"cut says nothing \(ended-early: `lab report` has it in words\): run"):
        calibrate([cut], rng)
