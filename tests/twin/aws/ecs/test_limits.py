"""What RegisterTaskDefinition and CreateService refuse, a row of the limits each; boto3 asks."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.twin.aws.ecs.world import NAMESPACE, REGISTRY, World, service, task_definition
from twin.aws.ecs.limits import FARGATE_SIZES

Json = dict[str, Any]

GROUP = "arn:aws:elasticloadbalancing:eu-west-2:123456789012:targetgroup/shop/1"


def container(**changes: Any) -> Json:
    """A task definition whose container has *changes*."""
    definition = task_definition()
    definition["containerDefinitions"][0] |= changes
    return definition


def check(**changes: Any) -> Json:
    return container(healthCheck={"command": ["CMD-SHELL", "true"], **changes})


def port(**changes: Any) -> Json:
    return container(portMappings=[{"name": "http", "containerPort": 8080, **changes}])


def second(**changes: Any) -> Json:
    """A task definition with a second container."""
    definition = task_definition()
    definition["containerDefinitions"].append({"name": "side", "image": "side:1", "essential": False, **changes})
    return definition


@pytest.mark.parametrize(
    ("definition", "why"),
    [
        (task_definition(cpu="300"), "No Fargate configuration exists for given values: 300 CPU, 512 memory"),
        (task_definition(memory="17"), "No Fargate configuration"),
        (task_definition(cpu="a quarter"), "No Fargate configuration"),
        (task_definition(ephemeralStorage={"sizeInGiB": 20}), "sizeInGiB must be between 21 and 200, is 20"),
        (container(stopTimeout=121), "stopTimeout must be between 0 and 120, is 121"),
        (container(startTimeout=1), "startTimeout must be between 2 and 120, is 1"),
        (container(startTimeout=121), "is 121"),
        (container(name="a b"), "letters, digits"),
        (container(environment=[{"name": "A=B", "value": ""}]), "'A=B' is no name"),
        (container(environment=[{"name": "", "value": ""}]), "'' is no name"),
        (container(environment=[{"value": "a"}]), "None is no name"),
        (container(environment=[{"name": "A", "value": "a\0"}]), "without NUL"),
        (container(environment=[{"name": "A"}]), "must have a text"),
        (container(mountPoints=[{"sourceVolume": "data"}]), "Unknown volume 'data'"),
        (check(interval=4), "healthCheck.interval must be between 5 and 300, is 4"),
        (check(interval=301), "is 301"),
        (check(timeout=1), "healthCheck.timeout must be between 2 and 60, is 1"),
        (check(timeout=61), "is 61"),
        (check(retries=0), "healthCheck.retries must be between 1 and 10, is 0"),
        (check(retries=11), "is 11"),
        (check(startPeriod=301), "healthCheck.startPeriod must be between 0 and 300, is 301"),
        (check(command=["wget", "x"]), "begins with CMD or CMD-SHELL"),
        (check(command=["CMD"]), "begins with CMD or CMD-SHELL"),
        (check(command=[]), "begins with CMD or CMD-SHELL"),
        (port(containerPort=0), "containerPort must be between 1 and 65535, is 0"),
        (port(hostPort=80), "host ports and container ports"),
        (port(name="HTTP"), "port name 'HTTP'"),
        (second(portMappings=[{"name": "http", "containerPort": 81}]), "Port mapping names must be unique"),
        (second(dependsOn=[{"containerName": "db", "condition": "START"}]), "which is not in the task definition"),
        (second(dependsOn=[{"containerName": "side", "condition": "START"}]), "depends on itself"),
        (second(dependsOn=[{"containerName": "app", "condition": "SUCCESS"}]), "which is essential"),
        (second(name="app"), "must be unique"),
        (task_definition(containerDefinitions=[{"name": f"c{n}", "image": "a"} for n in range(11)]), "at most 10"),
    ],
)
def test_a_task_definition_beyond_a_limit_is_refused(ecs: Any, world: World, definition: Json, why: str) -> None:
    with pytest.raises(ClientError) as error:
        ecs.register_task_definition(**definition)

    assert error.value.response["Error"]["Code"] == "ClientException"
    assert why in error.value.response["Error"]["Message"]
    assert world.ecs.task_definitions == {}


@pytest.mark.parametrize(
    "definition",
    [
        *(
            task_definition(cpu=str(cpu), memory=str(memory))
            for cpu, sizes in FARGATE_SIZES.items()
            for memory in (min(sizes), max(sizes))
        ),
        task_definition(cpu=".25 vCPU", memory="0.5 GB"),
        task_definition(cpu="1 vcpu", memory="2GB"),
        container(stopTimeout=120),
        check(interval=300, timeout=60, retries=10, startPeriod=300),
        container(healthCheck={"command": ["NONE"]}),
        port(hostPort=8080),
        second(dependsOn=[{"containerName": "app", "condition": "HEALTHY"}]),
    ],
)
def test_a_task_definition_at_a_limit_is_registered(ecs: Any, world: World, definition: Json) -> None:
    assert ecs.register_task_definition(**definition)["taskDefinition"]["revision"] == 1


def percents(least: int, most: int) -> Json:
    return {"deploymentConfiguration": {"minimumHealthyPercent": least, "maximumPercent": most}}


def connected(**changes: Any) -> Json:
    entry = {"portName": "http", "clientAliases": [{"port": 80}], **changes}
    return {"serviceConnectConfiguration": {"enabled": True, "namespace": NAMESPACE, "services": [entry]}}


def balanced(**changes: Any) -> Json:
    return {"loadBalancers": [{"targetGroupArn": GROUP, "containerName": "app", "containerPort": 8080, **changes}]}


def found(arn: str = REGISTRY, **changes: Any) -> Json:
    return {"serviceRegistries": [{"registryArn": arn, **changes}]}


def network(**groups: Any) -> Json:
    return {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a"], **groups}}}


def named(ecs: Any, world: World) -> None:
    ecs.create_cluster(clusterName="shop")
    ecs.register_task_definition(**task_definition())
    world.load_balancing.groups.append(GROUP)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (percents(100, 100), "cannot be 100"),
        (percents(-1, 200), "minimumHealthyPercent must be between 0 and 100, is -1"),
        (percents(101, 200), "is 101"),
        (percents(50, 99), "maximumPercent must be between 100 and"),
        (connected(clientAliases=[]), "clientAliases must have 1 element"),
        (connected(clientAliases=[{"port": 80}, {"port": 81}]), "clientAliases must have 1 element"),
        (balanced(targetGroupArn=GROUP + "x"), "The target group"),
        (balanced(containerName="web"), "The container web does not exist in the task definition"),
        (balanced(containerPort=80), "did not have a container port 80 defined"),
        (found("nowhere"), "The service registry nowhere does not exist"),
        (found(), "has SRV records: give containerName and containerPort, or a port"),
        (found(containerName="app"), "needs both containerName and containerPort"),
        (found(containerName="app", containerPort=8080, port=8080), "give one of the two"),
        (found(containerName="app", containerPort=80), "did not have a container port 80 defined"),
        ({"serviceRegistries": 2 * found(port=8080)["serviceRegistries"]}, "Only one service registry"),
        (network(securityGroups=[f"sg-{n}" for n in range(6)]), "securityGroups can have at most 5"),
        (network(subnets=["subnet-a"] * 17), "subnets can have at most 16"),
    ],
)
def test_a_service_beyond_a_limit_is_refused(ecs: Any, world: World, changes: Json, why: str) -> None:
    named(ecs, world)
    with pytest.raises(ClientError) as error:
        ecs.create_service(**service(**changes))

    assert error.value.response["Error"]["Code"] == "InvalidParameterException"
    assert why in error.value.response["Error"]["Message"]
    assert (world.ecs.services, world.cloud_map.services) == ({}, {})


def test_a_request_timeout_needs_an_application_protocol(ecs: Any, world: World) -> None:
    ecs.create_cluster(clusterName="shop")
    ecs.register_task_definition(**port())

    with pytest.raises(ClientError, match="perRequestTimeout needs an appProtocol"):
        ecs.create_service(**service(**connected(timeout={"perRequestTimeoutSeconds": 5})))
    assert world.ecs.services == {}


@pytest.mark.parametrize(
    "changes",
    [
        *(percents(100, 300), percents(0, 100), percents(99, 100), balanced(), connected()),
        *(found(port=8080), found(containerName="app", containerPort=8080), found(REGISTRY + "-a")),
    ],
)
def test_a_service_at_a_limit_is_made(ecs: Any, world: World, changes: Json) -> None:
    named(ecs, world)
    assert ecs.create_service(**service(**changes))["service"]["status"] == "ACTIVE"


def test_an_update_is_checked_as_a_whole(ecs: Any, world: World) -> None:
    named(ecs, world)
    ecs.create_service(**service(**percents(100, 200)))

    with pytest.raises(ClientError, match="cannot be 100"):
        ecs.update_service(cluster="shop", service="shop", deploymentConfiguration={"maximumPercent": 100})
    with pytest.raises(ClientError, match="target group"):
        ecs.update_service(cluster="shop", service="shop", **balanced(targetGroupArn="nope"))
    assert world.service.deployment_configuration["maximumPercent"] == 200
    assert len(world.service.deployments) == 1
