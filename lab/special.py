"""scipy's special functions, imported in half the time: `from lab.special import special`."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from lab.imports import standing_in

__all__ = ["special"]


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
