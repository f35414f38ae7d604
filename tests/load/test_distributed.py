"""Locust as its users start it: a master and workers. Whatever happens, our sums are Locust's."""

from __future__ import annotations

import json
import os
import re
import signal
import urllib.parse
import urllib.request
from typing import Any

import pytest


def get(url: str) -> Any:
    """The JSON at `url`."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def post(url: str, **form: str) -> None:
    """Post a form."""
    urllib.request.urlopen(url, data=urllib.parse.urlencode(form).encode(), timeout=10).close()


def test_workers_of_one_command_are_added_up(locust: Any, service: str) -> None:
    arguments = ("--headless", "-H", service, "-u", "4", "-r", "4", "-t", "1s", "--processes", "2")
    code, stdout, stderr = locust.run(*arguments, "--json", "--reset-stats")
    assert code == 0, stderr
    run = locust.only_run()
    assert run.meta["requests"] == json.loads(stdout)[0]["num_requests"] > 0
    assert run.meta["workers_lost"] == []
    assert run.meta["settings"]["workers"] == 2
    assert run.meta["resets"]
    assert "in all" not in stderr


def test_ctrl_c_in_a_terminal_loses_nothing(locust: Any, service: str) -> None:
    process = locust.start("--headless", "-H", service, "-u", "4", "-r", "4", "--processes", "2")
    locust.wait_for_requests(process)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    run = locust.only_run()
    assert run.meta["requests"] == locust.total(stderr) > 0
    assert run.meta["workers_lost"] == []
    assert "Traceback" not in stderr


def test_what_a_worker_that_died_took_with_it_is_said(locust: Any, service: str, free_port: int) -> None:
    port = ("--master-port", str(free_port))
    bound = ("--master-bind-host", "127.0.0.1", "--master-bind-port", str(free_port))
    master = locust.start(
        "--headless", "-H", service, "-u", "4", "-r", "4", "--expect-workers", "2", "--master", *bound
    )
    workers = [locust.start("--worker", *port) for _ in range(2)]
    locust.wait_for_requests(master)
    workers[0].kill()
    workers[0].wait(10)
    master.terminate()
    _, stderr = master.communicate(timeout=60)
    run = locust.only_run()
    assert run.meta["complete"] is True
    assert run.meta["requests"] == locust.total(stderr) > 0
    (lost,) = run.meta["workers_lost"]
    assert 0 < lost["requests"] < run.meta["requests"]
    sentence = r"Worker \S+ stopped reporting: .* at most 3 s of its load, about [\d,]+ requests at its rate\."
    assert re.search(sentence, stderr)


@pytest.mark.parametrize("workers", [(), ("--processes", "2")], ids=["alone", "with-workers"])
def test_reset_and_a_second_test_in_the_web_ui_keep_the_sums_equal(
    locust: Any, service: str, free_port: int, workers: tuple[str, ...]
) -> None:
    url = f"http://127.0.0.1:{free_port}/under/a/path"
    arguments = ("-H", service, "--web-host", "127.0.0.1", "--web-port", str(free_port))
    process = locust.start(*arguments, "--web-base-path", "/under/a/path", *workers)

    def answers() -> bool:
        try:
            return bool(get(f"{url}/worker-count")["worker_count"] == (2 if workers else 0))
        except OSError:
            return False

    def ours() -> int:
        return int(get(f"{url}/hostnames/data")["total_requests"])

    locust.wait_until(process, answers)
    assert ours() == 0
    post(f"{url}/swarm", user_count="2", spawn_rate="2")
    locust.wait_until(process, lambda: ours() > 100)
    post(f"{url}/stats/reset")
    locust.wait_until(process, lambda: ours() > 100)
    post(f"{url}/stop")
    post(f"{url}/swarm", user_count="2", spawn_rate="2")
    locust.wait_until(process, lambda: ours() > 100)
    post(f"{url}/stop")
    process.terminate()
    _, stderr = process.communicate(timeout=60)
    assert "in all" not in stderr
    assert "Traceback" not in stderr
    first, second = sorted((locust.folder / "results").iterdir(), key=lambda path: path.stat().st_ctime)
    assert json.loads((first / "run.json").read_text())["resets"]
    last = json.loads((second / "run.json").read_text())
    assert last["complete"] is True
    assert last["requests"] == locust.total(stderr) > 0
