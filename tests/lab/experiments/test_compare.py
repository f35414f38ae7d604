"""Do two sets of runs differ? Shown by runs of known truth: how often a difference is shown where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import BadInput
from lab.experiments.catalogue import EXPERIMENTS
from lab.experiments.compare import Comparison, compare, compare_ways, settings_of
from lab.experiments.findings import Findings, find
from lab.experiments.study import Measured, Study, read_study, write_study
from lab.report.study_words import comparison_of, rates_that_differ
from load.results import Run, TimelineRow, update_meta, write_hosts
from tests.command import Command
from tests.lab.experiments.runs import START, cut_short, write_run


def study(folder: Path, lingers: list[float], seed: int, **more: Any) -> Study:
    """Repeats of stop-task, after which the task was sent requests for so many seconds."""
    rng = np.random.default_rng(seed)
    folder.mkdir()
    runs = []
    for n, seconds in enumerate(lingers):
        values = {"lingers": seconds, "repeat": n + 1, "seconds": 20, "rate": 100, **more}
        runs.append(write_run(folder / f"run-{n}", rng, **values))
    return write_study(folder, runs, {})


def on_paper(runs: dict[str, list[dict[str, Any]]]) -> Study:
    """Runs of 1,000 requests in 20 s with so many failures, by experiment; `lasted`, `rate` change that."""
    measured = []
    for name, repeats in runs.items():
        for changes in repeats:
            lasted, rate = changes.get("lasted", 20), changes.get("rate", 50)
            failures = changes["failures"]
            timeline = (
                TimelineRow(START, "", 503, failures),
                TimelineRow(START, "a", 200, rate * lasted - failures),
            )
            meta = {
                "complete": True,
                "duration_s": float(lasted),
                "experiment": {"name": name},
                "faults": [] if name == "baseline" else [{"kind": name, "at": START + 0.5}],
                "tasks": changes.get("tasks", []),
            }
            run = Run(Path("results/x"), meta, (), tuple(row for row in timeline if row.requests))
            measured.append(Measured(Path("results/x"), {"direct": run}, {"direct": find(run)}))
    return Study(Path("results/x"), tuple(measured), {})


def only(found: list[Comparison]) -> Comparison:
    (one,) = found
    return one


ELEVEN = [name for name in EXPERIMENTS if name not in ("baseline",)][:11]


def test_complete_separation_in_one_of_eleven_is_shown() -> None:
    """0.6 % against 9.1 % of the requests of stop-task, six repeats each, and noise in ten others."""
    rng = np.random.default_rng(1)
    for _ in range(20):
        sides = []
        for share in (0.006, 0.091):
            runs = {
                name: [
                    {"failures": int(rng.binomial(1000, share if name == "stop-task" else 0.05 * rng.random()))}
                    for _ in range(6)
                ]
                for name in ELEVEN
            }
            sides.append(on_paper(runs))
        found = {each.experiment: each for each in compare(*sides)}
        stop = found["stop-task"]

        assert stop.p_value == pytest.approx(2 / 924)
        assert stop.p_adjusted == pytest.approx(11 * 2 / 924)
        assert stop.shown
        low, high = stop.failed_seconds
        assert low.median == pytest.approx(0.12, abs=0.1)
        assert high.median == pytest.approx(1.82, abs=0.4)


def test_where_nothing_differs_at_most_one_page_of_twenty_shows_something() -> None:
    """Eleven experiments with six repeats each, whose failures and outcomes vary alike on both sides."""
    rng = np.random.default_rng(2)
    pages, alarms = 400, 0
    findings = find(on_paper({"stop-task": [{"failures": 0}]}).measured[0].runs["direct"])

    def side() -> Study:
        measured = []
        for name in ELEVEN:
            for _ in range(6):
                values = dict(vars(findings))
                values |= {"experiment": EXPERIMENTS[name], "failures": int(rng.gamma(0.5, 40))}
                values["even_again"] = None if rng.random() < 0.4 else vars(findings)["even_again"]
                one = Findings(**values)
                measured.append(Measured(Path("x"), {"direct": RUN}, {"direct": one}))
        return Study(Path("x"), tuple(measured), {})

    for _ in range(pages):
        alarms += any(each.shown for each in compare(side(), side()))
    assert alarms <= 0.05 * pages


RUN = Run(Path("x"), {}, (), ())


def test_one_run_each_shows_nothing_and_says_what_would(tmp_path: Path) -> None:
    """Where 0 and 3 failures of single runs were once told to be no more than chance."""
    each = only(compare(on_paper({"stop-task": [{"failures": 0}]}), on_paper({"stop-task": [{"failures": 3}]})))

    assert (each.p_value, each.shown, each.would_show, each.repeats_needed) == (1.0, False, None, 4)
    assert comparison_of(each) == "not shown; it takes 4 runs on each side to show any"


def test_neither_the_length_of_the_load_nor_the_rate_makes_a_difference() -> None:
    short = on_paper({"stop-task": [{"failures": n, "lasted": 20} for n in (60, 62, 58, 61, 59, 60)]})
    long = on_paper({"stop-task": [{"failures": n, "lasted": 60} for n in (61, 59, 60, 58, 62, 60)]})
    fast = on_paper({"stop-task": [{"failures": 4 * n, "rate": 200} for n in (61, 59, 60, 58, 62, 60)]})

    assert not only(compare(short, long)).shown
    assert not only(compare(short, long)).rates_differ
    assert not only(compare(short, fast)).shown
    assert only(compare(short, fast)).rates_differ
    assert rates_that_differ(compare(short, fast)) == [
        "stop-task: 50 and 200 requests/s were sent, so more than one thing is compared."
    ]


def test_an_outcome_that_came_on_one_side_only_is_shown() -> None:
    """Six of six runs whose replacement answered, against none of six; the failures are alike."""
    came = find(read_one(0.5))
    assert came.times.replace is not None
    never = Findings(**{**vars(came), "times": type(came.times)()})

    def of(findings: Findings) -> Study:
        return Study(Path("x"), (Measured(Path("x"), {"direct": RUN}, {"direct": findings}),) * 6, {})

    each = only(compare(of(came), of(never)))
    assert next(outcome for outcome in each.outcomes if outcome.figure == "replace_s").first == 6
    assert next(outcome for outcome in each.outcomes if outcome.figure == "replace_s").second == 0
    assert each.p_value == pytest.approx(2 / 924)
    assert each.shown


def test_an_outcome_that_came_on_one_way_only_is_shown() -> None:
    """As above, of the two ways of the same runs."""
    came = find(read_one(0.5, name="crash"))
    never = Findings(**{**vars(came), "times": type(came.times)(), "arm": "alb"})
    measured = Measured(Path("x"), {"direct": RUN, "alb": RUN}, {"direct": came, "alb": never})
    each = only(compare_ways(Study(Path("x"), (measured,) * 6, {})))

    assert each.p_value == pytest.approx(2 / 64)
    assert each.shown


def read_one(lingers: float, name: str = "stop-task") -> Run:
    import tempfile

    from load.results import read_run

    with tempfile.TemporaryDirectory() as folder:
        return read_run(
            write_run(Path(folder) / "r", np.random.default_rng(3), name=name, lingers=lingers, seconds=20, rate=100)
        )


def test_repeats_that_differ(tmp_path: Path) -> None:
    short = study(tmp_path / "a", [0.1, 0.2, 0.3, 0.2, 0.1, 0.4], 1)
    long = study(tmp_path / "b", [3.5, 4.5, 4.0, 5.0, 3.0, 4.1], 2)
    each = only(compare(short, long))

    assert each.shown
    failed = next(difference for difference in each.differences if difference.figure == "failed_seconds")
    assert failed.low is not None
    assert failed.high is not None
    assert 0.8 < failed.low < failed.high < 1.8  # a third of the requests of 3.8 s more


def test_repeats_of_the_same(tmp_path: Path) -> None:
    each = only(compare(study(tmp_path / "a", [1, 4, 2, 3, 5, 0], 3), study(tmp_path / "b", [2, 3, 1, 4, 0, 5], 4)))

    assert not each.shown
    assert each.would_show is not None
    assert 0.5 < each.would_show < 3
    assert comparison_of(each).startswith("not shown; one of ")


def test_nothing_in_common(tmp_path: Path) -> None:
    a = study(tmp_path / "a", [0], 9, name="baseline", at=None)
    with pytest.raises(BadInput, match="no experiment in common"):
        compare(a, study(tmp_path / "b", [1], 10))


def both_ways(folder: Path, direct: list[float], beside: list[float], seed: int, **more: Any) -> Study:
    """Repeats of a crash on both ways, each of which goes on sending requests for so many seconds."""
    more = {"name": "crash", **more}
    found = study(folder, direct, seed, **more)
    rng = np.random.default_rng(seed + 1000)
    for number, (measured, seconds) in enumerate(zip(found.measured, beside, strict=True)):
        values = {"lingers": seconds, "repeat": number + 1, "seconds": 20, "rate": 100, **more}
        write_run(measured.folder / "alb", rng, arm="alb", **values)
    return read_study(folder)


def test_the_ways_of_one_study_are_compared_in_pairs(tmp_path: Path) -> None:
    """Runs differ from each other by more than the ways do, which only pairs can see."""
    lingers = [0.5, 5, 1, 4.5, 1.5, 4, 2, 3.5, 2.5]
    each = only(compare_ways(both_ways(tmp_path / "a", lingers, [seconds + 0.5 for seconds in lingers], 12)))

    assert each.paired
    assert each.shown
    assert "detect_s" not in {difference.figure for difference in each.differences}


def test_ways_that_are_the_same(tmp_path: Path) -> None:
    lingers = [0.5, 5, 1, 4.5, 1.5, 4, 2, 3.5, 2.5]
    assert not only(compare_ways(both_ways(tmp_path / "a", lingers, lingers, 13))).shown


def test_of_too_few_pairs_it_is_said_how_many_it_takes(tmp_path: Path) -> None:
    found = compare_ways(both_ways(tmp_path / "a", [0.5, 0.5], [4, 4], 14, parameters={"discovery_ttl": 5.0}))

    assert comparison_of(only(found)) == "not shown; it takes 6 pairs to show any"
    assert only(found).setting == {"discovery_ttl": 5.0}


def test_one_way_only(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has runs of one way only: name a second folder"):
        compare_ways(study(tmp_path / "a", [1], 15))


def test_what_cannot_be_compared_says_what_differs_and_what_can_be_done(tmp_path: Path, lab: Command) -> None:
    alone = [study(tmp_path / f"{drain}", [1], drain, parameters={"drain_seconds": drain}) for drain in (0, 20)]
    (tmp_path / "a").mkdir()
    a = write_study(tmp_path / "a", [each.measured[0].folder for each in alone], {})
    b = both_ways(tmp_path / "b", [1], [2], 15, name="stop-task")

    told = lab("compare", str(a.folder), str(b.folder)).err
    assert "have stop-task in common, but at no setting and way that both have: " in told
    assert (
        f"{a.folder}: drain_seconds 0, drain_seconds 20 (direct); {b.folder}: nothing swept (direct, alb). `lab table`"
        in told
    )
    assert "to compare one setting, run it as a study of its own, or make one of its runs with `lab report" in told
    assert "--by compares two values of a sweep." in lab("compare", str(a.folder)).err
    assert "are the same folder: name another" in lab("compare", str(a.folder), f"{tmp_path}/./a").err


def test_ways_are_named_as_their_runs_name_them(tmp_path: Path) -> None:
    folder = both_ways(tmp_path / "a", [1], [2], 16).measured[0].folder
    alone = read_study(folder / "alb")

    assert {each.ways for each in compare(alone, alone)} == {("alb", "alb")}


@pytest.mark.parametrize("name", ["stop-task", "discovery-down"])
def test_stops_past_a_load_balancer_are_no_measurement_of_going_without(
    tmp_path: Path, lab: Command, name: str
) -> None:
    """Its tasks are kept for the target group's deregistration delay; one that crashes is not."""
    crashes = both_ways(tmp_path / "a", [1, 2], [0, 0], 16)
    stops = both_ways(tmp_path / "b", [0, 0], [0, 0], 17, name=name)
    (tmp_path / "c").mkdir()
    both = str(write_study(tmp_path / "c", [crashes.folder, stops.folder], {}).folder)

    said = lab("compare", both)
    assert said.out.splitlines()[1].count("no load balancer, on a stack with one: s of traffic") == 1
    assert f"Left out: {name}. What passed by the load balancer is no measurement of going without" in said.out
    values = lab("compare", both, "--json").json
    assert [(each["experiment"], each["beside"]) for each in values["experiments"]] == [("crash", True)]
    assert list(values["left_out"]) == [name]
    assert (
        "has only events in which ECS may stop tasks that serve. What passed by"
        in lab("compare", str(stops.folder)).err
    )


