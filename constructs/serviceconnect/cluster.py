"""A cluster: ECS's own, the namespace in which its services find each other, and what lets a destroy take both away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cdktf import ITerraformDependable
from cdktf_cdktf_provider_aws.ecs_cluster import EcsCluster, EcsClusterSetting
from cdktf_cdktf_provider_aws.ecs_cluster_capacity_providers import EcsClusterCapacityProviders
from cdktf_cdktf_provider_aws.service_discovery_http_namespace import ServiceDiscoveryHttpNamespace
from constructs import Construct

from serviceconnect.teardown import await_empty_namespace

__all__ = ["Cluster", "ClusterProps"]


@dataclass(frozen=True, kw_only=True)
class ClusterProps:
    """What a cluster is made of.

    Args:
        name: of the cluster and of the namespace.
        container_insights: `disabled`, `enabled` or `enhanced`.
        after: what must be there before, such as Container Insights' log group.
    """

    name: str
    region: str
    container_insights: str = "disabled"
    after: Sequence[ITerraformDependable] = ()


class Cluster(Construct):
    """An ECS cluster with a Service Connect namespace. `ready` has what a service in it waits for."""

    def __init__(self, scope: Construct, id: str, props: ClusterProps) -> None:
        super().__init__(scope, id)
        self.region = props.region
        cluster = EcsCluster(
            self,
            "cluster",
            name=props.name,
            setting=[EcsClusterSetting(name="containerInsights", value=props.container_insights)],
            depends_on=[*props.after] or None,
        )
        self.name: str = cluster.name
        self.arn: str = cluster.arn
        self.namespace = ServiceDiscoveryHttpNamespace(
            self, "namespace", name=props.name, description=f"Service Connect of {props.name}"
        )
        self.ready: list[ITerraformDependable] = [
            await_empty_namespace(self, "emptied", self.namespace.id, props.region)
        ]
        self._spot: EcsClusterCapacityProviders | None = None

    def offer_spot(self) -> None:
        """Let services have tasks on Fargate Spot."""
        if self._spot is None:
            providers = ["FARGATE", "FARGATE_SPOT"]
            self._spot = EcsClusterCapacityProviders(
                self, "capacity", cluster_name=self.name, capacity_providers=providers
            )
            self.ready.append(self._spot)
