"""The gaps of services and their task definitions: nothing is accepted in silence.

What the twin heeds is listed here by member of the API's structures; any other member that has a value is a gap, with
the reason where there is one to give.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from twin.aws.ecs import wire
from twin.aws.ecs.model import Ecs, held_by, main_container
from twin.aws.ecs.ports import Alarms
from twin.gaps import NO_USE, Gap

__all__ = ["ServiceGaps", "service_gaps"]

Json = Mapping[str, Any]
Allows = Callable[[str, str], bool | None]
"""Whether the role with an ARN is allowed an action; None: it is not known."""

# Members that are heeded, or that say what is the case anyway.
_TASK_DEFINITION = {
    *("taskDefinitionArn", "containerDefinitions", "family", "networkMode", "revision", "status", "compatibilities"),
    *("requiresCompatibilities", "requiresAttributes", "registeredAt", "registeredBy", "deregisteredAt"),
    "deleteRequestedAt",
}
_CONTAINER = {
    "name",
    "essential",
    "portMappings",
    "environment",
    "healthCheck",
    "startTimeout",
    "stopTimeout",
    "secrets",
    "dependsOn",
}
_SERVICE = {
    *("serviceArn", "serviceName", "clusterArn", "status", "desiredCount", "runningCount", "pendingCount"),
    *("launchType", "capacityProviderStrategy", "platformVersion", "platformFamily", "taskDefinition", "deployments"),
    *("events", "createdAt", "createdBy", "schedulingStrategy", "deploymentController", "tags"),
    *("deploymentConfiguration", "networkConfiguration", "enableECSManagedTags", "propagateTags"),
    *("currentServiceDeployment", "currentServiceRevisions", "loadBalancers"),
    *("healthCheckGracePeriodSeconds", "serviceRegistries", "availabilityZoneRebalancing"),
}
_DEPLOYMENT_CONFIGURATION = {
    *("maximumPercent", "minimumHealthyPercent", "deploymentCircuitBreaker", "strategy"),
    "alarms",
}
_SERVICE_CONNECT = {"enabled", "namespace", "services"}
_SERVICE_CONNECT_SERVICE = {"clientAliases", "portName", "discoveryName", "ingressPortOverride", "timeout"}

_UNLIMITED = "processes on this machine are not limited"
_NO_PERMISSIONS = "the endpoint checks no permissions: tasks have the twin's own credentials"
_PROGRAM = "the container's program on this machine runs: see twin.toml in docs/twin.md"
_NOT_ISOLATED = "tasks are processes of the user who started the twin, not containers"
_REASONS = {
    "cpu": _UNLIMITED,
    "memory": _UNLIMITED,
    "memoryReservation": _UNLIMITED,
    "ulimits": _UNLIMITED,
    "ephemeralStorage": _UNLIMITED,
    "executionRoleArn": _NO_PERMISSIONS,
    "taskRoleArn": _NO_PERMISSIONS,
    "environmentFiles": "no file is fetched: its variables are not set",
    "image": f"no image is pulled: {_PROGRAM}",
    "command": f"{_PROGRAM}; it runs where that names no command",
    "entryPoint": f"{_PROGRAM}; it runs where that names no command",
    "runtimePlatform": "tasks run on this machine's processor and system",
    "user": _NOT_ISOLATED,
    "readonlyRootFilesystem": _NOT_ISOLATED,
    "linuxParameters": _NOT_ISOLATED,
    "privileged": _NOT_ISOLATED,
    "volumes": _NOT_ISOLATED,
    "volumeConfigurations": _NOT_ISOLATED,
    "mountPoints": _NOT_ISOLATED,
    "logConfiguration": "CloudWatch Logs stays empty: `twin logs TASK` prints what a task wrote",
    "enableExecuteCommand": "ExecuteCommand is refused: `twin exec` runs a command as the task's processes run",
    "securityGroups": "no packet is filtered on loopback addresses",
    "assignPublicIp": "nothing outside this machine reaches a task",
    "tls": "the proxy speaks plain HTTP",
}


class ServiceGaps:
    """Those of all services that there are."""

    def __init__(self, ecs: Ecs, alarms: Alarms, allows: Allows) -> None:
        self._ecs = ecs
        self._alarms = alarms
        self._allows = allows

    @property
    def gaps(self) -> list[Gap]:
        there = self._alarms.names()
        active = [service for service in self._ecs.services.values() if service.status != "INACTIVE"]
        alarms = [
            Gap(f"service {service.name}", "alarms", f"CloudWatch has no alarm {name}, so none rolls back a deployment")
            for service in active
            for name in service.primary.alarms["alarmNames"]
            if name not in there
        ]
        definitions = (service.primary.task_definition for service in active)
        unread = [gap for each in definitions for gap in _unread(wire.task_definition(each), self._allows)]
        return (
            alarms
            + unread
            + [
                gap
                for service in active
                for gap in service_gaps(
                    wire.service(service, self._ecs, tags=False),
                    wire.task_definition(service.primary.task_definition),
                    {c.name for task in self._ecs.tasks_of(service) for c in task.containers if c.is_run},
                )
            ]
        )


def service_gaps(service: Json, definition: Json, run: Collection[str] = ()) -> list[Gap]:
    """What *service* (`Service`) and its tasks' *definition* (`TaskDefinition`) ask for without effect.

    *run*: the names of the containers that are run, beside the main one.
    """
    primary: Json = next((d for d in service["deployments"] if d["status"] == "PRIMARY"), {})
    connection = primary.get("serviceConnectConfiguration") or {}
    further = {name: primary.get(name) for name in ("volumeConfigurations", "vpcLatticeConfigurations")}
    return [
        *_by_service({**service, **further}, connection),
        *_by_task_definition(definition, connection, service, run),
    ]


def _by_task_definition(definition: Json, connection: Json, service: Json, run: Collection[str]) -> list[Gap]:
    of = f"task definition {definition['family']}:{definition['revision']}"
    gaps = list(_without_use(of, definition, _TASK_DEFINITION))
    containers = definition["containerDefinitions"]
    try:
        main = main_container(containers, connection, service)
    except LookupError:
        return [*gaps, Gap(of, "", "no container maps the port that its service serves, so none can run it")]
    for number, container in enumerate(containers):
        where = f"{of}, container {container['name']}"
        if number == main or container["name"] in run:
            gaps += _without_use(where, container, _CONTAINER)
            gaps += (Gap(where, "healthCheck", reason, works_here=True) for reason in _other_in_an_image(container))
            if number == main and not container.get("essential", True):
                gaps.append(Gap(where, "essential", "the task ends with it, for its port is the one that is served"))
        else:
            key = f'"{definition["family"]}/{container["name"]}"'
            why = f"it is not run: to run it, name its program under [programs.{key}] in twin.toml"
            if container["name"] in held_by(containers, main):
                why += f"; tasks wait for it all the same, until {containers[main]['name']} is HEALTHY"
            gaps.append(Gap(where, "", why))
    return gaps


def _unread(definition: Json, allows: Allows) -> Iterator[Gap]:
    """Secrets that ECS could not read on AWS, where no task would start (ResourceInitializationError)."""
    role = definition.get("executionRoleArn")
    named = [secret["valueFrom"] for each in definition["containerDefinitions"] for secret in each.get("secrets", [])]
    actions = ["secretsmanager:GetSecretValue" if ":secretsmanager:" in each else "ssm:GetParameters" for each in named]
    for action in dict.fromkeys(actions):
        if not role or allows(role, action) is False:
            why = f"{role.rsplit('/', 1)[-1]} allows no {action}" if role else f"there is none that allows {action}"
            where = f"task definition {definition['family']}:{definition['revision']}"
            yield Gap(
                where, "executionRoleArn", f"{why}, so on AWS no task would start with its secrets", works_here=True
            )


def _other_in_an_image(container: Json) -> Iterator[str]:
    """What of its health check passes on this machine, and may not in the container's image."""
    command = " ".join((container.get("healthCheck") or {"command": []})["command"])
    if re.search(r"\bcurl\b", command):
        yield "curl is this machine's; the image needs one too, and Alpine's have none"
    if re.search(r"\blocalhost\b", command):
        yield "localhost is the task's address here; in an image it may be ::1 first, so write 127.0.0.1"


def _by_service(service: Json, connection: Json) -> list[Gap]:
    where = f"service {service['serviceName']}"
    gaps = list(_without_use(where, service, _SERVICE))
    gaps += _without_use(where, service.get("deploymentConfiguration") or {}, _DEPLOYMENT_CONFIGURATION)
    network = (service.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
    gaps += _without_use(where, {name: value for name, value in network.items() if value != "DISABLED"}, {"subnets"})
    gaps += _without_use(f"{where}, Service Connect", connection, _SERVICE_CONNECT)
    served: list[str] = []
    for entry in connection.get("services", []):
        port = f"{where}, Service Connect port {entry['portName']}"
        gaps += _without_use(port, entry, _SERVICE_CONNECT_SERVICE)
        if entry["portName"] not in served and served:
            gaps.append(Gap(port, "", f"one port of a task is served, {served[0]}"))
        served.append(entry["portName"])
    return gaps


def _without_use(where: str, structure: Json, heeded: Iterable[str]) -> Iterator[Gap]:
    """The members of *structure* that have a value and are not *heeded*."""
    for name, value in structure.items():
        if name not in heeded and value not in (None, False, 0, "", [], {}):
            yield Gap(where, name, _REASONS.get(name, NO_USE))
