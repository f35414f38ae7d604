"""The load balancers' Envoy while it starts: its process is stood in for, and waits for the test."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from twin.aws.moto.elbv2 import Elbv2
from twin.events import Events
from twin.front.alb import LoadBalancers, balancer
from twin.front.alb.model import Forward, Listener, Rule
from twin.front.alb.reading import Balancing
from twin.machine.addresses import LoopbackAddresses
from twin.machine.machine import Machine
from twin.machine.process import Processes

LISTENER = "arn:aws:elasticloadbalancing:eu-west-2:123456789012:listener/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2"


class SlowProcesses:
    """Starts nothing, and takes for ever to do so."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def spawn(self, *args: Any, **options: Any) -> Any:
        self.asked.set()
        await asyncio.Event().wait()


def test_an_envoy_that_still_starts_is_not_taken_for_one_that_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = Listener(LISTENER, 80, "HTTP", (Rule(Forward({})),), 60.0)
    monkeypatch.setattr(balancer, "read", lambda backend, certificate: Balancing((served,)))
    monkeypatch.setattr(balancer, "_POLL", 0)

    async def watch_while_it_starts() -> None:
        processes, addresses = SlowProcesses(), LoopbackAddresses(14566)
        balancers = LoadBalancers(
            Elbv2("123456789012", "eu-west-2"),
            Machine(cast(Processes, processes), addresses, "envoy", tmp_path),
            Events(),
        )
        balancers.name_of(served.balancer)  # as when it was created
        watching = asyncio.create_task(balancers.run())
        starting = asyncio.create_task(balancers.configure())
        try:
            await processes.asked.wait()
            for _ in range(10):  # polls
                await asyncio.sleep(0)
            assert not watching.done()
        finally:
            for task in (watching, starting):
                task.cancel()
            await asyncio.wait([watching, starting])
            addresses.close()

    asyncio.run(watch_while_it_starts())
