"""Signatures made by botocore, and spoilt in every part."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from twin.gateway.signature import is_signed

URL = "http://127.0.0.1:8000/prod/users/a%20b?q=%2F&empty=&q=1"
SECRETS = {"key": "secret"}
BODY = b'{"a": 1}'


def sign(*, secret: str = "secret", service: str = "execute-api", region: str = "eu-west-2") -> dict[str, str]:
    request = AWSRequest("POST", URL, {"x-custom": " two  words "}, BODY)
    SigV4Auth(Credentials("key", secret), service, region).add_auth(request)
    return {"host": "127.0.0.1:8000", **{name.lower(): value for name, value in request.headers.items()}}


def accepted(headers: Mapping[str, str], **changes: Any) -> bool:
    given = {"method": "POST", "url": URL, "body": BODY, "region": "eu-west-2", "secrets": SECRETS} | changes
    later = given.pop("later", timedelta())
    method, url, body = given.pop("method"), given.pop("url"), given.pop("body")
    return is_signed(method, url, headers, body, now=datetime.now(UTC) + later, **given)


def test_a_good_signature_is_accepted_whatever_else_is_sent() -> None:
    assert accepted({**sign(), "user-agent": "not signed", "x-request-id": "7"})


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "PUT"},
        {"url": URL.replace("a%20b", "a")},
        {"url": URL.replace("q=1", "q=2")},
        {"body": b""},
        {"region": "eu-west-1"},
        {"secrets": {"other": "secret"}},
        {"later": timedelta(minutes=6)},
        {"later": timedelta(minutes=-6)},
    ],
    ids=str,
)
def test_a_signature_is_for_one_request_at_one_time(changes: dict[str, Any]) -> None:
    assert not accepted(sign(), **changes)


@pytest.mark.parametrize("how", [{"secret": "guessed"}, {"service": "s3"}, {"region": "us-east-1"}], ids=str)
def test_a_signature_with_another_secret_or_scope_is_refused(how: dict[str, str]) -> None:
    assert not accepted(sign(**how))


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
