"""What the twin's own commands ask of it, at `/_twin/<operation>` of its endpoint (`twin.remote` asks)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from twin import remote
from twin.aws.ecs import api
from twin.aws.ecs.context import Context
from twin.aws.ecs.service_connect import calls
from twin.events import Events, ParametersChanged
from twin.failing import failing
from twin.faults import Faults
from twin.front.alb import LoadBalancers
from twin.front.http_api import Gateway
from twin.gaps import HasGaps, gaps_of
from twin.machine.reporting import Accident
from twin.parameters import Parameters
from twin.tasks.launcher import TaskLauncher

__all__ = ["Control"]

Json = dict[str, Any]


class Control:
    """Does each operation on the event loop; called from the endpoint's threads."""

    def __init__(
        self,
        context: Context,
        launcher: TaskLauncher,
        faults: Faults,
        gateway: Gateway,
        balancers: LoadBalancers,
        parts: Sequence[HasGaps],
        parameters: Parameters,
        accidents: Sequence[Accident],
        events: Events,
    ) -> None:
        """
        Args:
            parts: those whose gaps are listed.
            parameters: those at first.
            accidents: what the twin has lost by itself, as `twin.machine.reporting.reporting` gives it.
        """
        self._context = context
        self._launcher = launcher
        self._faults = faults
        self._gateway = gateway
        self._balancers = balancers
        self._parts = parts
        self._parameters = parameters
        self._accidents = accidents
        self._events = events

    def __call__(self, operation: str, request: Any) -> Json:
        """The answer; BadInput or EcsError where it is refused."""
        remote.check(operation, request)
        return self._events.call(self._do(operation, request))

    async def _do(self, operation: str, request: Json) -> Json:
        match operation:
            case "set":
                return await self._set(request["assignments"])
            case "fault":
                return await self._faults.begin(
                    request["kind"], request["target"], request["seconds"], request["delay"]
                )
            case "age":
                self._gateway.age(request["seconds"])
                return {}
            case "undo":
                return await self._faults.undo(request["kind"], request["target"])
            case "stop":
                task = self._launcher.find(request["task"]).task
                stopped = {"cluster": task.cluster.name, "task": task.arn, "reason": request["reason"]}
                api.call(self._context, "StopTask", stopped)
                return {}
            case "exec":
                return self._launcher.find(request["task"]).inside(request["container"], request["command"])
            case "accidents":
                return {"accidents": list(self._accidents)}
            case _:
                gaps = gaps_of(*self._parts)
                surroundings = self._launcher.surroundings
                ended = failing(self._context.ecs, surroundings.folder).values()
                services = [each for each in self._context.ecs.services.values() if each.status == "ACTIVE"]
                newest = {deployment.id for each in services for deployment in each.newest}
                return {
                    # By address, and by task.
                    "requests": await self._gateway.requests() | await self._balancers.requests_by_task(),
                    "fronts": [{"name": name, "url": url} for name, url in self._gateway.urls + self._balancers.urls],
                    "calls": calls(self._context.ecs),
                    "left_out": [str(gap) for gap in gaps if not gap.works_here],
                    "perhaps_not_on_aws": [str(gap) for gap in gaps if gap.works_here],
                    "failing": [{**asdict(each), "text": str(each)} for each in ended],
                    "complaints": [
                        *self._gateway.complaints,
                        *self._balancers.complaints,
                        *self._launcher.complaints,
                        *surroundings.complaints(newest),
                    ],
                    "programs_error": surroundings.programs.trouble,
                }

    async def _set(self, assignments: list[str]) -> Json:
        """Change parameters, each as `name=value`; the answer is all of them."""
        self._parameters = self._parameters.changed(assignments)
        if assignments:  # none is how they are asked for, which must not make the gateway ask Cloud Map
            self._events.log("parameters", set=assignments)
            await self._events.settle(ParametersChanged(self._parameters))
        return asdict(self._parameters)
