"""Every request that the service receives is answered, failed or unfinished, however the load ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from load.results import Run
from tests.twin.running import PROJECT

# Longer than any test runs: what ends within it was not waited for.
FOREVER = ("--stop-timeout", "3600")


def workers(count: int, port: int) -> tuple[str, ...]:
    """The options for so many workers, on a free port of loopback."""
    bound = ("--master-bind-host", "127.0.0.1", "--master-bind-port", str(port), "--master-port", str(port))
    return ("--processes", str(count), *bound)


@pytest.fixture(params=[1, 4], ids=["one-process", "four-processes"])
def processes(request: pytest.FixtureRequest, free_port: int) -> tuple[str, ...]:
    """The options for one process or for four workers."""
    return () if request.param == 1 else workers(request.param, free_port)


def every_request_counted_once(locust: Any, service: str) -> Run:
    """The one run, whose files have what the service received."""
    run: Run = locust.only_run()
    assert locust.seen(service)["requests"] == run.meta["requests"] + run.meta["unfinished"]
    assert run.meta["failures"] == sum(row.failures for row in run.hosts)
    failed = sum(row.requests for row in run.timeline if row.status == 0 or row.status >= 400)
    assert run.meta["failures"] == failed
    assert run.meta["workers_lost"] == []
    return run


@pytest.mark.parametrize("loop", [(), ("--rate", "80")], ids=["closed-loop", "open-loop"])
def test_a_host_that_never_answers(locust: Any, own_service: str, processes: tuple[str, ...], loop: Any) -> None:
    mix = ("--path-mix", "never=1,hostname=2,broken=1", "-u", "8", "-r", "8", "-t", "5s", "--stop-timeout", "1")
    code, _, stderr = locust.run("--headless", "-H", own_service, *mix, *loop, *processes)
    assert code == 1, stderr
    run = every_request_counted_once(locust, own_service)
    assert run.meta["requests"] == locust.total(stderr)
    assert run.meta["unfinished"] > 0
    assert f"{run.meta['unfinished']} requests were unfinished: " in stderr
    assert "Traceback" not in stderr


def test_answers_that_take_their_time_are_waited_for(locust: Any, own_service: str, processes: tuple[str, ...]) -> None:
    mix = ("--path-mix", "slow/hostname=1", "-u", "8", "-r", "8", "-t", "2s", "--rate", "80")
    _, _, stderr = locust.run("--headless", "-H", own_service, *mix, *processes)
    run = every_request_counted_once(locust, own_service)
    assert run.meta["unfinished"] == run.meta["failures"] == 0
    assert "unfinished" not in stderr


def start_and_wait(locust: Any, service: str, *arguments: str) -> Any:
    """Locust under way, with some answers and some that never come."""
    load = ("--headless", "-H", service, "-u", "8", "-r", "8", "--rate", "80", *FOREVER)
    process = locust.start(*load, "--path-mix", "never=1,hostname=9", *arguments)
    locust.wait_for_requests(process)
    locust.wait_until(process, lambda: locust.seen(service)["unanswered"])
    return process


def wait_for_the_end_of_the_load(process: Any) -> None:
    """Return once Locust says that it waits for answers."""
    said = []
    for line in process.stderr:
        said.append(line)
        if "Ctrl-C ends them now" in line:
            return
    raise AssertionError("Locust ended without waiting: " + "".join(said))


def test_a_second_ctrl_c_ends_at_once(locust: Any, own_service: str, processes: tuple[str, ...]) -> None:
    process = start_and_wait(locust, own_service, *processes)
    os.killpg(process.pid, signal.SIGINT)
    wait_for_the_end_of_the_load(process)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    run = every_request_counted_once(locust, own_service)
    assert run.meta["complete"] is True
    assert run.meta["unfinished"] > 0
    assert "Traceback" not in stderr


def test_one_ctrl_c_is_waited_for_where_it_reaches_the_workers_while_the_master_stops_them(
    locust: Any, own_service: str, free_port: int
) -> None:
    locust.locustfile = locust.folder / "interrupted.py"
    locust.locustfile.write_text(
        "import os, signal\nfrom locust import events\nfrom locust.runners import WorkerRunner\n"
        "from locustfile import HostnameUser\n"
        "@events.test_stopping.add_listener\n"
        "def interrupt(environment, **_):\n"
        "    events.test_stopping.remove_listener(interrupt)\n"
        "    if isinstance(environment.runner, WorkerRunner):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
    )
    process = start_and_wait(locust, own_service, *workers(2, free_port))
    process.send_signal(signal.SIGINT)
    wait_for_the_end_of_the_load(process)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    run = every_request_counted_once(locust, own_service)
    assert run.meta["complete"] is True
    assert "Traceback" not in stderr


def test_ctrl_c_after_the_run_time_ends_at_once(locust: Any, own_service: str, processes: tuple[str, ...]) -> None:
    process = start_and_wait(locust, own_service, "-t", "3s", *processes)
    wait_for_the_end_of_the_load(process)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    run = every_request_counted_once(locust, own_service)
    assert run.meta["complete"] is True
    assert 3 - 1 < run.meta["duration_s"] < 3 + 2
    assert "Traceback" not in stderr


def test_sigterm_does_not_wait_for_the_stop_timeout(locust: Any, own_service: str, processes: tuple[str, ...]) -> None:
    process = start_and_wait(locust, own_service, *processes)
    process.terminate()
    _, stderr = process.communicate(timeout=60)
    run = every_request_counted_once(locust, own_service)
    assert run.meta["complete"] is True
    assert run.meta["unfinished"] > 0
    assert "Traceback" not in stderr


def test_ctrl_c_and_then_sigterm_as_the_lab_ends_it(locust: Any, own_service: str) -> None:
    process = start_and_wait(locust, own_service)
    process.send_signal(signal.SIGINT)
    wait_for_the_end_of_the_load(process)
    process.terminate()
    _, stderr = process.communicate(timeout=60)
    run = every_request_counted_once(locust, own_service)
    assert run.meta["complete"] is True
    assert "Traceback" not in stderr


@pytest.mark.parametrize("loop", [(), ("--rate", "80")], ids=["closed-loop", "open-loop"])
def test_what_waited_for_a_connection_was_not_sent(locust: Any, own_service: str, loop: tuple[str, ...]) -> None:
    shared = ("--path-mix", "never=1", "--connections", "pooled:3", "-u", "8", "-r", "8", "--stop-timeout", "1")
    locust.run("--headless", "-H", own_service, "-t", "1s", *shared, *loop)
    run = every_request_counted_once(locust, own_service)
    assert (run.meta["requests"], run.meta["unfinished"]) == (0, 3)


def test_what_was_due_and_had_not_begun_is_not_sent_either() -> None:
    """Else it would wait for a connection, and get that of a request which is ended before it."""
    code = """
from types import SimpleNamespace
from load.traffic.connections import NotSent
from load.traffic.user import HostnameUser
user = object.__new__(HostnameUser)
user.stopping, user.settings = True, SimpleNamespace(connections=SimpleNamespace(size=3))
try:
    user.request_due("/orders", 0.0)
except NotSent:
    print("not sent")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT)
    assert (done.stdout, done.returncode) == ("not sent\n", 0), done.stderr
