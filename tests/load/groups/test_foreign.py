"""A locustfile that is not ours, with the two lines added. Whatever happens, its sums are Locust's and the server's."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

# As Locust's documentation begins: a user who thinks between tasks of different weights, some of them tagged.
SHOP = """
from locust import HttpUser, between, tag, task
from load.groups import track

track("header:x-hostname")


class Shopper(HttpUser):
    wait_time = between(0.01, 0.05)

    def on_start(self):
        self.client.get("/identity")

    @tag("browse")
    @task(3)
    def view_items(self):
        for item in range(3):
            self.client.get(f"/hostname?item={item}", name="/hostname")

    @tag("browse")
    @task
    def find_nothing(self):
        with self.client.get("/missing", catch_response=True) as answer:
            answer.success()

    @tag("broken")
    @task
    def fail(self):
        self.client.get("/broken")
"""

TWO_HOSTS = """
import os
from locust import FastHttpUser, task
from load.groups import track

track()


class One(FastHttpUser):
    host = os.environ["ONE"]

    @task
    def ask(self):
        self.client.get("/hostname")


class Other(One):
    host = os.environ["OTHER"]
"""

# What another plugin does: Locust's documented way to extend its pages, which sets lists and keeps no others.
OTHER_PLUGIN = """
import json
from locust import events


@events.init.add_listener
def extend(environment, **_):
    if environment.web_ui:
        environment.web_ui.template_args.update({
            "extended_tabs": [{"title": "Sizes", "key": "sizes"}],
            "extended_tables": [{"key": "sizes", "structure": [{"key": "size", "title": "Size"}]}],
            "extended_csv_files": [{"href": "/sizes/csv", "title": "Download sizes CSV"}],
        })

        @environment.web_ui.app.after_request
        def add_sizes(response):
            if request_path() == "/stats/requests":
                extended = [{"key": "sizes", "data": [{"size": 1}]}]
                response.set_data(json.dumps({**response.json, "extended_stats": extended}))
            return response


def request_path():
    from flask import request

    return request.path
"""

# As Locust's example of validations has it: what a listener raises keeps the request from those that come after it.
IMPATIENT = """
from locust import events
from locust.exception import RescheduleTask


@events.init.add_listener
def listen(environment, **_):
    @environment.events.request.add_listener
    def give_up(exception, **_):
        if exception:
            raise RescheduleTask()
"""

# Clients of other protocols, and a key that cannot be relied on.
ODD = """
import enum
from http import HTTPStatus
from itertools import cycle
from types import SimpleNamespace
from locust import User, constant, task
from load.groups import track


class Code(enum.Enum):
    OK = 0


def fail(*_):
    raise ArithmeticError("no zone")


names = cycle([None, "", "one", 2, ["a", "list"], (3,), "(other)", "=1+1", "a\\nb\\x00", "x" * 10**6, b"\\xff", "one"])
statuses = cycle([None, Code.OK, "200", HTTPStatus.OK, 404, float("nan"), -1])


def unsteady(response, url, context, exception):
    name = next(names)
    if name == 2:
        raise RuntimeError("not today")
    return name


track(unsteady, noun="tenant", detail=("zone", fail))


class Odd(User):
    wait_time = constant(0.2)

    @task
    def fire(self):
        for _ in range(84):  # each name with each status
            response = SimpleNamespace(status_code=next(statuses))
            self.environment.events.request.fire(
                request_type="odd", name="odd", response_time=1, response_length=0, response=response, exception=None
            )
"""

# A worker with another version of the plugin: its reports have another form.
OTHER_VERSION = """
from locust import events


@events.init.add_listener
def other_version(environment, **_):
    @environment.events.report_to_master.add_listener
    def report(data, **_):
        data["load.groups"] = {"format": 99, "groups": "in another form"}
"""

# Workers that report when they start and when they end.
RARE_REPORTS = """
from locust import runners

runners.WORKER_REPORT_INTERVAL = 1000
"""

# A worker that is killed with its tenth request.
BRIEF = """
import os
import signal
from itertools import count
from locust import events

