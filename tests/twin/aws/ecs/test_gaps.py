"""Nothing that the twin does not do is accepted in silence."""

from __future__ import annotations

from typing import Any

import pytest

from tests.twin.aws.ecs.world import NAMESPACE, World, task_definition
from twin.aws.ecs import api
from twin.aws.ecs.gaps import ServiceGaps, service_gaps
from twin.gaps import Gap

Json = dict[str, Any]


def gaps(definition: Json | None = None, **service: Any) -> list[Gap]:
    world = World()
    world.call("RegisterTaskDefinition", definition or task_definition())
    world.start(taskDefinition="shop:1", **service)
    return of(world)


def of(world: World, allowed: str = "") -> list[Gap]:
    """The gaps, where all roles are allowed one action, or are not known."""
    return ServiceGaps(world.ecs, world.alarms, lambda role, action: action == allowed if allowed else None).gaps


def lines(definition: Json | None = None, **service: Any) -> list[str]:
    return [str(gap) for gap in gaps(definition, **service)]


def test_what_the_twin_does_is_not_told() -> None:
    container = {k: v for k, v in task_definition()["containerDefinitions"][0].items() if k != "image"}
    told = lines(availabilityZoneRebalancing="ENABLED", propagateTags="SERVICE", enableECSManagedTags=True)

    assert not [line for line in told if any(f", {name}:" in line for name in container)]
    assert told == [
        "task definition shop:1, cpu: processes on this machine are not limited",
        "task definition shop:1, memory: processes on this machine are not limited",
        "task definition shop:1, container app, image: no image is pulled: the container's program on this machine "
        "runs: see twin.toml in docs/twin.md",
    ]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"volumeConfigurations": [{"name": "data"}]}, "service shop, volumeConfigurations: tasks are processes"),
        ({"enableExecuteCommand": True}, "service shop, enableExecuteCommand: ExecuteCommand is refused"),
        ({"deploymentConfiguration": {"bakeTimeInMinutes": 5}}, "service shop, bakeTimeInMinutes: the twin has no use"),
        (
            {
                "networkConfiguration": {
                    "awsvpcConfiguration": {
                        "subnets": ["subnet-a"],
                        "securityGroups": ["sg"],
                        "assignPublicIp": "ENABLED",
                    }
                }
            },
            "service shop, assignPublicIp: nothing outside",
        ),
    ],
)
def test_what_a_service_asks_for_in_vain_is_told(changes: Json, line: str) -> None:
    assert any(told.startswith(line) for told in lines(**changes))


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("curl -f http://127.0.0.1:8080/ready || exit 1", "curl is this machine's"),
        ("wget -q --spider http://localhost:8080/ready", "localhost is the task's address here"),
        ("wget -q --spider http://127.0.0.1:8080/ready", None),
    ],
)
def test_a_health_check_that_may_fail_in_an_image_is_told(command: str, told: str | None) -> None:
    definition = task_definition()
    definition["containerDefinitions"][0]["healthCheck"] = {"command": ["CMD-SHELL", command]}

    where = "task definition shop:1, container app"
    found = [gap for gap in gaps(definition) if gap.works_here]
    assert [(gap.where, gap.what, gap.why.startswith(told or "")) for gap in found] == (
        [(where, "healthCheck", True)] if told else []
    )


def test_ports_that_are_not_served_are_told() -> None:
    definition = task_definition()
    definition["containerDefinitions"][0]["portMappings"].append({"name": "grpc", "containerPort": 9000})
    services = [
        {"portName": "http", "clientAliases": [{"port": 80}]},
        {"portName": "grpc", "clientAliases": [{"port": 81}], "tls": {"issuerCertificateAuthority": {}}},
    ]

    told = lines(
        definition, serviceConnectConfiguration={"enabled": True, "namespace": NAMESPACE, "services": services}
    )

    assert "service shop, Service Connect port grpc: one port of a task is served, http" in told
    assert any(line.startswith("service shop, Service Connect port grpc, tls") for line in told)


def test_the_access_log_of_service_connect_is_told() -> None:
    entry = {"portName": "http", "clientAliases": [{"port": 80}]}
    connection = {"enabled": True, "namespace": NAMESPACE, "services": [entry]}
    told = lines(serviceConnectConfiguration=connection | {"accessLogConfiguration": {"format": "JSON"}})

    assert any(line.startswith("service shop, Service Connect, accessLogConfiguration: ") for line in told)


