"""Two services: what the second brings, what it may do, and what of the first it leaves as it was."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from examples.services.main import services
from serviceconnect.settings import InvalidSettings, Settings
from tests.constructs.synthesis import Add, Json, address, at, reference, statements, synthesize_with

if TYPE_CHECKING:
    from serviceconnect.stack import ServiceConnectStack

# What may change of a running stack when a service joins it, and is changed in place.
IN_PLACE = {"aws_vpc_endpoint"}


def another(name: str = "worker", own: dict[str, object] | None = None, **props: Any) -> Add:
    """Adds a service of *name* with settings of its *own*."""

    def add(stack: ServiceConnectStack) -> None:
        from serviceconnect.additional_service import AdditionalService, AdditionalServiceProps

        settings = stack.settings.beside(name, **(own or {}))
        AdditionalService(stack, name, AdditionalServiceProps(settings=settings, source=stack.source, **props))

    return add


@pytest.fixture(scope="module")
def both() -> Json:
    """The stack of examples/services."""
    return synthesize_with(services)


def test_of_the_first_service_nothing_is_replaced(both: Json, stack: Json) -> None:
    """Its tasks run on: Terraform has the same arguments for all that was there, but for policies of endpoints."""
    for kind, resources in stack["resource"].items():
        for name, resource in resources.items():
            there = both["resource"][kind][name]
            changed = {key for key in {*there, *resource} if there.get(key) != resource.get(key)}
            assert changed <= ({"policy"} if kind in IN_PLACE else set()), f"{kind}.{name}: {changed}"
    for name, output in stack["output"].items():
        assert both["output"][name] == output


def test_no_load_balancer(both: Json) -> None:
    assert not [kind for kind in both["resource"] if kind.startswith("aws_lb")]


def test_the_second_has_image_roles_logs_and_group_of_its_own(both: Json) -> None:
    service = at(both, "aws_ecs_service", "caller/service")
    (definition,) = json.loads(at(both, "aws_ecs_task_definition", "caller/task")["container_definitions"])
    repository = reference(both, "aws_ecr_repository", "caller/image/repository", "repository_url")
    assert definition["image"].startswith(f"{repository}:")
    logs = reference(both, "aws_cloudwatch_log_group", "caller/logs/service", "name")
    assert definition["logConfiguration"]["options"]["awslogs-group"] == logs
    task = at(both, "aws_ecs_task_definition", "caller/task")
    assert task["task_role_arn"] == reference(both, "aws_iam_role", "caller/roles/task", "arn")
    assert task["execution_role_arn"] == reference(both, "aws_iam_role", "caller/roles/execution", "arn")
    group = reference(both, "aws_security_group", "caller/network/tasks", "id")
    assert service["network_configuration"]["security_groups"] == [group]
    names = [role["name"] for role in both["resource"]["aws_iam_role"].values()]
    assert len(set(names)) == len(names) == 4


def test_the_caller_finds_the_upstream_by_its_client_alias(both: Json) -> None:
    (registered,) = at(both, "aws_ecs_service", "service/service")["service_connect_configuration"]["service"]
    alias = registered["client_alias"]
    (definition,) = json.loads(at(both, "aws_ecs_task_definition", "caller/task")["container_definitions"])
    variables = {entry["name"]: entry["value"] for entry in definition["environment"]}
    assert variables["UPSTREAMS"] == f"serviceconnect=http://{alias['dns_name']}:{alias['port']}"
    assert "UPSTREAMS" not in {
        entry["name"]
        for entry in json.loads(at(both, "aws_ecs_task_definition", "task")["container_definitions"])[0]["environment"]
    }


def test_the_callers_tasks_start_when_the_endpoint_is_there(both: Json) -> None:
    # A task sees the endpoints that were there when its deployment began.
    waits = at(both, "aws_ecs_service", "caller/service")["depends_on"]
    assert address(both, "terraform_data", "service/rolled-out") in waits


def test_the_groups_admit_vpc_link_to_caller_and_caller_to_upstream(both: Json) -> None:
    link, first, second, endpoints = (
        reference(both, "aws_security_group", path, "id")
        for path in ("network/vpc-link", "network/tasks", "caller/network/tasks", "endpoints/endpoints")
    )

    def rules(kind: str) -> set[tuple[str, str, int]]:
        return {
            (rule["security_group_id"], rule["referenced_security_group_id"], rule["from_port"])
            for rule in both["resource"][kind].values()
            if "referenced_security_group_id" in rule
        }

    # whose group, from which group, to which port
    assert rules("aws_vpc_security_group_ingress_rule") == {
        (first, link, 8080),
        (second, link, 8080),
        (first, second, 8080),
        (endpoints, first, 443),
        (endpoints, second, 443),
    }
    assert rules("aws_vpc_security_group_egress_rule") == {
        (link, first, 8080),
        (link, second, 8080),
        (second, first, 8080),
        (first, endpoints, 443),
        (second, endpoints, 443),
    }
    waits = at(both, "aws_ecs_service", "caller/service")["depends_on"]
    for direction in ("egress", "ingress"):
        path = f"caller/network/to-serviceconnect-{'out' if direction == 'egress' else 'in'}"
        assert address(both, f"aws_vpc_security_group_{direction}_rule", path) in waits


@pytest.mark.parametrize("endpoint", ["logs", "ecr-api", "ecr-dkr"])
def test_the_endpoints_admit_each_service_to_its_own(both: Json, endpoint: str) -> None:
    allowed: dict[str, set[str]] = {}
    for one in statements(at(both, "aws_vpc_endpoint", f"endpoints/{endpoint}")["policy"]):
        role = one["Condition"]["ArnEquals"]["aws:PrincipalArn"] if "Condition" in one else one["Principal"]["AWS"]
        allowed.setdefault(role, set()).update({*one["Resource"]} - {"*"})
    first, second = (
        reference(both, "aws_iam_role", path, "arn") for path in ("roles/execution", "caller/roles/execution")
    )
    assert allowed.keys() == {first, second}
    assert allowed[first]
    assert not [resource for resource in allowed[first] if ".caller_" in resource]
    assert allowed[second]
    assert all(".caller_" in resource for resource in allowed[second])


def test_the_route_leads_to_the_caller(both: Json) -> None:
    route = at(both, "aws_apigatewayv2_route", "caller/gateway/route-GET-call")
    assert route["route_key"] == "GET /call"
    integration = address(both, "aws_apigatewayv2_integration", "caller/gateway/integration")
    assert route["target"] == f"integrations/${{{integration}.id}}"
    discovered = both["data"]["aws_service_discovery_service"]
    uri = at(both, "aws_apigatewayv2_integration", "caller/gateway/integration")["integration_uri"]
    (name,) = [name for name in discovered if name in uri]
    assert discovered[name]["name"] == "caller"
    assert discovered[name]["depends_on"] == [address(both, "terraform_data", "caller/service/rolled-out")]


def test_the_default_stack_has_no_such_route(stack: Json) -> None:
    keys = [route["route_key"] for route in stack["resource"]["aws_apigatewayv2_route"].values()]
    assert keys == ["GET /hostname", "GET /ready"]


def test_outputs_of_each(both: Json, stack: Json) -> None:
    assert {name.removeprefix("caller_") for name in both["output"].keys() - stack["output"].keys()} == {
        "service_name",
        "discovery_name",
        "repository_url",
        "log_group_name",
        "task_security_group_id",
        "url",
    }
    assert both["output"]["caller_url"]["value"] == "http://caller:8080"


def test_a_client_alone_is_not_registered_and_nothing_reaches_it() -> None:
    stack = synthesize_with(lambda stack: another(calls=[stack.workload], serves=False)(stack))
    assert "service" not in at(stack, "aws_ecs_service", "worker/service")["service_connect_configuration"]
    group = reference(stack, "aws_security_group", "worker/network/tasks", "id")
    ingress = stack["resource"]["aws_vpc_security_group_ingress_rule"].values()
    assert group not in [rule["security_group_id"] for rule in ingress]
    assert "worker_url" not in stack["output"]


def test_an_internal_server_is_called_by_others_only() -> None:
    def add(stack: ServiceConnectStack) -> None:
        from serviceconnect.additional_service import AdditionalService, AdditionalServiceProps

        props = AdditionalServiceProps(settings=stack.settings.beside("orders"), source=stack.source)
        orders = AdditionalService(stack, "orders", props)
        another("web", calls=[stack.workload, orders.workload], routes=["GET /web"])(stack)

    stack = synthesize_with(add)
    keys = [route["route_key"] for route in stack["resource"]["aws_apigatewayv2_route"].values()]
    assert sorted(keys) == ["GET /hostname", "GET /ready", "GET /web"]
    link = reference(stack, "aws_security_group", "network/vpc-link", "id")
    orders = reference(stack, "aws_security_group", "orders/network/tasks", "id")
    ingress = stack["resource"]["aws_vpc_security_group_ingress_rule"].values()
    assert (orders, link) not in [(rule["security_group_id"], rule["referenced_security_group_id"]) for rule in ingress]
    (definition,) = json.loads(at(stack, "aws_ecs_task_definition", "web/task")["container_definitions"])
    (upstreams,) = [entry["value"] for entry in definition["environment"] if entry["name"] == "UPSTREAMS"]
    assert upstreams == "serviceconnect=http://serviceconnect:8080,orders=http://orders:8080"


def test_autoscaling_spot_and_what_only_the_second_calls_are_its_own() -> None:
    own = {"autoscaling": "cpu", "desired_count": 4, "fargate_spot": 50, "extra_endpoints": ("sqs",)}
    stack = synthesize_with(another(own=own))
    target = at(stack, "aws_appautoscaling_target", "worker/scaling/target")
    assert target["resource_id"].endswith(f"/{reference(stack, 'aws_ecs_service', 'worker/service', 'name')}")
    assert len(stack["resource"]["aws_appautoscaling_target"]) == 1
    spot = address(stack, "aws_ecs_cluster_capacity_providers", "cluster/capacity")
    assert spot in at(stack, "aws_ecs_service", "worker/service")["depends_on"]
    assert spot not in at(stack, "aws_ecs_service", "service/service")["depends_on"]
    (allowed,) = statements(at(stack, "aws_vpc_endpoint", "endpoints/sqs")["policy"])
    task_role = reference(stack, "aws_iam_role", "worker/roles/task", "arn")
    assert allowed["Condition"]["ArnEquals"]["aws:PrincipalArn"] == task_role


def test_in_an_existing_vpc_it_has_the_ways_of_the_first() -> None:
    existing = {"vpc_id": "vpc-0a", "vpc_cidr": "10.9.0.0/16", "subnet_ids": ("subnet-0a",), "create_endpoints": False}
    stack = synthesize_with(another(), **existing)
    group = reference(stack, "aws_security_group", "worker/network/tasks", "id")
    out = [
        rule
        for rule in stack["resource"]["aws_vpc_security_group_egress_rule"].values()
        if rule["security_group_id"] == group
    ]
    assert {rule.get("cidr_ipv4") or "s3" for rule in out if rule["from_port"] == 443} == {"10.9.0.0/16", "s3"}


def test_secrets_and_environment_of_the_first_are_not_the_seconds() -> None:
    arn = "arn:aws:secretsmanager:eu-west-2:123456789012:secret:token-a1b2c3"
    second = Settings(
        secrets={"TOKEN": arn}, environment={"LEVEL": "debug"}, region="eu-west-2", tags={"a": "b"}
    ).beside("b-side")
    assert (second.secrets, second.environment, second.tags) == ({}, {}, {"a": "b"})


@pytest.mark.parametrize(
    ("add", "sentence"),
    [
        (another(routes=["GET /hostname"]), "routes = GET /hostname, GET /ready, GET /hostname must be one or more"),
        (another(name="serviceconnect"), "name = serviceconnect must be another than the stack's."),
        (another(own={"region": "eu-west-1"}), "region of worker must not be given: it is the stack's."),
        (another(own={"colour": "red"}), "colour of worker is not a setting"),
        (another(own={"cpu": 300}), "cpu = 300 must be one of"),
        (another(routes=["GET /a"], serves=False), "routes = GET /a of worker need serves = True."),
        (another(own={"autoscaling": "requests"}, serves=False), "autoscaling = requests of worker needs serves"),
        (
            lambda stack: another(own={"environment": {"UPSTREAMS": "a"}}, calls=[stack.workload])(stack),
            "environment and secrets of worker must not set UPSTREAMS: it comes from calls.",
        ),
    ],
)
def test_what_cannot_be_is_refused(add: Add, sentence: str) -> None:
    with pytest.raises(InvalidSettings, match=sentence.replace("(", r"\(")):
        synthesize_with(add)


def test_another_environment_has_a_caller_of_another_name() -> None:
    stack = synthesize_with(services, name="serviceconnect-prod")
    assert at(stack, "aws_ecs_service", "caller/service")["name"] == "caller-prod"
