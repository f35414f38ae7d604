"""Values of Terraform's expressions, as far as they follow from text: names that are known, literals, FUNCTIONS.

What needs more is UNKNOWN: Terraform evaluates it.

Source: https://developer.hashicorp.com/terraform/language/expressions
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from twin.stack.hcl import Expression, expression_of

__all__ = [
    "FUNCTIONS",
    "UNKNOWN",
    "Names",
    "bound",
    "escaped",
    "evaluate",
    "expression_in",
    "named",
    "pairs_of",
    "paths",
    "text_of",
]

Names = Mapping[str, Mapping[str, Expression]]
"""What the names after `var`, `local`, `each` and their like stand for, by these and the name."""

_DEEPEST = 60  # names within names
_MOST = 100_000  # parts of one expression, for locals that double each other
_LONGEST_RANGE = 1024  # Terraform's own limit


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Any = _Unknown()
"""A value that only Terraform knows."""


def named(values: Mapping[str, Any]) -> dict[str, Expression]:
    """*values* as names stand for them."""
    return {name: ("value", value) for name, value in values.items()}


def expression_in(value: Any) -> Expression:
    """The expression that *value* of Terraform's JSON is, with the templates in it."""
    if isinstance(value, str):
        return expression_of(value)
    if isinstance(value, list):
        return ("list", [expression_in(item) for item in value])
    if isinstance(value, Mapping):
        return ("object", [(expression_of(key), expression_in(item)) for key, item in value.items()])
    return ("value", value)


def bound(expression: Expression, names: Names) -> Expression:
    """*expression* with what *names* stand for in their place."""
    return _bound(expression, names, 0, [_MOST])


def _bound(expression: Expression, names: Names, depth: int, left: list[int]) -> Expression:
    kind, what = expression
    left[0] -= 1

    def again(inner: Expression, own: Names | None = None) -> Expression:
        return _bound(inner, {**names, **(own or {})}, depth + 1, left)

    match kind:
        case _ if depth > _DEEPEST or left[0] < 0:  # locals that name each other
            return ("other", None)
        case "template" | "list":
            return (kind, [again(item) for item in what])
        case "object":
            return (kind, [(again(key), again(item)) for key, item in what])
        case "call":
            return (kind, (what[0], [again(argument) for argument in what[1]]))
        case "path":
            steps: list[Any] = [again(step) if isinstance(step, tuple) else step for step in what[1:]]
            known = names.get(what[0], {})
            if "" in known:  # what a `for` goes over
                steps.insert(0, "")
            if not steps or not isinstance(steps[0], str) or steps[0] not in known:
                return (kind, [what[0], *steps])
            found = again(known[steps[0]])
            for step in steps[1:]:
                found = _member(found, step)
            return found
        case "for":
            of, source, key, value = what
            if (over := pairs_of(again(source))) is None:
                return ("other", None)
            # a single name is that of the values
            each = [{name: {"": item} for name, item in zip(of[::-1], pair[::-1], strict=False)} for pair in over]
            if key is None:
                return ("list", [again(value, own) for own in each])
            return ("object", [(again(key, own), again(value, own)) for own in each])
    return expression


def _member(expression: Expression, step: Any) -> Expression:
    kind, what = expression
    found: Expression = ("other", None)
    key = step[1] if isinstance(step, tuple) and step[0] == "value" else step
    try:
        match kind:
            case "path":
                found = (kind, [*what, step])
            case "object":
                found = next(item for name, item in what if name == ("value", key))
            case "list":
                found = what[key]
            case "value" if isinstance(what, dict | list):
                found = (kind, what[key])
    except (LookupError, TypeError, StopIteration):
        pass  # Terraform would say that it is not there
    return found


def pairs_of(expression: Expression) -> list[tuple[Expression, Expression]] | None:
    """Key and value of all in a bound *expression*: of a set the value twice, of a list its index; None: unknown."""
    kind, what = expression
    is_set = kind == "call" and what[0] == "toset"
    if kind == "call" and what[0] in ("toset", "tomap", "tolist") and len(what[1]) == 1:
        kind, what = what[1][0]
    if kind in ("call", "value"):
        kind, what = expression_in(escaped(_value((kind, what), {})))
    if kind == "object":
        return list(what)
    if kind != "list":
        return None
    if is_set:
        return [(item, item) for item in {repr(item): item for item in what}.values()]
    return [(("value", index), item) for index, item in enumerate(what)]


def evaluate(expression: Expression, names: Names | None = None, resources: Mapping[str, Any] | None = None) -> Any:
    """What *expression* is, as JSON has it, or UNKNOWN.

    Args:
        resources: the values of whole paths (`aws_vpc.main.id`). Without them `jsonencode` gives what it encodes.
    """
    return _value(bound(expression, names or {}), resources)


def _value(expression: Expression, resources: Mapping[str, Any] | None) -> Any:
    kind, what = expression
    match kind:
        case "value":
            return what
        case "template":
            parts = [_value(part, resources) for part in what]
            if any(not isinstance(part, str | int | float | bool) for part in parts):
                return UNKNOWN
            return "".join(str(part).lower() if isinstance(part, bool) else str(part) for part in parts)
        case "list":
            return [_value(item, resources) for item in what]
        case "object":
            pairs = [(_value(key, resources), _value(item, resources)) for key, item in what]
            return {key: item for key, item in pairs if isinstance(key, str)}
        case "call":
            name, arguments = what[0], [_value(argument, resources) for argument in what[1]]
            if name == "jsonencode" and resources is None:
                return arguments[0] if len(arguments) == 1 else UNKNOWN
            return call(name, arguments)
        case "path":
            return (resources or {}).get(path_of(what) or "", UNKNOWN)
    return UNKNOWN


