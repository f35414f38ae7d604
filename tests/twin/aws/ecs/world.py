"""ECS in virtual time: real records, real API, real controller; tasks, subnets and Cloud Map are stood in for."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.validate import ParamValidator

from twin.aws.ecs import api
from twin.aws.ecs.context import Context
from twin.aws.ecs.controller import Controller
from twin.aws.ecs.model import Deployment, Ecs, HealthStatus, Service, StopCode, Task, TaskStatus
from twin.aws.ecs.ports import NoRoom, Placement
from twin.events import Events, TaskChanged, TaskFailed
from twin.parameters import Parameters

Json = dict[str, Any]

NAMESPACE = "arn:aws:servicediscovery:eu-west-2:123456789012:namespace/ns-shop"
REGISTRY = "arn:aws:servicediscovery:eu-west-2:123456789012:service/srv-orders"
STARTS_WITHIN = 3  # seconds from start() to RUNNING
CHECKED_AFTER = 5  # seconds from RUNNING to the first result of a health check
STOPS_WITHIN = 4  # seconds from stop() to STOPPED


class Tasks:
    """A launcher whose tasks need time alone. A task of a family in `broken` never becomes what it should be."""

    controller: Controller
    events: Events

    def __init__(self) -> None:
        self.registered: set[str] = set()
        self.alive: dict[str, Task] = {}
        self.cannot_start: set[str] = set()  # task definitions, by ARN, whose tasks fail before they are RUNNING
        self.unhealthy: set[str] = set()  # task definitions, by ARN, whose tasks fail their health checks

    def start(self, task: Task) -> None:
        assert task.id not in self.alive
        self.alive[task.id] = task
        self._enter(task, TaskStatus.PROVISIONING)

    def stop(self, task: Task) -> None:
        self.registered.discard(task.id)
        self._enter(task, TaskStatus.DEACTIVATING)

    def forget(self, task: Task) -> None:
        assert task.last_status is TaskStatus.STOPPED

    def crash(self, task: Task) -> None:
        """The application exits."""
        self.events.publish(
            TaskFailed(task.id, StopCode.ESSENTIAL_CONTAINER_EXITED, "Essential container in task exited")
        )

    def set_health(self, task: Task, health: HealthStatus) -> None:
        if health is not task.container.health:
            task.container.health = health
            self.events.publish(TaskChanged(task.id))

    def move(self) -> None:
        """Let every task take the step that is due."""
        now = self.controller.clock()
        for task in list(self.alive.values()):
            definition = task.deployment.task_definition.arn
            steps = task.steps
            if task.last_status is TaskStatus.DEACTIVATING:
                if now >= steps["DEACTIVATING"] + STOPS_WITHIN:
                    del self.alive[task.id]
                    task.container.exit_code = 0
                    self._enter(task, TaskStatus.STOPPED)
            elif task.last_status is TaskStatus.PROVISIONING:
                if now >= steps["PROVISIONING"] + STARTS_WITHIN:
                    if definition in self.cannot_start:
                        self.events.publish(
                            TaskFailed(task.id, StopCode.TASK_FAILED_TO_START, "CannotStartContainerError")
                        )
                    else:
                        self.registered.add(task.id)
                        self._enter(task, TaskStatus.RUNNING)
            elif (
                task.is_checked
                and task.container.health is HealthStatus.UNKNOWN
                and now >= steps["RUNNING"] + CHECKED_AFTER
            ):
                fit = definition not in self.unhealthy
                self.set_health(task, HealthStatus.HEALTHY if fit else HealthStatus.UNHEALTHY)

    def _fail(self, task: Task, code: StopCode, reason: str) -> None:
        self.events.publish(TaskFailed(task.id, code, reason))

    def _enter(self, task: Task, status: TaskStatus) -> None:
        task.last_status = status
        task.steps[status.value] = self.controller.clock()
        self.events.publish(TaskChanged(task.id))


class Subnets:
    """Two zones, of which some may be closed; a subnet that is not `subnet-a` or `subnet-b` does not exist."""

    def __init__(self, size: int = 1000) -> None:
        self.size = size
        self.used: set[tuple[str, str]] = set()
        self.closed: set[str] = set()
        self._numbers = itertools.count(4)

    def zones(self, network_configuration: Json) -> list[str]:
        zones = {"subnet-a": "eu-west-2a", "subnet-b": "eu-west-2b"}
        subnets = network_configuration["awsvpcConfiguration"]["subnets"]
        if not zones.keys() >= set(subnets):
            return []
        return [zones[subnet] for subnet in subnets if zones[subnet] not in self.closed]

    def place(self, network_configuration: Json, zone: str) -> Placement:
        subnet = f"subnet-{zone[-1]}"
        if sum(used == subnet for used, _ in self.used) >= self.size:
            raise NoRoom(f"The subnets of {zone} ({subnet}) have no free addresses")
        number = next(self._numbers)
        address = f"10.0.{number // 250}.{number % 250}"
        self.used.add((subnet, address))
        return Placement(zone, subnet, address, f"ip-{address.replace('.', '-')}.eu-west-2.compute.internal")

    def release(self, subnet_id: str, private_address: str) -> None:
        self.used.remove((subnet_id, private_address))


class CloudMap:
    """One namespace, `shop`, and those that are made."""

    def __init__(self) -> None:
        self.namespaces = {"shop": NAMESPACE}
        self.services: dict[str, tuple[str, str]] = {}  # by id: namespace and name
        self.records = {REGISTRY: {"SRV"}, REGISTRY + "-a": {"A"}}  # types of DNS records, by the service's ARN
        self._numbers = itertools.count(1)

    def namespace_arn(self, namespace: str) -> str | None:
        return namespace if namespace in self.namespaces.values() else self.namespaces.get(namespace)

    def namespace_name(self, arn: str) -> str | None:
        return next((name for name, known in self.namespaces.items() if known == arn), None)

    def create_namespace(self, name: str) -> str:
        self.namespaces[name] = NAMESPACE.replace("ns-shop", f"ns-{name}")
        return self.namespaces[name]

    def record_types(self, service_arn: str) -> Collection[str] | None:
        return self.records.get(service_arn)

    def create_service(self, namespace: str, name: str) -> tuple[str, str]:
        known = {value: identifier for identifier, value in self.services.items()}
        identifier = known.get((namespace, name)) or f"srv-{next(self._numbers)}"
        self.services[identifier] = (namespace, name)
        return identifier, f"arn:aws:servicediscovery:eu-west-2:123456789012:service/{identifier}"

    def delete_service(self, identifier: str) -> None:
        del self.services[identifier]


class LoadBalancing:
    def __init__(self) -> None:
        self.groups: dict[str, str] = {}  # target types, by ARN

    def target_groups(self) -> Mapping[str, str]:
        return self.groups


class Alarms(set[str]):
    """The names of those that there are, each in ALARM."""

    def names(self) -> Collection[str]:
        return self

    def firing(self, names: Collection[str]) -> Collection[str]:
        return self.intersection(names)


@dataclass
class World:
    """One account with an ECS of its own, at a time of its own."""

    now: float = 1_800_000_000.0
    parameters: Parameters = field(default_factory=Parameters)
    subnets: Subnets = field(default_factory=Subnets)
    tasks: Tasks = field(default_factory=Tasks)
    cloud_map: CloudMap = field(default_factory=CloudMap)
    load_balancing: LoadBalancing = field(default_factory=LoadBalancing)
    alarms: Alarms = field(default_factory=Alarms)
    bus: Events = field(default_factory=Events)

    def __post_init__(self) -> None:
        self.ecs = Ecs("123456789012", "eu-west-2")
        self.controller = Controller(
            self.ecs,
            self.tasks,
            self.subnets,
            self.cloud_map,
            self.alarms,
            self.parameters,
            self.bus,
            clock=lambda: self.now,
        )
        self.tasks.controller, self.tasks.events = self.controller, self.bus
        self.context = Context(self.ecs, self.controller, self.cloud_map, self.load_balancing)

    def call(self, operation: str, request: Json | None = None) -> Json:
        """An operation of the API, as the endpoint does it."""
        return api.call(self.context, operation, request or {})

    def advance(self, seconds: int = 60) -> None:
        """Let time pass, a second at a time."""
        for _ in range(seconds):
            self.controller.step()
            self.now += 1
            self.tasks.move()
        self.controller.step()

    def start(self, **request: Any) -> Service:
        """Cluster, task definition and service, all called `shop`; *request* changes CreateService's."""
        self.call("CreateCluster", {"clusterName": "shop"})
        self.call("RegisterTaskDefinition", task_definition())
        self.call("CreateService", service(**request))
        return self.service

    @property
    def service(self) -> Service:
        return self.ecs.services["shop", "shop"]

    def update(self, **request: Any) -> Deployment:
        """UpdateService; the deployment that is the primary one then."""
        self.call("UpdateService", {"cluster": "shop", "service": "shop", **request})
        return self.service.primary

    def tasks_with(self, *statuses: TaskStatus) -> list[Task]:
        return [task for task in self.ecs.tasks_of(self.service) if task.last_status in statuses]

    @property
    def running(self) -> list[Task]:
        return self.tasks_with(TaskStatus.RUNNING)

    def events(self) -> list[str]:
        """The service's events, the oldest first."""
        return [event.message.removeprefix("(service shop) ") for event in reversed(self.service.events)]


