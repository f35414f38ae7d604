"""The load fleet's image, as far as it can be tested without an engine to build it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "load" / "Dockerfile"


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, "--no-color", DOCKERFILE], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_what_the_load_imports_is_installed() -> None:
    (installed,) = re.findall(r"--constraint versions\.txt (.*)", DOCKERFILE.read_text())
    # What locust itself needs, and brings along.
    there = {*installed.split(), "gevent", "geventhttpclient", "flask", "psutil"}
    imported = set()
    for file in [ROOT / "locustfile.py", *(ROOT / "load").rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    assert imported - set(sys.stdlib_module_names) - {"load"} <= there
