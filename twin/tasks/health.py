"""Container health checks: the command, interval, timeout, retries and start period of the task definition.

`localhost` or `127.0.0.1` in the command means the task's application, which has no network namespace of its own
here. `wget` is a stand-in for BusyBox's, the one in Alpine images: GNU's asks with HEAD. The first check
comes one interval after the container has started; failures in the start period do not count, and a success ends it
(https://docs.docker.com/reference/dockerfile/#healthcheck).
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twin.aws.ecs.model import HealthStatus
from twin.machine.addresses import Address

__all__ = ["INTERVAL", "LISTEN", "HealthCheck", "HealthState", "health_paths", "search_path", "statuses", "way_out"]

LISTEN = "listen on {host} and {port} of --command, or on HOST and PORT of its environment (docs/own-service.md)"
"""What each program is asked to do, in words for the user."""

# With a blank before the port as nc takes them.
_LOCALHOST = re.compile(r"\b(?:localhost|127\.0\.0\.1)(?:([: ])(\d+)\b)?")
_REFUSED = re.compile(r"(?i)connection refused|couldn't connect")  # the latter as curl says it
_URL_PATH = re.compile(r"https?://[^/\s\"']+(/[^\s\"'|;&?]*)")
INTERVAL = 30  # seconds between two checks, and before the first, where nothing is given [ecs]
_STAND_INS = Path(__file__).with_name("stand_ins")


@dataclass(frozen=True)
class HealthCheck:
    """A container's health check; times in seconds. Defaults: the `HealthCheck` structure of the ECS API."""

    command: Sequence[str]
    interval: float = INTERVAL
    timeout: float = 5
    retries: int = 3
    start_period: float = 0

    @classmethod
    def of(cls, definition: Mapping[str, Any], ports: Mapping[int, Address]) -> HealthCheck | None:
        """The health check of a container definition, None if it has none; *ports*: where those of the task are."""
        given = definition.get("healthCheck")
        if not given or given["command"] == ["NONE"]:
            return None

        def aim(match: re.Match[str]) -> str:
            address = ports.get(int(match[2] or "80"))
            return f"{address.host}{match[1] or ':'}{address.port}" if address else match[0]

        words = [_LOCALHOST.sub(aim, word) for word in given["command"]]
        command = ["/bin/sh", "-c", words[1]] if words[0] == "CMD-SHELL" else words[words[0] == "CMD" :]
        numbers = {"interval": "interval", "timeout": "timeout", "retries": "retries", "startPeriod": "start_period"}
        return cls(command, **{ours: given[theirs] for theirs, ours in numbers.items() if theirs in given})


@dataclass(frozen=True)
class HealthState:
    """What a container's checks have come to so far."""

    status: HealthStatus = HealthStatus.UNKNOWN
    failures: int = 0  # in a row

    def after(self, check: HealthCheck, passed: bool, seconds_since_start: float) -> HealthState:
        """The state after one more result."""
        if passed:
            return HealthState(HealthStatus.HEALTHY)
        if self.status is HealthStatus.UNKNOWN and seconds_since_start < check.start_period:
            return self
        failures = self.failures + 1
        return HealthState(HealthStatus.UNHEALTHY if failures >= check.retries else self.status, failures)


async def statuses(check: HealthCheck, passes: Callable[[], Awaitable[bool]]) -> AsyncIterator[HealthStatus]:
    """Do the checks, from the container's start on and without end, and give each new status."""
    clock = asyncio.get_running_loop().time
    started, state = clock(), HealthState()
    while True:
        await asyncio.sleep(check.interval)
        seconds = clock() - started
        before, state = state, state.after(check, await passes(), seconds)
        if state.status is not before.status:
            yield state.status


def health_paths(definition: Mapping[str, Any]) -> list[str]:
    """The paths of the URLs in a container's health check; empty if it has none."""
    command = (definition.get("healthCheck") or {}).get("command", [])
    return sorted({path for word in command for path in _URL_PATH.findall(word)})


def way_out(output: str) -> str:
    """What to do about a health check that fails with this last line of *output*."""
    if _REFUSED.search(output):
        return f"the program does not {LISTEN}"
    return "docs/own-service.md says what a health check must be"


def search_path(path: str) -> str:
    """*path* behind the stand-ins; last of all our own Python's folder, which they need."""
    return os.pathsep.join([str(_STAND_INS), path, str(Path(sys.executable).parent)])
