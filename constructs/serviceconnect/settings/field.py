"""One setting: a dataclass field with its documentation and its rule."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Rule", "between", "each", "matches", "one_of", "optional", "setting"]


@dataclass(frozen=True)
class Rule:
    """What a value must satisfy: *says* completes the sentence "must be ..."."""

    says: str
    holds: Callable[[Any], bool]


ANYTHING = Rule("anything", lambda _: True)


def between(low: int, high: int, unit: str = "") -> Rule:
    """A number from *low* to *high*, both included."""
    return Rule(f"{low} to {high}{' ' + unit if unit else ''}", lambda value: low <= value <= high)


def one_of(values: Collection[Any]) -> Rule:
    """One of *values*."""
    return Rule(f"one of {', '.join(str(value) for value in values)}", lambda value: value in values)


def matches(pattern: str, says: str) -> Rule:
    """Text that matches all of the regular expression *pattern*."""
    compiled = re.compile(pattern)
    return Rule(says, lambda value: compiled.fullmatch(value) is not None)


def optional(rule: Rule) -> Rule:
    """Empty, or what *rule* says."""
    return Rule(f"empty or {rule.says}", lambda value: not value or rule.holds(value))


def each(rule: Rule) -> Rule:
    """A list (or the values of a map) in which every entry satisfies *rule*."""

    def holds(values: Sequence[Any] | dict[str, Any]) -> bool:
        return all(rule.holds(value) for value in (values.values() if isinstance(values, dict) else values))

    return Rule(f"entries that are {rule.says}", holds)


def setting(default: Any, doc: str, rule: Rule = ANYTHING) -> Any:
    """A dataclass field with *default*, its documentation and its rule. A map's default is always empty."""
    metadata = {"doc": doc, "rule": rule}
    if default == {}:
        return dataclasses.field(default_factory=dict, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)
