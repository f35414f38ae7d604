"""The API as boto3 sees it: what is put comes back, errors have ECS's names, answers fit botocore's model."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.twin.aws.ecs.conftest import Server
from tests.twin.aws.ecs.world import NAMESPACE, World, faults_of_answer, service, task_definition
from twin.aws.ecs import api
from twin.aws.ecs.errors import EcsError, InvalidParameterException

Json = dict[str, Any]


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def message_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Message"])


def connected(*services: Json) -> Json:
    """The Service Connect configuration of a service, as a change of CreateService's request."""
    whole = [{"clientAliases": [{"port": 8080}], **service} for service in services]
    return {"serviceConnectConfiguration": {"enabled": True, "namespace": "shop", "services": whole}}


def threshold(kind: str, value: int) -> Json:
    """A circuit breaker with a threshold of its own, as a change of CreateService's request."""
    breaker = {"enable": True, "rollback": True, "thresholdConfiguration": {"type": kind, "value": value}}
    return {"deploymentConfiguration": {"deploymentCircuitBreaker": breaker}}


def test_every_operation_answers_as_the_model_says(ecs: Any, served: Server) -> None:
    world = served.world
    ecs.create_cluster(clusterName="shop", tags=[{"key": "team", "value": "a"}])
    ecs.describe_clusters(clusters=["shop", "none"], include=["SETTINGS", "CONFIGURATIONS", "TAGS", "STATISTICS"])
    ecs.list_clusters()
    ecs.update_cluster(cluster="shop", serviceConnectDefaults={"namespace": NAMESPACE})
    ecs.update_cluster_settings(cluster="shop", settings=[{"name": "containerInsights", "value": "enabled"}])
    ecs.put_cluster_capacity_providers(
        cluster="shop", capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE"}]
    )
    ecs.describe_capacity_providers()
    arn = ecs.register_task_definition(**task_definition())["taskDefinition"]["taskDefinitionArn"]
    ecs.register_task_definition(**task_definition())
    ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
    ecs.list_task_definitions()
    ecs.list_task_definition_families()
    created = ecs.create_service(**service(tags=[{"key": "team", "value": "a"}]))["service"]
    world.advance(2)
    ecs.describe_tasks(cluster="shop", tasks=ecs.list_tasks(cluster="shop")["taskArns"], include=["TAGS"])
    world.advance()
    ecs.describe_services(cluster="shop", services=["shop", "none"], include=["TAGS"])
    ecs.list_services(cluster="shop")
    ecs.list_services_by_namespace(namespace=NAMESPACE)
    ecs.tag_resource(resourceArn=created["serviceArn"], tags=[{"key": "tier", "value": "b"}])
    ecs.list_tags_for_resource(resourceArn=created["serviceArn"])
    ecs.untag_resource(resourceArn=created["serviceArn"], tagKeys=["tier"])
    network = {"awsvpcConfiguration": {"subnets": ["subnet-a"]}}
    ecs.run_task(cluster="shop", taskDefinition=arn, networkConfiguration=network)
    ecs.stop_task(cluster="shop", task=ecs.list_tasks(cluster="shop")["taskArns"][0])
    ecs.update_service(cluster="shop", service="shop", forceNewDeployment=True)
    briefs = ecs.list_service_deployments(cluster="shop", service="shop")["serviceDeployments"]
    ecs.describe_service_deployments(serviceDeploymentArns=[brief["serviceDeploymentArn"] for brief in briefs])
    ecs.describe_service_revisions(serviceRevisionArns=[brief["targetServiceRevisionArn"] for brief in briefs])
    ecs.stop_service_deployment(serviceDeploymentArn=briefs[0]["serviceDeploymentArn"])
    ecs.describe_service_deployments(serviceDeploymentArns=[briefs[0]["serviceDeploymentArn"]])
    world.advance()
    ecs.delete_service(cluster="shop", service="shop", force=True)
    world.advance()
    ecs.describe_tasks(cluster="shop", tasks=ecs.list_tasks(cluster="shop", desiredStatus="STOPPED")["taskArns"])
    ecs.deregister_task_definition(taskDefinition=arn)
    ecs.delete_task_definitions(taskDefinitions=[arn])
    ecs.delete_cluster(cluster="shop")
    assert served.operations == set(api.OPERATIONS)


