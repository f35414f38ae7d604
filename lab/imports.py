"""Imports in less time: scipy and matplotlib make documentation as they are imported, which nobody reads here.

`from lab.imports import special` has scipy's special functions in half the time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

__all__ = ["special", "standing_in"]


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


class _NoDoc(defaultdict[str, list[Any]]):
    """A function's documentation by sections, of which scipy drops the first line."""

    def __init__(self, function: object) -> None:
        super().__init__(list)

    def __str__(self) -> str:
        return "\n"


# scipy copies every name of numpy's, and so imports what numpy itself leaves for later: the compiler of Fortran and
# helpers of tests. And it reads the documentation of each function, and adds where else than on numpy it works.
with standing_in(None, *((np, name) for name in ("f2py", "testing") if name not in vars(np))):
    from scipy._lib import _docscrape

    with standing_in(_NoDoc, (_docscrape, "FunctionDoc")):
        from scipy import special
