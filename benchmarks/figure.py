"""One figure: what was measured by turns, and what follows from it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

__all__ = ["Figure", "Goal", "measure"]

T = TypeVar("T")


@dataclass(frozen=True)
class Goal:
    """What a figure should be.

    Attributes:
        of: what is bounded: "ratio", "value" (the median of ours, in the figure's unit) or "difference" (the median of
            ours less theirs).
        bound: at most that much where less is better, at least that much where more is.
    """

    of: Literal["ratio", "value", "difference"]
    bound: float


@dataclass(frozen=True)
class Figure:
    """Ours beside theirs, turn by turn.

    Attributes:
        name: by which two runs are compared: lower case, with hyphens.
        what: what ours is.
        against: what theirs is.
        unit: of the values.
        better: which values are.
        ours: one a turn.
        theirs: of the same turns.

    Raises:
        ValueError: no turns, or not as many of either.
    """

    name: str
    what: str
    against: str
    unit: str
    better: Literal["less", "more"]
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    goal: Goal | None = None

    def __post_init__(self) -> None:
        if not self.ours or len(self.ours) != len(self.theirs):
            raise ValueError(f"{self.name} has {len(self.ours)} turns of ours and {len(self.theirs)} of theirs.")

    @property
    def value(self) -> float:
        """The median of ours."""
        return statistics.median(self.ours)

    @property
    def reference(self) -> float:
        """The median of theirs."""
        return statistics.median(self.theirs)

    @property
    def ratios(self) -> list[float]:
        """Ours of each turn, of theirs in the same turn: what lasts longer than a turn disturbs both alike."""
        return [a / b for a, b in zip(self.ours, self.theirs, strict=True)]

    @property
    def ratio(self) -> float:
        """Their median."""
        return statistics.median(self.ratios)

    @property
    def spread(self) -> tuple[float, float]:
        """Their quartiles."""
        if len(self.ratios) == 1:
            return self.ratio, self.ratio
        low, _, high = statistics.quantiles(self.ratios, n=4, method="inclusive")
        return low, high

    @property
    def difference(self) -> float:
        """The median of ours less theirs, turn by turn."""
        return statistics.median(a - b for a, b in zip(self.ours, self.theirs, strict=True))

    @property
    def met(self) -> bool | None:
        """Whether it is as the goal has it; None without one."""
        if self.goal is None:
            return None
        measured: float = getattr(self, self.goal.of)
        return measured <= self.goal.bound if self.better == "less" else measured >= self.goal.bound


def measure(variants: Mapping[str, Callable[[], T]], *, turns: int, seconds: float = 0.0) -> dict[str, list[T]]:
    """What each variant gives, by turns: A B A B and so on.

    Args:
        turns: at least so many of each. The first, which fills caches, is taken beside them and not counted.
        seconds: further turns for so long.
    """
    found: dict[str, list[T]] = {name: [] for name in variants}
    end = time.monotonic() + seconds
    taken = 0
    while taken <= turns or time.monotonic() < end:
        for name, variant in variants.items():
            found[name].append(variant())
        taken += 1
    return {name: values[1:] for name, values in found.items()}
