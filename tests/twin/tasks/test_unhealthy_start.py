"""A program that stays up and never passes its health check: the twin says so, ends its command in order, and ends."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.twin.running import TwinFactory


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory, quick_stack: Path) -> Path:
    """The stack, whose health check fails at once and says why."""
    content = json.loads(quick_stack.read_text())
    (definition,) = content["resource"]["aws_ecs_task_definition"].values()
    container, *others = json.loads(definition["container_definitions"])
    command = ["CMD-SHELL", "echo no such table; exit 1"]
    container["healthCheck"] = {"command": command, "interval": 5, "retries": 1}
    definition["container_definitions"] = json.dumps([container, *others])
    stack = tmp_path_factory.mktemp("failing") / "cdk.tf.json"
    stack.write_text(json.dumps(content))
    return stack


def test_it_gives_up_with_the_last_output_of_the_check(start_twin: TwinFactory, failing: Path, tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    script = (
        "import pathlib, signal, sys, time\n"
        f"signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path({str(ended)!r}).write_text('whole'), sys.exit(0)))\n"
        "time.sleep(600)"
    )
    twin = start_twin("--proxy-drain", "0", synth=failing, then=(sys.executable, "-c", script), wait=False)

    output = twin.process.communicate(timeout=120)[0].splitlines()

    assert twin.process.returncode == 3, output
    assert ended.read_text() == "whole"  # what the command had measured is written
    assert output[0].startswith("twin: 3 tasks run at http://127.0.0.1:")
    assert output[0].endswith(" s; health checks begin after 5 s")
    assert output[-1].startswith("twin: Service serviceconnect does not come up: its tasks run, ")
    assert "the last output of the check is 'no such table'. See " in output[-1]
    assert not (twin.state / "outputs.json").exists()
