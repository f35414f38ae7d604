"""The AWS SDK for JavaScript, with its own waiters and pages, against the stack on a twin."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conformance.clients import npm_install
from tests.twin.running import RunningTwin
from twin.credentials import environment

SOURCES = Path(__file__).parent / "javascript"


@pytest.mark.timeout(600)
def test_a_program_deploys_waits_and_discovers(twin: RunningTwin, tmp_path: Path) -> None:
    folder = tmp_path / "javascript"
    shutil.copytree(SOURCES, folder)
    npm_install(folder)
    given = environment(twin.aws_endpoint_url, "eu-west-2", twin.credentials, {})

    done = subprocess.run(
        ["node", "clients.mjs", "serviceconnect", "serviceconnect", "serviceconnect"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **given},
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told.pop("definition") == told.pop("wanted")
    assert told == {
        "deployed": "SUCCESS",
        "tasks": 2,
        "stoppedReason": "by JavaScript",
        "stoppedAt": True,
        "names": ["serviceconnect"],
        "ports": ["8080", "8080"],
        "routes": ["GET /hostname", "GET /ready"],
        "refusal": "ClusterNotFoundException",
    }
