"""One setting: a dataclass field with its documentation and its rule."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["ANYTHING", "Rule", "between", "each", "matches", "one_of", "optional", "setting"]


@dataclass(frozen=True)
class Rule:
    """What a value must satisfy: *says* completes the sentence "must be ..."."""

    says: str
    holds: Callable[[Any], bool]


ANYTHING = Rule("anything", lambda _: True)


def between(low: int, high: int, unit: str = "") -> Rule:
    """A number from *low* to *high*, both included."""
    return Rule(f"{low} to {high} {unit}".rstrip(), lambda value: low <= value <= high)


def one_of(values: Collection[Any]) -> Rule:
    """One of *values*."""
    return Rule(f"one of {', '.join(str(value) for value in values)}", lambda value: value in values)


def matches(pattern: str, says: str) -> Rule:
    """Text that matches the whole of the regular expression *pattern*."""
    compiled = re.compile(pattern)
    return Rule(says, lambda value: compiled.fullmatch(value) is not None)


def optional(rule: Rule) -> Rule:
    """Empty, or what *rule* says."""
    return Rule(f"empty or {rule.says}", lambda value: not value or rule.holds(value))


def each(pattern: str, says: str) -> Rule:
    """A list, or the values of a map, in which every entry matches the whole of *pattern*."""
    compiled = re.compile(pattern)

    def holds(entries: Sequence[str] | Mapping[str, str]) -> bool:
        values = entries.values() if isinstance(entries, Mapping) else entries
        return all(compiled.fullmatch(value) for value in values)

    return Rule(says, holds)


def setting(default: Any, doc: str, rule: Rule = ANYTHING) -> Any:
    """A dataclass field with *default*, its documentation and its rule. The default of a map is the empty map."""
    metadata = {"doc": doc, "rule": rule}
    if default == {}:
        return dataclasses.field(default_factory=dict, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)
