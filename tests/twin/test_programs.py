"""Services and containers with programs of their own, named in a twin.toml: a twin, boto3, real processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.twin.running import STARTS_WITHIN, RunningTwin, TwinFactory, twin_command, wait_until

Json = dict[str, Any]

# Serves what its file says, its environment, and puts a message into a queue of the endpoint it finds there.
SERVICE = """
import http.server, json, os

import boto3

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        sqs = boto3.client("sqs")
        sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName="orders")["QueueUrl"], MessageBody="ordered")
        body = json.dumps({"version": open("version").read(), **os.environ}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

server = http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler)
with open("../address", "w") as file:
    file.write(os.environ["HOST"] + ":" + os.environ["PORT"])
server.serve_forever()
"""
WORKER = """
import pathlib, signal, sys

print("the agent", flush=True)
pathlib.Path(sys.argv[1]).write_text("works")
signal.pause()
"""


def programs(folder: Path) -> str:
    return f"""
[programs.orders]
command = "{sys.executable} service.py"
folder = "orders"
environment = {{ MODE = "{{host}}" }}
watch = ["version"]

[programs."orders/agent"]
command = "{sys.executable} {folder}/worker.py {folder}/agent"

[programs.edited]
command = "{sys.executable} worker.py former"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "orders").mkdir()
    (folder / "orders" / "service.py").write_text(SERVICE)
    (folder / "orders" / "version").write_text("one")
    (folder / "worker.py").write_text(WORKER)
    (folder / "twin.toml").write_text(programs(folder))
    return folder


@pytest.fixture(scope="module")
def twin(start_twin: TwinFactory, folder: Path) -> RunningTwin:
    """An empty twin in a folder with a twin.toml and no Dockerfile; a cluster, and subnets for tasks."""
    twin = start_twin("--empty", "--reload", "--running-grace", "1", synth=None, folder=folder, wait=False)
    wait_until(lambda: "aws_endpoint_url" in said(twin), "the endpoint is there", STARTS_WITHIN)
    twin.client("ecs").create_cluster(clusterName="shop")
    return twin


def said(twin: RunningTwin) -> str:
    file = twin.state / "twin.json"
    return file.read_text() if file.exists() else ""


@pytest.fixture(scope="module")
def subnet(twin: RunningTwin) -> str:
    ec2 = twin.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    return str(ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"])


def serve(twin: RunningTwin, subnet: str, family: str, *containers: Json) -> None:
    ecs = twin.client("ecs")
    ecs.register_task_definition(
        family=family, networkMode="awsvpc", cpu="256", memory="512", containerDefinitions=list(containers)
    )
    network = {"awsvpcConfiguration": {"subnets": [subnet]}}
    ecs.create_service(
        cluster="shop",
        serviceName=family,
        taskDefinition=family,
        desiredCount=1,
        launchType="FARGATE",
        networkConfiguration=network,
    )


def tasks(twin: RunningTwin, family: str, status: str = "RUNNING") -> list[Json]:
    ecs = twin.client("ecs")
    arns = ecs.list_tasks(cluster="shop", family=family, desiredStatus=status)["taskArns"]
    found = ecs.describe_tasks(cluster="shop", tasks=arns)["tasks"] if arns else []
    return [task for task in found if task["lastStatus"] == status]


def listed(twin: RunningTwin) -> str:
    return twin.says("ps")


def answer(folder: Path) -> Json | None:
    """What the service answers at the address that the last task of it has written."""
    try:
        address = (folder / "address").read_text()
        return dict(httpx.get(f"http://{address}/", timeout=10, trust_env=False).json())
    except (httpx.TransportError, FileNotFoundError):
        return None


def test_a_service_of_two_containers_with_secrets_and_a_queue(twin: RunningTwin, subnet: str, folder: Path) -> None:
    twin.client("ssm").put_parameter(Name="/orders/colour", Value="red", Type="SecureString")
    secret = twin.client("secretsmanager").create_secret(Name="orders", SecretString='{"password": "hush", "n": 1}')
    queue = twin.client("sqs").create_queue(QueueName="orders")["QueueUrl"]
    secrets = [
        {"name": "COLOUR", "valueFrom": "arn:aws:ssm:eu-west-2:123456789012:parameter/orders/colour"},
        {"name": "PASSWORD", "valueFrom": f"{secret['ARN']}:password::"},
        {"name": "WHOLE", "valueFrom": secret["ARN"]},
    ]
    main = {"name": "app", "image": "orders:1", "portMappings": [{"containerPort": 8080}], "secrets": secrets}
    agent = {"name": "agent", "image": "agent:1", "essential": False}
    other = {"name": "other", "image": "other:1", "essential": False}

    serve(
        twin, subnet, "orders", {**main, "dependsOn": [{"containerName": "agent", "condition": "START"}]}, agent, other
    )

    (task,) = wait_until(lambda: tasks(twin, "orders"), "the task runs")
    told = wait_until(lambda: answer(folder), "it answers")
    assert (told["COLOUR"], told["PASSWORD"], told["version"]) == ("red", "hush", "one")
    assert json.loads(told["WHOLE"]) == {"password": "hush", "n": 1}
    assert told["MODE"] == told["HOST"]
    assert told["AWS_ENDPOINT_URL"] == twin.aws_endpoint_url
    assert "TWIN_TOKEN" not in told
    message = twin.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=1)["Messages"][0]
    assert message["Body"] == "ordered"
    assert wait_until(lambda: (folder / "agent").exists() and (folder / "agent").read_text(), "it runs") == "works"
    reasons = {container["name"]: container.get("reason") for container in task["containers"]}
    assert reasons == {"app": None, "agent": None, "other": "This container is not run by the twin."}
    gaps = [line for line in ps(twin)["left_out"] if "other" in line]
    assert gaps == [
        "task definition orders:1, container other: it is not run: to run it, name its program under "
        '[programs."orders/other"] in twin.toml'
    ]
    (host_name,) = (each["value"] for each in task["attachments"][0]["details"] if each["name"] == "privateDnsName")
    assert twin.says("logs", host_name.split(".")[0], "--container", "agent") == "the agent\n"


