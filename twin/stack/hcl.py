"""Terraform's own language as text: its blocks, and expressions of values, paths, calls and templates.

Of every other expression it finds the end: ("other", None). `twin.stack.expressions` has values.

Source: https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twin.errors import BadStack

__all__ = ["Block", "Expression", "blocks_in", "blocks_of", "expression_of", "parse"]

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
        if self._is_at("for"):
            return self._for("]")
        while self._kind != "]":
            items.append(self.expression(nested=True))
            self._skip("newline", ",")
        self._take()
        return ("list", items)

    def _object(self) -> Expression:
        pairs: list[tuple[Expression, Expression]] = []
        self._skip("newline")
        if self._is_at("for"):
            return self._for("}")
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

    def _is_at(self, word: str) -> bool:
        return self._kind == "name" and self._tokens[self._at][1][0] == word

    def _for(self, end: str) -> Expression:
        """A `for` expression up to its *end*: its names, what it goes over, key and value; a list's key is None."""
        self._take()
        names = [str(self._take("name"))]
        while self._kind == ",":
            self._take()
            names.append(str(self._take("name")))
        if not self._is_at("in"):
            raise _Wrong("in is missing", self._tokens[self._at][1][1])
        self._take()
        source = self.expression(nested=True)
        self._take(":")
        key, value = None, self.expression(nested=True)  # of one with an `if` it is ("other", None)
        if self._kind == "=>":
            self._take()
            key, value = value, self.expression(nested=True)
        self._take(end)
        return ("for", (names, source, key, value))

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