def test_further_containers_are_told_and_do_not_hold_up_a_deployment() -> None:
    definition = task_definition()
    definition["containerDefinitions"].insert(
        0,
        {
            "name": "sidecar",
            "image": "sidecar:1",
            "essential": False,
            "portMappings": [{"name": "metrics", "containerPort": 9000}],
            "healthCheck": {"command": ["CMD", "true"]},
        },
    )

    assert any("container sidecar: it is not run" in line for line in lines(definition))
    world = World()
    world.call("RegisterTaskDefinition", definition)
    world.start(taskDefinition="shop:1")
    world.advance()
    assert {task.container.name for task in world.running} == {"app"}
    assert world.service.steady


def test_a_container_that_tasks_wait_for_is_told_as_such() -> None:
    definition = task_definition()
    definition["containerDefinitions"] += [
        {"name": "hold", "image": "shop:1", "essential": False, "dependsOn": HEALTHY},
        {"name": "side", "image": "shop:1", "essential": False},
    ]

    told = lines(definition)

    where = "task definition shop:1, container"
    not_run = 'it is not run: to run it, name its program under [programs."shop/{}"] in twin.toml'
    assert f"{where} hold: {not_run.format('hold')}; tasks wait for it all the same, until app is HEALTHY" in told
    assert f"{where} side: {not_run.format('side')}" in told


HEALTHY = [{"containerName": "app", "condition": "HEALTHY"}]
HEEDED = {"name", "essential", "portMappings", "environment", "healthCheck", "startTimeout", "stopTimeout"}
HEEDED |= {"dependsOn", "secrets"}


@pytest.mark.parametrize("member", sorted(set(api.service_model().shape_for("ContainerDefinition").members) - HEEDED))
def test_every_other_member_of_a_container_is_told(member: str) -> None:
    shape = api.service_model().shape_for("ContainerDefinition").members[member]
    values: Json = {"string": "x", "integer": 1, "boolean": True, "list": ["x"], "structure": {"x": 1}, "map": {"x": 1}}
    container = {**task_definition()["containerDefinitions"][0], member: values[shape.type_name]}
    definition = {**task_definition(containerDefinitions=[container]), "revision": 1}

    gaps = service_gaps({"serviceName": "shop", "deployments": []}, definition)

    assert member in {gap.what for gap in gaps}


def test_an_alarm_that_is_not_there_is_told() -> None:
    world = World()
    world.call("RegisterTaskDefinition", task_definition())
    world.alarms.add("latency")
    alarms = {"alarmNames": ["errors", "latency"], "enable": True, "rollback": True}
    world.start(deploymentConfiguration={"alarms": alarms})

    told = [
        str(gap) for gap in ServiceGaps(world.ecs, world.alarms, lambda role, action: None).gaps if gap.what == "alarms"
    ]
    assert told == ["service shop, alarms: CloudWatch has no alarm errors, so none rolls back a deployment"]


def test_where_logs_are_is_told() -> None:
    definition = task_definition()
    definition["containerDefinitions"][0]["logConfiguration"] = {
        "logDriver": "awslogs",
        "options": {"awslogs-group": "/ecs/shop"},
    }

    (line,) = [line for line in lines(definition) if ", logConfiguration: " in line]

    assert "`twin logs TASK` prints what a task wrote" in line


SECRET = {"name": "PASSWORD", "valueFrom": "arn:aws:secretsmanager:eu-west-2:123456789012:secret:password"}
PARAMETER = {"name": "TOKEN", "valueFrom": "/shop/token"}


@pytest.mark.parametrize(
    ("role", "allowed", "told"),
    [
        ("shop-exec", "ssm:GetParameters", ["shop-exec allows no secretsmanager:GetSecretValue"]),
        ("shop-exec", "secretsmanager:GetSecretValue", ["shop-exec allows no ssm:GetParameters"]),
        ("shop-exec", "", []),  # a role that the endpoint has not been told of
        (
            None,
            "",
            [f"there is none that allows {name}" for name in ("secretsmanager:GetSecretValue", "ssm:GetParameters")],
        ),
    ],
)
def test_a_role_that_may_not_read_the_secrets_of_a_task_is_told(
    role: str | None, allowed: str, told: list[str]
) -> None:
    definition = task_definition()
    definition["containerDefinitions"][0]["secrets"] = [SECRET, PARAMETER]
    if role:
        definition["executionRoleArn"] = f"arn:aws:iam::123456789012:role/{role}"
    world = World()
    world.call("RegisterTaskDefinition", definition)
    world.start(taskDefinition="shop:1")

    found = [gap for gap in of(world, allowed) if gap.works_here]
    before = "task definition shop:1, executionRoleArn: "
    assert [str(gap) for gap in found] == [
        f"{before}{why}, so on AWS no task would start with its secrets" for why in told
    ]
