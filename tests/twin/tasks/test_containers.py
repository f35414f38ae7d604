"""The containers of a task as real processes: order, address, environment, health and end."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.twin.tasks.test_life import Bench, get, running
from twin.aws.ecs.model import HealthStatus

Json = dict[str, Any]

# A container that serves its environment, or ends, as its first word says.
SIDE = """
import http.server, json, os, pathlib, signal, sys, time

mode = sys.argv[1]
if mode.startswith("ends-"):
    sys.exit(int(mode.removeprefix("ends-")))

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(dict(os.environ)).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

def stop(number, frame):
    if mode == "slow":
        time.sleep(0.3)
    sys.exit(0)

signal.signal(signal.SIGTERM, stop)
http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""


def side(**definition: Any) -> Json:
    return {"name": "side", "image": "side:1", "portMappings": [{"containerPort": 9000}], **definition}


@pytest.fixture
def program(tmp_path: Path) -> str:
    (tmp_path / "side.py").write_text(SIDE)
    return f"{sys.executable} {tmp_path / 'side.py'}"


def logged(bench: Bench, container: str) -> list[str]:
    return [step for step, details in bench.details if details.get("container") == container]


def test_all_containers_with_a_program_run_at_one_address(tmp_path: Path, program: str) -> None:
    definition = {"environment": [{"name": "SIDE_URL", "value": "http://localhost:9000/, http://localhost:1234/"}]}

    async def scenario() -> tuple[Json, Json, Bench]:
        async with running(
            tmp_path, definition=definition, others=(side(),), programs={"side": f"{program} serves"}
        ) as bench:
            await bench.until("registered")
            main = (await get(bench.proxy)).json()
            async with httpx.AsyncClient() as client:
                async with asyncio.timeout(20):
                    while True:
                        try:
                            other = (await client.get(f"http://{main['HOST']}:9000/")).json()
                            break
                        except httpx.TransportError:
                            await asyncio.sleep(0.02)
            assert [container.last_status for container in bench.task.containers] == ["RUNNING", "RUNNING"]
            bench.stop()
            await bench.until("STOPPED")
            return main, other, bench

    main, other, bench = asyncio.run(scenario())

    assert main["HOST"] == other["HOST"]
    assert (main["PORT"], other["PORT"]) == ("8080", "9000")
    assert main["SIDE_URL"] == f"http://{main['HOST']}:9000, http://localhost:1234/".replace("9000,", "9000/,")
    assert other["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert main["ECS_CONTAINER_METADATA_URI_V4"] != other["ECS_CONTAINER_METADATA_URI_V4"]
    assert logged(bench, "side") == ["SIGTERM"]
    assert [(c.last_status, c.exit_code) for c in bench.task.containers] == [("STOPPED", 0), ("STOPPED", 0)]


def test_secrets_are_in_the_environment_of_the_container_that_names_them(tmp_path: Path) -> None:
    definition = {"secrets": [{"name": "PASSWORD", "valueFrom": "arn:secret"}]}

    async def scenario() -> Json:
        async with running(tmp_path, definition=definition) as bench:
            await bench.until("registered")
            return dict((await get(bench.proxy)).json())

    assert asyncio.run(scenario())["PASSWORD"] == "the value of arn:secret"


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        (
            {"secrets": [{"name": "PASSWORD", "valueFrom": "arn:a\0"}]},
            "Container app: the secret of PASSWORD must be a text without NUL, of whole characters",
        ),
        (
            {"secrets": [{"name": "PASSWORD", "valueFrom": "arn:" + "a" * 3_000_000}]},
            "Container app: its command and environment have 3",
        ),
    ],
    ids=["NUL", "too large"],
)
def test_what_no_process_can_have_stops_the_task_with_a_sentence(
    tmp_path: Path, definition: dict[str, Any], reason: str
) -> None:
    async def scenario() -> str:
        async with running(tmp_path, definition=definition) as bench:
            await bench.until("STOPPED")
            return str(bench.task.stopped_reason)

    assert asyncio.run(scenario()).startswith(reason)


