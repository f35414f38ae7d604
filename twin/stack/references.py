"""Terraform's string templates, as far as the twin goes: plain references to resources and data sources.

    "${aws_vpc.main.id}"                     one reference: it takes the value's type
    "${data.aws_region.now.name}-tasks"      one inside a longer string
    "${aws_lb.internal.subnet_mapping[0]}"   a path into the attributes
    "${aws_subnet.all[*].id}"                one of all instances of a resource with `count`
    "$${literally}"                          Terraform's way to write `${literally}`

    "${cidrsubnet(aws_vpc.main.cidr_block, 8, 1)}"  a function that `twin.stack.expressions` has, of such references

Every other expression is NotEvaluated: Terraform evaluates it (`twin up --empty -- terraform apply`).

Source: https://developer.hashicorp.com/terraform/language/expressions/strings#string-templates
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from twin.errors import BadStack
from twin.stack.expressions import UNKNOWN, evaluate, paths
from twin.stack.hcl import Expression, expression_of

__all__ = ["NOT_EXPANDED", "NotEvaluated", "Reference", "mentioned", "resolve"]

NOT_EXPANDED = "the twin does not expand {} here; let the construct make one resource or block for each"
"""Of `count`, `for_each` and `dynamic`."""

_LONGEST_SHOWN = 200  # characters
_MARK = re.compile(r"\$\$\{|%%\{|\$\{|%\{")
_ADDRESS = r"(?:data\.)?[A-Za-z_][\w-]*\.[A-Za-z_][\w-]*"
_REFERENCE = re.compile(rf'({_ADDRESS})((?:\.[A-Za-z_*][\w-]*|\[(?:\d+|\*)\]|\["[^"\\]*"\])+)')
_STEP = re.compile(r'(?P<all>\.\*|\[\*\])|\.(?P<name>[\w-]+)|\[(?P<index>\d+)\]|\["(?P<key>[^"]*)"\]')
# What else may stand before a dot: https://developer.hashicorp.com/terraform/language/expressions/references
_NOT_RESOURCES = {"count", "each", "local", "module", "path", "self", "terraform", "var"}


class NotEvaluated(BadStack):
    """An expression that only Terraform evaluates; `what` is it, and why the twin does not."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}.")
        self.what = what


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
        return self._follow(attributes, self.path)

    def _follow(self, value: Any, path: tuple[str | int, ...]) -> Any:
        for number, step in enumerate(path, 1):
            match step, value:
                case "*", list():
                    return [self._follow(item, path[number:]) for item in value]
                case (str(), Mapping()) | (int(), list()):
                    value = value[step]
                case 0, Mapping():
                    pass  # A block that Terraform counts (`block[0]`) may be a single object in JSON.
                case _:
                    raise LookupError(str(self))
        return value


def resolve(value: Any, where: str, lookup: Callable[[Reference], Any]) -> Any:
    """*value* with every reference in it replaced by `lookup(reference)`.

    *where* names the place in errors: a resource's address, or that and an argument. NotEvaluated for any other
    expression.
    """
    if isinstance(value, str):
        return _render(value, where, lookup)
    if isinstance(value, list):
        return [resolve(item, where, lookup) for item in value]
    if isinstance(value, Mapping):
        if isinstance(value.get("dynamic"), Mapping | list):
            raise NotEvaluated(where, NOT_EXPANDED.format("dynamic"))
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


@dataclass(frozen=True)
class _Computed:
    """An expression of functions and references."""

    text: str
    expression: Expression
    references: Mapping[str, Reference]

    def value(self, where: str, lookup: Callable[[Reference], Any]) -> Any:
        """What it gives; None where a reference gives None, as it does when references are only listed."""
        values = {path: lookup(reference) for path, reference in self.references.items()}
        if None in values.values():
            return None
        found = evaluate(self.expression, resources=values)
        if found is UNKNOWN:
            raise NotEvaluated(where, f"{_shown(self.text)} cannot be computed from {_shown(json.dumps(values))}")
        return found


def _render(text: str, where: str, lookup: Callable[[Reference], Any]) -> Any:
    parts = [_value(part, where, lookup) for part in _parts(text, where)]
    return parts[0] if len(parts) == 1 else "".join(_as_text(part, where) for part in parts)


def _value(part: str | Reference | _Computed, where: str, lookup: Callable[[Reference], Any]) -> Any:
    if isinstance(part, _Computed):
        return part.value(where, lookup)
    return lookup(part) if isinstance(part, Reference) else part


def _as_text(part: Any, where: str) -> str:
    if isinstance(part, Mapping | list):
        raise NotEvaluated(
            where, "a reference inside a longer string must be to a single value, not to a list or a block"
        )
    return part if isinstance(part, str) else json.dumps(part)


def _parts(text: str, where: str) -> Iterator[str | Reference | _Computed]:
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


def _reference(expression: str, where: str) -> Reference | _Computed:
    found = _plain(expression[2:-1].strip()) if re.fullmatch(r"\$\{.*\}", expression, re.DOTALL) else None
    if found is None and (computed := _computed(expression)) is not None:
        return computed
    if found is None:
        raise NotEvaluated(
            where,
            f"{_shown(expression)} is more than references and functions that the twin evaluates: compute it in the "
            "construct, or let Terraform, as in `twin up --empty -- terraform apply`",
        )
    return found


def _plain(text: str) -> Reference | None:
    match = _REFERENCE.fullmatch(text)
    if match is None or match[1].partition(".")[0] in _NOT_RESOURCES:
        return None
    return Reference(match[1], tuple(_step(step) for step in _STEP.finditer(match[2])))


def _computed(text: str) -> _Computed | None:
    """An expression that is no reference, if all there is in it can be evaluated."""
    expression = expression_of(text)
    found = paths(expression) if expression[0] in ("call", "list", "object") else None
    references = {path: _plain(path) for path in found} if found is not None else {"": None}
    known = {path: reference for path, reference in references.items() if reference is not None}
    return _Computed(text, expression, known) if len(known) == len(references) else None


def _shown(expression: str) -> str:
    return expression if len(expression) <= _LONGEST_SHOWN else f"{expression[: _LONGEST_SHOWN - 3]}..."


def _step(step: re.Match[str]) -> str | int:
    return int(step["index"]) if step["index"] else "*" if step["all"] else step["name"] or step["key"]


def _inside(where: str, key: str) -> str:
    return f"{where}.{key}" if ", argument " in where else f"{where}, argument {key}"
