"""The twin's gateway: requests through it, and through an Envoy that only proxies, before the same tasks."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.client import requests_per_second
from benchmarks.figure import Figure, Goal, measure
from benchmarks.processes import RunningTwin, served, twin
from benchmarks.stacks import unthrottled
from twin.aws.client import Aws
from twin.envoy import configuration as envoy
from twin.machine.addresses import Address, free_port
from twin.machine.process import require
from twin.machine.state import StateFolder

TURN = 2.0  # seconds
TURNS = 12


def gateway() -> Iterator[Figure]:
    """Two services with the client proxies of Service Connect; the tasks and the machine are the same.

    The gateway also matches routes, throttles, limits payloads and headers, adds API Gateway's headers, tries a failed
    connect again and writes the access log.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        synth = unthrottled(folder / "cdk.tf.json")
        running = stack.enter_context(twin("--synth", str(synth), "--programs", "examples/services/twin.toml"))
        command, url = bare_envoy(folder, addresses(running))
        stack.enter_context(served(command, f"{url}/hostname"))
        variants = {"gateway": running.gateway_url, "bare": url}
        found = measure({name: partial(requests_per_second, of, TURN) for name, of in variants.items()}, turns=TURNS)
    yield Figure(
        "gateway",
        "the twin's gateway, with client proxies",
        "a plain Envoy before the same tasks",
        "requests/s",
        "more",
        tuple(found["gateway"]),
        tuple(found["bare"]),
        Goal("ratio", 0.97),
    )


def addresses(running: RunningTwin) -> list[Address]:
    """Where the tasks' sidecars listen, as Cloud Map gives it."""
    outputs = running.outputs
    aws = Aws(outputs["aws_endpoint_url"], outputs["region"], StateFolder(running.state).running()["credentials"])
    found = aws.call(
        "servicediscovery",
        "DiscoverInstances",
        NamespaceName=outputs["namespace_name"],
        ServiceName=outputs["discovery_name"],
    )["Instances"]
    attributes = [instance["Attributes"] for instance in found]
    return [Address(each["AWS_INSTANCE_IPV4"], int(each["AWS_INSTANCE_PORT"])) for each in attributes]


def bare_envoy(folder: Path, tasks: list[Address]) -> tuple[list[str], str]:
    """The command of an Envoy with a listener, a route and a cluster, nothing else; and its URL."""
    here = Address("127.0.0.1", free_port())
    route = {"match": {"prefix": "/"}, "route": {"cluster": "tasks"}}
    hosts = {"virtual_hosts": [{"name": "tasks", "domains": ["*"], "routes": [route]}]}
    static = {
        "listeners": [envoy.listener("bare", here, {"route_config": hosts}, idle_timeout=300)],
        "clusters": [envoy.static_cluster("tasks", tasks, idle_timeout=60)],
    }
    admin = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}}
    configuration = folder / "bare.json"
    configuration.write_text(json.dumps({"admin": admin, "static_resources": static}))
    command = envoy.command(require("envoy", "run `make install`."), configuration, folder / "bare.admin")
    return [*command], f"http://{here}"
