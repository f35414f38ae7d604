"""Say what this machine and the account lack for a deployment, or what a destroy would stop at, all at once and before.

    python tools/preflight.py deploy|destroy|diff

Exits with 3 and a sentence for each thing that is missing or in the way, with 2 for settings that cannot be used.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import botocore.exceptions

from serviceconnect.loopback import is_loopback
from serviceconnect.settings import InvalidSettings, Settings
from serviceconnect.settings.reading import from_project
from serviceconnect.zones import VPC_LINK_ZONES

ROOT = Path(__file__).resolve().parent.parent

# The first with a lock file in the S3 backend.
TERRAFORM = (1, 10)


def lacking(action: str, settings: Settings, endpoint_url: str) -> Iterator[str]:
    """What *action* needs and does not find, a sentence each."""
    yield from _terraform()
    if action == "deploy" and not settings.image_uri and not is_loopback(endpoint_url):
        yield from _docker()
    refused = list(_credentials(settings.region, endpoint_url))
    yield from refused
    if not refused:
        try:
            ec2 = _client("ec2", settings.region)
            yield from _in_the_way(ec2, settings) if action == "destroy" else _zones(ec2, settings)
        except botocore.exceptions.ClientError as error:
            said = error.response["Error"]["Message"]
            yield f"{endpoint_url or 'AWS'} refuses {error.operation_name}, which make {action} asks first: {said}"


def _terraform() -> Iterator[str]:
    # The name that the cdktf command goes by as well.
    name = os.environ.get("TERRAFORM_BINARY_NAME", "terraform")
    wanted = ".".join(map(str, TERRAFORM))
    if shutil.which(name) is None:
        yield (
            f"{name} is not on PATH: install Terraform {wanted} or newer"
            " (https://developer.hashicorp.com/terraform/install), or name OpenTofu with TERRAFORM_BINARY_NAME=tofu."
        )
        return
    version = json.loads(_output(name, "version", "-json") or "{}").get("terraform_version", "0.0")
    if tuple(int(part) for part in version.split(".")[:2]) < TERRAFORM:
        yield f"{name} is version {version}: install {wanted} or newer."


def _docker() -> Iterator[str]:
    instead = "or give an image that is there with SC_IMAGE_URI"
    if shutil.which("docker") is None:
        yield f"docker is not on PATH: install Docker with buildx for building the image, {instead}."
    elif _output("docker", "buildx", "version") is None:
        yield f"docker has no buildx: install its plugin for building the image, {instead}."
    elif _output("docker", "info") is None:
        yield f"docker reaches no engine: start it, {instead}."


def _credentials(region: str, endpoint_url: str) -> Iterator[str]:
    configure = "set AWS_PROFILE, or run `aws configure` (`make aws` puts the AWS CLI into .venv/bin)"
    hint = 'run `eval "$(twin env)"`' if is_loopback(endpoint_url) else configure
    where = endpoint_url or "AWS"
    try:
        session = boto3.Session()
        if session.get_credentials() is None:
            yield f"there are no AWS credentials: {hint}."
            return
        _client("sts", region).get_caller_identity()
    except botocore.exceptions.ClientError as error:
        # What a Region that is not enabled says of good credentials (aws-sdk-ruby issue 2850).
        if error.response["Error"]["Code"] == "InvalidClientTokenId" and hint == configure:
            hint += f"; if they are good in other Regions, {region} is not enabled for the account: `aws account"
            hint += f" enable-region --region-name {region}`, or take another with SC_REGION"
        yield f"{where} refuses the credentials ({error.response['Error']['Message']}): {hint}."
    except botocore.exceptions.BotoCoreError as error:
        yield f"{where} cannot be asked who you are ({error}): {hint}."


def _client(service: str, region: str) -> Any:
    quick = botocore.config.Config(connect_timeout=5, read_timeout=10, retries={"max_attempts": 2})
    return boto3.client(service, region_name=region, config=quick)


def _zones(ec2: Any, settings: Settings) -> Iterator[str]:
    """What the account's zones lack for *settings*, a sentence each."""
    found = ec2.describe_availability_zones(Filters=[{"Name": "zone-type", "Values": ["availability-zone"]}])
    ids = {
        zone["ZoneName"]: zone["ZoneId"]
        for zone in found["AvailabilityZones"]
        if zone.get("State", "available") == "available"
    }
    if settings.vpc_id:
        subnets = ec2.describe_subnets(SubnetIds=list(settings.subnet_ids))["Subnets"]
        zone_ids = {subnet["SubnetId"]: subnet["AvailabilityZoneId"] for subnet in subnets}
        yield from subnets_without_link(settings.region, zone_ids)
        if settings.create_endpoints:
            yield from _endpoints_refused(ec2, settings, zone_ids)
    else:
        yield from unusable_zones(settings.region, settings.zones, ids)


def _reached(region: str, zone_id: str) -> bool:
    """Whether VPC links reach the zone; of a Region that AWS's table does not have, nobody knows, and it may."""
    return zone_id in VPC_LINK_ZONES.get(region, (zone_id,))


