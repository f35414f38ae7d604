"""Subnets, security groups and VPC endpoints."""

from __future__ import annotations

import json

import pytest

from tests.constructs.synthesis import Json, Synthesize, at, only, reference, statements, texts

INTERFACES = ["ecr.api", "ecr.dkr", "ecs-agent", "logs"]


def interfaces(stack: Json) -> dict[str, Json]:
    """Interface endpoints by their service's name."""
    return {
        endpoint["service_name"].split(".", 3)[3]: endpoint
        for endpoint in stack["resource"]["aws_vpc_endpoint"].values()
        if endpoint["vpc_endpoint_type"] == "Interface"
    }


def rules(stack: Json, direction: str) -> list[Json]:
    return list(stack["resource"][f"aws_vpc_security_group_{direction}_rule"].values())


def test_private_subnets_in_two_zones(stack: Json) -> None:
    subnets = stack["resource"]["aws_subnet"].values()
    assert [(subnet["availability_zone"], subnet["cidr_block"]) for subnet in subnets] == [
        ("eu-west-2a", "10.0.0.0/20"),
        ("eu-west-2b", "10.0.16.0/20"),
    ]
    assert not any(subnet.get("map_public_ip_on_launch") for subnet in subnets)


def test_three_named_zones(synthesize: Synthesize) -> None:
    zones = ("us-east-1b", "us-east-1d", "us-east-1f")
    stack = synthesize(region="us-east-1", az_count=3, availability_zones=zones, vpc_cidr="10.1.0.0/24")
    subnets = list(stack["resource"]["aws_subnet"].values())
    assert [subnet["availability_zone"] for subnet in subnets] == list(zones)
    assert subnets[2]["cidr_block"] == "10.1.0.32/28"


def test_no_way_to_the_internet(everything: Json) -> None:
    kinds = set(everything["resource"])
    assert not kinds & {"aws_internet_gateway", "aws_nat_gateway", "aws_egress_only_internet_gateway", "aws_route"}
    assert "route" not in only(everything, "aws_route_table")
    assert "0.0.0.0/0" not in json.dumps(everything)
    assert "::/0" not in json.dumps(everything)


def test_default_security_group_has_no_rules(stack: Json) -> None:
    group = only(stack, "aws_default_security_group")
    assert "ingress" not in group
    assert "egress" not in group


def test_security_groups_are_a_chain(stack: Json) -> None:
    link, tasks, endpoints = (
        reference(stack, "aws_security_group", path, "id")
        for path in ("network/vpc-link", "network/tasks", "endpoints/endpoints")
    )
    s3 = reference(stack, "aws_vpc_endpoint", "endpoints/s3", "prefix_list_id")
    ends = ("security_group_id", "referenced_security_group_id", "prefix_list_id", "from_port", "to_port")
    assert {tuple(rule.get(end) for end in ends) for rule in rules(stack, "egress")} == {
        (link, tasks, None, 8080, 8080),
        (tasks, endpoints, None, 443, 443),
        (tasks, None, s3, 443, 443),
    }
    assert {tuple(rule.get(end) for end in ends) for rule in rules(stack, "ingress")} == {
        (tasks, link, None, 8080, 8080),
        (endpoints, tasks, None, 443, 443),
    }


def test_rules_follow_the_container_port(synthesize: Synthesize) -> None:
    stack = synthesize(container_port=3000)
    assert at(stack, "aws_vpc_security_group_ingress_rule", "network/requests-in")["from_port"] == 3000


def test_interface_endpoints(stack: Json) -> None:
    found = interfaces(stack)
    assert sorted(found) == INTERFACES
    for endpoint in found.values():
        assert endpoint["private_dns_enabled"] is True
        assert endpoint["security_group_ids"] == [reference(stack, "aws_security_group", "endpoints/endpoints", "id")]
        assert len(endpoint["subnet_ids"]) == 2


def test_s3_gateway_endpoint_opens_ecrs_bucket_only(stack: Json) -> None:
    endpoint = at(stack, "aws_vpc_endpoint", "endpoints/s3")
    assert endpoint["vpc_endpoint_type"] == "Gateway"
    assert endpoint["route_table_ids"] == [reference(stack, "aws_route_table", "network/routes", "id")]
    (statement,) = statements(endpoint["policy"])
    assert statement["Action"] == ["s3:GetObject"]
    assert statement["Resource"] == ["arn:aws:s3:::prod-eu-west-2-starport-layer-bucket/*"]


