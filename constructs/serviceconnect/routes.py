"""What a route's key becomes: part of a construct's id, a key under the load balancer's prefix, one for preflights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import quote

from serviceconnect.settings.gateway import COMPARISON_PREFIX, VARIABLE, without_names

__all__ = ["prefixed", "preflights", "slug"]


def slug(route: str) -> str:
    """*route* as part of a construct's id, different for each route: ``GET /users/all`` becomes ``GET-users%2Fall``.

    A variable has no name in it, so that another name changes the route in place: a second route beside the first would
    be refused.
    """
    return quote(without_names(route).replace(" /", "-", 1), safe="")


def prefixed(route: str) -> tuple[str, str]:
    """The key of *route* under ``/alb``, and API Gateway's expression for the path without it.

    ``GET /users/{id}`` gives ``GET /alb/users/{id}`` and ``/users/$request.path.id``; ``$request.path`` would have the
    prefix in it.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html
    """
    method, _, path = route.partition(" ")
    if route == "$default":
        method, path = "ANY", "/{proxy+}"
    return f"{method} {COMPARISON_PREFIX}{path if path != '/' else ''}", VARIABLE.sub(r"$request.path.\g<name>", path)


def preflights(keys: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each of *keys* that takes a browser's preflights too, with a key that takes them from it.

    API Gateway answers preflights itself, but where a route takes OPTIONS it asks for that route's authorization first,
    which no browser gives. Keys that are among *keys* are left to them.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
    """
    taken = {without_names(key) for key in keys}
    for key in keys:
        method, _, path = key.partition(" ")
        # A greedy variable needs something to match, so that the root has a route of its own.
        paths = ["/{proxy+}", "/"] if key == "$default" else [path] if method == "ANY" else []
        for preflight in (f"OPTIONS {path}" for path in paths):
            if without_names(preflight) not in taken:
                taken.add(without_names(preflight))
                yield key, preflight
