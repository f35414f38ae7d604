"""What cannot be put back is told to the user, with the command that does it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from lab.errors import LabError, Missing

__all__ = ["NotPutBack", "putting_back"]


class NotPutBack(Missing):
    """Something is left as the experiment made it; the message says what, and how to put it back."""


@contextlib.contextmanager
def putting_back(left: str) -> Iterator[None]:
    """Around what puts something back, with all that it reads for it; to be used where a `finally` begins.

    Raises:
        NotPutBack: it could not be: why, and what is *left*, after what an earlier one says of what it left.
    """
    meanwhile = sys.exception()  # it would be hidden by ours
    try:
        yield
    except LabError as error:
        told = [str(each).rstrip(".") for each in (meanwhile, error) if isinstance(each, LabError)]
        if told[-1] in told[0]:
            del told[1:]
        raise NotPutBack(f"{'; '.join([*told, left])}.") from None
