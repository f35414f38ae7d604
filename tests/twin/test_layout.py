"""The twin's house: its rooms, and what may not grow back. Who may import whom is in import-linter's contracts."""

from __future__ import annotations

import ast
from pathlib import Path

import twin

HOUSE = Path(twin.__file__).parent
ROOMS = {"aws", "envoy", "front", "machine", "stack", "tasks"}


def test_the_twin_has_these_rooms_and_each_says_what_it_is() -> None:
    rooms = {folder.name for folder in HOUSE.iterdir() if (folder / "__init__.py").exists()}

    assert rooms == ROOMS
    for module in HOUSE.rglob("*.py"):
        assert ast.get_docstring(ast.parse(module.read_text())), module


def test_the_supervisor_builds_starts_and_ends_and_hands_out_no_callable() -> None:
    text = (HOUSE / "supervisor.py").read_text()
    inside = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Lambda)]

    assert len(text.splitlines()) <= 150
    assert inside == []
