"""The stack's own routes for preflights: what a browser asks of a service behind an authorizer."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.twin.conftest import synthesize
from tests.twin.running import TwinFactory

PREFLIGHT = {"origin": "https://shop.example", "access-control-request-method": "PUT"}


@pytest.fixture(scope="module")
def client(start_twin: TwinFactory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a twin whose routes all need authorization, and which a shop's pages may call."""
    folder = tmp_path_factory.mktemp("guarded")
    synthesize(
        folder,
        SC_AUTHORIZATION="AWS_IAM",
        SC_COMPARISON="true",
        SC_CORS_ORIGINS="https://shop.example",
        SC_CORS_METHODS="PUT",
        SC_DESIRED_COUNT="1",
        SC_ROUTES="$default, ANY /orders/{id}",
    )
    twin = start_twin("--proxy-drain", "0", synth=folder)
    with httpx.Client(base_url=twin.gateway_url, timeout=10) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/any/thing", "/orders/7", "/alb/any/thing", "/alb/orders/7"])
def test_a_browser_may_ask_and_nobody_may_call(client: httpx.Client, path: str) -> None:
    asked = client.options(path, headers=PREFLIGHT)
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (204, "https://shop.example")
    assert asked.headers["access-control-allow-methods"] == "PUT"
    assert client.put(path, headers={"origin": "https://shop.example"}).status_code == 403


def test_another_request_of_that_method_reaches_the_service(client: httpx.Client) -> None:
    assert client.options("/hostname").headers["x-hostname"]
