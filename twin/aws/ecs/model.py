"""The records of ECS: mutable, compared by identity.

Times are seconds since the Unix epoch, by the controller's clock.
"""

from __future__ import annotations

import itertools
import secrets
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = [
    "DEPLOYED",
    "IDLE_TIMEOUT",
    "REQUEST_TIMEOUT",
    "TCP_IDLE_TIMEOUT",
    "CleanUp",
    "Cluster",
    "Container",
    "Deployment",
    "Ecs",
    "Endpoint",
    "HealthStatus",
    "RolloutState",
    "Service",
    "ServiceEvent",
    "StopCode",
    "Task",
    "TaskDefinition",
    "TaskStatus",
    "by_zone",
    "main_container",
    "start_timeout",
]

Json = dict[str, Any]

# Of Service Connect, where a service gives none [ecs: TimeoutConfiguration].
REQUEST_TIMEOUT = 15  # seconds
IDLE_TIMEOUT, TCP_IDLE_TIMEOUT = 300, 3600  # seconds
# The members of a service of which a change needs new tasks: each deployment has its own.
DEPLOYED = (
    "capacityProviderStrategy",
    "loadBalancers",
    "networkConfiguration",
    "platformVersion",
    "serviceConnectConfiguration",
    "serviceRegistries",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
)


