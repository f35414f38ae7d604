"""The one process that owns a twin: builds its parts, starts and ends them. `twin up` in the foreground is it."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from twin import remote
from twin.aws.api_urls import ApiUrls
from twin.aws.client import Aws
from twin.aws.ecs.api import TARGET_PREFIX, Api
from twin.aws.ecs.context import Context
from twin.aws.ecs.controller import Controller
from twin.aws.ecs.gaps import ServiceGaps
from twin.aws.ecs.model import Ecs
from twin.aws.endpoint import Endpoint
from twin.aws.moto.alarms import Alarms
from twin.aws.moto.elbv2 import Elbv2
from twin.aws.moto.policies import allows
from twin.aws.moto.registry import Registry
from twin.aws.moto.scaling import Scaling
from twin.aws.moto.subnets import Subnets
from twin.control import Control
from twin.events import Events
from twin.failing import told, warning
from twin.faults import Faults
from twin.foreground import Foreground
from twin.front.alb import LoadBalancers
from twin.front.http_api import Gateway
from twin.gaps import HasGaps, gaps_of
from twin.machine.addresses import Address, LoopbackAddresses
from twin.machine.machine import Machine
from twin.machine.process import Processes
from twin.machine.reporting import Accident
from twin.machine.restarting import beside, kept, watch_clock
from twin.machine.rotation import rotating
from twin.machine.state import StateFolder
from twin.options import Options
from twin.reload import reloading
from twin.stack import Deployment, deploy
from twin.stack.terraform import Stack
from twin.start import announce, require_steady, until_up
from twin.tasks.launcher import TaskLauncher
from twin.tasks.metadata import metadata
from twin.tasks.programs import Programs
from twin.tasks.surroundings import Surroundings

__all__ = ["ACCOUNT", "Supervisor"]

ACCOUNT = "123456789012"  # moto's


class Supervisor:
    """The parts of a twin, each of which knows those that it uses; what goes sideways is an event."""

    def __init__(
        self, options: Options, state: StateFolder, stack: Stack, programs: Programs, envoy_binary: str,
        accidents: Sequence[Accident],
    ) -> None:  # fmt: skip
        """*accidents*: what the twin has lost by itself, as `twin.machine.reporting.reporting` gives it."""
        self._options, self._state, self._stack = options, state, stack
        region, endpoint = stack.region, Address("127.0.0.1", options.aws_port)
        self._events = events = Events(state.log)
        addresses, processes = LoopbackAddresses(options.aws_port), Processes(state.log)
        self._machine = machine = Machine(processes, addresses, envoy_binary, state.path)
        self._aws = aws = Aws(f"http://{endpoint}", region, options.credentials)
        self._ecs = ecs = Ecs(ACCOUNT, region)
        registry, subnets, parameters = Registry(ACCOUNT, region), Subnets(ACCOUNT, region), options.parameters
        self._balancers = balancers = LoadBalancers(elbv2 := Elbv2(ACCOUNT, region), machine, events)
        self._gateway = gateway = Gateway(
            urls := ApiUrls(Address("127.0.0.1", options.port), addresses), machine, aws, balancers, parameters, events,
            authorization=endpoint, issuer_url=options.jwt_issuer,
        )  # fmt: skip
        self._tasks = tasks = Surroundings(
            machine, registry, balancers, parameters, events, aws, programs, name_tasks=options.name_tasks
        )
        self._launcher = launcher = TaskLauncher(tasks)
        self._alarms = alarms = Alarms(ACCOUNT, region, gateway, balancers, parameters, events)
        self._controller = controller = Controller(ecs, launcher, subnets, registry, alarms, parameters, events)
        self._faults = faults = Faults(launcher, subnets, events)
        self._context = context = Context(ecs, controller, registry, elbv2)
        self._scaling = scaling = Scaling(context, alarms, parameters, events)
        gaps = ServiceGaps(ecs, alarms, partial(allows, ACCOUNT))
        self._parts: list[HasGaps] = [gaps, gateway, balancers, launcher, alarms, scaling]
        control = Control(context, launcher, faults, gateway, balancers, self._parts, parameters, accidents, events)
        self._endpoint = Endpoint(
            endpoint, account=ACCOUNT, region=region, api_urls=urls, credentials=options.credentials,
            targets={TARGET_PREFIX: Api(context, events)}, commands={remote.PATH: control},
            documents={"/v4/": partial(metadata, ecs)}, origins=options.allow_origin, events=events,
        )  # fmt: skip

    async def run(self, started: float) -> int:
        """Start, serve, end; the exit code. *started*: when the start began, on the monotonic clock."""
        foreground = Foreground(self._options.then, self._machine.processes, with_parent=self._options.with_parent)
        try:
            self._events.serve()
            await self._machine.processes.start()
            self._endpoint.start()
            async with beside() as begin:
                begin(kept("the controller", self._controller.run))
                begin(watch_clock())
                await self._start(started, begin)
                foreground.serves = True
                begin(require_steady(self._ecs, self._tasks, self._faults, foreground))
                begin(kept("warnings", partial(warning, self._ecs, self._tasks.folder)))
                gc.freeze()  # what is here now stays
                gc.enable()
                code = await foreground.stay(self._aws, self._state.path, self._tasks.programs.umask)
                return told(code, self._ecs, self._tasks.folder)
        except asyncio.CancelledError:
            if (ended := foreground.code_of_end()) is None:
                raise
            return ended
        finally:
            foreground.close()
            await self._launcher.close()
            await self._machine.processes.close()
            await asyncio.to_thread(self._endpoint.stop)
            self._machine.addresses.close()

    async def _start(self, started: float, begin: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        """Deploy the stack, and bring up what serves it; what goes on by itself is handed to *begin*."""
        deployment = Deployment({}, {}, ())
        if not self._options.empty:
            deployment = await asyncio.to_thread(deploy, self._stack, self._aws)
        self._parts[:0] = [self._stack, deployment]
        await self._balancers.configure()
        await self._gateway.start()
        for part in (self._gateway, self._launcher, self._balancers, self._alarms, self._scaling, self._state):
            for name, work in part.work.items():  # the failure of one ends none of the others
                begin(kept(name, work))
        if self._options.reload:
            begin(kept("reloading", partial(reloading, self._tasks.programs, self._context)))
        logs = partial(rotating, self._machine.folder, [self._gateway.rotate_log, self._balancers.rotate_log])
        begin(kept("rotation", logs))
        await until_up(self._ecs, self._tasks.folder, self._tasks.unnamed)
        # Whoever waits for the twin finds tasks that gateway and client proxies know, as long after a deployment.
        await self._gateway.discover()
        self._tasks.clients.upstreams.write()
        outputs = {"gateway_url": f"http://{self._gateway.address}", **deployment.outputs}
        announce(
            self._options, self._state, self._stack.name, self._ecs, self._aws.endpoint_url, outputs,
            listening=sum(life.listens for life in self._launcher.lives.values()),
            gaps=sum(not gap.works_here for gap in gaps_of(*self._parts)), seconds=time.monotonic() - started,
        )  # fmt: skip
