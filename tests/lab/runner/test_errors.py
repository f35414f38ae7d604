"""What goes wrong on the way to AWS, told in a sentence: against an endpoint that answers as AWS does."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.errors import BadInput, Missing, NoAnswers
from lab.experiments.catalogue import EXPERIMENTS
from lab.records.run import TaskRecord
from lab.runner.load import Load, Plan, Seen, stop
from lab.runner.service import EcsService, ServiceState
from lab.runner.session import _Run, new_folder
from lab.runner.target import Target
from tests.command import Command
from tests.lab.experiments.runs import task
from tests.twin.running import wait_until

Answer = tuple[int, dict[str, Any]]
Serve = Callable[[Answer], Target]


def at(url: str, **more: str) -> Target:
    """A service behind *url*."""
    where = {"gateway_url": url, "region": "eu-west-2", "cluster_name": "c", "service_name": "s"}
    return Target.model_validate({"file": "outputs.json", "stack": "s", **where, **more})


@pytest.fixture
def serve(keys: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Starts an endpoint that gives one answer to everything, and the target that it is."""
    servers: list[ThreadingHTTPServer] = []

    def start(answer: Answer) -> Target:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                body = json.dumps(answer[1]).encode()
                self.send_response(answer[0])
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        return at(url, aws_endpoint_url=url)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def service(running: int = 3, desired: int = 3, old: int = 0, status: str = "ACTIVE") -> Answer:
    """What DescribeServices answers, with *running* new tasks and, of another deployment, *old* ones."""
    common = {"taskDefinition": "t", "createdAt": 1.0, "updatedAt": 1.0}
    deployments = [{"id": "d", "status": "PRIMARY", "rolloutState": "IN_PROGRESS", "runningCount": running, **common}]
    if old:
        deployments += [{"id": "e", "status": "ACTIVE", "rolloutState": "COMPLETED", "runningCount": old, **common}]
    found = {
        "status": status, "runningCount": running + old, "desiredCount": desired, "taskDefinition": "t", "events": [],
        "deployments": deployments,
    }  # fmt: skip
    return 200, {"services": [found], "taskArns": [], "tasks": []}


def without(name: str, *, of_deployment: bool = False) -> Answer:
    """The same, without what has that *name*."""
    status, answer = service()
    found = answer["services"][0]
    del (found["deployments"][0] if of_deployment else found)[name]
    return status, answer


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (service(running=2), r"is not stable \(2 of 3 tasks run, deployment PRIMARY IN_PROGRESS\): wait until it is"),
        (
            service(old=2),
            r"is not stable \(3 new and 2 old tasks run, deployment PRIMARY IN_PROGRESS, deployment ACTIVE COMPLETED\)",
        ),
        (service(running=0, desired=0), "has a desired count of 0: scale it to one task or more"),
        (
            without("taskDefinition"),
            r"DescribeServices answers without taskDefinition for the service s of cluster c: ",
        ),
        (without("events"), "DescribeServices answers without events"),
        (without("id", of_deployment=True), "DescribeServices answers without id"),
        (service(status="DRAINING"), "is not there: is it deployed"),
        ((200, {"services": []}), "the service s of cluster c is not there"),
        ((400, {"__type": "ClusterNotFoundException", "message": "Cluster not found."}), "refuses DescribeServices"),
    ],
)
def test_a_service_that_cannot_be_experimented_on(serve: Serve, answer: Answer, words: str) -> None:
    target = serve(answer)
    with pytest.raises(BadInput, match=words):
        EcsService(target).require_stable()


def test_a_service_whose_tasks_move_to_another_zone_is_not_stable(serve: Serve) -> None:
    told = [
        "(service s) is not AZ balanced with 3 tasks in a, 0 tasks in b. AZ Rebalancing in progress.",
        "(service s) has started 1 tasks in b to AZ Rebalance: (task t).",
        "(service s) has stopped 1 running tasks in a due to AZ rebalancing: (task u).",
        "(service s) is AZ balanced with 2 tasks in a, 1 tasks in b.",
        "(service s) has reached a steady state.",
    ]

    def state(*messages: str) -> ServiceState:
        _, answer = service()
        newest_first = [{"createdAt": 1.0, "message": message} for message in reversed(messages)]
        answer["services"][0]["events"] = newest_first
        return EcsService(serve((200, answer))).state()

    assert [state(*told[:known]).is_stable for known in range(6)] == [True, False, False, False, True, True]
    assert state(told[0]).unfinished.endswith(", ECS evens out its zones")
    assert state(told[0], "(service s) stopped AZ Rebalancing.").is_stable


@pytest.mark.parametrize("code", ["ExpiredTokenException", "UnrecognizedClientException", "InvalidClientTokenId"])
def test_credentials_that_are_not_taken(serve: Serve, code: str) -> None:
    target = serve((400, {"__type": code, "message": "no"}))
    with pytest.raises(Missing, match=rf"takes no requests with these credentials \({code}: no\): was it started anew"):
        EcsService(target).state()


