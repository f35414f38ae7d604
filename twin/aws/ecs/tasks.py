"""Operations on tasks."""

from __future__ import annotations

from typing import Any

from twin.aws.ecs import wire
from twin.aws.ecs.context import Context, find_cluster, find_service, name_of, page
from twin.aws.ecs.errors import InvalidParameterException
from twin.aws.ecs.limits import check_overrides
from twin.aws.ecs.model import Deployment, StopCode, Task
from twin.aws.ecs.ports import NoRoom
from twin.aws.ecs.services import check_network, usable
from twin.aws.ecs.tags import checked_tags

__all__ = ["OPERATIONS"]

Json = dict[str, Any]
_KEPT = ("networkConfiguration", "platformVersion", "group", "overrides")
# What would change where tasks run, and does not here.
_REFUSED = ("placementConstraints", "placementStrategy", "volumeConfigurations")


def list_tasks(context: Context, request: Json) -> Json:
    """ARNs of a cluster's tasks whose desired status is RUNNING, or the one asked for."""
    cluster = find_cluster(context, request.get("cluster"))
    status = request.get("desiredStatus", "RUNNING")
    if "containerInstance" in request:
        raise InvalidParameterException("There are no container instances: tasks run on Fargate.")
    service = None
    if "serviceName" in request:
        service = find_service(context, request.get("cluster"), request["serviceName"])
    found = [
        task.arn
        for task in context.ecs.tasks.values()
        if task.cluster is cluster
        and task.desired_status.value == status
        and (service is None or service.name == task.service_name)
        and request.get("family", task.deployment.task_definition.family) == task.deployment.task_definition.family
        and request.get("startedBy", task.deployment.id) == task.deployment.id
        and request.get("launchType", "FARGATE") == "FARGATE"
    ]
    arns, token = page(found, request)
    return {"taskArns": arns, **token}


def describe_tasks(context: Context, request: Json) -> Json:
    """Up to a hundred tasks by id or ARN, missing ones as failures."""
    cluster = find_cluster(context, request.get("cluster"))
    if not 1 <= len(request["tasks"]) <= 100:
        raise InvalidParameterException("tasks must have between 1 and 100 items.")
    found, failures = [], []
    for reference in request["tasks"]:
        name = name_of(context, reference, "task", cluster)
        task = context.ecs.tasks.get(name)
        if task is None or task.cluster is not cluster:
            arn = context.ecs.arn(f"task/{cluster.name}/{name}")
            failures.append({"arn": arn, "reason": "MISSING"})
        else:
            found.append(wire.task(task, context.ecs, tags="TAGS" in request.get("include", [])))
    return {"tasks": found, "failures": failures}


def stop_task(context: Context, request: Json) -> Json:
    """The task is deregistered and stopped; its service starts another."""
    cluster = find_cluster(context, request.get("cluster"))
    task: Task | None = context.ecs.tasks.get(name_of(context, request["task"], "task", cluster))
    if task is None or task.cluster is not cluster:
        raise InvalidParameterException("The referenced task was not found.")
    reason = request.get("reason", "Task stopped by user")
    context.controller.stop_task(task, StopCode.USER_INITIATED, reason)
    return {"task": wire.task(task, context.ecs, tags=True)}


def run_task(context: Context, request: Json) -> Json:
    """Start up to ten tasks of a definition, each by itself: what ends is not replaced.

    Where a subnet has no address left, the answer names it as a failure (the words are assumed).
    """
    cluster = find_cluster(context, request.get("cluster"))
    for member in _REFUSED:
        if request.get(member):
            raise InvalidParameterException(f"{member} is not supported by this endpoint.")
    if request.get("launchType", "FARGATE") != "FARGATE":
        raise InvalidParameterException(f"The launch type {request['launchType']} is not supported by this endpoint.")
    count = request.get("count", 1)
    if not 1 <= count <= 10:
        raise InvalidParameterException(f"count must be between 1 and 10, is {count}.")
    definition = usable(context, request["taskDefinition"])
    check_network(context, request.get("networkConfiguration") or {})
    names = {container["name"] for container in definition.containers}
    for override in (request.get("overrides") or {}).get("containerOverrides", []):
        if override.get("name") not in names:
            raise InvalidParameterException(
                f"Override for container named {override.get('name')} is not a container in the TaskDefinition."
            )
    check_overrides(request.get("overrides") or {})
    tags = checked_tags(request.get("tags", []))
    now = context.controller.clock()
    deployment = Deployment(
        id=request.get("startedBy", ""),
        task_definition=definition,
        created_at=now,
        updated_at=now,
        network_configuration=request["networkConfiguration"],
        service_connect=None,
        request={name: request[name] for name in _KEPT if name in request},
    )
    started, failures = [], []
    for _ in range(count):
        try:
            task = context.controller.run_task(cluster, deployment, list(tags))
            started.append(wire.task(task, context.ecs, tags=True))
        except NoRoom as error:
            failures.append({"arn": cluster.arn, "reason": "RESOURCE:ENI", "detail": str(error)})
    return {"tasks": started, "failures": failures}


OPERATIONS = {
    "ListTasks": list_tasks,
    "DescribeTasks": describe_tasks,
    "StopTask": stop_task,
    "RunTask": run_task,
}
