"""Traces by OpenTelemetry, with the settings of docs/deploy.md and the programs of examples/traces, on a twin."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import httpx
import pytest

from tests.stacks import synthesize
from tests.twin.running import PROJECT, RunningTwin, TwinFactory, wait_until

DEPLOY = (PROJECT / "docs/deploy.md").read_text()


def documented() -> dict[str, str]:
    """The settings of the document, as variables of the environment."""
    chapter = DEPLOY.partition("### Sidecars: traces by OpenTelemetry")[2]
    (block,) = re.findall(r"^```json\n(.*?)^```", chapter.partition("\n### ")[0], re.MULTILINE | re.DOTALL)

    def text(value: object) -> str:
        if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
            return ",".join(value)
        return value if isinstance(value, str) else json.dumps(value)

    return {f"SC_{name.upper()}": text(value) for name, value in json.loads(f"{{{block}}}").items()}


@pytest.fixture
def twin(start_twin: TwinFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunningTwin:
    # Shorter than by default, and longer than the gateway takes to learn that a task has gone.
    own = {"SC_DRAIN_SECONDS": "10", "SC_DESIRED_COUNT": "2", "SC_REGISTER_WHEN_HEALTHY": "true"}
    synthesize(tmp_path / "stack", **documented(), **own)
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    programs = str(PROJECT / "examples/traces/twin.toml")
    return start_twin("--programs", programs, "--discovery-ttl", "2", synth=tmp_path / "stack")


@pytest.mark.timeout(180)
def test_the_collector_gets_a_span_of_each_request_those_of_a_drain_too(twin: RunningTwin) -> None:
    sent: dict[str, str] = {}  # trace -> the host that answered

    def ask() -> str:
        trace = f"{len(sent) + 1:032x}"
        parent = {"traceparent": f"00-{trace}-00000000000000ab-01"}
        answer = httpx.get(f"{twin.gateway_url}/orders/7", headers=parent, timeout=10)
        assert answer.status_code == 200, answer.text
        sent[trace] = answer.headers["x-hostname"]
        return sent[trace]

    wait_until(lambda: ask() and len({*sent.values()}) == 2, "both tasks have answered")
    hosts = {task["id"]: task["host"] for task in json.loads(run("ps", "--json", twin=twin))["tasks"]}
    stopped = next(iter(hosts))
    run("fault", "discovery-down", twin=twin)  # so that the gateway goes on sending requests to it
    twin.client("ecs").stop_task(cluster=twin.outputs()["cluster_name"], task=stopped)
    wait_until(lambda: "SIGTERM" in steps(twin, stopped), "the task is being stopped")
    before = len(sent)
    wait_until(lambda: ask().startswith(f"{hosts[stopped]}."), "a task that drains has answered")
    run("fault", "discovery-down", "--undo", twin=twin)
    wait_until(lambda: ask() and "application stopped" in steps(twin, stopped), "the service has ended")
    drained = {trace for trace in [*sent][before:] if sent[trace].startswith(f"{hosts[stopped]}.")}
    assert drained

    def received(task: str) -> dict[str, dict[str, str]]:
        lines = run("logs", task, "--container", "otel", twin=twin).splitlines()
        return {span["trace"]: span for span in map(json.loads, lines)}

    def missing() -> set[str]:
        ran = {event["task"] for event in twin.events() if event["kind"] == "task"}
        return sent.keys() - {trace for task in ran for trace in received(task)}

    wait_until(lambda: not missing(), "a span of each request has arrived", 15)
    spans = received(stopped)
    assert drained <= spans.keys()
    assert {span["service"] for span in spans.values()} == {"orders"}
    assert {spans[trace]["span"] for trace in drained} == {"GET /orders/{number}"}


def run(command: str, *arguments: str, twin: RunningTwin) -> str:
    """What `twin` prints."""
    return twin.says(command, *arguments)


def steps(twin: RunningTwin, task: str) -> list[str]:
    """What has happened to a task, in order."""
    return [event["step"] for event in twin.events() if event["kind"] == "task" and event["task"] == task]
