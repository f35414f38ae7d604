"""What RegisterTaskDefinition, RunTask, CreateService and UpdateService refuse: documented limits, a row each.

Sources, if a row names no other: the ECS API reference of the member
(https://docs.aws.amazon.com/AmazonECS/latest/APIReference/). How the errors are worded is assumed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from twin.aws.ecs.errors import ClientException, InvalidParameterException

__all__ = ["FARGATE_SIZES", "check_overrides", "check_service", "check_task_definition", "is_possible", "units"]

Json = Mapping[str, Any]
Faults = Iterator[str]

_GIB = 1024
# MiB of memory by CPU units: developer guide, "Fargate task definition differences", task CPU and memory.
FARGATE_SIZES: Mapping[int, range | tuple[int, ...]] = {
    256: (512, 1 * _GIB, 2 * _GIB),
    512: range(1 * _GIB, 4 * _GIB + 1, _GIB),
    1024: range(2 * _GIB, 8 * _GIB + 1, _GIB),
    2048: range(4 * _GIB, 16 * _GIB + 1, _GIB),
    4096: range(8 * _GIB, 30 * _GIB + 1, _GIB),
    8192: range(16 * _GIB, 60 * _GIB + 1, 4 * _GIB),
    16384: range(32 * _GIB, 120 * _GIB + 1, 8 * _GIB),
}
_MOST = 2**31 - 1  # of an integer
_LARGEST = 64 * 1024  # developer guide, service quotas: task definition size
_LARGEST_OVERRIDES = 8192  # RunTask, overrides
_CONTAINER_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_PORT_NAME = re.compile(r"[a-z0-9_][a-z0-9_-]{0,63}")
_ALIAS = re.compile(r"[a-z0-9_.][a-z0-9_.-]{0,126}")
_UNITS = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(vcpu|gb)?\s*", re.IGNORECASE)

# Numbers: where they are (a name after `[]` is a list's), the least and the most.
_CONTAINER_NUMBERS = (
    ("startTimeout", 2, 120),  # on Fargate
    ("stopTimeout", 2, 120),  # on Fargate
    ("healthCheck.interval", 5, 300),
    ("healthCheck.timeout", 2, 60),
    ("healthCheck.retries", 1, 10),
    ("healthCheck.startPeriod", 0, 300),
    ("portMappings[].containerPort", 1, 65_535),
)
# What Fargate, and the network mode awsvpc, do not support; in a container where the path says so.
_NOT_ON_FARGATE = (
    *("containerDefinitions[].dockerSecurityOptions[]", "containerDefinitions[].privileged"),
    *(
        f"containerDefinitions[].linuxParameters.{name}"
        for name in ("devices[]", "maxSwap", "sharedMemorySize", "swappiness")
    ),
    *("ipcMode", "placementConstraints[]", "volumes[].dockerVolumeConfiguration", "volumes[].host.sourcePath"),
)
_NOT_WITH_AWSVPC = tuple(f"containerDefinitions[].{name}" for name in ("extraHosts[]", "hostname", "links[]"))
_SERVICE_NUMBERS = (
    ("deploymentConfiguration.minimumHealthyPercent", 0, 100),
    ("deploymentConfiguration.maximumPercent", 100, _MOST),  # no upper limit is documented
    ("deploymentConfiguration.bakeTimeInMinutes", 0, _MOST),
    ("deploymentConfiguration.deploymentCircuitBreaker.thresholdConfiguration.value", 1, _MOST),
    ("healthCheckGracePeriodSeconds", 0, _MOST),
    ("serviceConnectConfiguration.services[].ingressPortOverride", 1, 65_535),
    ("serviceConnectConfiguration.services[].clientAliases[].port", 1, 65_535),
    ("capacityProviderStrategy[].base", 0, 100_000),
    ("capacityProviderStrategy[].weight", 0, 1000),
)


def check_task_definition(request: Json) -> None:
    """Refuse a RegisterTaskDefinition request that is beyond a limit.

    Raises:
        ClientException: it is; the text says which.
    """
    for rule in _TASK_DEFINITION:
        for fault in rule(request):
            raise ClientException(fault)


def check_overrides(overrides: Json) -> None:
    """Refuse a RunTask request's `overrides` that are beyond a limit.

    Raises:
        InvalidParameterException: they are; the text says which.
    """
    if (size := _length(overrides)) > _LARGEST_OVERRIDES:
        raise InvalidParameterException(f"Overrides can have at most {_LARGEST_OVERRIDES} characters, not {size}.")
    for override in overrides.get("containerOverrides", []):
        for fault in _process(override):
            raise InvalidParameterException(fault)


def check_service(request: Json, definition: Json, target_groups: Mapping[str, str]) -> None:
    """Refuse a service that is beyond a limit.

    Args:
        request: CreateService's members, with those of later updates.
        definition: RegisterTaskDefinition's members, of the tasks.
        target_groups: the target types of those that are there, by ARN.

    Raises:
        InvalidParameterException: it is; the text says which.
    """
    for fault in _service_faults(request, definition, target_groups):
        raise InvalidParameterException(fault)


def _has_containers(request: Json) -> Faults:
    containers = request["containerDefinitions"]
    if not containers:
        yield "Container list cannot be empty."
    elif len(containers) > 10:  # developer guide, service quotas
        yield f"A task definition can have at most 10 containers, not {len(containers)}."


def _names(request: Json) -> Faults:
    names = []
    for container in request["containerDefinitions"]:
        for member in ("name", "image"):
            if not container.get(member):
                yield f"Container.{member} should not be null or empty."
        if len(container["image"].partition("@")[0]) > 255:
            yield f"The image of container {container['name']} must have at most 255 characters."
        if not _CONTAINER_NAME.fullmatch(container["name"]):
            yield f"The container name {container['name']!r} must be 1 to 255 letters, digits, hyphens and underscores."
        names.append(container["name"])
    if len(set(names)) < len(names):
        yield "Container names must be unique within a task definition."


def _essential(request: Json) -> Faults:
    if not any(container.get("essential", True) for container in request["containerDefinitions"]):
        yield "At least one container must be essential."


def _fargate(request: Json) -> Faults:
    if "FARGATE" not in request.get("requiresCompatibilities", []):
        return
    if request.get("networkMode") != "awsvpc":
        yield "Fargate only supports network mode 'awsvpc'."
    if not request.get("cpu") or not request.get("memory"):
        yield "Fargate requires that 'cpu' and 'memory' be defined at the task level."
    cpu, memory = units(request["cpu"]), units(request["memory"])
    if memory not in FARGATE_SIZES.get(cpu or 0, ()):
        yield (
            f"No Fargate configuration exists for given values: {request['cpu']} CPU, {request['memory']} memory."
            " See the Amazon ECS documentation for the valid values."
        )


def _unsupported(request: Json) -> Faults:
    fargate = "FARGATE" in request.get("requiresCompatibilities", [])
    awsvpc = request.get("networkMode") == "awsvpc"
    paths = (*(_NOT_ON_FARGATE if fargate else ()), *(_NOT_WITH_AWSVPC if awsvpc else ()))
    for path in paths:
        if any(_all([request], path)):
            yield f"{path.rpartition('.')[2].removesuffix('[]')} is not supported on Fargate and in awsvpc mode."
    if fargate and request.get("pidMode") not in (None, "", "task"):
        yield f"The only pidMode on Fargate is task, not {request['pidMode']}."
    added = set(_all(request["containerDefinitions"], "linuxParameters.capabilities.add[]"))
    if fargate and (others := sorted(added - {"SYS_PTRACE"})):
        yield f"The only capability that can be added on Fargate is SYS_PTRACE, not {', '.join(others)}."


def _reserved(request: Json) -> Faults:
    """What the containers reserve of the task's own. That it may be all of it is assumed: documented is "lower"."""
    containers = request["containerDefinitions"]
    cpu = sum(container.get("cpu", 0) for container in containers)
    memory = sum(container.get("memoryReservation", container.get("memory", 0)) for container in containers)
    for member, reserved in (("cpu", cpu), ("memory", memory)):
        whole = units(request.get(member) or "")
        if whole is not None and reserved > whole:
            yield f"The containers reserve {reserved} of {member} together, and the task has {whole}."
    for container in containers:
        hard, soft = container.get("memory"), container.get("memoryReservation")
        if hard is not None and soft is not None and hard < soft:
            yield f"Container {container['name']}: memory must be greater than memoryReservation."


