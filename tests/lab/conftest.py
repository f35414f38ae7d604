"""`lab` in this process: what it imports is imported once."""

from __future__ import annotations

import sys

import pytest

from lab import cli
from tests.lab.command import Lab, Ran


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lab:
    """Runs `lab` with these arguments."""

    def lab(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["lab", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        written = capsys.readouterr()
        return Ran(int(end.value.code or 0), written.out, written.err)

    return lab
