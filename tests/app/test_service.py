from __future__ import annotations

import asyncio
import zlib
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient
from starlette.types import Message

from app.identity import Identity
from app.service import CHUNK_BYTES, MAX_DELAY_MS, MAX_PAYLOAD_BYTES, Lifecycle, create_app, random_chunks

if TYPE_CHECKING:
    from tests.app.conftest import ClientFactory


@pytest.mark.parametrize("query", ["", "?delay_ms=0", "?delay_ms=1", "?unknown=1"])
def test_hostname(client_for: ClientFactory, identity: Identity, query: str) -> None:
    answer = client_for().get(f"/hostname{query}")
    assert (answer.status_code, answer.text) == (200, identity.hostname)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_delay_is_slept(client_for: ClientFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    client = client_for()
    monkeypatch.setattr("app.service.asyncio.sleep", sleep)
    assert client.get(f"/hostname?delay_ms={MAX_DELAY_MS}").status_code == 200
    assert slept == [29.0]


def test_identity(client_for: ClientFactory, identity: Identity) -> None:
    answer = client_for().get("/identity")
    assert (answer.status_code, answer.json()) == (200, asdict(identity))
    assert answer.json().keys() == {
        "hostname",
        "task_arn",
        "availability_zone",
        "family",
        "revision",
        "started_at",
        "version",
    }


def test_ready_phases(client_for: ClientFactory, identity: Identity) -> None:
    lifecycle = Lifecycle()
    not_started = TestClient(create_app(identity, lifecycle)).get("/ready")
    assert (not_started.status_code, not_started.text) == (503, "starting")

    client = client_for(lifecycle=lifecycle)
    ready = client.get("/ready")
    assert (ready.status_code, ready.text) == (200, "ready")

    lifecycle.drain()
    draining = client.get("/ready")
    assert (draining.status_code, draining.text) == (503, "draining")
    assert client.get("/hostname").status_code == 200


def test_draining_service_does_not_get_ready(client_for: ClientFactory) -> None:
    lifecycle = Lifecycle()
    lifecycle.drain()
    assert client_for(lifecycle=lifecycle).get("/ready").text == "draining"


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 1_000_000])
def test_payload(client_for: ClientFactory, size: int) -> None:
    answer = client_for().get(f"/payload?bytes={size}")
    assert answer.status_code == 200
    assert answer.headers["content-length"] == str(size)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert len(answer.content) == size
    assert len(zlib.compress(answer.content, level=9)) >= size


def test_payload_is_made_in_chunks() -> None:
    async def sizes() -> list[int]:
        return [len(chunk) async for chunk in random_chunks(MAX_PAYLOAD_BYTES)]

    made = asyncio.run(sizes())
    assert sum(made) == MAX_PAYLOAD_BYTES
    assert max(made) == CHUNK_BYTES


def test_payload_ends_when_the_client_leaves(identity: Identity) -> None:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.1"},
        "method": "GET",
        "path": "/payload",
        "query_string": f"bytes={MAX_PAYLOAD_BYTES}".encode(),
        "headers": [],
    }
    sent = 0

    async def download() -> None:
        left = asyncio.Event()

        async def receive() -> Message:
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            nonlocal sent
            sent += len(message.get("body", b""))
            if sent >= 3 * CHUNK_BYTES:
                left.set()

        await create_app(identity, Lifecycle())(scope, receive, send)

    asyncio.run(download())
    assert 3 * CHUNK_BYTES <= sent < 10 * CHUNK_BYTES


@pytest.mark.parametrize("text", ["-1", "29001", "1.5", "1e3", "+5", "1_000", "", " 5", "abc", "٣", "9" * 5000])
def test_bad_delay(client_for: ClientFactory, text: str) -> None:
    answer = client_for().get("/hostname", params={"delay_ms": text})
    assert answer.status_code == 400
    assert answer.json() == {"error": f"delay_ms is {text!r}: it must be a whole number from 0 to 29000."}


def test_bad_size(client_for: ClientFactory) -> None:
    answer = client_for().get("/payload?bytes=10000001")
    assert answer.status_code == 400
    assert answer.json() == {"error": "bytes is '10000001': it must be a whole number from 0 to 10000000."}


def test_missing_size(client_for: ClientFactory) -> None:
    answer = client_for().get("/payload")
    assert answer.status_code == 400
    assert answer.json() == {"error": "bytes is missing: it must be a whole number from 0 to 10000000."}


@pytest.mark.parametrize("path", ["/hostname", "/ready", "/identity", "/payload?bytes=100000"])
def test_head(client_for: ClientFactory, path: str) -> None:
    client = client_for()
    head, get = client.head(path), client.get(path)
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == get.headers["content-length"]


def test_unknown_path_and_method(client_for: ClientFactory) -> None:
    client = client_for()
    assert client.get("/").status_code == 404
    assert client.post("/hostname").status_code == 405
