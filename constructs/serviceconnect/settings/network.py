"""Where the tasks live."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass

from serviceconnect.settings.common import CommonSettings
from serviceconnect.settings.field import Rule, between, each, matches, optional, setting
from serviceconnect.zones import LETTERS, letters

__all__ = ["GATEWAY_ENDPOINTS", "NEW_REGIONS", "NetworkSettings", "conflicts"]

# In the Regions that opened after 2023-12-23 the agent's traffic takes all three of ECS's endpoints or none.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/vpc-endpoints.html#fargate-ecs-vpc-endpoint-region-considerations
# AWS's own example there is ca-west-1, which opened three days before.
NEW_REGIONS = (
    *("ca-west-1", "ap-southeast-5", "ap-southeast-6", "ap-southeast-7"),
    *("mx-central-1", "ap-east-2"),
)

# What has a gateway endpoint, which costs nothing, where all else has an interface endpoint.
# https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html
GATEWAY_ENDPOINTS = ("s3", "dynamodb")


def _is_range(text: str) -> bool:
    try:
        return 16 <= ipaddress.IPv4Network(text).prefixlen <= 24
    except ValueError:
        return False


def _is_destination(text: str) -> bool:
    peer, _, port = text.rpartition(":")
    if not re.fullmatch(r"[1-9][0-9]{0,4}", port) or int(port) > 65535:
        return False
    if re.fullmatch(r"(sg|pl)-[0-9a-f]+", peer):
        return True
    try:
        return "/" in peer and str(ipaddress.IPv4Network(peer)) == peer
    except ValueError:
        return False


@dataclass(frozen=True, kw_only=True)
class NetworkSettings(CommonSettings):
    """A VPC of the stack's own without a way to the internet, or one that exists."""

    vpc_cidr: str = setting(
        "10.0.0.0/16",
        "Address range of the VPC; each zone gets a sixteenth of it.",
        Rule("an IPv4 range of /16 to /24 such as 10.0.0.0/16", _is_range),
    )
    az_count: int = setting(2, "Number of availability zones.", between(2, 6))
    availability_zones: tuple[str, ...] = setting(
        (),
        "Availability zones by name; empty: the first `az_count` that new accounts have in the Region."
        " `make deploy` compares them with the account's and with those that VPC links reach.",
        each(r"[a-z]{2}(-[a-z]+)+-\d[a-z]", "zones such as eu-west-2a"),
    )
    vpc_id: str = setting(
        "", "An existing VPC to use; empty: the stack makes its own.", optional(matches(r"vpc-[0-9a-f]+", "a VPC's id"))
    )
    subnet_ids: tuple[str, ...] = setting(
        (), "Private subnets of the existing VPC.", each(r"subnet-[0-9a-f]+", "subnets' ids such as subnet-0a1b2c")
    )
    route_table_ids: tuple[str, ...] = setting(
        (),
        "Route tables of those subnets, where the S3 gateway endpoint is entered.",
        each(r"rtb-[0-9a-f]+", "route tables' ids such as rtb-0a1b2c"),
    )
    create_endpoints: bool = setting(
        True,
        "Whether to make the VPC endpoints; `false`: the existing VPC has them, in the range `vpc_cidr`, or another way"
        " out, which `egress` names.",
    )
    extra_endpoints: tuple[str, ...] = setting(
        (),
        "What the service itself calls at AWS: `sqs`, `secretsmanager`, ... by an interface endpoint each, `s3` and"
        " `dynamodb` by a gateway endpoint.",
        each(r"[a-z0-9][a-z0-9.-]*", "services' names as in com.amazonaws.<region>.<name>"),
    )
    egress: tuple[str, ...] = setting(
        (),
        "What else the tasks may open TCP connections to, with the port: a database, other services, the internet.",
        Rule(
            "different destinations such as 10.0.0.0/16:5432, sg-0a1b2c:5432 or pl-0a1b2c:443",
            lambda entries: all(map(_is_destination, entries)) and len(set(entries)) == len(entries),
        ),
    )
    task_security_groups: tuple[str, ...] = setting(
        (),
        "More security groups for the tasks, beside the stack's own: those that a database admits, say.",
        # A network interface has five groups.
        # https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-security-groups
        Rule(
            "up to 4 different security groups' ids such as sg-0a1b2c",
            lambda ids: len(set(ids)) == len(ids) <= 4 and all(re.fullmatch(r"sg-[0-9a-f]+", id) for id in ids),
        ),
    )

    @property
    def zones(self) -> tuple[str, ...]:
        """The availability zones by name, computed so that synthesis asks AWS nothing."""
        chosen = letters(self.region)[: self.az_count]
        return self.availability_zones or tuple(f"{self.region}{letter}" for letter in chosen)


def conflicts(settings: NetworkSettings) -> Iterator[str]:
    """What does not fit together, a sentence each."""
    zones = settings.availability_zones
    known = LETTERS.get(settings.region)
    if known and not settings.vpc_id and settings.az_count > len(known):
        yield f"az_count = {settings.az_count} must be at most {len(known)}, the zones of region = {settings.region}."
    if zones and len(set(zones)) != settings.az_count:
        yield f"availability_zones = {', '.join(zones)} must name az_count = {settings.az_count} different zones."
    if any(not zone.startswith(settings.region) for zone in zones):
        yield f"availability_zones = {', '.join(zones)} must be zones of region = {settings.region}."
    if settings.vpc_id and not settings.subnet_ids:
        yield f"vpc_id = {settings.vpc_id} needs subnet_ids: the private subnets for the tasks."
    if settings.vpc_id and settings.create_endpoints and not settings.route_table_ids:
        yield (
            f"vpc_id = {settings.vpc_id} needs route_table_ids for the S3 endpoint,"
            " or create_endpoints = false if the VPC has its endpoints."
        )
    if not settings.vpc_id:
        for name in ("subnet_ids", "route_table_ids"):
            if getattr(settings, name):
                yield f"{name} = {', '.join(getattr(settings, name))} needs vpc_id: the VPC that they belong to."
        if not settings.create_endpoints:
            yield "create_endpoints = false needs vpc_id: the stack's own VPC has no other way to ECR and the logs."
    if settings.extra_endpoints and not settings.create_endpoints:
        yield f"extra_endpoints = {', '.join(settings.extra_endpoints)} needs create_endpoints = true."
    calls = f"{settings.vpc_cidr}:443"
    if not settings.create_endpoints and calls in settings.egress:
        yield f"egress must not name {calls}: the tasks have it already, by vpc_cidr."
