"""Signatures made by botocore, and spoilt in every part."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from twin.aws.signature import Verdict, refused, signature_of, verify

URL = "http://127.0.0.1:8000/prod/users/a%20b?q=%2F&empty=&q=1"
SECRETS = {"key": "secret"}
BODY = b'{"a": 1}'


def sign(*, secret: str = "secret", service: str = "execute-api", region: str = "eu-west-2") -> dict[str, str]:
    request = AWSRequest("POST", URL, {"x-custom": " two  words "}, BODY)
    SigV4Auth(Credentials("key", secret), service, region).add_auth(request)
    return {"host": "127.0.0.1:8000", **{name.lower(): value for name, value in request.headers.items()}}


def accepted(headers: Mapping[str, str], **changes: Any) -> bool:
    given = {"method": "POST", "url": URL, "body": BODY, "secrets": SECRETS} | changes
    later = given.pop("later", timedelta())
    signature = signature_of(given["url"], headers)
    secret_of, now = given["secrets"].get, datetime.now(UTC) + later
    if refused(signature, headers, secret_of=secret_of, now=now):
        return False
    assert signature is not None
    secret = given["secrets"][signature.key]
    return verify(signature, secret, given["method"], given["url"], headers, given["body"]) is Verdict.SIGNED


def test_a_good_signature_is_accepted_whatever_else_is_sent() -> None:
    assert accepted({**sign(), "user-agent": "not signed", "x-request-id": "7"})


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "PUT"},
        {"url": URL.replace("a%20b", "a")},
        {"url": URL.replace("q=1", "q=2")},
        {"body": b""},
        {"secrets": {"other": "secret"}},
        {"later": timedelta(minutes=6)},
        {"later": timedelta(minutes=-6)},
    ],
    ids=str,
)
def test_a_signature_is_for_one_request_at_one_time(changes: dict[str, Any]) -> None:
    assert not accepted(sign(), **changes)


def test_a_signature_with_another_secret_is_refused() -> None:
    assert not accepted(sign(secret="guessed"))


@pytest.mark.parametrize("other", ["20200101/eu-west-2/ecs", "{date}/eu-west-1/ecs", "{date}/eu-west-2/s3"])
def test_a_signature_is_for_one_scope(other: str) -> None:
    headers = sign(service="ecs")
    date = headers["x-amz-date"][:8]
    here = f"{date}/eu-west-2/ecs"
    assert accepted(headers)

    assert not accepted({**headers, "authorization": headers["authorization"].replace(here, other.format(date=date))})


@pytest.mark.parametrize(
    "spoilt",
    [
        {"x-custom": "other"},
        {"host": "127.0.0.1:9000"},
        {"authorization": ""},
        {"authorization": "Bearer abc"},
        {"x-amz-date": "yesterday"},
        {"x-amz-date": "20200101T000000Z"},
    ],
    ids=str,
)
def test_what_was_signed_must_arrive(spoilt: dict[str, str]) -> None:
    assert not accepted({**sign(), **spoilt})


def test_a_signature_without_the_host_would_be_good_anywhere() -> None:
    headers = sign()
    headers["authorization"] = headers["authorization"].replace("SignedHeaders=host;", "SignedHeaders=")

    assert not accepted(headers)


@pytest.mark.parametrize("name", ["x-amz-target", "x-amz-content-sha256", "x-amz-acl"])
def test_what_decides_what_is_done_must_be_signed(name: str) -> None:
    assert not accepted({**sign(), name: "UNSIGNED-PAYLOAD"})
