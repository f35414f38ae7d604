"""EC2: the VPC, its subnets and security groups."""

from __future__ import annotations

from collections.abc import Callable

from twin.aws.client import Aws
from twin.stack.call import Arguments, Attributes, Call, NotHere, without

__all__ = ["NETWORK"]


def _ec2_tags(resource_type: str) -> Callable[[Arguments], Arguments]:
    """EC2 takes tags together with the type of what they are put on."""

    def prepare(arguments: Arguments) -> Arguments:
        rest = without(arguments, "tags")
        tags = arguments.get("tags")
        return {**rest, "tag_specifications": {"resource_type": resource_type, "tags": tags}} if tags else rest

    return prepare


def _set_vpc_dns(aws: Aws, vpc: Attributes) -> Attributes:
    # One attribute a call: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcAttribute.html
    for parameter, argument in (
        ("EnableDnsSupport", "enable_dns_support"),
        ("EnableDnsHostnames", "enable_dns_hostnames"),
    ):
        aws.call("ec2", "ModifyVpcAttribute", VpcId=vpc["id"], **{parameter: {"Value": vpc[argument]}})
    return {}


def _revoke_default_egress(aws: Aws, group: Attributes) -> Attributes:
    """A new group lets everything out; the provider takes that away, so that only declared rules hold."""
    everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    aws.call("ec2", "RevokeSecurityGroupEgress", GroupId=group["id"], IpPermissions=[everything])
    return {}


_RULE_PEERS = {
    "cidr_ipv4": ("ip_ranges", "cidr_ip"),
    "cidr_ipv6": ("ipv6_ranges", "cidr_ipv6"),
    "prefix_list_id": ("prefix_list_ids", "prefix_list_id"),
    "referenced_security_group_id": ("user_id_group_pairs", "group_id"),
}


def _ip_permission(arguments: Arguments) -> Arguments:
    """A rule's protocol, ports and peer go into one IpPermission, the description beside the peer."""
    permission = {key: arguments.get(key) for key in ("ip_protocol", "from_port", "to_port")}
    for argument, (ranges, member) in _RULE_PEERS.items():
        if peer := arguments.get(argument):
            permission[ranges] = {member: peer, "description": arguments.get("description")}
    rest = without(arguments, *permission, *_RULE_PEERS, "description")
    return {**_ec2_tags("security-group-rule")(rest), "ip_permissions": permission}


def _security_group_rule(operation: str) -> Call:
    return Call(
        "ec2",
        operation,
        rename={"security_group_id": "GroupId"},
        essential=frozenset({"security_group_id", *_RULE_PEERS}),
        prepare=_ip_permission,
        answer={"id": "SecurityGroupRules[0].SecurityGroupRuleId"},
    )


# Arguments of data sources by which one is looked for: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/
_FILTERS = {
    "availability_zone": "availability-zone",
    "cidr_block": "cidr-block",
    "default": "is-default",
    "default_for_az": "default-for-az",
    "name": "group-name",
    "vpc_id": "vpc-id",
}


def _existing(operation: str, identifiers: str, **answer: str) -> Call:
    """A data source that looks for what is there, by its id or by filters."""

    def prepare(arguments: Arguments) -> Arguments:
        given = arguments.get("filter") or []
        filters = [*(given if isinstance(given, list) else [given])]
        named = {
            name: arguments[argument] for argument, name in _FILTERS.items() if arguments.get(argument) is not None
        }
        named |= {f"tag:{key}": value for key, value in (arguments.get("tags") or {}).items()}
        filters += ({"name": name, "values": [str(value).lower()]} for name, value in named.items())
        rest = without(arguments, "filter", "id", "tags", *_FILTERS)
        return {**rest, "filters": filters, **({identifiers: [arguments["id"]]} if arguments.get("id") else {})}

    def then(aws: Aws, found: Attributes) -> Attributes:
        if not all(found[name] for name in answer):
            raise NotHere
        return {}

    return Call("ec2", operation, prepare=prepare, answer=answer, then=then)


NETWORK = {
    "data.aws_vpc": _existing("DescribeVpcs", "vpc_ids", id="Vpcs[0].VpcId", cidr_block="Vpcs[0].CidrBlock"),
    "data.aws_subnets": _existing("DescribeSubnets", "subnet_ids", ids="Subnets[].SubnetId"),
    "data.aws_subnet": _existing(
        "DescribeSubnets",
        "subnet_ids",
        id="Subnets[0].SubnetId",
        vpc_id="Subnets[0].VpcId",
        cidr_block="Subnets[0].CidrBlock",
        availability_zone="Subnets[0].AvailabilityZone",
    ),
    "data.aws_security_group": _existing(
        "DescribeSecurityGroups", "group_ids", id="SecurityGroups[0].GroupId", vpc_id="SecurityGroups[0].VpcId"
    ),
    "aws_vpc": Call(
        "ec2",
        "CreateVpc",
        required=frozenset({"cidr_block"}),
        defaults={"enable_dns_support": True, "enable_dns_hostnames": False},
        prepare=_ec2_tags("vpc"),
        answer={"id": "Vpc.VpcId"},
        derived={"arn": "arn:aws:ec2:{region}:{account_id}:vpc/{id}"},
        takes=frozenset({"enable_dns_support", "enable_dns_hostnames"}),
        then=_set_vpc_dns,
    ),
    "aws_subnet": Call(
        "ec2",
        "CreateSubnet",
        required=frozenset({"cidr_block"}),
        prepare=_ec2_tags("subnet"),
        answer={
            "id": "Subnet.SubnetId",
            "arn": "Subnet.SubnetArn",
            "availability_zone": "Subnet.AvailabilityZone",
            "availability_zone_id": "Subnet.AvailabilityZoneId",
        },
    ),
    "aws_security_group": Call(
        "ec2",
        "CreateSecurityGroup",
        rename={"name": "GroupName"},
        defaults={"description": "Managed by Terraform", "name_prefix": "terraform-"},
        prepare=_ec2_tags("security-group"),
        answer={"id": "GroupId"},
        derived={"arn": "arn:aws:ec2:{region}:{account_id}:security-group/{id}"},
        then=_revoke_default_egress,
    ),
    "aws_vpc_security_group_ingress_rule": _security_group_rule("AuthorizeSecurityGroupIngress"),
    "aws_vpc_security_group_egress_rule": _security_group_rule("AuthorizeSecurityGroupEgress"),
}
