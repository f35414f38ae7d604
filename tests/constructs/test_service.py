"""Task definition, roles, logs, cluster and ECS service."""

from __future__ import annotations

import json

import pytest

from serviceconnect.settings.sidecar import Sidecar
from tests.constructs.synthesis import Json, Synthesize, address, at, container, only, reference, statements


def test_container_is_locked_down(stack: Json) -> None:
    definition = container(stack)
    assert definition["user"] == "10001:10001"
    assert definition["readonlyRootFilesystem"] is True
    assert definition["linuxParameters"] == {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}}
    assert "mountPoints" not in definition


def test_writable_paths_are_volumes(synthesize: Synthesize) -> None:
    stack = synthesize(writable_paths=("/tmp", "/var/cache"))
    assert only(stack, "aws_ecs_task_definition")["volume"] == [{"name": "writable-0"}, {"name": "writable-1"}]
    assert container(stack)["mountPoints"] == [
        {"sourceVolume": "writable-0", "containerPath": "/tmp", "readOnly": False},
        {"sourceVolume": "writable-1", "containerPath": "/var/cache", "readOnly": False},
    ]


def test_container_of_another_service(synthesize: Synthesize) -> None:
    stack = synthesize(
        container_port=3000,
        container_user="",
        health_check="nc -z 127.0.0.1 3000",
        stop_timeout=90,
        drain_seconds=20,
        environment={"B": "2", "A": "1"},
        secrets={"TOKEN": "arn:aws:ssm:eu-west-2:123456789012:parameter/token"},
    )
    definition = container(stack)
    assert "user" not in definition
    assert definition["portMappings"] == [
        {"name": "http", "containerPort": 3000, "protocol": "tcp", "appProtocol": "http"}
    ]
    assert definition["healthCheck"]["command"] == ["CMD-SHELL", "nc -z 127.0.0.1 3000"]
    assert definition["stopTimeout"] == 90
    assert definition["environment"] == [
        {"name": "A", "value": "1"},
        {"name": "B", "value": "2"},
        {"name": "DRAIN_SECONDS", "value": "20"},
        {"name": "PORT", "value": "3000"},
    ]
    assert definition["secrets"] == [
        {"name": "TOKEN", "valueFrom": "arn:aws:ssm:eu-west-2:123456789012:parameter/token"}
    ]


def test_a_shells_expansions_are_no_templates_of_terraform(synthesize: Synthesize) -> None:
    definition = container(
        synthesize(health_check="wget -q 127.0.0.1:${PORT}", environment={"FORMAT": "%{http_code} ${x} $y"})
    )
    assert definition["healthCheck"]["command"][1] == "wget -q 127.0.0.1:$${PORT}"
    assert {"name": "FORMAT", "value": "%%{http_code} $${x} $y"} in definition["environment"]


def test_health_check_by_busybox_wget(stack: Json) -> None:
    check = container(stack)["healthCheck"]
    assert check["command"] == ["CMD-SHELL", "wget -q --spider http://127.0.0.1:8080/ready || exit 1"]


def test_health_check_as_ever(stack: Json) -> None:
    check = container(stack)["healthCheck"]
    assert {name: check[name] for name in check if name != "command"} == {
        "interval": 10,
        "timeout": 5,
        "retries": 3,
        "startPeriod": 10,
    }
    assert "health_check_grace_period_seconds" not in only(stack, "aws_ecs_service")


def test_a_slow_starter_has_time_from_both_kinds_of_checks(synthesize: Synthesize) -> None:
    stack = synthesize(
        health_check_interval=30,
        health_check_timeout=20,
        health_check_retries=5,
        health_check_start_period=240,
        comparison=True,
    )
    check = container(stack)["healthCheck"]
    assert (check["interval"], check["timeout"], check["retries"], check["startPeriod"]) == (30, 20, 5, 240)
    assert only(stack, "aws_ecs_service")["health_check_grace_period_seconds"] == 240
    assert "startPeriod" not in container(synthesize(health_check_start_period=0))["healthCheck"]


