"""The environment in which clients talk to the endpoint."""

from __future__ import annotations

import pytest

from twin.credentials import Credentials, environment, past_proxies


@pytest.mark.parametrize("name", ["HTTP_PROXY", "https_proxy", "ALL_PROXY"])
def test_no_proxy_is_between(name: str) -> None:
    given = environment(
        "http://127.0.0.1:4566", "eu-west-2", Credentials.new(), {name: "http://proxy:3128", "no_proxy": "intranet"}
    )

    assert given["NO_PROXY"] == given["no_proxy"] == "intranet,127.0.0.1,localhost"


def test_without_a_proxy_nothing_is_said_of_proxies() -> None:
    assert past_proxies({"PATH": "/bin", "NO_PROXY": "intranet"}) == {}