def test_endpoint_policies_name_role_and_resources(everything: Json) -> None:
    found = interfaces(everything)
    execution, task = (reference(everything, "aws_iam_role", f"roles/{name}", "arn") for name in ("execution", "task"))
    expected = {
        "ecr.api": (execution, "ecr:"),
        "ecr.dkr": (execution, "ecr:"),
        "logs": (execution, "logs:"),
        "secretsmanager": (execution, "secretsmanager:GetSecretValue"),
        "ssm": (execution, "ssm:GetParameters"),
        "ssmmessages": (task, "ssmmessages:"),
        "sqs": (task, "*"),
        "monitoring": (task, "*"),
    }
    assert set(found) == {*expected, "ecs-agent"}
    for service, (role, prefix) in expected.items():
        for statement in statements(found[service]["policy"]):
            # A pull carries ECR's token; ECR documents the role as the principal.
            if prefix == "ecr:":
                assert (statement["Principal"], statement.get("Condition")) == ({"AWS": role}, None)
            else:
                assert statement["Condition"] == {"ArnEquals": {"aws:PrincipalArn": role}}
            assert all(action.startswith(prefix) for action in statement["Action"])
    assert statements(found["secretsmanager"]["policy"])[0]["Resource"] == [
        "arn:aws:secretsmanager:eu-west-2:123456789012:secret:token-a1b2c3"
    ]
    # What the Service Connect proxy asks of it, and in whose name, AWS does not say.
    assert "policy" not in found["ecs-agent"]


def test_s3_and_dynamodb_are_gateway_endpoints(synthesize: Synthesize) -> None:
    stack = synthesize(extra_endpoints=("s3", "dynamodb", "sqs"))
    assert sorted(interfaces(stack)) == [*INTERFACES, "sqs"]
    task, tasks = (
        reference(stack, "aws_iam_role", "roles/task", "arn"),
        reference(stack, "aws_security_group", "network/tasks", "id"),
    )
    for service, rule in (("s3", "layers-out"), ("dynamodb", "dynamodb-out")):
        endpoint = at(stack, "aws_vpc_endpoint", f"endpoints/{service}")
        assert endpoint["vpc_endpoint_type"] == "Gateway"
        assert endpoint["route_table_ids"] == [reference(stack, "aws_route_table", "network/routes", "id")]
        assert not {"private_dns_enabled", "subnet_ids", "security_group_ids"} & set(endpoint)
        *_, own = statements(endpoint["policy"])
        assert (own["Action"], own["Condition"]) == (["*"], {"ArnEquals": {"aws:PrincipalArn": task}})
        out = at(stack, "aws_vpc_security_group_egress_rule", f"endpoints/{rule}")
        assert out["security_group_id"] == tasks
        listed = reference(stack, "aws_vpc_endpoint", f"endpoints/{service}", "prefix_list_id")
        assert (out["prefix_list_id"], out["from_port"]) == (listed, 443)
    layers, _ = statements(at(stack, "aws_vpc_endpoint", "endpoints/s3")["policy"])
    assert layers["Action"] == ["s3:GetObject"]


def test_the_service_may_call_what_keeps_its_secrets(synthesize: Synthesize) -> None:
    secret = "arn:aws:secretsmanager:eu-west-2:123456789012:secret:token-a1b2c3"
    stack = synthesize(secrets={"TOKEN": secret}, extra_endpoints=("secretsmanager", "ssm"))
    found = interfaces(stack)
    assert sorted(found) == sorted([*INTERFACES, "secretsmanager", "ssm"])
    execution, task = (reference(stack, "aws_iam_role", f"roles/{name}", "arn") for name in ("execution", "task"))

    def admitted(service: str) -> list[tuple[object, ...]]:
        return [
            (statement["Condition"]["ArnEquals"]["aws:PrincipalArn"], statement["Action"], statement["Resource"])
            for statement in statements(found[service]["policy"])
        ]

    assert admitted("secretsmanager") == [
        (execution, ["secretsmanager:GetSecretValue"], [secret]),
        (task, ["*"], ["*"]),
    ]
    assert admitted("ssm") == [(task, ["*"], ["*"])]


@pytest.mark.parametrize("region", ["ca-west-1", "mx-central-1", "ap-southeast-7"])
def test_newer_regions_need_all_of_ecs(synthesize: Synthesize, region: str) -> None:
    assert sorted(interfaces(synthesize(region=region))) == sorted([*INTERFACES, "ecs", "ecs-telemetry"])


def test_existing_vpc(synthesize: Synthesize) -> None:
    stack = synthesize(vpc_id="vpc-0a1b", subnet_ids=("subnet-0a", "subnet-0b"), route_table_ids=("rtb-0c",))
    assert not set(stack["resource"]) & {"aws_vpc", "aws_subnet", "aws_route_table", "aws_default_security_group"}
    assert only(stack, "aws_apigatewayv2_vpc_link")["subnet_ids"] == ["subnet-0a", "subnet-0b"]
    assert at(stack, "aws_vpc_endpoint", "endpoints/s3")["route_table_ids"] == ["rtb-0c"]
    assert {group["vpc_id"] for group in stack["resource"]["aws_security_group"].values()} == {"vpc-0a1b"}