def test_a_stack_without_a_load_balancer_is_compared_with_what_passed_through_that_of_another(
    tmp_path: Path, lab: Command
) -> None:
    alone = study(tmp_path / "a", [3.5, 4.5, 4.0, 5.0], 16)
    beside = both_ways(tmp_path / "b", [0, 0, 0, 0], [0.1, 0, 0, 0], 17, name="stop-task")
    head = lab("compare", str(alone.folder), str(beside.folder)).out.splitlines()[1]
    (each,) = compare(alone, beside)

    assert (each.ways, each.beside, each.paired, each.shown) == (("direct", "alb"), False, False, True)
    assert min(each.first) > 0.9
    assert max(each.second) < 0.1
    assert "A (no load balancer): s of traffic  B (load balancer): s of traffic" in head
    assert only(compare(beside, alone)).ways == ("alb", "direct")
    assert [(each.ways, each.beside) for each in compare(beside, beside)] == [
        (("direct", "direct"), True),
        (("alb", "alb"), False),
    ]


def test_two_settings_of_a_sweep(tmp_path: Path, lab: Command) -> None:
    lingers = {0.0: [3.5, 3.0, 3.2, 3.4], 20.0: [0.5, 0.4, 0.6, 0.5], 40.0: [0.5, 0.4, 0.6, 0.5]}
    alone = [
        study(tmp_path / f"{value:g}", of, number, parameters={"drain_seconds": value})
        for number, (value, of) in enumerate(lingers.items())
    ]
    (tmp_path / "a").mkdir()
    swept = str(write_study(tmp_path / "a", [each.folder for each in alone], {}).folder)
    answer, head, *_ = lab("compare", swept, "--by", "drain_seconds=20,0").out.splitlines()

    assert answer == "They differ in stop-task."
    assert head.index("drain_seconds 20: s of") < head.index("drain_seconds 0: s of")
    by = lab("compare", swept, "--by", "drain_seconds=20,0", "--json").json["experiments"]
    assert by == lab("compare", str(alone[1].folder), str(alone[0].folder), "--json").json["experiments"]
    for value in ("drain_seconds", "drain_seconds=0,5"):
        error = f"--by takes two values of a sweep, as drain_seconds=0,20: of drain_seconds {swept} has 0, 20, 40."
        assert error in lab("compare", swept, "--by", value).err
    assert "of rate" in lab("compare", swept, "--by", "rate").err
    assert "is not a name and numbers" in lab("compare", swept, "--by", "drain_seconds=0,x").err
    assert "of one study: leave out" in lab("compare", swept, str(alone[0].folder), "--by", "drain_seconds").err