def text_of(expression: Expression) -> str | None:
    """*expression* as a template of Terraform's JSON; None if it was not read, as an operation."""
    try:
        if expression[0] == "template":
            return "".join(_part(part) for part in expression[1])
        return _part(expression)
    except ValueError:
        return None


def _part(expression: Expression) -> str:
    kind, what = expression
    return escaped(what) if kind == "value" and isinstance(what, str) else f"${{{_written(expression)}}}"


def escaped(value: Any) -> Any:
    """*value* with its texts such that they are no templates."""
    if isinstance(value, str):
        return value.replace("${", "$${").replace("%{", "%%{")
    if isinstance(value, list):
        return [escaped(item) for item in value]
    if isinstance(value, Mapping):
        return {escaped(key): escaped(item) for key, item in value.items()}
    return value


def _written(expression: Expression) -> str:
    kind, what = expression
    match kind:
        case "value":
            return json.dumps(escaped(what))
        case "template":
            texts = (json.dumps(_part(p))[1:-1] if p[0] == "value" else _part(p) for p in what)
            return f'"{"".join(texts)}"'
        case "list":
            return f"[{', '.join(map(_written, what))}]"
        case "object":
            return f"{{{', '.join(f'({_written(key)}) = {_written(item)}' for key, item in what)}}}"
        case "call":
            return f"{what[0]}({', '.join(map(_written, what[1]))})"
        case "path" if (path := path_of(what)) is not None:
            return path
    raise ValueError(kind)


def call(name: str, arguments: Sequence[Any]) -> Any:
    """What Terraform's function *name* gives; UNKNOWN if it is none of FUNCTIONS, or takes other arguments."""
    if name not in FUNCTIONS or _is_unknown(arguments):
        return UNKNOWN
    try:
        return FUNCTIONS[name](*arguments)
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError):
        return UNKNOWN


def _is_unknown(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_is_unknown(item) for item in value.values())
    return value is UNKNOWN or (isinstance(value, list | tuple) and any(_is_unknown(item) for item in value))


def paths(expression: Expression) -> Iterator[str] | None:
    """The paths in *expression*; None if there is more in it than values, paths and FUNCTIONS."""
    found: list[str] = []
    left = [expression]
    while left:
        kind, what = left.pop()
        if kind == "path":
            if (path := path_of(what)) is None:
                return None
            found.append(path)
        elif kind == "call" and what[0] in FUNCTIONS:
            left += what[1]
        elif kind in ("list", "template"):
            left += what
        elif kind == "object":
            left += [each for pair in what for each in pair]
        elif kind != "value":
            return None
    return iter(found)


def path_of(steps: Sequence[Any]) -> str | None:
    """`aws_subnet.main[0].id` as text; None if a step is computed."""
    text = str(steps[0])
    for step in steps[1:]:
        if isinstance(step, tuple):
            if step[0] != "value" or not isinstance(step[1], str | int):
                return None
            text += f"[{json.dumps(step[1])}]"
        elif step == "*":
            text += "[*]"
        else:
            text += f".{step}"
    return text


def _cidrsubnet(prefix: str, bits: int, number: int) -> str:
    network = ipaddress.ip_network(prefix, strict=False)
    length = network.prefixlen + bits
    if length > network.max_prefixlen or not 0 <= number < 2**bits:
        raise ValueError(prefix)
    address = int(network.network_address) + (number << (network.max_prefixlen - length))
    return str(ipaddress.ip_network((address, length)))


def _range(*bounds: int) -> list[int]:
    found = range(*bounds)
    if len(found) > _LONGEST_RANGE:
        raise ValueError(bounds)
    return list(found)


def _merge(*maps: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for each in maps for key, value in each.items()}


# https://developer.hashicorp.com/terraform/language/functions: those that constructs and modules use most, by far.
FUNCTIONS: Mapping[str, Any] = {
    "cidrhost": lambda prefix, number: str(ipaddress.ip_network(prefix)[number]),
    "cidrsubnet": _cidrsubnet,
    "coalesce": lambda *values: next(value for value in values if value not in (None, "")),
    "concat": lambda *lists: [item for each in lists for item in [*each]],
    "element": lambda items, number: items[number % len(items)],
    "join": lambda separator, items: separator.join(items),
    "jsonencode": lambda value: json.dumps(value, separators=(",", ":")),
    "keys": sorted,
    "length": len,
    "lower": lambda text: text.lower(),
    "merge": _merge,
    "lookup": lambda items, key, *default: items[key] if key in items else default[0],
    "nonsensitive": lambda value: value,
    "one": lambda items: items[0] if items else None,
    "range": _range,
    "replace": lambda text, old, new: text.replace(old, new),
    "split": lambda separator, text: text.split(separator),
    "tolist": lambda value: value,
    "tomap": lambda value: value,
    "toset": lambda value: value,
    "tostring": lambda value: value if isinstance(value, str) else json.dumps(value),
    "upper": lambda text: text.upper(),
    "values": lambda items: [items[key] for key in sorted(items)],
}
