"""The one process that owns a twin: `twin up` in the foreground is it."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict
from typing import Any

from twin import remote
from twin.aws.client import Aws
from twin.aws.credentials import environment
from twin.aws.ecs import api
from twin.aws.ecs.context import Context
from twin.aws.ecs.controller import Controller
from twin.aws.ecs.gaps import ServiceGaps
from twin.aws.ecs.model import Ecs, HealthStatus, Task, TaskStatus
from twin.aws.ecs.service_connect import calls
from twin.aws.endpoint import Endpoint
from twin.aws.moto.alarms import Alarms
from twin.aws.moto.registry import Registry
from twin.aws.moto.scaling import know_services
from twin.aws.moto.subnets import Subnets
from twin.errors import StartFailed
from twin.faults import Faults
from twin.front.alb import LoadBalancers
from twin.front.alb.model import TargetState
from twin.front.http_api import Gateway
from twin.gaps import gaps_of
from twin.machine.addresses import Address, LoopbackAddresses
from twin.machine.files import write_json
from twin.machine.process import Process, Processes
from twin.machine.rotation import rotating
from twin.machine.state import StateFolder
from twin.machine.supervision import Accident, kept, watch_clock
from twin.options import Options
from twin.stack import Deployment, deploy
from twin.stack.terraform import Stack
from twin.start import until_steady, until_up
from twin.tasks import metadata
from twin.tasks.health import INTERVAL
from twin.tasks.launcher import TaskLauncher
from twin.tasks.program import Command

__all__ = ["Supervisor"]

ACCOUNT = "123456789012"  # moto's
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ALARM_POLL = 5.0  # seconds
_STATE_POLL = 2.0  # seconds
_PARENT_POLL = 0.5  # seconds
_COMMAND_PATIENCE = 45.0  # seconds for a command to end after a signal: it may have results to write


class Supervisor:
    """Builds the parts of a twin and ties them together."""

    def __init__(
        self,
        options: Options,
        state: StateFolder,
        stack: Stack,
        command: Command,
        envoy_binary: str,
        accidents: Sequence[Accident],
        started: float,
    ) -> None:
        """
        Args:
            accidents: what the twin has lost by itself, as `twin.machine.supervision.reporting` gives it.
            started: when the start began, on the monotonic clock.
        """
        self._options = options
        self._state = state
        self._stack = stack
        self._accidents = accidents
        self._started = started
        self.parameters = options.parameters
        region = stack.region
        self.processes = Processes(state.log)
        registry = Registry(ACCOUNT, region)
        self.ecs = Ecs(ACCOUNT, region)
        know_services(self.ecs)
        self.endpoint = Endpoint(
            Address("127.0.0.1", options.aws_port),
            account=ACCOUNT,
            region=region,
            gateway_url=f"http://127.0.0.1:{options.port}",
            ecs=self._ecs_call,
            metadata=self._metadata,
            api_changed=self._on_api_change,
            balancers_changed=self._on_balancer_change,
            control=self._control_call,
            credentials=options.credentials,
            origins=options.allow_origin,
        )
        self._aws = Aws(self.endpoint.url, region, options.credentials)
        self.addresses = addresses = LoopbackAddresses(options.aws_port)
        self.balancers = LoadBalancers(
            ACCOUNT,
            region,
            folder=state.path / "load-balancer",
            processes=self.processes,
            envoy_binary=envoy_binary,
            addresses=addresses,
            groups_of=self._target_groups,
            state_changed=self._on_target_state,
            log=state.log,
        )
        self.gateway = Gateway(
            address=Address("127.0.0.1", options.port),
            folder=state.path / "gateway",
            processes=self.processes,
            envoy_binary=envoy_binary,
            aws=self._aws,
            authorization=self.endpoint.address,
            issuer_url=options.jwt_issuer,
            listener_address=self.balancers.address,
            parameters=lambda: self.parameters,
            log=state.log,
        )
        self.launcher = TaskLauncher(
            processes=self.processes,
            registry=registry,
            balancers=self.balancers,
            addresses=addresses,
            parameters=lambda: self.parameters,
            command=command,
            name_tasks=options.name_tasks,
            envoy_binary=envoy_binary,
            metadata_url=self.endpoint.url,
            folder=state.path / "tasks",
            instances_changed=self.gateway.changed,
            log=state.log,
        )
        subnets = Subnets(ACCOUNT, region)
        self.faults = Faults(self.launcher, subnets, self.endpoint, state.log)
        self.alarms = Alarms(ACCOUNT, region, lambda: self.parameters.alarm_bake > 0)
        self.controller = Controller(
            self.ecs,
            self.launcher,
            subnets,
            self.parameters,
            remove_discovery=registry.delete_service,
            alarms_firing=self.alarms.firing,
            log=state.log,
        )
        self.launcher.controller = self.controller
        self._context = Context(self.ecs, self.controller, registry, self.balancers.target_groups)

    async def run(self) -> int:
        """Start, serve, end; the exit code."""
        self._loop = asyncio.get_running_loop()
        self._balancers_changed = asyncio.Event()
        self._then: Process | None = None
        self._serves = False
        self._deployment = Deployment({}, {}, ())  # nothing yet
        self._ended_by: int | None = None  # the first signal
        self._given_up: StartFailed | None = None  # why, where it served and yet does not come up
        main = asyncio.current_task()
        assert main is not None
        for number in _SIGNALS:
            self._loop.add_signal_handler(number, self._on_signal, number, main)
        orphaned = self._loop.create_task(self._end_with_parent(main)) if self._options.with_parent else None
        try:
            await self.processes.start()
            self.endpoint.start()
            async with asyncio.TaskGroup() as group:
                background = [
                    group.create_task(kept("the controller", self.controller.run)),
                    group.create_task(watch_clock()),
                ]
                try:
                    if not self._options.empty:
                        self._deployment = await asyncio.to_thread(deploy, self._stack, self._aws)
                    await self.balancers.configure()
                    await self.gateway.start()
                    background += [group.create_task(work) for work in self._kept_work()]
                    await until_up(self.ecs, self._state.path / "tasks")
                    await self.gateway.discover()
                    self._announce(self._deployment)
                    self._serves = True
                    background.append(group.create_task(self._give_up_unless_steady()))
                    gc.freeze()  # what is here now stays
                    gc.enable()
                    code = await self._serve()
                finally:
                    for task in background:
                        task.cancel()
            return code
        except asyncio.CancelledError:
            if self._ended_by is None:
                raise
            # To end a twin that just serves is what one does with it.
            return 0 if self._serves and self._options.then is None else 128 + self._ended_by
        finally:
            if orphaned is not None:
                orphaned.cancel()
            for number in _SIGNALS:  # it goes down already; who cannot wait gets it over with
                self._loop.add_signal_handler(number, self.processes.kill)
            print("twin: going down", file=sys.stderr, flush=True)
            await self.launcher.close()
            await self.processes.close()
            await asyncio.to_thread(self.endpoint.stop)
            self.addresses.close()

    def _kept_work(self) -> list[Coroutine[Any, Any, None]]:
        """What goes on behind the gateway, each by itself: the failure of one ends none of the others."""
        work: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "discovery": self.gateway.run,
            "the API's changes": self.gateway.follow,
            "the gateway's Envoy": self.gateway.keep,
            "the client proxies' endpoints": self.launcher.clients.upstreams.run,
            "the load balancers": self.balancers.run,
            "the load balancers' changes": self._follow_balancers,
            "the alarms": self._watch_alarms,
            "the state folder": self._watch_state,
            "rotation": lambda: rotating(self._state.path, [self.gateway.rotate_log, self.balancers.rotate_log]),
        }
        return [kept(name, each) for name, each in work.items()]

    async def _watch_alarms(self) -> None:
        """Compute the states of CloudWatch's alarms from what the gateway has answered."""
        while True:
            self.alarms.count(await self.gateway.answers(), time.time())
            if self.alarms.evaluate(time.time()):
                self.controller.wake()
            await asyncio.sleep(_ALARM_POLL)

    async def _watch_state(self) -> None:
        """Say what is wrong with the state folder for as long as it is: once a minute, as `reporting` has it."""
        while True:
            if trouble := self._state.trouble():
                logging.getLogger("twin").warning(trouble)
            await asyncio.sleep(_STATE_POLL)

    def _on_api_change(self) -> None:
        """Called from the endpoint's threads."""
        self._loop.call_soon_threadsafe(self.gateway.api_changed)

    def _on_balancer_change(self) -> None:
        """Called from the endpoint's threads."""
        self._loop.call_soon_threadsafe(self._balancers_changed.set)

    def _target_groups(self, task: Task) -> list[str]:
        balancers = task.deployment.request.get("loadBalancers", [])
        return [balancer["targetGroupArn"] for balancer in balancers if balancer.get("targetGroupArn")]

    def _on_target_state(self, task_id: str, target_group: str, state: TargetState) -> None:
        self.controller.target_changed(self.ecs.tasks[task_id], target_group, state.value)

    async def _follow_balancers(self) -> None:
        while True:
            self._balancers_changed.clear()
            await self.balancers.configure()  # first of all: where it has failed, it is still to be done
            await self._balancers_changed.wait()

    async def _serve(self) -> int:
        """Stay up, or run the command that the twin was started for."""
        if self._options.then is None:
            await asyncio.Event().wait()
        assert self._options.then is not None
        self._then = await self.processes.spawn(
            "the command",
            self._options.then,
            env=os.environ | environment(self.endpoint.url, self.ecs.region, self._options.credentials, os.environ),
            umask=self.launcher.command.umask,
        )
        code = await self._then.wait()
        if self._given_up is not None:
            raise self._given_up
        return code if code >= 0 else 128 - code  # a signal as a shell tells it: 137 for SIGKILL

    async def _give_up_unless_steady(self) -> None:
        """End the twin if its tasks do not become healthy at first; the command that it runs ends in order before."""
        try:
            await until_steady(self.ecs, self._state.path / "tasks", lambda: self.faults.begun)
        except StartFailed as error:
            self._given_up = error
            if self._then is not None:
                self._then.signal(signal.SIGTERM)
                await asyncio.sleep(_COMMAND_PATIENCE)
            raise
        if self._options.then is None and any(task.is_checked for task in self.ecs.tasks.values()):
            print("twin: all tasks have passed their health checks", flush=True)

    async def _end_with_parent(self, main: asyncio.Task[int]) -> None:
        """Act as on SIGTERM once this process has another parent than it began with."""
        parent = os.getppid()
        while os.getppid() == parent:
            await asyncio.sleep(_PARENT_POLL)
        self._on_signal(signal.SIGTERM, main)

    def _on_signal(self, number: int, main: asyncio.Task[int]) -> None:
        """The first signal goes to the command, if there is one, so that it can end in order; the next ends all."""
        if self._then is not None and self._ended_by is None:
            # Ctrl-C reaches every process of a terminal's job; other signals the one they are sent to.
            if number == signal.SIGINT:
                self._then.signal_group(number)
            else:
                self._then.signal(number)
            self._loop.call_later(_COMMAND_PATIENCE, main.cancel)
        else:
            main.cancel()
        self._ended_by = self._ended_by or number

    def _announce(self, deployment: Deployment) -> None:
        gateway_url = f"http://{self.gateway.address}"
        outputs = {"gateway_url": gateway_url, **deployment.outputs, "aws_endpoint_url": self.endpoint.url}
        self._state.describe(
            pid=os.getpid(),
            aws_endpoint_url=self.endpoint.url,
            gateway_url=outputs["gateway_url"],
            region=self.ecs.region,
            cluster_name=outputs.get("cluster_name"),
            service_name=outputs.get("service_name"),
        )
        if not self._options.empty:  # else whoever deploys writes outputs of their own
            write_json(self._state.outputs, {self._stack.name: outputs})
        seconds = time.monotonic() - self._started
        tasks = sum(t.last_status is TaskStatus.RUNNING for t in self.ecs.tasks.values())
        if self._options.empty:
            print(f"twin: nothing is deployed; what will be is served at {gateway_url}", flush=True)
        else:
            listening = sum(life.listens for life in self.launcher.lives.values())
            serve = "1 task serves" if tasks == 1 else f"{tasks} tasks serve"
            if listening < tasks:  # a program that does not listen may be slow, or no server at all
                serve = f"{tasks} tasks run, of which {listening} accept connections,"
            where = f"at {outputs['gateway_url']} after {seconds:.1f} s"
            print(f"twin: {serve} {where}{self._checks_to_come()}", flush=True)
        if self._options.then is not None:  # which says what matters
            return
        print(f"twin: the AWS endpoint is {self.endpoint.url}", flush=True)
        if gaps := gaps_of(deployment, ServiceGaps(self.ecs, self.alarms.names), self.alarms):
            print(f"twin: `twin ps` lists {len(gaps)} parts of the stack that do nothing on this machine", flush=True)

    def _checks_to_come(self) -> str:
        """That no task has passed its health check yet, where there is one."""
        tasks = [task for task in self.ecs.tasks.values() if task.is_checked]
        if not tasks or any(task.health is HealthStatus.HEALTHY for task in tasks):
            return ""
        interval = min(task.definition["healthCheck"].get("interval", INTERVAL) for task in tasks)
        return f"; health checks begin after {interval} s"

    def _ecs_call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Do an operation of ECS on the event loop; called from the endpoint's threads."""

        async def call() -> dict[str, Any]:
            return api.call(self._context, operation, request)

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result()

    def _control_call(self, operation: str, request: Any) -> dict[str, Any]:
        """Do what a command asks, on the event loop; called from the endpoint's threads."""
        remote.check(operation, request)
        match operation:
            case "set":
                work = self._set(request["assignments"])
            case "fault":
                work = self.faults.begin(request["kind"], request["target"], request["seconds"], request["delay"])
            case "undo":
                work = self.faults.undo(request["kind"], request["target"])
            case "stop":
                work = self._stop_task(request["task"], request["reason"])
            case "accidents":
                return {"accidents": list(self._accidents)}
            case _:
                work = self._tell_gateway()
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _stop_task(self, name: str, reason: str) -> dict[str, Any]:
        task = self.launcher.find(name).task
        api.call(self._context, "StopTask", {"cluster": task.cluster.name, "task": task.arn, "reason": reason})
        return {}

    async def _tell_gateway(self) -> dict[str, Any]:
        services = ServiceGaps(self.ecs, self.alarms.names)
        parts = (self._deployment, services, self.gateway, self.balancers, self.launcher.clients, self.alarms)
        return {
            "requests": await self.gateway.requests(),
            "calls": calls(self.ecs),
            "left_out": [str(gap) for gap in gaps_of(*parts)],
        }

    async def _set(self, assignments: list[str]) -> dict[str, Any]:
        """Change parameters, each as `name=value`; the answer is all of them."""
        self.parameters = self.controller.parameters = self.parameters.changed(assignments)
        self._state.log("parameters", set=assignments)
        await self.gateway.configure()
        return asdict(self.parameters)

    def _metadata(self, runtime_id: str, of_task: bool) -> dict[str, Any] | None:
        found = metadata.find_container(list(self.ecs.tasks.values()), runtime_id)
        if found is None:
            return None
        return metadata.task_metadata(found[0]) if of_task else metadata.container_metadata(*found)
