"""Locust as its users start it: a master and workers. Whatever happens, our sums are Locust's."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import socket
import urllib.parse
import urllib.request
from functools import partial
from typing import Any

import pytest

from load.results import read_run


def get(url: str) -> Any:
    """The JSON at `url`."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def post(url: str, **form: str) -> None:
    """Post a form."""
    urllib.request.urlopen(url, data=urllib.parse.urlencode(form).encode(), timeout=10).close()


def counted(locust: Any) -> int:
    """The requests in the one run's hostnames.csv so far; 0: there is none yet."""
    rows = [
        row
        for file in locust.folder.glob("results/*/hostnames.csv")
        for row in csv.DictReader(file.read_text().splitlines())
    ]
    return sum(int(row["requests"]) for row in rows)


@pytest.fixture
def two_processes() -> tuple[str, ...]:
    """The options for two workers that talk to their master on a free port of loopback, not on Locust's own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    return ("--processes", "2", "--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--master-port", port)


def test_workers_of_one_command_are_added_up(locust: Any, service: str, two_processes: tuple[str, ...]) -> None:
    arguments = ("--headless", "-H", service, "-u", "4", "-r", "4", "-t", "2s", *two_processes)
    code, stdout, stderr = locust.run(*arguments, "--json", "--reset-stats", "--rate", "50")
    assert code == 0, stderr
    run = locust.only_run()
    # The rate is that of all users, whichever worker has them.
    assert 0 < run.meta["requests"] == json.loads(stdout)[0]["num_requests"] < 150
    assert run.meta["workers_lost"] == []
    assert run.meta["settings"]["workers"] == 2
    assert run.meta["settings"]["rate"] == 50
    assert run.meta["resets"]
    assert "in all" not in stderr


def test_ctrl_c_in_a_terminal_loses_nothing(locust: Any, service: str, two_processes: tuple[str, ...]) -> None:
    process = locust.start("--headless", "-H", service, "-u", "4", "-r", "4", *two_processes)
    locust.wait_for_requests(process)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    run = locust.only_run()
    assert run.meta["requests"] == locust.total(stderr) > 0
    assert run.meta["workers_lost"] == []
    assert "Traceback" not in stderr


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_master_that_waits_for_workers(locust: Any, service: str, free_port: int, end: int) -> None:
    bound = ("--master-bind-host", "127.0.0.1", "--master-bind-port", str(free_port))
    master = locust.start("--headless", "-H", service, "--master", "--expect-workers", "2", *bound)
    locust.wait_until(master, lambda: list(locust.folder.glob("results/*/run.json")))
    master.send_signal(end)
    _, stderr = master.communicate(timeout=30)
    assert master.returncode == 1
    assert "locust: Ended before the load began: 0 of 2 workers were connected.\n" in stderr
    assert "Traceback" not in stderr


def test_workers_end_with_a_master_that_cannot_start(locust: Any, service: str, two_processes: tuple[str, ...]) -> None:
    """Else they join the load whose master has the port."""
    port = int(two_processes[two_processes.index("--master-port") + 1])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        # Its output ends once the workers have ended as well.
        code, _, stderr = locust.run("--headless", "-H", service, "-t", "2s", *two_processes)
    assert code == 1
    assert "Address already in use" in stderr


def test_workers_that_would_look_for_their_master_elsewhere_are_refused(
    locust: Any, service: str, free_port: int
) -> None:
    bound = ("--master-bind-host", "127.0.0.1", "--master-bind-port", str(free_port))
    arguments = ("--headless", "-H", service, "--processes", "2", *bound)
    # Its output ends once the workers have ended as well.
    code, _, stderr = locust.run(*arguments)
    assert code == 2
    assert f"locust: --master-bind-port {free_port}: the workers of --processes look for their master" in stderr
    assert f"give --master-port {free_port} too." in stderr
    assert not (locust.folder / "results").exists()


def test_what_a_worker_that_died_took_with_it_is_said(locust: Any, service: str, free_port: int) -> None:
    port = ("--master-port", str(free_port))
    bound = ("--master-bind-host", "127.0.0.1", "--master-bind-port", str(free_port))
    master = locust.start(
        "--headless", "-H", service, "-u", "4", "-r", "4", "--expect-workers", "2", "--master", *bound, "--rate", "100"
    )
    workers = [locust.start("--worker", *port) for _ in range(2)]
    # Each worker reports every three seconds: when their sum has grown three times, both have.
    for _ in range(3):
        locust.wait_until(master, partial(lambda before: counted(locust) > before, counted(locust)))
    workers[0].kill()
    workers[0].wait(10)
    for _ in range(2):
        locust.wait_until(master, partial(lambda before: counted(locust) > before, counted(locust)))
    master.terminate()
    _, stderr = master.communicate(timeout=60)
    run = locust.only_run()
    assert run.meta["complete"] is True
    assert run.meta["requests"] == locust.total(stderr) > 0
    (lost,) = run.meta["workers_lost"]
    assert run.meta["start"] < lost["last_report"] <= lost["last_heard"]
    sentence = (
        rf"Worker {lost['worker']} stopped reporting at \S+ UTC\. By \S+ UTC it had counted "
        rf"{lost['requests']:,} requests more"
    )
    assert re.search(sentence, stderr)
    # The other worker went on at its own part of the rate.
    assert re.search(r"\d of 100 requests/s are in the counts: a process of Locust stopped", stderr)


class WebUI:
    """Locust's web UI under a base path, asked as its pages ask it."""

    def __init__(self, locust: Any, service: str, port: int, *arguments: str) -> None:
        self.locust = locust
        self.url = f"http://127.0.0.1:{port}/under/a/path"
        where = ("--web-host", "127.0.0.1", "--web-port", str(port), "--web-base-path", "/under/a/path")
        self.process = locust.start("-H", service, *where, *arguments)

    def wait_for_workers(self, count: int) -> None:
        """Return once the page answers and so many workers are there."""

        def there() -> bool:
            try:
                return bool(get(f"{self.url}/worker-count")["worker_count"] == count)
            except OSError:
                return False

        self.locust.wait_until(self.process, there)

    def start(self, users: int = 2) -> None:
        """Start a test, or edit the one that runs, and wait for some requests."""
        post(f"{self.url}/swarm", user_count=str(users), spawn_rate=str(users))
        self.wait_for_requests()

    def wait_for_requests(self, more_than: int = 100) -> None:
        """Return once so many are counted by hostname."""
        self.locust.wait_until(self.process, lambda: self.requests() > more_than)

    def requests(self) -> int:
        """How many are counted by hostname."""
        return int(get(f"{self.url}/hostnames/data")["total_requests"])

    def notes(self) -> list[str]:
        """What the tab says of the counts."""
        return list(get(f"{self.url}/hostnames/data")["notes"])

    def end(self) -> str:
        """Stop the test and Locust; what it said on stderr."""
        post(f"{self.url}/stop")
        self.process.terminate()
        stderr = str(self.process.communicate(timeout=60)[1])
        assert "in all" not in stderr
        assert "Traceback" not in stderr
        return stderr