def task_definition(**changes: Any) -> Json:
    """A request of RegisterTaskDefinition, as the stack's."""
    container = {
        "name": "app",
        "image": "shop:1",
        "essential": True,
        "portMappings": [{"name": "http", "containerPort": 8080, "appProtocol": "http"}],
        "environment": [{"name": "PORT", "value": "8080"}],
        "healthCheck": {"command": ["CMD-SHELL", "wget -q --spider http://127.0.0.1:8080/ready"], "interval": 5},
    }
    return {
        "family": "shop",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [container],
        **changes,
    }


def service(**changes: Any) -> Json:
    """A request of CreateService, as the stack's."""
    return {
        "cluster": "shop",
        "serviceName": "shop",
        "taskDefinition": "shop",
        "desiredCount": 3,
        "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a", "subnet-b"]}},
        "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True, "rollback": True}},
        "serviceConnectConfiguration": {
            "enabled": True,
            "namespace": NAMESPACE,
            "services": [{"portName": "http", "discoveryName": "shop-http", "clientAliases": [{"port": 8080}]}],
        },
        **changes,
    }


def faults_of_answer(operation: str, answer: Json) -> list[str]:
    """What botocore's model of ECS has against *answer*: missing, unknown or wrong members, values of no enum."""
    shape = api.service_model().operation_model(operation).output_shape
    report = ParamValidator().validate(answer, shape)
    faults = [report.generate_report()] if report.has_errors() else []
    return [f"{operation}: {fault}" for fault in (*faults, *api.outside_enums(shape, answer))]