def strategy_of(shape: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    """Requests that fit *shape*; names are often those of things that exist."""
    match shape.type_name:
        case "structure":
            members = {name: strategy_of(member, depth + 1) for name, member in shape.members.items() if depth < 5}
            required = {name: strategy_of(shape.members[name], depth + 1) for name in shape.required_members}
            some = st.sets(st.sampled_from(sorted(members)), max_size=3) if members else st.just(set())
            return some.flatmap(
                lambda names: st.fixed_dictionaries({**required, **{name: members[name] for name in names}})
            )
        case "list":
            return st.lists(strategy_of(shape.member, depth + 1), max_size=2)
        case "map":
            return st.dictionaries(st.text(max_size=3), strategy_of(shape.value, depth + 1), max_size=1)
        case "string":
            known = ["shop", "shop:1", "http", "subnet-a", NAMESPACE, "arn:aws:ecs:eu-west-2:123456789012:x/shop"]
            return st.sampled_from(shape.enum or known) | st.text(max_size=3)
        case "boolean":
            return st.booleans()
        case "integer" | "long":
            return st.integers(-1, 300)
        case "double" | "float":
            return st.floats(0, 100)
        case "timestamp":
            return st.floats(0, 2e9)
    raise AssertionError(shape.type_name)


VALID = {
    "CreateService": service(serviceName="other", serviceConnectConfiguration={"enabled": False}),
    "RegisterTaskDefinition": task_definition(),
    "UpdateService": {"cluster": "shop", "service": "shop"},
    "DescribeServices": {"cluster": "shop"},
    "ListServiceDeployments": {"cluster": "shop"},
}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_any_request_is_done_or_refused_as_ecs_does(data: st.DataObject) -> None:
    world = World()
    world.start()
    world.advance(12)

    for _ in range(3):
        operation = data.draw(st.sampled_from(sorted(api.OPERATIONS)))
        model = api.service_model().operation_model(operation)
        request = {**VALID.get(operation, {}), **data.draw(strategy_of(model.input_shape))}
        refused: EcsError | None = None
        try:
            answer = world.call(operation, request)
        except EcsError as error:
            refused = error
        if refused is None:
            assert faults_of_answer(operation, answer) == []
        else:
            assert refused.code in {shape.name for shape in model.error_shapes}, operation
            assert str(refused)
        world.advance(5)


def test_an_operation_that_is_not_here_names_itself(ecs: Any) -> None:
    with pytest.raises(ClientError, match="CreateTaskSet is not supported") as refused:
        ecs.create_task_set(service="shop", cluster="shop", taskDefinition="shop")

    assert code_of(refused) == "UnsupportedFeatureException"


def test_ecs_exec_is_refused_with_what_stands_for_it(ecs: Any) -> None:
    with pytest.raises(ClientError, match="`twin exec TASK -- COMMAND` runs a command") as refused:
        ecs.execute_command(cluster="shop", task="0a1b", command="/bin/sh", interactive=True)

    assert code_of(refused) == "UnsupportedFeatureException"


@pytest.mark.parametrize(
    ("request_body", "code", "message"),
    [
        ([], "SerializationException", "no JSON object"),
        ({"services": "shop"}, "InvalidParameterException", "services"),
        ({"services": [], "colour": "red"}, "InvalidParameterException", "colour"),
        ({}, "InvalidParameterException", 'Missing required parameter in input: "services"'),
    ],
)
def test_a_request_that_does_not_fit_the_model_is_refused(
    world: World, request_body: Any, code: str, message: str
) -> None:
    with pytest.raises(EcsError, match=message) as refused:
        api.call(world.context, "DescribeServices", request_body)

    assert refused.value.code == code


def test_clusters_keep_settings_defaults_and_capacity_providers(ecs: Any) -> None:
    ecs.create_cluster(
        clusterName="shop",
        settings=[{"name": "containerInsights", "value": "enhanced"}],
        configuration={"executeCommandConfiguration": {"logging": "NONE"}},
        serviceConnectDefaults={"namespace": "shop"},
        capacityProviders=["FARGATE", "FARGATE_SPOT"],
        defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}],
        tags=[{"key": "team", "value": "a"}],
    )

    bare, whole = (
        ecs.describe_clusters(clusters=["shop"], include=include)["clusters"][0]
        for include in ([], ["SETTINGS", "CONFIGURATIONS", "TAGS"])
    )
    assert (bare["settings"], bare["tags"], "configuration" in bare) == ([], [], False)
    assert whole["settings"] == [{"name": "containerInsights", "value": "enhanced"}]
    assert whole["configuration"] == {"executeCommandConfiguration": {"logging": "NONE"}}
    assert whole["serviceConnectDefaults"] == {"namespace": NAMESPACE}
    assert whole["capacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
    assert whole["defaultCapacityProviderStrategy"] == [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}]
    assert whole["tags"] == [{"key": "team", "value": "a"}]