def units(text: str) -> int | None:
    """CPU units or MiB in *text*, such as `256`, `.25 vCPU` or `0.5 GB`; None if it is neither."""
    match = _UNITS.fullmatch(f"0{text.strip()}" if text.strip().startswith(".") else text)
    if match is None:
        return None
    return round(float(match[1]) * (_GIB if match[2] else 1))


def _container_numbers(request: Json) -> Faults:
    for container in request["containerDefinitions"]:
        yield from _out_of_range(f"Container {container['name']}: ", container, _CONTAINER_NUMBERS)


def _ports(request: Json) -> Faults:
    names: list[str] = []
    for port in _all(request["containerDefinitions"], "portMappings[]"):
        if "containerPort" not in port and "containerPortRange" not in port:
            yield "A port mapping must have a containerPort."
        own = port.get("hostPort") or port.get("containerPort")
        if request.get("networkMode") == "awsvpc" and own != port.get("containerPort"):
            yield "When networkMode=awsvpc, the host ports and container ports in port mappings must match."
        if "name" in port and not _PORT_NAME.fullmatch(port["name"]):
            yield (
                f"The port name {port['name']!r} must be 1 to 64 lowercase letters, digits, underscores and hyphens, "
                "and not start with a hyphen."
            )
        names += [port["name"]] if "name" in port else []
    if len(set(names)) < len(names):
        yield "Port mapping names must be unique within a task definition."


