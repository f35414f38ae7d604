"""`lab` in this process."""

from __future__ import annotations

import pytest

from lab import cli
from tests.command import Command, in_process


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `eval "$(twin env)"` sets them, of a twin whose state folder is not here."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "TWIN_TOKEN"):
        monkeypatch.setenv(name, "test")


@pytest.fixture(scope="session")
def lab() -> Command:
    """Runs `lab` with these arguments."""
    return in_process("lab", cli.main)