@pytest.mark.parametrize("name", ["a b", "a\n6.6.6.6 bank.example"])
def test_a_namespace_has_a_name_that_cloud_map_takes(ecs: Any, world: World, name: str) -> None:
    with pytest.raises(ClientError, match="must be 1 to 1,024 visible characters"):
        ecs.create_cluster(clusterName="shop", serviceConnectDefaults={"namespace": name})


def test_a_namespace_that_a_cluster_names_is_made(ecs: Any, world: World) -> None:
    ecs.create_cluster(clusterName="shop", serviceConnectDefaults={"namespace": "orders"})

    assert "orders" in world.cloud_map.namespaces


def test_a_cluster_with_services_is_not_deleted(ecs: Any, world: World) -> None:
    world.start()

    with pytest.raises(ClientError) as refused:
        ecs.delete_cluster(cluster="shop")

    assert code_of(refused) == "ClusterContainsServicesException"


def test_a_deleted_cluster_is_told_as_inactive_and_cannot_be_used(ecs: Any) -> None:
    ecs.create_cluster(clusterName="shop")
    ecs.delete_cluster(cluster="shop")

    assert ecs.describe_clusters(clusters=["shop"])["clusters"][0]["status"] == "INACTIVE"
    assert ecs.list_clusters()["clusterArns"] == []
    with pytest.raises(ClientError) as refused:
        ecs.list_services(cluster="shop")
    assert code_of(refused) == "ClusterNotFoundException"


def test_a_task_definition_comes_back_as_it_was_put(ecs: Any) -> None:
    put = task_definition(
        volumes=[{"name": "scratch"}],
        runtimePlatform={"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
        taskRoleArn="arn:aws:iam::123456789012:role/task",
        ephemeralStorage={"sizeInGiB": 30},
    )
    ecs.register_task_definition(**put, tags=[{"key": "team", "value": "a"}])

    answer = ecs.describe_task_definition(taskDefinition="shop", include=["TAGS"])
    assert put.items() <= answer["taskDefinition"].items()
    assert answer["tags"] == [{"key": "team", "value": "a"}]


def test_revisions_count_up_and_become_inactive(ecs: Any) -> None:
    first, second = (
        ecs.register_task_definition(**task_definition())["taskDefinition"]["taskDefinitionArn"] for _ in range(2)
    )
    assert (first, second) == tuple(
        f"arn:aws:ecs:eu-west-2:123456789012:task-definition/shop:{revision}" for revision in (1, 2)
    )
    assert ecs.list_task_definitions(familyPrefix="shop", sort="DESC")["taskDefinitionArns"] == [second, first]

    ecs.deregister_task_definition(taskDefinition="shop:2")

    assert ecs.describe_task_definition(taskDefinition="shop")["taskDefinition"]["revision"] == 1
    assert ecs.describe_task_definition(taskDefinition=second)["taskDefinition"]["status"] == "INACTIVE"
    assert ecs.list_task_definitions(status="INACTIVE")["taskDefinitionArns"] == [second]
    answer = ecs.delete_task_definitions(taskDefinitions=[first, second])
    assert [d["status"] for d in answer["taskDefinitions"]] == ["DELETE_IN_PROGRESS"]
    assert [f["arn"] for f in answer["failures"]] == [first]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"family": "no spaces"}, "letters, digits"),
        ({"containerDefinitions": []}, "Container list cannot be empty"),
        ({"containerDefinitions": [{"name": "app"}]}, "image"),
        ({"containerDefinitions": [{"name": "app", "image": "shop", "essential": False}]}, "essential"),
        ({"networkMode": "bridge"}, "Fargate only supports network mode"),
        ({"cpu": ""}, "cpu"),
    ],
)
def test_a_task_definition_that_fargate_could_not_run_is_refused(ecs: Any, changes: Json, message: str) -> None:
    with pytest.raises(ClientError, match=message):
        ecs.register_task_definition(**task_definition(**changes))