def test_a_command_runs_as_the_processes_of_a_container_do(twin: RunningTwin, folder: Path) -> None:
    (task,) = tasks(twin, "orders")
    told = answer(folder) or {}

    def run(*arguments: str, of: str = task["taskArn"]) -> subprocess.CompletedProcess[str]:
        words = twin_command("exec", "--state", str(twin.state), of, *arguments)
        return subprocess.run(words, input="echo $COLOUR; exit 3", capture_output=True, text=True)

    inside = run("--", sys.executable, "-c", "import json, os; print(json.dumps([os.getcwd(), dict(os.environ)]))")
    where, environment = json.loads(inside.stdout)
    assert where == str(folder / "orders")
    assert (environment.pop("PASSWORD"), environment["HOST"]) == ("hush", told["HOST"])
    common = told.keys() & environment.keys()
    assert {name: told[name] for name in common} == {name: environment[name] for name in common}
    assert "TWIN_TOKEN" not in environment
    shell = run(of=task["taskArn"].rpartition("/")[2][:10])
    assert (shell.returncode, shell.stdout) == (3, "red\n")
    agent = run("--container", "agent", "--", "/bin/sh", "-c", "pwd; echo $PASSWORD; kill -TERM $$")
    assert (agent.returncode, agent.stdout) == (-15, f"{folder}\n\n")
    for refused, why in (
        (run("--container", "other"), "has not a container other running: --container takes one of app, agent."),
        (run(of="zzz"), "zzz is no task: give one of "),
        (run("--", "no-such-program"), f"no-such-program cannot be run in {folder / 'orders'} (No such file"),
    ):
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
        assert why in refused.stderr


def test_a_change_of_the_code_is_a_rolling_deployment(twin: RunningTwin, folder: Path) -> None:
    (before,) = tasks(twin, "orders")

    (folder / "orders" / "version").write_text("two, and longer")

    wait_until(lambda: (told := answer(folder)) and told["version"] == "two, and longer", "the new task answers")
    wait_until(lambda: before["taskArn"] not in {t["taskArn"] for t in tasks(twin, "orders")}, "the old task has gone")
    service = twin.client("ecs").describe_services(cluster="shop", services=["orders"])["services"][0]
    assert service["taskDefinition"].endswith("orders:1")
    wait_until(lambda: len(tasks(twin, "orders")) == 1, "one task is left")