def _health_checks(request: Json) -> Faults:
    for container in request["containerDefinitions"]:
        command = (container.get("healthCheck") or {"command": ["NONE"]})["command"]
        if command[:1] != ["NONE"] and (command[:1] not in (["CMD"], ["CMD-SHELL"]) or len(command) < 2):
            yield f"Container {container['name']}: a health check's command is NONE, or begins with CMD or CMD-SHELL."


def _size(request: Json) -> Faults:
    if (size := _length(request)) > _LARGEST:
        yield f"A task definition can have at most {_LARGEST} characters as JSON, not {size}."


def _length(request: Json) -> int:
    return len(json.dumps(request, ensure_ascii=False, separators=(",", ":")))


def _processes(request: Json) -> Faults:
    for container in request["containerDefinitions"]:
        yield from _process(container)
        files = [file["value"] for file in container.get("environmentFiles", [])]
        if len(files) > 10 or not all(file.endswith(".env") for file in files):
            yield f"Container {container['name']}: environmentFiles can have at most 10 items, which end with .env."


def _process(container: Json) -> Faults:
    """What no process can have of a container's, or its override's, words and environment."""
    whose = f"Container {container['name']}"
    variables = container.get("environment", [])
    for name in (entry.get("name") for entry in [*variables, *container.get("secrets", [])]):
        if not is_possible(name) or not name or "=" in name:
            yield f"{whose}: {name!r} is no name of an environment variable."
    for entry in variables:
        if not is_possible(entry.get("value")):
            name = entry["name"]
            yield f"{whose}: the environment variable {name} must have a text without NUL, of whole characters."
    for path in ("command[]", "entryPoint[]", "healthCheck.command[]"):
        if not all(map(is_possible, _all([container], path))):
            yield f"{whose}: {path.removesuffix('[]')} must have words without NUL, of whole characters."


def is_possible(text: object) -> bool:
    """Whether *text* is one that a process can have, as a word or in its environment."""
    return isinstance(text, str) and "\0" not in text and not any("\ud800" <= each <= "\udfff" for each in text)


def _dependencies(request: Json) -> Faults:
    containers = {container["name"]: container for container in request["containerDefinitions"]}
    needs = {name: [d["containerName"] for d in c.get("dependsOn", [])] for name, c in containers.items()}
    for name, container in containers.items():
        for dependency in container.get("dependsOn", []):
            other, condition = dependency["containerName"], dependency["condition"]
            if other not in containers:
                yield f"Container {name} depends on {other}, which is not in the task definition."
            elif condition == "HEALTHY" and not containers[other].get("healthCheck"):
                yield f"Container {name} depends on {other} being HEALTHY, which has no health check."
            elif condition in ("COMPLETE", "SUCCESS") and containers[other].get("essential", True):
                yield f"Container {name} depends on the {condition} of {other}, which is essential."
        if name in _reached(needs, name):
            yield f"Container {name} depends on itself."


def _reached(needs: Mapping[str, Iterable[str]], start: str) -> set[str]:
    found: set[str] = set()
    open_ = list(needs[start])
    while open_:
        if (name := open_.pop()) not in found:
            found.add(name)
            open_ += needs.get(name, [])
    return found


def _volumes(request: Json) -> Faults:
    known = {volume.get("name") for volume in request.get("volumes", [])}
    for point in _all(request["containerDefinitions"], "mountPoints[]"):
        if point.get("sourceVolume") not in known:
            yield f"Unknown volume '{point.get('sourceVolume')}'."


def _storage(request: Json) -> Faults:
    yield from _out_of_range("", request, [("ephemeralStorage.sizeInGiB", 21, 200)])


