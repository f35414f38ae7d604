"""The ECS task metadata endpoint, version 4, as far as a task here has what it tells.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate-response.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from twin.aws.ecs.model import Container, Ecs, Task

__all__ = ["container_metadata", "metadata", "task_metadata"]

Json = dict[str, Any]


def metadata(ecs: Ecs, path: str) -> Json:
    """What is at *path* behind the endpoint's /v4/: a container's runtime id, or that and `/task`.

    Raises:
        LookupError: nothing is.
    """
    runtime_id, _, rest = path.partition("/")
    for task in list(ecs.tasks.values()):
        for container in task.containers:
            if container.runtime_id == runtime_id and rest in ("", "task"):
                return task_metadata(task) if rest else container_metadata(task, container)
    raise LookupError(path)


def task_metadata(task: Task) -> Json:
    """The answer at `${ECS_CONTAINER_METADATA_URI_V4}/task`."""
    definition = task.deployment.task_definition
    limits = {"CPU": _number(definition.request.get("cpu"), 1024), "Memory": _number(definition.request.get("memory"))}
    return {
        "Cluster": task.cluster.arn,
        "TaskARN": task.arn,
        "Family": definition.family,
        "Revision": str(definition.revision),
        "DesiredStatus": task.desired_status.value,
        "KnownStatus": task.last_status.value,
        "Limits": {name: value for name, value in limits.items() if value is not None},
        "PullStartedAt": _time(task.steps.get("PENDING", task.created_at)),
        "PullStoppedAt": _time(task.steps.get("PENDING", task.created_at)),
        "AvailabilityZone": task.zone,
        "LaunchType": "FARGATE",
        **({"ServiceName": task.service_name} if task.service_name else {}),
        "Containers": [container_metadata(task, container) for container in task.containers],
    }


def container_metadata(task: Task, container: Container) -> Json:
    """The answer at `${ECS_CONTAINER_METADATA_URI_V4}`."""
    definition = task.deployment.task_definition
    return {
        "DockerId": container.runtime_id,
        "Name": container.name,
        "DockerName": container.name,
        "Image": container.image,
        "Labels": {
            "com.amazonaws.ecs.cluster": task.cluster.arn,
            "com.amazonaws.ecs.container-name": container.name,
            "com.amazonaws.ecs.task-arn": task.arn,
            "com.amazonaws.ecs.task-definition-family": definition.family,
            "com.amazonaws.ecs.task-definition-version": str(definition.revision),
        },
        "DesiredStatus": task.desired_status.value,
        "KnownStatus": container.last_status,
        "CreatedAt": _time(task.created_at),
        "Type": "NORMAL",
        "ContainerARN": container.arn,
        "Networks": [
            {
                "NetworkMode": "awsvpc",
                "IPv4Addresses": [task.private_address],
                "PrivateDNSName": task.host_name,
            }
        ],
    }


def _number(text: str | None, divisor: int = 1) -> float | None:
    """CPU units or MiB as a number; None where they are not given, or not as a plain number."""
    return int(text) / divisor if text and text.isdecimal() else None


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
