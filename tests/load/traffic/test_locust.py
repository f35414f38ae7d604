"""Locust as its users start it: one process."""

from __future__ import annotations

import json
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from lab.records.observations import observe
from lab.records.run import record_of
from load.results import read_run

from_service = {"alpha": "eu-west-2a", "beta": "eu-west-2b", "gamma": "eu-west-2c"}


def test_a_run_leaves_its_files_and_a_table_and_stdout_pure(locust: Any, service: str) -> None:
    code, stdout, stderr = locust.run("--headless", "-H", service, "-u", "4", "-r", "4", "-t", "1s", "--json")
    assert code == 0, stderr
    (statistics,) = json.loads(stdout)
    run = locust.only_run()
    assert run.meta["requests"] == statistics["num_requests"] > 0
    assert run.meta["complete"] is True
    assert run.meta["target"] == service
    assert run.meta["users"] == 4
    assert run.meta["duration_s"] > 0
    assert (run.meta["settings"]["rate"], run.meta["settings"]["payload_bytes"]) == (None, 1024)
    hosts = [row for row in run.hosts if row.hostname]
    bodies = sum(len(row.hostname) * row.requests for row in hosts) / run.meta["requests"]
    assert run.meta["response_bytes_mean"] == pytest.approx(bodies, abs=0.1)
    assert {row.hostname: row.availability_zone for row in run.hosts} == from_service
    assert sum(row.requests for row in run.latency) == run.meta["requests"]
    assert sum(row.share for row in run.hosts) == pytest.approx(1, abs=1e-5)
    assert {row.status for row in run.timeline} == {200}
    assert all(0 < row.p50_ms <= row.p95_ms <= row.p99_ms for row in run.hosts)
    assert all(f"\n{row.hostname} " in stderr for row in run.hosts)
    assert run.path.name in stderr


@pytest.mark.parametrize("shape", [(), ("--shape", "soak")])
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_with_complete_files_and_report(
    locust: Any, service: str, end: int, shape: tuple[str, ...]
) -> None:
    process = locust.start("--headless", "-H", service, "-u", "8", "-r", "8", "--html", "report.html", *shape)
    locust.wait_for_requests(process)
    process.send_signal(end)
    _, stderr = process.communicate(timeout=60)
    run = locust.only_run()
    assert run.meta["complete"] is True
    assert run.meta["requests"] == locust.total(stderr)
    assert "Traceback" not in stderr
    html = (locust.folder / "report.html").read_text()
    assert html.count('<section id="hostnames"') == 1
    assert all(
        f"<td class=text>{row.hostname}</td>" in html and f"<td>{row.requests:,}</td>" in html for row in run.hosts
    )


def test_a_killed_run_leaves_valid_files(locust: Any, service: str) -> None:
    process = locust.start("--headless", "-H", service, "-u", "2", "-r", "2")
    locust.wait_for_requests(process, "timeline.csv")
    locust.wait_for_requests(process, "hostnames.csv")
    process.kill()
    process.wait(10)
    (path,) = (locust.folder / "results").iterdir()
    run = read_run(path)
    assert run.meta["complete"] is False
    assert run.hosts
    assert run.timeline


def test_failures_belong_to_the_host_that_answered_and_to_none_else(locust: Any, service: str) -> None:
    mix = "hostname=1,broken=1,missing=1,foreign/hostname=1,hang-up=1"
    arguments = ("--headless", "-H", service, "-u", "1", "-t", "1s", "--path-mix", mix)
    code, stdout, stderr = locust.run(*arguments, "--json", "--exit-code-on-error", "7")
    assert code == 7, stderr
    run = locust.only_run()
    statistics = {entry["name"]: entry for entry in json.loads(stdout)}
    assert run.meta["failures"] == sum(entry["num_failures"] for entry in statistics.values())
    by_host = {row.hostname: row for row in run.hosts}
    assert set(by_host) == {*from_service, ""}
    of_none = statistics["/missing"]["num_requests"] + statistics["/hang-up"]["num_requests"]
    assert by_host[""].requests == by_host[""].failures == of_none
    assert sum(by_host[host].failures for host in from_service) == statistics["/broken"]["num_failures"]
    assert {row.status for row in run.timeline if not row.hostname} == {404, 0}


@pytest.mark.parametrize(
    ("mix", "said"),
    [
        ("missing=1", r"All \d+ requests were answered with 404, no host known: is each path of --path-mix a route\?"),
        (
            "hostname=1,throttled=1",
            r"\d+ of \d+ requests were answered with 429, no host known: the API admits no more",
        ),
    ],
)
def test_why_the_gateway_answers_by_itself_is_said(locust: Any, service: str, mix: str, said: str) -> None:
    _, _, stderr = locust.run("--headless", "-H", service, "-u", "1", "-t", "1s", "--path-mix", mix)
    assert len(re.findall(said, stderr)) == 1
    assert "--group-by" not in stderr


