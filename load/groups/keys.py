"""What requests are grouped by: `header:NAME`, `url-host`, `json:PATH`, or a function of one's own.

A key is called for each request that Locust reports, with the response (None where there is none), the URL, the context
and the exception of Locust's `request` event, and gives the group, None or "" where it is not known. A function's
attribute `detail` is the key of what is beside its groups, in place of the locustfile's. With an attribute `header` it
is not called for a response where this header is the name of a group that it gave before.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

__all__ = ["FORMS", "Key", "key_of", "named", "parse"]

Key = Callable[[Any, str, Any, BaseException | None], object]
"""From response, URL, context and exception to a group, of which `named` makes the name."""

FORMS = "header:NAME, url-host, json:PATH or module:function"

_LONGEST = 200  # characters of a name


def key_of(by: str | Key) -> Key:
    """The key that a text or a function of one's own describes. Raises ValueError as `parse`."""
    return parse(by) if isinstance(by, str) else by


def parse(text: str) -> Key:
    """The key that an option describes. Raises ValueError with the text, the rule and an example."""
    kind, _, what = text.partition(":")
    match kind:
        case "url-host" if text == "url-host":
            return lambda response, url, context, exception: _host_of(url)
        case "header" if what:
            return _Header(what)
        case "json" if what:
            return _json(what.split("."))
        case _ if what and kind.replace(".", "").isidentifier() and what.isidentifier():
            return _function(kind, what)
    raise ValueError(f"{text!r}: {FORMS} is needed, such as header:x-served-by.")


def named(value: object) -> str:
    """The name of a group: one line of text, cut where it is too long to be read; "" for None.

    In quotes where it is in parentheses, as the rows are that stand for other groups and for none.
    """
    # Cut before it is remembered: an answer may name itself with megabytes.
    return "" if value is None else _line(str(value)[:_LONGEST])


@lru_cache(maxsize=4096)
def _line(text: str) -> str:
    line = "".join(c if c.isprintable() else " " for c in text).strip()
    return f'"{line}"' if line.startswith("(") and line.endswith(")") else line


@lru_cache(maxsize=4096)
def _host_of(url: str) -> str:
    return named(url.partition("://")[2].partition("/")[0].partition("?")[0].rpartition("@")[2].lower())


class _Header:
    """The value of a header."""

    def __init__(self, name: str) -> None:
        self.header = name

    def __call__(self, response: Any, url: str, context: Any, exception: BaseException | None) -> object:
        headers = getattr(response, "headers", None)
        value = None if headers is None else headers.get(self.header)
        # geventhttpclient gives a list where a field is repeated.
        return value[0] if isinstance(value, list) else value


def _json(path: list[str]) -> Key:
    def key(response: Any, url: str, context: Any, exception: BaseException | None) -> object:
        try:
            value = json.loads(response.content)
            for part in path:
                value = value[int(part)] if isinstance(value, list) else value[part]
        except (AttributeError, ValueError, LookupError, TypeError, RecursionError):
            return None  # no JSON, or not with this path
        return value if value is None or isinstance(value, str) else json.dumps(value)

    return key


def _function(module: str, name: str) -> Key:
    here = str(Path.cwd())
    if here not in sys.path:  # where a locustfile finds its modules
        sys.path.insert(0, here)
    try:
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{module}:{name}: {error}; name a function of a module beside the locustfile.") from None
    if not callable(function):
        raise ValueError(f"{module}:{name} is no function.")
    return cast(Key, function)
