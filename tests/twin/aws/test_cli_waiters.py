"""The AWS CLI's waiters for what the stack with a load balancer has, on a running twin.

The services of ECS have theirs in tests/twin/aws/ecs; Cloud Map and API Gateway have none.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.twin.aws.ecs.conftest import run_aws
from tests.twin.running import RunningTwin, TwinFactory

pytestmark = pytest.mark.timeout(300)  # each call is a process of its own
Aws = Callable[..., str]
DELAY = "Key=deregistration_delay.timeout_seconds,Value=1"


@pytest.fixture(scope="module")
def twin(start_twin: TwinFactory, any_service: Path) -> RunningTwin:
    command = f"{sys.executable} -m http.server --bind {{host}} {{port}} --directory docs"
    return start_twin("--command", command, "--proxy-drain", "0", synth=any_service)


@pytest.fixture
def aws(twin: RunningTwin) -> Aws:
    return lambda *arguments: run_aws(twin.aws_endpoint_url, *arguments, credentials=twin.credentials)


def ids(aws: Aws, service: str, operation: str, query: str, *arguments: str) -> list[str]:
    found: list[str] = json.loads(aws(service, operation, *arguments, "--query", query, "--output", "json"))
    assert found, operation
    return found


@pytest.mark.parametrize(
    ("waiters", "operation", "query", "option"),
    [
        (("ec2 vpc-exists", "ec2 vpc-available"), "describe-vpcs", "Vpcs[].VpcId", "--vpc-ids"),
        (("ec2 subnet-available",), "describe-subnets", "Subnets[].SubnetId", "--subnet-ids"),
        (("ec2 security-group-exists",), "describe-security-groups", "SecurityGroups[].GroupId", "--group-ids"),
        (
            ("elbv2 load-balancer-exists", "elbv2 load-balancer-available"),
            "describe-load-balancers",
            "LoadBalancers[].LoadBalancerArn",
            "--load-balancer-arns",
        ),
        (("iam role-exists",), "list-roles", "Roles[:1].RoleName", "--role-name"),
    ],
    ids=lambda value: value[0].replace(" ", "-") if isinstance(value, tuple) else "",
)
def test_what_is_there_is_waited_for_no_longer(
    aws: Aws, waiters: tuple[str, ...], operation: str, query: str, option: str
) -> None:
    service = waiters[0].split()[0]
    found = ids(aws, service, operation, query)
    for waiter in waiters:
        assert aws(service, "wait", waiter.split()[1], option, *found) == ""


def test_tasks_that_run_are_in_service_and_one_that_is_stopped_is_deregistered(aws: Aws) -> None:
    cluster = ("--cluster", "serviceconnect")
    tasks = ids(aws, "ecs", "list-tasks", "taskArns", *cluster)
    (group,) = ids(aws, "elbv2", "describe-target-groups", "TargetGroups[].TargetGroupArn")
    aws("ecs", "wait", "tasks-running", *cluster, "--tasks", *tasks)
    aws("elbv2", "wait", "target-in-service", "--target-group-arn", group)

    aws("elbv2", "modify-target-group-attributes", "--target-group-arn", group, "--attributes", DELAY)
    target, *_ = json.loads(aws("elbv2", "describe-target-health", "--target-group-arn", group))[
        "TargetHealthDescriptions"
    ]
    for task in tasks:
        aws("ecs", "stop-task", *cluster, "--task", task)
    old = f"Id={target['Target']['Id']},Port={target['Target']['Port']}"
    aws("elbv2", "wait", "target-deregistered", "--target-group-arn", group, "--targets", old)
    aws("ecs", "wait", "services-stable", *cluster, "--services", "serviceconnect")
    assert not set(tasks) & set(ids(aws, "ecs", "list-tasks", "taskArns", *cluster))
