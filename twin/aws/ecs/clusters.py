"""Operations on clusters and capacity providers."""

from __future__ import annotations

import re
from typing import Any

from twin.aws.ecs import wire
from twin.aws.ecs.context import Context, check_name, find_cluster, name_of, page
from twin.aws.ecs.errors import (
    ClientException,
    ClusterContainsServicesException,
    InvalidParameterException,
)
from twin.aws.ecs.model import Cluster
from twin.aws.ecs.tags import checked_tags

__all__ = ["OPERATIONS"]

Json = dict[str, Any]

_NAMESPACE = re.compile(r"[!-~]{1,1024}")  # as Cloud Map has it
_CAPACITY_PROVIDERS = ("FARGATE", "FARGATE_SPOT")


def create_cluster(context: Context, request: Json) -> Json:
    """A cluster that exists already is answered as it is, as ECS does."""
    name = check_name("Cluster name", request.get("clusterName", "default"))
    cluster = context.ecs.clusters.get(name)
    if cluster is None or cluster.status != "ACTIVE":
        tags = checked_tags(request.get("tags", []))
        cluster = Cluster(context.ecs.arn(f"cluster/{name}"), name, context.controller.clock())
        _update(context, cluster, request)
        context.ecs.clusters[name] = cluster
        context.ecs.tags[cluster.arn] = tags
    return {"cluster": wire.cluster(cluster, context.ecs)}


def describe_clusters(context: Context, request: Json) -> Json:
    """Clusters by name or ARN, missing ones as failures; settings, configuration and tags where asked for."""
    found, failures = [], []
    for reference in request.get("clusters") or ["default"]:
        name = name_of(context, reference, "cluster")
        cluster = context.ecs.clusters.get(name)
        if cluster is None:
            failures.append({"arn": context.ecs.arn(f"cluster/{name}"), "reason": "MISSING"})
        else:
            found.append(wire.cluster(cluster, context.ecs, request.get("include", [])))
    return {"clusters": found, "failures": failures}


def list_clusters(context: Context, request: Json) -> Json:
    """The ARNs of the active clusters."""
    arns, token = page([c.arn for c in context.ecs.clusters.values() if c.status == "ACTIVE"], request)
    return {"clusterArns": arns, **token}


def update_cluster(context: Context, request: Json) -> Json:
    """Settings, configuration, Service Connect defaults, capacity providers."""
    cluster = find_cluster(context, request["cluster"])
    _update(context, cluster, request)
    return {"cluster": wire.cluster(cluster, context.ecs)}


def delete_cluster(context: Context, request: Json) -> Json:
    """A cluster without services; it stays to be described as INACTIVE."""
    cluster = find_cluster(context, request["cluster"])
    if any(s.cluster is cluster and s.status != "INACTIVE" for s in context.ecs.services.values()):
        raise ClusterContainsServicesException("The Cluster cannot be deleted while Services are active or draining.")
    cluster.status = "INACTIVE"
    return {"cluster": wire.cluster(cluster, context.ecs)}


def describe_capacity_providers(context: Context, request: Json) -> Json:
    """Fargate's two; tasks run here alike on both."""
    wanted = [
        name_of(context, reference, "capacity-provider")
        for reference in request.get("capacityProviders", _CAPACITY_PROVIDERS)
    ]
    known = [name for name in wanted if name in _CAPACITY_PROVIDERS]
    providers: list[Json] = [
        {
            "capacityProviderArn": context.ecs.arn(f"capacity-provider/{name}"),
            "name": name,
            "status": "ACTIVE",
            "tags": [],
            "type": name,
        }
        for name in known
    ]
    failures = [
        {"arn": context.ecs.arn(f"capacity-provider/{name}"), "reason": "MISSING"}
        for name in wanted
        if name not in _CAPACITY_PROVIDERS
    ]
    found, token = page(providers, request)
    return {"capacityProviders": found, "failures": failures, **token}


def _update(context: Context, cluster: Cluster, request: Json) -> None:
    providers = request.get("capacityProviders", cluster.capacity_providers)
    strategy = request.get("defaultCapacityProviderStrategy", cluster.default_capacity_provider_strategy)
    for provider in providers:
        if provider not in _CAPACITY_PROVIDERS:
            raise InvalidParameterException(f"The specified capacity provider {provider!r} was not found.")
    for item in strategy:
        if item["capacityProvider"] not in providers:
            raise InvalidParameterException(
                "The specified capacity provider strategy cannot contain a capacity provider that is not associated "
                "with the cluster."
            )
    for setting in request.get("settings", []):
        if setting.get("name") != "containerInsights" or not setting.get("value"):
            raise ClientException(f"{setting} is no cluster setting: containerInsights with a value is.")
    cluster.settings = request.get("settings", cluster.settings)
    cluster.configuration = request.get("configuration", cluster.configuration)
    cluster.capacity_providers = providers
    cluster.default_capacity_provider_strategy = strategy
    if "serviceConnectDefaults" in request:
        namespace = request["serviceConnectDefaults"]["namespace"]
        cluster.service_connect_defaults = {"namespace": _namespace(context, namespace)} if namespace else None


def _namespace(context: Context, reference: str) -> str:
    """The ARN of the namespace; ECS makes one of a name that it does not find."""
    found = context.cloud_map.namespace_arn(reference)
    if found is None and reference.startswith("arn:"):
        raise InvalidParameterException(f"The namespace {reference} was not found.")
    if found is None and not _NAMESPACE.fullmatch(reference):
        raise InvalidParameterException(f"The namespace {reference!r} must be 1 to 1,024 visible characters of ASCII.")
    return found or context.cloud_map.create_namespace(reference)


OPERATIONS = {
    "CreateCluster": create_cluster,
    "DescribeClusters": describe_clusters,
    "ListClusters": list_clusters,
    "UpdateCluster": update_cluster,
    "UpdateClusterSettings": update_cluster,
    "PutClusterCapacityProviders": update_cluster,
    "DeleteCluster": delete_cluster,
    "DescribeCapacityProviders": describe_capacity_providers,
}
