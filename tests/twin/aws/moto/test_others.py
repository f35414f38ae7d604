"""Security groups, transit gateways, images, managed policies, as the Terraform provider uses them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.ec2.models import EC2Backend

from tests.twin.aws.moto.conftest import REGION, Client
from twin.aws.moto import complete
from twin.aws.moto.policies import allows

Json = dict[str, Any]


@pytest.fixture
def ec2(client: Client) -> Any:
    return client("ec2")


def group(ec2: Any, name: str = "shop") -> str:
    (vpc, *_) = ec2.describe_vpcs()["Vpcs"]
    return str(ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc["VpcId"])["GroupId"])


def allow(ec2: Any, to: str, **of: Any) -> Json:
    permission = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, **of}
    (rule,) = ec2.authorize_security_group_ingress(GroupId=to, IpPermissions=[permission])["SecurityGroupRules"]
    return described(ec2, rule["SecurityGroupRuleId"])


def described(ec2: Any, rule: str) -> Json:
    (found,) = ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule])["SecurityGroupRules"]
    return dict(found)


def sources(ec2: Any, description: str) -> dict[str, list[Json]]:
    (prefix, *_) = ec2.describe_managed_prefix_lists()["PrefixLists"]
    return {
        "IpRanges": [{"CidrIp": "10.0.0.0/16", "Description": description}],
        "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32", "Description": description}],
        "PrefixListIds": [{"PrefixListId": prefix["PrefixListId"], "Description": description}],
        "UserIdGroupPairs": [{"GroupId": group(ec2, "other"), "Description": description}],
    }


def test_a_rule_of_each_kind_has_its_description_and_none_is_anothers_duplicate(ec2: Any) -> None:
    to = group(ec2)
    rules = [allow(ec2, to, **{kind: source}) for kind, source in sources(ec2, "why").items()]

    assert [rule["Description"] for rule in rules] == ["why"] * 4
    for kind, source in sources_again(rules).items():
        with pytest.raises(ClientError, match=r"InvalidPermission\.Duplicate"):
            allow(ec2, to, **{kind: source})


def sources_again(rules: list[Json]) -> dict[str, list[Json]]:
    """The same sources, under another description."""
    v4, v6, prefix, referenced = rules
    return {
        "IpRanges": [{"CidrIp": v4["CidrIpv4"], "Description": "else"}],
        "Ipv6Ranges": [{"CidrIpv6": v6["CidrIpv6"], "Description": "else"}],
        "PrefixListIds": [{"PrefixListId": prefix["PrefixListId"], "Description": "else"}],
        "UserIdGroupPairs": [{"GroupId": referenced["ReferencedGroupInfo"]["GroupId"], "Description": "else"}],
    }


def test_the_rule_of_a_range_beside_that_of_a_group_can_be_revoked(ec2: Any) -> None:
    to = group(ec2)
    kept = allow(ec2, to, UserIdGroupPairs=[{"GroupId": group(ec2, "other")}])
    allow(ec2, to, IpRanges=[{"CidrIp": "10.0.0.0/16"}])

    gone = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/16"}]}
    ec2.revoke_security_group_ingress(GroupId=to, IpPermissions=[gone])

    conditions = [{"Name": "group-id", "Values": [to]}]
    rules = ec2.describe_security_group_rules(Filters=conditions)["SecurityGroupRules"]
    assert [rule["SecurityGroupRuleId"] for rule in rules if not rule["IsEgress"]] == [kept["SecurityGroupRuleId"]]


def test_the_rule_that_a_new_group_has_can_be_revoked(ec2: Any) -> None:
    to = group(ec2)
    everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.revoke_security_group_egress(GroupId=to, IpPermissions=[everything])

    assert ec2.describe_security_groups(GroupIds=[to])["SecurityGroups"][0]["IpPermissionsEgress"] == []


@pytest.mark.parametrize(
    ("new", "told"),
    [
        ({"CidrIpv4": "10.1.0.0/16"}, {"CidrIpv4": "10.1.0.0/16"}),
        ({"CidrIpv6": "2001:db8::/48"}, {"CidrIpv6": "2001:db8::/48"}),
    ],
)
def test_a_rule_is_modified_whole(ec2: Any, new: Json, told: Json) -> None:
    to = group(ec2)
    rule = allow(ec2, to, UserIdGroupPairs=[{"GroupId": group(ec2, "other"), "Description": "why"}])
    change = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 81, "Description": "because", **new}
    identifier = rule["SecurityGroupRuleId"]
    ec2.modify_security_group_rules(
        GroupId=to, SecurityGroupRules=[{"SecurityGroupRuleId": identifier, "SecurityGroupRule": change}]
    )

    after = described(ec2, identifier)
    assert (after["FromPort"], after["ToPort"], after["Description"]) == (80, 81, "because")
    assert {name: after.get(name) for name in told} == told
    assert "ReferencedGroupInfo" not in after


def test_the_managed_policies_of_aws_are_there(client: Client) -> None:
    iam = client("iam")
    arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    iam.create_role(RoleName="tasks", AssumeRolePolicyDocument="{}")
    iam.attach_role_policy(RoleName="tasks", PolicyArn=arn)

    assert [p["PolicyArn"] for p in iam.list_attached_role_policies(RoleName="tasks")["AttachedPolicies"]] == [arn]
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    assert "ecr:GetAuthorizationToken" in str(document)
    assert len(iam.get_paginator("list_policies").paginate(Scope="AWS").build_full_result()["Policies"]) > 1_000
    iam.detach_role_policy(RoleName="tasks", PolicyArn=arn)
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.attach_role_policy(RoleName="tasks", PolicyArn=arn + "x")


def test_an_attachment_to_a_transit_gateway_has_its_tags_and_is_described_once_it_is_deleted(ec2: Any) -> None:
    (vpc, *_) = ec2.describe_vpcs()["Vpcs"]
    (subnet, *_) = ec2.describe_subnets()["Subnets"]
    gateway = ec2.create_transit_gateway()["TransitGateway"]["TransitGatewayId"]
    tags = [{"Key": "team", "Value": "shop"}]
    given = {"TransitGatewayId": gateway, "VpcId": vpc["VpcId"], "SubnetIds": [subnet["SubnetId"]]}
    specification = [{"ResourceType": "transit-gateway-attachment", "Tags": tags}]

    def described() -> list[tuple[str, list[Json]]]:
        found = ec2.describe_transit_gateway_vpc_attachments()["TransitGatewayVpcAttachments"]
        return [(each["State"], each.get("Tags", [])) for each in found]

    made = ec2.create_transit_gateway_vpc_attachment(**given, TagSpecifications=specification)
    assert described() == [("available", tags)]
    identifier = made["TransitGatewayVpcAttachment"]["TransitGatewayAttachmentId"]
    ec2.delete_transit_gateway_vpc_attachment(TransitGatewayAttachmentId=identifier)
    assert described() == [("deleted", tags)]
    ec2.create_transit_gateway_vpc_attachment(**given)
    assert sorted(described(), key=str) == [("available", []), ("deleted", tags)]


def test_the_id_of_a_hosted_zone_begins_with_z(client: Client) -> None:
    zone = client("route53").create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]
    assert zone["Id"].startswith("/hostedzone/Z")


def test_where_the_image_of_aws_for_fluent_bit_is(client: Client) -> None:
    ssm = client("ssm")

    value = ssm.get_parameter(Name="/aws/service/aws-for-fluent-bit/stable")["Parameter"]["Value"]
    listed = ssm.get_parameters_by_path(Path="/aws/service/aws-for-fluent-bit")["Parameters"]

    assert value == f"906394416424.dkr.ecr.{REGION}.amazonaws.com/aws-for-fluent-bit:stable"
    assert {parameter["Name"].rpartition("/")[2] for parameter in listed} == {"latest", "stable"}
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.get_parameter(Name="/aws/service/aws-for-fluent-bit/nope")


@pytest.mark.parametrize("first", ["images", "snapshots"])
def test_public_images_are_there_with_their_snapshots_whichever_is_asked_for_first(first: str) -> None:
    complete()
    store = EC2Backend("eu-central-1", "123456789012")

    def images() -> set[str]:
        found = store.describe_images(owners=["amazon"])
        return {device["Ebs"]["SnapshotId"] for image in found for device in image.block_device_mappings}

    def snapshots() -> set[str]:
        return {snapshot.id for snapshot in store.describe_snapshots()}

    asked = {"images": images, "snapshots": snapshots}[first]()
    assert len(asked) > 100
    assert images() <= snapshots()
    assert asked in (images(), snapshots())  # made once


def test_what_the_policies_of_a_role_allow(client: Client) -> None:
    iam = client("iam")
    role = iam.create_role(RoleName="shop-exec", AssumeRolePolicyDocument="{}")["Role"]["Arn"]

    def allowed() -> list[bool | None]:
        return [allows("123456789012", role, action) for action in ("ecr:BatchGetImage", "ssm:GetParameters")]

    assert allowed() == [False, False]
    policy = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    iam.attach_role_policy(RoleName="shop-exec", PolicyArn=policy)
    assert allowed() == [True, False]
    statement = {"Effect": "Allow", "Action": "ssm:Get*", "Resource": "*"}
    inline = json.dumps({"Version": "2012-10-17", "Statement": statement})
    iam.put_role_policy(RoleName="shop-exec", PolicyName="secrets", PolicyDocument=inline)
    assert allowed() == [True, True]
    assert allows("123456789012", f"{role}-other", "ssm:GetParameters") is None