def test_no_credentials_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    target = at("https://x.execute-api.eu-west-2.amazonaws.com")

    with pytest.raises(Missing, match="no credentials for AWS in eu-west-2: set AWS_PROFILE, or log in"):
        EcsService(target).state()


def test_a_service_that_does_not_get_stable_in_time(serve: Serve) -> None:
    target = serve(service(running=2))
    with pytest.raises(Missing, match=r"is not stable after 0 s \(2 of 3 tasks run"):
        EcsService(target).wait_until_stable(0)


def ended(code: str, reason: str, **more: Any) -> dict[str, Any]:
    """What DescribeTasks answers of a task that has stopped."""
    return {
        "taskArn": "a/t", "taskDefinitionArn": "t", "lastStatus": "STOPPED", "desiredStatus": "STOPPED",
        "createdAt": 2.0, "stopCode": code, "stoppedReason": reason, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("tasks", "why"),
    [
        ([], ""),
        (
            [
                ended(
                    "EssentialContainerExited",
                    "Essential container in task exited",
                    stoppingAt=3.0,
                    containers=[{"name": "app", "exitCode": 3}],
                ),
                ended("TaskFailedToStart", "It did not start.", stoppingAt=2.5),
                ended("UserInitiated", "Stopped by the experiment stop-task", stoppingAt=4.0),
                ended("ServiceSchedulerInitiated", "Scaling activity initiated by (deployment d)", stoppingAt=5.0),
            ],
            "; the last task that ended: Essential container in task exited, app with exit code 3",
        ),
        ([ended("ServiceSchedulerInitiated", "It is of the deployment before.", createdAt=0.5)], ""),
    ],
)
def test_why_a_service_is_not_stable_yet_is_what_ecs_says(serve: Serve, tasks: list[Any], why: str) -> None:
    _, answer = service(running=2)
    told: list[str] = []

    def waiting(now: str) -> None:
        told.append(now)
        raise KeyboardInterrupt

    target = serve((200, {**answer, "taskArns": ["a/t"] if tasks else [], "tasks": tasks}))
    with pytest.raises(KeyboardInterrupt):
        EcsService(target).wait_until_stable(60, waiting)
    assert set(told) == {f"2 of 3 tasks run, deployment PRIMARY IN_PROGRESS{why}"}


def test_an_event_tells_that_a_task_has_no_place(serve: Serve) -> None:
    _, answer = service(running=2)
    unplaced = "(service s) was unable to place a task. Reason: no address."
    answer["services"][0]["events"] = [{"createdAt": 2.0, "message": unplaced}]
    with pytest.raises(
        Missing, match=r"IN_PROGRESS; \(service s\) was unable to place a task\. Reason: no address\): "
    ):
        EcsService(serve((200, answer))).wait_until_stable(0)


def test_a_deployment_that_has_failed_is_not_waited_for(serve: Serve) -> None:
    _, answer = service(running=0)
    reason = "ECS deployment circuit breaker: tasks failed to start."
    answer["services"][0]["deployments"][0] |= {"rolloutState": "FAILED", "rolloutStateReason": reason}
    with pytest.raises(
        Missing, match=rf"does not become stable \(0 of 3 tasks run, .* FAILED; {reason[:-1]}\): `twin ps`"
    ):
        EcsService(serve((200, answer))).wait_until_stable(60, lambda now: pytest.fail(now))


def test_on_a_twin_a_service_that_is_not_stable_is_waited_for(
    serve: Serve, lab: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.runner.session._STABLE_WITHIN", {True: 0.1, False: 0.0})
    monkeypatch.setattr("lab.runner.session._SILENT", 0.0)
    target = serve(service(old=3))
    outputs = {name: value for name, value in target.model_dump().items() if value and isinstance(value, str)}
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps({"s": outputs}))
    code, out, err = lab("run", "crash", "--target", str(file))

    assert code == 3
    told = "waiting until the service is stable, 0 s of 0.1 at most: 3 new and 3 old tasks run, deployment PRIMARY "
    assert out.startswith(told)
    assert "is not stable after 0.1 s (3 new and 3 old tasks run, " in err


class Checked(EcsService):
    """A service with a health check, whose tasks have in turn these states of health; the last stays."""

    def __init__(self, *healths: str, check: dict[str, Any] | None = None) -> None:
        self.target = at("http://127.0.0.1:9", aws_endpoint_url="http://127.0.0.1:9")
        self._name = "the service s"
        self._check = {"healthCheck": {"command": ["CMD", "x"]} if check is None else check}
        self._healths = [each.split() for each in healths]

    def container(self) -> dict[str, Any]:
        return self._check

    def tasks(self) -> list[TaskRecord]:
        now = self._healths.pop(0) if len(self._healths) > 1 else self._healths[0]
        written = [task(f"t{number}", 1.0, health=health) for number, health in enumerate(now)]
        return [TaskRecord.model_validate(each) for each in written]


def test_tasks_are_waited_for_until_their_health_checks_pass() -> None:
    said: list[str] = []
    Checked("UNKNOWN UNKNOWN", "HEALTHY UNHEALTHY", "HEALTHY HEALTHY").wait_until_healthy(9, said.append, patient=False)
    assert said == ["0 of 2 are", "1 of 2 are, 1 UNHEALTHY"]


