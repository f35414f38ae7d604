"""Operations on tags."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twin.aws.ecs.context import Context
from twin.aws.ecs.errors import InvalidParameterException

__all__ = ["OPERATIONS", "checked_tags"]

Json = dict[str, Any]
Tag = dict[str, str]

_MOST = 50  # tags of a resource
_RESERVED = "aws:"  # in any case


def checked_tags(tags: Iterable[Tag]) -> list[Tag]:
    """*tags*, if a resource may be given them.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Tag.html

    Raises:
        InvalidParameterException: it may not.
    """
    tags = list(tags)
    for tag in tags:
        key, value = tag.get("key", ""), tag.get("value", "")
        if not 1 <= len(key) <= 128:
            raise InvalidParameterException("A tag must have a key of 1 to 128 characters.")
        if len(value) > 256:
            raise InvalidParameterException(f"The value of the tag {key!r} must have at most 256 characters.")
        _own(key)
        _own(value)
    if len({tag["key"] for tag in tags}) < len(tags):
        raise InvalidParameterException("Duplicate keys found. Each tag key must be unique.")
    if len(tags) > _MOST:
        raise InvalidParameterException(f"A resource can have at most {_MOST} tags.")
    return tags


def _own(text: str) -> None:
    if text.lower().startswith(_RESERVED):
        raise InvalidParameterException(f"{text!r} begins with aws:, which is reserved for AWS.")


def tag_resource(context: Context, request: Json) -> Json:
    """Add tags, or replace the values of those that are there."""
    arn = _known(context, request["resourceArn"])
    added = checked_tags(request["tags"])
    tags = {tag["key"]: tag for tag in (*context.ecs.tags.get(arn, []), *added)}
    if sum(not key.startswith(_RESERVED) for key in tags) > _MOST:
        raise InvalidParameterException(f"A resource can have at most {_MOST} tags.")
    context.ecs.tags[arn] = list(tags.values())
    return {}


def untag_resource(context: Context, request: Json) -> Json:
    """Take tags away by their keys."""
    arn = _known(context, request["resourceArn"])
    keys = request["tagKeys"]
    for key in keys:
        _own(key)
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
