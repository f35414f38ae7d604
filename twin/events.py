"""What happens in the twin, as values: one part publishes them, others have subscribed to them.

A request goes down one column of parts; what goes sideways is one of these. All of it is on the event loop: what comes
from another thread comes through `post` or `call`. An error that nobody expected is reported by `report`, and by
nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from twin.parameters import Parameters

__all__ = [
    "AlarmsChanged",
    "ApiChanged",
    "BalancersChanged",
    "Counted",
    "DiscoveryDown",
    "Events",
    "InstancesChanged",
    "Measured",
    "ParametersChanged",
    "PeriodEnded",
    "TargetChanged",
    "TargetRegistered",
    "TaskChanged",
    "TaskFailed",
    "ZonesChanged",
    "accident",
    "news",
    "report",
]

E = TypeVar("E")
T = TypeVar("T")

_logger = logging.getLogger("twin")
_accidents = logging.getLogger("twin.accidents")


@dataclass(frozen=True)
class TaskChanged:
    """A task, by its id, has taken a step or has another health."""

    task: str


@dataclass(frozen=True)
class TaskFailed:
    """A task ends by itself: it could not start, or an essential container exited. *code* is ECS's stop code."""

    task: str
    code: str
    reason: str


@dataclass(frozen=True)
class TargetChanged:
    """A task's target in a target group, by its ARN, has another state, as `describe-target-health` names it."""

    task: str
    target_group: str
    state: str


@dataclass(frozen=True)
class InstancesChanged:
    """Instances have come to, or gone from, Cloud Map, or have another health.

    The task waits until those who send requests there know it.
    """


@dataclass(frozen=True)
class ApiChanged:
    """A resource of API Gateway may have changed."""


@dataclass(frozen=True)
class BalancersChanged:
    """A resource of Elastic Load Balancing may have changed."""


@dataclass(frozen=True)
class AlarmsChanged:
    """An alarm of CloudWatch has another state."""


@dataclass(frozen=True)
class TargetRegistered:
    """A scalable target, by its resource such as `service/shop/orders`, is there or has another range."""

    resource: str


@dataclass(frozen=True)
class ParametersChanged:
    """From now on these hold; whoever has changed them waits until they do."""

    parameters: Parameters


@dataclass(frozen=True)
class Counted:
    """What a task's proxy has counted of one of Service Connect's metrics since it was asked last.

    Attributes:
        total: of *samples*, of which *least* and *most* are the extremes; of a single one it is the value, 0 of a
            counter that has not risen.
        is_level: it is how many there are now.
        is_shared: the proxies of all tasks have one sample together.
        dimensions: CloudWatch's.
        source: the task; "" where it is shared.
    """

    metric: str
    total: float
    samples: int = 1
    least: float = 0.0
    most: float = 0.0
    is_level: bool = False
    is_shared: bool = False
    dimensions: Mapping[str, str] = field(default_factory=dict)
    source: str = ""


@dataclass(frozen=True)
class Measured:
    """How much of what it may use a task of a service has used: a sample of one of ECS's metrics.

    Attributes:
        value: percent.
        minutes: for how much of a minute it stands, each of which has one sample; 0: nothing was measured yet.
        dimensions: CloudWatch's.
    """

    metric: str
    value: float
    minutes: float
    dimensions: Mapping[str, str]


@dataclass(frozen=True)
class PeriodEnded:
    """So many seconds are over in which scaling policies have one data point: whoever counts publishes it now."""

    seconds: float


@dataclass(frozen=True)
class DiscoveryDown:
    """A fault has begun or ended: DiscoverInstances fails while *down*."""

    down: bool


@dataclass(frozen=True)
class ZonesChanged:
    """A fault has closed an Availability Zone, or it is open again."""


class Events:
    """Who has subscribed to which events; without a loop (`serve`) everything happens in the caller's thread."""

    def __init__(self, log: Callable[..., None] = lambda kind, **details: None) -> None:
        """*log* adds a line to the event log, as `log("task", task=..., step=..., ...)`; any thread may call it."""
        self.log = log
        self._subscribers: defaultdict[type, list[Callable[[Any], Awaitable[None] | None]]] = defaultdict(list)
        self._loop: asyncio.AbstractEventLoop | None = None

    def serve(self) -> None:
        """Take over what other threads `post` and `call`, on the running loop."""
        self._loop = asyncio.get_running_loop()

    def subscribe(self, kind: type[E], subscriber: Callable[[E], Awaitable[None] | None]) -> None:
        """Have *subscriber* called with each event of this *kind*."""
        self._subscribers[kind].append(subscriber)

    def publish(self, event: object) -> None:
        """Call the subscribers, in the order in which they came; what one raises is the caller's."""
        for subscriber in self._subscribers[type(event)]:
            subscriber(event)

    async def settle(self, event: object) -> None:
        """The same, and wait until the subscribers that are coroutine functions are done."""
        called = [subscriber(event) for subscriber in self._subscribers[type(event)]]
        await asyncio.gather(*(work for work in called if work is not None))

    def post(self, event: object) -> None:
        """Publish from another thread, soon."""
        if self._loop is None:
            self.publish(event)
        else:
            self._loop.call_soon_threadsafe(self.publish, event)

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Do *work* on the loop, for another thread, which waits for what it returns or raises."""
        if self._loop is None:
            return asyncio.run(work)
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def report(part: str, error: BaseException, *, answered: bool = False) -> None:
    """Report an error in *part* of the twin that nobody expected: not on the terminal if who asked is *answered* so."""
    _logger.error("%s failed", part, exc_info=error, extra={"answered": answered})


def news(what: str, *, each_time: bool = True) -> None:
    """Say what has happened; not *each_time*: not again within a minute, as what is reported otherwise."""
    _logger.warning("%s", what, extra={"news": True, "each_time": each_time})


def accident(what: str) -> None:
    """Report that the twin has lost something by itself, by no fault: AWS has no part in what clients see of it."""
    _accidents.warning(what)
