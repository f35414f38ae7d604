"""`lab` in this process."""

from __future__ import annotations

import pytest

from lab import cli
from tests.command import Command, in_process


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `lab` with these arguments."""
    return in_process("lab", cli.main, monkeypatch, capsys)
