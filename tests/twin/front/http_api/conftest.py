"""A twin whose service echoes what it is asked, and a hand on its API."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.twin.running import RunningTwin, TwinFactory, wait_until
from twin.remote import ask

ECHO = Path(__file__).with_name("echo.py")


class ApiInHand:
    """The twin's API, changed through its own API, and asked through the gateway."""

    def __init__(self, twin: RunningTwin) -> None:
        self.twin = twin
        self.calls = twin.client("apigatewayv2")
        self.id = self.calls.get_apis()["Items"][0]["ApiId"]
        self.integration = self.calls.get_integrations(ApiId=self.id)["Items"][0]
        self.client = httpx.Client(base_url=twin.gateway_url, timeout=10)

    def add_route(self, key: str, integration: str | None = None, **more: Any) -> str:
        target = f"integrations/{integration or self.integration['IntegrationId']}"
        return str(self.calls.create_route(ApiId=self.id, RouteKey=key, Target=target, **more)["RouteId"])

    def add_integration(self, **changes: Any) -> str:
        """An integration like the stack's, with changes."""
        kept = ("IntegrationType", "IntegrationMethod", "IntegrationUri", "ConnectionType", "ConnectionId")
        given = {name: self.integration[name] for name in (*kept, "PayloadFormatVersion")} | changes
        return str(self.calls.create_integration(ApiId=self.id, **given)["IntegrationId"])

    def until(self, condition: Callable[[httpx.Response], bool], method: str, path: str, **options: Any) -> Any:
        """The first answer that meets *condition*: a change takes a moment to arrive."""

        def ask() -> httpx.Response | None:
            answer = self.client.request(method, path, **options)
            return answer if condition(answer) else None

        return wait_until(ask, f"{method} {path} is answered as it should be", timeout=10)


def twin_set(twin: RunningTwin, *assignments: str) -> None:
    ask(twin.running, "set", assignments=assignments)


def listing(twin: RunningTwin) -> str:
    return twin.says("ps", "--left-out")


@pytest.fixture(scope="module")
def twin(start_twin: TwinFactory) -> RunningTwin:
    return start_twin(
        *("--command", f"{sys.executable} {ECHO} {{host}} {{port}}", "--discovery-ttl", "0", "--proxy-drain", "0"),
        *("--connect-retries", "0"),
    )


@pytest.fixture(scope="module")
def api(twin: RunningTwin) -> Iterator[ApiInHand]:
    in_hand = ApiInHand(twin)
    yield in_hand
    in_hand.client.close()
