"""Every number of the report, found again in the files of its run without the code that made it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from lab.experiments.catalogue import EXPERIMENTS
from lab.experiments.study import Row, Spread, read_measured, write_study
from lab.report import terminal
from lab.report.document import Document, Sentence, Table
from lab.report.pages import run_in_short, run_page, study_page
from lab.report.study_words import slow_before
from lab.report.words import digits_of, percent, spread
from load.results import HostRow, update_meta, write_hosts
from tests.lab.experiments.runs import HOSTS, START, cut_short, write_run, written


class Tables(HTMLParser):
    """The cells of a page's tables, and all of its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.text = ""
        self._in_cell = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        data = data.replace("\xa0", " ")
        self.text += data
        if self._in_cell:
            self.tables[-1][-1][-1] += data


def rows_of(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text().splitlines()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in which a task was stopped and sent requests for 2.5 s more."""
    return write_run(tmp_path_factory.mktemp("results") / "run", np.random.default_rng(1), lingers=2.5)


@pytest.fixture(scope="module")
def page(folder: Path) -> Tables:
    return Tables(written(read_measured(folder)).read_text())


@pytest.fixture(scope="module")
def timeline(folder: Path) -> list[dict[str, str]]:
    return rows_of(folder / "timeline.csv")


def total(rows: list[dict[str, str]]) -> int:
    return sum(int(row["requests"]) for row in rows)


def test_the_answer(page: Tables, timeline: list[dict[str, str]], folder: Path) -> None:
    failed = total([row for row in timeline if int(row["status"]) >= 400])

    assert failed > 100
    assert f"{failed:,} of {total(timeline):,} requests failed when a task was stopped." in page.text
    assert total(timeline) == json.loads((folder / "run.json").read_text())["requests"]


def test_the_window_of_failures_and_the_times(page: Tables, timeline: list[dict[str, str]], folder: Path) -> None:
    meta = json.loads((folder / "run.json").read_text())
    at = meta["faults"][0]["at"]
    seconds = [int(row["second"]) for row in timeline if int(row["status"]) >= 400]
    first_answer = next(
        float(row["first_seen"]) for row in rows_of(folder / "hostnames.csv") if row["hostname"] == "delta"
    )

    assert int(at) == min(seconds)
    assert f"from 0.0 s to {max(seconds) + 1 - at:.1f} s after the stop" in page.text
    assert f"gamma was out of Cloud Map after {meta['discovery'][1]['at'] - at:.1f} s" in page.text
    assert f"delta, its replacement, first answered after {first_answer - at:.1f} s" in page.text


def test_the_table_of_hosts(page: Tables, folder: Path) -> None:
    (shown,) = (table for table in page.tables if table[0][0] == "host" and len(table[0]) > 9)
    rows = rows_of(folder / "hostnames.csv")
    latencies, roles = ("p50_ms", "p95_ms", "p99_ms"), {"gamma": "gone", "delta": "new"}

    assert [[line[1], line[3], *line[-4:]] for line in shown[1:-2]] == [
        [
            roles.get(row["hostname"], ""), f"{int(row['requests']):,}", f"{int(row['failures']):,}",
            *(f"{float(row[name]):.1f}" for name in latencies),
        ]
        for row in rows
    ]  # fmt: skip


def periods(page: Tables, timeline: list[dict[str, str]]) -> dict[str, tuple[int, int]]:
    """The first second of each period and that after its last, by the lengths that the page says."""
    shown = next(table for table in page.tables if table[0][0] == "host" and len(table[0]) > 9)
    found, start = {}, min(int(row["second"]) for row in timeline)
    for title in shown[0][4:7]:
        match = re.fullmatch(r"(\w+) \((\d+) s\)", title)
        assert match is not None
        found[match[1]] = (start, start + int(match[2]))
        start += int(match[2])
    return found


def within(rows: list[dict[str, str]], span: tuple[int, int]) -> list[dict[str, str]]:
    return [row for row in rows if span[0] <= int(row["second"]) < span[1]]


def p99(rows: list[dict[str, str]]) -> float:
    """In ms: the middle of the bucket, of five significant bits, that holds the request at 99 % of all."""
    counts: Counter[int] = Counter()
    for row in rows:
        counts[int(row["latency_us"])] += int(row["requests"])
    edge = sorted(counts.elements())[-(-99 * counts.total() // 100) - 1]
    width = 1 << max(0, len(f"{edge:b}") - 5)
    return (edge + (width - 1) / 2) / 1000


def test_the_split_before_during_and_after(page: Tables, timeline: list[dict[str, str]], folder: Path) -> None:
    spans = periods(page, timeline)
    shown = next(table for table in page.tables if table[0][0] == "host" and len(table[0]) > 9)
    fault, last = json.loads((folder / "run.json").read_text())["faults"][0]["at"], int(timeline[-1]["second"])

    assert list(spans) == ["before", "during", "after"]
    assert spans["during"][0] == int(fault)
    assert spans["after"][1] == last + 1
    assert [line[0] for line in shown[1:]] == ["alpha", "beta", "delta", "gamma", "no host known", "failed", "p99 ms"]
    for number, span in enumerate(spans.values(), start=4):
        rows = within(timeline, span)
        known = total([row for row in rows if row["hostname"]])
        for line in shown[1:5]:
            requests = total([row for row in rows if row["hostname"] == line[0]])
            assert line[number] == (f"{100 * requests / known:.1f} %" if requests else "-")
        assert shown[6][number] == f"{total([row for row in rows if int(row['status']) >= 400]):,}"
        assert shown[7][number] == f"{p99(within(rows_of(folder / 'latency.csv'), span)):.1f}"


def even_again(timeline: list[dict[str, str]], first: int) -> int:
    """The first second from *first* on after which the split is not more uneven than chance has it once in 1,000."""
    last = max(int(row["second"]) for row in timeline)
    for second in range(first, last):
        counts: Counter[str] = Counter()
        for row in within(timeline, (second, last + 1)):
            counts[row["hostname"]] += int(row["requests"])
        if stats.chisquare(list(counts.values())).pvalue >= 0.001:
            return second
    raise AssertionError("it did not come to an even split")


def test_when_ecs_acted_and_when_the_split_was_even_again(
    page: Tables, timeline: list[dict[str, str]], folder: Path
) -> None:
    meta = json.loads((folder / "run.json").read_text())
    at = meta["faults"][0]["at"]
    acts = [task[key] for task in meta["tasks"] for key in ("created_at", "stopping_at") if (task[key] or 0) >= at]
    even = even_again(timeline, periods(page, timeline)["after"][0])

    assert min(acts) == at  # which goes without saying
    assert "ECS acted" not in page.text
    since = f"{even - at:.1f} s after the stop"
    assert f"Even again {since} (give or take 1.0 s): from then on no request failed and no unevenness" in page.text


def test_failures_by_cause(page: Tables, timeline: list[dict[str, str]], folder: Path) -> None:
    failed = [row for row in timeline if int(row["status"]) >= 400]
    seconds = total(failed) / (total(timeline) / json.loads((folder / "run.json").read_text())["duration_s"])

    assert {(row["status"], row["hostname"]) for row in failed} == {("503", "")}
    assert f"Failed: all {total(failed):,} with 503 from the gateway or a proxy, from 0.0 s" in page.text
    assert f"that is {seconds:.1f} s of traffic." in page.text


@pytest.mark.parametrize(("name", "hosts"), [("Before", "alpha beta gamma"), ("After", "alpha beta delta")])
def test_the_splits(page: Tables, timeline: list[dict[str, str]], name: str, hosts: str) -> None:
    match = re.search(rf"{name}: ([\d,]+) requests over 3 hosts, chi-square ([\d.]+) on 2 degrees", page.text)
    assert match is not None
    requests, chi_square = int(match[1].replace(",", "")), float(match[2])
    begin, end = periods(page, timeline)[name.lower()]
    length = end - begin
    last = max(int(row["second"]) for row in timeline)
    first = START if name == "Before" else last + 1 - length
    counts = [
        total([r for r in timeline if r["hostname"] == host and first <= int(r["second"]) < first + length])
        for host in hosts.split()
    ]

    assert sum(counts) == requests
    assert chi_square == pytest.approx(stats.chisquare(counts).statistic, abs=0.006)


def test_nothing_is_loaded_from_elsewhere(folder: Path) -> None:
    text = (folder / "report.html").read_text()

    assert re.findall(r'(?:src|href)="(?!#)[^"]*"', text) == []
    assert "@import" not in text
    assert "url(" not in text.replace("url(#", "")


def test_names_are_escaped(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", np.random.default_rng(2), seconds=15)
    meta = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**meta, "target": "http://<b>&"}))

    assert "http://&lt;b&gt;&amp;" in written(read_measured(folder)).read_text()


def test_of_a_few_events_each_is_told_and_none_is_called_the_worst(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    runs = [
        write_run(tmp_path / "a", rng, name="scale-in", lingers=0.0),
        write_run(tmp_path / "b", rng, name="stop-task", lingers=1.5),
        write_run(tmp_path / "c", rng, name="rollout", lingers=1.5),
    ]
    (tmp_path / "two").mkdir()
    (tmp_path / "three").mkdir()
    two = Tables(written(write_study(tmp_path / "two", runs[:2], {})).read_text()).text
    three = Tables(written(write_study(tmp_path / "three", runs, {})).read_text()).text

    stop, rollout = (read_measured(run).findings["direct"].failures for run in runs[1:])
    assert f"{stop} requests failed when a task was stopped, and none when a task was taken away." in two
    told = f"{stop} requests failed when a task was stopped, {rollout} during a rollout, and none when a task was taken"
    assert f"Single runs: without a load balancer {told} away." in three
    assert " most" not in three.partition("All events")[0]


def test_a_study_has_the_matrix_and_every_run(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    runs = [
        write_run(tmp_path / "a", rng, name="baseline", at=None, seconds=15),
        write_run(tmp_path / "b", rng, name="scale-in", lingers=1.5),
    ]
    (tmp_path / "all").mkdir()
    study = write_study(tmp_path / "all", runs, {"crash": "it reaches into no task there"})
    page = Tables(written(study).read_text())
    failed = total([row for row in rows_of(runs[1] / "timeline.csv") if int(row["status"]) >= 400])

    timeline, latency = rows_of(runs[1] / "timeline.csv"), rows_of(runs[1] / "latency.csv")
    meta = json.loads((runs[1] / "run.json").read_text())
    at, seconds = meta["faults"][0]["at"], [int(row["second"]) for row in timeline if int(row["status"]) >= 400]
    delta = next(float(r["first_seen"]) for r in rows_of(runs[1] / "hostnames.csv") if r["hostname"] == "delta")
    spans = periods(page, timeline)
    share = 100 * failed / total(timeline)

    assert page.tables[0][0] == [
        "experiment", "requests", "failed", "s of traffic", "failed %", "failed from-to s", "even again s",
        "p99 before ms", "p99 during ms", "ECS acts s", "left s", "replaced s",
    ]  # fmt: skip
    assert page.tables[0][1:] == [
        ["baseline", f"{total(rows_of(runs[0] / 'timeline.csv')):,}", "0", "0.0", "0", *["-"] * 7],
        [
            "scale-in", f"{total(timeline):,}", f"{failed:,}", f"{failed / 300:.1f}", f"{share:.3g}",
            f"0.0 to {max(seconds) + 1 - at:.1f}",
            f"{even_again(timeline, spans['after'][0]) - at:.1f}",
            *(f"{p99(within(latency, spans[name])):.1f}" for name in ("before", "during")),
            "0.0", f"{meta['discovery'][1]['at'] - at:.1f}", f"{delta - at:.1f}",
        ],
    ]  # fmt: skip
    assert f"requests failed when a task was taken away ({failed / 300:.1f} s of traffic)." in page.text
    says = f"without a load balancer {failed:,} of {total(timeline):,} requests failed when a task was taken away"
    assert f"Single runs: {says}" in page.text
    assert f"scale-in: {failed:,} of 9,000 requests failed when a task was taken away." in page.text
    assert "Left out: crash, for it reaches into no task" in page.text


def test_requests_without_an_end_are_a_column_where_there_are_some(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", np.random.default_rng(3))
    meta = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**meta, "unfinished": 7}))
    (tmp_path / "study").mkdir()
    page = Tables(written(write_study(tmp_path / "study", [run], {})).read_text())

    head, line = page.tables[0]
    assert dict(zip(head, line, strict=True))["unfinished"] == "7"


def test_what_is_not_shown_to_its_end_is_marked_in_headline_and_tables(tmp_path: Path) -> None:
    rng = np.random.default_rng(17)
    runs = [
        write_run(
            tmp_path / f"{name}-{drain}", rng, name=name, lingers=1.0, drain=drain, parameters={"drain_seconds": drain}
        )
        for name in ("stop-task", "crash")
        for drain in (0.0, 20.0)
    ]
    record = json.loads((runs[1] / "run.json").read_text())
    for task in record["tasks"]:
        task["execution_stopped_at"] = None
    (runs[1] / "run.json").write_text(json.dumps(record))
    (tmp_path / "study").mkdir()
    page = Tables(written(write_study(tmp_path / "study", runs, {})).read_text())

    assert " without a load balancer if the application ends at once, and none* with drain_seconds 20. " in page.text
    small, large = page.tables[:2]
    assert [line[2] for line in small[1:]] == ["none*", "none"]
    assert [line[large[0].index("failed")] for line in large[1:]][1::2] == ["0*", "0"]
    assert "Where a number has a *, the load ended before the tasks did that were stopped" in page.text


@pytest.mark.parametrize(
    ("failed", "requests", "words"), [(1, 1116, "0.09 %"), (12, 1116, "1.1 %"), (164, 1117, "14.7 %"), (9, 16, "56 %")]
)
def test_a_share_has_no_more_digits_than_what_was_counted(failed: int, requests: int, words: str) -> None:
    assert percent(failed / requests, digits_of(failed)) == words


def test_services_of_their_own_settings_are_in_one_study(tmp_path: Path) -> None:
    """As `lab report` makes one of what `make compare` has measured: with two settings swept, and with none."""
    rng = np.random.default_rng(3)
    events = ("stop-task", "crash")
    runs = [
        write_run(
            tmp_path / f"{name}-{drain}", rng, name=name, lingers=2.0, drain=drain, parameters={"drain_seconds": drain}
        )
        for drain in (0.0, 20.0)
        for name in events
    ]
    for name in events:
        runs.append(write_run(tmp_path / f"{name}-both", rng, name=name, lingers=2.0))
        write_run(runs[-1] / "alb", rng, name=name, arm="alb")
    (tmp_path / "study").mkdir()
    page = Tables(written(write_study(tmp_path / "study", runs, {})).read_text())

    assert re.search(
        r"Single runs\. When a task was stopped, \d+ requests failed without a load balancer if the application ends "
        r"at once, none if it serves on for 20 s, and none through the load balancer\. When an application crashed, up "
        r"to \d+ requests failed without a load balancer, and none through the load balancer\.",
        page.text,
    )
    assert page.tables[0][0][1:] == [
        "no load balancer, ends at once", "no load balancer, serves on for 20 s",
        "no load balancer, on a stack with one", "load balancer",
    ]  # fmt: skip
    stop, crash = page.tables[0][1:]
    assert [stop[0], crash[0]] == ["When a task was stopped", "When an application crashed"]
    assert stop[3] == "-"
    failed = read_measured(tmp_path / "crash-both").findings["direct"].failures
    assert crash[3].startswith(f"{failed} (")
    assert (
        "The load went on for 19 s after the stop and 19 s after the crash; tasks that were stopped on purpose"
        in page.text
    )
    # What passed by the load balancer is not taken for a stack without one, but for a crash.
    assert [line[:3] for line in page.tables[1][1:]] == [
        [name, setting, way]
        for name in events
        for setting, way in (
            ("0: ends at once", "no load balancer"),
            ("20: serves on", "no load balancer"),
            ("0", "no load balancer, on a stack with one"),
            ("0", "load balancer"),
        )
        if (name, way) != ("stop-task", "no load balancer, on a stack with one")
    ]
    assert "Of events in which ECS may stop tasks that serve, on the stack with a load balancer, only " in page.text
    assert "Crash: no SIGTERM comes before requests fail, so serving on changes nothing: columns that" in page.text
    assert "Requests that failed" not in page.text  # no grid of settings that some runs do not have


def test_a_split_of_which_all_is_left_out_is_not_judged(tmp_path: Path) -> None:
    measured = read_measured(write_run(tmp_path / "run", np.random.default_rng(3)))
    findings = measured.findings["direct"]
    before, during, after = findings.periods
    assert after.judgement is not None
    after = replace(after, judgement=replace(after.judgement, left_out=after.judgement.requests))
    measured = replace(measured, findings={"direct": replace(findings, periods=(before, during, after))})
    text = Tables(written(measured).read_text()).text

    assert re.search(r"After: [\d,]+ requests are left out, answered while a host came or went", text)
    assert "After: 0 requests" not in text
    assert "before: measured" not in text  # one split is drawn, which needs no name
    assert "after: measured" not in text


def test_few_judged_requests_are_named_beside_their_bound(tmp_path: Path) -> None:
    measured = read_measured(write_run(tmp_path / "run", np.random.default_rng(3)))
    findings = measured.findings["direct"]
    before, during, after = findings.periods
    assert after.judgement is not None
    assert "Judged are" not in Tables(written(measured).read_text()).text
    many = after.judgement.requests
    after = replace(after, judgement=replace(after.judgement, left_out=many - 57, settle=5.0))
    measured = replace(measured, findings={"direct": replace(findings, periods=(before, during, after))})

    sentence = (
        f"Judged are 57 of the {many:,} requests after: the others came while a host came or went or within 5 s of"
    )
    assert sentence in Tables(written(measured).read_text()).text


@pytest.mark.parametrize("rate", [None, 300])
def test_the_command_that_repeats_it_has_the_loop(tmp_path: Path, rate: int | None) -> None:
    folder = write_run(tmp_path / "run", np.random.default_rng(3))
    update_meta(folder, {"settings": {"rate": rate, "run_time_s": 30}})
    assert f" --rate {rate or 0} --duration 30" in Tables(written(read_measured(folder)).read_text()).text


def test_the_command_that_repeats_it_names_the_outputs_and_a_study_has_its_own(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", np.random.default_rng(3))
    (tmp_path / "study").mkdir()
    study = write_study(tmp_path / "study", [run], {}, "lab run stop-task crash")
    text = Tables(written(study).read_text()).text
    assert "The command that repeats it: lab run stop-task crash." in text
    assert "--target" not in text

    experiment = json.loads((run / "run.json").read_text())["experiment"]
    update_meta(run, {"experiment": {**experiment, "outputs": "my twin/outputs.json"}})
    assert " --target 'my twin/outputs.json'." in Tables(written(read_measured(run)).read_text()).text


def test_a_study_names_the_requests_that_the_stage_throttled(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    runs = [write_run(tmp_path / name, rng, name=name) for name in ("stop-task", "crash")]
    (tmp_path / "study").mkdir()
    assert "429" not in Tables(written(write_study(tmp_path / "study", runs, {})).read_text()).text
    write_timeline_rows(runs[1], [*(runs[1] / "timeline.csv").read_text().splitlines()[1:], f"{START + 2},,429,30"])

    text = Tables(written(write_study(tmp_path / "study", runs, {})).read_text()).text
    assert "30 of what failed is the stage's limit (429), whatever happened to the tasks." in text


def test_a_study_says_once_what_holds_for_all_of_its_runs(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    runs = [write_run(tmp_path / name, rng, name=name) for name in ("stop-task", "crash")]
    for run in runs:
        write_run(run / "alb", rng, arm="alb")
    (tmp_path / "study").mkdir()
    text = Tables(written(write_study(tmp_path / "study", runs, {})).read_text()).text

    assert text.count("Both ways lead to the same tasks here") == 1


def test_both_ways_are_told_side_by_side(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    folder = write_run(tmp_path / "run", rng, lingers=1.5)
    write_run(folder / "alb", rng, arm="alb")
    page = Tables(written(read_measured(folder)).read_text())

    assert "; through a load balancer none of 9,000 requests failed." in page.text
    assert "Without a load balancer" in page.text
    assert "Through the load balancer" in page.text
    assert len([table for table in page.tables if table[0][0] == "host"]) == 2


def test_a_sweep_has_a_grid(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    runs = [
        write_run(tmp_path / f"{ttl}-{drain}{again}", rng, seconds=18, lingers=float(ttl), drain=float(drain),
                  parameters={"discovery_ttl": ttl, "drain_seconds": drain}, repeat=1 + len(again))
        for ttl in (0, 2) for drain in (0, 4) for again in ("", "r")
    ]  # fmt: skip
    (tmp_path / "study").mkdir()
    (tmp_path / "single").mkdir()
    single = Tables(written(write_study(tmp_path / "single", runs[::2], {})).read_text()).text
    assert "Single runs: without a load balancer 3 of 4 settings lost no request." in single
    text = written(write_study(tmp_path / "study", runs, {})).read_text()

    assert "Requests that failed, stop-task" in text
    assert text.count(">none<") == 2 * 3  # for a wide and for a narrow screen
    assert (
        "3 of 4 settings lost no request: discovery_ttl 0 with every drain_seconds, and discovery_ttl 2 with "
        "drain_seconds 4."
    ) in Tables(text).text
    timeline = [row for again in ("", "r") for row in rows_of(tmp_path / f"2-0{again}" / "timeline.csv")]
    failed = total([row for row in timeline if int(row["status"]) >= 400])
    assert f">{100 * failed / total(timeline):.3g} %<" in text
    assert "discovery_ttl: seconds that the gateway caches discovery" in text


def test_a_rate_that_was_missed_is_told(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", np.random.default_rng(9), name="baseline", at=None, seconds=15, rate=300)
    for asked, told in ((300, False), (400, True)):
        meta = json.loads((folder / "run.json").read_text())
        (folder / "run.json").write_text(json.dumps({**meta, "settings": {"rate": asked}}))
        (tmp_path / f"all-{asked}").mkdir()
        run = Tables(written(read_measured(folder)).read_text()).text
        study = Tables(written(write_study(tmp_path / f"all-{asked}", [folder], {})).read_text()).text

        assert ("300 of 400 requests/s could be sent" in run) is told
        assert ("Sent less than was asked for: baseline." in study) is told


def test_a_run_without_a_request(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", np.random.default_rng(6), name="baseline", at=None, seconds=1, rate=1)
    for name in ("hostnames.csv", "timeline.csv", "latency.csv"):
        head = (folder / name).read_text().splitlines()[0]
        (folder / name).write_text(head + "\n")
    update_meta(folder, {"requests": 0, "failures": 0})

    assert "nothing was measured" in written(read_measured(folder)).read_text()


def write_timeline_rows(folder: Path, rows: list[str]) -> None:
    """As the whole timeline of the run, with the other files in step."""
    (folder / "timeline.csv").write_text("\n".join(["second,hostname,status,requests", *rows]) + "\n")
    requests, failures = Counter[str](), Counter[str]()
    for row in rows_of(folder / "timeline.csv"):
        requests[row["hostname"]] += int(row["requests"])
        failures[row["hostname"]] += int(row["requests"]) if int(row["status"]) >= 400 else 0
    everything = requests.total()
    write_hosts(
        folder,
        [HostRow(h, "", n, failures[h], n / everything, 1, 1, 1, START, START + 3) for h, n in requests.items()],
    )
    update_meta(folder, {"requests": everything, "failures": failures.total()})


def test_a_run_in_which_no_host_answered(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", np.random.default_rng(7), name="baseline", at=None, seconds=3)
    write_timeline_rows(folder, [f"{START + second},,503,10" for second in range(3)])
    text = written(read_measured(folder)).read_text()

    assert "30 of 30 requests failed" in text
    assert "failed (below the axis)" in text


def test_answers_in_which_no_host_names_itself_are_drawn(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", np.random.default_rng(7), name="baseline", at=None, seconds=3)
    write_timeline_rows(folder, [f"{START + second},,200,10" for second in range(3)])

    assert "no host known" in written(read_measured(folder)).read_text()


def test_a_split_more_regular_than_chance_is_no_evidence_of_anything_else(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", np.random.default_rng(8), name="baseline", at=None, seconds=3)
    rows = [f"{START},{host},200,{number}" for host, number in zip(HOSTS, (100_000, 100_001, 100_002), strict=True)]
    write_timeline_rows(folder, rows)
    text = written(read_measured(folder)).read_text()

    assert "Not shown to be uneven" in text
    assert "ound robin" not in text


def test_what_was_slow_before_its_event_is_said() -> None:
    def row(name: str, p99: float, **setting: float) -> Row:
        return Row(EXPERIMENTS[name], "direct", setting, {"p99_before_ms": Spread.of([p99], "ms")}, ())

    assert slow_before([row("stop-task", 30.0), row("crash", 19.0), row("rollout", 336.0, discovery_ttl=40)]) == (
        "Slow before anything happened (p99 above 100 ms and 5 times the median of all, 30 ms): rollout, "
        "discovery_ttl 40 without a load balancer (336 ms). Something else was at work; repeat it."
    )
    assert slow_before([row("stop-task", 3.0), row("crash", 2.0), row("rollout", 34.0)]) == ""  # fast all the same
    assert slow_before([row("stop-task", 300.0), row("crash", 250.0)]) == ""  # far away, as all are
    assert slow_before([]) == ""


def test_evidence_is_at_a_level_for_all_splits_of_the_page(tmp_path: Path) -> None:
    """p = 0.04 is evidence on the page of its run, which has one split, and none on a page of two (Holm)."""
    runs = []
    for name, counts in (("a", (1_000, 1_000, 1_100)), ("b", (1_000, 1_001, 1_002))):
        folder = write_run(tmp_path / name, np.random.default_rng(8), name="baseline", at=None, seconds=3)
        rows = [f"{START},{host},200,{number}" for host, number in zip(HOSTS, counts, strict=True)]
        write_timeline_rows(folder, rows)
        runs.append(folder)
    (tmp_path / "all").mkdir()
    study = write_study(tmp_path / "all", runs, {})

    assert 0.025 < stats.chisquare((1_000, 1_000, 1_100)).pvalue < 0.05
    assert (
        "Uneven: gamma got 6.45 % more requests than its share (p = 0.04)."
        in Tables(written(read_measured(runs[0])).read_text()).text
    )
    assert run_page(read_measured(runs[0])).values["windows"][0]["evidence"] is True
    page = study_page(study)
    assert [window["evidence"] for run in page.values["runs"] for window in run["windows"]] == [False, False]
    assert "Uneven: " not in Tables(written(study).read_text()).text


def headline(report: Path) -> str:
    match = re.search("<h1>(.*)</h1>", report.read_text())
    assert match is not None
    return match[1].replace("&nbsp;", " ")


def test_a_load_that_ended_early_is_told_in_the_headline_and_survived_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(10)
    whole = write_run(tmp_path / "whole", rng, name="scale-in", lingers=1.5)
    before = cut_short(write_run(tmp_path / "before", rng, at=None, seconds=12))
    after = cut_short(write_run(tmp_path / "after", rng, seconds=15), after_event=True)
    said = "The load ended before the stop, so this run says nothing of it: none of 3,600 requests failed until then."
    assert headline(written(read_measured(before))) == said
    assert "The load ended after 15 of 60 s, so this run does not show all of the stop" in headline(
        written(read_measured(after))
    )

    for name, runs in (("none", [before, after]), ("one", [before, whole])):
        (tmp_path / name).mkdir()
        report = written(write_study(tmp_path / name, runs, {}))
        text = Tables(report.read_text()).text
        assert "stop-task (the load ended before the stop)" in text
        assert "lost no request" not in text
        assert ("No run came to its end" in headline(report)) is (name == "none")
        assert ("requests failed when a task was taken away" in headline(report)) is (name == "one")


@pytest.mark.parametrize(
    ("name", "serves_on", "parameters", "is_said"),
    [
        ("stop-task", 0.0, {}, True),
        ("stop-task", 0.4, {}, True),
        ("stop-task", 1.5, {}, False),
        ("stop-task", 0.0, {"drain_seconds": 0.0}, False),
        ("stop-task", 0.0, {"drain_seconds": 20.0}, True),
        ("crash", 0.0, {}, False),
    ],
)
def test_503_from_a_stop_on_leads_to_the_page_of_services(
    name: str, serves_on: float, parameters: dict[str, float], is_said: bool, tmp_path: Path
) -> None:
    """By what was measured: the setting of 20 s is one that the service may not read."""
    run = write_run(
        tmp_path / "run", np.random.default_rng(3), name=name, lingers=2.0, drain=serves_on, parameters=parameters
    )
    meta = json.loads((run / "run.json").read_text())
    meta["experiment"]["task"] = {"drain_seconds": parameters.get("drain_seconds", 20.0)}
    (run / "run.json").write_text(json.dumps(meta))
    measured = read_measured(run)
    page = run_page(measured)

    stop = measured.findings["direct"].stop
    assert stop is not None
    assert stop.began == pytest.approx(0, abs=1e-6)
    assert stop.served_on == pytest.approx(serves_on, abs=0.05)
    told = (
        f"503 from the stop on: the service answered for {stop.served_on:.1f} s after the stop, and no longer, "
        "though drain_seconds is 20. To serve on: `examples/serve_on.sh` of the project serviceconnect, and 'Serve on "
        "after SIGTERM' in its "
        "docs/own-service.md."
    )
    for each in (page, run_in_short(measured)):
        text = io.StringIO()
        terminal.write(each, Console(file=text, width=1_000))
        assert (text.getvalue().splitlines()[1] == told) is is_said  # right under the answer
        assert (told in text.getvalue()) is is_said


def test_periods_in_seconds_of_the_clock_add_up_to_more_than_the_load(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", np.random.default_rng(3), lingers=2.0)
    update_meta(run, {"duration_s": 28.6})
    page = run_page(read_measured(run))

    (hosts,) = [part for part in page.parts if isinstance(part, Table) and part.head[0] == "host"]
    spans = [int(found[1]) for head in hosts.head if (found := re.search(r"\((\d+) s\)", head))]
    assert sum(spans) == 30
    assert hosts.caption == ("Periods are in whole seconds of the clock, so that they add up to 30 s for 29 s of load.")


@pytest.mark.parametrize("serves_on", [0.0, 1.5])
def test_in_a_rollout_the_stop_comes_later_than_the_event(serves_on: float, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", np.random.default_rng(3), name="rollout", lingers=2.0, drain=serves_on)
    meta = json.loads((run / "run.json").read_text())
    meta["faults"][0]["at"] -= 4
    (run / "run.json").write_text(json.dumps(meta))
    measured = read_measured(run)

    stop = measured.findings["direct"].stop
    assert stop is not None
    assert stop.began == pytest.approx(4)
    assert stop.served_on == pytest.approx(serves_on, abs=0.05)
    said = [part.text for part in run_page(measured).parts if isinstance(part, Sentence)]
    assert any(text.startswith("503 from the stop on: ") for text in said) is (serves_on < 1)


def test_of_tasks_whose_answers_name_no_host_it_counts_when_their_containers_ended(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", np.random.default_rng(3), lingers=2.0)
    (run / "run.json").write_text((run / "run.json").read_text().replace('"gamma"', '"unseen"'))
    stop = read_measured(run).findings["direct"].stop
    assert stop is not None
    assert stop.served_on == pytest.approx(0.5)
    meta = json.loads((run / "run.json").read_text())
    for task in meta["tasks"]:
        task["execution_stopped_at"] = None
    (run / "run.json").write_text(json.dumps(meta))
    assert read_measured(run).findings["direct"].stop is None


def test_one_lost_request_is_no_zero_seconds() -> None:
    assert spread(Spread.of([0.01], "s")) == "0.01"
    assert spread(Spread.of([0.0, 0.01, 1.44], "s")).replace("\xa0", " ") == "0.01 (0.0 to 1.4)"
    assert spread(Spread.of([0.0895], "%")) == "0.0895"


def _quiet(tmp_path: Path, *counts: tuple[int, int, int]) -> Document:
    runs = []
    for number, own in enumerate(counts):
        folder = write_run(
            tmp_path / f"{number}", np.random.default_rng(8), name="baseline", at=None, seconds=3, repeat=number + 1
        )
        write_timeline_rows(
            folder, [f"{START},{host},200,{requests}" for host, requests in zip(HOSTS, own, strict=True)]
        )
        runs.append(folder)
    (tmp_path / "study").mkdir()
    return study_page(write_study(tmp_path / "study", runs, {}))


def test_repeats_in_which_nothing_happened_say_whether_they_were_even(tmp_path: Path) -> None:
    """p = 0.04 is no evidence among three; the bounds are those of each run."""
    page = _quiet(tmp_path, (1_000, 1_000, 1_100), (1_000, 1_001, 1_002), (980, 1_000, 1_005))
    judged = [read_measured(tmp_path / name).findings["direct"].periods[0].judgement for name in "012"]
    bounds = [own.bound for own in judged if own is not None and own.bound is not None]

    assert len(bounds) == 3
    assert page.title == (
        "3 runs, together: without a load balancer none of 9,088 requests failed while nothing happened. Unevenness is "
        f"shown in none of 3 splits (at 5 % for all together); no host is more than {100 * min(bounds):.3g} to "
        f"{percent(max(bounds))} off its share (95 % confidence, if requests are independent, each by itself)."
    )
    assert page.values["answer"] == page.title
    (table,) = [part for part in page.parts if isinstance(part, Table) and part.head[0] == "experiment"]
    assert "even again s" not in table.head  # nor any other column of dashes
    assert not [cell for line in table.rows for cell in line if cell == "-"]


def test_an_uneven_one_among_repeats_is_counted(tmp_path: Path) -> None:
    title = _quiet(tmp_path, (1_000, 1_000, 1_300), (1_000, 1_001, 1_002)).title
    assert "Unevenness is shown in 1 of 2 splits (at 5 % for all together); no host is more than" in title


def test_repeats_of_few_requests_have_no_bound(tmp_path: Path) -> None:
    assert _quiet(tmp_path, (10, 12, 11), (9, 12, 11)).title.endswith(
        "Unevenness is shown in none of 2 splits (at 5 % for all together), with too few requests to say that no host "
        "is more than 25 % off its share."
    )
