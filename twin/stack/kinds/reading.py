"""Data sources that are read without a call of their own kind: where the stack is, and policies as text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from twin.aws.client import Aws
from twin.stack.call import Arguments, Attributes

__all__ = ["READING", "Read"]

_NAMES = {
    "sid": "Sid",
    "actions": "Action",
    "not_actions": "NotAction",
    "resources": "Resource",
    "not_resources": "NotResource",
}


@dataclass(frozen=True)
class Read:
    """A data source as a function of the endpoint and its arguments, in the place of a `Call`."""

    attributes: Callable[[Aws, Arguments], Attributes]
    essential: frozenset[str] = frozenset()

    def __call__(
        self, aws: Aws, arguments: Arguments, default_tags: Mapping[str, str]
    ) -> tuple[Attributes, tuple[str, ...]]:
        """Its attributes, the arguments among them; every argument has found its use."""
        return {**arguments, **self.attributes(aws, arguments)}, ()


def _region(aws: Aws, arguments: Arguments) -> Attributes:
    return {"id": aws.region, "name": aws.region, "region": aws.region}


def _partition(aws: Aws, arguments: Arguments) -> Attributes:
    return {"id": "aws", "partition": "aws", "dns_suffix": "amazonaws.com", "reverse_dns_prefix": "com.amazonaws"}


def _zones(aws: Aws, arguments: Arguments) -> Attributes:
    zones = aws.call("ec2", "DescribeAvailabilityZones")["AvailabilityZones"]
    ordered = sorted(zones, key=lambda zone: zone["ZoneName"])
    return {
        "id": aws.region,
        "names": [zone["ZoneName"] for zone in ordered],
        "zone_ids": [zone["ZoneId"] for zone in ordered],
    }


def _blocks(value: Any) -> list[Mapping[str, Any]]:
    return value if isinstance(value, list) else [value] if value else []


def _policy(aws: Aws, arguments: Arguments) -> Attributes:
    """https://registry.terraform.io/providers/hashicorp/aws/6.25.0/docs/data-sources/iam_policy_document"""
    document: dict[str, Any] = {"Version": arguments.get("version", "2012-10-17")}
    if "policy_id" in arguments:
        document["Id"] = arguments["policy_id"]
    sources = [json.loads(text) for text in arguments.get("source_policy_documents") or []]
    own = [dict(_statement(block)) for block in _blocks(arguments.get("statement"))]
    document["Statement"] = [statement for source in sources for statement in source["Statement"]] + own
    text = json.dumps(document, indent=2)
    return {"json": text, "minified_json": json.dumps(document, separators=(",", ":"))}


def _statement(block: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for argument, name in _NAMES.items():
        if block.get(argument):
            yield name, _one_or_all(block[argument])
    yield "Effect", block.get("effect", "Allow")
    for argument, name in (("principals", "Principal"), ("not_principals", "NotPrincipal")):
        if principals := _blocks(block.get(argument)):
            by_type = {each["type"]: _one_or_all(each["identifiers"]) for each in principals}
            yield name, "*" if by_type == {"*": "*"} else by_type
    conditions: dict[str, dict[str, Any]] = {}
    for each in _blocks(block.get("condition")):
        conditions.setdefault(each["test"], {})[each["variable"]] = _one_or_all(each["values"])
    if conditions:
        yield "Condition", conditions


def _one_or_all(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


READING = {
    "data.aws_availability_zones": Read(_zones),
    "data.aws_iam_policy_document": Read(_policy),
    "data.aws_partition": Read(_partition),
    "data.aws_region": Read(_region),
}
