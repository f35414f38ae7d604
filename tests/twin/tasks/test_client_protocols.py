"""Protocols and timeouts through client proxies, and what CloudWatch counts of it: real Envoys, clients as they are."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.twin.aws.ecs.conftest import run_aws
from tests.twin.running import TwinFactory, wait_until
from tests.twin.tasks.mesh import Mesh, start_mesh
from tests.twin.tasks.test_client_proxies import require_hosts_files, twin
from twin.tasks.traffic import INTERVAL

pytestmark = pytest.mark.timeout(300)
COUNTED = 60.0  # seconds: a proxy reports every 15 s, on a machine that may have much else to do
IDLE = 1  # seconds

# One call of gRPC as its protocol has it: a frame there, a frame and a status back.
GRPC = """
const call = require('http2').connect('http://rpc:8080').request({
  ':method': 'POST', ':path': process.argv[1], 'content-type': 'application/grpc', 'te': 'trailers'});
const frame = Buffer.concat([Buffer.from([0, 0, 0, 0, 2]), Buffer.from('hi')]);
const found = {body: ''};
call.on('response', headers => { found.status = headers[':status']; found.code = headers['grpc-status']; });
call.on('trailers', trailers => { found.code = trailers['grpc-status']; });
call.on('data', data => { found.body += data.subarray(5); });
call.on('close', () => { console.log(JSON.stringify(found)); process.exit(0); });
call.end(frame);
"""
TEN = """
import httpx, sys
two = sys.argv[1] == "--http2"
with httpx.Client(http1=not two, http2=two) as client:
    for answer in (client.get("http://web2:8080/") for _ in range(10)):
        print(answer.http_version, answer.status_code, answer.text)
"""
# Connections to both, of which one is idle for longer than its service allows.
IDLE_HTTP = """
import socket
def connect(name):
    connection = socket.create_connection((name, 8080), 60)
    ask(connection)
    return connection
def ask(connection):
    connection.sendall(b"GET / HTTP/1.1\\r\\nhost: a\\r\\n\\r\\n")
    answer = b""
    while b"\\r\\n\\r\\n" not in answer or not answer.split(b"\\r\\n\\r\\n", 1)[1]:
        answer += connection.recv(65_536)
    return answer.split(b"\\r\\n", 1)[0].decode()
patient, brief = connect("till"), connect("brief")
print(brief.recv(1) == b"", ask(patient))
"""
IDLE_TCP = """
import socket
def connect(name):
    connection = socket.create_connection((name, 9000), 60)
    lines = connection.makefile("rwb")
    return lines, lines.readline()
def ask(lines):
    lines.write(b"hello\\n")
    lines.flush()
    return lines.readline()
