"""A real twin: `twin up` as a process, on ports of its own, of the stack as `make synth` has it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import boto3
import botocore.credentials
import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config

from tests.command import Ran, in_process
from twin import cli
from twin.aws.api_urls import ApiUrls
from twin.aws.client import Aws
from twin.credentials import Credentials
from twin.machine.addresses import Address, LoopbackAddresses, free_port
from twin.machine.state import StateFolder

CREDENTIALS = Credentials("test", "test", "token")  # of endpoints without a twin
PROJECT = Path(__file__).resolve().parents[2]
STACK = PROJECT / "cdktf.out"  # what `make synth` writes; `make test` does so first
STARTS_WITHIN = 60.0  # seconds; it takes three, on a machine that does nothing else


class Signed(httpx.Auth):
    """Signs httpx's requests; those to /_twin/ it gives the token."""

    requires_request_body = True

    def __init__(self, credentials: Credentials, service: str = "ecs") -> None:
        self._credentials = credentials
        self._service = service

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        own = self._credentials
        if request.url.path.startswith("/_twin/"):
            request.headers["authorization"] = f"Bearer {own.token}"
        else:
            aws = {name: value for name, value in request.headers.items() if name.startswith("x-amz-")}
            signed = AWSRequest(request.method, str(request.url), aws, request.content)
            keys = botocore.credentials.Credentials(own.access_key, own.secret_key)
            SigV4Auth(keys, self._service, "eu-west-2").add_auth(signed)
            request.headers.update(dict(signed.headers.items()))
        yield request


class FreePorts:
    """In place of LoopbackAddresses: nobody listens there."""

    def allocate_or_above(self, port: int) -> Address:
        return Address("127.0.0.1", free_port())


def api_urls() -> ApiUrls:
    """Those of an endpoint without a gateway."""
    return ApiUrls(Address("127.0.0.1", 8000), cast(LoopbackAddresses, FreePorts()))


def admin_text(folder: Path, path: str, file: str = "admin") -> str:
    """What an Envoy answers at *path* of its admin interface, whose address is in *file* of *folder*."""
    address = (folder / file).read_text()
    uds = "\0" + address.removeprefix("@") if address.startswith("@") else None
    with httpx.Client(transport=httpx.HTTPTransport(uds=uds)) as client:
        return client.get(f"http://{'admin' if uds else address}{path}").text


@dataclass
class RunningTwin:
    """A twin that serves, or one whose start failed."""

    process: subprocess.Popen[str]
    state: Path
    gateway_url: str
    aws_endpoint_url: str
    clients: dict[str, Any] = field(default_factory=dict)

    @property
    def running(self) -> dict[str, Any]:
        """What its own commands find of it."""
        return StateFolder(self.state).running()

    @property
    def credentials(self) -> Credentials:
        found: Credentials = self.running["credentials"]
        return found

    @property
    def aws(self) -> Aws:
        return Aws(self.aws_endpoint_url, "eu-west-2", self.credentials)

    def client(self, service: str) -> Any:
        """boto3's client of *service* at the endpoint; making one takes as long as a hundred requests."""
        if service not in self.clients:
            self.clients[service] = boto3.client(
                service,
                endpoint_url=self.aws_endpoint_url,
                region_name="eu-west-2",
                aws_access_key_id=self.credentials.access_key,
                aws_secret_access_key=self.credentials.secret_key,
                config=Config(inject_host_prefix=False),
            )
        return self.clients[service]

    def outputs(self) -> dict[str, str]:
        values: dict[str, str] = next(iter(json.loads((self.state / "outputs.json").read_text()).values()))
        return values

    def events(self) -> list[dict[str, Any]]:
        return events_in(self.state)

    def tasks(self, status: str = "RUNNING") -> list[dict[str, Any]]:
        """DescribeTasks of the tasks with this desired status."""
        ecs, cluster = self.client("ecs"), self.outputs()["cluster_name"]
        arns = ecs.list_tasks(cluster=cluster, desiredStatus=status)["taskArns"]
        return list(ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"]) if arns else []

    def run(self, *arguments: str) -> Ran:
        """`twin` with these arguments, of this twin; in the tests' process, for it takes as long to start as to run."""
        return in_process("twin", cli.main)(*arguments, "--state", str(self.state))

    def says(self, *arguments: str) -> str:
        """The same, which must go well: what is printed."""
        ran = self.run(*arguments)
        assert ran.code == 0, ran.err
        return ran.out

    def end(self) -> str:
        """Send SIGTERM and wait; what it wrote."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.communicate(timeout=30)[0]


TwinFactory = Callable[..., RunningTwin]


def events_in(state: Path) -> list[dict[str, Any]]:
    """The event log of a twin on this state folder."""
    return [json.loads(line) for line in (state / "events.jsonl").read_text().splitlines()]


def twin_command(*arguments: str) -> list[str]:
    """`twin` by the interpreter that runs the tests."""
    return [sys.executable, "-c", "from twin.cli import main; main()", *arguments]


def wait_until(condition: Callable[[], Any], what: str, timeout: float = 30.0) -> Any:
    """The first true value of *condition*; the test fails if there is none in time.

    What takes long, to come or to be asked for, is asked for less often: it takes the processor from what is awaited.
    """
    begun = time.monotonic()
    while (asked := time.monotonic()) < begun + timeout:
        if value := condition():
            return value
        time.sleep(min(1.0, max(0.05, min(0.25, (asked - begun) / 20), 3 * (time.monotonic() - asked))))
    pytest.fail(f"{what}: not within {timeout:g} s")


def is_alive(pid: int) -> bool:
    """Whether a process with this id runs; a zombie, which nobody has waited for yet, does not."""
    try:
        os.kill(pid, 0)
        if sys.platform != "linux":
            return True
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):  # it went between the two looks
        return False


def command_of(pid: int) -> str:
    """The command line of *pid*, whole: `ps` alone cuts it at the width of a terminal, if there is one."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
        except (ProcessLookupError, FileNotFoundError):
            return ""
    return subprocess.run(["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()


def descendants(pid: int) -> list[int]:
    """All processes under *pid*, by their parents."""
    table = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    children: dict[int, list[int]] = {}
    for line in table.splitlines():
        child, parent = map(int, line.split())
        children.setdefault(parent, []).append(child)
    found, open_ = [], [pid]
    while open_:
        below = children.get(open_.pop(), [])
        found += below
        open_ += below
    return found
