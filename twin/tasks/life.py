"""The life of a task: its proxy and its containers as processes, its registration, its end in ECS's order.

Containers start in the order of `dependsOn`. Order of the end, as the ECS task life cycle and the agent have it: the
instance is deregistered, then (after `deregistration_delay`, which is 0 on AWS) the proxy refuses new connections, the
containers get SIGTERM and, `stopTimeout` seconds later, SIGKILL, those that depend on others before these; the proxy
goes last. Each step's time is kept in `Task.steps`; those of further containers are in the event log alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from twin.aws.ecs.limits import is_possible
from twin.aws.ecs.model import (
    IDLE_TIMEOUT,
    REQUEST_TIMEOUT,
    TCP_IDLE_TIMEOUT,
    HealthStatus,
    StopCode,
    Task,
    TaskStatus,
    start_timeout,
)
from twin.aws.secrets import secret
from twin.errors import BadInput, StartFailed
from twin.events import InstancesChanged, TaskChanged, TaskFailed, report
from twin.machine.addresses import Address
from twin.machine.files import last_line
from twin.machine.process import Process
from twin.machine.state import HOST_NAME
from twin.tasks.client import Client
from twin.tasks.container import TaskContainer, stop_order, waiting
from twin.tasks.container import port_of as first_port_of
from twin.tasks.health import HealthCheck, health_paths, search_path, statuses
from twin.tasks.programs import how_to_name
from twin.tasks.proxy import Disturbance, Sidecar, sidecar
from twin.tasks.registrations import Registrations, served_service
from twin.tasks.surroundings import Surroundings

__all__ = ["Life"]

_POLL = 0.01  # seconds
_SAID_AFTER = 1.0  # seconds for which a task need not listen, before the terminal says so


def _overridden(definition: dict[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """A container's definition with what RunTask says in its place: its command, and variables beside the others."""
    given = {each["name"]: each for each in [*definition.get("environment", []), *override.get("environment", [])]}
    command = {"command": override["command"]} if override.get("command") else {}
    return {**definition, **command, **({"environment": list(given.values())} if given else {})}


def served_port(task: Task) -> int | None:
    """The container port of that service; without one a load balancer's or a service registry's, else the first.

    None: the main container maps none.
    """
    name = served_service(task).get("portName")
    mapped = task.definition.get("portMappings", [])
    ports = [port["containerPort"] for port in mapped if "containerPort" in port and name in (None, port.get("name"))]
    request = task.deployment.request
    targets = [*request.get("loadBalancers", []), *request.get("serviceRegistries", [])]
    wanted = [target["containerPort"] for target in targets if target.get("containerPort") in ports]
    return next((int(port) for port in [*wanted, *ports]), None)


def served_protocol(task: Task) -> str:
    """The `appProtocol` of that port; tcp if a Service Connect service names a port without one."""
    port = served_port(task)
    ports = task.definition.get("portMappings", [])
    protocols = [each.get("appProtocol") for each in ports if each["containerPort"] == port]
    return next(filter(None, protocols), "tcp" if served_service(task) else "http")


