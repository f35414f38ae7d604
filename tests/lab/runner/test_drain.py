"""Deregister, wait, stop: `lab drain-task` and the experiment of that name, on a real twin."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab.errors import BadInput, Missing
from lab.records.run import TaskRecord
from lab.runner.drain import CloudMap, Draining, named
from load.results import read_run
from tests.command import Command
from tests.twin.running import PROJECT, RunningTwin, TwinFactory, wait_until

LAB = (sys.executable, "-c", "from lab.cli import main; main()")


@pytest.fixture(scope="module")
def twin(start_twin: TwinFactory) -> RunningTwin:
    """Its application ends at once after SIGTERM."""
    return start_twin("--command", f"env DRAIN_SECONDS=0 {sys.executable} -m app")


def discovery_service(twin: RunningTwin) -> str:
    """The id of the Cloud Map service in which ECS registers the tasks."""
    (service,) = twin.client("ecs").describe_services(cluster="serviceconnect", services=["serviceconnect"])["services"]
    (resource,) = service["deployments"][0]["serviceConnectResources"]
    return str(resource["discoveryArn"].rsplit("/", 1)[-1])


def instances(twin: RunningTwin, service: str) -> dict[str, dict[str, str]]:
    """Of a Cloud Map service, with their attributes."""
    answer = twin.client("servicediscovery").list_instances(ServiceId=service)
    return {each["Id"]: each["Attributes"] for each in answer["Instances"]}


def registered(twin: RunningTwin) -> dict[str, dict[str, str]]:
    return instances(twin, discovery_service(twin))


def running(twin: RunningTwin) -> list[str]:
    return [task["taskArn"].rsplit("/", 1)[-1] for task in twin.tasks() if task["lastStatus"] == "RUNNING"]


def all_serve(twin: RunningTwin) -> None:
    wait_until(lambda: len(running(twin)) == 3 and registered(twin).keys() == set(running(twin)), "three run", 60)

    def hosts() -> set[str]:
        """Of answers alone: what a test before has stopped may be in the gateway's list for a while."""
        answers = [httpx.get(f"{twin.gateway_url}/hostname", timeout=10) for _ in range(20)]
        return {answer.text for answer in answers if all(each.status_code == 200 for each in answers)}

    wait_until(lambda: len(hosts()) == 3, "three serve", 60)


def stopped(twin: RunningTwin) -> dict[str, str]:
    """The reasons of the tasks that were stopped."""
    return {task["taskArn"].rsplit("/", 1)[-1]: task["stoppedReason"] for task in twin.tasks("STOPPED")}


def test_a_task_leaves_cloud_map_before_it_is_stopped(twin: RunningTwin, lab: Command) -> None:
    all_serve(twin)
    task, *_ = running(twin)
    code, out, err = lab("drain-task", task[:9], "--wait", "1", "--json", "--target", str(twin.state / "outputs.json"))

    assert code == 0, err
    assert json.loads(out)["task"].endswith(task)
    assert json.loads(out)["waited_s"] == 1
    assert f"(task {task}) is out of Cloud Map; it is stopped in 1 s" in err
    assert stopped(twin)[task] == "Stopped by lab drain-task"
    assert task not in registered(twin)


def test_a_service_of_the_same_name_in_another_namespace_is_left_alone(twin: RunningTwin, lab: Command) -> None:
    all_serve(twin)
    client = twin.client("servicediscovery")
    operation = client.create_http_namespace(Name="other")["OperationId"]
    namespace = client.get_operation(OperationId=operation)["Operation"]["Targets"]["NAMESPACE"]
    own = client.get_service(Id=discovery_service(twin))["Service"]
    foreign = client.create_service(Name=own["Name"], NamespaceId=namespace)["Service"]["Id"]
    before, (task, *_) = registered(twin), running(twin)
    for name, attributes in before.items():
        client.register_instance(ServiceId=foreign, InstanceId=name, Attributes=attributes)

    code, out, err = lab("drain-task", task, "--wait", "0", "--json", "--target", str(twin.state / "outputs.json"))

    assert code == 0, err
    assert json.loads(out)["deregistered_from"] == [own["Id"]]
    assert task not in registered(twin)
    assert instances(twin, foreign) == before


def test_interrupted_it_registers_the_task_again_as_it_was(twin: RunningTwin) -> None:
    all_serve(twin)
    before, (task, *_) = registered(twin), running(twin)
    process = subprocess.Popen(
        [*LAB, "drain-task", task, "--wait", "600", "--target", str(twin.state / "outputs.json")],
        cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    wait_until(lambda: task not in registered(twin), "it is out of Cloud Map")
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=60)[0]

    assert process.returncode == 130, output
    assert "is registered again, and runs on" in output
    assert "Traceback" not in output
    assert registered(twin) == before
    assert task in running(twin)