def test_a_service_comes_back_as_it_was_put(ecs: Any, world: World) -> None:
    put = service(
        enableECSManagedTags=True,
        enableExecuteCommand=True,
        propagateTags="SERVICE",
        healthCheckGracePeriodSeconds=30,
        availabilityZoneRebalancing="DISABLED",
        platformVersion="1.4.0",
        deploymentConfiguration={
            "maximumPercent": 150,
            "minimumHealthyPercent": 50,
            "deploymentCircuitBreaker": {"enable": True, "rollback": False},
            "alarms": {"alarmNames": ["errors"], "enable": True, "rollback": True},
        },
    )
    put["serviceConnectConfiguration"] |= {
        "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/proxy"}}
    }
    put["serviceConnectConfiguration"]["services"][0] |= {
        "clientAliases": [{"port": 8080, "dnsName": "shop"}],
        "timeout": {"idleTimeoutSeconds": 0, "perRequestTimeoutSeconds": 30},
    }
    world.start(desiredCount=1, tags=[{"key": "team", "value": "a"}], **{k: put[k] for k in put if k != "desiredCount"})

    answer = ecs.describe_services(cluster="shop", services=["shop"], include=["TAGS"])["services"][0]
    same = put.keys() - {"cluster", "taskDefinition", "desiredCount", "deploymentConfiguration"}
    assert {name: answer.get(name) for name in same - {"serviceConnectConfiguration"}} == {
        name: put[name] for name in same - {"serviceConnectConfiguration"}
    }
    assert put["deploymentConfiguration"].items() <= answer["deploymentConfiguration"].items()
    assert answer["deployments"][0]["serviceConnectConfiguration"] == put["serviceConnectConfiguration"]
    assert answer["tags"] == [{"key": "team", "value": "a"}]
    assert answer["deploymentController"] == {"type": "ECS"}
    assert answer["taskDefinition"].endswith("task-definition/shop:1")
    world.advance(1)
    (task,) = world.ecs.tasks_of(world.service)
    assert ecs.describe_tasks(cluster="shop", tasks=[task.arn])["tasks"][0]["enableExecuteCommand"]


