"""What an operation works with, and the look-ups that all operations share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from twin.aws.ecs.controller import Controller
from twin.aws.ecs.errors import ClusterNotFoundException, InvalidParameterException, ServiceNotFoundException
from twin.aws.ecs.model import Cluster, Ecs, Service
from twin.aws.ecs.ports import CloudMap, LoadBalancing

__all__ = ["Context", "check_name", "find_cluster", "find_service", "name_of", "page"]

Json = dict[str, Any]
T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_TOKEN = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class Context:
    """What an operation works with."""

    ecs: Ecs
    controller: Controller
    cloud_map: CloudMap
    load_balancing: LoadBalancing


def find_cluster(context: Context, reference: str | None) -> Cluster:
    """The active cluster by name or ARN; none given means `default`, as in ECS."""
    cluster = context.ecs.clusters.get(name_of(context, reference or "default", "cluster"))
    if cluster is None or cluster.status != "ACTIVE":
        raise ClusterNotFoundException("Cluster not found.")
    return cluster


def find_service(context: Context, cluster: str | None, reference: str) -> Service:
    """The service by name or ARN, whatever its status."""
    found = find_cluster(context, cluster)
    service = context.ecs.services.get((found.name, name_of(context, reference, "service", found)))
    if service is None:
        raise ServiceNotFoundException("Service not found.")
    return service


def check_name(what: str, name: str) -> str:
    """*name*, if it is one that ECS takes for a cluster, a service or a family.

    Raises:
        InvalidParameterException: it is not.
    """
    if not _NAME.fullmatch(name):
        raise InvalidParameterException(f"{what} {name!r} must be 1 to 255 letters, digits, hyphens and underscores.")
    return name


def name_of(context: Context, reference: str, kind: str, cluster: Cluster | None = None) -> str:
    """The name in *reference*, which is a name or the ARN of a *kind* of this account and Region, and of *cluster*.

    Raises:
        InvalidParameterException: it is the ARN of something else. That it is refused for an account or a kind, and not
            taken for missing, is assumed.
    """
    if not reference.startswith("arn:"):
        return reference
    _, _, service, region, account, resource = [*reference.split(":", 5), *[""] * 5][:6]
    path = resource.split("/")
    if service != "ecs" or path[0] != kind or len(path) < 2:
        raise InvalidParameterException(f"Invalid identifier: {reference} is not the ARN of a {kind}.")
    if region != context.ecs.region:
        raise InvalidParameterException(f"Identifier is for {region}. Your accessing endpoint is {context.ecs.region}")
    if account != context.ecs.account:
        raise InvalidParameterException(f"Identifier is for account {account}. Your account is {context.ecs.account}")
    if cluster is not None and len(path) == 3 and path[1] != cluster.name:
        raise InvalidParameterException(f"Identifier is for cluster {path[1]}. Your cluster is {cluster.name}")
    return path[-1]


def page(items: Sequence[T], request: Json, default: int = 100) -> tuple[list[T], Json]:
    """The page of *items* that *request* asks for with maxResults (at most 100) and nextToken, and the next token."""
    size = request.get("maxResults", default)
    if not 1 <= size <= 100:
        raise InvalidParameterException(f"maxResults must be between 1 and 100, is {size}.")
    token = request.get("nextToken", "0")
    if not _TOKEN.fullmatch(token) or int(token) > len(items):
        raise InvalidParameterException("Invalid token.")
    start = int(token)
    end = start + size
    return list(items[start:end]), ({"nextToken": str(end)} if end < len(items) else {})
