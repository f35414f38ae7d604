"""What an operation works with, and the look-ups that all operations share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from twin.ecs.controller import Controller, Ecs
from twin.ecs.errors import ClusterNotFoundException, InvalidParameterException
from twin.ecs.model import Cluster

__all__ = ["CloudMap", "Context", "find_cluster", "name_of", "page"]

Json = dict[str, Any]


class CloudMap(Protocol):
    """What ECS itself does in Cloud Map."""

    def create_service(self, namespace: str, name: str) -> tuple[str, str]:
        """The (id, ARN) of the service *name* in *namespace* (its ARN or name), made if it is not there.

        Raises:
            LookupError: there is no such namespace.
        """

    def namespace_arn(self, namespace: str) -> str | None:
        """The ARN of *namespace* (its ARN or name)."""


@dataclass(frozen=True)
class Context:
    """What an operation works with."""

    ecs: Ecs
    controller: Controller
    cloud_map: CloudMap


def find_cluster(context: Context, reference: str | None) -> Cluster:
    """The active cluster by name or ARN; none given means `default`, as in ECS."""
    cluster = context.ecs.clusters.get(name_of(reference or "default"))
    if cluster is None or cluster.status != "ACTIVE":
        raise ClusterNotFoundException("Cluster not found.")
    return cluster


def name_of(reference: str) -> str:
    """The name in *reference*, which is a name or an ARN."""
    return reference.rsplit("/", 1)[-1]


def page(items: Sequence[str], request: Json, limit: int = 100) -> tuple[list[str], Json]:
    """The page of *items* that *request* asks for with maxResults and nextToken, and the members that go with it."""
    size = request.get("maxResults", limit)
    if not 1 <= size <= limit:
        raise InvalidParameterException(f"maxResults must be between 1 and {limit}, is {size}")
    token = request.get("nextToken", "0")
    if not token.isdecimal() or int(token) > len(items):
        raise InvalidParameterException("Invalid token.")
    start = int(token)
    end = start + size
    return list(items[start:end]), ({"nextToken": str(end)} if end < len(items) else {})
