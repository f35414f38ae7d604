"""A real twin from its start to its end, asked by real clients."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.twin.running import (
    PROJECT,
    STACK,
    RunningTwin,
    TwinFactory,
    command_of,
    descendants,
    is_alive,
    twin_command,
    wait_until,
)
from twin.machine.addresses import Address, free_port, is_free
from twin.machine.state import StateFolder
from twin.remote import ask as control
from twin.stack import deploy
from twin.stack.terraform import load_stack


def test_requests_are_answered_by_every_task(twin: RunningTwin, ask: httpx.Client) -> None:
    answers = {ask.get("/hostname").text for _ in range(60)}

    hosts = {d["value"] for t in twin.tasks() for d in t["attachments"][0]["details"] if d["name"] == "privateDnsName"}
    assert len(hosts) == 3
    assert answers == hosts


def test_the_answer_carries_what_api_gateway_and_the_service_add(ask: httpx.Client) -> None:
    answer = ask.get("/hostname")

    assert answer.status_code == 200
    assert answer.headers["x-hostname"] == answer.text
    assert answer.headers["x-availability-zone"] in ("eu-west-2a", "eu-west-2b")
    assert answer.headers["apigw-requestid"]


def test_what_the_stack_has_no_use_for_here_is_a_line_and_a_list_on_demand(twin: RunningTwin) -> None:
    told, listed = twin.run("ps", "--json").json, twin.says("ps", "--left-out").splitlines()
    left_out = told["left_out"]
    assert (told["lacking"], told["failing"], told["complaints"], told["programs_error"]) == ([], [], [], None)
    assert told["perhaps_not_on_aws"] == []
    assert twin.says("ps").splitlines()[-1] == f"{len(left_out)} parts of the stack do nothing here: twin ps --left-out"
    *_, head = (line for line in listed if not line.startswith("  "))
    assert head == f"{len(left_out)} parts of the stack do nothing here:"
    assert [line.strip() for line in listed[-len(left_out) :]] == left_out


def test_parameters_that_are_asked_for_are_no_event(twin: RunningTwin) -> None:
    def logged() -> list[str]:
        lines = (twin.state / "events.jsonl").read_text().splitlines()
        return [line for line in lines if json.loads(line)["kind"] == "parameters"]

    before = logged()
    running = StateFolder(twin.state).running()
    assert "discovery_ttl" in control(running, "set", assignments=[])
    assert logged() == before
    control(running, "set", assignments=["discovery-ttl=5"])
    assert len(logged()) == len(before) + 1


def test_the_listing_for_programs_has_every_task_and_no_credentials(twin: RunningTwin, ask: httpx.Client) -> None:
    text = twin.says("ps", "--json")
    listed = json.loads(text)

    running = [task for task in listed["tasks"] if task["status"] == "RUNNING"]
    assert {task["id"] for task in running} == {t["taskArn"].rsplit("/", 1)[-1] for t in twin.tasks()}
    assert {task["revision"] for task in running} == {"serviceconnect:1"}
    assert all(task["registered"] and task["started_at"] and not task["stopped_reason"] for task in running)
    assert listed["gateway_url"] == twin.gateway_url
    assert listed["left_out"]
    credentials = StateFolder(twin.state).running()["credentials"]
    assert not any(secret in text for secret in (credentials.access_key, credentials.secret_key, credentials.token))


def test_a_path_without_a_route_is_the_gateways_own_404(ask: httpx.Client) -> None:
    answer = ask.get("/no-such-path")

    assert (answer.status_code, answer.json()) == (404, {"message": "Not Found"})
    assert answer.headers["content-type"] == "application/json"
    assert "x-hostname" not in answer.headers


def test_the_task_knows_what_ecs_knows_of_it(twin: RunningTwin, ask: httpx.Client) -> None:
    api = twin.client("apigatewayv2")
    (id,) = (one["ApiId"] for one in api.get_apis()["Items"])
    target = api.get_routes(ApiId=id)["Items"][0]["Target"]
    api.create_route(ApiId=id, RouteKey="GET /identity", Target=target)
    wait_until(lambda: ask.get("/identity").is_success, "the gateway has the route")
    identity = ask.get("/identity").json()

    task = next(t for t in twin.tasks() if t["taskArn"] == identity["task_arn"])
    assert identity["availability_zone"] == task["availabilityZone"]
    assert f"{identity['family']}:{identity['revision']}" == task["taskDefinitionArn"].rsplit("/", 1)[-1]


def test_cloud_map_holds_just_the_running_tasks(twin: RunningTwin) -> None:
    outputs = twin.outputs()
    found = twin.client("servicediscovery").discover_instances(
        NamespaceName=outputs["namespace_name"], ServiceName=outputs["discovery_name"]
    )["Instances"]

    assert {i["InstanceId"] for i in found} == {t["taskArn"].rsplit("/", 1)[-1] for t in twin.tasks()}
    assert all(i["Attributes"]["AWS_INSTANCE_IPV4"].startswith("127.") for i in found)


def test_a_stopped_task_is_replaced_and_its_record_stays(twin: RunningTwin) -> None:
    ecs, outputs = twin.client("ecs"), twin.outputs()
    before = {t["taskArn"] for t in twin.tasks()}
    victim = sorted(before)[0]

    ecs.stop_task(cluster=outputs["cluster_name"], task=victim, reason="by hand")

    def replaced() -> bool:
        running = [t for t in twin.tasks() if t["lastStatus"] == "RUNNING"]
        return len(running) == 3 and victim not in {t["taskArn"] for t in running}

    wait_until(replaced, "another task runs in its place")
    stopped = next(t for t in twin.tasks("STOPPED") if t["taskArn"] == victim)
    assert (stopped["stopCode"], stopped["stoppedReason"]) == ("UserInitiated", "by hand")
    service = ecs.describe_services(cluster=outputs["cluster_name"], services=[outputs["service_name"]])["services"][0]
    assert (service["desiredCount"], service["runningCount"]) == (3, 3)


def test_the_order_of_a_stop_is_that_of_ecs(twin: RunningTwin) -> None:
    ecs, outputs = twin.client("ecs"), twin.outputs()
    victim = twin.tasks()[0]["taskArn"]
    identifier = victim.rsplit("/", 1)[-1]

    ecs.stop_task(cluster=outputs["cluster_name"], task=victim)

    def steps() -> list[str]:
        return [event["step"] for event in twin.events() if event.get("task") == identifier]

    wait_until(lambda: "application stopped" in steps(), "the application stops")
    end = steps()[steps().index("DEACTIVATING") :]
    assert end[:5] == ["DEACTIVATING", "deregistered", "STOPPING", "proxy drains", "SIGTERM"]
    assert "SIGKILL" not in end


def test_an_application_that_is_killed_is_replaced(twin: RunningTwin, ask: httpx.Client) -> None:
    def serving() -> set[str]:
        return {t["taskArn"] for t in twin.tasks() if t["lastStatus"] == "RUNNING"}

    before = wait_until(lambda: s if len(s := serving()) == 3 else None, "three tasks run")
    victim = next(pid for pid in descendants(twin.process.pid) if command_of(pid).endswith("-m app"))

    subprocess.run(["kill", "-KILL", str(victim)], check=True)

    wait_until(lambda: len(serving()) == 3 and serving() != before, "another task runs in its place")
    stopped = next(t for t in twin.tasks("STOPPED") if t["taskArn"] in before and t["stopCode"] != "UserInitiated")
    assert stopped["stopCode"] == "EssentialContainerExited"
    assert stopped["containers"][0]["exitCode"] == 137


def test_outputs_are_in_the_form_of_cdktf_deploy(twin: RunningTwin) -> None:
    outputs = json.loads((twin.state / "outputs.json").read_text())

    assert list(outputs) == ["serviceconnect"]
    assert outputs["serviceconnect"]["gateway_url"] == twin.gateway_url
    assert outputs["serviceconnect"]["aws_endpoint_url"] == twin.aws_endpoint_url
    assert outputs["serviceconnect"]["region"] == "eu-west-2"


def test_env_lets_the_aws_cli_ask(twin: RunningTwin) -> None:
    ask = "aws servicediscovery discover-instances --namespace-name $NS --service-name $DN"
    script = f'eval "$(twin env --state $STATE)" && {ask}'
    names = twin.outputs()
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "STATE": str(twin.state),
        "NS": names["namespace_name"],
        "DN": names["discovery_name"],
    }

    answer = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=True)

    assert len(json.loads(answer.stdout)["Instances"]) == 3


def test_ps_lists_the_tasks_and_what_is_not_in_the_twin(twin: RunningTwin) -> None:
    listing = twin.says("ps", "--left-out")

    assert all(t["taskArn"].rsplit("/", 1)[-1] in listing for t in twin.tasks())
    assert "aws_vpc_endpoint" in listing


def test_a_second_twin_on_the_same_state_is_refused_with_the_pid_before_its_ports_are(twin: RunningTwin) -> None:
    port = twin.gateway_url.rsplit(":", 1)[-1]
    second = subprocess.run(
        twin_command("up", "--synth", str(STACK), "--state", str(twin.state), "--port", port),
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )

    assert second.returncode == 2
    assert f"pid {twin.process.pid}" in second.stderr
    assert twin.process.poll() is None


@pytest.fixture(scope="module")
def second(start_twin: TwinFactory) -> RunningTwin:
    """A twin that starts empty."""
    return start_twin("--empty", wait=False)


def test_an_empty_twin_serves_what_is_deployed_to_it(second: RunningTwin) -> None:
    twin = second
    assert twin.process.stdout is not None
    assert "nothing is deployed" in twin.process.stdout.readline()

    deployed = deploy(load_stack(STACK), twin.aws)

    assert deployed.outputs["gateway_url"] == twin.gateway_url
    with httpx.Client(base_url=twin.gateway_url) as client:
        wait_until(lambda: client.get("/hostname").status_code == 200, "the service answers")


def test_a_second_twin_lives_beside_the_first_until_down_leaves_nothing_of_it(
    twin: RunningTwin, second: RunningTwin
) -> None:
    """It is the last test of the second one, to which the test before has deployed."""
    first, twin = twin, second
    started = descendants(twin.process.pid)
    assert httpx.get(f"{twin.gateway_url}/hostname").status_code == 200
    assert len(started) == 8  # three applications, three proxies, the gateway, the watchdog

    subprocess.run(twin_command("down", "--state", str(twin.state)), check=True)

    assert twin.process.wait(5) == 0
    assert not [pid for pid in started if is_alive(pid)]
    assert all(
        is_free(Address("127.0.0.1", int(url.rsplit(":", 1)[1]))) for url in (twin.gateway_url, twin.aws_endpoint_url)
    )
    assert not (twin.state / "outputs.json").exists()
    assert httpx.get(f"{first.gateway_url}/hostname").status_code == 200


def test_a_command_runs_once_the_twin_serves_and_its_exit_code_is_the_twins(start_twin: TwinFactory) -> None:
    tasks = 'boto3.client("ecs").list_tasks(cluster="serviceconnect")["taskArns"]'
    ask = f"import boto3, sys; print(len({tasks})); sys.exit(7)"
    twin = start_twin(then=(sys.executable, "-c", ask), wait=False)

    output = twin.process.communicate(timeout=60)[0]

    assert twin.process.returncode == 7
    assert "\n3\n" in output


def test_interrupted_twice_it_ends_the_command_and_itself_without_a_word_too_many(start_twin: TwinFactory) -> None:
    twin = start_twin(then=("sleep", "600"), wait=False)
    wait_until(lambda: (twin.state / "outputs.json").exists(), "it serves")
    wait_until(lambda: any(command_of(pid) == "sleep 600" for pid in descendants(twin.process.pid)), "the command runs")
    started = descendants(twin.process.pid)

    twin.process.send_signal(signal.SIGINT)
    wait_until(lambda: not any(command_of(pid) == "sleep 600" for pid in started), "the command has ended")
    twin.process.send_signal(signal.SIGINT)
    output = twin.process.communicate(timeout=60)[0]

    assert "Traceback" not in output
    assert twin.process.returncode in (130, -signal.SIGINT)  # the latter if it came at the very end
    assert not [pid for pid in started if is_alive(pid)]


def test_it_asks_nobody_else_and_ends_with_its_parent(tmp_path: Path) -> None:
    """With a proxy, a profile and a configuration that would each stop boto3."""
    told, configuration = tmp_path / "told", tmp_path / "config"
    configuration.write_text("no configuration")
    tasks = 'len(boto3.client("ecs").list_tasks(cluster="serviceconnect")["taskArns"])'
    ask = f"import boto3, pathlib, time; pathlib.Path({str(told)!r}).write_text(str({tasks})); time.sleep(600)"
    ports = ("--port", str(free_port()), "--aws-port", str(free_port()))
    up = twin_command(
        "up", "--with-parent", "--synth", str(STACK), "--state", str(tmp_path / "state"), *ports, "--",
        sys.executable, "-c", ask,
    )  # fmt: skip
    disturbing = {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "AWS_PROFILE": "no-such"}
    disturbing |= {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "AWS_ENDPOINT_URL_ECS": "http://127.0.0.1:9"}
    environment = {**os.environ, **disturbing, "AWS_CONFIG_FILE": str(configuration)}
    # A shell that has more to do stays the parent, as make does.
    parent = subprocess.Popen(["/bin/sh", "-c", '"$@"; :', "sh", *up], cwd=PROJECT, env=environment)
    try:
        wait_until(lambda: told.exists() and told.read_text(), "the command has asked", 60)
        started = descendants(parent.pid)
        assert len(started) > 8
    finally:
        parent.kill()
        parent.wait()

    assert told.read_text() == "3"
    wait_until(lambda: not [pid for pid in started if is_alive(pid)], "all processes are gone")


def test_stopped_tasks_are_listed_where_all_are_asked_for(twin: RunningTwin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    stopped = twin.tasks()[0]["taskArn"].rsplit("/", 1)[-1]
    twin.says("stop", stopped)

    def listed(*options: str) -> dict[str, str]:
        text = twin.says("ps", *options)
        return {line.split()[0]: line for line in text.splitlines() if re.match(r"[0-9a-f]{32} ", line)}

    def running() -> list[str]:
        return [task["taskArn"] for task in twin.tasks() if task["lastStatus"] == "RUNNING"]

    def states() -> list[str]:
        return [task["lastStatus"] for task in twin.tasks("STOPPED") if task["taskArn"].endswith(stopped)]

    wait_until(lambda: states() == ["STOPPED"], "the task has stopped", timeout=60)
    wait_until(lambda: len(running()) == 3, "another task is in its place")
    assert listed().keys() == {arn.rsplit("/", 1)[-1] for arn in running()}
    assert " STOPPED " in listed("-a")[stopped]


def test_killed_with_its_watchdog_replaced_nothing_is_left(twin: RunningTwin) -> None:
    """It is the last test of this twin."""
    started = descendants(twin.process.pid)
    watchdog = next(pid for pid in started if "watchdog.py" in command_of(pid))
    subprocess.run(["kill", "-KILL", str(watchdog)], check=True)

    def successor() -> list[int]:
        below = descendants(twin.process.pid)
        return [pid for pid in below if pid != watchdog and "watchdog.py" in command_of(pid)]

    started += wait_until(successor, "another watchdog")
    wait_until(lambda: ("watchdog", "replaced") in {(e["kind"], e.get("step")) for e in twin.events()}, "it is logged")

    twin.process.kill()
    twin.process.wait()

    wait_until(lambda: not [pid for pid in started if is_alive(pid)], "all processes are gone", timeout=5)
