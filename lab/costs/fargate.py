"""The task sizes that Fargate has, and which of them holds the Service Connect proxy."""

from __future__ import annotations

from dataclasses import dataclass

from serviceconnect.settings.service import FARGATE_MEMORY

__all__ = ["BUSY_REQUESTS_PER_SECOND", "SIZES", "Size", "fit", "is_size", "proxy_share"]

# CPU units -> the memory sizes in MiB that go with them: one table for what is deployed and for what is priced.
SIZES = FARGATE_MEMORY

# Above this rate for each task AWS advises twice the CPU for the proxy.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-connect-concepts-deploy.html
BUSY_REQUESTS_PER_SECOND = 500


@dataclass(frozen=True, order=True)
class Size:
    """CPU units (1,024 are a vCPU) and memory in MiB."""

    cpu: int
    memory: int

    def __add__(self, other: Size) -> Size:
        return Size(self.cpu + other.cpu, self.memory + other.memory)

    def less(self, other: Size) -> Size:
        """What is left after *other*, never below zero."""
        return Size(max(0, self.cpu - other.cpu), max(0, self.memory - other.memory))

    def __str__(self) -> str:
        return f"{self.cpu} CPU units with {self.memory} MiB"


def is_size(size: Size) -> bool:
    """Whether Fargate has *size*."""
    return size.memory in SIZES.get(size.cpu, ())


def fit(need: Size) -> Size | None:
    """The smallest size that Fargate has for *need*, which is also the cheapest; None if there is none."""
    for cpu, memories in SIZES.items():
        for memory in memories:
            if cpu >= need.cpu and memory >= need.memory:
                return Size(cpu, memory)
    return None


def proxy_share(busy: bool) -> Size:
    """What AWS advises to reserve for the Service Connect proxy; *busy*: above 500 requests/s for each task."""
    return Size(512 if busy else 256, 64)