class TaskStatus(StrEnum):
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html"""

    PROVISIONING = "PROVISIONING"
    PENDING = "PENDING"
    ACTIVATING = "ACTIVATING"
    RUNNING = "RUNNING"
    DEACTIVATING = "DEACTIVATING"
    STOPPING = "STOPPING"
    DEPROVISIONING = "DEPROVISIONING"
    STOPPED = "STOPPED"


class HealthStatus(StrEnum):
    HEALTHY = "HEALTHY"
    UNHEALTHY = "UNHEALTHY"
    UNKNOWN = "UNKNOWN"


class StopCode(StrEnum):
    TASK_FAILED_TO_START = "TaskFailedToStart"
    ESSENTIAL_CONTAINER_EXITED = "EssentialContainerExited"
    USER_INITIATED = "UserInitiated"
    SERVICE_SCHEDULER_INITIATED = "ServiceSchedulerInitiated"


class RolloutState(StrEnum):
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    IN_PROGRESS = "IN_PROGRESS"


_PENDING_AT_MOST = 3 * 3600.0  # seconds; then ECS stops a task (containers-roadmap issue 2379)


@dataclass(eq=False)
class Cluster:
    arn: str
    name: str
    created_at: float
    status: str = "ACTIVE"
    settings: list[Json] = field(default_factory=list)
    configuration: Json | None = None
    service_connect_defaults: Json | None = None
    capacity_providers: list[str] = field(default_factory=list)
    default_capacity_provider_strategy: list[Json] = field(default_factory=list)


@dataclass(eq=False)
class TaskDefinition:
    """A revision; *request* is what RegisterTaskDefinition was given, without its tags."""

    arn: str
    family: str
    revision: int
    request: Json
    registered_at: float
    status: str = "ACTIVE"
    deregistered_at: float | None = None
    delete_requested_at: float | None = None

    @property
    def containers(self) -> list[Json]:
        return list(self.request["containerDefinitions"])


@dataclass(eq=False)
class ServiceEvent:
    id: str
    created_at: float
    message: str


@dataclass(frozen=True)
class Endpoint:
    """A name and port of a namespace, and the Cloud Map service behind it; timeouts in seconds (0: none).

    *protocol* is the port's `appProtocol` (http, http2 or grpc), else tcp.
    """

    name: str
    port: int
    discovery_name: str
    service_id: str  # of Cloud Map
    cluster: str
    service: str  # of ECS
    protocol: str = "http"
    request_timeout: float = 15.0
    idle_timeout: float = 300.0

    @property
    def is_http(self) -> bool:
        return self.protocol != "tcp"

    @property
    def is_http2(self) -> bool:
        return self.protocol in ("http2", "grpc")

    def __str__(self) -> str:
        return f"{'http' if self.is_http else 'tcp'}://{self.name}:{self.port}"


@dataclass(eq=False)
class Deployment:
    """One rollout of a service: what its tasks run, and how far it has come."""

    id: str
    task_definition: TaskDefinition
    created_at: float
    updated_at: float
    network_configuration: Json
    service_connect: Json | None
    request: Json = field(default_factory=dict)  # its service's, as it was for this deployment
    status: str = "PRIMARY"
    rollout_state: RolloutState = RolloutState.IN_PROGRESS
    rollout_state_reason: str = ""
    failed_tasks: int = 0  # as the circuit breaker counts them: since a task of it became healthy, or in all
    failed_in_a_row: int = 0  # since a task of it became healthy
    ended_in_a_row: int = 0  # tasks of it that ended by themselves, RUNNING or not, since one became healthy
    has_run: bool = False  # whether a task of it has got to RUNNING: the circuit breaker's first stage is over
    not_before: float = 0.0  # no task is started earlier: back-off
    replaces: Deployment | None = None  # the deployment that was completed last when this one began
    returns_to: Deployment | None = None  # a rollback: the deployment that it repeats
    rolled_back_by: Deployment | None = None
    circuit_breaker_fired: bool = False
    alarms_watched: bool = False  # false too where one was in ALARM when it began
    alarms_fired: tuple[str, ...] = ()  # names of the alarms that have failed it
    settled_at: float | None = None  # when the service reached its steady state: the bake time begins
    finished_at: float | None = None
    service_connect_resources: list[Json] = field(default_factory=list)
    endpoints: tuple[Endpoint, ...] = ()  # which its tasks may call: those that were there when it began
    service_deployment_id: str = field(default_factory=lambda: secrets.token_urlsafe(16)[:21])

    @property
    def revision(self) -> str:
        """The number of the service revision that it deploys: the id's own, for a rollback the former deployment's."""
        return (self.returns_to or self).id.rsplit("/", 1)[-1]

    @property
    def configuration(self) -> Json:
        """`DeploymentConfiguration`, with what is not given."""
        return _deployment_configuration(self.request)

    @property
    def alarms(self) -> Json:
        """`DeploymentAlarms`, with what is not given."""
        given: Json = self.configuration.get("alarms") or {}
        return {"alarmNames": [], "enable": False, "rollback": False, **given}


@dataclass(eq=False)
class Service:
    arn: str
    name: str
    cluster: Cluster
    created_at: float
    desired_count: int
    deployments: list[Deployment]
    request: Json  # CreateService's, with later updates merged in
    created_from: Json  # CreateService's as it was
    status: str = "ACTIVE"
    events: deque[ServiceEvent] = field(default_factory=lambda: deque(maxlen=100))
    history: list[Deployment] = field(default_factory=list)  # all deployments, the first first
    discovery_services: set[str] = field(default_factory=set)  # the ids of all that it ever had in Cloud Map
    last_completed: Deployment | None = None
    steady: bool = False
    rebalancing: tuple[Task, ...] = ()  # started to even out the zones, until as many others have been stopped
    rebalanced_from: float = 0.0  # the zones are not evened out earlier: it came to nothing the last time

    @property
    def primary(self) -> Deployment:
        return self.deployments[0]

    @property
    def newest(self) -> list[Deployment]:
        """The last that a client set off of those with tasks, after a rollback, if there is one."""
        rollbacks = list(itertools.takewhile(lambda each: each.returns_to is not None, self.deployments))
        return self.deployments[: len(rollbacks) + 1]

    @property
    def health_check_grace(self) -> float:
        """Seconds from RUNNING in which failed health checks, the load balancers' too, are ignored."""
        return float(self.request.get("healthCheckGracePeriodSeconds") or 0)

    @property
    def rebalances(self) -> bool:
        """Whether its tasks are evened out over the zones while they run."""
        return bool(self.request["availabilityZoneRebalancing"] == "ENABLED")

    @property
    def deployment_configuration(self) -> Json:
        return _deployment_configuration(self.request)


@dataclass(eq=False)
class CleanUp:
    """What a service that is INACTIVE had in Cloud Map."""

    due: float
    discovery_services: set[str]  # ids


@dataclass(eq=False)
class Container:
    name: str
    arn: str
    image: str
    runtime_id: str
    last_status: str = "PENDING"
    exit_code: int | None = None
    reason: str | None = None
    health: HealthStatus = HealthStatus.UNKNOWN
    is_run: bool = False  # whether a process stands for it here: the launcher says


