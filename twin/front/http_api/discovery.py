"""The instances behind an integration, asked as API Gateway asks: with DiscoverInstances."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from twin.aws.client import Aws
from twin.aws.instances import usable_address
from twin.front.http_api.model import CloudMapService
from twin.machine.addresses import Address

__all__ = ["Instances", "discover", "usable"]

_MAX_RESULTS = 1000  # [cm, DiscoverInstances]


@dataclass(frozen=True)
class Instances:
    """Where the instances are; *unusable* are the ids of those that no request can be sent to."""

    addresses: frozenset[Address] = frozenset()
    unusable: frozenset[str] = frozenset()


def discover(aws: Aws, service: CloudMapService) -> Instances:
    """The service's instances; botocore's ClientError or BotoCoreError."""
    answer = aws.call(
        "servicediscovery",
        "DiscoverInstances",
        NamespaceName=service.namespace,
        ServiceName=service.name,
        MaxResults=_MAX_RESULTS,
        QueryParameters=dict(service.query),
    )
    return usable(answer.get("Instances", ()))


def usable(instances: Iterable[Mapping[str, Any]]) -> Instances:
    """Those with an IPv4 address and a port. Cloud Map takes any text for either, and instances that have none."""
    addresses, unusable = set(), set()
    for instance in instances:
        if address := usable_address(instance.get("Attributes") or {}):
            addresses.add(address)
        else:
            unusable.add(str(instance.get("InstanceId")))
    return Instances(frozenset(addresses), frozenset(unusable))