def test_a_grid_is_not_compared_by_one_of_its_settings(tmp_path: Path) -> None:
    grid = study(tmp_path / "a", [1], 1, parameters={"drain_seconds": 0.0, "discovery_ttl": 5.0})
    with pytest.raises(BadInput, match=r"--by is for a sweep of one setting, and .*/a is a grid of drain_seconds and"):
        settings_of(grid, "drain_seconds", [])


@pytest.mark.parametrize(("twice", "words"), [(False, "load balancer"), (True, " way ")])
def test_the_command(tmp_path: Path, lab: Command, twice: bool, words: str) -> None:
    folder, other = (str(both_ways(tmp_path / name, [1], [2], 17).folder) for name in "ab")
    answer, head, *lines = lab("compare", folder, *([other] if twice else [])).out.splitlines()

    assert answer == f"No difference is shown in {'2 experiments' if twice else '1 experiment'}."
    assert words in head
    assert any(line.startswith("crash") and "not shown; it takes" in line for line in lines)


def test_runs_that_do_not_vary_say_nothing_of_what_would_have_been_shown() -> None:
    lossless = on_paper({"stop-task": [{"failures": 0}] * 6})
    each = only(compare(lossless, lossless))
    assert (each.shown, each.would_show) == (False, None)
    assert comparison_of(each) == (
        "not shown; the runs of a side are alike, so what would have been shown is not known"
    )