@dataclass(eq=False)
class Task:
    """A task and the record of its life: `steps` holds the time of each step that it has taken."""

    id: str
    arn: str
    cluster: Cluster
    service_name: str  # "": it is no service's, but RunTask's
    deployment: Deployment
    zone: str
    subnet_id: str
    private_address: str
    host_name: str
    containers: list[Container]
    main: int  # which of the containers is the task's own: see main_container
    created_at: float
    last_status: TaskStatus = TaskStatus.PROVISIONING
    desired_status: TaskStatus = TaskStatus.RUNNING
    stop_code: StopCode | None = None
    stopped_reason: str | None = None
    exited: Container | None = None  # the essential container that ended by itself
    version: int = 1
    steps: dict[str, float] = field(default_factory=dict)
    targets: dict[str, str] = field(default_factory=dict)  # its state in each target group, by ARN

    @property
    def group(self) -> str:
        """Its service's, the one that RunTask names, or its family's [ecs: RunTask]."""
        if self.service_name:
            return f"service:{self.service_name}"
        return str(self.deployment.request.get("group") or f"family:{self.deployment.task_definition.family}")

    @property
    def overrides(self) -> Json:
        """`TaskOverride`, as RunTask was given it."""
        given: Json = self.deployment.request.get("overrides") or {}
        return {"inferenceAcceleratorOverrides": [], **given, "containerOverrides": given.get("containerOverrides", [])}

    def override_of(self, container: str) -> Json:
        """What RunTask says of that container in place of its definition."""
        found: Json = {}
        for override in self.overrides["containerOverrides"]:
            if override.get("name") == container:
                found |= override
        return found

    @property
    def is_wanted(self) -> bool:
        """Neither stopping nor stopped."""
        return self.desired_status is TaskStatus.RUNNING

    @property
    def container(self) -> Container:
        """The main container."""
        return self.containers[self.main]

    @property
    def definition(self) -> Json:
        """Its definition."""
        return self.deployment.task_definition.containers[self.main]

    @property
    def health(self) -> HealthStatus:
        """Of its essential containers with a health check: UNHEALTHY if one is, HEALTHY if all are [ecs: Task]."""
        found = {container.health for container, _ in self._checked}
        if HealthStatus.UNHEALTHY in found:
            return HealthStatus.UNHEALTHY
        return HealthStatus.HEALTHY if found == {HealthStatus.HEALTHY} else HealthStatus.UNKNOWN

    @property
    def is_registered(self) -> bool:
        """Whether it has been where Cloud Map's clients look: some milliseconds after RUNNING, if it is to be there."""
        is_to_be = self.deployment.service_connect or self.registries
        return not is_to_be or "registered" in self.steps

    @property
    def registries(self) -> list[Json]:
        """`ServiceRegistry` of each service of Cloud Map in which it registers, beside those of Service Connect."""
        return list(self.deployment.request.get("serviceRegistries") or [])

    @property
    def target_groups(self) -> list[str]:
        """The ARNs of the target groups that its service registers it with."""
        balancers = self.deployment.request.get("loadBalancers", [])
        return [balancer["targetGroupArn"] for balancer in balancers if balancer.get("targetGroupArn")]

    @property
    def is_checked(self) -> bool:
        """Whether an essential container that is run here has a health check."""
        return bool(self._checked)

    @property
    def check_interval(self) -> float | None:
        """Seconds between two health checks, the least of its containers; None where that is ECS's default."""
        return min(
            (d["healthCheck"]["interval"] for _, d in self._checked if "interval" in d["healthCheck"]), default=None
        )

    @property
    def _checked(self) -> list[tuple[Container, Json]]:
        """Its essential containers that are run here and have a health check, with their definitions."""
        return [
            (container, definition)
            for container, definition in zip(self.containers, self.deployment.task_definition.containers, strict=True)
            if (container.is_run or container is self.container)
            and (definition.get("essential", True) or container is self.container)
            and (definition.get("healthCheck") or {"command": ["NONE"]})["command"] != ["NONE"]
        ]

    @property
    def held_by(self) -> list[str]:
        """The names of its containers that wait until the main one is HEALTHY: until then it is PENDING."""
        return held_by(self.deployment.task_definition.containers, self.main)

    @property
    def held_for(self) -> float:
        """Seconds for which containers of it wait at most for others: then it has failed to start (`startTimeout`)."""
        definitions = {each["name"]: each for each in self.deployment.task_definition.containers}
        run = {container.name for container in self.containers if container.is_run or container is self.container}
        return max(
            (
                start_timeout(definitions[dependency["containerName"]])
                for definition in definitions.values()
                for dependency in definition.get("dependsOn", [])
                if dependency["condition"] != "START" and dependency["containerName"] in run
            ),
            default=0.0,
        )

    @property
    def unhealthy_because(self) -> str | None:
        """Why ECS replaces it; None if it need not. Before RUNNING nothing is a reason (containers-roadmap 2379)."""
        if "RUNNING" not in self.steps:
            return None
        if self.health is HealthStatus.UNHEALTHY:
            return "Task failed container health checks"
        failed = [arn for arn, state in self.targets.items() if state == "unhealthy"]
        return f"Task failed ELB health checks in (target-group {failed[0]})" if failed else None

    def counts_as_healthy(self, now: float, running_grace: float) -> bool:
        """Whether it counts towards the minimum healthy percent (DeploymentConfiguration).

        It is RUNNING, and what there is to check it finds it healthy: its container's health check, its load
        balancers. With neither: *running_grace* seconds after RUNNING.
        """
        if self.last_status is not TaskStatus.RUNNING or not self.is_wanted:
            return False
        if self.is_checked and self.health is not HealthStatus.HEALTHY:
            return False
        if self.is_checked or self.targets:
            return all(state == "healthy" for state in self.targets.values())
        return now >= self.steps["RUNNING"] + running_grace


