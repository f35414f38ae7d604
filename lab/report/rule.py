"""Which settings of a sweep lost nothing, as a rule where there is one. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

__all__ = ["rule"]

_MOST_CLAUSES = 3

Setting = tuple[float, ...]


def rule(names: Sequence[str], lossless: Mapping[Setting, bool]) -> str:
    """Such as `drain_seconds of 5 or more with discovery_ttl of 10 or less`; "" where no short rule says it all.

    lossless: whether a setting, the values of one or two *names*, lost nothing. The rule tells all that did, and there
    is none where a combination of values is missing.
    """
    values = [sorted(set(column)) for column in zip(*lossless, strict=True)]
    if set(lossless) != set(itertools.product(*values)):
        return ""
    if len(names) == 1:
        return _stretch(names[0], values[0], [value for (value,), is_lossless in lossless.items() if is_lossless])
    (one, other), (first, second) = names, values
    found = [
        _clauses(one, first, other, second, {a: tuple(b for b in second if lossless[a, b]) for a in first}),
        _clauses(other, second, one, first, {b: tuple(a for a in first if lossless[a, b]) for b in second}),
    ]
    # Few clauses, and the first of them as wide as may be.
    clauses = min((each for each in found if each), key=lambda each: (len(each), -each[0][0]), default=[])
    return ", and ".join(clause for _, clause in clauses) if len(clauses) <= _MOST_CLAUSES else ""


def _clauses(
    name: str, values: Sequence[float], other: str, others: Sequence[float], good: Mapping[float, Setting]
) -> list[tuple[int, str]]:
    """A clause for each stretch of values of *name* with the same *good* values of the other, and of how many settings.

    The widest comes first; there are none where the good values of one are no stretch.
    """
    sized = []
    for same, group in itertools.groupby(values, key=good.__getitem__):
        if same:
            stretch = list(group)
            first, second = _stretch(name, values, stretch), _stretch(other, others, same)
            if not second:
                return []
            sized.append((len(stretch) * len(same), f"{first} with {second}"))
    return sorted(sized, key=lambda pair: -pair[0])


def _stretch(name: str, values: Sequence[float], chosen: Sequence[float]) -> str:
    """The *chosen* of the rising *values* in words; "" where there is none, or where they do not follow each other."""
    chosen = sorted(chosen)
    if not chosen or chosen != values[values.index(chosen[0]) :][: len(chosen)]:
        return ""
    low, high = chosen[0], chosen[-1]
    if len(chosen) == len(values):
        return f"every {name}"
    if low == high:
        return f"{name} {low:g}"
    if high == values[-1]:
        return f"{name} of {low:g} or more"
    return f"{name} of {high:g} or less" if low == values[0] else f"{name} of {low:g} to {high:g}"