class Life:
    """One task from PROVISIONING to STOPPED. Whatever its work raises ends it, with a reason."""

    def __init__(self, task: Task, surroundings: Surroundings) -> None:
        self.task = task
        self.stopping = asyncio.Event()
        self.listens = False  # whether the application has accepted a connection before it was registered
        self._around = surroundings
        self._definition = task.definition
        self._folder = surroundings.folder / task.id
        self._served = served_service(task)
        self._container_port = served_port(task)
        self._protocol = served_protocol(task)
        self._unusable = ""  # why no program can be found
        self._containers = [self._contained(number) for number in range(len(task.containers))]
        self._main = self._containers[task.main]
        self._ports: dict[int, Address] = {}  # where each port that a container maps is here
        self._proxy_address: Address
        self._client = Client()
        self._work: set[asyncio.Task[None]] = set()
        self._sidecar: Sidecar | None = None
        self._counting, self._counted = asyncio.Lock(), False
        self._registrations = Registrations(task, surroundings)
        self._delay = 0.0  # seconds between its deregistration and its stop
        self._disturbance = Disturbance()
        self._thawed = asyncio.Event()
        self._thawed.set()

    def _contained(self, number: int) -> TaskContainer:
        record = self.task.containers[number]
        family, is_main = self.task.deployment.task_definition.family, number == self.task.main
        override = self.task.override_of(record.name)
        definition = _overridden(self.task.deployment.task_definition.containers[number], override)
        program = None
        try:
            has_words = bool(definition.get("entryPoint") or definition.get("command"))
            program = self._around.programs.of(family, record.name, main=is_main, has_words=has_words)
        except BadInput as error:  # the file has changed: the task says so when it starts
            self._unusable = str(error)
        if program is not None and override.get("command"):  # that of the definition, in the program's folder
            program = replace(program, command=replace(program.command, words=[]))
        log = self._folder / ("application.log" if is_main else f"{record.name}.log")
        return TaskContainer(definition, record, program, log)

    @property
    def application(self) -> Process | None:
        """The main container's process, once it has started."""
        return self._main.process

    @property
    def proxy(self) -> Process | None:
        return self._sidecar.process if self._sidecar is not None else None

    @property
    def process_groups(self) -> set[int]:
        """Those of its containers and its proxy that run."""
        processes = [*(container.process for container in self._containers), self.proxy]
        return {each.pid for each in processes if each is not None and each.returncode is None}

    def inside(self, container: str | None, command: Sequence[str]) -> dict[str, Any]:
        """How another process runs *command* as those of a container do: its words, folder and environment.

        Args:
            container: its name; None: the main one.

        Raises:
            BadInput: that container does not run.
        """
        running = {each.name: each for each in self._containers if each.is_running}
        found = running.get(self._main.name if container is None else container)
        if found is None or found.program is None:
            if not running:
                raise BadInput(
                    f"Task {self.task.id[:12]} has no container running: `twin ps` lists the tasks that run."
                )
            what = "its main container" if container is None else f"a container {container}"
            there = ", ".join(running)
            raise BadInput(f"Task {self.task.id[:12]} has not {what} running: --container takes one of {there}.")
        folder = str(found.program.command.folder)
        return {"words": self._client.command(command), "folder": folder, "environment": dict(found.given)}

    async def disturb(self, disturbance: Disturbance) -> None:
        """Let faults have this effect, on what has started and on what will."""
        self._disturbance = disturbance
        if disturbance.frozen:
            self._thawed.clear()
        else:
            self._thawed.set()
        for container in self._containers:
            if container.process is not None:
                hangs = disturbance.hang and container is self._main
                container.process.hold(hangs or disturbance.frozen)
        if self._sidecar is not None:
            await self._sidecar.disturb(disturbance)

    async def count_traffic(self, *, last: bool = False) -> None:
        """Publish what its proxy has counted since the last time; nothing after the *last* one, while it drains."""
        async with self._counting:  # of two readings at a time the later one could be taken for a proxy that began anew
            if self._sidecar is None or self._counted:
                return
            self._counted = last
            names, stats = self._registrations.discovery_names, await self._sidecar.statistics()
            self._around.traffic.read(self.task, names, self._protocol, self._client.calls, stats)
            if last:
                self._around.traffic.forget(self.task)

    def crash_application(self) -> None:
        """Kill the application, as a fault does; nothing happens if it has ended."""
        if self.application is not None and self.application.returncode is None:
            self.application.kill_group()

    @property
    def complaint(self) -> str | None:
        """What is amiss with its proxy, in a sentence."""
        return self._sidecar.trouble if self._sidecar is not None else None

    def crash_proxy(self) -> None:
        """Kill the proxy, as a fault does; nothing happens if there is none."""
        if self._sidecar is not None:
            self._sidecar.crash()

    async def live(self) -> None:
        """Run the task to its end, which `stopped` says."""
        self._do(self._begin())
        try:
            await self.stopping.wait()
        finally:
            for work in (ending := set(self._work)):
                work.cancel()
            if ending:
                await asyncio.wait(ending)
        leaving = (self._leave_load_balancers, self._leave_cloud_map, self._refuse_connections)
        for step in (*leaving, self._stop_containers, self._stop_proxy, self._deprovision):
            try:
                await step()
            except Exception as error:  # the other steps of its end are due all the same
                report(f"the end of task {self.task.id}", error)

    def stopped(self) -> None:
        """Nothing of it is left: it is STOPPED."""
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
        self._require_programs()
        self._allocate()
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / HOST_NAME).write_text(self.task.host_name)  # by which `twin logs` finds it
        self._client = await self._around.clients.of(self.task.deployment.endpoints, self._folder)
        if self.task.deployment.service_connect:
            self._sidecar = self._make_sidecar()
            await self._sidecar.disturb(self._disturbance)
        self._enter(TaskStatus.PENDING)
        await self._thawed.wait()
        held = waiting(self._containers)
        async with self._around.starting:
            if self._sidecar is not None:  # the containers start when the proxy is healthy [ecs-agent]
                await self._sidecar.start()
            await self._start_all([each for each in self._containers if each.name not in held])
            if self._sidecar is not None:
                self._do(self._watch_proxy(self._sidecar))
            if not held:
                await self._activate()
        if held:  # PENDING until all of its containers have started [ecs]
            self._step("held", containers=", ".join(held))
            await self._start_all([each for each in self._containers if each.name in held])
            await self._activate()
        await self._thawed.wait()
        # A task that gets no further than this has failed to start, so that the next ones wait longer and longer.
        self._around.balancers.require_groups(self.task.target_groups)
        await self.count_traffic()  # so that its metrics are there from the beginning
        self._enter(TaskStatus.RUNNING)
        await self._register()
        await self._around.events.settle(InstancesChanged())

    def _require_programs(self) -> None:
        """The task cannot start without its main container; what it lacks besides is a gap."""
        family = self.task.deployment.task_definition.family
        if self._unusable:
            raise StartFailed(self._unusable)
        for container in self._containers:
            is_main = container is self._main
            if is_main and container.program is None:
                how = how_to_name(family, container.name, main=True)
                self._around.without_program(self.task, how)
                raise StartFailed(f"Container {container.name} of {family} has no program on this machine: {how}")
            if is_main:
                self._around.unnamed.discard(family)  # it is named by now
            if container.program is not None and not container.words():
                raise StartFailed(
                    f"The program of container {container.name} of {family} has no command, and its definition has "
                    "neither entryPoint nor command: give one in twin.toml"
                )

    def _allocate(self) -> None:
        """The task's one address, with the port of each of its containers."""
        port = self._container_port or first_port_of(self._main.definition)
        addresses = self._around.addresses
        self._main.address = addresses.allocate(port or self._main.address.port)
        for container in self._containers:
            for mapping in container.definition.get("portMappings", []):
                if number := mapping.get("containerPort"):
                    is_main = container is self._main and number == port
                    here = self._main.address if is_main else addresses.beside(self._main.address, number)
                    self._ports[number] = here
            if container is not self._main:
                own = self._ports.get(container.port or 0)
                container.address = own or Address(self._main.address.host, container.address.port)
        self._proxy_address = addresses.allocate(self._served.get("ingressPortOverride") or self._main.address.port)

    async def _start_all(self, containers: Sequence[TaskContainer]) -> None:
        for container in containers:
            self._do(self._start(container))
        for container in containers:
            await container.started.wait()

    async def _start(self, container: TaskContainer) -> None:
        """Start it once what it depends on is as it wants it.

        Raises:
            StartFailed: that never comes to be, or not in time.
        """
        named = {each.name: each for each in self._containers}
        for dependency in container.definition.get("dependsOn", []):
            other, condition = named[dependency["containerName"]], dependency["condition"]
            patience = start_timeout(other.definition)
            why: str | None = f"was not {condition} within {patience:g} s"
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    why = await other.until(condition)
            if why:
                raise StartFailed(f"Container {container.name} did not start: {other.name}, on which it depends, {why}")
        if container.program is None:
            container.started.set()
            return
        environment = self._environment(container, await self._secrets(container))
        what = "the application" if container is self._main else f"container {container.name}"
        name, words = f"{what} of task {self.task.id}", self._client.command(container.words())
        process = await container.start(name, words, self._around.processes, environment)
        process.hold(self._disturbance.frozen)
        self._do(self._watch_container(container, process))
        self._do(self._watch_health(container, environment))

    async def _activate(self) -> None:
        self._enter(TaskStatus.ACTIVATING)
        await self._until_listening(self._around.parameters.registration_wait)

    def _make_sidecar(self) -> Sidecar:
        timeouts = self._served.get("timeout") or {}
        return Sidecar(
            f"the proxy of task {self.task.id}",
            sidecar(
                self._proxy_address,
                self._main.address,
                request_timeout=timeouts.get("perRequestTimeoutSeconds", REQUEST_TIMEOUT),
                idle_timeout=timeouts.get(
                    "idleTimeoutSeconds", TCP_IDLE_TIMEOUT if self._protocol == "tcp" else IDLE_TIMEOUT
                ),
                upstream_idle_timeout=self._around.parameters.proxy_idle_timeout,
                health_paths=health_paths(self._definition),
                host_name=self.task.host_name if self._around.name_tasks else None,
                protocol=self._protocol,
                client=self._client,
            ),
            folder=self._folder,
            processes=self._around.processes,
            envoy_binary=self._around.envoy_binary,
            thawed=self._thawed,
        )

    def _environment(self, container: TaskContainer, secrets: Mapping[str, str]) -> dict[str, str]:
        """The container's environment: what the task definition gives, and what ECS and the twin add."""
        surroundings = {
            **self._around.aws_environment,
            "HOSTNAME": self.task.host_name,
            "AWS_REGION": self._around.aws.region,
            "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
            "ECS_CONTAINER_METADATA_URI_V4": f"{self._around.aws.endpoint_url}/v4/{container.record.runtime_id}",
        }
        return self._client.environment(container.environment(surroundings, secrets, self._ports))

    async def _secrets(self, container: TaskContainer) -> dict[str, str]:
        """The values of its `secrets`, by variable.

        Raises:
            StartFailed: one is not there, or is none that a process can have.
        """
        values = {}
        for entry in container.definition.get("secrets", []):
            value = values[entry["name"]] = await asyncio.to_thread(secret, self._around.aws, entry["valueFrom"])
            if not is_possible(value):
                raise StartFailed(
                    f"Container {container.name}: the secret of {entry['name']} must be a text without NUL, of whole "
                    "characters"
                )
        return values

    async def _until_listening(self, patience: float) -> None:
        """Wait until the application accepts a connection, or *patience* seconds are over, which is said."""
        if self._container_port is None:  # a worker: nobody connects to it
            self.listens = True
            return
        if not await self._listens_within(patience):
            self._step("does not listen", address=str(self._main.address))
            self._do(self._say_until_listening(patience))

    async def _listens_within(self, seconds: float | None) -> bool:
        """Whether the application accepts a connection so soon; None: wait for it without end."""
        address = self._main.address
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    with contextlib.suppress(OSError):
                        _, writer = await asyncio.open_connection(address.host, address.port)
                        writer.close()
                        self.listens = True
                        return True
                    await asyncio.sleep(_POLL)
        return False

    async def _say_until_listening(self, waited: float) -> None:
        """Say when the application does not listen *waited* seconds after its start or later, and when it has."""
        if not await self._listens_within(max(0.0, _SAID_AFTER - waited)):
            self._around.deaf(self.task, max(waited, _SAID_AFTER))
            await self._listens_within(None)
            self._around.hears(self.task)
        self._step("listens", address=str(self._main.address))

    async def _register(self) -> None:
        address = self._proxy_address if self._sidecar else self._main.address
        await self._registrations.enter(address, has_proxy=self._sidecar is not None)
        if self._registrations:
            self._step("registered", address=str(address))

    async def _watch_container(self, container: TaskContainer, process: Process) -> None:
        container.stopped(await process.wait())
        self._step_of(container, "exited", exit_code=container.record.exit_code)
        if container is self._main or container.is_essential:
            self.task.exited = container.record
            self._fail(StopCode.ESSENTIAL_CONTAINER_EXITED, "Essential container in task exited")

    async def _watch_proxy(self, sidecar: Sidecar) -> None:
        why = await sidecar.keep(lambda: self._around.parameters.proxy_restarts, self._step)
        self._fail(StopCode.ESSENTIAL_CONTAINER_EXITED, why)

    async def _watch_health(self, container: TaskContainer, environment: Mapping[str, str]) -> None:
        check = HealthCheck.of(container.definition, self._ports)
        if check is None:
            return
        log = self._folder / ("health.log" if container is self._main else f"{container.name}.health.log")
        async for status in statuses(check, lambda: self._is_healthy(container, check, environment, log)):
            container.record.health = status
            self._registrations.update_health()
            if self._registrations:
                await self._around.events.settle(InstancesChanged())
            if status is HealthStatus.HEALTHY:
                container.healthy.set()
            said = last_line(log) if status is HealthStatus.UNHEALTHY else None
            self._step_of(container, f"health {status.value}", **({"output": said} if said is not None else {}))
            if self._disturbance == Disturbance():  # else the fault is in the event log, and on purpose
                here = self._main.address  # another task's output is the same but for it
                of_any = said and said.replace(str(here), "{host}:{port}").replace(here.host, "{host}")
                self._around.health_changed(self.task, of_any)
            self._around.events.publish(TaskChanged(self.task.id))

    async def _is_healthy(
        self, container: TaskContainer, check: HealthCheck, environment: Mapping[str, str], log: Path
    ) -> bool:
        if self._disturbance.unready:
            return False
        assert container.program is not None
        try:
            process = await self._around.processes.spawn(
                f"a health check of task {self.task.id}",
                self._client.command(check.command),
                env={**environment, "PATH": search_path(environment["PATH"])},
                cwd=self._folder,  # not the user's: what is run here may have come by a call
                log=log,
                umask=container.program.command.umask,
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
        self._delay = await self._registrations.leave_load_balancers()

    async def _leave_cloud_map(self) -> None:
        if not self._registrations:
            return
        self._registrations.leave_cloud_map()
        self._step("deregistered")
        self._delay = max(self._delay, self._around.parameters.deregistration_delay)
        await self._around.events.settle(InstancesChanged())

    async def _refuse_connections(self) -> None:
        """Wait as long as ECS does before anything of a task ends."""
        if self._main.is_running:
            await asyncio.sleep(self._delay)
        self._enter(TaskStatus.STOPPING)
        if self._sidecar is not None and await self._sidecar.refuse_connections():
            self._step("proxy drains")

    async def _stop_containers(self) -> None:
        default = self._around.parameters.stop_timeout
        for group in stop_order(self._containers):
            await asyncio.gather(
                *(
                    each.stop(each.definition.get("stopTimeout", default), partial(self._step_of, each))
                    for each in group
                )
            )
        if self.application is not None:
            self._step("application stopped")

    async def _stop_proxy(self) -> None:
        if self._sidecar is not None and self._sidecar.process is not None:  # else it never started
            await self.count_traffic(last=True)
            await self._sidecar.stop(lambda: self._around.parameters.proxy_drain if self._registrations else 0.0)
            self._step("proxy stopped")

    async def _deprovision(self) -> None:
        for process in (*(container.process for container in self._containers), self.proxy):
            if process is not None and process.returncode is None:  # a step before this one has failed
                process.kill_group()
                await process.wait()
        for container in self.task.containers:
            container.last_status = "STOPPED"
        self._enter(TaskStatus.DEPROVISIONING)

    def _fail(self, code: StopCode, reason: str) -> None:
        self._around.events.log("task", task=self.task.id, step="fails", code=code, reason=reason)
        self.stopping.set()  # first of all: whatever comes of telling the controller, it ends
        self._around.events.publish(TaskFailed(self.task.id, code, reason))

    def _enter(self, status: TaskStatus) -> None:
        self.task.last_status = status
        self._step(status.value)
        self._around.events.publish(TaskChanged(self.task.id))

    def _step(self, name: str, **details: object) -> None:
        self.task.steps[name] = time.time()
        self._around.events.log("task", task=self.task.id, step=name, **details)

    def _step_of(self, container: TaskContainer, name: str, **details: object) -> None:
        """A step of one container: of the main one it is the task's."""
        if container is self._main:
            self._step(name, **details)
        else:
            self._around.events.log("task", task=self.task.id, step=name, container=container.name, **details)