@dataclass
class Ecs:
    """All records of one account and Region."""

    account: str
    region: str
    clusters: dict[str, Cluster] = field(default_factory=dict)  # by name
    task_definitions: dict[str, list[TaskDefinition]] = field(default_factory=dict)  # by family, revision 1 first
    services: dict[tuple[str, str], Service] = field(default_factory=dict)  # by (cluster, name)
    tasks: dict[str, Task] = field(default_factory=dict)  # by id
    tags: dict[str, list[dict[str, str]]] = field(default_factory=dict)  # by ARN
    clean_ups: list[CleanUp] = field(default_factory=list)  # those to come

    def arn(self, resource: str) -> str:
        return f"arn:aws:ecs:{self.region}:{self.account}:{resource}"

    def tasks_of(self, service: Service) -> list[Task]:
        return [t for t in self.tasks.values() if t.service_name == service.name and t.cluster is service.cluster]


def start_timeout(definition: Mapping[str, Any]) -> float:
    """Seconds for which others wait at most for the container with that *definition*, by `dependsOn`."""
    return float(definition.get("startTimeout", _PENDING_AT_MOST))


def _deployment_configuration(request: Json) -> Json:
    given: Json = request.get("deploymentConfiguration") or {}
    breaker = {"enable": False, "rollback": False, **(given.get("deploymentCircuitBreaker") or {})}
    defaults = {"maximumPercent": 200, "minimumHealthyPercent": 100, "strategy": "ROLLING", "bakeTimeInMinutes": 0}
    return {**defaults, **given, "deploymentCircuitBreaker": breaker}


def held_by(containers: Sequence[Json], main: int) -> list[str]:
    """The names of *containers* (definitions) that wait, by `dependsOn`, until the one at *main* is HEALTHY.

    Those that depend on one of these wait with it. A task is RUNNING once all of its containers have started
    (containers-roadmap issue 2334; `updateTaskKnownStatus` of the ECS agent).
    """
    waiting: dict[str, Json] = {}
    while more := [
        container
        for container in containers
        if container["name"] not in waiting
        and any(
            dependency["containerName"] in waiting
            or (dependency["containerName"], dependency["condition"]) == (containers[main]["name"], "HEALTHY")
            for dependency in container.get("dependsOn", [])
        )
    ]:
        waiting |= {container["name"]: container for container in more}
    return list(waiting)


def main_container(
    containers: Sequence[Json], service_connect: Mapping[str, Any] | None, request: Mapping[str, Any]
) -> int:
    """Which of *containers* (definitions) is the main one: whose port the first Service Connect service names.

    Without Service Connect it is the one that the first load balancer or service registry of the service's *request*
    names, else the first that maps a port, else (a worker) the first that is essential.

    Raises:
        LookupError: what is named is not there.
    """
    services = (service_connect or {}).get("services") or [{}]
    port_name = services[0].get("portName")
    targets = [*request.get("loadBalancers", []), *request.get("serviceRegistries", [])]
    named = next((target["containerName"] for target in targets if target.get("containerName")), None)
    container_name = named if port_name is None else None
    for number, container in enumerate(containers):
        for port in container.get("portMappings", []):
            if port_name in (None, port.get("name")) and container_name in (None, container["name"]):
                return number
    if port_name or container_name:
        raise LookupError(port_name or container_name)
    return next((number for number, container in enumerate(containers) if container.get("essential", True)), 0)


def by_zone(tasks: Iterable[Task], zones: Iterable[str]) -> dict[str, int]:
    """How many of *tasks* are in each of *zones*."""
    counts = dict.fromkeys(zones, 0)
    for task in tasks:
        counts[task.zone] = counts.get(task.zone, 0) + 1
    return counts
