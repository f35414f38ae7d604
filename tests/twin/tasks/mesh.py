"""Services that call each other, made with boto3 on an empty twin: each task answers, and runs commands for a test."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.twin.running import STARTS_WITHIN, RunningTwin, TwinFactory, admin_text, wait_until

# With MODE=tcp it writes its name to whoever connects, and then what comes as it comes; with MODE=h2 it speaks HTTP/2
# and gRPC; else HTTP/1.1.
APPLICATION = """
import http.server, json, os, signal, socketserver, subprocess, sys, time
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
NAME = os.environ["HOSTNAME"].encode()

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        status = int(self.path.removeprefix("/status/")) if self.path.startswith("/status/") else 200
        time.sleep(float(self.path.removeprefix("/sleep/")) if self.path.startswith("/sleep/") else 0)
        self.answer(NAME, status)
    def do_POST(self):
        words = json.loads(self.rfile.read(int(self.headers["content-length"])))
        done = subprocess.run(words, capture_output=True, text=True)
        self.answer(json.dumps([done.returncode, done.stdout, done.stderr]).encode())
    def answer(self, body, status=200):
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

class Greeter(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(NAME + b"\\n")
        while came := self.request.recv(65_536):
            self.request.sendall(came)

class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    request_queue_size = 128

async def asgi(scope, receive, send):
    if scope["type"] != "http":
        raise ValueError(scope["type"])
    body, more = b"", True
    while more:
        event = await receive()
        body, more = body + event.get("body", b""), event.get("more_body", False)
    if scope["path"].startswith("/sleep/"):
        await asyncio.sleep(float(scope["path"].removeprefix("/sleep/")))
    rpc = dict(scope["headers"]).get(b"content-type") == b"application/grpc"
    kind = b"application/grpc" if rpc else b"text/plain"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)], "trailers": rpc})
    answer = NAME + b" " + scope["http_version"].encode()
    answer = b"\\0" + len(answer).to_bytes(4, "big") + answer if rpc else answer
    await send({"type": "http.response.body", "body": answer, "more_body": False})
    if rpc:
        await send({"type": "http.response.trailers", "headers": [(b"grpc-status", b"0")], "more_trailers": False})

if os.environ.get("MODE") == "h2":
    import asyncio
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [":".join(sys.argv[1:3])]
    asyncio.run(serve(asgi, config))
else:
    handler = Greeter if os.environ.get("MODE") == "tcp" else Handler
    Server((sys.argv[1], int(sys.argv[2])), handler).serve_forever()
