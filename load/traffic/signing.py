"""The headers that an API with authorization wants to see.

AWS_IAM: Signature Version 4 by botocore, with the credentials that the AWS CLI would take. JWT: the token in the
environment variable LOAD_JWT; it is no option, so that it shows neither in the web UI nor in a list of processes.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-access-control.html
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from functools import lru_cache

from load.errors import BadOption

__all__ = ["JWT_VARIABLE", "Authorize", "SigV4", "authorizer"]

JWT_VARIABLE = "LOAD_JWT"

Authorize = Callable[[str, str], Mapping[str, str]]
"""From a method and a whole URL to the headers of the request."""

# A signature is good for 5 minutes; within one, a URL is signed once, for botocore takes as long as the request.
_SIGNED_FOR = 60.0


class SigV4:
    """Signs requests to API Gateway in one Region."""

    def __init__(self, region: str) -> None:
        # botocore takes half a second to import, and most runs need none of it.
        import botocore.auth
        import botocore.awsrequest
        import botocore.session

        credentials = botocore.session.get_session().get_credentials()
        if credentials is None:
            raise BadOption("--authorization AWS_IAM: no AWS credentials were found; set AWS_PROFILE or log in.")
        self._request = botocore.awsrequest.AWSRequest
        self._auth = botocore.auth.SigV4Auth
        self._credentials = credentials
        self._region = region
        self._signed: dict[tuple[str, str], tuple[float, dict[str, str]]] = {}

    def __call__(self, method: str, url: str) -> Mapping[str, str]:
        """The signed headers of a request without a body."""
        signed_at, headers = self._signed.get((method, url), (-_SIGNED_FOR, {}))
        if time.monotonic() - signed_at >= _SIGNED_FOR:
            request = self._request(method=method, url=url)
            self._auth(self._credentials.get_frozen_credentials(), "execute-api", self._region).add_auth(request)
            headers = dict(request.headers)
            self._signed[method, url] = (time.monotonic(), headers)
        return headers


@lru_cache(maxsize=4)
def authorizer(authorization: str, region: str) -> Authorize | None:
    """What makes the headers for NONE (None), AWS_IAM or JWT; one for all users of a process.

    Raises BadOption where the Region, the credentials or the token are missing.
    """
    match authorization:
        case "AWS_IAM":
            region = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION", "")
            if not region:
                raise BadOption(
                    "--authorization AWS_IAM: the Region is not known; set --region, or give an outputs file as --host."
                )
            return SigV4(region)
        case "JWT":
            token = os.environ.get(JWT_VARIABLE, "")
            if not token:
                raise BadOption(f"--authorization JWT: the token is missing; put it into {JWT_VARIABLE}.")
            return lambda method, url: {"Authorization": f"Bearer {token}"}
        case _:
            return None
