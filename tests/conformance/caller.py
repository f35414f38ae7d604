"""Who calls the API: with what its authorization asks for."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx

from tests.conformance.conftest import Endpoint
from tests.twin.running import Signed

__all__ = ["Caller", "caller"]

Caller = httpx.Auth | Callable[[httpx.Request], httpx.Request] | None

_HOUR = 3600  # seconds: longer than the test may take


def caller(settings: dict[str, str], endpoint: Endpoint) -> Caller:
    """What signs a request, or gives it a token, for the stack with *settings*; None if anybody may call."""
    match settings.get("SC_AUTHORIZATION"):
        case "AWS_IAM":
            return Signed(endpoint.twin.credentials, "execute-api")
        case "JWT":
            token = endpoint.issuer.token(iss=settings["SC_JWT_ISSUER"], exp=int(time.time()) + _HOUR)

            def with_token(request: httpx.Request) -> httpx.Request:
                request.headers["authorization"] = f"Bearer {token}"
                return request

            return with_token
        case _:
            return None
