"""Checks Signature Version 4, by computing it anew with botocore. Pure.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

__all__ = ["is_signed"]

_SERVICE = "execute-api"
_VALID_FOR = timedelta(minutes=5)
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/,\s]+)/(?P<date>\d{8})/(?P<region>[^/,\s]+)/(?P<service>[^/,\s]+)"
    r"/aws4_request,"
    r"\s*SignedHeaders=(?P<headers>[^,\s]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)


def is_signed(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    region: str,
    secrets: Mapping[str, str],
    now: datetime,
) -> bool:
    """Whether the request is signed for API Gateway in *region*, with one of *secrets* (by access key), at *now*.

    Args:
        url: as the client asked for it, with host and query.
        headers: names in lower case.
    """
    given = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if given is None or given["service"] != _SERVICE or given["region"] != region or given["key"] not in secrets:
        return False
    timestamp = headers.get("x-amz-date", "")
    try:
        signed_at = datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    names = given["headers"].split(";")
    if abs(now - signed_at) > _VALID_FOR or "host" not in names or not timestamp.startswith(given["date"]):
        return False
    request = AWSRequest(method, url, {name: headers.get(name, "") for name in names}, body)
    request.context["timestamp"] = timestamp
    signer = _Signer(Credentials(given["key"], secrets[given["key"]]), _SERVICE, region)
    expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    return hmac.compare_digest(expected, given["signature"])


class _Signer(SigV4Auth):  # type: ignore[misc]
    def headers_to_sign(self, request: AWSRequest) -> Any:
        """Just those that were signed: botocore's own choice leaves some out, such as the user agent."""
        return request.headers
