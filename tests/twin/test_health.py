from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.ecs.model import HealthStatus
from twin.health import HealthCheck, HealthState, search_path
from twin.network import Address

TASK = Address("127.64.1.1", 8080)


def check_of(**given: Any) -> HealthCheck | None:
    return HealthCheck.of({"healthCheck": given} if given else {}, 8080, TASK)


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (
            ["CMD-SHELL", "wget -q --spider http://localhost:8080/ready || exit 1"],
            ["/bin/sh", "-c", "wget -q --spider http://127.64.1.1:8080/ready || exit 1"],
        ),
        (
            ["CMD-SHELL", "wget -q --spider http://127.0.0.1:8080/ready || exit 1"],
            ["/bin/sh", "-c", "wget -q --spider http://127.64.1.1:8080/ready || exit 1"],
        ),
        (["CMD", "nc", "-z", "127.0.0.1:8080"], ["nc", "-z", "127.64.1.1:8080"]),
        (["CMD-SHELL", "nc -z 127.0.0.1 8080"], ["/bin/sh", "-c", "nc -z 127.64.1.1 8080"]),
        (["CMD-SHELL", "nc -z localhost 80801"], ["/bin/sh", "-c", "nc -z localhost 80801"]),
        (["curl", "http://localhost:9000"], ["curl", "http://localhost:9000"]),
        (["CMD", "curl", "http://localhost"], ["curl", "http://localhost"]),
    ],
)
def test_localhost_at_the_container_port_is_the_task(words: list[str], command: list[str]) -> None:
    check = check_of(command=words)

    assert check is not None
    assert list(check.command) == command


def test_numbers_that_are_not_given_are_those_of_ecs() -> None:
    check = check_of(command=["CMD", "true"])

    assert check is not None
    assert (check.interval, check.timeout, check.retries, check.start_period) == (30, 5, 3, 0)
    own = check_of(command=["CMD", "true"], interval=5, timeout=2, retries=1, startPeriod=300)
    assert own is not None
    assert (own.interval, own.timeout, own.retries, own.start_period) == (5, 2, 1, 300)


def test_no_health_check() -> None:
    assert check_of() is None
    assert check_of(command=["NONE"]) is None


def states(results: str, *, retries: int = 3, start_period: float = 0, interval: float = 10) -> list[HealthStatus]:
    """The status after each result (`+` passed, `-` failed), one every *interval* seconds."""
    check = HealthCheck(["true"], interval=interval, retries=retries, start_period=start_period)
    state, statuses = HealthState(), []
    for number, result in enumerate(results, start=1):
        state = state.after(check, result == "+", number * interval)
        statuses.append(state.status)
    return statuses


HEALTHY, UNHEALTHY, UNKNOWN = HealthStatus.HEALTHY, HealthStatus.UNHEALTHY, HealthStatus.UNKNOWN


@pytest.mark.parametrize(
    ("results", "start_period", "expected"),
    [
        ("+", 0, [HEALTHY]),
        ("---", 0, [UNKNOWN, UNKNOWN, UNHEALTHY]),
        ("+--+---", 0, [HEALTHY, HEALTHY, HEALTHY, HEALTHY, HEALTHY, HEALTHY, UNHEALTHY]),
        ("---+", 0, [UNKNOWN, UNKNOWN, UNHEALTHY, HEALTHY]),
        ("-----", 25, [UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNHEALTHY]),
        ("+---", 60, [HEALTHY, HEALTHY, HEALTHY, UNHEALTHY]),  # a success ends the start period
    ],
)
def test_failures_in_a_row_make_a_container_unhealthy(
    results: str, start_period: float, expected: list[HealthStatus]
) -> None:
    assert states(results, start_period=start_period) == expected


@given(st.text("+-", min_size=1, max_size=30), st.integers(1, 10))
def test_only_as_many_failures_in_a_row_as_retries_are_unhealthy(results: str, retries: int) -> None:
    final = states(results, retries=retries)[-1]

    trailing_failures = len(results) - len(results.rstrip("-"))
    assert (final is UNHEALTHY) == (trailing_failures >= retries)
    assert (final is HEALTHY) == (trailing_failures < retries and "+" in results)


def test_the_stand_in_serves_where_the_machine_has_no_wget(tmp_path: Path) -> None:
    (tmp_path / "wget").write_text("#!/bin/sh\n")
    (tmp_path / "wget").chmod(0o755)
    assert search_path(str(tmp_path)) == str(tmp_path)

    empty = tmp_path / "empty"
    empty.mkdir()
    stand_ins = search_path(str(empty)).removeprefix(f"{empty}:")
    done = subprocess.run(
        [f"{stand_ins}/wget", "-q", "--spider", "http://127.0.0.1:1/ready"],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("wget: ")
