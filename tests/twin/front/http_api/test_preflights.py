"""The stack's own routes for preflights: what a browser asks of a service behind an authorizer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.twin.running import TwinFactory

PREFLIGHT = {"origin": "https://shop.example", "access-control-request-method": "PUT"}


@pytest.fixture(scope="module")
def client(start_twin: TwinFactory, stack_with: Callable[[str], Path]) -> Iterator[httpx.Client]:
    """A client of a twin whose routes all need authorization, and which a shop's pages may call."""
    twin = start_twin("--proxy-drain", "0", synth=stack_with("guarded"))
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
