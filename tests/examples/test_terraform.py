"""examples/terraform on a twin: each is applied by the real Terraform, serves or works, and is destroyed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from lab.runner.served import find_target
from tests.conformance.terraform import Lacking, Terraform
from tests.twin.running import PROJECT, STARTS_WITHIN, RunningTwin, TwinFactory, twin_command, wait_until
from twin.stack.project import task_definitions
from twin.tasks.programs import Programs

EXAMPLES = PROJECT / "examples/terraform"
STACKS = ("alb", "paths", "worker")
REGION = "eu-west-1"
VERSION = "5.100.0"  # of the provider, where a registry has to be asked

pytestmark = pytest.mark.timeout(1200)
Json = Mapping[str, Any]


@pytest.mark.parametrize("name", STACKS)
def test_its_twin_toml_names_every_program(name: str) -> None:
    found = task_definitions(EXAMPLES / name)
    assert found
    programs = Programs(file=EXAMPLES / name / "twin.toml")

    assert programs.unnamed(definition.family or "computed" for definition in found) == []


@pytest.fixture
def applied(start_twin: TwinFactory, tmp_path: Path) -> Iterator[Callable[[str], tuple[RunningTwin, Json]]]:
    """Applies an example on a twin of its own; what is left of it at the end is destroyed, which must leave nothing."""
    made: list[tuple[Terraform, RunningTwin]] = []
    providers = ExitStack()

    def apply(name: str) -> tuple[RunningTwin, Json]:
        project = tmp_path / "terraform"
        shutil.copytree(EXAMPLES, project)
        folder = project / name
        programs = str(EXAMPLES / name / "twin.toml")
        twin = start_twin("--empty", "--region", REGION, "--programs", programs, synth=None, wait=False)
        wait_until(lambda: "aws_endpoint_url" in said(twin), "the endpoint is there", STARTS_WITHIN)
        ask = 'eval "$("$@")" && env -0'
        done = subprocess.run(
            ["sh", "-c", ask, "sh", *twin_command("env", "--terraform", "--state", str(twin.state))],
            cwd=folder, env=clean_environment(), capture_output=True, text=True, check=True,
        )  # fmt: skip
        pairs = (pair.partition("=") for pair in done.stdout.split("\0") if pair)
        terraform = Terraform(folder, {variable: value for variable, _, value in pairs})
        try:
            terraform.init_plain(VERSION)
        except Lacking as lacking:
            pytest.skip(f"examples: {lacking}")
        made.append((terraform, twin))
        providers.enter_context(terraform.one_provider())
        terraform.apply()
        assert (folder / "terraform.twin.tfstate").exists()
        assert not (folder / "terraform.tfstate").exists()
        return twin, terraform.output()

    with providers:
        yield apply
        for terraform, twin in made:
            assert terraform.changes() == ""
            terraform.destroy()
            assert client(twin, "ecs").list_clusters()["clusterArns"] == []


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SC_", "TF_"))}


def said(twin: RunningTwin) -> str:
    file = twin.state / "twin.json"
    return file.read_text() if file.exists() else ""


def client(twin: RunningTwin, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=twin.aws_endpoint_url,
        region_name=REGION,
        aws_access_key_id=twin.credentials.access_key,
        aws_secret_access_key=twin.credentials.secret_key,
    )


def services_by_host(twin: RunningTwin, cluster: str) -> dict[str, str]:
    """Which service each host is a task of."""
    ecs = client(twin, "ecs")
    tasks = ecs.describe_tasks(cluster=cluster, tasks=ecs.list_tasks(cluster=cluster)["taskArns"])["tasks"]
    found = {}
    for task in tasks:
        details = {each["name"]: each["value"] for each in task["attachments"][0]["details"]}
        host = f"ip-{details['privateIPv4Address'].replace('.', '-')}"
        found[host] = task["group"].removeprefix("service:")
    return found


def answered_by(twin: RunningTwin, cluster: str, url: str, expected: Mapping[str, int]) -> None:
    """Ask *url* until each task of *expected*, services with their numbers of tasks, has answered; others never may."""

    def ask() -> bool:
        hosts = services_by_host(twin, cluster)
        answers: Counter[str] = Counter()
        for _ in range(60):
            answer = httpx.get(url, timeout=10, trust_env=False)
            if answer.status_code != 200:
                return False
            answers[answer.headers["x-hostname"].partition(".")[0]] += 1
        by_service = Counter(hosts[host] for host in answers)
        assert by_service.keys() == expected.keys()
        return by_service == Counter(expected)

    wait_until(ask, f"all tasks of {expected} answer at {url}", 90)


def test_two_services_behind_a_load_balancer(applied: Callable[[str], tuple[RunningTwin, Json]]) -> None:
    twin, outputs = applied("alb")
    url = f"http://{outputs['dns_name']}"

    target = find_target(twin.state / "outputs.json", "orders", print)
    assert (target.gateway_url, target.cluster_name, target.service_name) == (url, "alb", "orders")
    answered_by(twin, "alb", f"{url}/", {"shop": 2})
    answered_by(twin, "alb", f"{url}/orders/7", {"orders": 3})
    closed = httpx.get(f"{url}/admin", trust_env=False)
    assert (closed.status_code, closed.text) == (404, "closed")


def test_one_api_to_two_services_by_path(applied: Callable[[str], tuple[RunningTwin, Json]]) -> None:
    twin, outputs = applied("paths")

    found = find_target(twin.state / "outputs.json", "paths/orders", print)
    assert {name: getattr(found, name) for name in outputs} == outputs  # as `lab run --target` reads them
    answered_by(twin, "paths", f"{twin.gateway_url}/orders/7", {"orders": 2})
    answered_by(twin, "paths", f"{twin.gateway_url}/billing", {"billing": 2})
    assert httpx.get(f"{twin.gateway_url}/other", trust_env=False).status_code == 404


def test_a_worker_without_a_port(applied: Callable[[str], tuple[RunningTwin, Json]]) -> None:
    twin, outputs = applied("worker")
    sqs, dynamodb = client(twin, "sqs"), client(twin, "dynamodb")

    bodies = {f"order {number}" for number in range(10)}
    for body in bodies:
        sqs.send_message(QueueUrl=outputs["queue_url"], MessageBody=body)

    def items() -> list[Json]:
        found: list[Json] = dynamodb.scan(TableName=outputs["table"])["Items"]
        return found if len(found) == len(bodies) else []

    written = wait_until(items, "the worker has written all orders", 60)
    assert {item["body"]["S"] for item in written} == bodies
    assert {item["by"]["S"].partition(".")[0] for item in written} <= services_by_host(twin, "worker").keys()
    counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def left() -> set[str]:
        return set(
            sqs.get_queue_attributes(QueueUrl=outputs["queue_url"], AttributeNames=counts)["Attributes"].values()
        )

    wait_until(lambda: left() == {"0"}, "no message is left")
