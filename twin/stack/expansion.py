"""`count`, `for_each`, `dynamic`, variables and locals of Terraform's JSON, where they follow from the file alone.

A resource with `count` or `for_each` becomes its instances (`aws_subnet.main[0]`, `aws_ecs_service.main["orders"]`), a
`dynamic` block the blocks that it stands for. What depends on the apply, or needs another expression than
`twin.stack.expressions` has, stays as it is.

Source: https://developer.hashicorp.com/terraform/language/meta-arguments/for_each
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from twin.errors import BadStack
from twin.stack.expressions import UNKNOWN, Names, bound, escaped, evaluate, expression_in, pairs_of, paths, text_of
from twin.stack.hcl import Expression

__all__ = ["bind", "instances", "names_of"]

Json = Mapping[str, Any]
Pair = tuple[Expression, Expression]  # `each.key` and `each.value`

_MOST = 2_000  # instances of a resource


def names_of(content: Json) -> Names:
    """The variables of a file that have a default, and its locals."""
    variables = {name: _block(body) for name, body in _block(content.get("variable")).items()}
    defaults = {name: ("value", body["default"]) for name, body in variables.items() if "default" in body}
    return {"var": defaults, "local": {name: expression_in(v) for name, v in _block(content.get("locals")).items()}}


def bind(value: Any, names: Names) -> Any:
    """*value* with what *names* stand for in their place, and with the blocks of `dynamic` ones."""
    if isinstance(value, str):
        return _bind_text(value, names) if "${" in value else value
    if isinstance(value, list):
        return [bind(item, names) for item in value]
    if not isinstance(value, Mapping):
        return value
    dynamic = value.get("dynamic") if isinstance(value.get("dynamic"), Mapping | list) else None
    rest = value.items() if dynamic is None else ((key, item) for key, item in value.items() if key != "dynamic")
    made = {str(bind(key, names)): bind(item, names) for key, item in rest}
    return made if dynamic is None else made | _blocks(dynamic, made, names)


def _bind_text(text: str, names: Names) -> Any:
    expression = expression_in(text)
    made = bound(expression, names)
    if made == expression:
        return text
    if (found := paths(made)) is not None and not list(found):
        value = evaluate(made, resources={})
        if value is not UNKNOWN:
            return escaped(value)
    return text_of(made) or text


def _blocks(dynamic: Any, beside: Json, names: Names) -> dict[str, Any]:
    """The blocks that `dynamic` stands for by their type, after those of it that are *beside*; itself if unknown."""
    made: dict[str, Any] = {}
    for label, body in _block(dynamic).items():
        given = _block(body)
        if "content" not in given or (pairs := _pairs(given.get("for_each"), names)) is None:
            return {"dynamic": dynamic}
        iterator = str(given.get("iterator", label))
        within = ({**names, iterator: {"key": key, "value": value}} for key, value in pairs)
        there, content = beside.get(label, []), _block(given["content"])
        made[label] = [*(there if isinstance(there, list) else [there]), *(bind(content, own) for own in within)]
    return made


def instances(address: str, body: Json, names: Names) -> Iterator[tuple[str, Json]]:
    """The address and arguments of each instance of a resource; of one that is not repeated, or unknown, of itself.

    Raises:
        BadStack: there are too many.
    """
    repeated = None
    if "count" in body:
        number = evaluate(expression_in(body["count"]), names)
        if str(number).isdecimal() and int(number) > _MOST:
            raise BadStack(f"{address}: count is {number}, and the twin takes {_MOST} of a resource.")
        if str(number).isdecimal():
            repeated = {f"{index}": {"count": {"index": ("value", index)}} for index in range(int(number))}
    elif "for_each" in body and (pairs := _pairs(body["for_each"], names)) is not None:
        keys = [(evaluate(key), key, value) for key, value in pairs]
        if all(isinstance(name, str) for name, _, _ in keys):
            repeated = {json.dumps(name): {"each": {"key": key, "value": value}} for name, key, value in keys}
    if repeated is None:
        yield address, bind(body, names)
        return
    rest = {name: value for name, value in body.items() if name not in ("count", "for_each")}
    for key, own in repeated.items():
        yield f"{address}[{key}]", bind(rest, {**names, **own})


def _pairs(given: Any, names: Names) -> list[Pair] | None:
    """Key and value of each that `for_each` has; None if that is not known."""
    return pairs_of(bound(expression_in(given), names))


def _block(value: Any) -> Json:
    """A block: an object, or a list of objects."""
    if isinstance(value, list):
        return {name: item for each in value if isinstance(each, Mapping) for name, item in each.items()}
    return {name: item for name, item in value.items() if name != "//"} if isinstance(value, Mapping) else {}