def test_the_same_creation_twice_is_one_service(ecs: Any, world: World) -> None:
    world.start()

    assert ecs.create_service(**service())["service"]["deployments"][0]["id"] == world.service.primary.id
    with pytest.raises(ClientError) as refused:
        ecs.create_service(**service(desiredCount=4))
    assert message_of(refused) == "Creation of service was not idempotent."


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"cluster": "none"}, "ClusterNotFoundException", "Cluster not found"),
        ({"serviceName": "no spaces"}, "InvalidParameterException", "letters, digits"),
        ({"taskDefinition": "none"}, "ClientException", "TaskDefinition not found"),
        ({"desiredCount": -1}, "InvalidParameterException", "desiredCount"),
        ({"launchType": "EC2"}, "InvalidParameterException", "launch type EC2"),
        ({"schedulingStrategy": "DAEMON"}, "InvalidParameterException", "strategy DAEMON"),
        ({"deploymentController": {"type": "CODE_DEPLOY"}}, "InvalidParameterException", "CODE_DEPLOY"),
        ({"deploymentConfiguration": {"strategy": "BLUE_GREEN"}}, "InvalidParameterException", "BLUE_GREEN"),
        ({"deploymentConfiguration": {"maximumPercent": 20}}, "InvalidParameterException", "maximumPercent"),
        (threshold("COUNT", 0), "InvalidParameterException", r"thresholdConfiguration.value must be .* is 0"),
        ({"deploymentConfiguration": {"bakeTimeInMinutes": -1}}, "InvalidParameterException", "bakeTimeInMinutes"),
        ({"healthCheckGracePeriodSeconds": -1}, "InvalidParameterException", "healthCheckGracePeriodSeconds"),
        ({"healthCheckGracePeriodSeconds": 2**31}, "InvalidParameterException", "2147483647, is 2147483648"),
        ({"networkConfiguration": {}}, "InvalidParameterException", "Network Configuration"),
        (
            {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-z"]}}},
            "InvalidParameterException",
            "subnet-z",
        ),
        (
            {"serviceConnectConfiguration": {"enabled": True, "namespace": "none"}},
            "NamespaceNotFoundException",
            "none",
        ),
        ({"serviceConnectConfiguration": {"enabled": True}}, "InvalidParameterException", "needs a namespace"),
        (
            connected({"portName": "http"}, {"portName": "grpc"}),
            "InvalidParameterException",
            "'grpc' is no named port",
        ),
        (
            connected(*({"portName": "http", "discoveryName": "a"} for _ in range(2))),
            "InvalidParameterException",
            "'a' is used by two",
        ),
        (connected({"portName": "http", "discoveryName": "A"}), "InvalidParameterException", "lowercase"),
        (connected({"portName": "http", "discoveryName": "-a"}), "InvalidParameterException", "hyphen"),
        (connected({"portName": "http", "discoveryName": ""}), "InvalidParameterException", "1 to 64"),
        (connected({"portName": "http", "discoveryName": "a" * 65}), "InvalidParameterException", "1 to 64"),
        (connected({"portName": "http", "clientAliases": [{"port": 0}]}), "InvalidParameterException", "65535, is 0"),
        (
            connected({"portName": "http", "clientAliases": [{"port": 65536}]}),
            "InvalidParameterException",
            "clientAliases.port must be between 1 and 65535, is 65536",
        ),
        (connected({"portName": "http", "ingressPortOverride": 0}), "InvalidParameterException", "1 and 65535, is 0"),
        (connected({"portName": "http", "ingressPortOverride": 70000}), "InvalidParameterException", "65535, is 70000"),
    ],
)
def test_a_service_that_cannot_be_had_is_refused_and_nothing_is_left(
    ecs: Any, world: World, changes: Json, code: str, message: str
) -> None:
    ecs.create_cluster(clusterName="shop")
    ecs.register_task_definition(**task_definition())

    with pytest.raises(ClientError, match=message) as refused:
        ecs.create_service(**service(**changes))

    assert code_of(refused) == code
    assert world.ecs.services == {}
    assert world.cloud_map.services == {}


def test_service_connect_makes_its_cloud_map_service_before_the_call_returns(ecs: Any, world: World) -> None:
    world.start()

    ((identifier, value),) = world.cloud_map.services.items()
    assert value == (NAMESPACE, "shop-http")
    deployment = ecs.describe_services(cluster="shop", services=["shop"])["services"][0]["deployments"][0]
    assert deployment["serviceConnectResources"] == [
        {
            "discoveryName": "shop-http",
            "discoveryArn": f"arn:aws:servicediscovery:eu-west-2:123456789012:service/{identifier}",
        }
    ]
    assert ecs.list_services_by_namespace(namespace="shop")["serviceArns"] == [world.service.arn]


