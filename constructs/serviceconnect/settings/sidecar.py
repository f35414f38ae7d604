"""A container beside the service's in each task: a collector of traces, an agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import ConfigDict, TypeAdapter, ValidationError

__all__ = ["Sidecar", "sidecars"]


@dataclass(frozen=True, kw_only=True)
class Sidecar:
    """A container of every task, on the service's network: the service reaches it at 127.0.0.1.

    It starts before the service's container and is stopped after it.

    Args:
        image: with its tag or digest.
        command: empty: the image's own.
        ports: on which it listens: for ECS's descriptions, and so that the twin leads the service there.
        user: by number; empty: the image's own.
        essential: whether the task ends with it.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    image: str
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    user: str = ""
    essential: bool = False

    def __str__(self) -> str:
        return self.name


_SIDECARS = TypeAdapter(tuple[Sidecar, ...])


def sidecars(text: str) -> tuple[Sidecar, ...]:
    """Those of *text*, a list in JSON. Raises ValueError, whose text says the first thing that is wrong, and where."""
    try:
        return _SIDECARS.validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part + 1 if isinstance(part, int) else part) for part in first["loc"])
        raise ValueError(f"{where}: {first['msg']}" if where else first["msg"]) from None