def test_a_reset_in_the_web_ui_keeps_the_sums_of_workers_equal_and_counts_what_came_since(
    locust: Any, own_service: str, free_port: int, two_processes: tuple[str, ...]
) -> None:
    web_ui = WebUI(locust, own_service, free_port, *two_processes, "--rate", "200")
    web_ui.wait_for_workers(2)
    web_ui.start()

    def seen() -> int:
        return int(locust.seen(own_service)["requests"])

    # Each worker has as much as a second's worth that it has not reported.
    locust.wait_until(web_ui.process, lambda: seen() - web_ui.requests() > 240)
    before = seen()
    post(f"{web_ui.url}/stats/reset")
    web_ui.wait_for_requests()
    stderr = web_ui.end()
    run = locust.only_run()
    assert run.meta["resets"]
    assert 0 < run.meta["requests"] == locust.total(stderr) <= seen() - before + 60  # some were on their way


def test_requests_that_are_behind_are_said_anew_after_a_reset(
    locust: Any, service: str, free_port: int, two_processes: tuple[str, ...]
) -> None:
    locust.locustfile = locust.folder / "one_at_a_time.py"
    locust.locustfile.write_text(
        "from load import rate\nfrom locustfile import HostnameUser\n"
        "HostnameUser.concurrency = 1\nrate._LATE_FOR = 0.5\n"
    )
    slow = ("--path-mix", "slow/hostname=1", "--rate", "50")
    web_ui = WebUI(locust, service, free_port, *two_processes, *slow)
    web_ui.wait_for_workers(2)
    post(f"{web_ui.url}/swarm", user_count="2", spawn_rate="2")

    def said() -> bool:
        return "could not be kept up" in " ".join(web_ui.notes())

    locust.wait_until(web_ui.process, said)
    post(f"{web_ui.url}/stats/reset")
    locust.wait_until(web_ui.process, said)
    web_ui.end()


def test_a_reset_after_a_test_leaves_nothing_to_be_said_of_it(locust: Any, service: str, free_port: int) -> None:
    mix = ("--path-mix", "hostname=1,throttled=1", "--rate", "100")
    web_ui = WebUI(locust, service, free_port, *mix)
    web_ui.wait_for_workers(0)
    web_ui.start()
    post(f"{web_ui.url}/stop")
    locust.wait_until(web_ui.process, locust.is_complete)
    locust.only_run()
    assert "were answered with 429" in " ".join(web_ui.notes())
    post(f"{web_ui.url}/stats/reset")
    assert web_ui.notes() == []


@pytest.mark.parametrize(("before", "after"), [(2, 8), (8, 1)])
@pytest.mark.parametrize("workers", [0, 2])
def test_users_who_are_edited_send_the_same_rate(
    locust: Any, service: str, free_port: int, two_processes: tuple[str, ...], before: int, after: int, workers: int
) -> None:
    web_ui = WebUI(locust, service, free_port, "--rate", "100", *(two_processes if workers else ()))
    web_ui.wait_for_workers(workers)
    web_ui.start(before)
    web_ui.start(after)
    web_ui.wait_for_requests(web_ui.requests() + 300)
    web_ui.end()
    run = locust.only_run()
    assert [change["users"] for change in run.meta["user_changes"]] == [after]
    assert run.meta["users"] == before
    # Locust's worker stands still for up to a second where it is told of users.
    assert run.meta["requests"] == pytest.approx(run.meta["due"], rel=0.4)


def test_each_test_in_the_web_ui_is_a_run_of_its_own(locust: Any, service: str, free_port: int) -> None:
    web_ui = WebUI(locust, service, free_port, "--results-dir", "results/a")
    web_ui.wait_for_workers(0)
    web_ui.start()
    post(f"{web_ui.url}/stop")
    web_ui.start()
    post(f"{web_ui.url}/stats/reset")
    stderr = web_ui.end()
    first, second = (read_run(locust.folder / "results" / name) for name in ("a", "a-2"))
    assert first.meta["complete"] is second.meta["complete"] is True
    assert first.meta["requests"] == sum(row.requests for row in first.hosts) > 100
    assert (first.meta["resets"], len(second.meta["resets"])) == ([], 1)
    assert second.meta["requests"] == locust.total(stderr)