def test_an_image_of_another_registry_needs_no_endpoint_of_ecr(synthesize: Synthesize) -> None:
    stack = synthesize(
        vpc_id="vpc-0a1b",
        subnet_ids=("subnet-0a", "subnet-0b"),
        route_table_ids=("rtb-0c",),
        egress=("0.0.0.0/0:443",),
        image_uri="public.ecr.aws/docker/library/nginx:1",
    )
    assert sorted(interfaces(stack)) == ["ecs-agent", "logs"]
    assert not [end for end in stack["resource"]["aws_vpc_endpoint"].values() if end["vpc_endpoint_type"] == "Gateway"]
    assert not [text for text in texts(stack) if '"Resource": [""' in text]


def test_existing_vpc_with_its_own_endpoints(synthesize: Synthesize) -> None:
    stack = synthesize(vpc_id="vpc-0a1b", subnet_ids=("subnet-0a",), create_endpoints=False, vpc_cidr="172.16.0.0/16")
    assert "aws_vpc_endpoint" not in stack["resource"]
    assert at(stack, "aws_vpc_security_group_egress_rule", "endpoints/calls-out")["cidr_ipv4"] == "172.16.0.0/16"
    (s3,) = stack["data"]["aws_ec2_managed_prefix_list"].values()
    assert s3["name"] == "com.amazonaws.eu-west-2.s3"


# What a task's packets need and nothing refers to.
WAYS = (
    "aws_vpc_endpoint",
    "aws_vpc_security_group_egress_rule",
    "aws_vpc_security_group_ingress_rule",
    "aws_route_table_association",
    "aws_route",
)


def ways(stack: Json) -> set[str]:
    """The addresses of all of them."""
    return {f"{kind}.{name}" for kind in WAYS for name in stack["resource"].get(kind, {})}


def test_tasks_come_after_their_ways_and_go_before_them(stack: Json, everything: Json) -> None:
    for each in (stack, everything):
        assert ways(each) <= set(only(each, "aws_ecs_service")["depends_on"])


def test_tasks_in_an_existing_vpc_wait_too(synthesize: Synthesize) -> None:
    existing = {"vpc_id": "vpc-0a1b", "subnet_ids": ("subnet-0a",), "create_endpoints": False}
    stack = synthesize(egress=("0.0.0.0/0:443",), **existing)
    assert len(ways(stack)) == 5
    assert ways(stack) <= set(only(stack, "aws_ecs_service")["depends_on"])


def test_the_load_fleet_waits_too(synthesize: Synthesize) -> None:
    stack = synthesize(load_fleet=1)
    for name in ("master", "workers"):
        assert ways(stack) <= set(at(stack, "aws_ecs_service", f"load/{name}/service")["depends_on"])


def test_the_tasks_reach_what_the_settings_name(synthesize: Synthesize) -> None:
    stack = synthesize(egress=("10.20.0.0/16:5432", "sg-0a1b:5432", "pl-0c1d:443", "0.0.0.0/0:443"))
    tasks = reference(stack, "aws_security_group", "network/tasks", "id")
    named = {
        path: at(stack, "aws_vpc_security_group_egress_rule", f"network/egress-{path}")
        for path in ("10-20-0-0-16-5432", "sg-0a1b-5432", "pl-0c1d-443", "0-0-0-0-0-443")
    }
    assert {rule["security_group_id"] for rule in named.values()} == {tasks}
    assert {rule["ip_protocol"] for rule in named.values()} == {"tcp"}
    peers = ("cidr_ipv4", "referenced_security_group_id", "prefix_list_id", "from_port", "to_port")
    assert [tuple(rule.get(part) for part in peers) for rule in named.values()] == [
        ("10.20.0.0/16", None, None, 5432, 5432),
        (None, "sg-0a1b", None, 5432, 5432),
        (None, None, "pl-0c1d", 443, 443),
        ("0.0.0.0/0", None, None, 443, 443),
    ]


def test_the_tasks_have_further_groups_and_tell_their_own(synthesize: Synthesize) -> None:
    stack = synthesize(task_security_groups=("sg-0a1b", "sg-0c1d"))
    tasks = reference(stack, "aws_security_group", "network/tasks", "id")
    groups = only(stack, "aws_ecs_service")["network_configuration"]["security_groups"]
    assert groups == [tasks, "sg-0a1b", "sg-0c1d"]
    assert stack["output"]["task_security_group_id"]["value"] == tasks


def test_groups_can_be_replaced_while_they_are_in_use(everything: Json) -> None:
    groups = everything["resource"]["aws_security_group"].values()
    assert {group["name_prefix"] for group in groups} == {
        f"everything-{purpose}-" for purpose in ("alb", "endpoints", "tasks", "vpc-link")
    }
    assert all(group["lifecycle"] == {"create_before_destroy": True} and "name" not in group for group in groups)
