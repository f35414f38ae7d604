"""Operations on tags."""

from __future__ import annotations

from typing import Any

from twin.ecs.context import Context
from twin.ecs.errors import InvalidParameterException

__all__ = ["OPERATIONS"]

Json = dict[str, Any]


def tag_resource(context: Context, request: Json) -> Json:
    """Add tags, or replace the values of those that are there."""
    arn = _known(context, request["resourceArn"])
    tags = {tag["key"]: tag for tag in (*context.ecs.tags.get(arn, []), *request["tags"])}
    context.ecs.tags[arn] = list(tags.values())
    return {}


def untag_resource(context: Context, request: Json) -> Json:
    """Take tags away by their keys."""
    arn = _known(context, request["resourceArn"])
    keys = request["tagKeys"]
    context.ecs.tags[arn] = [tag for tag in context.ecs.tags.get(arn, []) if tag["key"] not in keys]
    return {}


def list_tags_for_resource(context: Context, request: Json) -> Json:
    """The tags of a resource."""
    return {"tags": context.ecs.tags.get(_known(context, request["resourceArn"]), [])}


def _known(context: Context, arn: str) -> str:
    ecs = context.ecs
    definitions = (d.arn for revisions in ecs.task_definitions.values() for d in revisions)
    records = (r.arn for table in (ecs.clusters, ecs.services, ecs.tasks) for r in table.values())
    if arn not in {*definitions, *records}:
        raise InvalidParameterException("The specified resource was not found.")
    return arn


OPERATIONS = {
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
    "ListTagsForResource": list_tags_for_resource,
}
