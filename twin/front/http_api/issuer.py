"""The keys of a JWT authorizer's issuer, found as OpenID Connect Discovery has it."""

from __future__ import annotations

import json
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from twin.errors import TwinError

__all__ = ["NoKeys", "fetch_keys"]

_TIMEOUT = 1.5  # seconds, for either document [apigw quotas]
_MOST = 150_000  # bytes [apigw quotas]


class NoKeys(TwinError):
    """The issuer gives no key that can be used; the text says why."""


def fetch_keys(issuer: str) -> str:
    """The issuer's RSA keys as a JWKS, in JSON: API Gateway takes no others.

    Raises:
        NoKeys: it does not answer, or has none.
    """
    try:
        configuration = _get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        keys = [key for key in _get(configuration["jwks_uri"])["keys"] if key.get("kty") == "RSA"]
    except (OSError, HTTPException, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise NoKeys(f"{issuer}: {error or type(error).__name__}") from None
    if not keys:
        raise NoKeys(f"{issuer}: no RSA key")
    return json.dumps({"keys": keys}, sort_keys=True)


def _get(url: str) -> Any:
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{url} is no URL of the web")
    with build_opener(_OnTheSameHost).open(url, timeout=_TIMEOUT) as answer:
        return json.loads(answer.read(_MOST))


class _OnTheSameHost(HTTPRedirectHandler):
    """What an issuer says leads to no other server, such as one of this machine or its network."""

    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Request | None:
        before, now = urlsplit(req.full_url), urlsplit(newurl)
        if now.netloc != before.netloc or now.scheme not in ("http", "https"):
            raise ValueError(f"{req.full_url} redirects to {newurl[:200]}, on another host: that is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
