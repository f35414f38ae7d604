"""Imports in less time: scipy and matplotlib make documentation as they are imported, which nobody reads here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["standing_in"]


@contextmanager
def standing_in(stand_in: Any, *attributes: tuple[Any, str]) -> Iterator[None]:
    """Within it each attribute, of a module or a class, is *stand_in*; after it, what it was, or not there again."""
    before = [(of, name, vars(of).get(name)) for of, name in attributes]
    for of, name in attributes:
        setattr(of, name, stand_in)
    try:
        yield
    finally:
        for of, name, was in before:
            if was is not None:
                setattr(of, name, was)
            elif vars(of).get(name) is stand_in:
                delattr(of, name)
