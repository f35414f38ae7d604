from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator

import pytest

from load.errors import BadOption
from load.traffic.signing import JWT_VARIABLE, authorizer


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Credentials of a session, and nothing else from outside."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", JWT_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session")
    authorizer.cache_clear()
    yield
    authorizer.cache_clear()


def test_a_signature_is_the_one_that_aws_computes() -> None:
    authorize = authorizer("AWS_IAM", "eu-west-2")
    assert authorize is not None
    headers = authorize("GET", "https://abc.execute-api.eu-west-2.amazonaws.com/prod/payload?bytes=10")
    stamp = headers["X-Amz-Date"]
    scope = f"{stamp[:8]}/eu-west-2/execute-api/aws4_request"
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html, step by step
    canonical = "\n".join(
        [
            "GET",
            "/prod/payload",
            "bytes=10",
            "host:abc.execute-api.eu-west-2.amazonaws.com",
            f"x-amz-date:{stamp}",
            "x-amz-security-token:session",
            "",
            "host;x-amz-date;x-amz-security-token",
            hashlib.sha256(b"").hexdigest(),
        ]
    )
    to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = b"AWS4wJalrXUtnFEMI"
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    assert re.search("Signature=(.*)", headers["Authorization"])[1] == signature  # type: ignore[index]
    assert f"Credential=AKIDEXAMPLE/{scope}" in headers["Authorization"]
    assert headers["X-Amz-Security-Token"] == "session"


def test_a_url_is_signed_once_for_a_while() -> None:
    authorize = authorizer("AWS_IAM", "eu-west-2")
    assert authorize is not None
    assert authorize("GET", "http://127.0.0.1:8000/a") is authorize("GET", "http://127.0.0.1:8000/a")
    assert authorize("GET", "http://127.0.0.1:8000/a") != authorize("GET", "http://127.0.0.1:8000/b")


def test_a_token_is_sent_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(JWT_VARIABLE, "a.b.c")
    authorize = authorizer("JWT", "")
    assert authorize is not None
    assert authorize("GET", "http://127.0.0.1/") == {"Authorization": "Bearer a.b.c"}


def test_without_authorization_there_are_no_headers() -> None:
    assert authorizer("NONE", "") is None


@pytest.mark.parametrize(
    ("authorization", "message"), [("AWS_IAM", "the Region is not known"), ("JWT", f"put it into {JWT_VARIABLE}")]
)
def test_what_is_missing_is_said(authorization: str, message: str) -> None:
    with pytest.raises(BadOption, match=message):
        authorizer(authorization, "")
