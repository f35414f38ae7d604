"""The life of one task, with real processes: an application, its Envoy, signals and health checks."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import os
import signal
import sys
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.twin.running import CREDENTIALS
from twin.aws.client import Aws
from twin.aws.ecs.model import (
    Cluster,
    Container,
    Deployment,
    HealthStatus,
    StopCode,
    Task,
    TaskDefinition,
    TaskStatus,
)
from twin.events import Events, InstancesChanged, ParametersChanged, TaskChanged, TaskFailed
from twin.machine.addresses import Address, LoopbackAddresses
from twin.machine.machine import Machine
from twin.machine.process import Processes, envoy_program
from twin.parameters import Parameters
from twin.tasks.launcher import TaskLauncher
from twin.tasks.program import Command
from twin.tasks.programs import Programs
from twin.tasks.proxy import Disturbance
from twin.tasks.surroundings import Surroundings

APPLICATION = """
import http.server, json, os, signal, sys, time
mode = sys.argv[3]
if mode == "exits":
    sys.exit(3)
if mode == "deaf":
    while not os.path.exists("listen"):
        time.sleep(0.01)
if mode == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = json.dumps(dict(os.environ)).encode()
        self.send_response(200 if not os.path.exists("sick") else 503)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
"""


@dataclass
class Registry:
    """Where a task registers."""

    addresses: dict[tuple[str, str], Address] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)

    def register(
        self, service_id: str, instance_id: str, address: Address, attributes: dict[str, str], *, with_port: bool = True
    ) -> None:
        assert with_port
        self.addresses[service_id, instance_id] = address
        self.attributes = attributes

    def dns_names(self) -> None:
        return None

    def set_health(self, service_id: str, instance_id: str, *, healthy: bool) -> None:
        return

    def deregister(self, service_id: str, instance_id: str) -> None:
        del self.addresses[service_id, instance_id]


@dataclass
class Bench:
    """A launcher with one task of its own."""

    launcher: TaskLauncher
    registry: Registry
    events: Events
    task: Task
    steps: list[str]
    details: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def until(self, step: str, timeout: float = 20) -> None:
        async with asyncio.timeout(timeout):
            while step not in self.steps:
                await asyncio.sleep(0.01)

    def stop(self) -> None:
        self.task.desired_status = TaskStatus.STOPPED
        self.launcher.stop(self.task)

    @property
    def life(self) -> Any:
        return self.launcher.lives[self.task.id]

    @property
    def application_started(self) -> bool:
        return self.task.container.last_status != "PENDING" and "ACTIVATING" in self.steps

    @property
    def proxy(self) -> Address:
        return self.registry.addresses["srv-1", self.task.id]


HOLD = {
    "name": "hold",
    "image": "shop",
    "essential": False,
    "dependsOn": [{"containerName": "app", "condition": "HEALTHY"}],
}


DEPLOYED = f"service shop (shop:1, deployed at {time.strftime('%H:%M:%S', time.localtime(0.0))})"


def make_task(definition: dict[str, Any], connection: dict[str, Any] | None, *others: dict[str, Any]) -> Task:
    container = {
        "name": "app",
        "image": "shop",
        "portMappings": [{"name": "http", "containerPort": 8080, "appProtocol": "http"}],
        "environment": [{"name": "COLOUR", "value": "red"}],
        "stopTimeout": 1,
        **definition,
    }
    deployment = Deployment(
        id="ecs-svc/1",
        task_definition=TaskDefinition("arn:td", "shop", 1, {"containerDefinitions": [container, *others]}, 0.0),
        created_at=0.0,
        updated_at=0.0,
        network_configuration={},
        service_connect=connection,
        service_connect_resources=[{"discoveryName": "shop", "discoveryArn": "arn:aws:servicediscovery:x/srv-1"}],
    )
    return Task(
        id="0123456789abcdef0123456789abcdef",
        arn="arn:task",
        cluster=Cluster("arn:cluster", "shop", 0.0),
        service_name="shop",
        deployment=deployment,
        zone="eu-west-2a",
        subnet_id="subnet-a",
        private_address="10.0.0.4",
        host_name="ip-10-0-0-4.eu-west-2.compute.internal",
        containers=[
            Container(each["name"], "arn:container", "shop", f"runtime-{number}")
            for number, each in enumerate([container, *others], 1)
        ],
        main=0,
        created_at=0.0,
    )


@pytest.mark.parametrize(
    ("connected", "steps", "registered"), [(True, (), False), (True, ("registered",), True), (False, (), True)]
)
def test_with_service_connect_a_task_is_there_once_it_is_registered(
    connected: bool, steps: tuple[str, ...], registered: bool
) -> None:
    task = make_task({}, CONNECTION if connected else None)
    task.steps = {"RUNNING": 1.0} | dict.fromkeys(steps, 1.01)

    assert task.is_registered is registered


class NoBalancers:
    def require_groups(self, groups: Sequence[str]) -> None:
        pass

    async def register(self, task: str, groups: Sequence[str], address: Address) -> None:
        pass

    async def deregister(self, task: str) -> float:
        return 0.0


CONNECTION = {"enabled": True, "namespace": "arn:ns", "services": [{"portName": "http"}]}


class Secrets(Aws):
    """An endpoint whose secrets tell their ARNs."""

    def call(self, service: str, operation: str, **parameters: Any) -> Any:
        return {"SecretString": f"the value of {parameters['SecretId']}"}


@contextlib.asynccontextmanager
async def running(
    folder: Path,
    mode: str = "serves",
    *,
    parameters: Parameters | None = None,
    definition: dict[str, Any] | None = None,
    connection: dict[str, Any] | None = CONNECTION,
    others: tuple[dict[str, Any], ...] = (),
    programs: dict[str, str] | None = None,
    envoy: str | None = None,
    sabotage: Callable[[TaskLauncher], object] | None = None,
    instances_changed: Callable[[Bench], Awaitable[None]] | None = None,
) -> AsyncIterator[Bench]:
    """A task that has begun; everything of it is gone in the end."""
    (folder / "application.py").write_text(APPLICATION)
    processes = Processes()
    await processes.start()
    registry, steps, addresses = Registry(), list[str](), LoopbackAddresses()
    details: list[tuple[str, dict[str, Any]]] = []

    def log(kind: str, task: str, step: str, **more: Any) -> None:
        steps.append(step)
        details.append((step, more))

    events = Events(log)

    async def changed(event: InstancesChanged) -> None:
        if instances_changed:
            await instances_changed(bench)

    def failed(event: TaskFailed) -> None:
        """As the controller of ECS does."""
        if bench.task.is_wanted:
            bench.task.desired_status = TaskStatus.STOPPED
            bench.task.stop_code, bench.task.stopped_reason = StopCode(event.code), event.reason
            launcher.stop(bench.task)

    events.subscribe(InstancesChanged, changed)
    events.subscribe(TaskFailed, failed)

    surroundings = Surroundings(
        Machine(processes, addresses, envoy or envoy_program(), folder),
        registry,  # type: ignore[arg-type]
        NoBalancers(),
        parameters or Parameters(proxy_drain=0),
        events,
        Secrets("http://127.0.0.1:4566", "eu-west-2", CREDENTIALS),
        Programs(
            default=Command([sys.executable, "application.py", "{host}", "{port}", mode], folder),
            given=[f"shop/{name}={command}" for name, command in (programs or {}).items()],
        ),
        name_tasks=False,
    )
    launcher = TaskLauncher(surroundings)
    bench = Bench(launcher, registry, events, make_task(definition or {}, connection, *others), steps, details)
    if sabotage:
        sabotage(launcher)
    launcher.start(bench.task)
    try:
        yield bench
    finally:
        await launcher.close()
        await processes.close(patience=0.1)
        addresses.close()
        assert len(processes) == 0


async def get(address: Address, client: httpx.AsyncClient | None = None) -> httpx.Response:
    if client is not None:
        return await client.get(f"http://{address}/")
    async with httpx.AsyncClient() as own:
        return await own.get(f"http://{address}/")


def test_a_task_takes_its_steps_in_the_order_of_ecs(tmp_path: Path) -> None:
    seen: list[tuple[str, int]] = []

    async def instances_changed(bench: Bench) -> None:
        seen.append((bench.steps[-1], len(bench.registry.addresses)))

    async def scenario() -> Bench:
        async with running(tmp_path, instances_changed=instances_changed) as bench:
            await bench.until("registered")
            assert (await get(bench.proxy)).status_code == 200
            bench.stop()
            await bench.until("STOPPED")
            return bench

    bench = asyncio.run(scenario())

    assert bench.steps == [
        *("PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "registered"),
        *("DEACTIVATING", "deregistered", "STOPPING", "proxy drains", "SIGTERM", "application stopped"),
        *("proxy stopped", "DEPROVISIONING", "STOPPED"),
    ]
    assert seen == [("registered", 1), ("deregistered", 0)]
    times = [bench.task.steps[step] for step in bench.steps]
    assert times == sorted(times)
    container = bench.task.container
    assert (container.last_status, container.exit_code) == ("STOPPED", 0)
    assert bench.launcher.lives == {}


def test_the_application_has_the_environment_of_its_container(tmp_path: Path) -> None:
    async def scenario() -> tuple[dict[str, str], Address, dict[str, str]]:
        async with running(tmp_path) as bench:
            await bench.until("registered")
            return (await get(bench.proxy)).json(), bench.proxy, bench.registry.attributes

    environment, proxy, attributes = asyncio.run(scenario())

    assert environment["COLOUR"] == "red"
    assert environment["HOSTNAME"] == "ip-10-0-0-4.eu-west-2.compute.internal"
    assert environment["ECS_CONTAINER_METADATA_URI_V4"] == "http://127.0.0.1:4566/v4/runtime-1"
    assert (environment["PORT"], proxy.port) == ("8080", 8080)
    assert environment["HOST"] != proxy.host
    assert attributes["AvailabilityZone"] == "eu-west-2a"
    assert "HOME" not in environment


def test_an_ingress_port_override_is_where_the_proxy_listens(tmp_path: Path) -> None:
    connection = {**CONNECTION, "services": [{"portName": "http", "ingressPortOverride": 15000}]}

    async def scenario() -> int:
        async with running(tmp_path, connection=connection) as bench:
            await bench.until("registered")
            assert (await get(bench.proxy)).json()["PORT"] == "8080"
            return bench.proxy.port

    assert asyncio.run(scenario()) == 15000


def test_an_application_that_ignores_sigterm_is_killed_after_the_stop_timeout(tmp_path: Path) -> None:
    async def scenario() -> Bench:
        async with running(tmp_path, "stubborn") as bench:
            await bench.until("registered")
            bench.stop()
            await bench.until("STOPPED")
            return bench

    bench = asyncio.run(scenario())

    assert bench.steps.index("SIGTERM") < bench.steps.index("SIGKILL") < bench.steps.index("application stopped")
    assert bench.task.container.exit_code == 137
    assert bench.task.steps["SIGKILL"] - bench.task.steps["SIGTERM"] >= 1


def test_while_it_stops_open_connections_are_served_and_new_ones_are_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path, "stubborn") as bench, httpx.AsyncClient() as client:
            await bench.until("registered")
            proxy = bench.proxy
            await get(proxy, client)
            bench.stop()
            await bench.until("SIGTERM")
            assert (await get(proxy, client)).status_code == 200
            with pytest.raises(httpx.ConnectError):
                await get(proxy)

    asyncio.run(scenario())


def test_the_deregistration_delay_comes_before_the_drain(tmp_path: Path) -> None:
    async def scenario() -> Bench:
        parameters = Parameters(deregistration_delay=0.5, proxy_drain=0)
        async with running(tmp_path, parameters=parameters) as bench:
            await bench.until("registered")
            proxy = bench.proxy
            bench.stop()
            await bench.until("deregistered")
            assert (await get(proxy)).status_code == 200
            await bench.until("STOPPED")
            return bench

    steps = asyncio.run(scenario()).task.steps

    assert steps["STOPPING"] - steps["deregistered"] >= 0.5


def test_the_proxy_goes_after_the_application_and_its_drain(tmp_path: Path) -> None:
    async def scenario() -> Bench:
        async with running(tmp_path, parameters=Parameters(proxy_drain=0.5)) as bench:
            await bench.until("registered")
            bench.stop()
            await bench.until("STOPPED")
            return bench

    steps = asyncio.run(scenario()).task.steps

    assert steps["proxy stopped"] - steps["application stopped"] >= 0.5


def test_a_proxy_that_drains_ends_once_its_drain_is_shortened(tmp_path: Path) -> None:
    async def scenario() -> Bench:
        async with running(tmp_path, parameters=Parameters(proxy_drain=3600)) as bench:
            await bench.until("registered")
            bench.stop()
            await bench.until("application stopped")
            bench.events.publish(ParametersChanged(Parameters(proxy_drain=0)))
            await bench.until("STOPPED")
            return bench

    assert "proxy stopped" in asyncio.run(scenario()).task.steps


def test_an_application_that_exits_at_once_is_never_registered(tmp_path: Path) -> None:
    async def scenario() -> Bench:
        async with running(tmp_path, "exits") as bench:
            await bench.until("STOPPED")
            return bench

    bench = asyncio.run(scenario())

    assert "RUNNING" not in bench.steps
    assert "registered" not in bench.steps
    assert (bench.task.stop_code, bench.task.stopped_reason) == (
        StopCode.ESSENTIAL_CONTAINER_EXITED,
        "Essential container in task exited",
    )
    assert bench.task.container.exit_code == 3


def test_an_application_that_does_not_listen_is_registered_when_the_wait_is_over_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> tuple[int, list[str]]:
        async with running(tmp_path, "deaf", parameters=Parameters(registration_wait=0.2, proxy_drain=0)) as bench:
            await bench.until("registered")
            status = (await get(bench.proxy)).status_code
            async with asyncio.timeout(20):
                while not caplog.records:
                    await asyncio.sleep(0.01)
            (complaint,) = bench.launcher.surroundings.complaints([bench.task.deployment.id])
            assert complaint.startswith(f"Tasks of {DEPLOYED} run and accept no connection yet: the program starts")
            assert bench.launcher.surroundings.complaints(["ecs-svc/2"]) == []
            (tmp_path / "listen").touch()
            await bench.until("listens")
            assert bench.launcher.surroundings.complaints([bench.task.deployment.id]) == []
            return status, bench.steps

    status, steps = asyncio.run(scenario())
    assert status == 503
    assert "does not listen" in steps
    said, later = (record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert (
        "accept no connection yet, 1 s after their start: the program starts slowly (--register-when-healthy is for "
        "that), or it does not listen on" in said
    )
    assert later == "All tasks of service shop accept connections now"


def test_a_task_that_a_container_waits_for_runs_and_is_registered_once_it_is_healthy(tmp_path: Path) -> None:
    check = {"command": ["CMD-SHELL", f"test -e {tmp_path}/fit"], "interval": 0.05, "retries": 1}

    async def scenario() -> Bench:
        async with running(tmp_path, definition={"healthCheck": check}, others=(HOLD,)) as bench:
            await bench.until("health UNHEALTHY")  # which ends nothing before it runs
            assert bench.task.last_status is TaskStatus.PENDING
            assert bench.registry.addresses == {}
            (tmp_path / "fit").touch()
            await bench.until("registered")
            assert (await get(bench.proxy)).status_code == 200
            return bench

    steps = asyncio.run(scenario()).steps

    assert steps == [
        *("PROVISIONING", "PENDING", "held", "health UNHEALTHY", "health HEALTHY"),
        *("ACTIVATING", "RUNNING", "registered"),
    ]


def test_a_task_that_is_not_healthy_within_its_start_timeout_has_failed_to_start(tmp_path: Path) -> None:
    definition = {"healthCheck": {"command": ["CMD-SHELL", "exit 1"], "interval": 0.05}, "startTimeout": 0.3}

    async def scenario() -> Bench:
        async with running(tmp_path, definition=definition, others=(HOLD,)) as bench:
            await bench.until("STOPPED")
            return bench

    bench = asyncio.run(scenario())

    assert "RUNNING" not in bench.steps
    assert "registered" not in bench.steps
    assert (bench.task.stop_code, bench.task.stopped_reason) == (
        StopCode.TASK_FAILED_TO_START,
        "Container hold did not start: app, on which it depends, was not HEALTHY within 0.3 s",
    )


def test_a_task_can_be_stopped_while_it_is_held(tmp_path: Path) -> None:
    definition = {"healthCheck": {"command": ["CMD-SHELL", "exit 1"], "interval": 60}}

    async def scenario() -> Bench:
        async with running(tmp_path, definition=definition, others=(HOLD,)) as bench:
            await bench.until("held")
            bench.stop()
            await bench.until("STOPPED")
            return bench

    assert "registered" not in asyncio.run(scenario()).steps


def test_a_task_can_be_stopped_while_it_starts(tmp_path: Path) -> None:
    async def scenario() -> Bench:
        async with running(tmp_path, "deaf") as bench:
            await bench.until("ACTIVATING")
            bench.stop()
            await bench.until("STOPPED")
            return bench

    assert "registered" not in asyncio.run(scenario()).steps


def test_a_task_whose_proxy_does_not_start_fails_to_start(tmp_path: Path) -> None:
    async def scenario() -> Task:
        async with running(tmp_path, envoy="/bin/false") as bench:
            await bench.until("STOPPED")
            return bench.task

    task = asyncio.run(scenario())

    assert task.stop_code is StopCode.TASK_FAILED_TO_START
    assert "proxy" in (task.stopped_reason or "")
    assert task.container.exit_code is None


def test_a_killed_proxy_is_restarted_until_its_restarts_are_used_up(tmp_path: Path) -> None:
    async def scenario() -> Bench:
        async with running(tmp_path, parameters=Parameters(proxy_restarts=1, proxy_drain=0)) as bench:
            await bench.until("registered")
            proxy = bench.proxy
            bench.life.proxy.signal(signal.SIGKILL)
            await bench.until("proxy restarted")
            assert (await get(proxy)).status_code == 200
            bench.life.proxy.signal(signal.SIGKILL)
            await bench.until("STOPPED")
            return bench

    bench = asyncio.run(scenario())

    assert bench.steps.count("proxy exited") == 2
    assert (bench.task.stop_code, bench.task.stopped_reason) == (
        StopCode.ESSENTIAL_CONTAINER_EXITED,
        "Service Connect proxy exited",
    )


def test_without_service_connect_there_is_no_proxy_and_no_registration(tmp_path: Path) -> None:
    async def scenario() -> Bench:
        async with running(tmp_path, connection=None) as bench:
            bench.task.deployment.service_connect_resources.clear()
            await bench.until("RUNNING")
            assert bench.life.proxy is None
            bench.stop()
            await bench.until("STOPPED")
            return bench

    assert not {"registered", "proxy drains", "proxy stopped"} & set(asyncio.run(scenario()).steps)


def test_the_health_check_is_the_command_of_the_task_definition(tmp_path: Path) -> None:
    check = {
        "command": ["CMD-SHELL", "wget -q --spider http://localhost:8080/ || exit 1"],
        "interval": 0.1,  # below what ECS takes, for the test's sake
        "timeout": 5,
        "retries": 2,
        "startPeriod": 20,
    }

    async def scenario() -> HealthStatus:
        async with running(tmp_path, definition={"healthCheck": check}) as bench:
            await bench.until("health HEALTHY")
            (tmp_path / "sick").touch()
            await bench.until("health UNHEALTHY")
            return bench.task.health

    assert asyncio.run(scenario()) is HealthStatus.UNHEALTHY


def test_a_health_check_that_hangs_has_failed_and_leaves_nothing_behind(tmp_path: Path) -> None:
    check = {"command": ["CMD-SHELL", "sleep 60 & sleep 60"], "interval": 0.1, "timeout": 0.2, "retries": 1}

    async def scenario() -> None:
        async with running(tmp_path, definition={"healthCheck": check}) as bench:
            await bench.until("health UNHEALTHY")

    asyncio.run(scenario())


def breaking(name: str, on: str = "", after: int = 0) -> Callable[[TaskLauncher], None]:
    """Lets a method of one of the launcher's parts, or of it, raise what nobody expects once it was called *after*
    times."""

    def sabotage(launcher: TaskLauncher) -> None:
        owner = getattr(launcher.surroundings, on) if on else launcher.surroundings
        right, calls = getattr(owner, name), itertools.count()

        def called(*arguments: Any, **named: Any) -> Any:
            if next(calls) < after:
                return right(*arguments, **named)
            raise LookupError(f"on purpose in {name}")

        setattr(owner, name, called)

    return sabotage


def subscribe_and_raise(launcher: TaskLauncher) -> None:
    """Have a subscriber raise at the third step of a task."""
    heard = itertools.count(1)

    def subscriber(event: TaskChanged) -> None:
        if next(heard) >= 3:
            raise LookupError("on purpose in a subscriber")

    launcher.surroundings.events.subscribe(TaskChanged, subscriber)


ODD = {"environment": [{"name": "COLOUR"}]}
CHECKED = {"healthCheck": {"command": ["CMD", "true"], "interval": 0.1}}


@pytest.mark.parametrize(
    ("sabotage", "definition", "code"),
    [
        (breaking("allocate", "addresses"), {}, StopCode.TASK_FAILED_TO_START),
        (breaking("spawn", "processes"), {}, StopCode.TASK_FAILED_TO_START),
        (breaking("spawn", "processes", after=1), {}, StopCode.TASK_FAILED_TO_START),
        (None, ODD, StopCode.TASK_FAILED_TO_START),
        (subscribe_and_raise, {}, StopCode.TASK_FAILED_TO_START),
        (breaking("require_groups", "balancers"), {}, StopCode.TASK_FAILED_TO_START),
        (breaking("register", "balancers"), {}, StopCode.ESSENTIAL_CONTAINER_EXITED),
        (breaking("register", "registry"), {}, StopCode.ESSENTIAL_CONTAINER_EXITED),
        (breaking("settle", "events"), {}, StopCode.ESSENTIAL_CONTAINER_EXITED),
        (breaking("health_changed"), CHECKED, None),  # the first check may come before RUNNING
    ],
    ids=[
        "addresses",
        "proxy",
        "application",
        "environment",
        "ecs",
        "group",
        "balancer",
        "cloud-map",
        "gateway",
        "health",
    ],
)
def test_whatever_a_life_raises_it_ends_with_a_reason(
    tmp_path: Path,
    sabotage: Callable[[TaskLauncher], object] | None,
    definition: dict[str, Any],
    code: StopCode | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> Bench:
        async with running(tmp_path, definition=definition, sabotage=sabotage) as bench:
            await bench.until("STOPPED")
            return bench

    bench = asyncio.run(scenario())

    assert "fails" in bench.steps
    assert (bench.task.last_status, bench.task.stop_code) == (
        TaskStatus.STOPPED,
        code or bench.task.stop_code,
    )
    assert bench.task.stop_code is not None
    reason = bench.task.stopped_reason or ""
    assert reason.startswith("The twin itself has failed (")
    assert "on purpose" in reason or reason.endswith("(KeyError: 'value')")
    assert {container.last_status for container in bench.task.containers} == {"STOPPED"}
    assert (bench.launcher.lives, bench.registry.addresses) == ({}, {})
    assert f"task {bench.task.id} failed" in [record.getMessage() for record in caplog.records]


def test_a_proxy_whose_watcher_fails_is_no_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twin.tasks.proxy.accident", lambda what: 1 / 0)

    async def scenario() -> Bench:
        async with running(tmp_path) as bench:
            await bench.until("registered")
            bench.life.proxy.signal(signal.SIGKILL)
            await bench.until("STOPPED")
            return bench

    assert "ZeroDivisionError" in (asyncio.run(scenario()).task.stopped_reason or "")


@pytest.mark.parametrize(
    ("name", "on"),
    [("deregister", "balancers"), ("deregister", "registry"), ("publish", "events"), ("settle", "events")],
)
def test_whatever_its_end_raises_it_stops_and_leaves_no_process(
    tmp_path: Path, name: str, on: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> Bench:
        async with running(tmp_path) as bench:
            await bench.until("registered")
            breaking(name, on)(bench.launcher)
            bench.stop()
            await bench.until("STOPPED")
            assert len(bench.launcher.surroundings.processes) == 0
            return bench

    bench = asyncio.run(scenario())

    assert bench.task.last_status is TaskStatus.STOPPED
    assert bench.launcher.lives == {}
    assert on == "registry" or bench.registry.addresses == {}
    assert f"the end of task {bench.task.id} failed" in [record.getMessage() for record in caplog.records]


def test_a_health_check_that_cannot_be_started_has_failed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    check = {"command": ["CMD", "true"], "interval": 0.1, "retries": 2}

    async def scenario() -> Bench:
        async with running(tmp_path, definition={"healthCheck": check}) as bench:
            await bench.until("health HEALTHY")
            health = tmp_path / "tasks" / bench.task.id / "health.log"
            health.unlink()
            health.mkdir()  # as on a machine where nothing can be written
            await bench.until("health UNHEALTHY")
            return bench

    assert asyncio.run(scenario()).task.health is HealthStatus.UNHEALTHY
    assert "health check" in caplog.text


def test_tasks_that_are_unhealthy_again_and_again_are_reported_with_what_their_check_says(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    echo = f"echo no table at 127.0.0.1:8080; test -e {tmp_path}/fit"
    check = {"command": ["CMD-SHELL", echo], "interval": 0.1, "retries": 1}
    told: list[str] = []

    async def scenario() -> None:
        async with running(tmp_path, definition={"healthCheck": check}) as bench:
            await bench.until("health UNHEALTHY")
            assert caplog.records == []  # once is no news: it is in the event log
            other = replace(
                bench.task, id="f" * 32, containers=[Container("app", "arn", "shop", "runtime-2")], steps={}
            )
            bench.launcher.start(other)
            async with asyncio.timeout(20):
                while bench.steps.count("health UNHEALTHY") < 2:
                    await asyncio.sleep(0.01)
                told.extend(bench.launcher.surroundings.complaints([bench.task.deployment.id]))
                assert bench.launcher.surroundings.complaints(["ecs-svc/2"]) == []  # as --reload makes it
                (tmp_path / "fit").touch()
                while bench.steps.count("health HEALTHY") < 2:
                    await asyncio.sleep(0.01)
                assert bench.launcher.surroundings.complaints([bench.task.deployment.id]) == []

    asyncio.run(scenario())

    record, later = caplog.records
    assert later.getMessage() == "A task of service shop passes its health check again"
    (complaint,) = told
    assert (
        complaint
        == record.getMessage()
        == (
            f"Tasks of {DEPLOYED} become UNHEALTHY again and again by their health check: "
            "its last output is 'no table at {host}:{port}'; docs/own-service.md says what a health check must be"
        )
    )


def test_a_frozen_task_starts_once_it_is_thawed(tmp_path: Path) -> None:
    async def scenario() -> Bench:
        async with running(tmp_path) as bench:
            await bench.life.disturb(Disturbance(frozen=True))
            await bench.until("PENDING")
            for _ in range(20):
                await asyncio.sleep(0)
            assert bench.launcher.lives[bench.task.id].proxy is None
            await bench.life.disturb(Disturbance())
            await bench.until("registered")
            assert (await get(bench.proxy)).status_code == 200
            return bench

    assert asyncio.run(scenario()).task.last_status is TaskStatus.RUNNING


def test_a_proxy_that_was_frozen_takes_what_faults_have_changed_meanwhile(tmp_path: Path) -> None:
    check = {"command": ["CMD-SHELL", "wget -q --spider http://localhost:8080/ready"], "interval": 60}

    async def scenario() -> list[int]:
        async with running(tmp_path, definition={"healthCheck": check}) as bench, httpx.AsyncClient() as client:
            await bench.until("registered")
            url = f"http://{bench.proxy}/ready"
            await bench.life.disturb(Disturbance(frozen=True))
            await bench.life.disturb(Disturbance(frozen=True, unready=True))
            await bench.life.disturb(Disturbance(unready=True))
            unready = (await client.get(url)).status_code
            await bench.life.disturb(Disturbance())
            return [unready, (await client.get(url)).status_code]

    assert asyncio.run(scenario()) == [503, 200]


def test_a_stopped_task_leaves_its_folder_until_it_is_forgotten(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as bench:
            await bench.until("registered")
            life, application = weakref.ref(bench.life), weakref.ref(bench.life.application)
            bench.stop()
            await bench.until("STOPPED")
            await asyncio.sleep(0)  # the callbacks of its end
            gc.collect()
            assert (life(), application()) == (None, None)  # of a stopped task there is its record alone
            folder = tmp_path / "tasks" / bench.task.id
            assert (folder / "application.log").exists()
            bench.launcher.forget(bench.task)
            assert not folder.exists()

    asyncio.run(scenario())


def test_no_more_tasks_start_at_once_than_the_processors_can_bear(tmp_path: Path) -> None:
    async def scenario() -> tuple[int, int]:
        async with running(tmp_path, "deaf") as bench:
            limit = 2 * (os.cpu_count() or 1)
            for number in range(limit + 2):
                bench.launcher.start(
                    replace(bench.task, id=f"{number:032x}", steps={}, desired_status=TaskStatus.RUNNING)
                )
            async with asyncio.timeout(20):
                while bench.steps.count("ACTIVATING") < limit:
                    await asyncio.sleep(0.01)
            return bench.steps.count("PENDING"), bench.steps.count("ACTIVATING")

    pending, activating = asyncio.run(scenario())
    assert (pending - activating) == 3