def test_tasks_without_a_health_check_are_not_waited_for() -> None:
    for check in ({}, {"command": ["NONE"]}):
        service = Checked("UNKNOWN", check=check)
        if not check:
            service._check = {}
        service.wait_until_healthy(0, pytest.fail, patient=False)


@pytest.mark.parametrize(
    ("healths", "patient", "timeout", "words"),
    [
        ("UNHEALTHY UNKNOWN", False, 9, r"0 of 2 .* are HEALTHY \(UNHEALTHY are t0\): ECS replaces tasks"),
        ("UNHEALTHY UNHEALTHY", True, 0, r"0 of 2 .* are HEALTHY after 0 s \(UNHEALTHY are t0, t1\): .*`twin ps` has"),
        ("HEALTHY UNKNOWN", False, 0, r"1 of 2 .* HEALTHY after 0 s \(of the others ECS knows nothing yet\)"),
    ],
)
def test_a_service_whose_health_checks_fail_is_not_measured(
    healths: str, patient: bool, timeout: float, words: str
) -> None:
    with pytest.raises(Missing, match=words):
        Checked(healths).wait_until_healthy(timeout, lambda _: None, patient=patient)


def test_what_cannot_be_done_on_aws_is_refused_before_anything_is_asked(lab: Command, tmp_path: Path) -> None:
    outputs = {"gateway_url": "https://x", "region": "eu-west-2", "cluster_name": "c", "service_name": "s"}
    target = tmp_path / "outputs.json"
    target.write_text(json.dumps({"s": outputs}))
    code, _, err = lab("run", "crash", "--target", str(target))

    assert code == 2
    assert "`lab run` does not do crash on AWS: it reaches into no task" in err
    assert len(err.strip().splitlines()) == 1


TOGETHER = """
import os, pathlib, gevent
from locust import events
from locustfile import *

@events.test_stop.add_listener
def meet(environment, **kwargs):
    own = pathlib.Path(environment.parsed_options.results_dir)
    (own / "stopping").touch()
    with gevent.Timeout(20, False):
        while len(list(own.parent.glob("*/stopping"))) < 2:
            gevent.sleep(0.05)
        (own / "met").touch()
"""


def test_both_ways_are_ended_at_the_same_time(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each waits at its end for the other to be at its own, so that ended in turn they would not meet."""
    locustfile = tmp_path / "together.py"
    locustfile.write_text(TOGETHER)
    monkeypatch.setattr("lab.runner.load._LOCUSTFILE", locustfile)
    outputs = tmp_path / "outputs.json"
    target = serve((200, {})).model_copy(update={"file": outputs})
    values = {"gateway_url": target.gateway_url, "region": "eu-west-2"}
    outputs.write_text(json.dumps({"s": values}))
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    loads = [Load(target, Plan(1, 60, 10), folder) for folder in folders]
    try:
        wait_until(lambda: all(load.follow() and load.seen.requests for load in loads), "there are requests")
    finally:
        stop(loads)

    assert [(folder / "met").exists() for folder in folders] == [True, True]


def test_a_path_that_tasks_refuse_is_named_without_a_word_of_tasks_that_do_not_answer() -> None:
    seen = Seen()
    seen.add(1, "a", 404, 9)
    load: Any = SimpleNamespace(seen=seen, url="http://gateway", path="/orders", header="x-hostname")
    nothing: Any = None
    run = _Run(EXPERIMENTS["baseline"], nothing, nothing, nothing, {}, [load])

    with pytest.raises(
        NoAnswers, match=r"all 9 requests for /orders with an error \(the last: 404\): .* with --path\.$"
    ):
        run.require_answers()
    seen.add(2, "a", 200, 1)
    run.require_answers()


def test_the_rate_leaves_out_the_seconds_that_the_load_has_cut_off() -> None:
    """100 requests/s from the middle of a second to the beginning of one, of which one second had no answer."""
    seen = Seen()
    assert seen.rate == 0
    seen.add(10, "a", 200, 60)
    assert seen.rate == 60
    for second in range(11, 14):
        seen.add(second, "a", 200, 100)
    assert seen.rate == 100
    seen.add(14, "a", 200, 50)
    seen.add(14, "b", 200, 50)
    seen.add(15, "a", 200, 5)
    assert seen.rate == 100
    seen.add(17, "a", 200, 100)
    seen.add(18, "a", 200, 3)
    assert seen.rate == (100 + 100 + 5 + 0 + 100) / 5


def test_folders_of_one_name_are_never_taken_twice_and_one_that_cannot_be_names_the_option(tmp_path: Path) -> None:
    first, second = (new_folder(tmp_path, "stop-task") for _ in range(2))
    assert first != second
    assert all(re.fullmatch(r"\d{8}T\d{6}Z-stop-task(-2)?", path.name) for path in (first, second))
    assert list(first.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=r"cannot be written to .*file \(file exists\); .* with --results\.$"):
        new_folder(tmp_path / "file", "stop-task")