numbers = count(1)


@events.request.add_listener
def end(**_):
    if next(numbers) == 10:
        os.kill(os.getpid(), signal.SIGKILL)
"""

SHAPE = """
from locust import LoadTestShape


class Brief(LoadTestShape):
    def tick(self):
        return (4, 4) if self.get_run_time() < 2 else None
"""


def counted(file: Path) -> tuple[int, int]:
    """Requests and failures of a CSV file."""
    rows = list(csv.DictReader(file.read_text().splitlines()))
    return sum(int(row["requests"]) for row in rows), sum(int(row["failures"]) for row in rows)


def agree(locust: Any, stderr: str) -> int:
    """The requests, of which Locust and both files have the same number."""
    total = int(locust.total(stderr))
    assert counted(locust.folder / "c_groups.csv") == counted(locust.folder / "c_groups_history.csv")
    assert counted(locust.folder / "c_groups.csv")[0] == total > 0
    assert "in all" not in stderr
    # Of Locust's own: it closes its CSV files before it ends the one who writes them.
    ours = re.sub(
        r"Traceback [^\n]*\n( [^\n]*\n)*[^\n]* in stats_writer\n( [^\n]*\n)*ValueError: I/O operation", "", stderr
    )
    assert "Traceback" not in ours
    return total


def write(locust: Any, text: str) -> None:
    """The locustfile."""
    locust.locustfile = locust.folder / "shop.py"
    locust.locustfile.write_text(text)


FILES = ("--csv", "c", "--csv-full-history", "--stop-timeout", "20")


def bound(port: int) -> tuple[str, ...]:
    """Options for four workers on a port of loopback."""
    return ("--processes", "4", *master(port), "--master-port", str(port))


def master(port: int) -> tuple[str, ...]:
    """Options for a master on a port of loopback."""
    return ("--master-bind-host", "127.0.0.1", "--master-bind-port", str(port))


def start(locust: Any, service: str, *workers: str, text: str = SHOP) -> Any:
    """Locust, which has counted some hundred requests, failures among them."""
    write(locust, text)
    load = ("--headless", "-H", service, "-u", "8", "-r", "8", *FILES, *workers, "--html", "r.html", "--logfile", "log")
    process = locust.start(*load)

    def reported() -> bool:
        file = locust.folder / "c_groups.csv"
        requests, failures = counted(file) if file.exists() else (0, 0)
        return requests > 300 and failures > 0

    locust.wait_until(process, reported)
    return process


@pytest.mark.parametrize("processes", [1, 4])
def test_sums_are_locusts_and_the_servers(locust: Any, own_service: str, free_port: int, processes: int) -> None:
    process = start(locust, own_service, *(bound(free_port) if processes > 1 else ()))
    process.terminate()
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1, stderr  # as Locust has it: some requests failed
    total = agree(locust, stderr)
    assert total == locust.seen(own_service)["requests"]
    # What the locustfile accepted is no failure, here as there.
    (failures,) = re.findall(r"Aggregated +\d+ +(\d+)\(", stderr)
    assert 0 < counted(locust.folder / "c_groups.csv")[1] == int(failures) < total
    for host in ("alpha", "beta", "gamma", "(no group known)"):
        assert f"\n{host} " in stderr
        assert f"<td class=text>{host}</td>" in (locust.folder / "r.html").read_text()


def test_a_worker_that_is_stopped_for_a_while_and_goes_on_loses_nothing(
    locust: Any, own_service: str, free_port: int
) -> None:
    process = start(locust, own_service, *bound(free_port))
    worker = psutil.Process(process.pid).children()[0]

    def said(words: str) -> bool:
        return words in (locust.folder / "log").read_text()

    worker.send_signal(signal.SIGSTOP)
    locust.wait_until(process, lambda: said("failed to send heartbeat, setting state to missing"))
    worker.send_signal(signal.SIGCONT)
    locust.wait_until(process, lambda: said("self-healed with heartbeat"))
    process.terminate()
    _, stderr = process.communicate(timeout=60)
    log = (locust.folder / "log").read_text()
    assert agree(locust, log + stderr) == locust.seen(own_service)["requests"]
    assert "stopped reporting" not in stderr


LOST = r"Worker (\S+) stopped reporting at \S+ UTC\. By \S+ UTC it had counted ([\d,]+) requests more"


def test_of_a_worker_that_is_killed_it_is_said_what_it_had_counted(
    locust: Any, own_service: str, free_port: int
) -> None:
    write(locust, SHOP + RARE_REPORTS)
    load = ("--headless", "-H", own_service, "-u", "8", "-r", "8", *FILES)
    process = locust.start(*load, *bound(free_port), "--logfile", "log", "--loglevel", "DEBUG")

    def log() -> str:
        file = locust.folder / "log"
        return file.read_text() if file.exists() else ""

    # The first time with the start of the test; two seconds later each has requests that it has not reported.
    heard = re.compile(r"Received load\.groups\.counted message from worker (\S+)")
    locust.wait_until(process, lambda: sum(times > 2 for times in Counter(heard.findall(log())).values()) == 4)
    psutil.Process(process.pid).children()[0].kill()
    locust.wait_until(process, lambda: "setting state to missing" in log())
    process.terminate()
    _, stderr = process.communicate(timeout=60)
    total = agree(locust, log() + stderr)
    ((_, known),) = re.findall(LOST, stderr)
    assert 0 < int(known.replace(",", "")) <= locust.seen(own_service)["requests"] - total


def test_a_worker_that_is_gone_right_after_it_joined_is_noticed(locust: Any, own_service: str, free_port: int) -> None:
    write(locust, SHOP)
    load = ("--headless", "-H", own_service, "-u", "4", "-r", "4", *FILES)
    process = locust.start(*load, "--master", "--expect-workers", "1", *master(free_port))
    worker = ("--worker", "--master-port", str(free_port))
    locust.start(*worker)
    file = locust.folder / "c_groups.csv"
    locust.wait_until(process, lambda: file.exists() and counted(file)[0] > 0)
    locust.locustfile = locust.folder / "brief.py"
    locust.locustfile.write_text(SHOP + BRIEF)
    locust.start(*worker).wait(30)
    process.terminate()
    _, stderr = process.communicate(timeout=60)
    assert len(re.findall(LOST, stderr)) == 1, stderr
    assert agree(locust, stderr) < locust.seen(own_service)["requests"]


@pytest.mark.parametrize("other", [OTHER_VERSION, ""])
def test_of_a_worker_with_another_version_or_without_the_plugin_the_missing_are_counted(
    locust: Any, own_service: str, free_port: int, other: str
) -> None:
    write(locust, SHOP)
    load = ("--headless", "-H", own_service, "-u", "4", "-r", "4", "-t", "4s", *FILES)
    process = locust.start(*load, "--master", "--expect-workers", "2", *master(free_port))
    worker = ("--worker", "--master-port", str(free_port))
    locust.start(*worker)
    text = SHOP if other else SHOP.replace("from load.groups import track", "track = print")
    locust.locustfile = locust.folder / "other.py"
    locust.locustfile.write_text(text + other)
    locust.start(*worker)
    _, stderr = process.communicate(timeout=60)
    ((missing, _),) = re.findall(r"([\d,]+) requests of worker (\S+) are in no count: .* without this version", stderr)
    total = locust.total(stderr)
    assert counted(locust.folder / "c_groups.csv")[0] == total - int(missing.replace(",", "")) > 0
    assert total == locust.seen(own_service)["requests"]
    assert "stopped reporting" not in stderr
    assert "Traceback" not in stderr


def test_a_listener_that_raises_takes_no_request_from_the_counts(locust: Any, own_service: str) -> None:
    process = start(locust, own_service, text=SHOP + IMPATIENT)
    process.terminate()
    _, stderr = process.communicate(timeout=60)
    assert agree(locust, stderr) == locust.seen(own_service)["requests"]


@pytest.mark.parametrize("processes", [1, 4])
def test_whatever_a_client_answers_and_a_key_gives_the_load_goes_on(
    locust: Any, free_port: int, processes: int
) -> None:
    write(locust, ODD)
    workers = bound(free_port) if processes > 1 else ()
    load = ("--headless", "-u", "4", "-r", "4", "-t", "3s", "--json", *FILES, "--html", "r.html")
    code, _, stderr = locust.run(*load, *workers)
    assert code == 0, stderr
    assert "Uncaught exception" not in stderr
    total = int(re.findall(r"\nall +([\d,]+) ", stderr)[0].replace(",", ""))
    for file in ("c_tenants.csv", "c_tenants_history.csv"):
        assert counted(locust.folder / file) == (total, 0)
    history = csv.DictReader((locust.folder / "c_tenants_history.csv").read_text().splitlines())
    assert {row["status"] for row in history} == {"0", "200", "404"}
    rows = csv.DictReader((locust.folder / "c_tenants.csv").read_text().splitlines())
    names = {"", "one", "['a', 'list']", '"(3,)"', '"(other)"', "'=1+1", "a b", "x" * 200, "b'\\xff'"}
    assert {row["tenant"] for row in rows} == names
    assert "There were more groups" not in stderr
    assert stderr.count("A request's tenant is not known where its key raises this.") == processes
    assert '<section id="tenants"' in (locust.folder / "r.html").read_text()


def test_a_function_of_the_locustfile_s_folder_and_the_option(locust: Any, service: str) -> None:
    write(locust, SHOP)
    (locust.folder / "mine.py").write_text(
        "def status(response, url, context, exception):\n    return response.status_code\n"
    )
    load = ("--headless", "-H", service, "-u", "2", "--tags", "browse", *FILES)
    process = locust.start(*load, "--group-by", "mine:status", "--json-file", "stats")

    def statuses() -> set[str]:
        file = locust.folder / "c_groups.csv"
        return {row["group"] for row in csv.DictReader(file.read_text().splitlines())} if file.exists() else set()

    locust.wait_until(process, lambda: statuses() == {"200", "404"})
    process.terminate()
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    statistics = json.loads((locust.folder / "stats.json").read_text())
    total = sum(entry["num_requests"] for entry in statistics)
    assert counted(locust.folder / "c_groups.csv") == (total, 0)
    assert statuses() == {"200", "404"}


@pytest.mark.parametrize("processes", [1, 4])
def test_a_header_that_no_answer_has_is_said_with_those_that_came(
    locust: Any, service: str, free_port: int, processes: int
) -> None:
    write(locust, SHOP)
    load = ("--headless", "-H", service, "-u", "4", "-r", "4", "-t", "2s", "--tags", "browse", "--html", "r.html")
    workers = bound(free_port) if processes > 1 else ()
    _, _, stderr = locust.run(*load, *workers, "--group-by", "header:x-hostnam")
    said = r"No answer had the header of --group-by header:x-hostnam\. One had ([^:\n]*): name one that comes, or let"
    # Those of an answer that was no failure, though others came first.
    for text in (stderr, (locust.folder / "r.html").read_text()):
        (names,) = re.findall(said, text)
        assert {*names.lower().split(", ")} == {"content-length", "x-hostname", "x-availability-zone"}


@pytest.mark.parametrize(
    ("key", "answers", "said"),
    [
        ("header:x-hostname", True, ""),
        ("json:nosuch", True, "No answer had a group by --group-by json:nosuch: see whether answers are JSON"),
        ("header:nosuch", False, ""),
    ],
)
def test_that_no_answer_had_a_group_is_said_where_so_it_is(
    locust: Any, service: str, free_port: int, key: str, answers: bool, said: str
) -> None:
    write(locust, SHOP)
    host = service if answers else f"http://127.0.0.1:{free_port}"
    _, _, stderr = locust.run("--headless", "-H", host, "-u", "2", "-r", "2", "-t", "4s", "--group-by", key)
    assert "(no group known) " in stderr
    assert said in stderr
    assert ("No answer had" in stderr) == bool(said)


def test_a_bad_key_is_refused_before_any_load(locust: Any, service: str) -> None:
    write(locust, SHOP)
    code, _, stderr = locust.run("--headless", "-H", service, "-t", "1s", env={"LOAD_GROUP_BY": "body"})
    assert code == 2
    assert "'body': header:NAME, url-host, json:PATH or module:function is needed" in stderr
    assert "Traceback" not in stderr


def test_hosts_of_several_users(locust: Any, service: str, own_service: str) -> None:
    write(locust, TWO_HOSTS)
    hosts = {"ONE": service, "OTHER": own_service}
    _, _, stderr = locust.run("--headless", "-u", "2", "-r", "2", "-t", "2s", *FILES, env=hosts)
    agree(locust, stderr)
    rows = list(csv.DictReader((locust.folder / "c_groups.csv").read_text().splitlines()))
    by_host = {row["group"]: int(row["requests"]) for row in rows}
    assert set(by_host) == {url.removeprefix("http://") for url in hosts.values()}
    assert by_host[own_service.removeprefix("http://")] == locust.seen(own_service)["requests"]


def test_a_shape_of_the_locustfile(locust: Any, own_service: str) -> None:
    write(locust, SHOP + SHAPE)
    _, _, stderr = locust.run("--headless", "-H", own_service, *FILES)
    assert agree(locust, stderr) == locust.seen(own_service)["requests"]


def test_a_file_that_cannot_be_written_changes_no_exit_status(locust: Any, service: str) -> None:
    write(locust, SHOP)
    (locust.folder / "c_groups.csv").mkdir()
    load = ("--headless", "-H", service, "-u", "1", "-t", "2s", "--tags", "browse")
    code, _, stderr = locust.run(*load, "--csv", "c")
    assert code == 0, stderr
    assert stderr.count("c_groups.csv cannot be written (Is a directory); the load goes on.") == 1
    assert "Traceback" not in stderr


@pytest.mark.parametrize("order", ["before", "after"])
def test_tabs_tables_files_and_statistics_of_another_plugin_stay(
    locust: Any, service: str, free_port: int, order: str
) -> None:
    write(locust, OTHER_PLUGIN + SHOP if order == "before" else SHOP + OTHER_PLUGIN)
    url = f"http://127.0.0.1:{free_port}"
    process = locust.start("-H", service, "--autostart", "--web-host", "127.0.0.1", "--web-port", str(free_port))

    def asked(path: str) -> str:
        try:
            with urllib.request.urlopen(url + path, timeout=10) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    locust.wait_until(process, lambda: '"alpha"' in asked("/stats/requests"))
    for _ in range(2):  # the second is from Locust's cache
        statistics = json.loads(asked("/stats/requests"))
        assert sorted(entry["key"] for entry in statistics["extended_stats"]) == ["groups", "sizes"]
        assert statistics["stats"]
        page = json.loads(re.findall(r"window\.templateArgs = (.*)", asked("/"))[0])
        assert sorted(tab["key"] for tab in page["extended_tabs"]) == ["groups", "sizes"]
        assert sorted(table["key"] for table in page["extended_tables"]) == ["groups", "sizes"]
        assert sorted(file["href"] for file in page["extended_csv_files"]) == ["./groups/csv", "/sizes/csv"]


def test_locust_plugins_beside_it(locust: Any, own_service: str) -> None:
    python = Path(os.environ.get("LOCUST_UNDER_TEST") or sys.executable).with_name("python")
    if subprocess.run([python, "-c", "import locust_plugins"], capture_output=True).returncode:
        pytest.skip("locust-plugins is not installed beside Locust: make locust-versions")
    write(locust, "import locust_plugins\n" + SHOP)
    _, _, stderr = locust.run("--headless", "-H", own_service, "-u", "4", "-r", "4", "-t", "3s", *FILES)
    assert agree(locust, stderr) == locust.seen(own_service)["requests"]
