"""The load fleet: what it brings, what it opens, and what it leaves as it was."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from serviceconnect.settings import InvalidSettings, Settings
from serviceconnect.source import load_image
from tests.constructs.stand_ins import SCRIPTS, StandIns
from tests.constructs.synthesis import ROOT, Json, Synthesize, address, at, reference, statements


@pytest.fixture
def fleet(synthesize: Synthesize) -> Json:
    """The stack with two workers and authorization by AWS_IAM."""
    return synthesize(load_fleet=2, authorization="AWS_IAM", execute_command=True)


def container_of(stack: Json, path: str) -> Json:
    """The one container of a task definition."""
    (definition,) = json.loads(at(stack, "aws_ecs_task_definition", path)["container_definitions"])
    assert isinstance(definition, dict)
    return definition


def test_without_the_setting_there_is_none(stack: Json) -> None:
    assert "aws_internet_gateway" not in stack["resource"]
    assert "0.0.0.0/0" not in json.dumps(stack)
    assert len(stack["resource"]["aws_ecs_service"]) == 1


def test_a_master_and_workers_that_find_it_through_service_connect(fleet: Json) -> None:
    master, workers = (at(fleet, "aws_ecs_service", f"load/{name}/service") for name in ("master", "workers"))
    assert (master["desired_count"], workers["desired_count"]) == (1, 2)
    namespace = reference(fleet, "aws_service_discovery_http_namespace", "cluster/namespace", "arn")
    assert master["service_connect_configuration"]["namespace"] == namespace
    assert workers["service_connect_configuration"]["namespace"] == namespace
    (alias,) = (entry["client_alias"] for entry in master["service_connect_configuration"]["service"])
    assert "service" not in workers["service_connect_configuration"]
    told = container_of(fleet, "load/workers-task")
    assert told["command"] == ["--worker", "--master-host", alias["dns_name"]]
    assert alias["port"] == container_of(fleet, "load/master-task")["portMappings"][0]["containerPort"] == 5557
    assert address(fleet, "terraform_data", "load/master/rolled-out") in workers["depends_on"]
    # Without room for a task more ECS refuses to rebalance zones, which is its default.
    assert {one["deployment_maximum_percent"] for one in (master, workers)} == {100}
    assert {one["availability_zone_rebalancing"] for one in (master, workers)} == {"DISABLED"}
    # Before the namespace may go, Cloud Map must have dropped the master's service too.
    assert address(fleet, "aws_ecs_service", "service/service") in master["depends_on"]


def test_the_fleet_knows_the_api_and_how_to_sign(fleet: Json) -> None:
    command = container_of(fleet, "load/master-task")["command"]
    assert command[command.index("--host") + 1] == fleet["output"]["gateway_url"]["value"]
    told = container_of(fleet, "load/workers-task")["environment"]
    assert {"name": "LOAD_AUTHORIZATION", "value": "AWS_IAM"} in told
    (invoke,) = statements(at(fleet, "aws_iam_role_policy", "load/invoke")["policy"])
    assert invoke["Action"] == ["execute-api:Invoke"]
    execution_arn = reference(fleet, "aws_apigatewayv2_api", "gateway/api", "execution_arn")
    assert invoke["Resource"] == [f"{execution_arn}/*"]


def test_nothing_comes_in_from_outside_and_only_https_goes_out(fleet: Json) -> None:
    group = reference(fleet, "aws_security_group", "load/load", "id")
    ingress = [
        rule
        for rule in fleet["resource"]["aws_vpc_security_group_ingress_rule"].values()
        if rule["security_group_id"] == group
    ]
    assert [(rule["referenced_security_group_id"], rule["from_port"]) for rule in ingress] == [(group, 5557)]
    everywhere = [
        rule
        for rule in fleet["resource"]["aws_vpc_security_group_egress_rule"].values()
        if rule.get("cidr_ipv4") == "0.0.0.0/0"
    ]
    assert [(rule["security_group_id"], rule["from_port"], rule["to_port"]) for rule in everywhere] == [
        (group, 443, 443)
    ]
    command = container_of(fleet, "load/master-task")["command"]
    assert command[command.index("--web-host") + 1] == "127.0.0.1"


def test_the_service_keeps_its_private_subnets_and_its_empty_role(synthesize: Synthesize) -> None:
    stack = synthesize(load_fleet=1)
    subnets = at(stack, "aws_ecs_service", "service/service")["network_configuration"]["subnets"]
    fleets = at(stack, "aws_ecs_service", "load/workers/service")["network_configuration"]["subnets"]
    assert len(subnets) == len(fleets) == 2
    assert not set(subnets) & set(fleets)
    (out,) = stack["resource"]["aws_route"].values()
    assert out["route_table_id"] == reference(stack, "aws_route_table", "load/routes", "id")
    ranges = [subnet["cidr_block"] for subnet in stack["resource"]["aws_subnet"].values()]
    assert len(set(ranges)) == 4
    task_role = reference(stack, "aws_iam_role", "roles/task", "name")
    assert task_role not in [policy["role"] for policy in stack["resource"]["aws_iam_role_policy"].values()]


def test_an_endpoint_for_sessions_admits_the_fleet(fleet: Json) -> None:
    policy = statements(at(fleet, "aws_vpc_endpoint", "endpoints/ssmmessages")["policy"])
    admitted = [statement["Condition"]["ArnEquals"]["aws:PrincipalArn"] for statement in policy]
    assert admitted == [
        reference(fleet, "aws_iam_role", "roles/task", "arn"),
        "${aws_iam_role.load-role.arn}",
    ]


def test_the_fleet_is_in_a_group_of_its_own_which_the_endpoints_admit(fleet: Json) -> None:
    group = reference(fleet, "aws_security_group", "load/load", "id")
    for name in ("master", "workers"):
        assert at(fleet, "aws_ecs_service", f"load/{name}/service")["network_configuration"]["security_groups"] == [
            group
        ]
    admitted = at(fleet, "aws_vpc_security_group_ingress_rule", "load/calls-in")
    assert admitted["security_group_id"] == reference(fleet, "aws_security_group", "endpoints/endpoints", "id")
    assert (admitted["referenced_security_group_id"], admitted["from_port"]) == (group, 443)


def test_the_fleet_is_waited_for(fleet: Json) -> None:
    for name in ("master", "workers"):
        waits = at(fleet, "terraform_data", f"load/{name}/rolled-out")
        run = waits["provisioner"][0]["local-exec"]
        assert run["command"].endswith("await_deployment.sh")
        assert run["environment"]["SERVICE"] == reference(fleet, "aws_ecs_service", f"load/{name}/service", "name")
        task = reference(fleet, "aws_ecs_service", f"load/{name}/service", "task_definition")
        assert waits["triggers_replace"]["task_definition"] == task


def test_the_image_is_pushed_before_and_only_where_it_can_be(synthesize: Synthesize, fleet: Json) -> None:
    push = fleet["resource"]["terraform_data"]["load-image"]
    assert push["provisioner"][0]["local-exec"]["environment"]["DOCKERFILE"] == "load/Dockerfile"
    assert "terraform_data.load-image" in at(fleet, "aws_ecs_service", "load/master/service")["depends_on"]
    local = synthesize(load_fleet=1, endpoint_url="http://127.0.0.1:4566")
    assert "push_image.sh" not in json.dumps(local)


def test_the_output_opens_the_web_ui_as_it_stands(fleet: Json, tmp_path: Path) -> None:
    cluster = reference(fleet, "aws_ecs_cluster", "cluster/cluster", "name")
    master = reference(fleet, "aws_ecs_service", "load/master/service", "name")
    lines = fleet["output"]["load_web_ui"]["value"].replace(cluster, "probe").replace(master, "probe-load-master")
    assert "${" not in lines
    tools = StandIns(tmp_path / "bin")
    tools.add("basename", 'echo "${1##*/}"')
    tools.add(
        "aws",
        'case "$*" in *list-tasks*) echo arn:aws:ecs:eu-west-2:123456789012:task/probe/0a1b ;;'
        " *describe-tasks*) echo 0a1b-77 ;; esac",
    )
    subprocess.run(["/bin/sh", "-c", lines], env={"PATH": str(tools.folder)}, check=True)
    assert tools.calls()[-1] == (
        "aws ssm start-session --region eu-west-2 --target ecs:probe_0a1b_0a1b-77"
        " --document-name AWS-StartPortForwardingSession --parameters portNumber=8089,localPortNumber=8089"
    )


def test_the_script_builds_with_the_fleets_dockerfile(tmp_path: Path) -> None:
    tools = StandIns(tmp_path / "bin")
    tools.add("aws", 'case "$*" in *batch-get-image*) echo 0 ;; *get-login-password*) echo secret ;; esac')
    tools.add("docker", "")
    done = tools.run(
        SCRIPTS / "push_image.sh",
        REPOSITORY_NAME="probe",
        REPOSITORY_URL="1.dkr.ecr/probe",
        TAG="load-1",
        PLATFORM="linux/amd64",
        AWS_REGION="eu-west-2",
        CONTEXT="assets/context",
        DOCKERFILE="load/Dockerfile",
    )
    assert done.returncode == 0, done.stderr
    assert (
        "--file assets/context/load/Dockerfile --tag 1.dkr.ecr/probe:load-1 --push assets/context" in tools.calls()[-1]
    )


def test_the_tag_follows_the_load(tmp_path: Path) -> None:
    (tmp_path / "load").mkdir()
    (tmp_path / "load/Dockerfile").write_text("FROM scratch")
    (tmp_path / "locustfile.py").write_text("")
    (tmp_path / "Pipfile.lock").write_text((ROOT / "Pipfile.lock").read_text())
    before = load_image(tmp_path, "X86_64").tag
    assert before.startswith("load-")
    (tmp_path / "load/web.py").write_text("")
    assert load_image(tmp_path, "X86_64").tag != before


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        (
            {"vpc_id": "vpc-0a", "subnet_ids": ("subnet-0a",), "route_table_ids": ("rtb-0a",)},
            "needs a VPC of the stack's own",
        ),
        ({"image_uri": "docker.io/library/nginx:1"}, "needs image_uri to be empty"),
        ({"authorization": "JWT", "jwt_issuer": "https://a.b", "jwt_audience": ("c",)}, "it has no token to send"),
    ],
)
def test_what_it_cannot_load_is_refused(chosen: dict[str, object], sentence: str) -> None:
    with pytest.raises(InvalidSettings, match=f"load_fleet = 3 .*{sentence}"):
        Settings(load_fleet=3, **chosen)  # type: ignore[arg-type]