def test_a_second_container_holds_a_task_until_it_is_healthy(synthesize: Synthesize) -> None:
    """The recipe of containers-roadmap issue 2334, with the service's image, which needs no other registry."""
    stack = synthesize(register_when_healthy=True)
    service, hold = json.loads(only(stack, "aws_ecs_task_definition")["container_definitions"])
    assert (hold["name"], hold["essential"]) == ("hold", False)
    assert hold["dependsOn"] == [{"containerName": service["name"], "condition": "HEALTHY"}]
    assert hold["image"] == service["image"]
    assert [*hold["entryPoint"], *hold["command"]] == ["/bin/sh", "-c", "exit 0"]
    assert "portMappings" not in hold
    assert (hold["user"], hold["readonlyRootFilesystem"]) == ("10001:10001", True)
    assert "dependsOn" not in service
    assert service["essential"] is True


def test_without_it_no_container_waits(stack: Json) -> None:
    assert len(json.loads(only(stack, "aws_ecs_task_definition")["container_definitions"])) == 1
    assert "startTimeout" not in container(stack)


@pytest.mark.parametrize(
    ("chosen", "seconds"),
    [
        ({}, 10 + 3 * 10 + 5),
        ({"health_check_start_period": 85}, 120),
        ({"health_check_start_period": 86}, None),  # more than Fargate takes
    ],
)
def test_a_held_task_has_as_long_as_its_health_check_gives_it(
    synthesize: Synthesize, chosen: dict[str, int], seconds: int | None
) -> None:
    assert container(synthesize(register_when_healthy=True, **chosen)).get("startTimeout") == seconds


def test_task_size_and_platform(synthesize: Synthesize) -> None:
    task = only(synthesize(cpu=512, memory=2048, architecture="ARM64"), "aws_ecs_task_definition")
    assert (task["cpu"], task["memory"]) == ("512", "2048")
    assert task["runtime_platform"] == {"cpu_architecture": "ARM64", "operating_system_family": "LINUX"}
    assert task["network_mode"] == "awsvpc"
    assert task["requires_compatibilities"] == ["FARGATE"]


def test_service_connect(synthesize: Synthesize) -> None:
    stack = synthesize(request_timeout=25)
    connect = only(stack, "aws_ecs_service")["service_connect_configuration"]
    assert connect["enabled"] is True
    assert connect["namespace"] == reference(stack, "aws_service_discovery_http_namespace", "cluster/namespace", "arn")
    (service,) = connect["service"]
    assert service["port_name"] == container(stack)["portMappings"][0]["name"]
    assert service["discovery_name"] == "serviceconnect"
    assert service["timeout"] == {"per_request_timeout_seconds": 26, "idle_timeout_seconds": 300}
    assert "ingress_port_override" not in service
    options = connect["log_configuration"]["options"]
    assert options["awslogs-group"] == reference(stack, "aws_cloudwatch_log_group", "logs/proxy", "name")


def test_ecs_service(stack: Json) -> None:
    service = only(stack, "aws_ecs_service")
    assert service["desired_count"] == 3
    assert service["deployment_circuit_breaker"] == {"enable": True, "rollback": True}
    assert (service["deployment_minimum_healthy_percent"], service["deployment_maximum_percent"]) == (100, 200)
    assert service["network_configuration"]["assign_public_ip"] is False
    assert "lifecycle" not in service
    assert "load_balancer" not in service


def test_zones_are_rebalanced_unless_the_settings_say_no(stack: Json, synthesize: Synthesize) -> None:
    assert only(stack, "aws_ecs_service")["availability_zone_rebalancing"] == "ENABLED"
    off = synthesize(availability_zone_rebalancing=False)
    assert only(off, "aws_ecs_service")["availability_zone_rebalancing"] == "DISABLED"