def test_a_discovery_name_belongs_to_one_service(ecs: Any, world: World) -> None:
    world.start()

    with pytest.raises(ClientError, match="SC service shop-http is already used"):
        ecs.create_service(**service(serviceName="other"))


def test_the_cluster_default_namespace_is_used(ecs: Any, world: World) -> None:
    ecs.create_cluster(clusterName="shop", serviceConnectDefaults={"namespace": NAMESPACE})
    ecs.register_task_definition(**task_definition())
    connection = {"enabled": True, "services": [{"portName": "http", "clientAliases": [{"port": 80}]}]}

    answer = ecs.create_service(**service(serviceConnectConfiguration=connection))

    deployment = answer["service"]["deployments"][0]
    assert deployment["serviceConnectConfiguration"]["namespace"] == NAMESPACE
    assert deployment["serviceConnectResources"][0]["discoveryName"] == "http"


def test_an_update_has_its_deployment_before_the_call_returns(ecs: Any, world: World) -> None:
    world.start()
    world.advance()
    before = world.service.primary

    answer = ecs.update_service(cluster="shop", service="shop", forceNewDeployment=True)["service"]

    assert [d["status"] for d in answer["deployments"]] == ["PRIMARY", "ACTIVE"]
    assert answer["deployments"][1]["id"] == before.id


def test_a_change_of_the_count_alone_makes_no_deployment(ecs: Any, world: World) -> None:
    world.start()
    world.advance()

    answer = ecs.update_service(cluster="shop", service="shop", desiredCount=5)["service"]

    assert (answer["desiredCount"], len(answer["deployments"])) == (5, 1)


def test_an_update_keeps_what_it_does_not_mention(ecs: Any, world: World) -> None:
    world.start(deploymentConfiguration={"maximumPercent": 150, "minimumHealthyPercent": 50})

    breaker = {"enable": True, "rollback": True}
    answer = ecs.update_service(
        cluster="shop", service="shop", deploymentConfiguration={"deploymentCircuitBreaker": breaker}
    )["service"]

    configuration = answer["deploymentConfiguration"]
    assert (configuration["maximumPercent"], configuration["deploymentCircuitBreaker"]) == (150, breaker)
    assert len(answer["deployments"]) == 1


def test_a_refused_update_changes_nothing(ecs: Any, world: World) -> None:
    world.start()
    before = ecs.describe_services(cluster="shop", services=["shop"])["services"]

    for change in (
        {"desiredCount": 1, "taskDefinition": "none"},
        {"desiredCount": 1, "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-z"]}}},
    ):
        with pytest.raises(ClientError):
            ecs.update_service(cluster="shop", service="shop", **change)

    assert ecs.describe_services(cluster="shop", services=["shop"])["services"] == before


def test_a_deregistered_task_definition_starts_no_service(ecs: Any) -> None:
    ecs.create_cluster(clusterName="shop")
    ecs.register_task_definition(**task_definition())
    ecs.deregister_task_definition(taskDefinition="shop:1")

    with pytest.raises(ClientError, match="TaskDefinition is inactive"):
        ecs.create_service(**service(taskDefinition="shop:1"))


def test_deleting_drains_and_then_the_service_is_inactive(ecs: Any, world: World) -> None:
    world.start()
    world.advance()
    with pytest.raises(ClientError, match="scaled above 0"):
        ecs.delete_service(cluster="shop", service="shop")

    ecs.update_service(cluster="shop", service="shop", desiredCount=0)
    assert ecs.delete_service(cluster="shop", service="shop")["service"]["status"] == "DRAINING"
    with pytest.raises(ClientError) as refused:
        ecs.update_service(cluster="shop", service="shop", desiredCount=1)
    assert code_of(refused) == "ServiceNotActiveException"
    with pytest.raises(ClientError, match="still draining"):
        ecs.create_service(**service())

    world.advance(10)
    assert ecs.describe_services(cluster="shop", services=["shop"])["services"][0]["status"] == "INACTIVE"
    assert ecs.list_services(cluster="shop")["serviceArns"] == []
    with pytest.raises(ClientError) as gone:
        ecs.delete_service(cluster="shop", service="shop")
    assert code_of(gone) == "ServiceNotFoundException"