_TASK_DEFINITION: tuple[Callable[[Json], Faults], ...] = (
    *(_has_containers, _names, _essential, _fargate, _unsupported, _container_numbers, _reserved, _ports),
    *(_size, _health_checks, _processes, _dependencies, _volumes, _storage),
)


def _service_faults(request: Json, definition: Json, target_groups: Mapping[str, str]) -> Faults:
    yield from _out_of_range("", request, _SERVICE_NUMBERS)
    percents = request.get("deploymentConfiguration") or {}
    if (percents.get("minimumHealthyPercent", 100), percents.get("maximumPercent", 200)) == (100, 100):
        yield "Both maximumPercent and minimumHealthyPercent cannot be 100: no deployment could start or stop a task."
    if request.get("availabilityZoneRebalancing") == "ENABLED" and percents.get("maximumPercent", 200) <= 100:
        yield "Availability Zone Rebalancing does not support maximumPercent <= 100 % as deployment configuration."
    network = (request.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
    for member, most in (("subnets", 16), ("securityGroups", 5)):
        if len(network.get(member, [])) > most:
            yield f"{member} can have at most {most} items."
    yield from _strategy(request.get("capacityProviderStrategy") or [])
    if request.get("role"):
        yield "You cannot specify an IAM role for services that require a service linked role."
    yield from _load_balancers(request, definition, target_groups)
    yield from _service_connect(request, definition)


def _strategy(strategy: Collection[Json]) -> Faults:
    if len(strategy) > 20:
        yield f"A capacity provider strategy can have at most 20 capacity providers, not {len(strategy)}."
    if sum(item.get("base", 0) > 0 for item in strategy) > 1:
        yield "Only one capacity provider of a strategy can have a base."
    if len(strategy) > 1 and not any(item.get("weight", 0) for item in strategy):
        yield "At least one capacity provider of a strategy must have a weight above 0."


def _load_balancers(request: Json, definition: Json, target_groups: Mapping[str, str]) -> Faults:
    containers = {container["name"]: container for container in definition["containerDefinitions"]}
    for balancer in request.get("loadBalancers", []):
        group, name, port = (balancer.get(member) for member in ("targetGroupArn", "containerName", "containerPort"))
        if group is not None and group not in target_groups:
            yield f"The target group {group} does not exist."
        elif group is not None and target_groups[group] != "ip":
            yield (
                f"The target group {group} has the target type {target_groups[group]}, which is incompatible with the "
                "awsvpc network mode: it must be ip."
            )
        if name not in containers:
            yield f"The container {name} does not exist in the task definition."
        elif port not in {mapping.get("containerPort") for mapping in containers[name].get("portMappings", [])}:
            yield f"The container {name} did not have a container port {port} defined."


def _service_connect(request: Json, definition: Json) -> Faults:
    configuration = request.get("serviceConnectConfiguration") or {}
    if not configuration.get("enabled"):
        return
    ports = {
        port["name"]: port for port in _all(definition["containerDefinitions"], "portMappings[]") if "name" in port
    }
    for entry in configuration.get("services", []):
        port = ports.get(entry["portName"])
        if port is None:
            yield f"Service Connect portName {entry['portName']!r} is no named port of the task definition."
            continue
        if len(entry.get("clientAliases", [])) != 1:  # provider issue 44027
            yield f"Service Connect port {entry['portName']}: clientAliases must have 1 element."
        for name in _all(entry.get("clientAliases", []), "dnsName"):
            if not _ALIAS.fullmatch(name):
                yield (
                    f"The dnsName {name!r} must be 1 to 127 lowercase letters, digits, underscores, hyphens and "
                    "periods, and not start with a hyphen."
                )
        limit = (entry.get("timeout") or {}).get("perRequestTimeoutSeconds")
        if limit is not None and "appProtocol" not in port:  # provider issue 38432
            yield f"Service Connect port {entry['portName']}: perRequestTimeout needs an appProtocol, and it is TCP."


def _out_of_range(where: str, structure: Json, limits: Iterable[tuple[str, int, int]]) -> Faults:
    for path, least, most in limits:
        name = ".".join(path.replace("[]", "").split(".")[-2:])
        for value in _all([structure], path):
            if not least <= value <= most:
                yield f"{where}{name} must be between {least} and {most}, is {value}."


def _all(structures: Iterable[Json], path: str) -> Iterator[Any]:
    """The values at *path* in each of *structures* that has one."""
    name, _, rest = path.partition(".")
    for structure in structures:
        value = structure.get(name.removesuffix("[]"))
        if value is None:
            continue
        values = value if name.endswith("[]") else [value]
        yield from _all(values, rest) if rest else values