def test_execution_role_may_do_no_more_than_start_this_task(stack: Json) -> None:
    assert "aws_iam_role_policy_attachment" not in stack["resource"]
    allowed = statements(only(stack, "aws_iam_role_policy")["policy"])
    assert all(statement["Effect"] == "Allow" for statement in allowed)
    by_action = {action: statement["Resource"] for statement in allowed for action in statement["Action"]}
    logs = [f"{reference(stack, 'aws_cloudwatch_log_group', f'logs/{name}', 'arn')}:*" for name in ("service", "proxy")]
    repository = [reference(stack, "aws_ecr_repository", "image/repository", "arn")]
    assert by_action == {
        "logs:CreateLogStream": logs,
        "logs:PutLogEvents": logs,
        "ecr:GetAuthorizationToken": ["*"],
        "ecr:BatchCheckLayerAvailability": repository,
        "ecr:BatchGetImage": repository,
        "ecr:GetDownloadUrlForLayer": repository,
    }


def test_execution_role_reads_named_secrets(everything: Json) -> None:
    allowed = statements(at(everything, "aws_iam_role_policy", "roles/execution-policy")["policy"])
    by_action = {action: statement["Resource"] for statement in allowed for action in statement["Action"]}
    assert by_action["secretsmanager:GetSecretValue"] == [
        "arn:aws:secretsmanager:eu-west-2:123456789012:secret:token-a1b2c3"
    ]
    assert by_action["ssm:GetParameters"] == ["arn:aws:ssm:eu-west-2:123456789012:parameter/level"]


def test_only_the_execution_role_decrypts_and_with_the_keys_of_the_settings(stack: Json, everything: Json) -> None:
    with_key = {
        name: statement["Resource"]
        for name, policy in everything["resource"]["aws_iam_role_policy"].items()
        for statement in statements(policy["policy"])
        if any(action.startswith("kms:") for action in statement["Action"])
    }
    assert list(with_key.values()) == [["arn:aws:kms:eu-west-2:123456789012:key/0a1b2c3d"]]
    role = at(everything, "aws_iam_role_policy", "roles/execution-policy")
    assert everything["resource"]["aws_iam_role_policy"][next(iter(with_key))] == role
    assert "kms:" not in only(stack, "aws_iam_role_policy")["policy"]


def test_task_role_is_empty_unless_ecs_exec(stack: Json, synthesize: Synthesize) -> None:
    task_role = reference(stack, "aws_iam_role", "roles/task", "name")
    assert only(stack, "aws_iam_role_policy")["role"] != task_role
    assert only(stack, "aws_ecs_service")["enable_execute_command"] is False

    with_exec = synthesize(execute_command=True)
    policy = at(with_exec, "aws_iam_role_policy", "roles/task-policy")
    assert policy["role"] == task_role
    assert all(action.startswith("ssmmessages:") for action in statements(policy["policy"])[0]["Action"])
    assert only(with_exec, "aws_ecs_service")["enable_execute_command"] is True
    # ECS Exec writes into the container.
    assert container(with_exec)["readonlyRootFilesystem"] is False


def test_task_role_has_the_policies_of_the_settings(everything: Json) -> None:
    attached = everything["resource"]["aws_iam_role_policy_attachment"]
    assert {attachment["policy_arn"] for attachment in attached.values()} == {
        "arn:aws:iam::123456789012:policy/queues",
        "arn:aws:iam::aws:policy/CloudWatchReadOnlyAccess",
    }
    role = reference(everything, "aws_iam_role", "roles/task", "name")
    assert {attachment["role"] for attachment in attached.values()} == {role}
    # Not before: a task that starts may need them.
    needed = only(everything, "aws_ecs_service")["depends_on"]
    assert {f"aws_iam_role_policy_attachment.{name}" for name in attached} <= set(needed)


