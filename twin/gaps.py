"""What of a stack is not as on AWS. Every part names its own gaps; `twin ps` lists those of all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

__all__ = ["NO_USE", "Gap", "HasGaps", "gaps_of"]

NO_USE = "the twin has no use for it"


@dataclass(frozen=True)
class Gap:
    """Something that a stack asks for, and that has no effect, or another than on AWS, on this machine.

    Attributes:
        where: whose it is, such as `aws_ecs_service.app`, `task definition shop:1, container app`, `route GET /b`.
        what: which argument or member of it; empty: all of it.
        why: the reason, and what is done instead.
        works_here: it has its effect on this machine, and may have none on AWS.
    """

    where: str
    what: str
    why: str
    works_here: bool = False

    def __str__(self) -> str:
        return f"{self.where}, {self.what}: {self.why}" if self.what else f"{self.where}: {self.why}"


class HasGaps(Protocol):
    """A part of the twin."""

    @property
    def gaps(self) -> Iterable[Gap]:
        """Those that it has now."""


def gaps_of(*parts: HasGaps) -> list[Gap]:
    """The gaps of all *parts*, each once: two services may run one task definition."""
    return list(dict.fromkeys(gap for part in parts for gap in part.gaps))
