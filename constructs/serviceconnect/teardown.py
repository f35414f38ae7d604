"""What makes one `destroy` enough."""

from __future__ import annotations

from cdktf import DataResource, LocalExecProvisioner
from constructs import Construct

from serviceconnect.scripts import command

__all__ = ["await_empty_namespace"]


def await_empty_namespace(scope: Construct, id: str, namespace_id: str, region: str) -> DataResource:
    """Something for the ECS service to depend on, so that a destroy waits between that service and the namespace.

    ECS removes its service from Cloud Map some time after the ECS service is gone, and the two minutes for which the
    provider retries to delete the namespace can be too few. The provisioner may refer to nothing but its own resource,
    hence the input.
    """
    return DataResource(
        scope,
        id,
        input={"namespace_id": namespace_id, "region": region},
        provisioners=[
            LocalExecProvisioner(
                type="local-exec",
                when="destroy",
                command=command(scope, "await_cloud_map.sh"),
                environment={"NAMESPACE_ID": "${self.input.namespace_id}", "AWS_REGION": "${self.input.region}"},
            )
        ],
    )
