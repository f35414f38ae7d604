"""The instances behind an integration, asked as API Gateway asks: with DiscoverInstances."""

from __future__ import annotations

from twin.aws import Aws
from twin.gateway.model import CloudMapService
from twin.network import Address

__all__ = ["discover"]

_MAX_RESULTS = 1000  # [cm, DiscoverInstances]


def discover(aws: Aws, service: CloudMapService) -> frozenset[Address]:
    """The addresses of the service's instances; botocore's ClientError or BotoCoreError."""
    answer = aws.call(
        "servicediscovery",
        "DiscoverInstances",
        NamespaceName=service.namespace,
        ServiceName=service.name,
        MaxResults=_MAX_RESULTS,
        QueryParameters=dict(service.query),
    )
    attributes = [instance["Attributes"] for instance in answer["Instances"]]
    return frozenset(Address(a["AWS_INSTANCE_IPV4"], int(a["AWS_INSTANCE_PORT"])) for a in attributes)
