"""What a route's key becomes: part of a construct's id, and the same route under the load balancer's prefix."""

from __future__ import annotations

import re
from urllib.parse import quote

from serviceconnect.settings.gateway import COMPARISON_PREFIX

__all__ = ["prefixed", "slug"]


def slug(route: str) -> str:
    """*route* as part of a construct's id, different for each route: ``GET /users/all`` becomes ``GET-users%2Fall``."""
    return quote(route.replace(" /", "-", 1), safe="")


def prefixed(route: str) -> tuple[str, str]:
    """The key of *route* under ``/alb``, and API Gateway's expression for the path without it.

    ``GET /users/{id}`` gives ``GET /alb/users/{id}`` and ``/users/$request.path.id``; ``$request.path`` would have the
    prefix in it.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html
    """
    method, _, path = route.partition(" ")
    if route == "$default":
        method, path = "ANY", "/{proxy+}"
    return f"{method} {COMPARISON_PREFIX}{path.rstrip('/')}", re.sub(r"\{([\w.-]+)\+?\}", r"$request.path.\1", path)
