"""The stacks of the tests' twins with other settings than the default ones, as variables of the environment.

All workers share one synthesis of them: to start CDKTF's Node takes most of it, a further stack a tenth.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.twin.running import PROJECT

SERVICES = "examples/services/main.py"

# Name of a stack -> its program and settings.
STACKS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    # All paths, a health check of the service's own, and a load balancer beside it.
    "any-service": (
        "main.py",
        {
            "SC_ROUTES": "ANY /{proxy+}, GET /",
            "SC_HEALTH_CHECK": "wget -q --spider http://127.0.0.1:8080/ || exit 1",
            "SC_COMPARISON": "true",
            "SC_COMPARISON_HEALTH_PATH": "/",
            "SC_DESIRED_COUNT": "2",
            "SC_REQUEST_TIMEOUT": "5",
            "SC_DRAIN_SECONDS": "1",
        },
    ),
    "comparison": ("main.py", {"SC_COMPARISON": "true", "SC_DRAIN_SECONDS": "1"}),
    "registered-when-healthy": ("main.py", {"SC_REGISTER_WHEN_HEALTHY": "true", "SC_DRAIN_SECONDS": "20"}),
    # Routes that all need authorization, and which a shop's pages may call.
    "guarded": (
        "main.py",
        {
            "SC_AUTHORIZATION": "AWS_IAM",
            "SC_COMPARISON": "true",
            "SC_CORS_ORIGINS": "https://shop.example",
            "SC_CORS_METHODS": "PUT",
            "SC_DESIRED_COUNT": "1",
            "SC_ROUTES": "$default, ANY /orders/{id}",
        },
    ),
    # Two services that find each other, whose tasks end at once.
    "services": (SERVICES, {"SC_DRAIN_SECONDS": "0"}),
}


def shared_stack(name: str, folder: Path) -> Path:
    """Where the stack *name* is: in *folder*, which all workers have, with all of the same program's."""
    program, _ = STACKS[name]
    words: list[str] = []
    for other, (by, settings) in STACKS.items():
        if by == program:
            words += [str(folder / other), *(f"{setting}={value}" for setting, value in settings.items())]
    made = folder / f"{Path(program).parent.name or 'main'}.made"
    with made.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            _run("tools/synthesize.py", program, *words)
            made.touch()
    return folder / name


def synthesize(folder: Path, program: str = "main.py", **settings: str) -> None:
    """Synthesize the stack of *program* with *settings*, as variables of the environment, into *folder*."""
    _run(program, CDKTF_OUTDIR=str(folder), **settings)


def _run(*command: str, **environment: str) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SC_")}
    done = subprocess.run(
        [sys.executable, *command], cwd=PROJECT, env=kept | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
