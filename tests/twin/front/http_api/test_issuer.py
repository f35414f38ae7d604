from __future__ import annotations

import json

import pytest

from tests.twin.front.http_api.issuer import issuer_at_work
from twin.front.http_api.issuer import NoKeys, fetch_keys
from twin.machine.addresses import free_port


def test_only_rsa_keys_count() -> None:
    with issuer_at_work() as issuer:
        keys = json.loads(fetch_keys(issuer.url + "/"))["keys"]

    assert [(key["kid"], key["kty"]) for key in keys] == [("key-1", "RSA")]
    assert "d" not in keys[0]


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/.well-known/openid-configuration", None),
        ("/.well-known/openid-configuration", {}),
        ("/.well-known/openid-configuration", {"jwks_uri": "file:///etc/passwd"}),
        ("/.well-known/openid-configuration", []),
        ("/keys", {"keys": []}),
        ("/keys", "no object"),
        ("/keys", {"keys": ["no object"]}),
        ("/.well-known/openid-configuration", {"jwks_uri": "http://no host/keys"}),
    ],
)
def test_an_issuer_without_keys_is_told_with_its_address(path: str, document: object) -> None:
    with issuer_at_work() as issuer:
        issuer.documents[path] = document
        with pytest.raises(NoKeys, match=issuer.url):
            fetch_keys(issuer.url)


def test_an_issuer_that_does_not_answer() -> None:
    with pytest.raises(NoKeys, match="refused"):
        fetch_keys(f"http://127.0.0.1:{free_port()}")


def test_a_redirect_is_followed_on_the_same_host() -> None:
    with issuer_at_work() as issuer:
        issuer.redirects["/keys"] = f"{issuer.url}/other"
        issuer.documents["/other"] = issuer.documents["/keys"]
        assert json.loads(fetch_keys(issuer.url))["keys"]


@pytest.mark.parametrize("path", ["/keys", "/.well-known/openid-configuration"])
def test_a_redirect_to_another_host_is_not_followed(path: str) -> None:
    with issuer_at_work() as issuer, issuer_at_work() as other:
        issuer.redirects[path] = f"{other.url}{path}"
        with pytest.raises(NoKeys, match=f"redirects to {other.url}{path}, on another host: that is not followed"):
            fetch_keys(issuer.url)