def test_a_request_without_an_answer_is_sent_once_and_fails(locust: Any, own_service: str) -> None:
    locust.run("--headless", "-H", own_service, "-u", "1", "-t", "1s", "--path-mix", "hang-up=1")
    run = locust.only_run()
    assert run.meta["failures"] == run.meta["requests"] == locust.seen(own_service)["requests"] > 0
    assert run.meta["unfinished"] == 0


@pytest.mark.parametrize(("kind", "most"), [("keep-alive", 3), ("pooled:2", 2)])
def test_connections_are_kept(locust: Any, own_service: str, kind: str, most: int) -> None:
    locust.run("--headless", "-H", own_service, "-u", "3", "-r", "3", "-t", "1s", "--connections", kind)
    assert locust.only_run().meta["requests"] > 10
    assert locust.seen(own_service)["connections"] == most


def test_each_request_can_have_a_connection_of_its_own(locust: Any, own_service: str) -> None:
    locust.run("--headless", "-H", own_service, "-u", "2", "-r", "2", "-t", "1s", env={"LOAD_CONNECTIONS": "close"})
    said = locust.seen(own_service)
    assert said["connections"] == said["requests"] == locust.only_run().meta["requests"] > 10


def test_what_stands_for_the_host_is_in_the_results(locust: Any, service: str) -> None:
    locust.run(
        "--headless", "-H", service, "-u", "2", "-r", "2", "-t", "1s", "--group-by", "header:x-availability-zone"
    )
    run = locust.only_run()
    assert run.meta["settings"]["group_by"] == "header:x-availability-zone"
    assert observe(run).taken_for == "the results of a run, counted by header:x-availability-zone"


def test_an_open_loop_does_not_wait_for_answers(locust: Any, service: str) -> None:
    # In a closed loop, one user gets four answers a second from /slow.
    mix = ("--path-mix", "slow/hostname=1", "--rate", "50")
    _, _, stderr = locust.run("--headless", "-H", service, "-u", "1", "-t", "2s", *mix)
    run = locust.only_run()
    assert run.meta["requests"] + run.meta["unfinished"] == pytest.approx(run.meta["due"], abs=25)
    assert "requests/s" not in stderr.partition("Requests by hostname")[2]


def test_an_open_loop_counts_the_time_that_requests_were_kept_from_being_sent(locust: Any, service: str) -> None:
    locust.locustfile = locust.folder / "one_at_a_time.py"
    # As on a busy machine, the first users come some time after the start of the test.
    locust.locustfile.write_text(
        "import time\nfrom locust import events\nfrom locustfile import HostnameUser\nHostnameUser.concurrency = 1\n"
        "late = lambda **_: events.test_start.add_listener(lambda **_: time.sleep(0.3))\n"
        "events.init.add_listener(late)\n"  # after those who count
    )
    mix = ("--path-mix", "slow/hostname=1", "--rate", "50")
    arguments = ("--headless", "-H", service, "-u", "1", "-t", "2s", "--json", "--html", "report.html")
    _, stdout, stderr = locust.run(*arguments, *mix)
    run = locust.only_run()
    # Twelve times as many are due as can be answered, each within 250 ms: the wait grows to almost two seconds.
    assert max(row.p99_ms for row in run.hosts) > 1000
    assert json.loads(stdout)[0]["max_response_time"] > 1000
    assert run.meta["due"] == pytest.approx(50 * run.meta["duration_s"], abs=1)
    note = (
        f"{run.meta['requests'] / run.meta['duration_s']:.2g} of 50 requests/s could be sent, and the wait to be sent"
    )
    assert note in stderr
    assert note in (locust.folder / "report.html").read_text()


@pytest.mark.parametrize("workers", [0, 2])
def test_requests_that_are_behind_are_said_while_the_load_goes_on_and_once(
    locust: Any, service: str, free_port: int, workers: int
) -> None:
    locust.locustfile = locust.folder / "one_at_a_time.py"
    locust.locustfile.write_text(
        "from load import rate\nfrom locustfile import HostnameUser\n"
        "HostnameUser.concurrency = 1\nrate._LATE_FOR = 0.5\n"
    )
    arguments = ["--headless", "-H", service, "-u", "4", "-r", "4", "-t", "4s", "--path-mix", "slow/hostname=1"]
    if workers:
        arguments += ["--processes", str(workers), "--master-bind-port", str(free_port), "--master-port"]
        arguments += [str(free_port), "--master-bind-host", "127.0.0.1"]
    _, _, stderr = locust.run(*arguments, "--rate", "50")
    said = "were sent over half a second after they were due: 50 requests/s could not be kept up"
    (line,) = [line for line in stderr.splitlines() if said in line]
    assert "WARNING" in line
    assert stderr.index(said) < stderr.index("Requests by hostname")
    # At the end it is known how many were sent.
    assert "of 50 requests/s could be sent" in stderr.partition("Requests by hostname")[2]


