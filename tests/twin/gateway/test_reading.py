"""The API is read in several calls, and may change between two of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from twin.aws import Aws
from twin.gateway.gateway import Gateway
from twin.gateway.model import Api
from twin.network import Address
from twin.parameters import Parameters
from twin.process import Processes

IN_PART, WHOLE = Api(left_out=("in part",)), Api(left_out=("whole",))


def served(folder: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[], Api]) -> list[str]:
    """What the gateway tells of the API that it serves, which *read* reads."""

    async def configured() -> list[str]:
        nowhere = Address("127.0.0.1", 9)
        gateway = Gateway(
            address=nowhere,
            folder=folder,
            processes=Processes(),
            envoy_binary="envoy",
            aws=Aws("http://127.0.0.1:9", "eu-west-2"),
            authorization=nowhere,
            issuer_url=None,
            listener_address=lambda arn: None,
            parameters=Parameters,
            log=lambda *args, **more: None,
        )
        loop = asyncio.get_running_loop()

        def in_a_thread(aws: Aws) -> Api:
            api = read()
            if api is IN_PART:
                loop.call_soon_threadsafe(gateway.api_changed)
            return api

        monkeypatch.setattr("twin.gateway.gateway.read_api", in_a_thread)
        await gateway.configure()
        return gateway.left_out

    return asyncio.run(configured())


def test_what_changes_while_it_is_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = iter([IN_PART, IN_PART, WHOLE])

    assert served(tmp_path, monkeypatch, lambda: next(found)) == ["whole"]


def test_an_api_that_never_stops_changing_is_served_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert served(tmp_path, monkeypatch, lambda: IN_PART) == ["in part"]