def unusable_zones(region: str, chosen: Collection[str], ids: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with the zones that were *chosen*, with those to take in their place; one sentence, or none.

    Args:
        ids: the account's available zones, the id by the name.
    """
    wrong = [f"{zone} is not in this account's {region}" for zone in chosen if zone not in ids]
    wrong += [
        f"VPC links do not reach {zone} ({ids[zone]})"
        for zone in chosen
        if zone in ids and not _reached(region, ids[zone])
    ]
    if not wrong:
        return
    # Those that were chosen rightly stay: another zone for them would be other subnets.
    good = sorted((zone for zone in ids if _reached(region, ids[zone])), key=lambda zone: (zone not in chosen, zone))
    instead = sorted(good[: len(chosen)])
    count = f" SC_AZ_COUNT={len(instead)}" if len(instead) != len(chosen) else ""
    if len(instead) < 2:
        yield f"{'; '.join(wrong)}; and fewer than two zones are left: take another Region."
        return
    yield f"{'; '.join(wrong)}: set SC_AVAILABILITY_ZONES={','.join(instead)}{count}, or the same in cdktf.json."


def subnets_without_link(region: str, zone_ids: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each subnet, with the id of its zone, that VPC links do not reach."""
    for subnet, zone_id in zone_ids.items():
        if not _reached(region, zone_id):
            reached = ", ".join(VPC_LINK_ZONES[region])
            yield f"subnet_ids: VPC links do not reach {subnet} in {zone_id}: name subnets in {reached}."


def _endpoints_refused(ec2: Any, settings: Settings, zone_ids: Mapping[str, str]) -> Iterator[str]:
    """Why EC2 would refuse interface endpoints with private DNS names in these subnets, a sentence each.

    https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html
    """
    without = "or set create_endpoints = false and egress, if the VPC has another way out"
    turn_on = f"aws ec2 modify-vpc-attribute --region {settings.region} --vpc-id {settings.vpc_id}"
    for attribute in ("support", "hostnames"):
        name = f"nableDns{attribute.capitalize()}"
        found = ec2.describe_vpc_attribute(VpcId=settings.vpc_id, Attribute=f"e{name}")
        if not found[f"E{name}"]["Value"]:
            yield (
                f"vpc_id: {settings.vpc_id} has e{name} off, which private DNS names of endpoints need:"
                f" `{turn_on} --enable-dns-{attribute}`, {without}."
            )
    for zone_id in dict.fromkeys(zone_ids.values()):
        same = [subnet for subnet, id in zone_ids.items() if id == zone_id]
        if len(same) > 1:
            why = f"are all in {zone_id}, and an endpoint takes one of a zone"
            yield f"subnet_ids: {', '.join(same)} {why}: name one, {without}."


def _in_the_way(ec2: Any, settings: Settings) -> Iterator[str]:
    """What others have put into the stack's network, so that EC2 would not delete it; a sentence each.

    The stack's own is what has its `Project` tag, as everything that it makes.
    """

    def all_of(call: str, **filters: list[str]) -> list[dict[str, Any]]:
        wanted = [{"Name": name, "Values": values} for name, values in filters.items()]
        (found,) = ec2.get_paginator(call).paginate(Filters=wanted).build_full_result().values()
        return list(found)

    aws, mine = f"aws ec2 %s --region {settings.region}", {"tag:Project": [settings.name]}
    vpcs = [] if settings.vpc_id else [vpc["VpcId"] for vpc in all_of("describe_vpcs", **mine)]
    if vpcs:
        groups = all_of("describe_security_groups", **{"vpc-id": vpcs})
        for endpoint in all_of("describe_vpc_endpoints", **{"vpc-id": vpcs}):
            if not _is_of(settings.name, endpoint) and endpoint["State"].lower() not in ("deleting", "deleted"):
                id, used = endpoint["VpcEndpointId"], [group["GroupId"] for group in endpoint.get("Groups", [])]
                others = [g["GroupId"] for g in groups if g["GroupId"] in used and not _is_of(settings.name, g)]
                commands = [f"{aws % 'delete-vpc-endpoints'} --vpc-endpoint-ids {id}"]
                commands += [f"{aws % 'delete-security-group'} --group-id {group}" for group in others]
                yield (
                    f"{id} ({endpoint['ServiceName']}) in {endpoint['VpcId']} is not the stack's, and subnets and VPC"
                    f" cannot go before it does: {'; '.join(commands)} (GuardDuty's comes back while tasks run: see"
                    ' "GuardDuty" in docs/troubleshooting.md).'
                )
    ids = {group["GroupId"] for group in all_of("describe_security_groups", **mine)}
    for direction, member, prefix in (
        ("ingress", "IpPermissions", "ip-permission"),
        ("egress", "IpPermissionsEgress", "egress.ip-permission"),
    ):
        for group in all_of("describe_security_groups", **{f"{prefix}.group-id": sorted(ids)}) if ids else []:
            if _is_of(settings.name, group):
                continue
            pairs = [pair["GroupId"] for rule in group[member] for pair in rule["UserIdGroupPairs"]]
            for named in sorted(ids.intersection(pairs)):
                yield (
                    f"{group['GroupId']} ({group['GroupName']}), which is not the stack's, has an {direction} rule that"
                    f" names the stack's group {named}, and EC2 deletes no group that a rule names: remove the rule"
                    f" ({aws % 'describe-security-group-rules'} --filters Name=group-id,Values={group['GroupId']} has"
                    f" its id for {aws % f'revoke-security-group-{direction}'} --group-id {group['GroupId']}"
                    " --security-group-rule-ids ID)."
                )


def _is_of(stack: str, resource: Mapping[str, Any]) -> bool:
    return {"Key": "Project", "Value": stack} in resource.get("Tags", [])


def _output(*command: str) -> str | None:
    """What *command* prints, None if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return done.stdout if done.returncode == 0 else None


def main() -> int:
    """Check for the action that is named; the exit code."""
    action = sys.argv[1]
    try:
        settings = from_project(ROOT, os.environ)
    except InvalidSettings as error:
        print("These settings cannot be used:", *error.problems, sep="\n  ", file=sys.stderr)
        return 2
    missing = list(lacking(action, settings, os.environ.get("AWS_ENDPOINT_URL", "")))
    if missing:
        print(f"make {action} cannot go through:", *missing, sep="\n  ", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