def test_what_waits_for_a_pooled_connection_is_behind_and_is_not_sent_after_the_load(
    locust: Any, own_service: str
) -> None:
    locust.locustfile = locust.folder / "soon.py"
    locust.locustfile.write_text("from load import rate\nfrom locustfile import HostnameUser\nrate._LATE_FOR = 0.5\n")
    arguments = ("--headless", "-H", own_service, "-u", "2", "-r", "2", "-t", "4s", "--path-mix", "slow/hostname=1")
    _, _, stderr = locust.run(*arguments, "--rate", "50", "--connections", "pooled:1")
    run = locust.only_run()

    sent = run.meta["requests"] + run.meta["unfinished"]
    assert sent == locust.seen(own_service)["requests"]
    assert [row for row in run.timeline if row.second > run.meta["end"] + 1] == []  # one was under way
    assert 0 < sent < run.meta["due"] / 3
    assert "were sent over half a second after they were due" in stderr.partition("Requests by hostname")[0]
    assert "of 50 requests/s could be sent" in stderr


def test_a_shape_follows_the_run_time_and_ends_it(locust: Any, service: str) -> None:
    arguments = ("--headless", "-H", service, "-u", "10", "-t", "2s", "--shape", "steps", "--rate", "100")
    code, _, stderr = locust.run(*arguments)
    assert code == 0, stderr
    assert "Shape test updating to 2 users" in stderr
    assert "Shape test stopping" in stderr
    run = locust.only_run()
    assert run.meta["settings"]["shape"] == "steps"
    # The rate has the shape, which Locust asks for once a second: a fifth of it, then three fifths.
    assert run.meta["requests"] == pytest.approx(20 + 60, rel=0.4)
    sent = run.meta["requests"] + run.meta["unfinished"]
    assert sent == pytest.approx(run.meta["due"], rel=0.25)
    assert run.meta["due"] < 150
    assert run.meta["user_changes"][0]["users"] == 2
    assert "could be sent" not in stderr
    asked = record_of(run).asked_rate
    assert asked == pytest.approx(run.meta["due"] / run.meta["duration_s"], abs=0.1)


def test_requests_carry_a_token_or_a_signature(locust: Any, own_service: str) -> None:
    arguments = ("--headless", "-H", own_service, "-u", "1", "-t", "1s", "--path-mix", "private/hostname=1")
    code, _, stderr = locust.run(*arguments, "--authorization", "JWT", env={"LOAD_JWT": "secret-token"})
    assert code == 0, stderr
    assert locust.seen(own_service)["authorization"] == "Bearer secret-token"
    assert "secret-token" not in (locust.only_run().path / "run.json").read_text() + stderr
    outputs = {"stack": {"gateway_url": own_service, "region": "eu-west-2", "authorization": "AWS_IAM"}}
    (locust.folder / "outputs.json").write_text(json.dumps(outputs))
    credentials = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
    code, _, stderr = locust.run(*arguments[:1], *arguments[3:], "--host", "outputs.json", env=credentials)
    assert code == 0, stderr
    assert locust.seen(own_service)["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/eu-west-2/execute-api/aws4_request" in locust.seen(own_service)["authorization"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--path-mix", "hostname"), "argument --path-mix: 'hostname': each part must be a path and a weight above 0"),
        (("--host", "absent.json"), "--host absent.json: no such file or directory"),
        (("-H", ""), "--host '': the URL of a host is needed"),
        (("-H", "http://[::1"), "--host 'http://[::1': the URL of a host is needed"),
        (("-H", "http://127.0.0.1:99999"), "--host 'http://127.0.0.1:99999': the URL of a host is needed"),
        (("--results-dir", "long" * 100), "(file name too long); "),
    ],
)
def test_bad_values_are_refused_before_any_load(
    locust: Any, service: str, arguments: tuple[str, ...], sentence: str
) -> None:
    code, _, stderr = locust.run("--headless", "-H", service, "-t", "1s", *arguments)
    assert code == 2
    assert sentence in stderr
    assert "Traceback" not in stderr
    assert not (locust.folder / "results").exists()


def test_the_folder_can_be_named_in_the_environment(locust: Any, service: str) -> None:
    code, _, stderr = locust.run("--headless", "-H", service, "-t", "1s", env={"LOAD_RESULTS_DIR": "a/b"})
    assert code == 0, stderr
    assert read_run(locust.folder / "a" / "b").meta["complete"] is True


def test_no_place_for_results_is_said_before_any_load(locust: Any, service: str) -> None:
    code, _, stderr = locust.run("--headless", "-H", service, "-t", "1s", limits="ulimit -f 0")
    assert code == 2
    assert "(file too large); free some space or name another folder with --results-dir." in stderr
    assert "Traceback" not in stderr
    assert "Ramping" not in stderr


def test_results_that_cannot_be_written_at_the_end_are_said(locust: Any, service: str) -> None:
    process = locust.start("--headless", "-H", service, "-u", "1")
    locust.wait_for_requests(process)
    shutil.rmtree(locust.folder / "results")
    Path(locust.folder / "results").touch()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "cannot be written" in stderr
    assert "Requests by hostname" in stderr
    assert "Traceback" not in stderr
