"""Checks Signature Version 4, in the header or in the query, by computing it anew with botocore. Pure.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

__all__ = [
    "AUTHORIZATION_HEADER",
    "AUTHORIZATION_PATH",
    "AUTHORIZATION_SECRET",
    "Signature",
    "Verdict",
    "refused",
    "signature_of",
    "verify",
]

AUTHORIZATION_PATH = "/_twin/authorize"
"""Below it the endpoint answers whether a request is signed for API Gateway: that of the path behind it."""
AUTHORIZATION_HEADER, AUTHORIZATION_SECRET = "twin-authorization", secrets.token_urlsafe(32)
"""The header with which the gateway, of this process too, shows that it is the one that asks there."""

_VALID_FOR = timedelta(minutes=5)
_LONGEST_PRESIGNED = 7 * 24 * 3600  # seconds
_SCOPE = re.compile(r"(?P<key>[^/,\s]+)/(?P<date>\d{8})/(?P<region>[^/,\s]+)/(?P<service>[^/,\s]+)/aws4_request")
_AUTHORIZATION = re.compile(
    rf"AWS4-HMAC-SHA256 Credential={_SCOPE.pattern},"
    r"\s*SignedHeaders=(?P<headers>[^,\s]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)
# Of a body that S3's clients sign in pieces, or not at all. The pieces' own signatures are not checked.
_NOT_HASHED = re.compile(r"UNSIGNED-PAYLOAD|STREAMING-[A-Z0-9-]+")
# They decide what is done, so AWS has them signed, as it has `host`: whoever was given a URL that is signed for an
# object of S3 could else add the target of another service.
_MUST_BE_SIGNED = "x-amz-"


class Verdict(Enum):
    SIGNED = auto()
    NOT_SIGNED = auto()  # or in another way than this one
    UNKNOWN_KEY = auto()
    EXPIRED = auto()  # or not valid yet
    WRONG = auto()


@dataclass(frozen=True)
class Signature:
    """What a request says of its signature; `expires` in seconds, None for one in the header."""

    key: str
    date: str
    region: str
    service: str
    headers: tuple[str, ...]
    signature: str
    timestamp: str
    expires: int | None = None


def signature_of(url: str, headers: Mapping[str, str]) -> Signature | None:
    """The signature in the request, unchecked; None if there is none of Version 4."""
    if found := _AUTHORIZATION.fullmatch(headers.get("authorization", "")):
        return Signature(
            found["key"], found["date"], found["region"], found["service"],
            tuple(found["headers"].split(";")), found["signature"], headers.get("x-amz-date", ""),
        )  # fmt: skip
    query = urlsplit(url).query
    if "X-Amz-Signature" not in query:
        return None
    given = {name: values[-1] for name, values in parse_qs(query).items()}
    scoped = _SCOPE.fullmatch(given.get("X-Amz-Credential", ""))
    expires = given.get("X-Amz-Expires", "")
    if scoped is None or given.get("X-Amz-Algorithm") != "AWS4-HMAC-SHA256" or not re.fullmatch(r"[0-9]{1,6}", expires):
        return None
    names = tuple(given.get("X-Amz-SignedHeaders", "").split(";"))
    return Signature(
        scoped["key"], scoped["date"], scoped["region"], scoped["service"],
        names, given.get("X-Amz-Signature", ""), given.get("X-Amz-Date", ""), int(expires),
    )  # fmt: skip


def refused(
    given: Signature | None, headers: Mapping[str, str], *, secret_of: Callable[[str], str | None], now: datetime
) -> Verdict | None:
    """Why the request, of which nothing but its head is known, has no valid signature at *now*; None: its body decides.

    Args:
        given: its `signature_of`.
        headers: names in lower case.
        secret_of: the secret key of an access key; None for an unknown one.
    """
    if given is None:
        return Verdict.NOT_SIGNED
    if secret_of(given.key) is None:
        return Verdict.UNKNOWN_KEY
    try:
        signed_at = datetime.strptime(given.timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return Verdict.WRONG
    if "host" not in given.headers or not given.timestamp.startswith(given.date):
        return Verdict.WRONG
    signed = {name.replace("_", "-") for name in given.headers}  # as WSGI has both
    if any(name.startswith(_MUST_BE_SIGNED) and name.replace("_", "-") not in signed for name in headers):
        return Verdict.WRONG
    valid_for = _VALID_FOR if given.expires is None else timedelta(seconds=min(given.expires, _LONGEST_PRESIGNED))
    if not -_VALID_FOR <= now - signed_at <= valid_for:
        return Verdict.EXPIRED
    return None


def verify(given: Signature, secret: str, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Verdict:
    """Whether the request, which is not `refused`, has the signature that it says.

    Args:
        secret: the secret key of the signature's access key.
        url: as the client asked for it, with host and query.
        headers: names in lower case.
    """
    hashed = headers.get("x-amz-content-sha256")
    if hashed and not _NOT_HASHED.fullmatch(hashed) and hashed != hashlib.sha256(body).hexdigest():
        return Verdict.WRONG
    expected = _signature(given, secret, method, url, headers, body)
    return Verdict.SIGNED if hmac.compare_digest(expected.encode(), given.signature.encode()) else Verdict.WRONG


def _signature(given: Signature, secret: str, method: str, url: str, headers: Mapping[str, str], body: bytes) -> str:
    signed = {name: headers.get(name, "") for name in given.headers}
    if given.expires is not None:
        parts = urlsplit(url)
        query = "&".join(pair for pair in parts.query.split("&") if not pair.startswith("X-Amz-Signature="))
        url = urlunsplit(parts._replace(query=query))
    request = AWSRequest(method, url, signed)
    request.context["timestamp"] = given.timestamp
    credentials = Credentials(given.key, secret)
    signer = (_OfS3 if given.service == "s3" else _Signer)(credentials, given.service, given.region)
    signer.presigned, signer.body = given.expires is not None, body
    return str(signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request))


class _Signer(SigV4Auth):  # type: ignore[misc]
    presigned = False
    body = b""

    def payload(self, request: AWSRequest) -> str:
        """Of the body as it came: botocore would first prepare a request of its own."""
        return hashlib.sha256(self.body).hexdigest()

    def headers_to_sign(self, request: AWSRequest) -> Any:
        """Just those that were signed: botocore's own choice leaves some out, such as the user agent."""
        return request.headers


class _OfS3(_Signer, S3SigV4Auth):  # type: ignore[misc]
    """Which takes the path as it is; of a presigned request nobody knows the body."""

    def payload(self, request: AWSRequest) -> str:
        return "UNSIGNED-PAYLOAD" if self.presigned else super().payload(request)
