"""ecs-deploy, a tool that people deploy with, against the stack on a twin: it deploys, scales and goes back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.clients import pip_install
from tests.twin.running import RunningTwin
from twin.credentials import environment

# What else it needs is here: boto3, click, requests.
REQUIREMENTS = ("ecs-deploy==1.17.0", "dictdiffer==0.10.0", "click-log==0.3.2")


@pytest.mark.timeout(600)
def test_it_deploys_scales_and_goes_back(twin: RunningTwin, tmp_path: Path) -> None:
    folder = tmp_path / "ecs-deploy"
    folder.mkdir()
    pip_install(folder, *REQUIREMENTS)

    def ecs(*arguments: str) -> subprocess.CompletedProcess[str]:
        given = environment(twin.aws_endpoint_url, "eu-west-2", twin.credentials, {})
        return subprocess.run(
            [sys.executable, "-c", "from ecs_deploy.cli import ecs; ecs()", *arguments],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(folder), **given},
            capture_output=True,
            text=True,
            timeout=300,
        )

    before = _definition(twin)
    service = ("serviceconnect", "serviceconnect")
    done = ecs("deploy", *service, "--tag", "2", "--env", "app", "COLOUR", "blue", "--timeout", "120")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Deployment successful" in done.stdout
    container = _definition(twin)["containerDefinitions"][0]
    assert container["image"].endswith(":2")
    assert {"name": "COLOUR", "value": "blue"} in container["environment"]
    assert {task["taskDefinitionArn"] for task in twin.tasks()} == {_definition(twin)["taskDefinitionArn"]}

    scaled = ecs("scale", *service, "2", "--timeout", "120")
    assert scaled.returncode == 0, scaled.stdout + scaled.stderr
    assert len(twin.tasks()) == 2

    family, _, revision = before["taskDefinitionArn"].rpartition("/")[2].partition(":")
    back = ecs("deploy", *service, "--task", f"{family}:{revision}", "--no-deregister", "--timeout", "120")
    assert back.returncode == 0, back.stdout + back.stderr
    again = _definition(twin)["containerDefinitions"][0]
    assert (again["image"], again["environment"]) == (
        before["containerDefinitions"][0]["image"],
        before["containerDefinitions"][0]["environment"],
    )


def _definition(twin: RunningTwin) -> Any:
    ecs = twin.client("ecs")
    (service,) = ecs.describe_services(cluster="serviceconnect", services=["serviceconnect"])["services"]
    return ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
