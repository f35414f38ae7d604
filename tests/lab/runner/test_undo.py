"""Credentials that expire in the middle of an experiment: on a real twin, behind a proxy that stops to take them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from lab.errors import BadInput, Missing
from lab.experiments.catalogue import EXPERIMENTS
from lab.runner.actions import Bench, NotPutBack, putting_back, task_revision, task_settings
from lab.runner.service import EcsService
from lab.runner.session import Request, Session, until_stable
from lab.runner.target import TwinControl, read_target
from tests.twin.running import RunningTwin, Signed, wait_until


@contextmanager
def expiring(twin: RunningTwin) -> Iterator[str]:
    """The address of a proxy of the endpoint that signs and passes on all up to UpdateService, and none after it."""
    expired = threading.Event()
    client = httpx.Client(base_url=twin.aws_endpoint_url, timeout=30, auth=Signed(twin.credentials))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if expired.is_set():
                answer = httpx.Response(400, json={"__type": "ExpiredTokenException", "message": "expired"})
            else:
                left = ("host", "authorization", "x-amz-date")  # those are anew
                headers = {name: value for name, value in self.headers.items() if name.lower() not in left}
                answer = client.post(self.path, content=body, headers=headers)
            if "UpdateService" in self.headers.get("x-amz-target", ""):
                expired.set()
            self.send_response(answer.status_code)
            self.send_header("content-type", answer.headers["content-type"])
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    client.close()


def service(twin: RunningTwin) -> dict[str, Any]:
    outputs = twin.outputs()
    found = twin.client("ecs").describe_services(cluster=outputs["cluster_name"], services=[outputs["service_name"]])
    return dict(found["services"][0])


def put_back(twin: RunningTwin, **what: Any) -> None:
    outputs = twin.outputs()
    twin.client("ecs").update_service(cluster=outputs["cluster_name"], service=outputs["service_name"], **what)
    wait_until(lambda: len(service(twin)["deployments"]) == 1 and service(twin)["runningCount"] == 3, "stable", 90)


@pytest.mark.parametrize(
    ("name", "cell", "left"),
    [
        ("rollout", {}, "the service may still be at {family}:{next}: put it back with `{command} {definition} {at}`"),
        ("scale-out", {}, "may still be scaled to 5 tasks: put it back with `{command} --desired-count 3 {at}`"),
        (
            "baseline",
            {"drain_seconds": 2.0},
            "may still be at {family}:{next}: put it back with `{command} {definition}",
        ),
    ],
)
def test_the_user_is_told_what_is_left_and_how_to_put_it_back(
    twin: RunningTwin,
    keys: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    cell: Mapping[str, float],
    left: str,
) -> None:
    before = service(twin)
    family, number = before["taskDefinition"].rsplit("/", 1)[-1].split(":")
    latest = twin.client("ecs").list_task_definitions(familyPrefix=family, sort="DESC")["taskDefinitionArns"][0]
    target = read_target(twin.state / "outputs.json")
    folders: list[Path] = []
    with expiring(twin) as url:
        request = Request([EXPERIMENTS[name]], 2, 4, 20, 1, [cell], tmp_path)
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        behind = target.model_copy(update={"aws_endpoint_url": url})
        session = Session(request, behind, Console(quiet=True), folders.append)
        with pytest.raises(NotPutBack, match="ExpiredTokenException") as raised:
            session.run()
    now = service(twin)
    put_back(twin, taskDefinition=before["taskDefinition"], desiredCount=3)

    expected = left.format(
        family=family,
        next=int(latest.rsplit(":", 1)[-1]) + 1,
        command=f"aws ecs update-service --cluster {target.cluster_name} --service {target.service_name}",
        definition=f"--task-definition {family}:{number}",
        at=f"--region {target.region} --endpoint-url {url}",
    )
    assert expected in str(raised.value)
    assert str(raised.value).count("ExpiredTokenException") == 1
    assert raised.value.exit_code == 3
    assert (now["taskDefinition"], now["desiredCount"]) != (before["taskDefinition"], before["desiredCount"])
    if name != "baseline":  # there the run had not begun
        (folder,) = folders
        assert json.loads((folder / "run.json").read_text())["faults"][0]["kind"] == name


def test_with_another_setting_of_the_task_all_tasks_are_new_and_the_gateway_knows_them(
    twin: RunningTwin, keys: None
) -> None:
    """So that a run which follows begins as one on a twin that has just come up."""
    target = read_target(twin.state / "outputs.json")
    bench = Bench(EcsService(target), control := TwinControl(target), lambda message: None)
    before, parameters = service(twin), control.parameters()
    old = {task.arn for task in bench.service.tasks()}

    with task_revision(bench, {"drain_seconds": 0.0}, lambda: until_stable(bench.service, Console(quiet=True))):
        hosts = {task.hostname for task in bench.service.tasks() if task.is_running}
        ended = {task.arn for task in bench.service.tasks() if task.last_status == "STOPPED"}
        answers = [httpx.get(f"{target.gateway_url}/hostname") for _ in range(30)]
        assert task_settings(bench.service)["drain_seconds"] == 0
        assert control.parameters() == parameters
    put_back(twin, taskDefinition=before["taskDefinition"], desiredCount=3)

    assert len(hosts) == 3
    assert old <= ended
    assert {(answer.status_code, answer.headers["x-hostname"] in hosts) for answer in answers} == {(200, True)}


def test_what_failed_before_and_what_was_left_before_is_told_too() -> None:
    def change() -> None:
        try:
            try:
                raise BadInput("The load broke.")
            finally:
                with putting_back("two are left"):
                    raise Missing("AWS does not answer: is it up?")
        finally:
            with putting_back("one is left"):
                raise Missing("AWS does not answer: is it up?")

    with pytest.raises(NotPutBack) as raised:
        change()
    assert str(raised.value) == "The load broke; AWS does not answer: is it up?; two are left; one is left."
