"""An endpoint with the twin's own ECS, whose controller does not run: services, but no tasks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from moto.moto_api._internal.models import moto_api_backend

from tests.twin.aws.ecs.world import Alarms
from tests.twin.running import CREDENTIALS, api_urls
from twin.aws.client import Aws
from twin.aws.ecs import api
from twin.aws.ecs.context import Context
from twin.aws.ecs.controller import Controller
from twin.aws.ecs.model import Ecs, Task
from twin.aws.endpoint import Endpoint
from twin.aws.moto.elbv2 import Elbv2
from twin.aws.moto.registry import Registry
from twin.aws.moto.subnets import Subnets
from twin.events import Events
from twin.machine.addresses import Address, free_port
from twin.parameters import Parameters

ACCOUNT, REGION = "123456789012", "eu-west-2"


class NoLauncher:
    def start(self, task: Task) -> None:
        raise AssertionError("the controller does not run")

    def stop(self, task: Task) -> None:
        raise AssertionError("the controller does not run")

    def forget(self, task: Task) -> None:
        raise AssertionError("the controller does not run")


@pytest.fixture(scope="module")
def ecs_requests() -> list[tuple[str, dict[str, Any]]]:
    """What ECS got over the wire: (operation, request)."""
    return []


@contextmanager
def serving(ecs_requests: list[tuple[str, dict[str, Any]]]) -> Iterator[Aws]:
    """An account that has nothing yet."""
    ecs = Ecs(ACCOUNT, REGION)
    registry = Registry(ACCOUNT, REGION)
    controller = Controller(ecs, NoLauncher(), Subnets(ACCOUNT, REGION), registry, Alarms(), Parameters(), Events())
    context = Context(ecs, controller, registry, Elbv2(ACCOUNT, REGION))

    def serve_ecs(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        ecs_requests.append((operation, request))
        return api.call(context, operation, request)

    endpoint = Endpoint(
        Address("127.0.0.1", free_port()),
        account=ACCOUNT,
        region=REGION,
        api_urls=api_urls(),
        targets={api.TARGET_PREFIX: serve_ecs},
        credentials=CREDENTIALS,
    )
    endpoint.start()
    yield Aws(endpoint.url, REGION, CREDENTIALS)
    # moto keeps its stores for the process, which other tests share.
    moto_api_backend.reset()
    endpoint.stop()


@pytest.fixture(scope="module")
def aws(ecs_requests: list[tuple[str, dict[str, Any]]]) -> Iterator[Aws]:
    with serving(ecs_requests) as aws:
        yield aws


@pytest.fixture
def empty_aws() -> Iterator[Aws]:
    """One of the test's own."""
    with serving([]) as aws:
        yield aws
