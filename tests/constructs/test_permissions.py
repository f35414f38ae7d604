"""docs/deployer-policy.json: it suffices for what easily lacks, and is bounded where it gives power."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase

import pytest

from examples.services.main import services
from tests.constructs.synthesis import ROOT, Json, Synthesize, synthesize_with

# What the provider calls for these kinds, as far as no wildcard of a whole service has it.
CALLS = {
    "aws_cloudwatch_metric_alarm": "cloudwatch:PutMetricAlarm cloudwatch:DeleteAlarms cloudwatch:DescribeAlarms"
    " cloudwatch:ListTagsForResource cloudwatch:TagResource cloudwatch:UntagResource",
    "aws_iam_role": "iam:CreateRole iam:GetRole iam:DeleteRole iam:TagRole iam:UntagRole iam:UpdateAssumeRolePolicy"
    " iam:ListInstanceProfilesForRole iam:ListRolePolicies iam:PutRolePermissionsBoundary"
    " iam:DeleteRolePermissionsBoundary iam:PassRole",
    "aws_iam_role_policy": "iam:PutRolePolicy iam:GetRolePolicy iam:DeleteRolePolicy",
    "aws_iam_role_policy_attachment": "iam:AttachRolePolicy iam:DetachRolePolicy iam:ListAttachedRolePolicies",
    "aws_internet_gateway": "ec2:CreateInternetGateway ec2:AttachInternetGateway ec2:DetachInternetGateway"
    " ec2:DeleteInternetGateway ec2:DescribeInternetGateways",
    "aws_route": "ec2:CreateRoute ec2:ReplaceRoute ec2:DeleteRoute",
    "aws_route_table": "ec2:CreateRouteTable ec2:DeleteRouteTable ec2:DescribeRouteTables",
    "aws_route_table_association": "ec2:AssociateRouteTable ec2:ReplaceRouteTableAssociation"
    " ec2:DisassociateRouteTable",
}


@pytest.fixture(scope="module")
def permissions() -> list[Json]:
    """The statements of the policy."""
    found: list[Json] = json.loads((ROOT / "docs/deployer-policy.json").read_text())["Statement"]
    return found


def allowing(permissions: list[Json], action: str) -> list[Json]:
    """The statements that have *action*."""
    return [
        statement
        for statement in permissions
        for pattern in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
        if fnmatchcase(action, pattern)
    ]


@pytest.mark.parametrize("kind", CALLS)
def test_every_call_is_allowed(permissions: list[Json], kind: str) -> None:
    assert not [action for action in CALLS[kind].split() if not allowing(permissions, action)]


def test_the_kinds_are_those_of_the_stack(everything: Json, synthesize: Synthesize) -> None:
    assert set(CALLS) <= {*everything["resource"], *synthesize(load_fleet=1)["resource"]}


def test_roles_are_the_stacks_own(permissions: list[Json], synthesize: Synthesize) -> None:
    roles = [role["name"] for role in synthesize(name="probe", load_fleet=1)["resource"]["aws_iam_role"].values()]
    assert len(roles) == 3
    for action in " ".join(CALLS[kind] for kind in CALLS if kind.startswith("aws_iam")).split():
        for statement in allowing(permissions, action):
            if statement["Sid"] == "RoleForScaling":
                continue
            pattern = statement["Resource"].replace("serviceconnect", "probe")
            assert all(fnmatchcase(f"arn:aws:iam::123456789012:role/{role}", pattern) for role in roles)
            assert not fnmatchcase("arn:aws:iam::123456789012:role/admin", pattern)


def test_what_bounds_the_roles_denies_every_call_that_gives_one_power(permissions: list[Json]) -> None:
    (text,) = re.findall(
        r'```json\n(\{\n  "Sid": "OnlyBoundedRoles".*?)```', (ROOT / "docs/deploy.md").read_text(), re.DOTALL
    )
    bounded, stay = json.loads(f"[{text}]")

    assert bounded["Condition"].keys() == {"StringNotEquals"}
    assert bounded["Condition"]["StringNotEquals"].keys() == {"iam:PermissionsBoundary"}
    assert (bounded["Effect"], stay["Effect"]) == ("Deny", "Deny")
    gives_power = {
        f"iam:{action}"
        for action in (
            "CreateRole", "AttachRolePolicy", "PutRolePolicy", "PutRolePermissionsBoundary",
            "DeleteRolePermissionsBoundary", "CreatePolicyVersion", "SetDefaultPolicyVersion", "CreatePolicy",
            "AttachUserPolicy", "PutUserPolicy",
        )
        if allowing(permissions, f"iam:{action}")
    }  # fmt: skip
    assert gives_power == {*bounded["Action"], stay["Action"]}


def test_it_fits_into_one_managed_policy() -> None:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: white space does not count.
    assert len("".join((ROOT / "docs/deployer-policy.json").read_text().split())) <= 6_144


def test_roles_are_passed_to_tasks_and_the_services_own_to_scaling(permissions: list[Json]) -> None:
    # An update of `aws_appautoscaling_target` sends the service-linked role that the API named at its creation.
    tasks, scaling = allowing(permissions, "iam:PassRole")
    assert tasks["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    path = "arn:aws:iam::123456789012:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/"
    assert fnmatchcase(f"{path}AWSServiceRoleForApplicationAutoScaling_ECSService", scaling["Resource"])
    assert not fnmatchcase("arn:aws:iam::123456789012:role/serviceconnect-task-eu-west-2", scaling["Resource"])


def test_further_services_roles_are_those_that_the_page_adds() -> None:
    roles = [role["name"] for role in synthesize_with(services)["resource"]["aws_iam_role"].values()]
    page = (ROOT / "docs/deploy.md").read_text()
    assert "`arn:aws:iam::*:role/caller-*`" in page
    assert {role.split("-")[0] for role in roles} == {"serviceconnect", "caller"}


def test_whoever_logs_accesses_may_read_logs(permissions: list[Json]) -> None:
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging.html
    listed = """CreateLogDelivery PutResourcePolicy UpdateLogDelivery DeleteLogDelivery CreateLogGroup
        DescribeResourcePolicies GetLogDelivery ListLogDeliveries DescribeLogGroups DescribeLogStreams GetLogEvents
        FilterLogEvents"""
    assert not [action for action in listed.split() if not allowing(permissions, f"logs:{action}")]