def test_a_worker_without_a_port_comes_up_once_its_program_is_named(
    twin: RunningTwin, subnet: str, folder: Path
) -> None:
    serve(twin, subnet, "worker", {"name": "app", "image": "worker:1"})

    (stopped, *_) = wait_until(lambda: tasks(twin, "worker", "STOPPED"), "a task has failed")
    assert "has no program on this machine: write [programs.worker]" in stopped["stoppedReason"]
    assert not (folder / "works").exists()

    assert f"worker: 0 of 1 tasks run: {stopped['stoppedReason']}" in listed(twin)

    written = (folder / "twin.toml").read_text()
    (folder / "twin.toml").write_text(f"{written}[programs.worker]\ncommand = \n")
    line = written.count("\n") + 2
    warned = f"No task can start: twin.toml is no TOML: Invalid value (at line {line}"
    wait_until(lambda: any(warned in event.get("message", "") for event in twin.events()), "the twin warns of it")
    assert warned in listed(twin)
    assert [event for event in twin.events() if event.get("step") == "failed"] == []  # --reload waits meanwhile
    (folder / "twin.toml").write_text(f'{written}[programs.worker]\ncommand = "{sys.executable} worker.py works"\n')

    wait_until(lambda: tasks(twin, "worker"), "the worker runs")
    assert wait_until(lambda: (folder / "works").exists() and (folder / "works").read_text(), "it works") == "works"
    twin.client("ecs").update_service(cluster="shop", service="worker", desiredCount=0)
    wait_until(lambda: not tasks(twin, "worker"), "it has stopped")


def test_a_revision_whose_program_crashes_is_said_with_its_last_output(
    twin: RunningTwin, subnet: str, folder: Path
) -> None:
    program = "import os, signal, sys; 'FAIL' in os.environ and sys.exit('no module named shopp'); signal.pause()"
    with (folder / "twin.toml").open("a") as file:
        file.write(f"[programs.crashing]\ncommand = {json.dumps([sys.executable, '-c', program])}\n")
    serve(twin, subnet, "crashing", {"name": "app", "image": "a:1"})
    wait_until(lambda: tasks(twin, "crashing"), "the first revision runs")
    assert ps(twin)["failing"] == []

    container = {"name": "app", "image": "a:2", "environment": [{"name": "FAIL", "value": "1"}]}
    ecs = twin.client("ecs")
    ecs.register_task_definition(
        family="crashing", networkMode="awsvpc", cpu="256", memory="512", containerDefinitions=[container]
    )
    ecs.update_service(cluster="shop", service="crashing", taskDefinition="crashing:2")

    (failing,) = wait_until(lambda: ps(twin)["failing"], "three tasks have ended")
    assert (failing["service"], failing["revision"], failing["serving"]) == ("crashing", "crashing:2", ["crashing:1"])
    assert (failing["reason"], failing["last_output"]) == (
        "Essential container in task exited",
        "no module named shopp",
    )
    said = "in a row have ended by themselves: Essential container in task exited with code 1; "
    wait_until(lambda: said in listed(twin), "it is listed")  # but while one runs for so long that it counts as healthy

    def warned() -> list[str]:
        messages = [event.get("message", "") for event in twin.events()]
        return [message for message in messages if " tasks of crashing:2 in a row " in message]

    warning, *_ = wait_until(warned, "the twin warns of it")  # again after a minute
    assert "'no module named shopp'" in warning
    ecs.delete_service(cluster="shop", service="crashing", force=True)


def test_a_changed_table_is_said_and_with_reload_deployed(twin: RunningTwin, subnet: str, folder: Path) -> None:
    written = (folder / "twin.toml").read_text()
    serve(twin, subnet, "edited", {"name": "app", "image": "a:1"})
    wait_until(lambda: (folder / "former").exists(), "the former program runs")

    (folder / "twin.toml").write_text(written.replace("worker.py former", "worker.py later"))

    wait_until(lambda: (folder / "later").exists(), "the later program runs")
    for sentence in (
        f"twin.toml has changed: the next tasks of edited run `{sys.executable} worker.py later`",
        "Service edited is deployed anew, for its table in the twin.toml changed",
    ):
        wait_until(lambda: sentence in [event.get("message") for event in twin.events()], sentence)  # noqa: B023
    twin.client("ecs").delete_service(cluster="shop", service="edited", force=True)
    (folder / "twin.toml").write_text(written)