def test_a_task_tells_its_service_its_place_and_its_tags(ecs: Any, world: World) -> None:
    world.start(
        desiredCount=1, propagateTags="SERVICE", enableECSManagedTags=True, tags=[{"key": "team", "value": "a"}]
    )
    world.advance()

    arns = ecs.list_tasks(cluster="shop", serviceName="shop", family="shop", launchType="FARGATE")["taskArns"]
    (task,) = ecs.describe_tasks(cluster="shop", tasks=arns, include=["TAGS"])["tasks"]
    assert (task["group"], task["startedBy"]) == ("service:shop", world.service.primary.id)
    assert (task["lastStatus"], task["healthStatus"], task["launchType"]) == ("RUNNING", "HEALTHY", "FARGATE")
    details = {detail["name"]: detail["value"] for detail in task["attachments"][0]["details"]}
    assert (
        details["privateDnsName"] == f"ip-{details['privateIPv4Address'].replace('.', '-')}.eu-west-2.compute.internal"
    )
    assert {tag["key"]: tag["value"] for tag in task["tags"]} == {
        "team": "a",
        "aws:ecs:clusterName": "shop",
        "aws:ecs:serviceName": "shop",
    }
    assert ecs.describe_tasks(cluster="shop", tasks=arns)["tasks"][0]["tags"] == []


def test_a_stopped_task_is_told_for_an_hour_with_its_reason(ecs: Any, world: World) -> None:
    world.start(desiredCount=1)
    world.advance()
    arn = world.running[0].arn

    answer = ecs.stop_task(cluster="shop", task=arn, reason="to see what happens")
    assert answer["task"]["desiredStatus"] == "STOPPED"
    world.advance(60)

    (task,) = ecs.describe_tasks(cluster="shop", tasks=[arn])["tasks"]
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "to see what happens")
    assert (task["lastStatus"], task["containers"][0]["exitCode"]) == ("STOPPED", 0)
    assert task["stoppingAt"] <= task["stoppedAt"]
    assert ecs.list_tasks(cluster="shop", desiredStatus="STOPPED")["taskArns"] == [arn]
    assert arn not in ecs.list_tasks(cluster="shop")["taskArns"]
    world.advance(3600)
    assert ecs.describe_tasks(cluster="shop", tasks=[arn])["failures"] == [{"arn": arn, "reason": "MISSING"}]


def test_tasks_of_what_is_not_there(ecs: Any, world: World) -> None:
    world.start()

    with pytest.raises(ClientError, match="The referenced task was not found"):
        ecs.stop_task(cluster="shop", task="0" * 32)
    with pytest.raises(ClientError) as refused:
        ecs.list_tasks(cluster="shop", serviceName="none")
    assert code_of(refused) == "ServiceNotFoundException"


@pytest.mark.parametrize(
    ("operation", "member", "request_for_all"),
    [
        ("list_tasks", "taskArns", {"cluster": "shop"}),
        ("list_services", "serviceArns", {"cluster": "shop"}),
        ("list_clusters", "clusterArns", {}),
        ("list_task_definitions", "taskDefinitionArns", {}),
        ("list_task_definition_families", "families", {}),
        ("list_services_by_namespace", "serviceArns", {"namespace": "shop"}),
    ],
)
def test_lists_come_in_pages(ecs: Any, world: World, operation: str, member: str, request_for_all: Json) -> None:
    world.start(desiredCount=7)
    for number in range(6):
        name = f"s{number}"
        ecs.create_cluster(clusterName=name)
        ecs.register_task_definition(**task_definition(family=name))
        connection = {
            "enabled": True,
            "namespace": NAMESPACE,
            "services": [{"portName": "http", "discoveryName": name, "clientAliases": [{"port": 80}]}],
        }
        ecs.create_service(**service(serviceName=name, serviceConnectConfiguration=connection, desiredCount=0))
    world.advance(1)

    pages = ecs.get_paginator(operation).paginate(**request_for_all, PaginationConfig={"PageSize": 3})
    sizes, items = zip(*((len(page[member]), page[member]) for page in pages), strict=True)
    assert sizes == (3, 3, 1)
    assert len({item for page in items for item in page}) == 7
    with pytest.raises(ClientError, match="Invalid token"):
        getattr(ecs, operation)(**request_for_all, nextToken="x")


