"""`twin` in this process, and the stack as it is synthesized for a service that is not ours."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import Command, in_process
from tests.twin.running import PROJECT
from twin import cli


@pytest.fixture
def twin_cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `twin` with these arguments, which it must refuse: nothing is started in this process."""
    return in_process("twin", cli.main, monkeypatch, capsys)


@pytest.fixture(scope="session")
def any_service(tmp_path_factory: pytest.TempPathFactory, testrun_uid: str) -> Path:
    """All paths, a health check of the service's own, and a load balancer beside it: one synthesis for all workers."""
    folder = tmp_path_factory.getbasetemp().parent / f"any-service-{testrun_uid}"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "manifest.json").exists():
            synthesize(
                folder,
                SC_ROUTES="ANY /{proxy+}, GET /",
                SC_HEALTH_CHECK="wget -q --spider http://127.0.0.1:8080/ || exit 1",
                SC_COMPARISON="true",
                SC_COMPARISON_HEALTH_PATH="/",
                SC_DESIRED_COUNT="2",
                SC_REQUEST_TIMEOUT="5",
                SC_DRAIN_SECONDS="1",
            )
    return folder


def synthesize(folder: Path, program: str = "main.py", **settings: str) -> None:
    """Synthesize the stack of *program* with *settings*, as variables of the environment, into *folder*."""
    settings["CDKTF_OUTDIR"] = str(folder)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SC_")}
    command = [sys.executable, program]
    done = subprocess.run(command, cwd=PROJECT, env=kept | settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
