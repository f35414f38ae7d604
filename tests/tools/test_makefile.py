"""What make would run: asked with --dry-run."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.twin.running import PROJECT


@pytest.mark.parametrize("target", ["deploy", "diff", "destroy"])
@pytest.mark.parametrize(
    ("endpoint", "skipped"),
    [
        ("http://127.0.0.1:4566", True),
        ("http://localhost:4566", True),
        ("http://[::1]:4566", True),
        ("", False),
        ("https://sts.example.com", False),
    ],
)
def test_a_loopback_endpoint_needs_no_lock_of_the_provider(target: str, endpoint: str, skipped: bool) -> None:
    command = ["make", "--dry-run", target]
    done = subprocess.run(
        command, cwd=PROJECT, env=os.environ | {"AWS_ENDPOINT_URL": endpoint}, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if f"bin/cdktf {target}" in line]
    assert ("--skip-provider-lock" in line) is skipped
