"""Clients that are installed for a test alone, from the registries that npm and pip have."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

__all__ = ["npm_install", "pip_install"]

_WITHIN = 300.0  # seconds


def npm_install(folder: Path) -> None:
    """Install what `package.json` in *folder* names; the test is skipped where that cannot be had."""
    if shutil.which("npm") is None:
        pytest.skip("conformance: npm is not on PATH")
    _install(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"], folder, "npm")


def pip_install(folder: Path, *requirements: str) -> None:
    """Install *requirements*, without what they need themselves, into *folder*; skipped where that cannot be had."""
    _install([sys.executable, "-m", "pip", "install", "--no-deps", "--target", ".", *requirements], folder, "pip")


def _install(command: list[str], folder: Path, what: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_WITHIN)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing is said"])[-1]
        pytest.skip(f"conformance: {what} gives no {folder.name} ({said[:200]})")
