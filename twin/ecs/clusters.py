"""Operations on clusters."""

from __future__ import annotations

from typing import Any

from twin.ecs import wire
from twin.ecs.context import Context, find_cluster, name_of, page
from twin.ecs.errors import ClusterContainsServicesException
from twin.ecs.model import Cluster

__all__ = ["OPERATIONS"]

Json = dict[str, Any]


def create_cluster(context: Context, request: Json) -> Json:
    """A cluster that exists already is answered as it is, as ECS does."""
    name = request.get("clusterName", "default")
    cluster = context.ecs.clusters.get(name)
    if cluster is None or cluster.status != "ACTIVE":
        cluster = Cluster(context.ecs.arn(f"cluster/{name}"), name, context.controller.clock())
        context.ecs.clusters[name] = cluster
        _update(context, cluster, request)
        if request.get("tags"):
            context.ecs.tags[cluster.arn] = list(request["tags"])
    return {"cluster": wire.cluster(cluster, context.ecs)}


def describe_clusters(context: Context, request: Json) -> Json:
    """Clusters by name or ARN, missing ones as failures."""
    found, failures = [], []
    for reference in request.get("clusters") or ["default"]:
        cluster = context.ecs.clusters.get(name_of(reference))
        if cluster is None:
            failures.append({"arn": context.ecs.arn(f"cluster/{name_of(reference)}"), "reason": "MISSING"})
        else:
            found.append(wire.cluster(cluster, context.ecs))
    return {"clusters": found, "failures": failures}


def list_clusters(context: Context, request: Json) -> Json:
    """The ARNs of the active clusters."""
    arns, token = page([c.arn for c in context.ecs.clusters.values() if c.status == "ACTIVE"], request)
    return {"clusterArns": arns, **token}


def update_cluster(context: Context, request: Json) -> Json:
    """Settings, configuration, Service Connect defaults."""
    cluster = find_cluster(context, request["cluster"])
    _update(context, cluster, request)
    return {"cluster": wire.cluster(cluster, context.ecs)}


def put_cluster_capacity_providers(context: Context, request: Json) -> Json:
    """Kept and told; tasks run here whatever the provider."""
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


def _update(context: Context, cluster: Cluster, request: Json) -> None:
    cluster.settings = request.get("settings", cluster.settings)
    cluster.configuration = request.get("configuration", cluster.configuration)
    cluster.capacity_providers = request.get("capacityProviders", cluster.capacity_providers)
    cluster.default_capacity_provider_strategy = request.get(
        "defaultCapacityProviderStrategy", cluster.default_capacity_provider_strategy
    )
    if "serviceConnectDefaults" in request:
        namespace = request["serviceConnectDefaults"]["namespace"]
        arn = context.cloud_map.namespace_arn(namespace) or namespace
        cluster.service_connect_defaults = {"namespace": arn} if namespace else None


OPERATIONS = {
    "CreateCluster": create_cluster,
    "DescribeClusters": describe_clusters,
    "ListClusters": list_clusters,
    "UpdateCluster": update_cluster,
    "UpdateClusterSettings": update_cluster,
    "PutClusterCapacityProviders": put_cluster_capacity_providers,
    "DeleteCluster": delete_cluster,
}