def test_a_policy_that_leaves_the_list_takes_no_other_with_it(synthesize: Synthesize) -> None:
    def attached(*arns: str) -> dict[str, str]:
        found = synthesize(task_policy_arns=arns)["resource"]["aws_iam_role_policy_attachment"]
        return {name: attachment["policy_arn"] for name, attachment in found.items()}

    queues, tables = (f"arn:aws:iam::123456789012:policy/{name}" for name in ("queues", "tables"))
    assert attached(tables).items() <= attached(queues, tables).items()


def test_all_roles_have_the_boundary_and_go_with_what_others_attach(synthesize: Synthesize) -> None:
    boundary = "arn:aws:iam::123456789012:policy/boundary"
    roles = synthesize(load_fleet=1, permissions_boundary=boundary)["resource"]["aws_iam_role"].values()
    assert len(roles) == 3
    assert {(role["permissions_boundary"], role["force_detach_policies"]) for role in roles} == {(boundary, True)}
    without = synthesize(load_fleet=1)["resource"]["aws_iam_role"].values()
    assert not [role for role in without if "permissions_boundary" in role]


def test_roles_in_several_regions_do_not_collide(synthesize: Synthesize) -> None:
    names = {
        role["name"]
        for region in ("eu-west-1", "eu-west-2")
        for role in synthesize(region=region)["resource"]["aws_iam_role"].values()
    }
    assert len(names) == 4
    assert all(len(name) <= 64 for name in names)


def test_log_groups_are_declared_with_retention(synthesize: Synthesize) -> None:
    groups = synthesize(log_retention_days=7)["resource"]["aws_cloudwatch_log_group"].values()
    assert {group["name"] for group in groups} == {
        "/ecs/serviceconnect",
        "/ecs/serviceconnect/service-connect",
        "/aws/vendedlogs/apigateway/serviceconnect",
    }
    assert {group["retention_in_days"] for group in groups} == {7}


def test_container_insights(stack: Json, synthesize: Synthesize) -> None:
    assert only(stack, "aws_ecs_cluster")["setting"] == [{"name": "containerInsights", "value": "disabled"}]
    assert "depends_on" not in only(stack, "aws_ecs_cluster")
    enhanced = synthesize(name="probe", container_insights="enhanced", log_retention_days=7)
    cluster = only(enhanced, "aws_ecs_cluster")
    assert cluster["setting"] == [{"name": "containerInsights", "value": "enhanced"}]
    # There before the cluster, or ECS makes it, without a retention and to stay.
    group = at(enhanced, "aws_cloudwatch_log_group", "logs/insights")
    assert (group["name"], group["retention_in_days"]) == ("/aws/ecs/containerinsights/probe/performance", 7)
    assert cluster["depends_on"] == [address(enhanced, "aws_cloudwatch_log_group", "logs/insights")]
    # And when it is turned off, not gone before the cluster knows.
    assert group["lifecycle"]["create_before_destroy"] is True


def test_a_revision_that_answers_500_is_rolled_back(stack: Json, synthesize: Synthesize) -> None:
    service, alarm = only(stack, "aws_ecs_service"), at(stack, "aws_cloudwatch_metric_alarm", "alarms/errors")
    assert service["alarms"] == {"alarm_names": [alarm["alarm_name"]], "enable": True, "rollback": True}
    # By name alone ECS would be given an alarm that is not there yet.
    assert address(stack, "aws_cloudwatch_metric_alarm", "alarms/errors") in service["depends_on"]
    assert "alarms" not in only(synthesize(deployment_alarm=False), "aws_ecs_service")


def test_task_roles_trust_ecs_on_behalf_of_this_account_alone(synthesize: Synthesize) -> None:
    stack = synthesize(load_fleet=1)
    assert list(stack["data"]["aws_caller_identity"].values()) == [{}]
    (account,) = stack["data"]["aws_caller_identity"]
    mine = {"StringEquals": {"aws:SourceAccount": f"${{data.aws_caller_identity.{account}.account_id}}"}}
    roles = {path: at(stack, "aws_iam_role", path) for path in ("roles/execution", "roles/task", "load-role")}
    trusted = {path: statements(role["assume_role_policy"])[0].get("Condition") for path, role in roles.items()}
    # AWS documents the condition for task roles only.
    assert trusted == {"roles/execution": None, "roles/task": mine, "load-role": mine}


