"""Route keys of HTTP APIs: which ones are, and which two may not be in one API.

Sources: the developer guide's page on routes.
Assumed: two keys conflict if they differ in nothing but the names of variables; other names below a common path do not.
"""

from __future__ import annotations

import re

__all__ = ["route_key_fault", "without_names"]

_METHODS = ("ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
_VARIABLE = re.compile(r"\{([^{}]*?)(\+?)\}")


def route_key_fault(key: str) -> str | None:
    """Why *key* is none of an HTTP API; None if it is one."""
    if key == "$default":
        return None
    method, _, path = key.partition(" ")
    if method not in _METHODS or not path.startswith("/"):
        return f"it must be $default, or one of {', '.join(_METHODS)} and a path that begins with /"
    if path != "/" and (path.endswith("/") or "//" in path):
        return "no segment of its path may be empty, so it cannot end with /"
    names = [match[1] for match in _VARIABLE.finditer(path)]
    if any(not name for name in names) or "{" in _VARIABLE.sub("", path) or "}" in _VARIABLE.sub("", path):
        return "a variable is written {name}"
    if repeated := {name for name in names if names.count(name) > 1}:
        return f"the variable {min(repeated)} is there twice"
    if any(match[2] and match.end() < len(path) for match in _VARIABLE.finditer(path)):
        return "a greedy variable must be the last segment"
    return None


def without_names(key: str) -> str:
    """*key* with every variable's name left out: what two routes of an API may not share."""
    return _VARIABLE.sub(r"{\2}", key)
