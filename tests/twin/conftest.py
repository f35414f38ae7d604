"""`twin` in this process."""

from __future__ import annotations

import pytest

from tests.command import Command, in_process
from twin import cli


@pytest.fixture(scope="session")
def twin_cli() -> Command:
    """Runs `twin` with these arguments, which it must refuse: nothing is started in this process."""
    return in_process("twin", cli.main)
