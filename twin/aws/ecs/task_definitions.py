"""Operations on task definitions."""

from __future__ import annotations

from typing import Any

from twin.aws.ecs import wire
from twin.aws.ecs.context import Context, check_name, name_of, page
from twin.aws.ecs.errors import ClientException, InvalidParameterException
from twin.aws.ecs.limits import check_task_definition
from twin.aws.ecs.model import TaskDefinition
from twin.aws.ecs.tags import checked_tags

__all__ = ["OPERATIONS", "find_task_definition"]

Json = dict[str, Any]


def register_task_definition(context: Context, request: Json) -> Json:
    """The next revision of its family."""
    check_task_definition(request)
    tags = checked_tags(request.get("tags", []))
    family = check_name("Family", request["family"])
    revisions = context.ecs.task_definitions.setdefault(family, [])
    revision = len(revisions) + 1
    record = TaskDefinition(
        arn=context.ecs.arn(f"task-definition/{family}:{revision}"),
        family=family,
        revision=revision,
        request={"volumes": [], "placementConstraints": [], **{k: v for k, v in request.items() if k != "tags"}},
        registered_at=context.controller.clock(),
    )
    revisions.append(record)
    context.ecs.tags[record.arn] = tags
    return {"taskDefinition": wire.task_definition(record), "tags": context.ecs.tags[record.arn]}


def describe_task_definition(context: Context, request: Json) -> Json:
    """By ARN, `family:revision`, or `family` for its latest active revision."""
    record = find_task_definition(context, request["taskDefinition"])
    answer: Json = {"taskDefinition": wire.task_definition(record)}
    if "TAGS" in request.get("include", []):
        answer["tags"] = context.ecs.tags.get(record.arn, [])
    return answer


def deregister_task_definition(context: Context, request: Json) -> Json:
    """It becomes INACTIVE: what runs goes on, and nothing new starts from it but its service's own tasks."""
    if ":" not in name_of(context, request["taskDefinition"], "task-definition"):
        raise InvalidParameterException("taskDefinition must have a revision, as in family:1.")
    record = find_task_definition(context, request["taskDefinition"])
    if record.status == "ACTIVE":
        record.status = "INACTIVE"
        record.deregistered_at = context.controller.clock()
    return {"taskDefinition": wire.task_definition(record)}


def delete_task_definitions(context: Context, request: Json) -> Json:
    """Up to ten deregistered revisions; each is DELETE_IN_PROGRESS from then on, active ones come back as failures."""
    references = request["taskDefinitions"]
    if not 1 <= len(references) <= 10:
        raise InvalidParameterException("taskDefinitions must have between 1 and 10 items.")
    deleted, failures = [], []
    for reference in references:
        record = find_task_definition(context, reference)
        if record.status == "ACTIVE":
            failures.append({"arn": record.arn, "reason": "The specified task definition is still in ACTIVE status."})
        else:
            record.status = "DELETE_IN_PROGRESS"
            record.delete_requested_at = record.delete_requested_at or context.controller.clock()
            deleted.append(wire.task_definition(record))
    return {"taskDefinitions": deleted, "failures": failures}


def list_task_definitions(context: Context, request: Json) -> Json:
    """ARNs, by family prefix and status, oldest first unless sort is DESC."""
    status = request.get("status", "ACTIVE")
    prefix = request.get("familyPrefix")
    found = [
        record.arn
        for family, revisions in sorted(context.ecs.task_definitions.items())
        for record in revisions
        if record.status == status and prefix in (None, family)
    ]
    arns, token = page(found[::-1] if request.get("sort") == "DESC" else found, request)
    return {"taskDefinitionArns": arns, **token}


def list_task_definition_families(context: Context, request: Json) -> Json:
    """Families that have (ACTIVE) or lack (INACTIVE) an active revision."""
    wanted = request.get("status", "ALL")
    families = []
    for family, revisions in sorted(context.ecs.task_definitions.items()):
        status = "ACTIVE" if any(r.status == "ACTIVE" for r in revisions) else "INACTIVE"
        if family.startswith(request.get("familyPrefix", "")) and wanted in ("ALL", status):
            families.append(family)
    names, token = page(families, request)
    return {"families": names, **token}


def find_task_definition(
    context: Context, reference: str, missing: str = "Unable to describe task definition."
) -> TaskDefinition:
    """A task definition by ARN, `family:revision` or `family`.

    Raises:
        ClientException: there is none; it says *missing*.
    """
    family, _, revision = name_of(context, reference, "task-definition").partition(":")
    for record in reversed(context.ecs.task_definitions.get(family, [])):
        if str(record.revision) == revision or (not revision and record.status == "ACTIVE"):
            return record
    raise ClientException(missing)


OPERATIONS = {
    "RegisterTaskDefinition": register_task_definition,
    "DescribeTaskDefinition": describe_task_definition,
    "DeregisterTaskDefinition": deregister_task_definition,
    "DeleteTaskDefinitions": delete_task_definitions,
    "ListTaskDefinitions": list_task_definitions,
    "ListTaskDefinitionFamilies": list_task_definition_families,
}
