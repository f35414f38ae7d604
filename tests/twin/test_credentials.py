"""The environment in which clients talk to the endpoint."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.twin.running import RunningTwin, twin_command
from twin.credentials import Credentials, environment, lead_elsewhere, past_proxies


@pytest.mark.parametrize("name", ["HTTP_PROXY", "https_proxy", "ALL_PROXY"])
def test_no_proxy_is_between(name: str) -> None:
    given = environment(
        "http://127.0.0.1:4566", "eu-west-2", Credentials.new(), {name: "http://proxy:3128", "no_proxy": "intranet"}
    )

    assert given["NO_PROXY"] == given["no_proxy"] == "intranet,127.0.0.1,localhost"


def test_without_a_proxy_nothing_is_said_of_proxies() -> None:
    assert past_proxies({"PATH": "/bin", "NO_PROXY": "intranet"}) == {}


PAST = {
    "AWS_PROFILE": "prod",
    "AWS_SESSION_TOKEN": "t",
    "AWS_ENDPOINT_URL_ECS": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2": "http://127.0.0.1:9",
    "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/r",
    "AWS_ROLE_SESSION_NAME": "s",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/credentials",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/credentials",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN": "t",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
}
IGNORED = {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}


def test_what_leads_past_the_endpoint_is_named_and_nothing_else() -> None:
    assert lead_elsewhere(PAST | {"AWS_ENDPOINT_URL": "u", "AWS_REGION": "r", "PATH": "/bin"}) == sorted(PAST)


@pytest.mark.parametrize("in_a_file", [False, True])
def test_boto3_asks_the_endpoint_whatever_the_user_has_set(tmp_path: Path, in_a_file: bool) -> None:
    configured = tmp_path / "config"
    configured.write_text("[default]\nignore_configured_endpoint_urls = true\n" if in_a_file else "")
    inherited = {**({} if in_a_file else IGNORED), **PAST, "AWS_CONFIG_FILE": str(configured)}
    kept = {name: value for name, value in inherited.items() if name not in lead_elsewhere(inherited)}
    env = kept | environment("http://127.0.0.1:4566", "eu-west-2", Credentials.new(), inherited)
    program = "import boto3; print(boto3.client('ecs').meta.endpoint_url, boto3.client('elbv2').meta.endpoint_url)"

    asked = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)

    assert asked.stdout.split() == ["http://127.0.0.1:4566"] * 2


def test_twin_env_unsets_what_leads_past_the_endpoint(twin: RunningTwin) -> None:
    env = os.environ | PAST | IGNORED
    exports = subprocess.run(
        twin_command("env", "--state", str(twin.state)), env=env, capture_output=True, text=True, check=True
    ).stdout
    after = subprocess.run(["sh", "-c", f"{exports}\nenv"], env=env, capture_output=True, text=True, check=True).stdout
    left = {line.partition("=")[0] for line in after.splitlines()}

    assert not left & PAST.keys()
    assert "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=false" in after.splitlines()
