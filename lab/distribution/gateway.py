"""The gateway that is simulated."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lab.errors import BadInput


class Policy(StrEnum):
    """How a front end picks the task of a request."""

    RANDOM = "random"
    ROUND_ROBIN = "round-robin"
    LEAST_REQUEST = "least-request"
    STICKY = "sticky"


@dataclass(frozen=True)
class Gateway:
    """Front ends that each balance by themselves; every request goes to one of them at random.

    random: each request to a random task.
    round-robin: each front end goes through the tasks in a random order of its own, from a random start.
    least-request: of two tasks picked at random (the same one may come twice) the one with fewer of the front end's own
        requests in flight. Each front end has `in_flight` requests under way, and any of them may be the next to end.
    sticky: each connection carries `run_length` requests to one random task.
    Raises BadInput for a number out of its range.
    """

    policy: Policy = Policy.RANDOM
    tasks: int = 3
    front_ends: int = 1
    in_flight: int = 16
    run_length: int = 10

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("tasks", self.tasks, 2, 100_000),
            ("front ends", self.front_ends, 1, 10_000),
            ("requests in flight", self.in_flight, 1, 10_000),
            ("requests of a connection", self.run_length, 1, 10**12),
        ):
            if not low <= value <= high:
                raise BadInput(f"{value:,} {name} cannot be simulated: give {low:,} to {high:,}")

    @property
    def parameter(self) -> int | None:
        """The number that the policy depends on beside the tasks; random choice on none."""
        return {
            Policy.RANDOM: None,
            Policy.ROUND_ROBIN: self.front_ends,
            Policy.LEAST_REQUEST: self.in_flight,
            Policy.STICKY: self.run_length,
        }[self.policy]