def test_a_secret_that_is_not_there_is_a_start_that_failed(twin: RunningTwin, subnet: str, folder: Path) -> None:
    secrets = [{"name": "A", "valueFrom": "arn:aws:ssm:eu-west-2:123456789012:parameter/none"}]
    with (folder / "twin.toml").open("a") as file:
        file.write(f'[programs.secretive]\ncommand = "{sys.executable} worker.py secret"\n')

    serve(twin, subnet, "secretive", {"name": "app", "image": "a:1", "secrets": secrets})

    (stopped, *_) = wait_until(lambda: tasks(twin, "secretive", "STOPPED"), "a task has failed")
    assert stopped["stoppedReason"].startswith("ResourceInitializationError: unable to pull secrets or registry auth")
    assert "ParameterNotFound" in stopped["stoppedReason"]
    assert stopped["stopCode"] == "TaskFailedToStart"


def ps(twin: RunningTwin) -> Json:
    return twin.run("ps", "--json").json


def test_a_task_that_is_run_once_with_a_command_of_its_own(twin: RunningTwin, subnet: str, folder: Path) -> None:
    with (folder / "twin.toml").open("a") as file:
        file.write(f'[programs.migrations]\ncommand = "{sys.executable} worker.py never"\n')
    ecs = twin.client("ecs")
    ecs.register_task_definition(
        family="migrations",
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        containerDefinitions=[
            {"name": "app", "image": "m:1", "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}
        ],
    )
    program = "import os, sys; print(os.environ['A'], os.environ['B'], os.getcwd()); sys.exit(3)"
    override = {
        "name": "app",
        "command": [sys.executable, "-c", program],
        "environment": [{"name": "B", "value": "other"}],
    }

    (task,) = ecs.run_task(
        cluster="shop",
        taskDefinition="migrations",
        networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet]}},
        overrides={"containerOverrides": [override]},
    )["tasks"]

    wait_until(lambda: tasks(twin, "migrations", "STOPPED"), "it has ended")
    (ended,) = ecs.describe_tasks(cluster="shop", tasks=[task["taskArn"]])["tasks"]
    assert (ended["stopCode"], ended["containers"][0]["exitCode"]) == ("EssentialContainerExited", 3)
    assert ended["group"] == "family:migrations"
    assert twin.says("logs", task["taskArn"].rpartition("/")[2]).strip() == f"1 other {folder}"
    assert not (folder / "never").exists()


DEPLOYS = """
import sys, time

import boto3

ecs, ec2 = boto3.client("ecs"), boto3.client("ec2")
vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
ecs.create_cluster(clusterName="shop")
container = {"name": "app", "image": "orders:1"}
ecs.register_task_definition(
    family="orders", networkMode="awsvpc", cpu="256", memory="512", containerDefinitions=[container]
)
network = {"awsvpcConfiguration": {"subnets": [subnet]}}
service = {"cluster": "shop", "serviceName": "orders", "taskDefinition": "orders", "desiredCount": 1}
ecs.create_service(**service, launchType="FARGATE", networkConfiguration=network)
while not ecs.list_tasks(cluster="shop", desiredStatus="STOPPED")["taskArns"]:
    time.sleep(0.05)
print("the command ends", file=sys.stderr, flush=True)
sys.exit(5)
"""


def test_a_command_that_fails_is_followed_by_why_its_services_did_not_come_up(
    start_twin: TwinFactory, tmp_path: Path
) -> None:
    (tmp_path / "deploy.py").write_text(DEPLOYS)
    then = (sys.executable, str(tmp_path / "deploy.py"))
    twin = start_twin("--empty", synth=None, folder=tmp_path, then=then, wait=False)

    written = twin.process.communicate(timeout=STARTS_WITHIN)[0]

    assert twin.process.returncode == 5, written
    after = written.partition("the command ends\n")[2]
    why = "Container app of orders has no program on this machine: write [programs.orders]"
    lines = [line for line in after.splitlines() if line.startswith("twin: orders: ") and " orders:1 " in line]
    assert lines, written
    assert why in lines[-1]
