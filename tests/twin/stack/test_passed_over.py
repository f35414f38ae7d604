"""What the twin cannot resolve of a stack is passed over or stays as text, and listed; the rest is made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.twin.stack.test_deployment import stack
from twin.aws.client import Aws
from twin.gaps import Gap
from twin.stack import deploy
from twin.stack.terraform import Resource, Stack

KEY = {"aws_kms_key.key": Resource("aws_kms_key.key", {}, {})}


def test_what_the_twin_does_not_evaluate_is_passed_over_and_the_rest_is_made(aws: Aws) -> None:
    repeated = Resource("aws_ecs_cluster.all", {"name": "all"}, {"for_each": "${aws_ecs_cluster.first.tags}"})
    small = stack(
        {
            "aws_ecs_cluster.first": {"name": "first", "tags": {"Id": "${title(aws_ecs_cluster.all.id)}"}},
            "aws_security_group.group": {"name": "group", "vpc_id": "vpc-0a1b2c"},
            "aws_apigatewayv2_route.all": {"route_key": "$default", "api_id": "${module.api.id}"},
            "aws_ecs_cluster.then": {
                "name": "${aws_ecs_cluster.first.name}-then",
                "tags": "${aws_ecs_cluster.all.tags}",
            },
        }
    )

    result = deploy(replace(small, resources={**small.resources, repeated.address: repeated}), aws)

    assert result.attributes["aws_ecs_cluster.then"]["name"] == "first-then"
    told = {gap.where: str(gap) for gap in result.gaps}
    assert (
        "argument tags: is not evaluated: ${title(aws_ecs_cluster.all.id)} is more than"
        in told["aws_ecs_cluster.first"]
    )
    assert "the twin does not expand for_each here" in told["aws_ecs_cluster.all"]
    assert "argument tags: refers to aws_ecs_cluster.all, which the twin passes over" in told["aws_ecs_cluster.then"]
    assert (
        "api_id was left out, for it is not evaluated: ${module.api.id} is more than"
        in told["aws_apigatewayv2_route.all"]
    )
    assert "argument vpc_id: names vpc-0a1b2c, which is on AWS" in told["aws_security_group.group"]


def test_a_container_keeps_as_text_what_it_has_of_something_that_is_not_here(aws: Aws) -> None:
    variables = (
        '[{name = "DB_HOST", value = aws_db_instance.main.address}, {name = "QUEUE", value = aws_ecs_cluster.of.name}]'
    )
    containers = f'[{{name = "app", image = "app:1", environment = {variables}}}]'
    secrets = '[{"name": "KEY", "valueFrom": "${aws_ssm_parameter.key.arn}"}]'
    as_text = f'[{{"name": "app", "image": "${{aws_db_instance.main.address}}", "secrets": {secrets}}}]'
    result = deploy(
        stack(
            {
                "aws_db_instance.main": {},
                "aws_ecs_cluster.of": {"name": "of"},
                "aws_ssm_parameter.key": {"name": "/app/key", "type": "SecureString", "value": "s3cret"},
                "aws_ecs_task_definition.call": {
                    "family": "call",
                    "container_definitions": f"${{jsonencode({containers})}}",
                },
                "aws_ecs_task_definition.text": {"family": "text", "container_definitions": as_text},
            }
        ),
        aws,
    )

    def container(family: str) -> dict[str, Any]:
        described = aws.call("ecs", "DescribeTaskDefinition", taskDefinition=family)["taskDefinition"]
        return dict(described["containerDefinitions"][0])

    assert {each["name"]: each["value"] for each in container("call")["environment"]} == {
        "DB_HOST": "${aws_db_instance.main.address}",
        "QUEUE": "of",
    }
    assert container("text")["image"] == "${aws_db_instance.main.address}"
    (secret,) = container("text")["secrets"]
    assert (
        aws.call("ssm", "GetParameter", Name=secret["valueFrom"], WithDecryption=True)["Parameter"]["Value"] == "s3cret"
    )
    assert str(result.gaps[1]) == (
        "aws_ecs_task_definition.call, argument container_definitions, ${aws_db_instance.main.address}: it stays as it "
        "is, for it refers to aws_db_instance.main, which the twin passes over; `environment` in twin.toml may give a "
        "value"
    )


def test_what_depends_on_something_that_is_passed_over_is_no_reason_to_refuse_the_rest(aws: Aws) -> None:
    found = Resource(
        "data.aws_service_discovery_service.found",
        {"name": "absent", "namespace_id": "ns-1"},
        {"depends_on": ["aws_kms_key.key"]},
    )

    (_, gap) = deploy(Stack("small", "eu-west-2", {}, {found.address: found, **KEY}, {}), aws).gaps

    assert str(gap).startswith(f"{found.address}: the namespace ns-1 has no Cloud Map service 'absent'")
    assert str(gap).endswith("it depends on aws_kms_key.key, which the twin passes over")


def test_the_default_vpc_is_found_and_others_are_on_aws(aws: Aws) -> None:
    in_it = {"filter": [{"name": "vpc-id", "values": ["${data.aws_vpc.default.id}"]}]}
    result = deploy(
        stack(
            {
                "data.aws_vpc.default": {"default": True},
                "data.aws_subnets.default": in_it,
                "data.aws_security_group.default": {"name": "default", "vpc_id": "${data.aws_vpc.default.id}"},
                "data.aws_subnet.first": {"id": "${data.aws_subnets.default.ids[0]}"},
                "data.aws_vpc.named": {"tags": {"Name": "production"}},
                "data.aws_subnets.named": {"filter": {"name": "tag:Name", "values": ["production"]}},
            }
        ),
        aws,
    )

    made = result.attributes
    (vpc,) = aws.call("ec2", "DescribeVpcs", Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    subnets = aws.call("ec2", "DescribeSubnets", Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["Subnets"]
    assert (made["data.aws_vpc.default"]["id"], made["data.aws_vpc.default"]["cidr_block"]) == (
        vpc["VpcId"],
        vpc["CidrBlock"],
    )
    assert sorted(made["data.aws_subnets.default"]["ids"]) == sorted(subnet["SubnetId"] for subnet in subnets)
    assert made["data.aws_subnet.first"]["vpc_id"] == vpc["VpcId"]
    assert made["data.aws_security_group.default"]["id"].startswith("sg-")
    why = "this machine has none that it describes: what is on AWS is not here"
    assert result.gaps == (Gap("data.aws_vpc.named", "", why), Gap("data.aws_subnets.named", "", why))


@pytest.mark.parametrize("group", ["${aws_kms_key.key.id}", "${module.groups.id}"])
def test_a_service_needs_no_security_groups(group: str, aws: Aws) -> None:
    small = stack(
        {
            **{address: key.arguments for address, key in KEY.items()},
            "aws_vpc.main": {"cidr_block": "10.6.0.0/16"},
            "aws_subnet.main": {"cidr_block": "10.6.0.0/24", "vpc_id": "${aws_vpc.main.id}"},
            "aws_ecs_cluster.main": {"name": "groups"},
            "aws_ecs_task_definition.main": {
                "family": "groups",
                "network_mode": "awsvpc",
                "container_definitions": '[{"name": "app", "image": "app:1", "memory": 128}]',
            },
            "aws_ecs_service.main": {
                "name": f"groups-{len(group)}",
                "cluster": "${aws_ecs_cluster.main.arn}",
                "task_definition": "${aws_ecs_task_definition.main.arn}",
                "network_configuration": [{"subnets": ["${aws_subnet.main.id}"], "security_groups": [group]}],
            },
        }
    )

    result = deploy(small, aws)

    assert "aws_ecs_service.main" in result.attributes
    (gap,) = [gap for gap in result.gaps if gap.where == "aws_ecs_service.main"]
    assert gap.what == "argument network_configuration.security_groups"


def test_security_groups_of_aws_are_in_nobodys_way(aws: Aws) -> None:
    rule = {"ip_protocol": "tcp", "from_port": 5432, "to_port": 5432}
    own = "${aws_security_group.guarded.id}"
    result = deploy(
        stack(
            {
                "aws_vpc.guarded": {"cidr_block": "10.8.0.0/16"},
                "aws_security_group.guarded": {"name": "guarded", "vpc_id": "${aws_vpc.guarded.id}"},
                "aws_vpc_security_group_egress_rule.group": {
                    **rule,
                    "security_group_id": own,
                    "referenced_security_group_id": "sg-0123456789abcdef0",
                },
                "aws_vpc_security_group_egress_rule.range": {
                    **rule,
                    "security_group_id": own,
                    "cidr_ipv4": "10.0.0.0/16",
                },
                "aws_vpc_security_group_egress_rule.list": {
                    **rule,
                    "security_group_id": own,
                    "prefix_list_id": "pl-0a1b2c",
                },
            }
        ),
        aws,
    )

    assert [str(passed) for passed in result.gaps] == [
        "aws_vpc_security_group_egress_rule.group: its referenced_security_group_id names sg-0123456789abcdef0, which "
        "is on AWS and not on this machine"
    ]
    group = result.attributes["aws_security_group.guarded"]["id"]
    (found,) = aws.call("ec2", "DescribeSecurityGroups", GroupIds=[group])["SecurityGroups"]
    (allowed,) = found["IpPermissionsEgress"]
    assert allowed["FromPort"] == 5432
    assert [entry["CidrIp"] for entry in allowed["IpRanges"]] == ["10.0.0.0/16"]