def test_a_task_ends_with_an_essential_container_and_not_with_another(tmp_path: Path, program: str) -> None:
    async def scenario(essential: bool) -> Bench:
        folder = tmp_path / str(essential)
        folder.mkdir()
        async with running(
            folder, others=(side(essential=essential),), programs={"side": f"{program} ends-3"}
        ) as bench:
            await bench.until("STOPPED" if essential else "exited")
            if not essential:
                await bench.until("registered")
                assert "fails" not in bench.steps
            return bench

    ended = asyncio.run(scenario(True))
    assert ended.task.stopped_reason == "Essential container in task exited"
    assert ended.task.containers[1].exit_code == 3
    assert ended.task.exited is ended.task.containers[1]
    kept = asyncio.run(scenario(False))
    assert (kept.task.containers[1].exit_code, kept.task.stop_code) == (3, None)


@pytest.mark.parametrize(
    ("condition", "mode", "reason"),
    [
        ("SUCCESS", "ends-0", None),
        ("COMPLETE", "ends-7", None),
        ("SUCCESS", "ends-7", "Container app did not start: side, on which it depends, it exited with code 7"),
        ("START", "serves", None),
    ],
)
def test_the_application_waits_for_what_it_depends_on(
    tmp_path: Path, program: str, condition: str, mode: str, reason: str | None
) -> None:
    definition = {"dependsOn": [{"containerName": "side", "condition": condition}]}

    async def scenario() -> Bench:
        others = (side(essential=False),)
        async with running(
            tmp_path, definition=definition, others=others, programs={"side": f"{program} {mode}"}
        ) as bench:
            await bench.until("STOPPED" if reason else "registered")
            return bench

    bench = asyncio.run(scenario())
    assert bench.task.stopped_reason == reason
    assert (bench.application_started, "held" in bench.steps) == (reason is None, condition != "START")


def test_a_task_is_healthy_when_all_its_essential_containers_are(tmp_path: Path, program: str) -> None:
    checked = {"command": ["CMD-SHELL", f"test -e {tmp_path}/ready"], "interval": 1, "retries": 1}

    async def scenario() -> list[HealthStatus]:
        others = (side(healthCheck=checked),)
        definition = {"healthCheck": {"command": ["CMD", "true"], "interval": 1}}
        async with running(
            tmp_path, definition=definition, others=others, programs={"side": f"{program} serves"}
        ) as bench:
            await bench.until("health HEALTHY")
            async with asyncio.timeout(20):
                while bench.task.containers[1].health is HealthStatus.UNKNOWN:
                    await asyncio.sleep(0.02)
            seen = [bench.task.health]
            (tmp_path / "ready").touch()
            async with asyncio.timeout(20):
                while bench.task.containers[1].health is not HealthStatus.HEALTHY:
                    await asyncio.sleep(0.02)
            return [*seen, bench.task.health]

    assert asyncio.run(scenario()) == [HealthStatus.UNHEALTHY, HealthStatus.HEALTHY]


def test_what_depends_on_others_stops_before_them(tmp_path: Path, program: str) -> None:
    others = (side(dependsOn=[{"containerName": "app", "condition": "START"}]),)

    async def scenario() -> Bench:
        async with running(tmp_path, others=others, programs={"side": f"{program} slow"}) as bench:
            await bench.until("registered")
            bench.stop()
            await bench.until("STOPPED")
            return bench

    bench = asyncio.run(scenario())
    ends = [details.get("container", "app") for step, details in bench.details if step == "SIGTERM"]
    assert ends == ["side", "app"]


def test_a_worker_has_neither_port_nor_proxy(tmp_path: Path) -> None:
    definition = {"name": "worker", "portMappings": []}

    async def scenario() -> Bench:
        async with running(tmp_path, "worker", definition=definition, connection=None) as bench:
            await bench.until("RUNNING")
            assert bench.life.application.returncode is None
            assert bench.life.proxy is None
            bench.stop()
            await bench.until("STOPPED")
            return bench

    bench = asyncio.run(scenario())
    assert "registered" not in bench.steps
    assert "does not listen" not in bench.steps


def test_a_main_container_without_a_program_says_how_to_name_it(tmp_path: Path) -> None:
    def forget(launcher: Any) -> None:
        from twin.tasks.programs import Programs

        launcher.surroundings.programs = Programs()

    async def scenario() -> Bench:
        async with running(tmp_path, sabotage=forget) as bench:
            await bench.until("STOPPED")
            return bench

    bench = asyncio.run(scenario())
    assert "has no program on this machine: write [programs.shop]" in (bench.task.stopped_reason or "")
    assert bench.launcher.surroundings.unnamed == {"shop"}
