from __future__ import annotations

import http.server
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.aws.ecs.model import HealthStatus
from twin.machine.addresses import Address
from twin.tasks.health import HealthCheck, HealthState, search_path, way_out

TASK = Address("127.64.1.1", 8080)


def check_of(**given: Any) -> HealthCheck | None:
    return HealthCheck.of({"healthCheck": given} if given else {}, {8080: TASK})


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


class _OnlyGet(http.server.BaseHTTPRequestHandler):
    """As FastAPI: 405 for a HEAD that no route names."""

    def do_GET(self) -> None:
        self.send_response(204 if self.path == "/ready" else 404)
        self.end_headers()

    def do_HEAD(self) -> None:
        self.send_response(405)
        self.end_headers()

    def do_POST(self) -> None:
        said = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(said + self.headers["x-key"].encode())

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture(scope="module")
def only_get() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _OnlyGet) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def wget(tmp_path: Path, command: str) -> subprocess.CompletedProcess[str]:
    """What `wget` gives in a health check, on a machine that has one of its own, GNU's, before everything else."""
    (tmp_path / "wget").write_text("#!/bin/sh\nexit 99\n")
    (tmp_path / "wget").chmod(0o755)
    path = search_path(f"{tmp_path}:{os.environ['PATH']}")
    return subprocess.run(
        ["/bin/sh", "-c", command], env={"PATH": path}, capture_output=True, text=True, timeout=20, cwd=tmp_path
    )


@pytest.mark.parametrize(
    "options",
    ["-q --spider", "--no-verbose --tries=1 --spider", "-nv -t 1 -T 3 -O /dev/null", "-qO- --no-check-certificate"],
)
def test_wget_is_busyboxs_and_asks_with_get(tmp_path: Path, only_get: str, options: str) -> None:
    assert wget(tmp_path, f"wget {options} {only_get}/ready || exit 1").returncode == 0
    refused = wget(tmp_path, f"wget {options} {only_get}/other || exit 1")
    assert (refused.returncode, refused.stderr) == (1, "wget: server returned error: HTTP/1.1 404 Not Found\n")


def test_wget_sends_what_it_is_given(tmp_path: Path, only_get: str) -> None:
    done = wget(tmp_path, f"wget -qO - --header 'x-key: value' --post-data text= {only_get}/")
    assert (done.returncode, done.stdout) == (0, "text=value")


def test_wget_says_why_it_fails(tmp_path: Path) -> None:
    done = wget(tmp_path, "wget -q --spider http://127.0.0.1:1/ready")
    assert done.returncode == 1
    assert done.stderr.startswith("wget: can't connect to http://127.0.0.1:1/ready: ")
    assert way_out(done.stderr).startswith("the program does not listen on {host} and {port}")
    assert way_out("wget: server returned error: HTTP/1.1 404 Not Found").endswith("says what a health check must be")
    assert wget(tmp_path, "wget -q").stderr == "wget: no URL is given\n"
