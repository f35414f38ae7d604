"""Service discovery of a service: the services of Cloud Map, made by others, in which ECS registers its tasks.

Sources: API reference, ServiceRegistry and CreateService; developer guide, "Use service discovery". Assumed: how the
errors are worded, and that a port that is given is registered whatever DNS records the Cloud Map service has.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

__all__ = ["port_of", "registry_faults"]

Json = Mapping[str, Any]


def registry_faults(
    registries: Sequence[Json], containers: Sequence[Json], record_types: Callable[[str], Collection[str] | None]
) -> Iterator[str]:
    """Why a service cannot have *registries*.

    Args:
        containers: the definitions of its tasks' containers.
        record_types: the types of the DNS records of the Cloud Map service with an ARN; None if there is none.
    """
    if len(registries) > 1:
        yield "Only one service registry may be specified."
    for registry in registries:
        arn = registry.get("registryArn", "")
        types = record_types(arn)
        if types is None:
            yield f"The service registry {arn} does not exist."
            continue
        name, port = registry.get("containerName"), registry.get("containerPort")
        if (name is None) is not (port is None):
            yield f"The service registry {arn} needs both containerName and containerPort, or neither."
        elif name is not None and "port" in registry:
            yield f"The service registry {arn} has a port, and containerName with containerPort: give one of the two."
        elif name is not None and port not in _ports(containers, name):
            yield f"The container {name} did not have a container port {port} defined."
        elif "SRV" in types and port_of(registry) is None:
            yield f"The service registry {arn} has SRV records: give containerName and containerPort, or a port."


def port_of(registry: Json) -> int | None:
    """The port that is registered; None: the address alone is, as for A records."""
    port = registry.get("containerPort", registry.get("port"))
    return None if port is None else int(port)


def _ports(containers: Sequence[Json], name: str) -> set[int]:
    named = (container for container in containers if container["name"] == name)
    return {mapping["containerPort"] for container in named for mapping in container.get("portMappings", [])}
