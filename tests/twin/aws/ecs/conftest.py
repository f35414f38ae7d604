"""ECS by itself, and behind an HTTP endpoint that boto3 and the AWS CLI talk to."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.twin.aws.ecs.world import World, faults_of_answer
from tests.twin.running import CREDENTIALS, api_urls
from twin.aws.ecs.api import TARGET_PREFIX
from twin.aws.endpoint import Endpoint
from twin.credentials import Credentials, environment
from twin.machine.addresses import Address, free_port

Json = dict[str, Any]


@pytest.fixture
def world() -> World:
    """An ECS in virtual time."""
    return World()


@pytest.fixture(autouse=True)
def no_errors(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing fails inside the twin; a test about that clears `caplog`."""
    yield
    assert caplog.get_records("call") == []


@dataclass
class Server:
    """An endpoint; each test puts a world of its own behind it."""

    world: World = field(default_factory=World)
    faults: list[str] = field(default_factory=list)
    operations: set[str] = field(default_factory=set)
    url: str = ""
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, operation: str, request: Any) -> Json:
        with self._one_at_a_time:  # as the event loop has it
            answer = self.world.call(operation, request)
            self.operations.add(operation)
            self.faults += faults_of_answer(operation, answer)
            return answer


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server()
    endpoint = Endpoint(
        Address("127.0.0.1", free_port()),
        api_urls=api_urls(),
        account="123456789012",
        region="eu-west-2",
        targets={TARGET_PREFIX: server.serve},
        credentials=CREDENTIALS,
    )
    endpoint.start()
    server.url = endpoint.url
    yield server
    endpoint.stop()


@pytest.fixture
def served(world: World, server: Server) -> Iterator[Server]:
    """The world behind the endpoint; every answer is checked against botocore's model of ECS."""
    server.world, server.faults, server.operations = world, [], set()
    yield server
    assert server.faults == []


@pytest.fixture
def ecs(served: Server) -> Any:
    """boto3's client of that endpoint."""
    return boto3.client(
        "ecs",
        endpoint_url=served.url,
        region_name="eu-west-2",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@pytest.fixture
def aws(served: Server) -> Callable[..., str]:
    """Runs the AWS CLI against that endpoint; what it printed."""
    return lambda *arguments: run_aws(served.url, *arguments)


def run_aws(endpoint_url: str, *arguments: str, credentials: Credentials = CREDENTIALS) -> str:
    """`aws`, in the environment that `twin env` exports."""
    program = Path(sys.executable).with_name("aws")
    done = subprocess.run(
        [str(program), *arguments],
        env={"PATH": os.environ["PATH"], "HOME": os.devnull, **environment(endpoint_url, "eu-west-2", credentials, {})},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
