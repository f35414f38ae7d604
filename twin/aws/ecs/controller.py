"""Keeps each service at its desired count: asks the scheduler, applies its decisions, writes the events."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twin.aws.ecs import scheduler
from twin.aws.ecs.model import (
    DEPLOYED,
    CleanUp,
    Cluster,
    Container,
    Deployment,
    Ecs,
    RolloutState,
    Service,
    ServiceEvent,
    StopCode,
    Task,
    TaskDefinition,
    TaskStatus,
    by_zone,
    main_container,
)
from twin.aws.ecs.ports import Alarms, CloudMap, Launcher, NoRoom, Placements
from twin.events import (
    AlarmsChanged,
    Events,
    ParametersChanged,
    TargetChanged,
    TaskChanged,
    TaskFailed,
    ZonesChanged,
    report,
)
from twin.parameters import Parameters

__all__ = ["Controller"]

HISTORY_STAYS = 200  # deployments of a service
STOPPED_TASKS_STAY = 3600.0  # seconds for which a stopped task is told [ecs]
_EVENT_REPEATED_AFTER = 6 * 3600.0  # seconds for which the same event is not added again [ecs]
_REBALANCED_AFTER = 60.0  # seconds from when evening out the zones came to nothing until it is tried again (assumed)
_STEADY = "has reached a steady state."
_BLOCKED = (  # developer guide, service event messages
    "was unable to stop or start tasks during a deployment because of the service deployment configuration. "
    "Update the minimumHealthyPercent or maximumPercent value and try again."
)
_TICK = 1.0  # seconds: when nothing happens, time alone may be a reason to act (back-off, running grace)


class Controller:
    """Owns the service loop. All of it runs on one event loop; `wake` may be called whenever something changed."""

    def __init__(
        self,
        ecs: Ecs,
        launcher: Launcher,
        placements: Placements,
        cloud_map: CloudMap,
        alarms: Alarms,
        parameters: Parameters,
        events: Events,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.ecs = ecs
        self.launcher = launcher
        self.placements = placements
        self.parameters = parameters
        self.clock = clock
        self._cloud_map = cloud_map
        self._alarms = alarms
        self._log = events.log
        self._changed = asyncio.Event()
        self._ids = itertools.count()
        events.subscribe(TaskChanged, self._on_task_changed)
        events.subscribe(TaskFailed, self._on_task_failed)
        events.subscribe(TargetChanged, self._on_target_changed)
        events.subscribe(AlarmsChanged, lambda event: self.wake())
        events.subscribe(ZonesChanged, lambda event: self.wake())
        events.subscribe(ParametersChanged, self._on_parameters_changed)

    async def run(self) -> None:
        """Act on every change, and once a second, until cancelled."""
        while True:
            self._changed.clear()
            self.step()
            try:
                async with asyncio.timeout(_TICK):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def wake(self) -> None:
        """Something changed: act soon."""
        self._changed.set()

    def step(self) -> None:
        """One round over all services, without waiting."""
        for service in list(self.ecs.services.values()):
            if service.status != "INACTIVE":
                try:
                    self._reconcile(service)
                except Exception as error:  # of the twin itself: the other services, and the twin, go on
                    report(f"the service {service.name}", error)
        for clean_up in [c for c in self.ecs.clean_ups if c.due <= self.clock()]:
            self.ecs.clean_ups.remove(clean_up)
            try:
                self._clean_up(clean_up)
            except Exception as error:
                report("the clean-up of Cloud Map", error)
        horizon = self.clock() - STOPPED_TASKS_STAY
        for task in [t for t in self.ecs.tasks.values() if t.steps.get("STOPPED", horizon) < horizon]:
            del self.ecs.tasks[task.id]
            self.ecs.tags.pop(task.arn, None)
            self.launcher.forget(task)

    def _on_task_changed(self, event: TaskChanged) -> None:
        self._task_changed(self.ecs.tasks[event.task])

    def _task_changed(self, task: Task) -> None:
        task.version += 1
        if task.last_status is TaskStatus.RUNNING:
            task.deployment.has_run = True
            service = self._service_of(task)
            if service is not None and task.counts_as_healthy(self.clock(), self.parameters.running_grace):
                self._forget_failures(service, task.deployment)
        if task.last_status is TaskStatus.STOPPED:
            self.placements.release(task.subnet_id, task.private_address)
        self.wake()

    def _on_target_changed(self, event: TargetChanged) -> None:
        task, target_group, state = self.ecs.tasks[event.task], event.target_group, event.state
        task.targets[target_group] = state
        service = self._service_of(task)
        if service is None:  # only services have target groups
            return
        if state == "initial":
            self._add_event(service, f"(service {service.name}) registered 1 targets in (target-group {target_group})")
        elif state == "draining":
            of = f"(service {service.name}, taskSet {task.deployment.id})"
            self._add_event(service, f"{of} has begun draining connections on 1 tasks.")
            self._add_event(
                service, f"(service {service.name}) deregistered 1 targets in (target-group {target_group})"
            )
        self._task_changed(task)

    def _on_task_failed(self, event: TaskFailed) -> None:
        """Once a task is RUNNING, its end is no failure of its deployment: only health checks that fail are [ecs]."""
        task = self.ecs.tasks[event.task]
        if task.is_wanted:
            task.deployment.ended_in_a_row += 1
            if "RUNNING" not in task.steps and (service := self._service_of(task)) is not None:
                self._start_failed(service, task.deployment)
            self.stop_task(task, StopCode(event.code), event.reason)

    def _on_parameters_changed(self, event: ParametersChanged) -> None:
        self.parameters = event.parameters

    def stop_task(self, task: Task, code: StopCode, reason: str) -> None:
        """Stop *task*; nothing happens if it is stopping already."""
        if not task.is_wanted:
            return
        task.desired_status = TaskStatus.STOPPED
        task.stop_code = code
        task.stopped_reason = reason
        task.version += 1
        if (service := self._service_of(task)) is not None:
            service.steady = False
        self.launcher.stop(task)
        self.wake()

    def deploy(self, service: Service, deployment: Deployment) -> None:
        """Make *deployment* the primary one; the others become ACTIVE and give way to it."""
        for other in service.deployments:
            other.status = "ACTIVE"
            other.finished_at = other.finished_at or deployment.created_at
        # One that fires already is not heeded, so that a fix can be deployed [developer guide, deployment alarms].
        alarms = deployment.alarms
        deployment.alarms_watched = bool(alarms["enable"]) and not self._alarms.firing(alarms["alarmNames"])
        service.deployments.insert(0, deployment)
        service.history.append(deployment)
        for forgotten in service.history[:-HISTORY_STAYS]:  # each refers to one before, which would stay with it
            forgotten.replaces = forgotten.returns_to = forgotten.rolled_back_by = None
        del service.history[:-HISTORY_STAYS]
        service.steady = False
        self.wake()

    def fail(self, service: Service, reason: str, *, roll_back: bool) -> None:
        """End the rollout of the primary deployment; with *roll_back* return to the one that was completed last."""
        failed, good = service.primary, service.last_completed
        failed.rollout_state = RolloutState.FAILED
        failed.rollout_state_reason = reason
        failed.updated_at = failed.finished_at = self.clock()
        if roll_back and good is not None and failed.returns_to is None:
            self.event(service, f"rolling back to deployment {good.id}.")
            kept = {name: value for name, value in service.request.items() if name not in DEPLOYED}
            service.request = kept | {name: good.request[name] for name in DEPLOYED if name in good.request}
            back = self.new_deployment(service, good.task_definition, service.request, good.service_connect)
            back.service_connect_resources = good.service_connect_resources
            back.endpoints = good.endpoints  # that it does not see newer ones is assumed
            back.returns_to = good
            cause = "ECS deployment circuit breaker: " if failed.circuit_breaker_fired else ""
            cause = "ECS deployment alarm: " if failed.alarms_fired else cause
            back.rollout_state_reason = f"{cause}rolling back to deploymentId {good.id}."
            failed.rolled_back_by = back
            self.deploy(service, back)
        self.wake()

    def new_deployment(
        self,
        service: Service,
        task_definition: TaskDefinition,
        request: dict[str, Any],
        service_connect: dict[str, Any] | None,
    ) -> Deployment:
        """A deployment of *service*, as *request* has it, that has not begun."""
        now = self.clock()
        return Deployment(
            id=f"ecs-svc/{secrets.randbelow(10**19):019d}",
            task_definition=task_definition,
            created_at=now,
            updated_at=now,
            network_configuration=request["networkConfiguration"],
            service_connect=service_connect,
            request=request,
            replaces=service.last_completed,
        )

    def event(self, service: Service, message: str) -> None:
        """Add an event to the service, worded as ECS words it; the newest is not repeated for six hours."""
        text = f"(service {service.name}) {message}"
        newest = service.events[0] if service.events else None
        if newest is None or newest.message != text or self.clock() - newest.created_at > _EVENT_REPEATED_AFTER:
            self._add_event(service, text)

    def _add_event(self, service: Service, text: str) -> None:
        service.events.appendleft(ServiceEvent(str(uuid.uuid4()), self.clock(), text))
        self._log("service", what=text)

    def _reconcile(self, service: Service) -> None:
        self._watch_alarms(service)
        tasks = self.ecs.tasks_of(service)
        now = self.clock()
        zones = self.placements.zones(service.primary.network_configuration)
        started: list[Task] = []
        stopped: list[Task] = []
        moved_away: list[Task] = []
        for decision in scheduler.decide(service, tasks, now, zones=zones, running_grace=self.parameters.running_grace):
            match decision:
                case scheduler.Start(zone):
                    try:
                        started.append(self._start(service, zone))
                    except NoRoom as error:
                        self.event(service, f"was unable to place a task. Reason: {error}.")
                        self._start_failed(service, service.primary)
                        break
                case scheduler.Stop(task, reason, rebalances):
                    if reason == task.unhealthy_because:
                        self.event(service, f"(task {task.id}) {reason.removeprefix('Task ')}.")
                        task.deployment.failed_tasks += 1
                    (moved_away if rebalances else stopped).append(task)
                    self.stop_task(task, StopCode.SERVICE_SCHEDULER_INITIATED, reason)
                case scheduler.Rebalance(lacking):
                    self._rebalance(service, lacking)
                case scheduler.Abandon():
                    self._abandon_rebalancing(service)
                case scheduler.Complete():
                    self._complete(service)
                case scheduler.Fail():
                    self._break_circuit(service)
                case scheduler.Blocked():
                    self.event(service, _BLOCKED)
        if started:
            self.event(service, f"has started {len(started)} tasks: {_names(started)}.")
        if stopped:
            self.event(service, f"has stopped {len(stopped)} running tasks: {_names(stopped)}.")
        for zone, tasks_there in _zone_by_zone(moved_away):
            there = f"{len(tasks_there)} running tasks in {zone}"
            self.event(service, f"has stopped {there} due to AZ rebalancing: {_names(tasks_there)}.")
        if service.steady:
            self.event(service, _STEADY)  # again every six hours
        alive = {task.deployment for task in tasks if task.last_status is not TaskStatus.STOPPED}
        service.deployments[1:] = [deployment for deployment in service.deployments[1:] if deployment in alive]
        if service.status == "DRAINING" and not any(t.last_status is not TaskStatus.STOPPED for t in tasks):
            service.status = "INACTIVE"
            due = now + self.parameters.namespace_cleanup
            self.ecs.clean_ups.append(CleanUp(due, service.discovery_services))

    def _clean_up(self, clean_up: CleanUp) -> None:
        """Remove what a deleted service had in Cloud Map, but for what another service has taken over."""
        others = [s.discovery_services for s in self.ecs.services.values() if s.status != "INACTIVE"]
        later = [c.discovery_services for c in self.ecs.clean_ups]
        for identifier in clean_up.discovery_services.difference(*others, *later):
            self._cloud_map.delete_service(identifier)

    def run_task(self, cluster: Cluster, deployment: Deployment, tags: list[dict[str, str]]) -> Task:
        """Start a task that is no service's, as *deployment* has it; when it ends, none takes its place.

        Raises:
            NoRoom: its subnets have no address left.
        """
        mine = [task for task in self.ecs.tasks.values() if task.cluster is cluster and task.is_wanted]
        used = by_zone(mine, self.placements.zones(deployment.network_configuration))
        task = self._new_task(cluster, "", deployment, min(used, key=lambda zone: (used[zone], zone)))
        self._launch(task, tags)
        self._log("task", task=task.id, what="started by RunTask")
        return task

    def _start(self, service: Service, zone: str) -> Task:
        task = self._new_task(service.cluster, service.name, service.primary, zone)
        service.steady = False
        try:
            self._launch(task, self._tags_of_new_task(service))
        except Exception:
            self._start_failed(service, service.primary)
            raise
        return task

    def _rebalance(self, service: Service, lacking: Sequence[str]) -> None:
        """Start a task in each of the zones that have too few; the scheduler stops others once these are healthy."""
        self.event(service, f"is not AZ balanced with {self._in_zones(service)}. AZ Rebalancing in progress.")
        service.rebalancing = ()
        try:
            for zone in lacking:
                service.rebalancing += (self._start(service, zone),)
        except NoRoom:
            self.event(service, f"is unable to place a task in {zone}.")
        for zone, tasks in _zone_by_zone(service.rebalancing):
            self.event(service, f"has started {len(tasks)} tasks in {zone} to AZ Rebalance: {_names(tasks)}.")
        if not service.rebalancing:
            self._abandon_rebalancing(service)

    def _abandon_rebalancing(self, service: Service) -> None:
        """What was started for it is a surplus now, if it runs, of which the scheduler stops what serves least."""
        service.rebalancing = ()
        service.rebalanced_from = self.clock() + _REBALANCED_AFTER
        self.event(service, "stopped AZ Rebalancing.")
        self.wake()

    def _in_zones(self, service: Service) -> str:
        """How many of its tasks are in each zone, as ECS's events say it."""
        zones = self.placements.zones(service.primary.network_configuration)
        counts = by_zone((task for task in self.ecs.tasks_of(service) if task.is_wanted), zones)
        return ", ".join(f"{count} tasks in {zone}" for zone, count in counts.items())

    def _launch(self, task: Task, tags: list[dict[str, str]]) -> None:
        self.ecs.tasks[task.id] = task
        self.ecs.tags[task.arn] = tags
        try:
            self.launcher.start(task)
        except Exception:  # no life of it has begun, so nobody would ever end it
            del self.ecs.tasks[task.id], self.ecs.tags[task.arn]
            self.placements.release(task.subnet_id, task.private_address)
            raise

    def _new_task(self, cluster: Cluster, service_name: str, deployment: Deployment, zone: str) -> Task:
        place = self.placements.place(deployment.network_configuration, zone)
        identifier = uuid.uuid4().hex
        return Task(
            id=identifier,
            arn=self.ecs.arn(f"task/{cluster.name}/{identifier}"),
            cluster=cluster,
            service_name=service_name,
            deployment=deployment,
            zone=place.zone,
            subnet_id=place.subnet_id,
            private_address=place.private_address,
            host_name=place.host_name,
            containers=[
                Container(
                    name=definition["name"],
                    arn=self.ecs.arn(f"container/{cluster.name}/{identifier}/{uuid.uuid4()}"),
                    image=definition["image"],
                    runtime_id=f"{identifier}-{next(self._ids):010d}",
                )
                for definition in deployment.task_definition.containers
            ],
            main=main_container(deployment.task_definition.containers, deployment.service_connect, deployment.request),
            created_at=self.clock(),
        )

    def _tags_of_new_task(self, service: Service) -> list[dict[str, str]]:
        """As propagateTags and enableECSManagedTags of the service say."""
        sources = {"SERVICE": service.arn, "TASK_DEFINITION": service.primary.task_definition.arn}
        tags = list(self.ecs.tags.get(sources.get(service.request.get("propagateTags", "NONE"), ""), []))
        if service.request.get("enableECSManagedTags"):
            tags.append({"key": "aws:ecs:clusterName", "value": service.cluster.name})
            tags.append({"key": "aws:ecs:serviceName", "value": service.name})
        return tags

    def _service_of(self, task: Task) -> Service | None:
        """None: it is RunTask's."""
        return self.ecs.services.get((task.cluster.name, task.service_name))

    def _start_failed(self, service: Service, deployment: Deployment) -> None:
        """A task did not get to RUNNING: the circuit breaker counts it until one does [ecs]."""
        if not deployment.has_run:
            deployment.failed_tasks += 1
        deployment.failed_in_a_row += 1
        if deployment.failed_in_a_row == scheduler.IMPAIRED_AFTER:
            self.event(service, "is unable to consistently start tasks successfully.")
        deployment.not_before = self.clock() + scheduler.backoff(deployment.failed_in_a_row)

    def _forget_failures(self, service: Service, deployment: Deployment) -> None:
        """A task of *deployment* is healthy: it starts tasks successfully."""
        deployment.failed_in_a_row = deployment.ended_in_a_row = 0
        if service.deployment_configuration["deploymentCircuitBreaker"].get("resetOnHealthyTask", True):
            deployment.failed_tasks = 0

    def _complete(self, service: Service) -> None:
        """The tasks are as they should be; the deployment is complete once the bake time of its alarms is over."""
        primary = service.primary
        del service.deployments[1:]
        if primary.settled_at is None:
            primary.settled_at = self.clock()
        if primary.alarms_watched and self.clock() < primary.settled_at + self.parameters.alarm_bake:
            self.event(service, _STEADY)
            return
        if primary.rollout_state is not RolloutState.COMPLETED:
            primary.rollout_state = RolloutState.COMPLETED
            primary.rollout_state_reason = f"ECS deployment {primary.id} completed."
            primary.updated_at = primary.finished_at = self.clock()
            self.event(service, f"(deployment {primary.id}) deployment completed.")
        self._forget_failures(service, primary)
        if service.rebalancing:
            tasks = [task for task in self.ecs.tasks_of(service) if task.is_wanted]
            if scheduler.lacking(tasks, self.placements.zones(primary.network_configuration)):
                self._abandon_rebalancing(service)
            else:
                service.rebalancing = ()
                self.event(service, f"is AZ balanced with {self._in_zones(service)}.")
        service.last_completed = primary
        service.steady = True
        self.event(service, _STEADY)
        self.wake()  # the zones may be uneven

    def _watch_alarms(self, service: Service) -> None:
        """Fail the deployment under way if one of its alarms is in ALARM."""
        primary = service.primary
        if not primary.alarms_watched or primary.rollout_state is not RolloutState.IN_PROGRESS:
            return
        if firing := self._alarms.firing(primary.alarms["alarmNames"]):
            primary.alarms_fired = tuple(sorted(firing))
            self.event(service, f"(deployment {primary.id}) deployment failed: alarm detected.")
            reason = f"ECS deployment alarm: {', '.join(primary.alarms_fired)} in ALARM."
            self.fail(service, reason, roll_back=bool(primary.alarms["rollback"]))

    def _break_circuit(self, service: Service) -> None:
        failed = service.primary
        failed.circuit_breaker_fired = True
        self.event(service, f"(deployment {failed.id}) deployment failed: tasks failed to start.")
        roll_back = service.deployment_configuration["deploymentCircuitBreaker"]["rollback"]
        self.fail(service, "ECS deployment circuit breaker: tasks failed to start.", roll_back=roll_back)


def _names(tasks: Iterable[Task]) -> str:
    """As ECS's events list them."""
    return " ".join(f"(task {task.id})" for task in tasks)


def _zone_by_zone(tasks: Iterable[Task]) -> Iterable[tuple[str, list[Task]]]:
    """The *tasks* of each zone."""
    found: dict[str, list[Task]] = {}
    for task in tasks:
        found.setdefault(task.zone, []).append(task)
    return found.items()
