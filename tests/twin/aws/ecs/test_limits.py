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
    """A task definition with a second container; the first reserves 100 CPU units."""
    definition = container(cpu=100)
    definition["containerDefinitions"].append({"name": "side", "image": "side:1", "essential": False, **changes})
    return definition


def linux(**changes: Any) -> Json:
    return container(linuxParameters=changes)


def files(*names: str) -> list[Json]:
    return [{"type": "s3", "value": f"arn:aws:s3:::shop/{name}"} for name in names]


def volume(**changes: Any) -> Json:
    return task_definition(volumes=[{"name": "data", **changes}])


def circle() -> Json:
    """Two containers that wait for each other."""
    definition = second(dependsOn=[{"containerName": "app", "condition": "START"}])
    definition["containerDefinitions"][0]["dependsOn"] = [{"containerName": "side", "condition": "START"}]
    return definition


def unchecked() -> Json:
    """A container that waits for the health of one that has no check."""
    definition = second()
    definition["containerDefinitions"][0]["dependsOn"] = [{"containerName": "side", "condition": "HEALTHY"}]
    return definition


@pytest.mark.parametrize(
    ("definition", "why"),
    [
        (task_definition(cpu="300"), "No Fargate configuration exists for given values: 300 CPU, 512 memory"),
        (task_definition(memory="17"), "No Fargate configuration"),
        (task_definition(cpu="a quarter"), "No Fargate configuration"),
        (task_definition(ephemeralStorage={"sizeInGiB": 20}), "sizeInGiB must be between 21 and 200, is 20"),
        (task_definition(ephemeralStorage={"sizeInGiB": 201}), "is 201"),
        (task_definition(networkMode="bridge"), "only supports network mode 'awsvpc'"),
        (task_definition(cpu=""), "requires that 'cpu' and 'memory' be defined"),
        (task_definition(memory=""), "requires that 'cpu' and 'memory' be defined"),
        (task_definition(containerDefinitions=[]), "Container list cannot be empty"),
        (container(essential=False), "At least one container must be essential"),
        (container(name="n" * 256), "must be 1 to 255 letters, digits"),
        (container(name=""), "name should not be null or empty"),
        (container(image=""), "image should not be null or empty"),
        (container(image="i" * 256), "at most 255 characters"),
        (container(cpu=257), "reserve 257 of cpu together, and the task has 256"),
        (second(cpu=200), "reserve 300 of cpu"),
        (container(memory=513), "reserve 513 of memory together, and the task has 512"),
        (container(memory=100, memoryReservation=101), "memory must be greater than memoryReservation"),
        (container(stopTimeout=121), "stopTimeout must be between 2 and 120, is 121"),
        (container(startTimeout=1), "startTimeout must be between 2 and 120, is 1"),
        (container(startTimeout=121), "is 121"),
        (container(name="a b"), "letters, digits"),
        (container(environment=[{"name": "A=B", "value": ""}]), "'A=B' is no name"),
        (container(environment=[{"name": "", "value": ""}]), "'' is no name"),
        (container(environment=[{"value": "a"}]), "None is no name"),
        (container(environment=[{"name": "A", "value": "a\0"}]), "without NUL"),
        (container(environment=[{"name": "A"}]), "must have a text"),
        (container(environment=[{"name": "A", "value": "\ud800"}]), "of whole characters"),
        (container(environment=[{"name": "\udfff", "value": ""}]), "is no name"),
        (container(command=["a", "b\0"]), "command must have words without NUL"),
        (container(entryPoint=["\ud83d"]), "entryPoint must have words without NUL, of whole characters"),
        (check(command=["CMD-SHELL", "true\0"]), "healthCheck.command must have words without NUL"),
        (container(secrets=[{"name": "S=T", "valueFrom": "p"}]), "'S=T' is no name"),
        (container(secrets=[{"name": "S\0", "valueFrom": "p"}]), "is no name"),
        (container(command=["a" * 65_536]), "at most 65536 characters as JSON, not "),
        (container(environmentFiles=files("a.txt")), "which end with .env"),
        (container(environmentFiles=files(*(f"{n}.env" for n in range(11)))), "at most 10 items"),
        (container(mountPoints=[{"sourceVolume": "data"}]), "Unknown volume 'data'"),
        (container(dockerSecurityOptions=["label"]), "dockerSecurityOptions is not supported"),
        (container(privileged=True), "privileged is not supported"),
        (linux(devices=[{"hostPath": "/dev/kvm"}]), "devices is not supported"),
        (linux(maxSwap=1), "maxSwap is not supported"),
        (linux(sharedMemorySize=64), "sharedMemorySize is not supported"),
        (linux(swappiness=60), "swappiness is not supported"),
        (linux(capabilities={"add": ["SYS_PTRACE", "NET_ADMIN"]}), "SYS_PTRACE, not NET_ADMIN"),
        (container(extraHosts=[{"hostname": "a", "ipAddress": "10.0.0.1"}]), "extraHosts is not supported"),
        (container(hostname="web"), "hostname is not supported"),
        (container(links=["db"]), "links is not supported"),
        (task_definition(ipcMode="host"), "ipcMode is not supported"),
        (task_definition(pidMode="host"), "The only pidMode on Fargate is task, not host"),
        (task_definition(placementConstraints=[{"type": "memberOf"}]), "placementConstraints is not supported"),
        (volume(dockerVolumeConfiguration={"scope": "task"}), "dockerVolumeConfiguration is not supported"),
        (volume(host={"sourcePath": "/data"}), "sourcePath is not supported"),
        (check(interval=4), "healthCheck.interval must be between 5 and 300, is 4"),
        (check(interval=301), "is 301"),
        (check(timeout=1), "healthCheck.timeout must be between 2 and 60, is 1"),
        (check(timeout=61), "is 61"),
        (check(retries=0), "healthCheck.retries must be between 1 and 10, is 0"),
        (check(retries=11), "is 11"),
        (container(stopTimeout=1), "is 1"),
        (check(startPeriod=-1), "is -1"),
        (check(startPeriod=301), "healthCheck.startPeriod must be between 0 and 300, is 301"),
        (check(command=["wget", "x"]), "begins with CMD or CMD-SHELL"),
        (check(command=["CMD"]), "begins with CMD or CMD-SHELL"),
        (check(command=[]), "begins with CMD or CMD-SHELL"),
        (port(containerPort=0), "containerPort must be between 1 and 65535, is 0"),
        (port(containerPort=65_536), "is 65536"),
        (container(portMappings=[{"name": "http"}]), "must have a containerPort"),
        (port(name="n" * 65), "must be 1 to 64 lowercase"),
        (port(name="-n"), "not start with a hyphen"),
        (port(hostPort=80), "host ports and container ports"),
        (port(name="HTTP"), "port name 'HTTP'"),
        (second(portMappings=[{"name": "http", "containerPort": 81}]), "Port mapping names must be unique"),
        (second(dependsOn=[{"containerName": "db", "condition": "START"}]), "which is not in the task definition"),
        (second(dependsOn=[{"containerName": "side", "condition": "START"}]), "depends on itself"),
        (second(dependsOn=[{"containerName": "app", "condition": "SUCCESS"}]), "which is essential"),
        (second(dependsOn=[{"containerName": "app", "condition": "COMPLETE"}]), "which is essential"),
        (container(dependsOn=[{"containerName": "app", "condition": "HEALTHY"}]), "depends on itself"),
        (circle(), "depends on itself"),
        (unchecked(), "being HEALTHY, which has no health check"),
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


@pytest.mark.parametrize("family", ["a b", "f" * 256])
def test_a_family_has_a_name(ecs: Any, world: World, family: str) -> None:
    with pytest.raises(ClientError, match=r"Family .* must be 1 to 255 letters"):
        ecs.register_task_definition(**task_definition(family=family))
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
        task_definition(family="f" * 255),
        task_definition(ephemeralStorage={"sizeInGiB": 21}),
        task_definition(ephemeralStorage={"sizeInGiB": 200}),
        task_definition(pidMode="task"),
        task_definition(containerDefinitions=[{"name": f"c{n}", "image": "a"} for n in range(10)]),
        container(name="n" * 255, image="i" * 255),
        container(image="i" * 255 + "@sha256:" + "0" * 64),
        container(cpu=256, memory=512, memoryReservation=512),
        second(cpu=156),
        container(environmentFiles=files(*(f"{n}.env" for n in range(10)))),
        container(privileged=False, hostname="", links=[]),
        linux(capabilities={"add": ["SYS_PTRACE"]}, initProcessEnabled=True),
        container(startTimeout=2, stopTimeout=2),
        container(startTimeout=120),
        container(stopTimeout=120),
        check(interval=300, timeout=60, retries=10, startPeriod=300),
        check(interval=5, timeout=2, retries=1, startPeriod=0),
        container(healthCheck={"command": ["NONE"]}),
        port(hostPort=8080),
        port(containerPort=1),
        port(containerPort=65_535),
        port(name="n" * 64),
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


def breaker(value: int) -> Json:
    """A circuit breaker that opens after so many failed tasks."""
    threshold = {"type": "COUNT", "value": value}
    circuit = {"enable": True, "rollback": True, "thresholdConfiguration": threshold}
    return {"deploymentConfiguration": {"deploymentCircuitBreaker": circuit}}


def strategy(*items: Json, **more: Any) -> Json:
    """A capacity provider strategy; a launch type that is None is left out."""
    return {"capacityProviderStrategy": [{"capacityProvider": "FARGATE", **item} for item in items], **more}


def network(**groups: Any) -> Json:
    return {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a"], **groups}}}


def named(ecs: Any, world: World) -> None:
    ecs.create_cluster(clusterName="shop")
    ecs.register_task_definition(**task_definition())
    world.load_balancing.groups.update({GROUP: "ip", GROUP + "2": "instance"})


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (percents(100, 100), "cannot be 100"),
        (percents(-1, 200), "minimumHealthyPercent must be between 0 and 100, is -1"),
        (percents(101, 200), "is 101"),
        (percents(50, 99), "maximumPercent must be between 100 and"),
        (breaker(0), "thresholdConfiguration.value must be between 1 and"),
        ({"deploymentConfiguration": {"bakeTimeInMinutes": -1}}, "bakeTimeInMinutes must be between 0 and"),
        ({"healthCheckGracePeriodSeconds": -1}, "healthCheckGracePeriodSeconds must be between 0 and"),
        ({"desiredCount": -1}, "desiredCount must be at least 0, is -1"),
        ({"serviceName": "s" * 256}, "Service name"),
        ({"role": "ecsServiceRole"}, "You cannot specify an IAM role"),
        (strategy({}), "launchType or capacityProviderStrategy, not both"),
        (strategy({"weight": 1001}, launchType=None), "weight must be between 0 and 1000, is 1001"),
        (strategy({"base": 100_001}, launchType=None), "base must be between 0 and 100000, is 100001"),
        (strategy({"base": 1, "weight": 1}, {"base": 1}, launchType=None), "Only one capacity provider"),
        (strategy({}, {}, launchType=None), "must have a weight above 0"),
        (strategy(*[{"weight": 1}] * 21, launchType=None), "at most 20 capacity providers, not 21"),
        (connected(portName="grpc"), "'grpc' is no named port"),
        (connected(discoveryName="Shop"), "discoveryName 'Shop' must be 1 to 64 lowercase"),
        (connected(discoveryName="s" * 65), "must be 1 to 64 lowercase"),
        (connected(ingressPortOverride=0), "ingressPortOverride must be between 1 and 65535, is 0"),
        (connected(ingressPortOverride=65_536), "is 65536"),
        (connected(clientAliases=[{"port": 0}]), "clientAliases.port must be between 1 and 65535, is 0"),
        (connected(clientAliases=[{"port": 65_536}]), "is 65536"),
        (connected(clientAliases=[{"port": 80, "dnsName": "Shop"}]), "dnsName 'Shop' must be 1 to 127 lowercase"),
        (connected(clientAliases=[{"port": 80, "dnsName": "s" * 128}]), "must be 1 to 127"),
        (connected(clientAliases=[]), "clientAliases must have 1 element"),
        (connected(clientAliases=[{"port": 80}, {"port": 81}]), "clientAliases must have 1 element"),
        (balanced(targetGroupArn=GROUP + "x"), "does not exist"),
        (balanced(targetGroupArn=GROUP + "2"), "has the target type instance, which is incompatible"),
        (balanced(containerName="web"), "The container web does not exist in the task definition"),
        (balanced(containerPort=80), "did not have a container port 80 defined"),
        (found("nowhere"), "The service registry nowhere does not exist"),
        (found(), "has SRV records: give containerName and containerPort, or a port"),
        (found(containerName="app"), "needs both containerName and containerPort"),
        (found(containerName="app", containerPort=8080, port=8080), "give one of the two"),
        (found(containerName="app", containerPort=80), "did not have a container port 80 defined"),
        (found(containerPort=8080), "needs both containerName and containerPort"),
        ({"serviceRegistries": 2 * found(port=8080)["serviceRegistries"]}, "Only one service registry"),
        (network(subnets=[]), "Network Configuration must be provided"),
        (network(subnets=["subnet-x"]), "Error retrieving subnet information"),
        (network(securityGroups=[f"sg-{n}" for n in range(6)]), "securityGroups can have at most 5"),
        (network(subnets=["subnet-a"] * 17), "subnets can have at most 16"),
    ],
)
def test_a_service_beyond_a_limit_is_refused(ecs: Any, world: World, changes: Json, why: str) -> None:
    named(ecs, world)
    request = {name: value for name, value in service(**changes).items() if value is not None}
    with pytest.raises(ClientError) as error:
        ecs.create_service(**request)

    assert error.value.response["Error"]["Code"] == "InvalidParameterException"
    assert why in error.value.response["Error"]["Message"]
    assert (world.ecs.services, world.cloud_map.services) == ({}, {})


def test_a_service_needs_a_desired_count(ecs: Any, world: World) -> None:
    named(ecs, world)
    request = service()
    del request["desiredCount"]

    with pytest.raises(ClientError, match="desiredCount is required"):
        ecs.create_service(**request)
    assert world.ecs.services == {}


def test_a_client_alias_is_of_one_service_of_its_namespace(ecs: Any, world: World) -> None:
    named(ecs, world)
    alias = [{"port": 80, "dnsName": "api"}]
    ecs.create_service(**service(**connected(clientAliases=alias)))

    def other(name: str, **changes: Any) -> Json:
        return service(serviceName=name, **connected(discoveryName=name, **changes))

    with pytest.raises(ClientError, match="client alias api:80 is already used by shop"):
        ecs.create_service(**other("second", clientAliases=alias))
    assert {name for _, name in world.cloud_map.services.values()} == {"http"}
    ecs.create_service(**other("third", clientAliases=[{"port": 81, "dnsName": "api"}]))
    ecs.update_service(cluster="shop", service="shop", forceNewDeployment=True)  # its own alias is no other's


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
        *(breaker(1), {"healthCheckGracePeriodSeconds": 0}, {"desiredCount": 0}, {"serviceName": "s" * 255}),
        strategy({"base": 100_000, "weight": 1000}, {"weight": 0}, launchType=None),
        strategy({}, launchType=None),
        connected(ingressPortOverride=1, discoveryName="s" * 64, timeout={"perRequestTimeoutSeconds": 0}),
        connected(ingressPortOverride=65_535, clientAliases=[{"port": 65_535, "dnsName": "s" * 127}]),
        connected(timeout={"idleTimeoutSeconds": 0}, clientAliases=[{"port": 1}]),
        network(securityGroups=[f"sg-{n}" for n in range(5)], subnets=["subnet-a"] * 16),
    ],
)
def test_a_service_at_a_limit_is_made(ecs: Any, world: World, changes: Json) -> None:
    named(ecs, world)
    request = {name: value for name, value in service(**changes).items() if value is not None}
    assert ecs.create_service(**request)["service"]["status"] == "ACTIVE"


def test_an_update_is_checked_as_a_whole(ecs: Any, world: World) -> None:
    named(ecs, world)
    ecs.create_service(**service(**percents(100, 200)))

    with pytest.raises(ClientError, match="cannot be 100"):
        ecs.update_service(cluster="shop", service="shop", deploymentConfiguration={"maximumPercent": 100})
    with pytest.raises(ClientError, match="target group"):
        ecs.update_service(cluster="shop", service="shop", **balanced(targetGroupArn="nope"))
    assert world.service.deployment_configuration["maximumPercent"] == 200
    assert len(world.service.deployments) == 1
