"""The stack as it is synthesized for a service that is not ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.twin.running import PROJECT


@pytest.fixture(scope="session")
def any_service(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All paths, a health check of the service's own, and a load balancer beside it."""
    folder = tmp_path_factory.mktemp("synth")
    settings = {
        "SC_ROUTES": "ANY /{proxy+}, GET /",
        "SC_HEALTH_CHECK": "wget -q --spider http://localhost:8080/ || exit 1",
        "SC_COMPARISON": "true",
        "SC_COMPARISON_HEALTH_PATH": "/",
        "SC_DESIRED_COUNT": "2",
        "SC_REQUEST_TIMEOUT": "5",
        "SC_DRAIN_SECONDS": "1",
        "CDKTF_OUTDIR": str(folder),
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SC_")}
    command = [sys.executable, "main.py"]
    done = subprocess.run(command, cwd=PROJECT, env=kept | settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder
