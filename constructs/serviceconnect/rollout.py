"""What a deployment waits for."""

from __future__ import annotations

from collections.abc import Mapping

from cdktf import DataResource, LocalExecProvisioner
from cdktf_cdktf_provider_aws.ecs_service import EcsService
from constructs import Construct

from serviceconnect.scripts import command

__all__ = ["await_rollout"]


def await_rollout(
    scope: Construct,
    id: str,
    region: str,
    service: EcsService,
    cluster_name: str,
    deployed: Mapping[str, object],
) -> DataResource:
    """What to depend on for something that needs the tasks of *service* as it is now, not those before.

    The service does not wait by itself (`wait_for_steady_state`): Terraform would mark one whose first tasks do not
    start as tainted, and replace it with the next deployment. If this fails, only this is done again.

    Args:
        deployed: all but the task definition of which a change makes ECS deploy anew, and the number of tasks if
            Terraform sets it. In plain values: what the provider adds to a block of the service is not known before.
            https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
    """
    return DataResource(
        scope,
        id,
        triggers_replace={"service": service.id, "task_definition": service.task_definition, **deployed},
        provisioners=[
            LocalExecProvisioner(
                type="local-exec",
                command=command(scope, "await_deployment.sh"),
                environment={
                    "CLUSTER": cluster_name,
                    "SERVICE": service.name,
                    "TASK_DEFINITION": service.task_definition,
                    "AWS_REGION": region,
                },
            )
        ],
    )
