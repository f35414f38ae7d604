"""moto as the twin completes it, behind an HTTP address that boto3 talks to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from twin.aws.moto import complete

REGION = "eu-west-2"
Client = Callable[[str], Any]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    complete()
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    httpx.post(f"http://{host}:{port}/moto-api/reset").raise_for_status()
    server.stop()


@pytest.fixture(scope="module")
def clients(url: str) -> Client:
    """boto3's client of a service; making one takes as long as a hundred requests."""

    @cache
    def client(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            # The endpoint is to refuse what is wrong, not the client.
            config=Config(inject_host_prefix=False, parameter_validation=False),
        )

    return client


@pytest.fixture
def client(url: str, clients: Client) -> Client:
    """The same, on an empty account."""
    httpx.post(f"{url}/moto-api/reset").raise_for_status()
    return clients
