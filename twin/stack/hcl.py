"""Terraform's own language, as far as it can be read without Terraform: blocks, and values that follow from text.

What needs more than variables, locals, `each` and literals is UNKNOWN: Terraform evaluates it.

Source: https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twin.errors import BadStack

__all__ = [
    "FUNCTIONS",
    "UNKNOWN",
    "Block",
    "Scope",
    "blocks_in",
    "blocks_of",
    "evaluate",
    "expression_of",
    "parse",
    "paths",
]

_TOKEN = re.compile(
    r"""(?P<skip>[ \t\r]+|\#[^\n]*|//[^\n]*|/\*.*?\*/)
      |(?P<heredoc><<-?[ ]*(?P<tag>\w+)[ \t]*\r?\n)
      |(?P<newline>\n)
      |(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
      |(?P<name>[^\W\d][\w-]*)
      |(?P<quote>")
      |(?P<mark>=>|==|!=|<=|>=|&&|\|\||\.\.\.|[\[\]{}().,:?=<>!+*/%-])""",
    re.VERBOSE | re.DOTALL,
)
_OPENING, _CLOSING = {"{": "}", "[": "]", "(": ")"}, {"}", "]", ")"}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}
_LONGEST = 4 * 1024 * 1024  # bytes
_DEEPEST = 60  # values within values


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Any = _Unknown()
"""A value that only Terraform knows."""

Token = tuple[str, Any]
Expression = tuple[str, Any]  # a kind, and what belongs to it


@dataclass(frozen=True)
class Block:
    """`resource "aws_vpc" "main" { ... }`: its type, labels, arguments (unevaluated) and the blocks in it."""

    type: str
    labels: tuple[str, ...] = ()
    arguments: dict[str, Expression] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)

    def of_type(self, *path: str) -> Iterator[Block]:
        """The blocks in it whose type, and labels after it, begin as *path* does."""
        return (each for each in self.blocks if (each.type, *each.labels)[: len(path)] == path)


@dataclass(frozen=True)
class Scope:
    """What names stand for: `var` and `each` as values, `local` as expressions.

    `resources` are the values of whole paths (`aws_vpc.main.id`); where they are given, `jsonencode` gives text.
    """

    var: Mapping[str, Any] = field(default_factory=dict)
    local: Mapping[str, Expression] = field(default_factory=dict)
    each: Mapping[str, Any] = field(default_factory=dict)
    resources: Mapping[str, Any] | None = None


def parse(text: str, where: str) -> Block:
    """The blocks of a file, as those of a block without a type.

    Raises:
        BadStack: it is no HCL; the text names *where* and the line.
    """
    if len(text) > _LONGEST:
        raise BadStack(f"{where} has more than {_LONGEST} characters, and no Terraform file needs them: is it one?")
    try:
        return _Parser(list(_tokens(text))).body("end")
    except _Wrong as wrong:
        line = text.count("\n", 0, wrong.args[1]) + 1
        raise BadStack(f"{where}, line {line}: {wrong.args[0]}: `terraform validate` says more.") from None
    except RecursionError:
        raise BadStack(f"{where} is nested too deeply: `terraform validate` says more.") from None


def expression_of(text: str) -> Expression:
    """The expression that a string of Terraform's JSON is: a template, or the text itself if it is none."""
    try:
        return _template(list(_parts(text, 0, None))[:-1])
    except _Wrong:
        return ("value", text)


def evaluate(expression: Expression, scope: Scope, depth: int = 0) -> Any:
    """What *expression* is in *scope*, as JSON has it, or UNKNOWN; of `jsonencode` what it encodes."""
    kind, what = expression
    if depth > _DEEPEST:  # locals that name each other
        return UNKNOWN

    def value(inner: Expression) -> Any:
        return evaluate(inner, scope, depth + 1)

    match kind:
        case "value":
            return what
        case "template":
            parts = [value(part) for part in what]
            if any(not isinstance(part, str | int | float | bool) for part in parts):
                return UNKNOWN
            return "".join(str(part).lower() if isinstance(part, bool) else str(part) for part in parts)
        case "list":
            return [value(item) for item in what]
        case "object":
            pairs = [(value(key), value(item)) for key, item in what]
            return {key: item for key, item in pairs if isinstance(key, str)}
        case "call":
            name, arguments = what
            if name == "jsonencode" and scope.resources is None:
                return value(arguments[0]) if len(arguments) == 1 else UNKNOWN
            return call(name, [value(argument) for argument in arguments])
        case "path":
            path = path_of(what)
            if scope.resources is not None and path is not None and path in scope.resources:
                return scope.resources[path]
            return _within(what, scope, value)
    return UNKNOWN


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
            return None
        else:
            text += f".{step}"
    return text


def _cidrsubnet(prefix: str, bits: int, number: int) -> str:
    network = ipaddress.ip_network(prefix, strict=False)
    length = network.prefixlen + bits
    if not 0 <= number < 2**bits or length > network.max_prefixlen:
        raise ValueError(prefix)
    address = int(network.network_address) + (number << (network.max_prefixlen - length))
    return str(ipaddress.ip_network((address, length)))


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
    "length": len,
    "lower": lambda text: text.lower(),
    "merge": _merge,
    "nonsensitive": lambda value: value,
    "replace": lambda text, old, new: text.replace(old, new),
    "split": lambda separator, text: text.split(separator),
    "tolist": lambda value: value,
    "tomap": lambda value: value,
    "toset": lambda value: value,
    "tostring": lambda value: value if isinstance(value, str) else json.dumps(value),
    "upper": lambda text: text.upper(),
}


def _within(steps: Sequence[Any], scope: Scope, value: Any) -> Any:
    """The value of `var.a.b`, `local.a["b"]`, `each.value.a`."""
    root, *rest = steps
    if root not in ("var", "local", "each") or not rest or not isinstance(rest[0], str):
        return UNKNOWN
    name, *further = rest
    if root == "local":
        found = value(scope.local[name]) if name in scope.local else UNKNOWN
    else:
        found = {"var": scope.var, "each": scope.each}[root].get(name, UNKNOWN)
    for step in further:
        step = value(step) if isinstance(step, tuple) else step
        try:
            found = found[step] if isinstance(found, dict | list) else UNKNOWN
        except (LookupError, TypeError):
            return UNKNOWN
    return found


class _Wrong(Exception):
    """What is wrong, and at which character."""


def _tokens(text: str, at: int = 0, inside: bool = False) -> Iterator[Token]:
    """(kind, what, character) of *text*; *inside* of a template up to its closing brace, which comes as "end"."""
    depth = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _Wrong(f"{text[at]!r} has no place there", at)
        start, at = at, found.end()
        kind = str(found.lastgroup if found.lastgroup != "tag" else "heredoc")
        if kind == "quote":
            *parts, at = _parts(text, at, '"')
            yield "text", (parts, start)
        elif kind == "heredoc":
            end = re.compile(rf"^[ \t]*{found['tag']}[ \t]*\r?$", re.MULTILINE).search(text, at)
            if end is None:
                raise _Wrong(f"the text that begins with {found[0].strip()} has no end", start)
            *parts, _ = _parts(text[at : end.start()], 0, None)
            at = end.end()
            yield "text", (parts, start)
        elif kind == "mark" and inside and found[0] == "}" and depth == 0:
            yield "end", ("", at)
            return
        elif kind != "skip":
            depth += (found[0] in _OPENING) - (found[0] in _CLOSING)
            yield (found[0] if kind == "mark" else kind), (found[0], start)
    if inside:
        raise _Wrong("a template has no end", at)
    yield "newline", ("\n", at)
    yield "end", ("", at)


def _parts(text: str, at: int, end: str | None) -> Iterator[Any]:
    """The literal parts and expressions of a template, and last the character after its end."""
    literal: list[str] = []
    while end is not None or at < len(text):
        if at >= len(text):
            raise _Wrong("a text has no end", at)
        if text[at] == end:
            at += 1
            break
        if text.startswith(("$${", "%%{"), at):
            literal.append(text[at] + "{")
            at += 3
        elif text.startswith("${", at):
            tokens = list(_tokens(text, at + 2, inside=True))
            if literal:
                yield ("value", "".join(literal))
                literal = []
            yield _Parser([*tokens[:-1], ("newline", ("", at)), ("end", tokens[-1][1])]).whole()
            at = tokens[-1][1][1]
        elif text.startswith("%{", at):
            at = list(_tokens(text, at + 2, inside=True))[-1][1][1]
            yield ("other", None)
        elif text[at] == "\\" and end is not None and at + 1 < len(text):
            literal.append(_ESCAPES.get(text[at + 1], text[at : at + 2]))
            at += 2
        else:
            literal.append(text[at])
            at += 1
    if literal:
        yield ("value", "".join(literal))
    yield at


def _template(parts: Sequence[Expression]) -> Expression:
    if all(kind == "value" for kind, _ in parts):
        return ("value", "".join(str(what) for _, what in parts))
    return parts[0] if len(parts) == 1 else ("template", list(parts))


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def _kind(self) -> str:
        return self._tokens[self._at][0]

    def _take(self, *kinds: str) -> Any:
        kind, (what, at) = self._tokens[self._at]
        if kinds and kind not in kinds:
            raise _Wrong(f"{' or '.join(kinds)} is missing", at)
        self._at += 1
        return what

    def _skip(self, *kinds: str) -> None:
        while self._kind in kinds:
            self._at += 1

    def body(self, end: str, type: str = "", labels: tuple[str, ...] = ()) -> Block:
        """Arguments and blocks up to *end*."""
        block = Block(type, labels)
        while True:
            self._skip("newline", ",")
            if self._kind == end:
                self._take()
                return block
            name = self._take("name")
            if self._kind == "=":
                self._take()
                block.arguments[name] = self.expression()
                continue
            names = []
            while self._kind != "{":
                names.append(self._label())
            self._take("{")
            block.blocks.append(self.body("}", name, tuple(names)))

    def _label(self) -> str:
        if self._kind == "name":
            return str(self._take())
        parts = self._take("text")
        return "".join(str(what) for _, what in parts)

    def whole(self) -> Expression:
        """The one expression that there is, in brackets of its own: newlines do not end it."""
        self._tokens = [token for token in self._tokens[:-2] if token[0] != "newline"] + self._tokens[-2:]
        return self.expression()

    def expression(self, *, nested: bool = False) -> Expression:
        """One expression; what is more than a value, a path or a call is ("other", None)."""
        skipped = ("newline",) if nested else ()
        self._skip(*skipped)
        found = self._primary()
        self._skip(*skipped)
        if self._kind not in {"newline", ",", "end", ":", "=>", "=", *_CLOSING}:
            self._to_the_end(nested)
            return ("other", None)
        return found

    def _to_the_end(self, nested: bool) -> None:
        depth = 0
        while True:
            kind = self._kind
            if kind == "end" or (depth == 0 and (kind in {",", *_CLOSING} or (kind == "newline" and not nested))):
                return
            depth += (kind in _OPENING) - (kind in _CLOSING)
            self._at += 1

    def _primary(self) -> Expression:
        kind = self._kind
        if kind == "text":
            return _template(self._take())
        if kind == "number":
            text = self._take()
            return ("value", int(text) if text.isdigit() else float(text))
        if kind == "[":
            self._take()
            return self._list()
        if kind == "{":
            self._take()
            return self._object()
        if kind == "name":
            return self._named()
        if kind in ("(", "-", "!"):  # more than a value
            return ("other", None)
        raise _Wrong("a value is missing", self._tokens[self._at][1][1])

    def _list(self) -> Expression:
        items: list[Expression] = []
        self._skip("newline")
        if self._kind == "name" and self._tokens[self._at][1][0] == "for":
            return self._unread("]")
        while self._kind != "]":
            items.append(self.expression(nested=True))
            self._skip("newline", ",")
        self._take()
        return ("list", items)

    def _object(self) -> Expression:
        pairs: list[tuple[Expression, Expression]] = []
        self._skip("newline")
        if self._kind == "name" and self._tokens[self._at][1][0] == "for":
            return self._unread("}")
        while self._kind != "}":
            if self._kind == "(":
                self._take()
                key = self.expression(nested=True)
                self._take(")")
            else:
                key = (
                    ("value", str(self._take())) if self._kind in ("name", "number") else _template(self._take("text"))
                )
            self._take("=", ":")
            pairs.append((key, self.expression()))
            self._skip("newline", ",")
        self._take()
        return ("object", pairs)

    def _unread(self, end: str) -> Expression:
        """A `for` expression, up to its *end*."""
        depth = 0
        while depth or self._kind != end:
            if self._kind == "end":
                raise _Wrong(f"{end} is missing", self._tokens[self._at][1][1])
            depth += (self._kind in _OPENING) - (self._kind in _CLOSING)
            self._at += 1
        self._take()
        return ("other", None)

    def _named(self) -> Expression:
        name = self._take()
        if name in ("true", "false", "null"):
            return ("value", {"true": True, "false": False, "null": None}[name])
        if self._kind == "(":
            self._take()
            arguments: list[Expression] = []
            self._skip("newline")
            while self._kind != ")":
                arguments.append(self.expression(nested=True))
                self._skip("newline", ",", "...")
            self._take()
            found: Expression = ("call", (name, arguments))
            return ("other", None) if self._kind in (".", "[") else found
        steps: list[Any] = [name]
        while self._kind in (".", "["):
            if self._take() == ".":
                steps.append(self._take("name", "number", "*"))
            elif self._kind == "*":
                self._take()
                steps.append("*")
                self._take("]")
            else:
                steps.append(self.expression(nested=True))
                self._take("]")
        return ("path", steps)


def blocks_in(file: Path) -> Block:
    """What *file* has.

    Raises:
        BadStack: it cannot be read.
    """
    try:
        return parse(file.read_text(encoding="utf-8"), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise BadStack(f"{file} cannot be read ({error}): `terraform validate` says more.") from None


def blocks_of(folder: Path) -> list[tuple[Path, Block]]:
    """What each `*.tf` of *folder* has; BadStack as for `blocks_in`."""
    return [(file, blocks_in(file)) for file in sorted(folder.glob("*.tf"))]