@pytest.mark.parametrize("token", ["", "x", "-1", "\u0663", "8", "9" * 5000])
def test_a_token_of_somebody_elses_is_refused(world: World, token: str) -> None:
    world.start()

    with pytest.raises(InvalidParameterException, match="Invalid token"):
        world.call("ListTasks", {"cluster": "shop", "nextToken": token})


@pytest.mark.parametrize("when", ["garbage", "", "0001-01-01", "9999-12-31T23:59:59-23:00", 1e300, 10**400, [], {}])
def test_a_time_that_is_none_is_refused(world: World, when: Any) -> None:
    world.start()

    with pytest.raises(InvalidParameterException):
        world.call("ListServiceDeployments", {"cluster": "shop", "service": "shop", "createdAt": {"after": when}})


TOO_MANY = [{"key": str(number)} for number in range(51)]


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ([{"value": "a"}], "must have a key"),
        ([{"key": ""}], "min length: 1"),
        ([{"key": "k" * 129}], "1 to 128"),
        ([{"key": "k", "value": "v" * 257}], "at most 256"),
        ([{"key": "aws:team"}], "reserved"),
        ([{"key": "AWS:team"}], "reserved"),
        ([{"key": "k", "value": "aws:a"}], "reserved"),
        ([{"key": "k"}, {"key": "k", "value": "a"}], "unique"),
        (TOO_MANY, "at most 50"),
    ],
)
def test_tags_that_aws_does_not_take_are_refused_everywhere(world: World, tags: list[Json], message: str) -> None:
    arn = world.start().arn
    for operation, request in (
        ("CreateCluster", {"clusterName": "other"}),
        ("RegisterTaskDefinition", task_definition()),
        ("CreateService", service(serviceName="other", serviceConnectConfiguration={"enabled": False})),
        ("TagResource", {"resourceArn": arn}),
    ):
        with pytest.raises(InvalidParameterException, match=message):
            world.call(operation, {**request, "tags": tags})

    assert (list(world.ecs.clusters), len(world.ecs.services)) == (["shop"], 1)
    assert len(world.ecs.task_definitions["shop"]) == 1


def test_tags_have_room_for_fifty(world: World) -> None:
    arn = world.start(enableECSManagedTags=True).arn
    world.advance(10)
    world.call("TagResource", {"resourceArn": arn, "tags": TOO_MANY[:50]})

    with pytest.raises(InvalidParameterException, match="at most 50"):
        world.call("TagResource", {"resourceArn": arn, "tags": [{"key": "one more"}]})
    task = world.running[0].arn  # those of ECS do not count
    world.call("TagResource", {"resourceArn": task, "tags": TOO_MANY[:50]})
    assert len(world.ecs.tags[task]) == 52
    with pytest.raises(InvalidParameterException, match="reserved"):
        world.call("UntagResource", {"resourceArn": task, "tagKeys": ["aws:ecs:clusterName"]})


def test_tags_are_added_replaced_and_removed(ecs: Any, world: World) -> None:
    arn = world.start(tags=[{"key": "team", "value": "a"}]).arn

    ecs.tag_resource(resourceArn=arn, tags=[{"key": "team", "value": "b"}, {"key": "tier", "value": "c"}])
    assert ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [
        {"key": "team", "value": "b"},
        {"key": "tier", "value": "c"},
    ]
    ecs.untag_resource(resourceArn=arn, tagKeys=["team"])
    assert ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "tier", "value": "c"}]
    with pytest.raises(ClientError, match="not found"):
        ecs.list_tags_for_resource(resourceArn=arn + "x")
