"""The life of a task: its proxy and its application as processes, its registration, its end in ECS's order.

Order of the end, as the ECS task life cycle and the agent have it: the instance is deregistered, then (after
`deregistration_delay`, which is 0 on AWS) the proxy refuses new connections, the application gets SIGTERM and,
`stopTimeout` seconds later, SIGKILL; the proxy goes last. Each step's time is kept in `Task.steps`.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from twin.aws.ecs.model import IDLE_TIMEOUT, REQUEST_TIMEOUT, TCP_IDLE_TIMEOUT, HealthStatus, StopCode, Task, TaskStatus
from twin.aws.ecs.service_registries import port_of
from twin.errors import StartFailed
from twin.events import InstancesChanged, TaskChanged, TaskFailed, report
from twin.machine.addresses import Address
from twin.machine.files import last_line
from twin.machine.process import Process
from twin.tasks.client import Client
from twin.tasks.health import HealthCheck, health_paths, search_path, statuses
from twin.tasks.proxy import Disturbance, Sidecar, sidecar

if TYPE_CHECKING:  # it makes the lives
    from twin.tasks.launcher import TaskLauncher

__all__ = ["Life"]

_POLL = 0.02  # seconds


def served_service(task: Task) -> dict[str, Any]:
    """The Service Connect service whose port the task's proxy serves: the first; empty if there is none."""
    services = (task.deployment.service_connect or {}).get("services") or [{}]
    return dict(services[0])


def served_port(task: Task) -> int:
    """The container port of that service; without one a load balancer's or a service registry's, else the first."""
    name = served_service(task).get("portName")
    ports = [port["containerPort"] for port in task.definition["portMappings"] if name in (None, port.get("name"))]
    request = task.deployment.request
    targets = [*request.get("loadBalancers", []), *request.get("serviceRegistries", [])]
    wanted = [target["containerPort"] for target in targets if target.get("containerPort") in ports]
    return int([*wanted, *ports][0])


def served_protocol(task: Task) -> str:
    """The `appProtocol` of that port; tcp if a Service Connect service names a port without one."""
    port = served_port(task)
    protocols = [p.get("appProtocol") for p in task.definition["portMappings"] if p["containerPort"] == port]
    return next(filter(None, protocols), "tcp" if served_service(task) else "http")