"""


class Mesh:
    """A cluster, and a namespace in which its services find each other."""

    def __init__(self, twin: RunningTwin) -> None:
        self.twin = twin
        self.ecs, self.map, ec2 = (twin.client(name) for name in ("ecs", "servicediscovery", "ec2"))
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        operation = self.map.create_http_namespace(Name="mesh")["OperationId"]
        namespace = self.map.get_operation(OperationId=operation)["Operation"]["Targets"]["NAMESPACE"]
        self.namespace = self.map.get_namespace(Id=namespace)["Namespace"]["Arn"]
        self.ecs.create_cluster(clusterName="mesh")

    def serve(
        self,
        name: str,
        count: int = 1,
        *,
        port: int = 8080,
        alias: dict[str, Any] | None = None,
        protocol: str | None = "http",
        environment: dict[str, str] | None = None,
        timeout: dict[str, int] | None = None,
    ) -> None:
        """A service of *count* tasks, which others call as *alias* or else by its name; it returns once they run."""
        mapping = {"name": "web", "containerPort": port, **({"appProtocol": protocol} if protocol else {})}
        self.ecs.register_task_definition(
            family=name,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[
                {
                    "name": "web",
                    "image": "web:1",
                    "portMappings": [mapping],
                    "stopTimeout": 2,
                    "environment": [{"name": key, "value": value} for key, value in (environment or {}).items()],
                }
            ],
        )
        entry = {"portName": "web", "discoveryName": name, "clientAliases": [alias or {"dnsName": name, "port": port}]}
        self.ecs.create_service(
            cluster="mesh",
            serviceName=name,
            taskDefinition=name,
            desiredCount=count,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": [self.subnet]}},
            serviceConnectConfiguration={
                "enabled": True,
                "namespace": self.namespace,
                "services": [entry | ({"timeout": timeout} if timeout else {})],
            },
        )
        wait_until(lambda: len(self.instances(name)) == count, f"{name} is there", STARTS_WITHIN)

    def instances(self, name: str) -> dict[str, str]:
        """The addresses of a service's tasks, by task id."""
        found = self.map.discover_instances(NamespaceName="mesh", ServiceName=name)["Instances"]
        attributes = {instance["InstanceId"]: instance["Attributes"] for instance in found}
        return {key: f"{a['AWS_INSTANCE_IPV4']}:{a['AWS_INSTANCE_PORT']}" for key, a in attributes.items()}

    def statistics(self, caller: str, alias: str) -> dict[str, int]:
        """Envoy's counters of *alias* in the proxy of the first task of *caller*, without their common beginning."""
        prefix = f"cluster.{alias}."
        folder = self.twin.state / "tasks" / next(iter(self.instances(caller)))
        lines = admin_text(folder, "/stats?filter=^" + prefix.replace(".", "\\."), "proxy.admin").splitlines()
        pairs = (line.removeprefix(prefix).split(": ") for line in lines)
        return {name: int(value) for name, value in pairs if value.isdigit()}

    def scale(self, name: str, count: int) -> None:
        self.ecs.update_service(cluster="mesh", service=name, desiredCount=count)
        wait_until(lambda: len(self.instances(name)) == count, f"{count} of {name} are there", STARTS_WITHIN)

    def redeploy(self, name: str) -> None:
        before = set(self.instances(name))
        self.ecs.update_service(cluster="mesh", service=name, forceNewDeployment=True)
        wait_until(
            lambda: (now := set(self.instances(name))) and not now & before, f"{name} is deployed anew", STARTS_WITHIN
        )

    def hosts(self, name: str) -> set[str]:
        """The host names of a service's tasks, by themselves."""
        return {httpx.get(f"http://{address}/").text for address in self.instances(name).values()}

    def run(self, caller: str, *words: str, task: str | None = None) -> tuple[int, str, str]:
        """Run a command in a task of *caller*: its exit code and what it wrote."""
        instances = self.instances(caller)
        address = instances[task] if task else next(iter(instances.values()))
        answer = httpx.post(f"http://{address}/run", content=json.dumps(words), timeout=60)
        assert answer.status_code == 200, answer.text
        code, out, err = answer.json()
        return code, out, err

    def curl(self, caller: str, *urls: str, options: Sequence[str] = ()) -> list[str]:
        """What curl gets in a task of *caller*: for each URL the status, a blank and the body."""
        words = ["curl", "-s", *options, "-w", "\\n%{http_code} end\\n", *urls]
        _, out, _ = self.run(caller, *words)
        return [f"{status} {body}" for body, status in _answers(out)]


def _answers(text: str) -> list[tuple[str, str]]:
    found, body = [], list[str]()
    for line in text.splitlines():
        if line.endswith(" end") and line[:-4].isdigit():
            found.append(("\n".join(body), line[:-4]))
            body = []
        else:
            body.append(line)
    return found


def start_mesh(start_twin: TwinFactory, folder: Path, *options: str) -> Mesh:
    """An empty twin whose every service runs the application."""
    program = folder / "application.py"
    program.write_text(APPLICATION)
    command = f"{shlex.quote(sys.executable)} -I {shlex.quote(str(program))} {{host}} {{port}}"
    twin = start_twin("--empty", "--command", command, "--registration-wait", "20", *options, synth=None, wait=False)
    file = twin.state / "twin.json"
    wait_until(lambda: file.exists() and "aws_endpoint_url" in file.read_text(), "the endpoint is there", STARTS_WITHIN)
    return Mesh(twin)