def test_the_only_instance_stays(twin: RunningTwin, lab: Command) -> None:
    all_serve(twin)
    client, service = twin.client("servicediscovery"), discovery_service(twin)
    before, (task, *others) = registered(twin), running(twin)
    for other in others:
        client.deregister_instance(ServiceId=service, InstanceId=other)
    code, _, err = lab("drain-task", task, "--target", str(twin.state / "outputs.json"))
    left = registered(twin).keys()
    second = lab("drain-task", others[0], "--target", str(twin.state / "outputs.json"))
    for other in others:
        client.register_instance(ServiceId=service, InstanceId=other, Attributes=before[other])

    assert code == 2
    assert f"(task {task}) is the only instance in Cloud Map ({service})" in err
    assert "scale the service out first" in err
    assert left == {task}
    assert second[0] == 2
    assert "is not in Cloud Map" in second[2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nope",), "'nope' is no running task of the service: give one of"),
        (("x", "--wait", "-1"), "--wait -1 is out of range: give from 0 to 3600."),
        (("x", "--target", "no-such.json"), "no-such.json is not there"),
    ],
)
def test_bad_input_is_one_sentence(twin: RunningTwin, lab: Command, arguments: tuple[str, ...], words: str) -> None:
    code, _, err = lab("drain-task", "--target", str(twin.state / "outputs.json"), *arguments)

    assert code == 2
    assert words in err
    assert len(err.strip().splitlines()) == 1


def test_no_request_is_lost_where_the_application_ends_at_once(twin: RunningTwin, lab: Command, tmp_path: Path) -> None:
    all_serve(twin)
    where = ("--target", str(twin.state / "outputs.json"), "--results", str(tmp_path))
    done = lab("run", "drain-task", *where, "--users", "4", "--rate", "100", "--shortest")
    assert done.code == 0, done.out + done.err
    (folder,) = tmp_path.iterdir()
    run = read_run(folder)

    assert run.meta["complete"] is True
    assert run.meta["requests"] > 1000
    assert run.meta["failures"] == 0, done.out
    (fault,) = run.meta["faults"]
    task = next(each for each in run.meta["tasks"] if [each["arn"]] == fault["tasks"])
    assert task["stopped_reason"] == "Stopped by the experiment drain-task"
    assert task["stopping_at"] - fault["at"] >= 10
    assert "failed when a task was deregistered first and stopped later." in " ".join(done.out.split())


# The pieces, without a twin


def task_record(name: str, status: str = "RUNNING") -> TaskRecord:
    return TaskRecord(
        arn=f"arn:aws:ecs:x:1:task/c/{name}",
        hostname=f"ip-10-0-0-{len(name)}.x.compute.internal",
        task_definition="arn:td:1",
        last_status=status,
        desired_status="RUNNING",
        health="HEALTHY",
        created_at=0.0,
    )


@pytest.mark.parametrize(
    "name", ["abc", "ab", "arn:aws:ecs:x:1:task/c/abc", "ip-10-0-0-3", "ip-10-0-0-3.x.compute.internal"]
)
def test_a_task_is_named_by_id_beginning_arn_or_host(name: str) -> None:
    tasks = [task_record("abc"), task_record("bcde"), task_record("abcxyz", "STOPPED")]
    assert named(tasks, name).id == "abc"


@pytest.mark.parametrize(
    ("name", "words"), [("a", "begins 2 tasks"), ("c", "is no running task"), ("", "is no running")]
)
def test_a_name_of_none_or_of_several(name: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        named([task_record("abc"), task_record("abd")], name)


class Refusing:
    """A service, its AWS and Cloud Map, in which what is in `fails` fails."""

    def __init__(self, *fails: str) -> None:
        self.fails = set(fails)
        self.called: list[str] = []
        self.aws = self
        self.instances = {"srv-1": {"abc", "def"}, "srv-2": {"abc", "def"}}

    def asking(self) -> Refusing:
        return self

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None

    def client(self, _: str) -> Refusing:
        return self

    def discovery_services(self) -> list[str]:
        return list(self.instances)

    def get_paginator(self, _: str) -> Refusing:
        return self

    def paginate(self, ServiceId: str) -> list[dict[str, Any]]:
        return [{"Instances": [{"Id": each, "Attributes": {}} for each in self.instances[ServiceId]]}]

    def deregister_instance(self, ServiceId: str, InstanceId: str) -> dict[str, str]:
        self.instances[ServiceId].discard(InstanceId)
        return {"OperationId": f"deregister {ServiceId}"}

    def register_instance(self, ServiceId: str, InstanceId: str, Attributes: dict[str, str]) -> dict[str, str]:
        self.instances[ServiceId].add(InstanceId)
        return {"OperationId": f"register {ServiceId}"}

    def get_operation(self, OperationId: str) -> dict[str, Any]:
        failed = OperationId in self.fails
        return {"Operation": {"Status": "FAIL" if failed else "SUCCESS", "ErrorMessage": "access denied"}}

    def stop_task(self, task: TaskRecord, reason: str) -> None:
        if "stop" in self.fails:
            self.fails.discard("stop")
            raise Missing("AWS does not answer.")
        self.called.append(reason)


def test_a_service_of_cloud_map_that_refuses_leaves_the_task_in_all() -> None:
    service: Any = Refusing("deregister srv-2")
    cloud_map = CloudMap(service)
    registrations = cloud_map.registrations(task_record("abc"))

    assert registrations == {"srv-1": {}, "srv-2": {}}
    with pytest.raises(Missing, match="access denied"):
        cloud_map.deregister(task_record("abc"), registrations)
    assert service.instances == {"srv-1": {"abc", "def"}, "srv-2": {"abc", "def"}}


def test_an_experiment_that_ends_before_the_stop_stops_the_task_all_the_same() -> None:
    service: Any = Refusing("stop")  # once
    draining = Draining(service, task_record("abc"), 600, "over", lambda _: None)
    assert service.instances == {"srv-1": {"def"}, "srv-2": {"def"}}
    with pytest.raises(Missing):
        draining.end()
    draining.end()

    assert service.called == ["over"]
