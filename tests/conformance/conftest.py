"""An empty twin, and the stack as Terraform puts it there."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.conformance.terraform import Lacking, Terraform
from tests.stacks import synthesize
from tests.twin.front.http_api.issuer import Issuer, issuer_at_work
from tests.twin.running import PROJECT, STARTS_WITHIN, RunningTwin, TwinFactory, twin_command, wait_until


@dataclass
class Endpoint:
    """An empty twin, and what leads its clients there."""

    twin: RunningTwin
    environment: Mapping[str, str]
    issuer: Issuer
    clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """boto3's client of *service*, as a user has it after `eval "$(twin env)"`."""
        if service not in self.clients:
            given = {name.lower(): self.environment[f"AWS_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")}
            self.clients[service] = boto3.client(
                service,
                endpoint_url=self.environment["AWS_ENDPOINT_URL"],
                region_name=self.environment["AWS_REGION"],
                config=Config(inject_host_prefix=False),
                **{f"aws_{name}": value for name, value in given.items()},
            )
        return self.clients[service]


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """An issuer of JSON Web Tokens on this machine."""
    with issuer_at_work() as issuer:
        yield issuer


MakeEndpoint = Callable[..., "Endpoint"]


@pytest.fixture
def make_endpoint(start_twin: TwinFactory, issuer: Issuer) -> MakeEndpoint:
    """Starts `twin up --empty` with options, and has the environment that `eval "$(twin env)"` makes."""
    return lambda *options: _endpoint(start_twin("--empty", "--jwt-issuer", issuer.url, *options, wait=False), issuer)


@pytest.fixture
def endpoint(make_endpoint: MakeEndpoint) -> Endpoint:
    """An empty twin in the stack's own Region."""
    return make_endpoint()


def _endpoint(twin: RunningTwin, issuer: Issuer) -> Endpoint:
    wait_until(
        lambda: "aws_endpoint_url" in said(twin) or twin.process.poll() is not None,
        "the endpoint is there",
        STARTS_WITHIN,
    )
    ask = ["sh", "-c", 'eval "$("$@")" && env -0', "sh", *twin_command("env", "--state", str(twin.state))]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SC_", "TF_CLI"))}
    done = subprocess.run(ask, cwd=PROJECT, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pairs = (pair.partition("=") for pair in done.stdout.split("\0") if pair)
    return Endpoint(twin, {name: value for name, _, value in pairs}, issuer)


def said(twin: RunningTwin) -> str:
    """What the twin says of itself."""
    file = twin.state / "twin.json"
    return file.read_text() if file.exists() else ""


Deploy = Callable[..., Terraform]


@pytest.fixture
def deploy(endpoint: Endpoint, tmp_path: Path) -> Iterator[Deploy]:
    """Synthesizes the stack of a program with settings and applies it; a further call changes what is there."""
    stacks = tmp_path / "out" / "stacks" / "serviceconnect"

    def deploy(program: str = "main.py", **settings: str) -> Terraform:
        synthesize(tmp_path / "out", program, AWS_ENDPOINT_URL=endpoint.environment["AWS_ENDPOINT_URL"], **settings)
        terraform = Terraform(stacks, endpoint.environment)
        try:
            terraform.init()
        except Lacking as lacking:
            pytest.skip(f"conformance: {lacking}")
        terraform.apply()
        return terraform

    yield deploy
    shutil.rmtree(stacks / ".terraform", ignore_errors=True)
