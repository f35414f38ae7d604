"""Terraform's string templates, as far as the twin goes: plain references to resources and data sources.

    "${aws_vpc.main.id}"                     one reference: it takes the value's type
    "${data.aws_region.now.name}-tasks"      one inside a longer string
    "${aws_lb.internal.subnet_mapping[0]}"   a path into the attributes
    "$${literally}"                          Terraform's way to write `${literally}`

Every other expression is refused by name: constructs compute in Python, so nothing else is needed.

Source: https://developer.hashicorp.com/terraform/language/expressions/strings#string-templates
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from twin.errors import BadStack

__all__ = ["Reference", "mentioned", "repeated", "resolve"]

_LONGEST_SHOWN = 200  # characters
_MARK = re.compile(r"\$\$\{|%%\{|\$\{|%\{")
_ADDRESS = r"(?:data\.)?[A-Za-z_][\w-]*\.[A-Za-z_][\w-]*"
_REFERENCE = re.compile(rf'({_ADDRESS})((?:\.[A-Za-z_][\w-]*|\[\d+\]|\["[^"\\]*"\])+)')
_STEP = re.compile(r'\.(?P<name>[\w-]+)|\[(?P<index>\d+)\]|\["(?P<key>[^"]*)"\]')
# What else may stand before a dot: https://developer.hashicorp.com/terraform/language/expressions/references
_NOT_RESOURCES = {"count", "each", "local", "module", "path", "self", "terraform", "var"}


@dataclass(frozen=True)
class Reference:
    """`aws_lb.inner.subnet_mapping[0].subnet_id`: the address `aws_lb.inner`, then the path into its attributes."""

    address: str
    path: tuple[str | int, ...]

    def __str__(self) -> str:
        steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path)
        return _shown(self.address + "".join(steps))

    def within(self, attributes: Mapping[str, Any]) -> Any:
        """The value at the path; LookupError if there is none."""
        value: Any = attributes
        for step in self.path:
            match step, value:
                case (str(), Mapping()) | (int(), list()):
                    value = value[step]
                case 0, Mapping():
                    pass  # A block that Terraform counts (`block[0]`) may be a single object in JSON.
                case _:
                    raise LookupError(str(self))
        return value


def resolve(value: Any, where: str, lookup: Callable[[Reference], Any]) -> Any:
    """*value* with every reference in it replaced by `lookup(reference)`.

    *where* names the place in errors: a resource's address, or that and an argument. BadStack for any other expression.
    """
    if isinstance(value, str):
        return _render(value, where, lookup)
    if isinstance(value, list):
        return [resolve(item, where, lookup) for item in value]
    if isinstance(value, Mapping):
        if isinstance(value.get("dynamic"), Mapping | list):
            raise repeated(where, "dynamic")
        return {_render(key, where, lookup): resolve(item, _inside(where, key), lookup) for key, item in value.items()}
    return value


def mentioned(value: Any) -> Iterator[str]:
    """Whatever looks like an address in the expressions of *value*, also in those that `resolve` refuses."""
    if isinstance(value, str):
        for mark in re.finditer(r"[$%]\{", value):
            end = _closing_brace(value, mark.end())
            yield from re.findall(rf"(?<![\w.-]){_ADDRESS}", value[mark.end() : end])
    elif isinstance(value, list):
        for item in value:
            yield from mentioned(item)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from mentioned(key)
            yield from mentioned(item)


def repeated(where: str, by: str) -> BadStack:
    """The error for `count`, `for_each` and `dynamic`."""
    return BadStack(f"{where}: the twin does not expand {by}; let the construct make one resource or block for each.")


def _render(text: str, where: str, lookup: Callable[[Reference], Any]) -> Any:
    parts = [lookup(part) if isinstance(part, Reference) else part for part in _parts(text, where)]
    return parts[0] if len(parts) == 1 else "".join(_as_text(part, where) for part in parts)


def _as_text(part: Any, where: str) -> str:
    if isinstance(part, Mapping | list):
        raise BadStack(f"{where}: a reference inside a longer string must be to a single value, not a list or a block.")
    return part if isinstance(part, str) else json.dumps(part)


def _parts(text: str, where: str) -> Iterator[str | Reference]:
    start = 0
    while mark := _MARK.search(text, start):
        if literal := text[start : mark.start()]:
            yield literal
        if mark.group() in ("$${", "%%{"):
            yield mark.group()[1:]
            start = mark.end()
        else:
            end = _closing_brace(text, mark.end())
            yield _reference(text[mark.start() : end + 1], where)
            start = end + 1
    if start < len(text) or not text:
        yield text[start:]


def _closing_brace(text: str, start: int) -> int:
    """Where the brace stands that closes an expression; the text's length if none does."""
    depth, quoted = 1, False
    for index in range(start, len(text)):
        if text[index] == '"' and text[index - 1] != "\\":
            quoted = not quoted
        elif not quoted and text[index] in "{}":
            depth += 1 if text[index] == "{" else -1
            if depth == 0:
                return index
    return len(text)


def _reference(expression: str, where: str) -> Reference:
    match = _REFERENCE.fullmatch(expression[2:-1].strip()) if re.fullmatch(r"\$\{.*\}", expression) else None
    if match is None or match[1].partition(".")[0] in _NOT_RESOURCES:
        raise BadStack(
            f"{where}: {_shown(expression)} is more than a reference to a resource or data source; "
            "the twin resolves nothing else, so compute the value in the construct."
        )
    return Reference(match[1], tuple(_step(step) for step in _STEP.finditer(match[2])))


def _shown(expression: str) -> str:
    return expression if len(expression) <= _LONGEST_SHOWN else f"{expression[: _LONGEST_SHOWN - 3]}..."


def _step(step: re.Match[str]) -> str | int:
    return int(step["index"]) if step["index"] else step["name"] or step["key"]


def _inside(where: str, key: str) -> str:
    return f"{where}.{key}" if ", argument " in where else f"{where}, argument {key}"
