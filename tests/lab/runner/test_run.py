"""`lab run` as a user runs it: against a real twin, with real load."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import math
import os
import pty
import re
import signal
import subprocess
import sys
import termios
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lab.errors import Missing
from lab.experiments.catalogue import EXPERIMENTS
from lab.runner.actions import Setting
from lab.runner.load import Load, Plan, stop
from lab.runner.session import Request, Session
from lab.runner.target import TwinControl, read_target
from load.results import Run, read_run
from tests.command import Command
from tests.twin.running import PROJECT, RunningTwin, descendants, is_alive, wait_until

LAB = (sys.executable, "-c", "from lab.cli import main; main()")


@pytest.fixture(scope="module")
def done(twin: RunningTwin, lab: Command, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, str]:
    """One run, and what it printed."""
    results = tmp_path_factory.mktemp("results")
    where = ("--target", str(twin.state / "outputs.json"), "--results", str(results))
    finished = lab("run", "stop-task", *where, "--users", "4", "--rate", "50", "--duration", "12")
    assert finished.code == 0, finished.out + finished.err
    (folder,) = results.iterdir()
    return read_run(folder), finished.out


def test_every_request_is_in_both_files_and_in_locusts_total(done: tuple[Run, str]) -> None:
    run, _ = done

    assert run.meta["complete"] is True
    assert run.meta["requests"] > 100
    assert sum(host.requests for host in run.hosts) == run.meta["requests"]
    assert sum(row.requests for row in run.timeline) == run.meta["requests"]


def test_the_stopped_task_and_its_replacement_are_in_the_files(done: tuple[Run, str]) -> None:
    run, _ = done

    (fault,) = run.meta["faults"]
    task = next(task for task in run.meta["tasks"] if [task["arn"]] == fault["tasks"])
    assert task["stop_code"] == "UserInitiated"
    assert set(task["exit_codes"].values()) == {0}
    assert fault["hostnames"] == [task["hostname"]]
    assert task["hostname"] in {host.hostname for host in run.hosts}
    assert len({host.hostname for host in run.hosts if host.hostname}) == 4
    assert run.meta["start"] < fault["at"] < run.meta["end"]
    assert 0 <= fault["discovery_age_s"] <= run.meta["experiment"]["assumed"]["discovery_ttl"]


def test_the_answer_is_printed(done: tuple[Run, str]) -> None:
    run, printed = done

    words = " ".join(printed.split())
    assert f"of {run.meta['requests']:,} requests failed when a task was stopped." in words
    assert all(host.hostname.partition(".")[0] in words for host in run.hosts)
    assert "its replacement, first answered after" in words
    assert printed.splitlines()[-1] == f"Report: {run.path / 'report.html'}"
    lines = printed[printed.index("requests failed") :].splitlines()
    # Eight lines, and the table: caption, head, four hosts and none, failures and latencies by period.
    assert len(lines) <= 8 + 2 + 5 + 2


def test_progress_is_shown_all_along(done: tuple[Run, str]) -> None:
    _, printed = done

    lines = [line for line in printed.splitlines() if " s of 12 " in line]
    assert len(lines) >= 3
    assert re.search(r"stopped ip-\S+ \(task [0-9a-f]{32}\)", printed)


def test_json_alone_is_on_standard_output(twin: RunningTwin, tmp_path: Path, lab: Command) -> None:
    where = ("--target", str(twin.state / "outputs.json"), "--results", str(tmp_path))
    load = ("--users", "2", "--rate", "50", "--duration", "4", "--path", "/ready")
    code, out, err = lab("run", "baseline", *where, *load, "--json")
    found = json.loads(out)

    assert code == 0
    assert " s of 4 " in err
    run = read_run(Path(found["folder"]))
    assert found["requests"] == run.meta["requests"] > 100
    assert run.meta["settings"]["path_mix"] == "/ready=1"
    assert (found["windows"][0]["name"], len(found["windows"][0]["hosts"])) == ("whole run", 3)
    repeats = f"lab run baseline {' '.join(load[:-1])} &#x27;/ready&#x27; --target {twin.state / 'outputs.json'}"
    assert repeats in (run.path / "report.html").read_text()
    assert (run.path / "report.html").exists()


def test_the_report_is_whole_in_itself(done: tuple[Run, str]) -> None:
    run, _ = done
    report = (run.path / "report.html").read_text()

    assert report.count("<svg") == 2 * report.count("<figure>") >= 2 * 3  # for wide and for narrow screens
    assert f"of {run.meta['requests']:,} requests failed" in report
    assert re.findall(r'(?:src|href)="(?!#)[^"]*"', report) == []
    assert "@import" not in report


@pytest.mark.parametrize("send", [os.killpg, os.kill], ids=["to-the-group", "to-lab-alone"])
def test_ctrl_c_keeps_what_was_measured_and_leaves_nothing(
    twin: RunningTwin, tmp_path: Path, send: Callable[[int, int], None]
) -> None:
    arguments = ("run", "stop-task", "--target", str(twin.state / "outputs.json"), "--results", str(tmp_path))
    process = subprocess.Popen(
        [*LAB, *arguments, "--users", "2", "--rate", "50", "--duration", "60"],
        cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip

    def has_measured() -> bool:
        return any(len(file.read_text().splitlines()) > 4 for file in tmp_path.glob("*/timeline.csv"))

    wait_until(has_measured, "some seconds are measured")
    started = descendants(process.pid)
    send(process.pid, signal.SIGINT)
    output = process.communicate(timeout=60)[0]

    assert process.returncode == 130, output
    assert "Traceback" not in output
    (folder,) = tmp_path.iterdir()
    run = read_run(folder)
    assert run.meta["complete"] is False
    assert sum(host.requests for host in run.hosts) == run.meta["requests"] > 0
    said = r"The load was interrupted after \d+ of \d+ s, so this run says nothing of it"
    assert re.search(said, (folder / "report.html").read_text())
    assert not [pid for pid in started if is_alive(pid)]


def test_sigint_is_for_lab_alone_and_leaves_the_load_to_it(twin: RunningTwin, tmp_path: Path) -> None:
    load = Load(read_target(twin.state / "outputs.json"), Plan(2, 60, 50), tmp_path)

    def goes_on(requests: int) -> bool:
        assert load.follow()
        return load.seen.requests > requests

    try:
        wait_until(lambda: goes_on(0), "it is answered")
        load.process.send_signal(signal.SIGINT)
        before = load.seen.requests
        wait_until(lambda: goes_on(before + 100), "it goes on")  # of two seconds
    finally:
        stop([load])
    assert load.process.returncode == 0
    assert sum(row.requests for row in read_run(tmp_path).hosts) >= load.seen.requests


@pytest.mark.parametrize("by", ["ctrl-c", "a-terminal-that-closes"])
def test_an_end_in_a_rollout_puts_the_service_back(twin: RunningTwin, tmp_path: Path, by: str) -> None:
    ecs, outputs = twin.client("ecs"), twin.outputs()

    def service() -> dict[str, Any]:
        found = ecs.describe_services(cluster=outputs["cluster_name"], services=[outputs["service_name"]])
        return dict(found["services"][0])

    before = service()["taskDefinition"]
    arguments = ("run", "rollout", "--target", str(twin.state / "outputs.json"), "--results", str(tmp_path))
    terminal, ours = pty.openpty()
    process = subprocess.Popen(
        [*LAB, *arguments, "--users", "2", "--rate", "50", "--duration", "38"], cwd=PROJECT, start_new_session=True,
        stdin=ours, stdout=ours, stderr=ours, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(ours)
    wait_until(lambda: service()["taskDefinition"] != before, "the new revision is deployed", 60)
    if by == "ctrl-c":
        os.write(terminal, b"\x03")
        output = "".join(_lines(terminal))
        assert "going back to" in output
        assert re.search(r"The load was interrupted after \d+ of 38 s, so this run does not show all of ", output)
    os.close(terminal)
    assert process.wait(60) == {"ctrl-c": 130, "a-terminal-that-closes": 129}[by]

    assert service()["taskDefinition"] == before
    wait_until(lambda: len(service()["deployments"]) == 1 and service()["runningCount"] == 3, "it is as it was", 60)
    (folder,) = tmp_path.iterdir()
    run = read_run(folder)
    assert [fault["kind"] for fault in run.meta["faults"]] == ["rollout"]
    assert "The load was interrupted after " in (folder / "report.html").read_text()
    assert sum(host.requests for host in run.hosts) == run.meta["requests"] > 0


def _lines(terminal: int) -> Iterator[str]:
    """What comes from a terminal until the last of its processes ends."""
    with contextlib.suppress(OSError):  # EIO
        while read := os.read(terminal, 4096):
            yield read.decode()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("no-such-thing",), "There is no experiment 'no-such-thing': choose from baseline"),
        (("--duration", "-1"), "--duration -1 is out of range"),
        (("--duration", "4.5"), "--duration 4.5 is not in whole seconds"),
        (("--shortest", "--duration", "60"), "--shortest and --duration 60 exclude each other"),
        (("--outlast",), "--outlast is for --duration"),
        (("--duration", "9"), "--duration 9 ends before stop-task has run its course: give 11 or more"),
        (("--rate", "-1"), "--rate -1 is out of range: give requests per second, 0 (as many as go) to 100000"),
        (("--repeat", "0"), "--repeat 0 is out of range"),
        (("--sweep", "discovery_ttl"), "is not a name and numbers"),
        (("--sweep", "no_such=1"), "no_such is no parameter of the twin nor of the task: choose from drain_seconds, "),
        (("--sweep", "drain_seconds=60"), "drain_seconds=60 is cut off by the stop timeout of 60 s"),
        (("--users", "0"), "--users 0 is out of range: give from 1 to 10000"),
        (("--path", "orders 7"), "--path 'orders 7' is no path that Locust takes"),
        (("--users", "1000000"), "--users 1000000 is out of range: give from 1 to 10000"),
        (("--target", "no-such.json"), "no-such.json is not there"),
        (("--results", "/proc/no"), "cannot be written"),
    ],
)
def test_bad_input_is_one_sentence(
    twin: RunningTwin, lab: Command, tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    where = ("--target", str(twin.state / "outputs.json"), "--results", str(tmp_path))
    code, _, err = lab("run", "stop-task", *where, *options)

    assert code == 2
    assert words in err
    assert len(err.strip().splitlines()) == 1
    assert err.count("stop_timeout,") <= 1  # which the task and the twin have
    assert list(tmp_path.iterdir()) == []


def test_a_load_of_which_all_is_refused_ends_before_anything_happens(
    twin: RunningTwin, lab: Command, tmp_path: Path
) -> None:
    where = ("--target", str(twin.state / "outputs.json"), "--results", str(tmp_path))
    code, out, err = lab("run", "stop-task", *where, "--path", "/nope", "--rate", "50", "--duration", "120")

    assert code == 3
    assert "requests for /nope with an error (the last: 404)" in err
    assert "Report:" not in out
    refused = re.search(r"all ([\d,]+) requests for /nope", err)
    assert refused
    assert 0 < int(refused[1].replace(",", "")) < 50 * 60 / 2  # of the minute of load before a stop
    assert "nothing was done to the service" in err
    assert list(tmp_path.iterdir()) == []


def test_an_endpoint_that_does_not_answer(
    lab: Command, tmp_path: Path, keys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    outputs = {"gateway_url": "http://127.0.0.1:9", "region": "eu-west-2", "cluster_name": "c", "service_name": "s"}
    target = tmp_path / "outputs.json"
    target.write_text(json.dumps({"s": {**outputs, "aws_endpoint_url": "http://127.0.0.1:9"}}))

    code, _, err = lab("run", "stop-task", "--target", str(target))

    assert code == 3
    assert "http://127.0.0.1:9 does not answer" in err


def test_locust_that_does_not_start_is_told_with_its_last_words(
    twin: RunningTwin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.runner.load._LOCUSTFILE", tmp_path / "no-locustfile.py")
    target = read_target(twin.state / "outputs.json")
    request = Request([EXPERIMENTS["baseline"]], 4, 4, 20, 1, [{}], tmp_path / "results")
    folders: list[Path] = []

    with pytest.raises(Missing, match=r"Locust ended with exit code 1 \(.*no-locustfile.*\)"):
        Session(request, target, Console(quiet=True), folders.append).run()

    assert folders == []


@pytest.mark.parametrize("name", ["stop-task", "baseline"])
def test_where_the_gateway_does_not_answer_nothing_is_done_to_the_service(
    twin: RunningTwin, tmp_path: Path, name: str
) -> None:
    target = read_target(twin.state / "outputs.json").model_copy(update={"gateway_url": "http://127.0.0.1:9"})
    tasks = {task["taskArn"] for task in twin.tasks()}
    folders: list[Path] = []
    request = Request([EXPERIMENTS[name]], 4, 4, 20, 1, [{}], tmp_path / "results")
    session = Session(request, target, Console(quiet=True), folders.append)

    with pytest.raises(Missing, match=r"127\.0\.0\.1:9 answered none of \d+ requests: nothing was done"):
        session.run()

    assert {task["taskArn"] for task in twin.tasks()} == tasks
    assert folders == []  # nothing of it is reported
    assert list((tmp_path / "results").iterdir()) == []  # the message has the counts


@pytest.mark.parametrize("wait", [True, False])
def test_what_deploys_comes_last_and_its_way_back_is_waited_for_unless_asked_otherwise(
    twin: RunningTwin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wait: bool
) -> None:
    done: list[str] = []
    monkeypatch.setattr(Session, "_one", lambda self, experiment, *others: done.append(experiment.name))
    monkeypatch.setattr(Session, "_stable", lambda self, **others: done.append("stable"))
    experiments = [EXPERIMENTS[name] for name in ("stop-task", "rollout", "crash")]
    request = Request(experiments, 4, 4, 20, 2, [{}], tmp_path, wait=wait)
    Session(request, read_target(twin.state / "outputs.json"), Console(quiet=True), lambda folder: None).run()

    assert done == ["stop-task", "crash", "rollout"] * 2 + ["stable"] * wait


def test_repeats_meet_the_gateways_cache_at_random_and_the_settings_of_a_sweep_at_the_same_age(
    twin: RunningTwin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ages: list[float] = []
    monkeypatch.setattr("lab.runner.session.conduct", lambda *others: ages.append(others[-1]))
    monkeypatch.setattr(Session, "_stable", lambda self, **others: 3)
    cells = [{"discovery_ttl": ttl} for ttl in (1.0, 10.0)]
    request = Request([EXPERIMENTS["stop-task"]], 4, 4, 20, 3, cells, tmp_path)
    Session(request, read_target(twin.state / "outputs.json"), Console(quiet=True), lambda folder: None).run()

    short, long = ages[:3], ages[3:]
    assert long == pytest.approx([10 * age for age in short], abs=0.01)
    assert len(set(long)) == 3
    assert all(0 <= age <= 1 for age in short)


def test_it_is_said_why_a_load_is_longer_than_usual_and_how_long_all_are(
    twin: RunningTwin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.runner.session.conduct", lambda *others: None)
    monkeypatch.setattr(Session, "_stable", lambda self, **others: 3)
    crash = EXPERIMENTS["crash"]
    said = io.StringIO()
    request = Request([EXPERIMENTS["baseline"], crash], 4, None, 20, 2, [{"discovery_ttl": 40.0}], tmp_path)
    console = Console(file=said, width=1_000)
    Session(request, read_target(twin.state / "outputs.json"), console, lambda folder: None).run()

    lines = said.getvalue().splitlines()
    load = 2 * (20 + crash.seconds + 35)
    assert lines[0].endswith(f"; 4 runs, {load:g} s of load in all, roughly 4 min with the waits between them")
    told = (
        f"{crash.seconds + 35:g} s of load on 3 tasks, 35 s of it until the gateway's list expires (discovery_ttl 40)"
    )
    assert f"crash (2 of 4), discovery_ttl 40: {told}" in lines


@pytest.mark.parametrize(
    ("names", "cells", "wait", "waits"),
    [
        (["stop-task"], [{}], True, 0),
        (["rollout"], [{}], True, 3 * 34),  # each deployment is taken back
        (["stop-task", "rollout"], [{}], False, 2 * 34),
        # One is as it was; before the other all tasks end, and after it those before come back.
        (["stop-task"], [{"drain_seconds": 1.0}, {"drain_seconds": 40.0}], True, 14 + 73),
        (["rollout"], [{"drain_seconds": 0.0}, {"drain_seconds": 1.0}], True, 14 + 3 * 33 + 3 * 34),
        (["rollout"], [{"drain_seconds": 1.0}, {"drain_seconds": 40.0}], False, 2 * 34 + 14 + 2 * 73),
        (["stop-task"], [{"discovery_ttl": 5.0}, {"discovery_ttl": 1.0}], True, 0),
    ],
)
def test_the_whole_time_is_roughly_told_with_what_the_runner_waits_for(
    twin: RunningTwin, tmp_path: Path, names: list[str], cells: list[Setting], wait: bool, waits: float
) -> None:
    """Of tasks that serve on for 1 s, with a health check every 10 s and proxies that serve on for 20 s more."""
    target = read_target(twin.state / "outputs.json")
    request = Request([EXPERIMENTS[name] for name in names], 4, None, 20, 3, cells, tmp_path, wait=wait)
    TwinControl(target).set({"proxy_drain": 20.0})
    said = Session(request, target, Console(quiet=True), lambda folder: None)._in_all()
    load = int(said.partition(" s of load")[0])
    whole = load + 4 * request.runs + waits
    roughly = f"{10 * math.ceil(whole / 10)} s" if whole <= 120 else f"{math.ceil(whole / 60)} min"
    assert said == f"{load} s of load in all, roughly {roughly} with the waits between them"


def test_seconds_follow_one_another(done: tuple[Run, str]) -> None:
    run, _ = done
    per_second = Counter({row.second: row.requests for row in run.timeline})
    assert len(per_second) >= 11
