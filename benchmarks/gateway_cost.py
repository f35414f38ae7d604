"""What the twin's gateway costs: requests per second through it, and through an Envoy that only proxies, by turns.

    python -m benchmarks.gateway_cost [--seconds 60]

Both stand before the same three tasks, each with its sidecar, on the same two cores, and get the same load in turns of
two seconds: 16 connections, each with one request at a time. The gateway also matches routes, throttles, limits
payloads and headers, adds API Gateway's headers, tries a failed connect again and writes the access log.
The claim: it leaves at least 90 % of the requests per second. Run it after `make synth`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from tests.twin.aws.ecs.load import Load
from twin.aws.client import Aws
from twin.credentials import Credentials
from twin.envoy import configuration as envoy
from twin.machine.addresses import Address, free_port
from twin.machine.process import require
from twin.machine.state import StateFolder

ROOT = Path(__file__).parents[1]
CONNECTIONS = 16
TURN = 2.0  # seconds


def main() -> None:
    """Measure and print both and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        ports = ["--port", str(free_port()), "--aws-port", str(free_port())]
        twin = subprocess.Popen(
            [sys.executable, "-c", "from twin.cli import main; main()", "up", "--state", str(state), *ports],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )
        try:
            outputs = wait_for_outputs(twin, state / "outputs.json")
            bare, url = start_bare_envoy(Path(folder), addresses(outputs, StateFolder(state).running()["credentials"]))
            try:
                compare(
                    {"an Envoy that only proxies": url, "the twin's gateway": outputs["gateway_url"]}, options.seconds
                )
            finally:
                bare.terminate()
                bare.wait()
        finally:
            twin.send_signal(signal.SIGTERM)
            twin.wait()


def wait_for_outputs(twin: subprocess.Popen[bytes], file: Path) -> dict[str, str]:
    """The twin's outputs, once it serves."""
    while not file.exists():
        if twin.poll() is not None:
            sys.exit("The twin did not start: see above.")
        time.sleep(0.1)
    outputs: dict[str, str] = next(iter(json.loads(file.read_text()).values()))
    return outputs


def addresses(outputs: dict[str, str], credentials: Credentials) -> list[Address]:
    """Where the tasks' sidecars listen, as Cloud Map tells it."""
    found = Aws(outputs["aws_endpoint_url"], outputs["region"], credentials).call(
        "servicediscovery",
        "DiscoverInstances",
        NamespaceName=outputs["namespace_name"],
        ServiceName=outputs["discovery_name"],
    )["Instances"]
    attributes = [instance["Attributes"] for instance in found]
    return [Address(each["AWS_INSTANCE_IPV4"], int(each["AWS_INSTANCE_PORT"])) for each in attributes]


def start_bare_envoy(folder: Path, tasks: list[Address]) -> tuple[subprocess.Popen[bytes], str]:
    """A listener, a route and a cluster: nothing else."""
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
    binary = require("envoy", "run `make install`.")
    process = subprocess.Popen(envoy.command(binary, configuration, folder / "bare.admin"), stderr=subprocess.DEVNULL)
    while True:
        try:
            httpx.get(f"http://{here}/hostname")
            return process, f"http://{here}"
        except httpx.TransportError:
            if process.poll() is not None:
                sys.exit("Envoy did not start.")
            time.sleep(0.05)


def compare(urls: dict[str, str], seconds: int) -> None:
    """Load each in turn, the first turns uncounted, and print the medians."""
    rates: dict[str, list[float]] = {name: [] for name in urls}
    for turn in range(1 + max(3, round(seconds / TURN / len(urls)))):
        for name, url in urls.items():
            with Load(url, CONNECTIONS) as load:
                began = time.perf_counter()
                time.sleep(TURN)
                rate = load.requests / (time.perf_counter() - began)
            if load.failures:
                sys.exit(f"{name}: {load.failures[0]}")
            if turn:
                rates[name].append(rate)
    for name, measured in rates.items():
        print(f"{name}: {statistics.median(measured):,.0f} requests/s ({min(measured):,.0f} to {max(measured):,.0f})")
    bare, ours = rates.values()
    ratio = statistics.median(b / a for a, b in zip(bare, ours, strict=True))
    print(f"ratio: {ratio:.2f} (claim: at least 0.90), {os.cpu_count()} cores, {len(ours)} turns each")


if __name__ == "__main__":
    main()