(patient, _), (brief, _) = connect("echo"), connect("brief-echo")
print(ask(brief).decode().strip(), brief.readline() == b"", ask(patient).decode().strip())
"""


@pytest.fixture(scope="module")
def mesh(start_twin: TwinFactory, tmp_path_factory: pytest.TempPathFactory) -> Mesh:
    """Services of each protocol, and a task that may call them all."""
    mesh = start_mesh(start_twin, tmp_path_factory.mktemp("mesh"), "--endpoint-propagation", "0")
    mesh.serve("till", 2)
    mesh.serve("brief", timeout={"idleTimeoutSeconds": IDLE})
    mesh.serve("web2", 2, protocol="http2", environment={"MODE": "h2"})
    mesh.serve("rpc", 2, protocol="grpc", environment={"MODE": "h2"}, timeout={"perRequestTimeoutSeconds": 1})
    mesh.serve("echo", 2, port=9000, protocol=None, environment={"MODE": "tcp"})
    mesh.serve(
        "brief-echo", port=9000, protocol=None, environment={"MODE": "tcp"}, timeout={"idleTimeoutSeconds": IDLE}
    )
    mesh.serve("buyer")
    require_hosts_files(mesh)
    return mesh


@pytest.mark.parametrize("speaks", ["HTTP/2", "HTTP/1.1"])
def test_an_application_of_http2_is_asked_by_it_whatever_its_client_speaks(mesh: Mesh, speaks: str) -> None:
    _, out, err = mesh.run("buyer", sys.executable, "-c", TEN, "--http2" if speaks == "HTTP/2" else "--http1")
    answers = [line.split() for line in out.splitlines()]

    assert {(client, status) for client, status, _, _ in answers} == {(speaks, "200")}, err
    assert {hop for _, _, _, hop in answers} == {"2"}  # to the application
    assert sorted(Counter(host for _, _, host, _ in answers).values()) == [5, 5]


def test_a_call_of_grpc_has_its_status(mesh: Mesh) -> None:
    found = [json.loads(mesh.run("buyer", "node", "-e", GRPC, "/shop.Till/Pay")[1]) for _ in range(4)]

    assert {(each["status"], each["code"]) for each in found} == {(200, "0")}
    assert sorted(Counter(each["body"].split()[0] for each in found).values()) == [2, 2]  # requests in turn


def test_a_call_of_grpc_that_takes_too_long_has_one_too(mesh: Mesh) -> None:
    found = json.loads(mesh.run("buyer", "node", "-e", GRPC, "/sleep/20")[1])

    assert found == {"status": 200, "code": "14", "body": ""}  # UNAVAILABLE


def test_an_idle_connection_of_http_is_closed_when_its_services_time_is_over(mesh: Mesh) -> None:
    code, out, err = mesh.run("buyer", sys.executable, "-c", IDLE_HTTP)

    assert (code, out.split(None, 1)) == (0, ["True", "HTTP/1.1 200 OK\n"]), err


def test_an_idle_connection_of_tcp_too(mesh: Mesh) -> None:
    code, out, err = mesh.run("buyer", sys.executable, "-c", IDLE_TCP)

    assert (code, out.split()) == (0, ["hello", "True", "hello"]), err


class Metrics:
    """CloudWatch's, of the last quarter of an hour."""

    def __init__(self, mesh: Mesh) -> None:
        self.client = mesh.twin.client("cloudwatch")

    def data(self, name: str, stat: str = "Sum", **dimensions: str) -> float:
        """The sum of a statistic over all minutes."""
        now = datetime.now(UTC)
        metric = {
            "Namespace": "AWS/ECS",
            "MetricName": name,
            "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
        }
        found = self.client.get_metric_data(
            MetricDataQueries=[{"Id": "a", "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}}],
            StartTime=now - timedelta(minutes=15),
            EndTime=now + timedelta(minutes=1),
        )
        return float(sum(found["MetricDataResults"][0]["Values"]))

    def listed(self, *names: str) -> set[tuple[str, ...]]:
        """Which metrics there are, by the values of these dimensions."""
        found = self.client.list_metrics(Namespace="AWS/ECS", Dimensions=[{"Name": name} for name in names])["Metrics"]
        exact = [each for each in found if {of["Name"] for of in each["Dimensions"]} == set(names)]
        return {
            (each["MetricName"], *(of["Value"] for name in names for of in each["Dimensions"] if of["Name"] == name))
            for each in exact
        }


def test_cloudwatch_has_what_the_proxies_count(mesh: Mesh) -> None:
    mesh.serve("counted", 2)
    mesh.serve("counter")
    for path, times in (("", 20), ("status/404", 3), ("status/500", 5)):
        assert len(mesh.curl("counter", *[f"http://counted:8080/{path}"] * times)) == times
    assert len(mesh.hosts("counted")) == 2  # asked without a client proxy, as API Gateway does: once each
    metrics = Metrics(mesh)
    wait_until(lambda: metrics.data("RequestCount", DiscoveryName="counted") >= 30, "its requests are there", COUNTED)
    wait_until(
        lambda: metrics.data("TargetResponseTime", "SampleCount", TargetDiscoveryName="counted") >= 28,
        "their times are there",
        COUNTED,
    )

    target = {"TargetDiscoveryName": "counted"}
    expected = {"HTTPCode_Target_2XX_Count": 20, "HTTPCode_Target_4XX_Count": 3, "HTTPCode_Target_5XX_Count": 5}
    for more in ({}, {"ServiceName": "counter", "ClusterName": "mesh"}):
        assert {name: metrics.data(name, **target, **more) for name in expected} == expected
        assert metrics.data("RequestCountPerTarget", **target, **more) == 14
        assert metrics.data("TargetResponseTime", "SampleCount", **target, **more) == 28
        assert 0 < metrics.data("TargetResponseTime", **target, **more) < 28 * 60_000
        assert metrics.data("TargetProcessedBytes", **target, **more) > 28 * 20
    for more in ({}, {"ServiceName": "counted", "ClusterName": "mesh"}):
        of = {"DiscoveryName": "counted", **more}
        assert metrics.data("RequestCount", **of) == 30  # all, whoever asked
        assert metrics.data("NewConnectionCount", **of) >= 3
        assert metrics.data("ProcessedBytes", **of) > 30 * 20
    assert metrics.data("RequestCount", DiscoveryName="counted", ServiceName="counter", ClusterName="mesh") == 0
    assert ("ActiveConnectionCount", "counted") in metrics.listed("DiscoveryName")
    assert ("HTTPCode_Target_3XX_Count", "counted") not in metrics.listed("TargetDiscoveryName")
    assert ("HTTPCode_Target_2XX_Count", "counted", "counter", "mesh") in metrics.listed(
        "TargetDiscoveryName", "ServiceName", "ClusterName"
    )


def test_cloudwatch_has_grpc_and_tcp(mesh: Mesh) -> None:
    assert mesh.run("buyer", "node", "-e", GRPC, "/shop.Till/Pay")[0] == 0
    assert mesh.run("buyer", sys.executable, "-c", IDLE_TCP)[0] == 0
    metrics = Metrics(mesh)
    wait_until(lambda: metrics.data("GrpcRequestCount", DiscoveryName="rpc"), "the call is counted", COUNTED)
    wait_until(lambda: metrics.data("NewConnectionCount", DiscoveryName="echo"), "the connection is counted", COUNTED)

    own = {name for name, discovery in metrics.listed("DiscoveryName") if discovery == "echo"}
    assert own == {"ActiveConnectionCount", "NewConnectionCount", "ProcessedBytes"}
    assert {name for name, discovery in metrics.listed("TargetDiscoveryName") if discovery == "echo"} == {
        "TargetProcessedBytes"
    }


def test_the_aws_cli_asks_for_them(mesh: Mesh) -> None:
    mesh.curl("buyer", "http://till:8080/")
    metrics = Metrics(mesh)
    wait_until(lambda: metrics.data("RequestCount", DiscoveryName="till"), "a request is counted", COUNTED)

    def aws(*arguments: str) -> Any:
        return json.loads(run_aws(mesh.twin.aws_endpoint_url, *arguments, credentials=mesh.twin.credentials))

    span = ("--start-time", f"{time.time() - 900:.0f}", "--end-time", f"{time.time() + 60:.0f}")
    which = ("--namespace", "AWS/ECS", "--metric-name", "RequestCount")
    dimension = ("--dimensions", "Name=DiscoveryName,Value=till")
    points = aws(
        "cloudwatch", "get-metric-statistics", *which, *dimension, *span, "--period", "60", "--statistics", "Sum"
    )["Datapoints"]
    assert sum(point["Sum"] for point in points) == metrics.data("RequestCount", DiscoveryName="till")
    assert {point["Unit"] for point in points} == {"Count"}
    listed = aws("cloudwatch", "list-metrics", *which, *dimension)["Metrics"]
    assert sorted(len(each["Dimensions"]) for each in listed) == [1, 3]


def test_what_a_task_counted_before_it_stopped_is_there_once(mesh: Mesh) -> None:
    """Its proxy goes on for longer than it takes until the others report again."""
    mesh.serve("leaver", 2)
    mesh.serve("asker")
    assert len(mesh.curl("asker", *["http://leaver:8080/"] * 10)) == 10
    twin(mesh, "set", f"proxy-drain={INTERVAL + 5:g}")
    mesh.scale("leaver", 0)
    metrics = Metrics(mesh)
    wait_until(lambda: metrics.data("RequestCount", DiscoveryName="leaver") >= 10, "all of them are counted", COUNTED)
    ecs = mesh.twin.client("ecs")

    def states() -> list[str]:
        arns = ecs.list_tasks(cluster="mesh", serviceName="leaver", desiredStatus="STOPPED")["taskArns"]
        return [task["lastStatus"] for task in ecs.describe_tasks(cluster="mesh", tasks=arns)["tasks"]] if arns else []

    wait_until(lambda: states() == ["STOPPED"] * 2, "both have stopped", 2 * COUNTED)
    assert metrics.data("RequestCount", DiscoveryName="leaver") == 10
    assert metrics.data("RequestCount", DiscoveryName="leaver", ServiceName="leaver", ClusterName="mesh") == 10