class Life:
    """One task from PROVISIONING to STOPPED. Whatever its work raises ends it, with a reason."""

    def __init__(self, task: Task, launcher: TaskLauncher) -> None:
        self.task = task
        self.stopping = asyncio.Event()
        self.application: Process | None = None
        self.listens = False  # whether the application has accepted a connection before it was registered
        self._launcher = launcher
        self._definition = task.definition
        self._folder = launcher.folder / task.id
        self._served = served_service(task)
        self._container_port = served_port(task)
        self._protocol = served_protocol(task)
        self._application_address: Address
        self._proxy_address: Address
        self._client = Client()
        self._work: set[asyncio.Task[None]] = set()
        self._sidecar: Sidecar | None = None
        self._registered: list[str] = []  # the ids of the Cloud Map services in which it is
        self._delay = 0.0  # seconds between its deregistration and its stop
        self._disturbance = Disturbance()
        self._thawed = asyncio.Event()
        self._thawed.set()
        self._has_been_healthy = asyncio.Event()

    @property
    def proxy(self) -> Process | None:
        return self._sidecar.process if self._sidecar is not None else None

    async def disturb(self, disturbance: Disturbance) -> None:
        """Let faults have this effect, on what has started and on what will."""
        self._disturbance = disturbance
        if disturbance.frozen:
            self._thawed.clear()
        else:
            self._thawed.set()
        if self.application is not None:
            self.application.hold(disturbance.hang or disturbance.frozen)
        if self._sidecar is not None:
            await self._sidecar.disturb(disturbance)

    def crash_application(self) -> None:
        """Kill the application, as a fault does; nothing happens if it has ended."""
        if self.application is not None and self.application.returncode is None:
            self.application.kill_group()

    def crash_proxy(self) -> None:
        """Kill the proxy, as a fault does; nothing happens if there is none."""
        if self._sidecar is not None:
            self._sidecar.crash()

    async def live(self) -> None:
        """Run the task to its end."""
        self._do(self._begin())
        try:
            await self.stopping.wait()
        finally:
            for work in (ending := set(self._work)):
                work.cancel()
            if ending:
                await asyncio.wait(ending)
        leaving = (self._leave_load_balancers, self._leave_cloud_map, self._refuse_connections)
        for step in (*leaving, self._stop_application, self._stop_proxy, self._deprovision):
            try:
                await step()
            except Exception as error:  # the other steps of its end are due all the same
                report(f"the end of task {self.task.id}", error)
        del self._launcher.lives[self.task.id]
        self._enter(TaskStatus.STOPPED)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it as long as the task lives. A task one of whose parts has failed is no task: it ends."""
        doing = asyncio.create_task(work, name=f"task {self.task.id}")
        self._work.add(doing)
        doing.add_done_callback(self._done)

    def _done(self, doing: asyncio.Task[None]) -> None:
        self._work.discard(doing)
        if doing.cancelled() or (error := doing.exception()) is None:
            return
        reason = str(error)
        if not isinstance(error, StartFailed | OSError):
            report(f"task {self.task.id}", error)
            reason = f"The twin itself has failed ({type(error).__name__}: {error})"
        started = "RUNNING" in self.task.steps
        self._fail(StopCode.ESSENTIAL_CONTAINER_EXITED if started else StopCode.TASK_FAILED_TO_START, reason)

    async def _begin(self) -> None:
        self._enter(TaskStatus.PROVISIONING)
        allocate = self._launcher.addresses.allocate
        self._application_address = allocate(self._container_port)
        self._proxy_address = allocate(self._served.get("ingressPortOverride") or self._container_port)
        self._folder.mkdir(parents=True, exist_ok=True)
        if self.task.deployment.service_connect:
            self._client = await self._launcher.clients.of(self.task.deployment.endpoints, self._folder)
            self._sidecar = self._make_sidecar()
            await self._sidecar.disturb(self._disturbance)
        self._enter(TaskStatus.PENDING)
        await self._thawed.wait()
        async with self._launcher.starting:
            application = await self._start()
            self._do(self._watch_application(application))
            self._do(self._watch_health())
            if self._sidecar is not None:
                self._do(self._watch_proxy(self._sidecar))
            if not self.task.held_by:
                await self._activate()
        if self.task.held_by:
            await self._until_healthy()
            await self._activate()
        await self._thawed.wait()
        # A task that gets no further than this has failed to start, so that the next ones wait longer and longer.
        self._launcher.balancers.require_groups(self.task.target_groups)
        self._enter(TaskStatus.RUNNING)
        await self._register()
        await self._launcher.events.settle(InstancesChanged())

    async def _start(self) -> Process:
        if self._sidecar is not None:  # the application starts when its proxy is healthy [ecs-agent]
            await self._sidecar.start()
        self.application = await self._launcher.processes.spawn(
            f"the application of task {self.task.id}",
            self._client.command(self._launcher.command.fill(self._application_address)),
            env=self._environment(),
            cwd=self._launcher.command.folder,
            log=self._folder / "application.log",
            umask=self._launcher.command.umask,
        )
        self.application.hold(self._disturbance.frozen)
        self.task.container.last_status = "RUNNING"
        return self.application

    async def _until_healthy(self) -> None:
        """Wait, PENDING, until the containers that wait for its health may start; confirmed only then [ecs]."""
        task = self.task
        waiting = ", ".join(task.held_by)
        self._step("held", containers=waiting)
        try:
            async with asyncio.timeout(task.held_for):
                await self._has_been_healthy.wait()
        except TimeoutError:
            raise StartFailed(
                f"Container {waiting} did not start: {task.container.name}, on which it depends, was not HEALTHY "
                f"within {task.held_for:g} s"
            ) from None

    async def _activate(self) -> None:
        self._enter(TaskStatus.ACTIVATING)
        await self._until_listening(self._launcher.parameters.registration_wait)

    def _make_sidecar(self) -> Sidecar:
        timeouts = self._served.get("timeout") or {}
        return Sidecar(
            f"the proxy of task {self.task.id}",
            sidecar(
                self._proxy_address,
                self._application_address,
                request_timeout=timeouts.get("perRequestTimeoutSeconds", REQUEST_TIMEOUT),
                idle_timeout=timeouts.get(
                    "idleTimeoutSeconds", TCP_IDLE_TIMEOUT if self._protocol == "tcp" else IDLE_TIMEOUT
                ),
                upstream_idle_timeout=self._launcher.parameters.proxy_idle_timeout,
                health_paths=health_paths(self._definition),
                host_name=self.task.host_name if self._launcher.name_tasks else None,
                protocol=self._protocol,
                client=self._client,
            ),
            folder=self._folder,
            processes=self._launcher.processes,
            envoy_binary=self._launcher.envoy_binary,
            thawed=self._thawed,
        )

    def _environment(self) -> Mapping[str, str]:
        """The container's environment: what the task definition gives, and what ECS and the twin add."""
        address = self._application_address
        given = {entry["name"]: entry["value"] for entry in self._definition.get("environment", [])}
        return {
            "PATH": self._launcher.command.path,
            **self._client.environment(given),
            "HOST": address.host,
            "PORT": str(address.port),
            "HOSTNAME": self.task.host_name,
            "AWS_REGION": self._launcher.region,
            "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
            "ECS_CONTAINER_METADATA_URI_V4": f"{self._launcher.metadata_url}/v4/{self.task.container.runtime_id}",
        }

    async def _until_listening(self, patience: float) -> None:
        """Wait until the application accepts a connection, or *patience* seconds are over, which is said."""
        address = self._application_address
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while True:
                    with contextlib.suppress(OSError):
                        _, writer = await asyncio.open_connection(address.host, address.port)
                        writer.close()
                        self.listens = True
                        return
                    await asyncio.sleep(_POLL)
        self._step("does not listen", address=str(address))
        self._launcher.deaf(self.task, patience)

    async def _register(self) -> None:
        address = self._proxy_address if self._sidecar else self._application_address
        await self._launcher.balancers.register(self.task.id, self.task.target_groups, address)
        registry, attributes = self._launcher.registry, self._attributes()
        if self._sidecar is not None:
            for service_id in self._discovery_services():
                self._registered.append(service_id)
                zone = {"AvailabilityZone": self.task.zone}
                registry.register(service_id, self.task.id, address, {**zone, **attributes})
        for entry in self.task.registries:
            service_id = entry["registryArn"].rsplit("/", 1)[-1]
            self._registered.append(service_id)
            where = {"AVAILABILITY_ZONE": self.task.zone, "REGION": self._launcher.region}
            with_port = port_of(entry) is not None
            registry.register(service_id, self.task.id, address, {**where, **attributes}, with_port=with_port)
            if self.task.is_checked:  # unhealthy until the container's health check passes (assumed)
                healthy = self.task.health is HealthStatus.HEALTHY
                registry.set_health(service_id, self.task.id, healthy=healthy)
        if self._registered:
            self._step("registered", address=str(address))

    def _attributes(self) -> dict[str, str]:
        return {
            "ECS_CLUSTER_NAME": self.task.cluster.name,
            "ECS_SERVICE_NAME": self.task.service_name,
            "ECS_TASK_DEFINITION_FAMILY": self.task.deployment.task_definition.family,
        }

    def _discovery_services(self) -> list[str]:
        """The ids of the Cloud Map services whose port the proxy serves."""
        deployment = self.task.deployment
        services = (deployment.service_connect or {}).get("services", [])
        return [
            resource["discoveryArn"].rsplit("/", 1)[-1]
            for service, resource in zip(services, deployment.service_connect_resources, strict=True)
            if service["portName"] == self._served["portName"]
        ]

    async def _watch_application(self, application: Process) -> None:
        self._container_stopped(await application.wait())
        self._fail(StopCode.ESSENTIAL_CONTAINER_EXITED, "Essential container in task exited")

    async def _watch_proxy(self, sidecar: Sidecar) -> None:
        why = await sidecar.keep(lambda: self._launcher.parameters.proxy_restarts, self._step)
        self._fail(StopCode.ESSENTIAL_CONTAINER_EXITED, why)

    async def _watch_health(self) -> None:
        check = HealthCheck.of(self._definition, self._container_port, self._application_address)
        if check is None:
            return
        async for status in statuses(check, lambda: self._is_healthy(check)):
            self.task.container.health = status
            for service_id in self._registered:
                healthy = status is HealthStatus.HEALTHY
                self._launcher.registry.set_health(service_id, self.task.id, healthy=healthy)
            if status is HealthStatus.HEALTHY:
                self._has_been_healthy.set()
            said = last_line(self._folder / "health.log") if status is HealthStatus.UNHEALTHY else None
            self._step(f"health {status.value}", **({"output": said} if said is not None else {}))
            if self._disturbance == Disturbance():  # else the fault is in the event log, and on purpose
                self._launcher.health_changed(self.task, said)
            self._launcher.events.publish(TaskChanged(self.task.id))

    async def _is_healthy(self, check: HealthCheck) -> bool:
        if self._disturbance.unready:
            return False
        environment = {**self._environment(), "PATH": search_path(self._launcher.command.path)}
        try:
            process = await self._launcher.processes.spawn(
                f"a health check of task {self.task.id}",
                self._client.command(check.command),
                env=environment,
                cwd=self._folder,  # not the user's: what is run here may have come by a call
                log=self._folder / "health.log",
                umask=self._launcher.command.umask,
            )
        except OSError as error:  # no process, no space: as on a machine that is out of them
            report(f"a health check of task {self.task.id}", error)
            return False
        try:
            async with asyncio.timeout(check.timeout):
                await asyncio.sleep(self._disturbance.delay)
                return await process.wait() == 0
        except TimeoutError:
            return False
        finally:
            if process.returncode is None:
                process.kill_group()

    async def _leave_load_balancers(self) -> None:
        self._enter(TaskStatus.DEACTIVATING)
        self._delay = await self._launcher.balancers.deregister(self.task.id)

    async def _leave_cloud_map(self) -> None:
        if not self._registered:
            return
        for service_id in self._registered:
            self._launcher.registry.deregister(service_id, self.task.id)
        self._step("deregistered")
        self._delay = max(self._delay, self._launcher.parameters.deregistration_delay)
        await self._launcher.events.settle(InstancesChanged())

    async def _refuse_connections(self) -> None:
        """Wait as long as ECS does before anything of a task ends."""
        if self.application is not None and self.application.returncode is None:
            await asyncio.sleep(self._delay)
        self._enter(TaskStatus.STOPPING)
        if self._sidecar is not None and await self._sidecar.refuse_connections():
            self._step("proxy drains")

    async def _stop_application(self) -> None:
        if self.application is None:
            return
        if self.application.returncode is None:
            self._step("SIGTERM")
            self.application.signal(signal.SIGTERM)
            try:
                default = self._launcher.parameters.stop_timeout
                async with asyncio.timeout(self._definition.get("stopTimeout", default)):
                    await self.application.wait()
            except TimeoutError:
                self._step("SIGKILL")
                self.application.kill_group()
        self._container_stopped(await self.application.wait())
        self._step("application stopped")

    async def _stop_proxy(self) -> None:
        if self._sidecar is not None and self._sidecar.process is not None:  # else it never started
            await self._sidecar.stop(self._launcher.parameters.proxy_drain if self._registered else 0)
            self._step("proxy stopped")

    async def _deprovision(self) -> None:
        for process in (self.application, self.proxy):
            if process is not None and process.returncode is None:  # a step before this one has failed
                process.kill_group()
                await process.wait()
        for container in self.task.containers:
            container.last_status = "STOPPED"
        self._enter(TaskStatus.DEPROVISIONING)

    def _container_stopped(self, code: int) -> None:
        container = self.task.container
        container.last_status = "STOPPED"
        container.exit_code = code if code >= 0 else 128 - code  # as a shell has it: 137 for SIGKILL
        container.health = HealthStatus.UNKNOWN

    def _fail(self, code: StopCode, reason: str) -> None:
        self._launcher.events.log("task", task=self.task.id, step="fails", code=code, reason=reason)
        self.stopping.set()  # first of all: whatever comes of telling the controller, it ends
        self._launcher.events.publish(TaskFailed(self.task.id, code, reason))

    def _enter(self, status: TaskStatus) -> None:
        self.task.last_status = status
        self._step(status.value)
        self._launcher.events.publish(TaskChanged(self.task.id))

    def _step(self, name: str, **details: object) -> None:
        self.task.steps[name] = time.time()
        self._launcher.events.log("task", task=self.task.id, step=name, **details)
