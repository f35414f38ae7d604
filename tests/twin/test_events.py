"""Events between the twin's parts: who is called, when, and from which thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from twin.events import AlarmsChanged, ApiChanged, Events, InstancesChanged


def test_subscribers_are_called_in_their_order_and_with_their_events_alone() -> None:
    events, called = Events(), list[str]()
    events.subscribe(ApiChanged, lambda event: called.append("first"))
    events.subscribe(ApiChanged, lambda event: called.append("second"))
    events.subscribe(AlarmsChanged, lambda event: called.append("another"))

    events.publish(ApiChanged())
    events.publish(InstancesChanged())  # nobody has subscribed

    assert called == ["first", "second"]


def test_what_a_subscriber_raises_is_the_publishers() -> None:
    events = Events()
    events.subscribe(ApiChanged, lambda event: dict[str, None]()["api"])

    with pytest.raises(KeyError, match="api"):
        events.publish(ApiChanged())
    with pytest.raises(KeyError, match="api"):
        asyncio.run(events.settle(ApiChanged()))


def test_who_settles_an_event_waits_for_all_that_it_begins() -> None:
    events, done = Events(), list[str]()

    def slow(name: str, turns: int) -> Callable[[InstancesChanged], Awaitable[None]]:
        async def subscriber(event: InstancesChanged) -> None:
            for _ in range(turns):
                await asyncio.sleep(0)
            done.append(name)

        return subscriber

    events.subscribe(InstancesChanged, slow("slow", 3))
    events.subscribe(InstancesChanged, slow("quick", 1))
    events.subscribe(InstancesChanged, lambda event: done.append("at once"))

    asyncio.run(events.settle(InstancesChanged()))

    assert done == ["at once", "quick", "slow"]


def test_what_other_threads_bring_happens_on_the_loop() -> None:
    events, threads = Events(), list[threading.Thread]()
    events.subscribe(ApiChanged, lambda event: threads.append(threading.current_thread()))

    async def work() -> str:
        threads.append(threading.current_thread())
        return "done"

    async def fails() -> None:
        raise KeyError("on purpose")

    async def scenario() -> str:
        events.serve()
        await asyncio.to_thread(events.post, ApiChanged())
        answer = await asyncio.to_thread(lambda: events.call(work()))
        with pytest.raises(KeyError, match="on purpose"):
            await asyncio.to_thread(lambda: events.call(fails()))
        return answer

    assert asyncio.run(scenario()) == "done"
    assert threads == [threading.current_thread()] * 2


def test_without_a_loop_everything_happens_where_it_is_asked() -> None:
    events, called = Events(), list[ApiChanged]()
    events.subscribe(ApiChanged, called.append)

    async def work() -> int:
        return 7

    events.post(ApiChanged())
    assert (called, events.call(work())) == ([ApiChanged()], 7)
