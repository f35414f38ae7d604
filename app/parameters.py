"""What requests ask for, checked."""

import re
from collections.abc import Collection, Mapping

from starlette.requests import Request


class BadParameter(Exception):
    """A parameter breaks its rule; the message names it, its value and the rule."""


def whole_number(given: Mapping[str, str], name: str, most: int, *, least: int = 0, default: int | None = None) -> int:
    """The number that *given* has under *name*. Raises BadParameter."""
    text = given.get(name)
    if text is None and default is not None:
        return default
    # int() alone would also take "+5", "5_000" and digits of other scripts.
    if text is None or not re.fullmatch(r"0*[0-9]{1,9}", text, re.ASCII) or not least <= int(text) <= most:
        said = "is missing" if text is None else f"is {text!r}"
        raise BadParameter(f"{name} {said}: it must be a whole number from {least} to {most}.")
    return int(text)


def one_of(request: Request, name: str, values: Collection[str], default: str | None = None) -> str:
    """The query parameter *name*, one of *values*. Raises BadParameter."""
    text = request.query_params.get(name, default)
    if text is None or text not in values:
        said = "is missing" if text is None else f"is {text!r}"
        raise BadParameter(f"{name} {said}: it must be one of {', '.join(values)}.")
    return text
