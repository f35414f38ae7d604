"""The application without a server, the service as a process, and a stand-in for ECS's task metadata endpoint."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.exceptions import StarletteDeprecationWarning

from app.identity import Identity
from app.service import Lifecycle, create_app

with warnings.catch_warnings():
    # Starlette would rather have httpx2, which is not among our packages.
    warnings.simplefilter("ignore", StarletteDeprecationWarning)
    from starlette.testclient import TestClient

ROOT = Path(__file__).parents[2]
START_TIMEOUT_S = 30.0
END_TIMEOUT_S = 30.0

IDENTITY = Identity(
    hostname="ip-10-0-1-2.eu-west-2.compute.internal",
    started_at="2026-11-24T07:00:00.000+00:00",
    version="1.2.3",
    task_arn="arn:aws:ecs:eu-west-2:123456789012:task/serviceconnect/0123456789abcdef",
    availability_zone="eu-west-2a",
    family="serviceconnect",
    revision="7",
)

ClientFactory = Callable[..., TestClient]


@pytest.fixture
def identity() -> Identity:
    """A task on ECS."""
    return IDENTITY


@pytest.fixture
def client_for() -> Iterator[ClientFactory]:
    """A factory of started clients: `client_for(identity=..., lifecycle=..., upstreams=...)`."""
    with ExitStack() as stack:

        def make(
            identity: Identity = IDENTITY,
            lifecycle: Lifecycle | None = None,
            upstreams: Mapping[str, str] | None = None,
        ) -> TestClient:
            return stack.enter_context(TestClient(create_app(identity, lifecycle or Lifecycle(), upstreams)))

        yield make


@dataclass
class MetadataEndpoint:
    """What a task metadata endpoint answers, and what it was asked."""

    uri: str
    status: int = 200
    body: bytes = b"{}"
    silent: bool = False
    paths: list[str] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)
    closing: threading.Event = field(default_factory=threading.Event)

    def says(self, **task: Any) -> str:
        """Answer with this task; returns the endpoint's URI."""
        self.body = json.dumps(task).encode()
        return self.uri


@pytest.fixture
def metadata() -> Iterator[MetadataEndpoint]:
    """A task metadata endpoint on a free port of the loopback interface."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            endpoint.paths.append(self.path)
            endpoint.asked.set()
            if endpoint.silent:
                endpoint.closing.wait()
                return
            self.send_response(endpoint.status)
            self.send_header("content-length", str(len(endpoint.body)))
            self.end_headers()
            self.wfile.write(endpoint.body)

        def log_message(self, format: str, *args: Any) -> None:
            """Tests read `paths` instead."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    endpoint = MetadataEndpoint(f"http://127.0.0.1:{server.server_port}/v4/0123456789abcdef")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield endpoint
    endpoint.closing.set()
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Service:
    """The service as a process, and its address."""

    process: subprocess.Popen[str]
    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def wait_until_ready(self) -> None:
        """Return once `/ready` says 200; each try is a new connection, and none has a certificate to be verified."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                pytest.fail(f"The service ended with {self.process.returncode}: {self.process.communicate()}")
            try:
                if httpx.get(f"{self.url}/ready", verify=False).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.02)
        pytest.fail(f"The service was not ready within {START_TIMEOUT_S} s.")

    def open(self, path: str) -> socket.socket:
        """Send GET `path` on a connection that stays open; the answer is still to be read."""
        connection = socket.create_connection((self.host, self.port), timeout=END_TIMEOUT_S)
        connection.sendall(f"GET {path} HTTP/1.1\r\nhost: test\r\n\r\n".encode())
        return connection

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def end(self) -> tuple[int, str, str]:
        """Wait for the end; exit code, standard output, standard error."""
        out, err = self.process.communicate(timeout=END_TIMEOUT_S)
        return self.process.returncode, out, err


ServiceStarter = Callable[..., Service]


def _dockerfile_command() -> list[str]:
    commands = re.findall(r"^CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert len(commands) == 1
    command: list[str] = json.loads(commands[0])
    return command


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def start_service() -> Iterator[ServiceStarter]:
    """A factory of services, started as a container would: `start_service(DRAIN_SECONDS="1")`.

    The environment holds PATH, HOST, PORT and what the test gives. With `ready=False`, `/ready` is not waited for.
    """
    services: list[Service] = []

    def start(*, ready: bool = True, **environ: str) -> Service:
        environ = {"HOST": "127.0.0.1", "PORT": str(_free_port())} | environ
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}"
        process = subprocess.Popen(
            _dockerfile_command(),
            cwd=ROOT,
            env={"PATH": path, "PYTHONDONTWRITEBYTECODE": "1"} | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        port = environ["PORT"]
        services.append(Service(process, environ["HOST"], int(port) if port.isdigit() else 0))
        if ready:
            services[-1].wait_until_ready()
        return services[-1]

    yield start
    for service in services:
        service.process.kill()
        service.process.communicate()
