"""The clients of AWS, in the environment that `twin env` exports, on a twin of the stack."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.twin.aws.ecs.conftest import run_aws
from tests.twin.running import PROJECT, RunningTwin, TwinFactory, wait_until
from twin.credentials import environment

SERVICE = "service/serviceconnect/serviceconnect"


@pytest.fixture(scope="module")
def twin(start_twin: TwinFactory) -> RunningTwin:
    return start_twin("--proxy-drain", "0", "--discovery-ttl", "0", "--namespace-cleanup", "0")


def test_after_eval_of_twin_env_the_aws_cli_just_works(twin: RunningTwin) -> None:
    script = f"""
        set -e
        eval "$(twin env --state {twin.state})"
        aws ecs list-services --cluster serviceconnect --query serviceArns
        aws servicediscovery discover-instances --namespace-name serviceconnect --service-name serviceconnect \\
            --query 'Instances[].Attributes.AWS_INSTANCE_IPV4'
        aws apigatewayv2 get-routes --query 'Items[].RouteKey' \\
            --api-id "$(aws apigatewayv2 get-apis --query 'Items[0].ApiId' --output text)"
        aws application-autoscaling register-scalable-target --service-namespace ecs --resource-id {SERVICE} \\
            --scalable-dimension ecs:service:DesiredCount --min-capacity 1 --max-capacity 9 --query ScalableTargetARN
    """
    bin_folder = PROJECT / ".venv/bin"
    environment = {"PATH": f"{bin_folder}:{os.environ['PATH']}", "HOME": os.devnull}
    done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, timeout=60)

    assert done.stderr == ""
    decoder, answers, rest = json.JSONDecoder(), [], done.stdout.lstrip()
    while rest:
        answer, end = decoder.raw_decode(rest)
        answers.append(answer)
        rest = rest[end:].lstrip()
    services, addresses, routes, target = answers
    assert services == [f"arn:aws:ecs:eu-west-2:123456789012:{SERVICE}"]
    assert len(addresses) == 3
    assert "GET /hostname" in routes
    assert target.startswith("arn:aws:application-autoscaling:eu-west-2:")


def test_a_stopped_task_is_replaced_and_no_longer_asked(twin: RunningTwin) -> None:
    stopped = twin.tasks()[0]["taskArn"]
    names = ("--cluster", "serviceconnect")
    run_aws(twin.aws_endpoint_url, "ecs", "stop-task", *names, "--task", stopped, credentials=twin.credentials)

    wait_until(lambda: len(twin.tasks()) == 3 and all(t["lastStatus"] == "RUNNING" for t in twin.tasks()), "three run")
    wait_until(lambda: stopped in {t["taskArn"] for t in twin.tasks("STOPPED")}, "it is told as stopped")
    run_aws(
        twin.aws_endpoint_url, "ecs", "wait", "tasks-stopped", *names, "--tasks", stopped, credentials=twin.credentials
    )
    (task,) = (t for t in twin.tasks("STOPPED") if t["taskArn"] == stopped)
    assert (task["stopCode"], task["containers"][0]["exitCode"]) == ("UserInitiated", 0)
    details = {detail["name"]: detail["value"] for detail in task["attachments"][0]["details"]}
    with httpx.Client(base_url=twin.gateway_url) as client:
        assert details["privateDnsName"] not in {client.get("/hostname").text for _ in range(50)}


def test_a_killed_application_is_told_with_its_exit_code_and_replaced(twin: RunningTwin) -> None:
    wait_until(lambda: len(twin.tasks()) == 3, "three tasks")
    victim = twin.tasks()[0]["taskArn"]
    identifier = victim.rsplit("/", 1)[-1]
    pids = [
        int(path.name)
        for path in Path("/proc").iterdir()
        if path.name.isdecimal() and _environment(path).get("ECS_CONTAINER_METADATA_URI_V4", "").find(identifier) > 0
    ]
    os.kill(min(pids), 9)

    wait_until(lambda: victim in {t["taskArn"] for t in twin.tasks("STOPPED")}, "it is told as stopped")
    (task,) = (t for t in twin.tasks("STOPPED") if t["taskArn"] == victim)
    assert (task["stopCode"], task["containers"][0]["exitCode"]) == ("EssentialContainerExited", 137)
    wait_until(lambda: len(twin.tasks()) == 3, "three tasks again")


def _environment(process: Path) -> dict[str, str]:
    try:
        entries = (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return {}
    return dict(entry.decode(errors="replace").partition("=")[::2] for entry in entries if entry)


def test_a_deployment_of_terraforms_is_waited_for_and_told_when_it_is_rolled_back(twin: RunningTwin) -> None:
    ecs = twin.client("ecs")
    (service,) = ecs.describe_services(cluster="serviceconnect", services=["serviceconnect"])["services"]
    good = service["taskDefinition"]
    assert await_deployment(twin, good).returncode == 0

    definition = ecs.describe_task_definition(taskDefinition=good)["taskDefinition"]
    (container,) = definition["containerDefinitions"]
    check = {"command": ["CMD-SHELL", "exit 1"], "interval": 5, "retries": 1, "startPeriod": 0}
    named = ("family", "networkMode", "requiresCompatibilities", "cpu", "memory")
    bad = ecs.register_task_definition(
        containerDefinitions=[{**container, "healthCheck": check}], **{name: definition[name] for name in named}
    )["taskDefinition"]["taskDefinitionArn"]
    ecs.update_service(cluster="serviceconnect", service="serviceconnect", taskDefinition=bad)
    done = await_deployment(twin, bad)

    assert done.returncode == 1
    assert f", with {good}: ECS deployment circuit breaker: rolling back to deploymentId" in done.stderr
    assert "Newest events: (service serviceconnect) " in done.stderr
    assert await_deployment(twin, good).returncode == 0


def await_deployment(twin: RunningTwin, definition: str) -> subprocess.CompletedProcess[str]:
    names = {"CLUSTER": "serviceconnect", "SERVICE": "serviceconnect", "TASK_DEFINITION": definition}
    return run_script(twin, "await_deployment.sh", **names, PAUSE="3")


def run_script(twin: RunningTwin, name: str, **given: str) -> subprocess.CompletedProcess[str]:
    """A script of the stack, with variables of its own, by the AWS CLI on this twin."""
    own = environment(twin.aws_endpoint_url, "eu-west-2", twin.credentials, {})
    return subprocess.run(
        ["/bin/sh", PROJECT / "constructs/serviceconnect/scripts" / name],
        env={"PATH": os.environ["PATH"], "HOME": os.devnull, **own, **given},
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_await_cloud_map_sees_the_services_of_its_namespace_alone(twin: RunningTwin) -> None:
    cloud_map = twin.client("servicediscovery")
    ((own, namespace),) = [(each["Id"], own_namespace(cloud_map)) for each in cloud_map.list_services()["Services"]]
    operation = cloud_map.create_http_namespace(Name="other")["OperationId"]
    other = cloud_map.get_operation(OperationId=operation)["Operation"]["Targets"]["NAMESPACE"]

    def await_cloud_map(namespace: str) -> tuple[int, str]:
        done = run_script(twin, "await_cloud_map.sh", NAMESPACE_ID=namespace, ATTEMPTS="2", PAUSE="0")
        return done.returncode, done.stdout

    assert await_cloud_map(other) == await_cloud_map("ns-nope") == (0, "")
    foreign = cloud_map.create_service(Name="serviceconnect", NamespaceId=other)["Service"]["Id"]
    assert await_cloud_map(namespace) == (1, f"await_cloud_map: namespace {namespace} still holds {own}.\n")
    assert await_cloud_map(other) == (1, f"await_cloud_map: namespace {other} still holds {foreign}.\n")


def own_namespace(cloud_map: Any) -> str:
    condition = {"Name": "HTTP_NAME", "Values": ["serviceconnect"], "Condition": "EQ"}
    (namespace,) = cloud_map.list_namespaces(Filters=[condition])["Namespaces"]
    return str(namespace["Id"])


def test_what_services_ask_for_in_vain_is_listed_by_twin_ps(twin: RunningTwin) -> None:
    listed = subprocess.run(
        [PROJECT / ".venv/bin/twin", "ps", "--left-out", "--state", twin.state],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout

    assert "service serviceconnect, securityGroups: no packet is filtered on loopback addresses" in listed
    no_permissions = "the endpoint checks no permissions: tasks have the twin's own credentials"
    assert f"task definition serviceconnect:1, taskRoleArn: {no_permissions}" in listed


def test_a_deleted_service_leaves_nothing_in_cloud_map(twin: RunningTwin) -> None:
    """It is the last test of this twin. Another namespace with a service of the same name is of no account."""
    ecs, cloud_map = twin.client("ecs"), twin.client("servicediscovery")
    ecs.delete_service(cluster="serviceconnect", service="serviceconnect", force=True)
    names = ("--cluster", "serviceconnect", "--services", "serviceconnect")

    def status() -> str:
        answer = ecs.describe_services(cluster="serviceconnect", services=["serviceconnect"])
        return str(answer["services"][0]["status"])

    wait_until(lambda: status() == "INACTIVE", "the service is inactive")
    run_aws(twin.aws_endpoint_url, "ecs", "wait", "services-inactive", *names, credentials=twin.credentials)
    namespace = own_namespace(cloud_map)
    assert run_script(twin, "await_cloud_map.sh", NAMESPACE_ID=namespace, PAUSE="0.2").returncode == 0
    assert [each["Name"] for each in cloud_map.list_services()["Services"]] == ["serviceconnect"]  # the other's
    cloud_map.delete_namespace(Id=namespace)
    with httpx.Client(base_url=twin.gateway_url) as client:
        assert client.get("/hostname").status_code == 503
