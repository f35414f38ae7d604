"""Terraform arguments to the parameters of an AWS call, by botocore's model of that call.

The AWS provider names its arguments after the API's parameters, so that most of the way is mechanical:

    health_check_grace_period_seconds = 30    healthCheckGracePeriodSeconds=30       the same words
    setting { ... }, setting { ... }          settings=[{...}, {...}]                a repeated block: its plural
    network_configuration { ... }             networkConfiguration={...}             a block, or a list with one
    container_definitions = "[{...}]"         containerDefinitions=[{...}]           JSON text
    tags = {team = "a"}                       tags=[{"key": "team", "value": "a"}]   a map as key-value pairs
    assign_public_ip = false                  assignPublicIp="DISABLED"              a switch
    cpu = 256                                 cpu="256"                              Terraform converts likewise

What differs is in `rename`. Values that still do not fit are left as they are, for botocore's own validation to name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from twin.errors import BadStack

__all__ = ["parameters"]


def parameters(
    shape: Any, arguments: Mapping[str, Any], rename: Mapping[str, str] | None = None
) -> tuple[dict[str, Any], list[str]]:
    """The parameters for *shape*, a botocore StructureShape, and the arguments that it has no place for.

    *rename* maps the dotted path of an argument (`network_configuration`, `volume.host_path`) to the name or dotted
    path of a parameter in the structure around it. Arguments that are null are left out, as Terraform does. BadStack
    for text that is not JSON where the parameter is a structure.
    """
    conversion = _Conversion(rename or {})
    return conversion.structure(shape, arguments, ""), conversion.unknown


class _Conversion:
    def __init__(self, rename: Mapping[str, str]) -> None:
        self.rename = rename
        self.unknown: list[str] = []

    def structure(self, shape: Any, block: Mapping[str, Any], inside: str) -> dict[str, Any]:
        converted: dict[str, Any] = {}
        for argument, value in block.items():
            path = inside + argument
            steps = self.rename[path].split(".") if path in self.rename else _member(shape, argument)
            if value is None:
                continue
            if not steps:
                self.unknown.append(path)
                continue
            target, parent = shape.members[steps[0]], converted
            for name, step in pairwise(steps):
                target, parent = target.members[step], parent.setdefault(name, {})
            new, old = self.value(target, value, path), parent.get(steps[-1])
            # Two arguments may go into one structure, as ECS's deployment settings do.
            parent[steps[-1]] = {**old, **new} if isinstance(old, dict) and isinstance(new, dict) else new
        return converted

    def value(self, shape: Any, value: Any, path: str) -> Any:
        match shape.type_name:
            case "structure":
                return self.block(shape, value, path)
            case "list":
                return [self.value(shape.member, item, path) for item in _items(shape, value, path)]
            case "map" if isinstance(value, Mapping):
                return {key: self.value(shape.value, item, f"{path}.{key}") for key, item in value.items()}
            case _:
                return _scalar(shape, value)

    def block(self, shape: Any, value: Any, path: str) -> Any:
        if isinstance(value, str):
            value = _json(value, path)
        if isinstance(value, list) and len(value) <= 1:
            value = value[0] if value else {}
        return self.structure(shape, value, f"{path}.") if isinstance(value, Mapping) else value


def _member(shape: Any, argument: str) -> list[str]:
    members = {name.lower(): name for name in shape.members}
    word = argument.replace("_", "").lower()
    return [members[form] for form in (word, f"{word}s", f"{word}es") if form in members][:1]


def _items(shape: Any, value: Any, path: str) -> list[Any]:
    if isinstance(value, str) and shape.member.type_name == "structure":
        value = _json(value, path)
    if isinstance(value, Mapping):
        pair = _pair(shape.member)
        if pair is None or {name.lower() for name in pair} == value.keys():
            return [value]
        return [dict(zip(pair, item, strict=True)) for item in value.items()]
    return value if isinstance(value, list) else [value]


def _pair(shape: Any) -> tuple[str, str] | None:
    """The names of a structure that is a key and a value, such as a tag or an environment variable."""
    names = {name.lower(): name for name in getattr(shape, "members", ())}
    for key in ("key", "name"):
        if names.keys() == {key, "value"}:
            return names[key], names["value"]
    return None


def _scalar(shape: Any, value: Any) -> Any:
    match shape.type_name, value:
        case "string", bool():
            switch = ("DISABLED", "ENABLED") if "ENABLED" in shape.enum else ("false", "true")
            return switch[value]
        case "string", int() | float():
            return str(value)
        case "boolean", "true" | "false":
            return value == "true"
        case (("integer" | "long"), str()):
            return int(value) if value.lstrip("-").isdecimal() else value
        case (("float" | "double"), int()):
            return float(value)
    return value


def _json(text: str, path: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise BadStack(f"the argument {path} is no JSON text ({where})") from None
