"""`twin` in this process."""

from __future__ import annotations

import pytest

from tests.command import Command, in_process
from twin import cli


@pytest.fixture
def twin_cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `twin` with these arguments, which it must refuse: nothing is started in this process."""
    return in_process("twin", cli.main, monkeypatch, capsys)
