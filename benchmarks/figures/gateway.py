"""The twin's gateway: requests through it, and through an Envoy that only proxies, before the same tasks."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Generator, Iterator
from functools import partial
from pathlib import Path

from benchmarks.client import requests_per_second
from benchmarks.figure import Figure, Goal, measure
from benchmarks.processes import RunningTwin, answers, commands_under, cpu, served, twin, wait_until
from benchmarks.stacks import unthrottled
from twin.aws.client import Aws
from twin.envoy import configuration as envoy
from twin.envoy.upstream import Upstream
from twin.machine.addresses import Address, free_port
from twin.machine.process import envoy_program
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
        running = stack.enter_context(_unthrottled_twin())
        second_api(running)
        command, url = bare_envoy(folder, addresses(running))
        stack.enter_context(served(command, f"{url}/hostname"))
        variants = {"gateway": running.gateway_url, "bare": url}
        found = measure({name: partial(requests_per_second, of, TURN) for name, of in variants.items()}, turns=TURNS)
    yield Figure(
        "gateway",
        "the twin's gateway, with two APIs and client proxies",
        "a plain Envoy before the same tasks",
        "requests/s",
        "more",
        tuple(found["gateway"]),
        tuple(found["bare"]),
        Goal("ratio", 0.97),
    )


def request() -> Iterator[Figure]:
    """Where the time of the processors goes: to a request in all, in tasks, in applications alone."""
    with _unthrottled_twin() as running:
        found = measure({"parts": partial(_parts, running)}, turns=TURNS)["parts"]
    whole, task, application = zip(*found, strict=True)
    for name, what, ours, against, theirs in (
        ("request-task", "a request in its task, application and proxy", task, "the application's part", application),
        ("request-twin", "a request in gateway and task", whole, "the task's part", task),
    ):
        yield Figure(name, what, against, "us of a processor", "less", ours, theirs)


@contextlib.contextmanager
def _unthrottled_twin() -> Generator[RunningTwin]:
    """Two services, one of which calls the other."""
    with tempfile.TemporaryDirectory() as folder:
        synth = unthrottled(Path(folder, "cdk.tf.json"))
        with twin("--synth", str(synth), "--programs", "examples/services/twin.toml") as running:
            yield running


def _parts(running: RunningTwin) -> tuple[float, float, float]:
    """Microseconds of the processors for a request: in all that serves it, in tasks, in applications."""
    commands = commands_under(running.pid)
    applications = [pid for pid, command in commands.items() if command[-2:] == ["-m", "app"]]
    proxies = [pid for pid, command in commands.items() if any(part.endswith("proxy.json") for part in command)]
    fronts = [pid for pid, command in commands.items() if any("/gateway/" in part for part in command)]
    groups = ([*applications, *proxies, *fronts], [*applications, *proxies], applications)
    before = [sum(map(cpu, group)) for group in groups]
    requests = requests_per_second(running.gateway_url, TURN) * TURN
    whole, task, application = (sum(map(cpu, group)) - used for group, used in zip(groups, before, strict=True))
    return whole / requests * 1e6, task / requests * 1e6, application / requests * 1e6


def second_api(running: RunningTwin) -> None:
    """Another API before the same service; to return when it serves."""
    call = partial(_aws(running).call, "apigatewayv2")
    first = call("GetApis")["Items"][0]["ApiId"]
    integration = call("GetIntegrations", ApiId=first)["Items"][0]
    made = call("CreateApi", Name="second", ProtocolType="HTTP")
    names = ("IntegrationType", "IntegrationMethod", "IntegrationUri", "ConnectionType", "ConnectionId")
    same = {name: integration[name] for name in (*names, "PayloadFormatVersion")}
    target = call("CreateIntegration", ApiId=made["ApiId"], **same)["IntegrationId"]
    call("CreateRoute", ApiId=made["ApiId"], RouteKey="GET /hostname", Target=f"integrations/{target}")
    call("CreateStage", ApiId=made["ApiId"], StageName="$default", AutoDeploy=True)
    wait_until(partial(answers, f"{made['ApiEndpoint']}/hostname"), "the second API")


def _aws(running: RunningTwin) -> Aws:
    outputs = running.outputs
    return Aws(outputs["aws_endpoint_url"], outputs["region"], StateFolder(running.state).running()["credentials"])


def addresses(running: RunningTwin) -> list[Address]:
    """Where the tasks' sidecars listen, as Cloud Map gives it."""
    found = _aws(running).call(
        "servicediscovery",
        "DiscoverInstances",
        NamespaceName=running.outputs["namespace_name"],
        ServiceName=running.outputs["discovery_name"],
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
        "clusters": [Upstream("tasks", tasks).cluster()],
    }
    admin = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}}
    configuration = folder / "bare.json"
    configuration.write_text(json.dumps({"admin": admin, "static_resources": static}))
    command = envoy.command(envoy_program(), configuration, folder / "bare.admin")
    return [*command], f"http://{here}"
