"""What the twin does where AWS documents nothing, or documents a number: one named parameter each.

A parameter marked *assumed* stands for a behaviour of AWS for which no statement was found. Sources:
[ecs] Amazon ECS developer guide, [sc-agent] github aws/amazon-ecs-service-connect-agent,
[CR n] github aws/containers-roadmap issue n.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from twin.errors import BadInput

__all__ = ["Balancing", "Parameters"]


class Balancing(StrEnum):
    """How the gateway picks an instance for a request."""

    RANDOM = "random"
    ROUND_ROBIN = "round-robin"
    LEAST_REQUEST = "least-request"


@dataclass(frozen=True)
class Parameters:
    """All parameters of a twin, checked when made.

    Gateway:
        balancing: how an instance is picked. Assumed: no algorithm is documented.
        front_ends: number of independent balancer states behind one URL, with one cached list of tasks. Assumed;
            the default shows one list expire. `lab costs` assumes more, for it prices each list's refreshes.
        discovery_ttl: seconds for which an answer of DiscoverInstances is used. Assumed: that it is cached is
            the complaint of [CR 1639]. 0: endpoints are replaced before a task's drain begins.
        connect_retries: how often a refused connection is tried on another instance. Assumed: no client error was
            seen when a task was stopped by hand.
        reuse_connections: whether connections to tasks are kept open between requests. Assumed.
        timeout_status: of the answer when an integration has taken too long, 504 or 503. Assumed: AWS's page on 504
            names the timeout, and a captured answer over a VPC link was 503 (cortex issue 1225).

    ECS:
        deregistration_delay: seconds between deregistration and the stop of a task. Assumed: 0, nothing waits,
            which is the complaint of [CR 1639].
        stop_timeout: seconds between SIGTERM and SIGKILL where the task definition does not say: 30 [ecs].
        registration_wait: seconds after its start for which a task that does not listen yet is held back from
            registration. Assumed: what ECS takes between the start of a container and its registration; beyond it
            a task gets traffic whether it is ready or not [CR 2334].
        proxy_idle_timeout: seconds after which the proxy closes an unused connection to the application. Assumed: 300,
            Service Connect's default for HTTP, of which it is not said that it holds on this side too. An application
            that closes earlier loses a request now and then.
        proxy_drain: seconds that the proxy serves on after the application has stopped: 20 [sc-agent].
        proxy_restarts: how often a crashed proxy is started anew before the task fails: 3 [sc-agent].
        running_grace: seconds in RUNNING after which a task without a health check counts as healthy: 40 [ecs].
        alarm_bake: seconds for which a deployment that has settled is still watched by its alarms. ECS computes its own
            from the alarms, which is some minutes; assumed: how. 0: it is complete as soon as it has settled, and no
            alarm's state is computed.
        scaling_period: seconds for which a minute counts when policies scale: that of their metrics, evaluation periods
            and cooldowns. The twin's own; AWS has 60. Shorter ones are for trying, at the same rate of requests.
        namespace_cleanup: seconds until the Cloud Map service of a deleted ECS service is removed. Assumed.

    Client side of Service Connect, of tasks that start later:
        client_retries: how often a connection that failed is tried on another task: 2 [ecs]. Assumed: a request of
            which nothing has reached the task is too.
        ejection_failures: failures after which a task gets no more requests of a client: 5 [ecs]. Assumed: in a row,
            and answers of 502, 503 and 504 count.
        ejection_time: seconds for which it gets none, the first time; each time as much more, up to 300: 30 [ecs].
        ejection_percent: of a service's tasks, how many may be out at a time; one always may. Assumed.
        endpoint_propagation: seconds until client proxies know of a task that has come or gone. Assumed: "immediately"
            [ecs].
        hosts_files: whether each task has names in a hosts file of its own, where the machine allows it.

    Raises:
        BadInput: a number out of its range.
    """

    balancing: Balancing = Balancing.RANDOM
    front_ends: int = 1
    discovery_ttl: float = 5.0
    connect_retries: int = 1
    reuse_connections: bool = True
    timeout_status: int = 504

    deregistration_delay: float = 0.0
    stop_timeout: float = 30.0
    registration_wait: float = 5.0
    proxy_idle_timeout: float = 300.0
    proxy_drain: float = 20.0
    proxy_restarts: int = 3
    running_grace: float = 40.0
    alarm_bake: float = 0.0
    scaling_period: float = 60.0
    namespace_cleanup: float = 10.0

    client_retries: int = 2
    ejection_failures: int = 5
    ejection_time: float = 30.0
    ejection_percent: int = 50
    endpoint_propagation: float = 1.0
    hosts_files: bool = True

    def __post_init__(self) -> None:
        if self.timeout_status not in (503, 504):
            raise BadInput(f"timeout-status={self.timeout_status} is none that is known: give 503 or 504")
        for field in fields(self):
            value = getattr(self, field.name)
            least, most = _RANGES.get(field.name, (0, 3600))
            if isinstance(value, int | float) and not least <= value <= most:
                name = field.name.replace("_", "-")
                raise BadInput(f"{name}={value:g} is out of range: give a number from {least} to {most}")

    def changed(self, assignments: Iterable[str]) -> Parameters:
        """These parameters with some set anew, each as `name=value`, such as `discovery-ttl=0`.

        Raises:
            BadInput: an unknown name, or a value that is none for it.
        """
        changes: dict[str, Any] = {}
        for assignment in assignments:
            name, equals, text = assignment.partition("=")
            before = getattr(self, name.replace("-", "_"), None) if name.replace("-", "_") in _NAMES else None
            if before is None or not equals:
                known = ", ".join(name.replace("_", "-") for name in _NAMES)
                raise BadInput(f"{assignment!r} sets no parameter: give NAME=VALUE, with one of {known}.")
            try:
                changes[name.replace("-", "_")] = _parse(text, before)
            except (KeyError, ValueError):
                raise BadInput(f"{assignment}: {text!r} is no value for {name}; give {_form(before)}.") from None
        return replace(self, **changes)


_NAMES = tuple(field.name for field in fields(Parameters))
_RANGES = {
    "scaling_period": (1, 60),
    "front_ends": (1, 3600),
    "ejection_failures": (1, 3600),
    "ejection_time": (1, 3600),
    "ejection_percent": (0, 100),
}
_SWITCH = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}


def _parse(text: str, before: Any) -> Any:
    """*text* as a value of the same kind as *before*."""
    return _SWITCH[text.lower()] if isinstance(before, bool) else type(before)(text)


def _form(before: Any) -> str:
    match before:
        case bool():
            return "on or off"
        case Balancing():
            return f"one of {', '.join(Balancing)}"
        case int():
            return "a whole number"
    return "a number"