COLLECTOR = "123456789012.dkr.ecr.eu-west-2.amazonaws.com/collector"


def test_sidecars_are_as_locked_down_and_pulled_like_the_service(synthesize: Synthesize) -> None:
    sidecar = Sidecar(
        name="otel",
        image=f"{COLLECTOR}:1",
        command=("--config=env:CONFIG",),
        environment={"CONFIG": "${x}"},
        user="7",
        ports=(4318,),
    )
    stack = synthesize(sidecars=(sidecar,), command=("serve", "--verbose"))
    app, collector = json.loads(only(stack, "aws_ecs_task_definition")["container_definitions"])
    assert app["command"] == ["serve", "--verbose"]
    assert (collector["name"], collector["image"], collector["essential"]) == ("otel", f"{COLLECTOR}:1", False)
    assert (collector["command"], collector["user"]) == (["--config=env:CONFIG"], "7")
    assert collector["environment"] == [{"name": "CONFIG", "value": "$${x}"}]
    assert collector["portMappings"] == [{"containerPort": 4318, "protocol": "tcp"}]
    # It starts before the service, and so is stopped after it.
    assert app["dependsOn"] == [{"containerName": "otel", "condition": "START"}]
    for member in ("readonlyRootFilesystem", "linuxParameters"):
        assert collector[member] == app[member]
    assert collector["logConfiguration"]["options"]["awslogs-stream-prefix"] == "otel"
    # The execution role pulls it, and ECR's endpoints let it.
    arn = "arn:aws:ecr:eu-west-2:123456789012:repository/collector"
    own = reference(stack, "aws_ecr_repository", "image/repository", "arn")
    policies = [only(stack, "aws_iam_role_policy")["policy"]]
    policies += [at(stack, "aws_vpc_endpoint", f"endpoints/ecr-{part}")["policy"] for part in ("api", "dkr")]
    for policy in policies:
        (pull,) = [s for s in statements(policy) if "ecr:BatchGetImage" in s["Action"]]
        assert pull["Resource"] == [own, arn]


def test_without_the_settings_there_is_one_container_with_the_images_command(stack: Json) -> None:
    (app,) = json.loads(only(stack, "aws_ecs_task_definition")["container_definitions"])
    assert {"command", "dependsOn"}.isdisjoint(app)


def test_a_share_of_the_tasks_on_spot(stack: Json, synthesize: Synthesize) -> None:
    mixed = only(synthesize(fargate_spot=70), "aws_ecs_service")
    assert mixed["capacity_provider_strategy"] == [
        {"capacity_provider": "FARGATE", "weight": 30},
        {"capacity_provider": "FARGATE_SPOT", "weight": 70},
    ]
    assert "launch_type" not in mixed
    # Another share is a deployment, and not another service.
    assert mixed["force_new_deployment"] is True
    whole = synthesize(fargate_spot=100)
    assert [one["capacity_provider"] for one in only(whole, "aws_ecs_service")["capacity_provider_strategy"]] == [
        "FARGATE_SPOT"
    ]
    assert only(whole, "aws_ecs_cluster_capacity_providers")["capacity_providers"] == ["FARGATE", "FARGATE_SPOT"]
    assert (
        address(whole, "aws_ecs_cluster_capacity_providers", "cluster/capacity")
        in only(whole, "aws_ecs_service")["depends_on"]
    )
    assert only(stack, "aws_ecs_service")["launch_type"] == "FARGATE"
    assert "aws_ecs_cluster_capacity_providers" not in stack["resource"]