def test_json_has_the_seconds_of_traffic_of_either_side(tmp_path: Path, lab: Command) -> None:
    a, b = study(tmp_path / "a", [0.5, 0.5], 20), study(tmp_path / "b", [3.5, 3.0], 21)
    (each,) = lab("compare", str(a.folder), str(b.folder), "--json").json["experiments"]

    assert [len(side) for side in each["failed_seconds"]] == [2, 2]
    assert each["p_adjusted"] == each["p_value"] == pytest.approx(1 / 3)
    assert each["shown"] is False


def test_loads_that_ended_early_are_left_out_and_said(tmp_path: Path, lab: Command) -> None:
    a, b = study(tmp_path / "a", [1, 1, 1], 18), study(tmp_path / "b", [1, 1], 19)
    cut_short(a.measured[1].folder)
    said = lab("compare", str(a.folder), str(b.folder)).out
    assert "Left out: stop-task, repeat 2 (the load ended before the stop)." in said

    cut_short(b.measured[0].folder), cut_short(b.measured[1].folder, after_event=True)
    for pair in ((a, b), (b, a)):
        with pytest.raises(BadInput, match=r"b has no run that says anything \(no-event\): run it"):
            compare(*(read_study(each.folder) for each in pair))
    with pytest.raises(BadInput, match="b has no run that says anything"):
        compare_ways(read_study(b.folder))


def test_a_run_without_requests_is_no_good_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(31)
    empty, good = (write_run(tmp_path / name, rng, name="baseline", at=None) for name in ("empty", "good"))
    (empty / "timeline.csv").write_text("second,hostname,status,requests\n")
    (empty / "latency.csv").write_text("second,latency_us,requests\n")
    write_hosts(empty, [])
    update_meta(empty, {"requests": 0, "failures": 0})
    with pytest.raises(BadInput, match=r"empty has no run that says anything \(no-requests\): run it again"):
        compare(read_study(empty), read_study(good))
